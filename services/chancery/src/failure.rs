//! How commands fail: one type, six exit codes.

use std::process::ExitCode;

/// Why a command failed, and with which exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    pub(crate) message: String,
}

impl Failure {
    /// 1: the operation failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// 2: it was called wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// 3: not authorised.
    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    /// 4: not found.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { code: 4, message: message.into() }
    }

    /// 5: the server cannot be reached or cannot do it now.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self { code: 5, message: message.into() }
    }

    /// Whether the credentials are to blame.
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.code == 3
    }

    /// Whether it may work later.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.code == 5
    }

    /// Says it on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("chancery: {}", self.message);
        ExitCode::from(self.code)
    }
}

/// Adds what was being done to an error.
pub(crate) trait Doing<T> {
    /// Turns an error into a [`Failure`] that says what was being done.
    fn doing(self, what: &str) -> Result<T, Failure>;
}

impl<T, E: std::error::Error> Doing<T> for Result<T, E> {
    fn doing(self, what: &str) -> Result<T, Failure> {
        self.map_err(|error| {
            let mut message = format!("{what}: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                message.push_str(": ");
                message.push_str(&cause.to_string());
                source = cause.source();
            }
            Failure::failed(message)
        })
    }
}
