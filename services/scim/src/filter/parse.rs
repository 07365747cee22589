//! The parser: recursive descent over the bytes of the text.

use super::{Filter, Operator};
use crate::error::ScimError;
use crate::profile::Profile;
use crate::schema::is_name;

/// Longest text of a filter, in bytes.
pub const MAX_LENGTH: usize = 64 * 1024;
/// Deepest nesting of parentheses, negations and brackets.
pub const MAX_DEPTH: usize = 64;
/// Most comparisons in one filter.
pub const MAX_TERMS: usize = 1024;

/// What the parser takes beyond the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syntax {
    /// Values may be unquoted, in single quotes, or `True` and `False`.
    pub unquoted_values: bool,
    /// `emails[type eq "work"].value eq "x"` may stand for `emails[type eq "work" and value eq "x"]`.
    pub element_comparisons: bool,
}

impl Syntax {
    /// The grammar alone.
    pub const STRICT: Self = Self { unquoted_values: false, element_comparisons: false };
    /// All that clients are known to send.
    pub const LENIENT: Self = Self { unquoted_values: true, element_comparisons: true };
}

impl From<&Profile> for Syntax {
    fn from(profile: &Profile) -> Self {
        Self { unquoted_values: profile.unquoted_filter_values, element_comparisons: profile.value_path_comparisons }
    }
}

/// `path[filter].sub`, as in PATCH.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValuePath {
    /// The attribute path before the bracket.
    pub(crate) path: String,
    /// What stands in brackets.
    pub(crate) filter: Option<Filter>,
    /// What follows them.
    pub(crate) sub: Option<String>,
}

impl Filter {
    /// Reads a filter. A mistake is `invalidFilter`, and its detail tells the offset in bytes.
    pub fn parse(text: &str, syntax: Syntax) -> Result<Self, ScimError> {
        let mut parser = Parser::new(text, syntax)?;
        let filter = parser.any_of()?;
        parser.end()?;
        Ok(filter)
    }
}

/// Reads the path of a PATCH operation. Mistakes inside the brackets are `invalidFilter`, others `invalidPath`.
pub(crate) fn value_path(text: &str, syntax: Syntax) -> Result<ValuePath, ScimError> {
    let mut parser = Parser::new(text, syntax)?;
    let path = parser.path().map_err(|error| ScimError::path(error.detail))?;
    let (mut filter, mut sub) = (None, None);
    if parser.eat(b'[') {
        filter = Some(parser.element()?);
        sub = parser.sub_attribute().map_err(|error| ScimError::path(error.detail))?;
    }
    parser.end().map_err(|error| ScimError::path(error.detail))?;
    Ok(ValuePath { path, filter, sub })
}

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) syntax: Syntax,
    depth: usize,
    terms: usize,
    in_element: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, syntax: Syntax) -> Result<Self, ScimError> {
        if text.len() > MAX_LENGTH {
            return Err(ScimError::filter(format!("a filter has at most {MAX_LENGTH} bytes")));
        }
        Ok(Self { text, at: 0, syntax, depth: 0, terms: 0, in_element: false })
    }

    fn any_of(&mut self) -> Result<Filter, ScimError> {
        let mut filters = vec![self.all_of()?];
        while self.keyword("or") {
            filters.push(self.all_of()?);
        }
        Ok(Filter::any(filters))
    }

    fn all_of(&mut self) -> Result<Filter, ScimError> {
        let mut filters = vec![self.term()?];
        while self.keyword("and") {
            filters.push(self.term()?);
        }
        Ok(Filter::all(filters))
    }

    fn term(&mut self) -> Result<Filter, ScimError> {
        self.spaces();
        let start = self.at;
        if self.word().eq_ignore_ascii_case("not") {
            self.spaces();
            if self.eat(b'(') {
                return Ok(Filter::Not(Box::new(self.grouped()?)));
            }
        }
        self.at = start;
        if self.eat(b'(') {
            return self.grouped();
        }
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(self.error(format!("a filter has at most {MAX_TERMS} comparisons")));
        }
        self.comparison()
    }

    /// What follows an opening parenthesis, and the closing one.
    fn grouped(&mut self) -> Result<Filter, ScimError> {
        self.deeper()?;
        let filter = self.any_of()?;
        self.spaces();
        if !self.eat(b')') {
            return Err(self.error("a closing parenthesis is missing"));
        }
        self.depth -= 1;
        Ok(filter)
    }

    /// What follows an opening bracket, and the closing one.
    fn element(&mut self) -> Result<Filter, ScimError> {
        if self.in_element {
            return Err(self.error("brackets do not nest"));
        }
        self.deeper()?;
        self.in_element = true;
        let filter = self.any_of()?;
        self.in_element = false;
        self.spaces();
        if !self.eat(b']') {
            return Err(self.error("a closing bracket is missing"));
        }
        self.depth -= 1;
        Ok(filter)
    }

    fn deeper(&mut self) -> Result<(), ScimError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(format!("a filter nests at most {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        Ok(())
    }

    fn comparison(&mut self) -> Result<Filter, ScimError> {
        let path = self.path()?;
        if !self.eat(b'[') {
            return self.operation(path);
        }
        let filter = self.element()?;
        let start = self.at;
        let Some(sub) = self.sub_attribute()? else { return Ok(Filter::Element { path, filter: Box::new(filter) }) };
        if !self.syntax.element_comparisons {
            self.at = start;
            return Err(self.error("a comparison of what follows brackets belongs into them"));
        }
        let filter = Filter::all(vec![filter, self.operation(sub)?]);
        Ok(Filter::Element { path, filter: Box::new(filter) })
    }

    /// The operator and value after a path.
    fn operation(&mut self, path: String) -> Result<Filter, ScimError> {
        self.spaces();
        let start = self.at;
        let word = self.word();
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present { path });
        }
        let Some(operator) = Operator::ALL.into_iter().find(|operator| word.eq_ignore_ascii_case(operator.as_str()))
        else {
            self.at = start;
            return Err(self.error("expected one of the operators eq, ne, co, sw, ew, gt, ge, lt, le and pr"));
        };
        self.spaces();
        let value = self.value()?;
        Ok(Filter::Compare { path, operator, value })
    }

    fn path(&mut self) -> Result<String, ScimError> {
        let start = self.at;
        let rest = &self.text[start..];
        let length = rest.find(|c: char| c.is_whitespace() || "()[]\"".contains(c)).unwrap_or(rest.len());
        let path = &rest[..length];
        let well_formed = if path.contains(':') {
            path.bytes().all(|byte| byte.is_ascii_graphic())
        } else {
            path.split('.').all(is_name) && path.split('.').count() <= 2
        };
        if !well_formed {
            return Err(self.error("expected the name of an attribute"));
        }
        self.at += length;
        Ok(path.to_owned())
    }

    fn sub_attribute(&mut self) -> Result<Option<String>, ScimError> {
        if !self.eat(b'.') {
            return Ok(None);
        }
        let path = self.path()?;
        if is_name(&path) { Ok(Some(path)) } else { Err(self.error("expected the name of a sub-attribute")) }
    }

    /// The letters that come next.
    fn word(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Eats the word where it comes next.
    fn keyword(&mut self, keyword: &str) -> bool {
        let start = self.at;
        self.spaces();
        let found = self.word().eq_ignore_ascii_case(keyword)
            && self.peek().is_none_or(|byte| byte == b'(' || byte.is_ascii_whitespace());
        if !found {
            self.at = start;
        }
        found
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn spaces(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn end(&mut self) -> Result<(), ScimError> {
        self.spaces();
        if self.at == self.text.len() { Ok(()) } else { Err(self.error("nothing more was expected")) }
    }

    pub(super) fn error(&self, message: impl std::fmt::Display) -> ScimError {
        ScimError::filter(format!("{message}, at offset {}", self.at))
    }
}
