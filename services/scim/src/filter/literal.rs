//! The values of comparisons.

use serde_json::{Number, Value};

use super::parse::Parser;
use crate::error::ScimError;

impl Parser<'_> {
    pub(super) fn value(&mut self) -> Result<Value, ScimError> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'\'') if self.syntax.unquoted_values => self.single_quoted(),
            _ => self.bare(),
        }
    }

    fn quoted(&mut self) -> Result<Value, ScimError> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        let mut escaped = false;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    end += 2;
                }
                Some(_) => end += 1,
                None => return Err(self.error("a closing quotation mark is missing")),
            }
        }
        let literal = &self.text[self.at..=end];
        let inner = &literal[1..literal.len() - 1];
        let text = if escaped || inner.bytes().any(|byte| byte < b' ') {
            serde_json::from_str(literal).map_err(|_| self.error("this text is no JSON string"))?
        } else {
            inner.to_owned()
        };
        self.at = end + 1;
        Ok(Value::String(text))
    }

    fn single_quoted(&mut self) -> Result<Value, ScimError> {
        let rest = &self.text[self.at + 1..];
        let end = rest.find('\'').ok_or_else(|| self.error("a closing quotation mark is missing"))?;
        self.at += end + 2;
        Ok(Value::String(rest[..end].to_owned()))
    }

    fn bare(&mut self) -> Result<Value, ScimError> {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| c.is_whitespace() || "()[]\"".contains(c)).unwrap_or(rest.len());
        let word = &rest[..length];
        let loose = self.syntax.unquoted_values;
        let is = |literal: &str| word == literal || loose && word.eq_ignore_ascii_case(literal);
        let value = if is("true") {
            Value::Bool(true)
        } else if is("false") {
            Value::Bool(false)
        } else if is("null") {
            Value::Null
        } else if let Some(number) = number(word) {
            Value::Number(number)
        } else if loose && !word.is_empty() {
            Value::String(word.to_owned())
        } else {
            return Err(self.error("expected a quoted text, a number, true, false or null"));
        };
        self.at += length;
        Ok(value)
    }
}

/// A JSON number. Its digits are read to the nearest number there is, so that what is printed is read as the same.
fn number(word: &str) -> Option<Number> {
    let number: Number = serde_json::from_str(word).ok()?;
    if number.is_f64() { Number::from_f64(word.parse().ok()?) } else { Some(number) }
}
