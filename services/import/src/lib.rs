//! Reads logs of other systems as [`Event`]s. Pure: bytes come from a [`BufRead`], time from [`Options`].
//!
//! ```
//! use chancery_import::{Format, Importer, Options, Parsed};
//!
//! let log = "2026-01-31T09:00:00Z host sshd[7]: Invalid user eve from 192.0.2.1 port 4711\n";
//! for record in Importer::new(Format::Sshd, Options::default()).read(log.as_bytes()) {
//!     let record = record?;
//!     assert!(matches!(record.parsed, Parsed::Imported(events) if events.len() == 1));
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Every record (a line, or one JSON record of a page or document) is exactly one of imported, ignored and
//! rejected. Blank lines are no records. Errors of the reader end the iteration, nothing else does.
//!
//! **Same input, same events.** Original ids are kept; where a log has none, the id is a hash of what the
//! line says. What an event says never depends on what comes after its record, on the file's name or on its
//! line number, so a longer version of a file gives the same events again and the log recognises them.
//!
//! **Resuming.** Sessions are paired across lines, so an interrupted import is read again from the start,
//! which is fast, and the caller skips sending while [`Record::end`] is not beyond the acknowledged offset.
//!
//! **Memory** is constant: lines, records and the number of connections watched are bounded.
//!
//! `FORMATS.md` says how to get each format and what becomes of it.

mod cloudevents;
mod cloudtrail;
mod coder;
mod lines;
mod pieces;
mod shape;
mod sshd;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, BufRead};
use std::str::FromStr;

use chancery_domain::{Event, Timestamp};
use jiff::tz::TimeZone;

use crate::lines::Lines;
use crate::pieces::Pieces;
use crate::sshd::Sshd;

pub use crate::sshd::first_time;

/// Longest line or JSON record, in bytes.
pub const MAX_RECORD: usize = 1 << 20;

/// The formats that can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// What `sshd` writes to syslog (`auth.log`) or the journal (`journalctl -o json`).
    Sshd,
    /// Coder's `/api/v2/audit` pages and its JSON log lines.
    CoderAudit,
    /// Coder's `/api/v2/connectionlog` pages.
    CoderConnections,
    /// AWS `CloudTrail` files.
    CloudTrail,
    /// CloudEvents 1.0, one JSON document per event.
    CloudEvents,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] =
        [Self::Sshd, Self::CoderAudit, Self::CoderConnections, Self::CloudTrail, Self::CloudEvents];

    /// Its name on the command line and in `imported.format`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sshd => "sshd",
            Self::CoderAudit => "coder-audit",
            Self::CoderConnections => "coder-connections",
            Self::CloudTrail => "cloudtrail",
            Self::CloudEvents => "cloudevents",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No format has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one of sshd, coder-audit, coder-connections, cloudtrail, cloudevents")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// What the input does not say itself. Only `sshd` lines in the classic syslog form need it.
#[derive(Debug, Clone)]
pub struct Options {
    /// The first line's time without a year means the last such moment up to a day after this one: for a
    /// file what [`first_time`] answers, for a pipe the current time.
    pub reference_time: Timestamp,
    /// Zone of times without an offset.
    pub time_zone: TimeZone,
}

impl Default for Options {
    /// UTC, and no reference: right for every log whose times carry their year.
    fn default() -> Self {
        Self { reference_time: Timestamp::MAX, time_zone: TimeZone::UTC }
    }
}

/// One record of the input and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Line it begins on, from 1.
    pub line: u64,
    /// Lines it spans.
    pub lines: u64,
    /// Offset of the first byte after it.
    pub end: u64,
    /// What became of it.
    pub parsed: Parsed,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// It says something auditable. Never empty; every event is within the bounds of an event.
    Imported(Vec<Event>),
    /// It was understood and carries nothing auditable, for this reason.
    Ignored(&'static str),
    /// It can't be read.
    Rejected {
        /// Why.
        reason: String,
        /// The record, with what is not UTF-8 replaced, at most [`MAX_RECORD`] bytes of it.
        text: String,
    },
}

/// Reads one input.
#[derive(Debug)]
pub struct Importer {
    format: Format,
    options: Options,
}

impl Importer {
    /// An importer for one input.
    pub fn new(format: Format, options: Options) -> Self {
        Self { format, options }
    }

    /// The records of `reader`, in order.
    pub fn read<R: BufRead>(self, reader: R) -> Records<R> {
        let pieces = |reader, containers, read| Inner::Pieces(Pieces::new(reader, containers), read);
        Records(match self.format {
            Format::Sshd => Inner::Lines(Lines::new(reader), Box::new(Sshd::new(self.options))),
            Format::CoderAudit => pieces(reader, &["audit_logs"], coder::audit),
            Format::CoderConnections => pieces(reader, &["connection_logs"], coder::connection),
            Format::CloudTrail => pieces(reader, &["Records"], cloudtrail::record),
            Format::CloudEvents => pieces(reader, &[], cloudevents::event),
        })
    }
}

/// The records of an input.
#[derive(Debug)]
pub struct Records<R>(Inner<R>);

/// How one JSON record is read.
type ReadPiece = fn(&str) -> Result<Parsed, String>;

#[derive(Debug)]
enum Inner<R> {
    Lines(Lines<R>, Box<Sshd>),
    Pieces(Pieces<R>, ReadPiece),
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match &mut self.0 {
            Inner::Lines(lines, sshd) => {
                lines.next()?.map(|span| span.record(|text, terminated| sshd.line(text, terminated)))
            }
            Inner::Pieces(pieces, read) => pieces.next()?.map(|span| span.record(|text, _| read(text))),
        })
    }
}
