//! Reading words and quoted texts, with escapes and wildcards, and remembering where they stood.

use std::ops::Range;

use crate::error::FilterError;
use crate::pattern::{Part, Pattern};

/// A place in the text of a filter.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    input: &'a str,
    at: usize,
}

/// A word or a quoted text.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    /// What it says.
    pub(crate) pattern: Pattern,
    /// Quoted texts are always themselves, never a keyword, a number range or a short name for something else.
    pub(crate) quoted: bool,
    /// Where it stood, with its quotes.
    pub(crate) span: Range<usize>,
}

impl Word {
    /// Its text, when it is not quoted and has no wildcards.
    pub(crate) fn bare(&self) -> Option<&str> {
        if self.quoted { None } else { self.pattern.as_literal() }
    }
}

/// Where an unquoted word ends, besides at spaces, quotes and parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Nowhere else: free text.
    Text,
    /// At `,` and `]`: a value.
    Value,
    /// There, and at `..` and `<..`: one end of a range.
    RangeEnd,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(input: &'a str) -> Self {
        Self { input, at: 0 }
    }

    /// The text not read yet.
    pub(crate) fn rest(&self) -> &'a str {
        self.input.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(crate) fn at_end(&self) -> bool {
        self.rest().is_empty()
    }

    /// Whether a term cannot continue here: a space, a closing parenthesis or the end.
    pub(crate) fn at_gap(&self) -> bool {
        self.peek().is_none_or(|c| c.is_whitespace() || c == ')')
    }

    pub(crate) fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    /// Reads `text` when it comes next.
    pub(crate) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(crate) fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Reads as long as `accept` says.
    pub(crate) fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// A mistake between `start` and here.
    pub(crate) fn error(&self, start: usize, message: impl Into<String>) -> FilterError {
        self.error_in(start..self.at, message)
    }

    /// A mistake at `span`.
    pub(crate) fn error_in(&self, span: Range<usize>, message: impl Into<String>) -> FilterError {
        FilterError::new(self.input, span, message)
    }

    /// A mistake at the next character.
    pub(crate) fn error_here(&self, message: impl Into<String>) -> FilterError {
        let width = self.peek().map_or(0, char::len_utf8);
        self.error_in(self.at..self.at + width, message)
    }

    /// The text between `start` and here.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.input.get(start..self.at).unwrap_or_default()
    }

    /// Reads a quoted text or an unquoted word, which may be empty.
    pub(crate) fn word(&mut self, ends: Ends) -> Result<Word, FilterError> {
        let start = self.at;
        let quoted = self.eat("\"");
        let mut parts = Vec::new();
        if quoted {
            self.quoted(start, &mut parts)?;
        } else {
            self.unquoted(ends, &mut parts)?;
        }
        Ok(Word { pattern: Pattern::new(parts), quoted, span: start..self.at })
    }

    fn quoted(&mut self, start: usize, parts: &mut Vec<Part>) -> Result<(), FilterError> {
        loop {
            match self.peek() {
                Some('"') => {
                    self.next();
                    return Ok(());
                }
                Some(_) => parts.push(self.part()?),
                None => return Err(self.error_in(start..start + 1, "this quote is never closed")),
            }
        }
    }

    fn unquoted(&mut self, ends: Ends, parts: &mut Vec<Part>) -> Result<(), FilterError> {
        let start = self.at;
        while let Some(character) = self.peek() {
            let ended = match character {
                '"' | '(' | ')' => true,
                ',' | ']' => ends != Ends::Text,
                '.' | '<' if ends == Ends::RangeEnd => self.rest().starts_with("..") || self.rest().starts_with("<.."),
                _ => character.is_whitespace(),
            };
            if ended {
                break;
            }
            // A time zone after a time: `[Europe/Berlin]`.
            if character == '[' && ends != Ends::Text && self.at > start {
                let zone = self.rest().find(']').and_then(|end| self.rest().get(..=end)).unwrap_or("[");
                parts.push(Part::Literal(zone.to_owned()));
                self.at += zone.len();
            } else {
                parts.push(self.part()?);
            }
        }
        Ok(())
    }

    /// One character, wildcard or escape.
    fn part(&mut self) -> Result<Part, FilterError> {
        let start = self.at;
        match self.next() {
            Some('*') => Ok(Part::AnySequence),
            Some('?') => Ok(Part::AnyCharacter),
            Some('\\') => self.escape(start).map(|c| Part::Literal(c.to_string())),
            other => Ok(Part::Literal(other.into_iter().collect())),
        }
    }

    fn escape(&mut self, start: usize) -> Result<char, FilterError> {
        match self.next() {
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('u') => {
                let opened = self.eat("{");
                let digits = self.take_while(|c| c.is_ascii_hexdigit());
                let character = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                match character {
                    Some(character) if opened && self.eat("}") => Ok(character),
                    _ => Err(self.error(start, "write a character by its number like `\\u{e9}`")),
                }
            }
            Some(character) if !character.is_alphanumeric() => Ok(character),
            Some(character) => {
                let message = format!("`\\{character}` is no escape; write a backslash as `\\\\`");
                Err(self.error(start, message).suggesting([format!("\\\\{character}")]))
            }
            None => Err(self.error(start, "a backslash needs a character after it")),
        }
    }
}
