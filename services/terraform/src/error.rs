//! What can be wrong with an archive.

use std::fmt;

/// Why an archive cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It is no archive of the kind it says, or ends in the middle.
    #[error("it cannot be read as {kind}: {reason}")]
    Unreadable {
        /// What it should be.
        kind: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// It is larger than it may be once it is unpacked.
    #[error("it unpacks to more than {0} bytes")]
    TooLarge(u64),
    /// It has more entries than it may have.
    #[error("it has more than {0} files and directories")]
    TooMany(usize),
    /// The name of an entry cannot be accepted.
    #[error("the name `{name}` {reason}")]
    Name {
        /// The name, made printable.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An entry is neither a file nor a directory.
    #[error("`{name}` is {kind}; only files and directories can be in a template")]
    Kind {
        /// Its name.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// Something is in it that must not be.
    #[error("`{name}` {reason}")]
    Unwanted {
        /// Its name.
        name: String,
        /// Why.
        reason: &'static str,
    },
}

/// Something that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Path of the file; empty for the archive as a whole.
    pub file: String,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl Mistake {
    pub(crate) fn new(file: &str, reason: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, column: None, reason: reason.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            f.write_str(&self.file)?;
            for place in [self.line, self.column].into_iter().flatten() {
                write!(f, ":{place}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.reason)
    }
}
