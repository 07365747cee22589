//! Why policies are refused, and where.

use std::fmt;

use miette::Diagnostic;
use serde::Serialize;

/// Policies or roles that are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A text is not Cedar, or does not fit the schema.
    #[error("policy `{id}` version {version} is not valid: {}", List(findings))]
    Invalid {
        /// Its id.
        id: String,
        /// Its version.
        version: u64,
        /// What is wrong, in the order of the text; never empty.
        findings: Vec<Finding>,
    },
    /// An id that is empty, too long or has other characters than letters, digits, `.`, `_` and `-`.
    #[error("`{0}` is no id for a policy: use 1 to 128 letters, digits, `.`, `_` and `-`")]
    Id(String),
    /// Two policies of one id.
    #[error("there are two policies with the id `{0}`")]
    Duplicate(String),
    /// A text beyond the limit.
    #[error("policy `{id}` has {bytes} bytes; at most {limit} are allowed")]
    TooLong {
        /// Its id.
        id: String,
        /// Size of its text.
        bytes: usize,
        /// Most bytes that are allowed.
        limit: usize,
    },
    /// More policies, rules or roles than the limit.
    #[error("there are {number} {what}; at most {limit} are allowed")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        number: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A role name that is empty, too long or has other characters than lower-case letters, digits and `-`.
    #[error("`{0}` is no name for a role: use 1 to 64 lower-case letters, digits and `-`")]
    RoleName(String),
    /// A custom role that has the name of a built-in one or of another custom one.
    #[error("there is already a role `{0}`")]
    RoleTaken(String),
    /// The schema or the built-in policies of this version do not work.
    #[error("the built-in policies do not work: {0}")]
    BuiltIn(String),
}

/// One thing that is wrong or strange in a policy's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Line from 1; absent if it concerns the whole text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Finding {
    /// Something about a whole text.
    pub(crate) fn of_text(message: impl Into<String>) -> Self {
        Self { line: None, column: None, message: message.into(), help: None }
    }

    /// Something at a byte offset of `text`.
    pub(crate) fn at(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = position(text, offset);
        Self { line: Some(line), column: Some(column), ..Self::of_text(message) }
    }

    /// What Cedar says about `text`.
    pub(crate) fn of_diagnostic(text: &str, diagnostic: &dyn Diagnostic) -> Self {
        let label = diagnostic.labels().and_then(|mut labels| labels.next());
        let (line, column) = label.as_ref().map(|label| position(text, label.offset())).unzip();
        // Cedar puts the better half of some messages beside the text: "unexpected token `x`" does not say what was expected.
        let detail = label.as_ref().and_then(|label| label.label()).map(|detail| format!(": {detail}"));
        let message = format!("{diagnostic}{}", detail.unwrap_or_default());
        // The rule's number says less than the place does.
        let message = match message.strip_prefix("for policy `policy").and_then(|rest| rest.split_once("`, ")) {
            Some((_, message)) => message.to_owned(),
            None => message,
        };
        Self { line, column, message, help: diagnostic.help().map(|help| help.to_string()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Line and column, both from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// Findings as one text.
struct List<'a>(&'a [Finding]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            write!(f, "{}{finding}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}
