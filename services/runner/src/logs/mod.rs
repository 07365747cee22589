//! The log of a job: in order, bounded, without its secrets, and chained so that what was sent can be proven.

mod journal;
mod lines;
mod masker;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(crate) use journal::{Journal, ship};
pub(crate) use lines::{Lines, Splitter};
pub use masker::Masker;

/// What a log's line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Template and providers are fetched.
    Prepare,
    /// It is found out what there is to do.
    Plan,
    /// It is done.
    Apply,
    /// The end.
    Finish,
}

impl Stage {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Finish => "finish",
        }
    }
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Said in passing.
    Info,
    /// Worth a look.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A line of a job's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Counts the lines of the job, from 1.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// What it belongs to.
    pub stage: Stage,
    /// How much it matters.
    pub level: Level,
    /// What was said, without secrets.
    pub text: String,
}

/// Lines of a job's log that follow those sent before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// The lines.
    pub lines: Vec<LogLine>,
    /// The chain's hash after the last of them, in lower-case hex.
    pub hash: String,
}

/// The hash chain of a job's log: each hash is that of the hash before (32 zero bytes at first) and
/// `sequence LF microseconds LF stage LF level LF text`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chain([u8; 32]);

impl Chain {
    /// Takes in the next line.
    pub fn push(&mut self, line: &LogLine) {
        let mut hash = Sha256::new_with_prefix(self.0);
        let at = line.at.as_microsecond();
        hash.update(format!("{}\n{at}\n{}\n{}\n", line.sequence, line.stage.as_str(), line.level.as_str()));
        hash.update(&line.text);
        self.0 = hash.finalize().into();
    }

    /// The last hash, in lower-case hex.
    pub fn digest(&self) -> String {
        use std::fmt::Write;
        self.0.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").ok();
            hex
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_the_documented_one_and_depends_on_every_part() {
        let at = Timestamp::from_microsecond(1_795_632_503_285_290).unwrap();
        let line = LogLine { sequence: 1, at, stage: Stage::Plan, level: Level::Info, text: "one".to_owned() };
        let digest = |line: &LogLine| {
            let mut chain = Chain::default();
            chain.push(line);
            chain.digest()
        };
        let mut bytes = vec![0_u8; 32];
        bytes.extend_from_slice(b"1\n1795632503285290\nplan\ninfo\none");
        assert_eq!(digest(&line), format!("{:x}", Sha256::digest(&bytes)));
        for other in [
            LogLine { sequence: 2, ..line.clone() },
            LogLine { stage: Stage::Apply, ..line.clone() },
            LogLine { level: Level::Warn, ..line.clone() },
            LogLine { text: "two".to_owned(), ..line.clone() },
            LogLine { at: Timestamp::UNIX_EPOCH, ..line.clone() },
        ] {
            assert_ne!(digest(&other), digest(&line));
        }
    }
}
