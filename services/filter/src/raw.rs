//! What stands after a colon, as it is written: words, comparisons, ranges and lists of them.

use std::ops::Range as Span;

use crate::cursor::{Ends, Word};
use crate::error::FilterError;
use crate::parser::{MAX_LIST, Parser};

/// A value as it is written.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) form: Form,
    pub(crate) span: Span<usize>,
}

/// How a value is written.
#[derive(Debug, Clone)]
pub(crate) enum Form {
    /// `x`
    Word(Word),
    /// `>x` and the like.
    Compare(Comparison, Word),
    /// `x..y`, one end optional.
    Between {
        from: Option<End>,
        to: Option<End>,
        /// The same as one word, which it is where it makes no range.
        whole: Option<Word>,
    },
}

/// An end of a range as it is written.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) word: Word,
    /// The end itself lies outside: `<` between it and the dots.
    pub(crate) excluded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Raw {
    pub(crate) fn word(&self) -> Option<&Word> {
        match &self.form {
            Form::Word(word) => Some(word),
            _ => None,
        }
    }

    /// The unquoted word without wildcards that it is.
    pub(crate) fn bare(&self) -> Option<&str> {
        self.word().and_then(Word::bare)
    }
}

impl Parser<'_> {
    /// One value, `a,b`, `(a, b)` or `[a, b]`.
    pub(crate) fn raw_values(&mut self, ranges: bool) -> Result<Vec<Raw>, FilterError> {
        let start = self.cursor.position();
        let close = match self.cursor.peek() {
            Some('(') => Some(")"),
            Some('[') => Some("]"),
            _ => None,
        };
        if close.is_some() {
            self.cursor.next();
        }
        let mut values = Vec::new();
        loop {
            if close.is_some() {
                self.cursor.skip_spaces();
            }
            values.push(self.raw_value(ranges)?);
            if values.len() > MAX_LIST {
                return Err(self.cursor.error_here(format!("a list has at most {MAX_LIST} items")));
            }
            if close.is_some() {
                self.cursor.skip_spaces();
            }
            if self.cursor.eat(",") || (close.is_some() && self.cursor.eat("OR ")) {
                continue;
            }
            return match close {
                Some(close) if self.cursor.at_end() => {
                    Err(self.cursor.error_in(start..start + 1, format!("this list is never closed by `{close}`")))
                }
                Some(close) if !self.cursor.eat(close) => {
                    let message = format!("`,` or `{close}` is missing here; quote an item that contains spaces");
                    Err(self.cursor.error_here(message).suggesting([","]))
                }
                _ => Ok(values),
            };
        }
    }

    fn raw_value(&mut self, ranges: bool) -> Result<Raw, FilterError> {
        let start = self.cursor.position();
        let operators = [
            (">=", Comparison::AtLeast),
            (">", Comparison::Greater),
            ("<=", Comparison::AtMost),
            ("<", Comparison::Less),
        ];
        let form = if let Some((_, comparison)) = operators.into_iter().find(|(text, _)| self.cursor.eat(text)) {
            Form::Compare(comparison, self.filled_word()?)
        } else if ranges {
            self.word_or_range()?
        } else {
            Form::Word(self.filled_word()?)
        };
        Ok(Raw { form, span: start..self.cursor.position() })
    }

    fn filled_word(&mut self) -> Result<Word, FilterError> {
        let word = self.cursor.word(Ends::Value)?;
        if word.span.is_empty() { Err(self.cursor.error_here("a value is missing here")) } else { Ok(word) }
    }

    fn word_or_range(&mut self) -> Result<Form, FilterError> {
        let mut whole = self.cursor.clone();
        let first = self.cursor.word(Ends::RangeEnd)?;
        let excluded = !first.span.is_empty() && self.cursor.rest().starts_with("<..") && self.cursor.eat("<");
        if !self.cursor.eat("..") {
            return if first.span.is_empty() { self.filled_word().map(Form::Word) } else { Ok(Form::Word(first)) };
        }
        let until = self.cursor.eat("<");
        let second = self.cursor.word(Ends::RangeEnd)?;
        let whole = whole.word(Ends::Value).ok().filter(|word| !word.quoted);
        if let Some(whole) = &whole
            && whole.span.end > self.cursor.position()
        {
            let rest = self.cursor.position()..whole.span.end;
            return Err(self.cursor.error_in(rest, "a range has two ends; quote text that contains dots"));
        }
        let end = |word: Word, excluded| (!word.span.is_empty()).then_some(End { word, excluded });
        let whole = whole.filter(|whole| whole.span.end == self.cursor.position());
        Ok(Form::Between { from: end(first, excluded), to: end(second, until), whole })
    }
}
