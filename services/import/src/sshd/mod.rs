//! Lines of OpenSSH's server.
//!
//! [`header`] finds time, host, program and pid; [`message`] knows what `sshd` says; [`tracker`] remembers
//! what belongs together; [`facts`] makes the events.

mod endings;
mod facts;
mod header;
mod message;
mod occurrences;
mod peer;
mod story;
#[cfg(test)]
mod tests;
mod tracker;
mod transfers;
mod years;

use chancery_domain::Event;

use crate::{Format, Options, Parsed, shape};
use facts::Entry;
use header::{Header, Source};
use message::Message;
use occurrences::Occurrences;
use story::Story;
use transfers::Transfers;
use years::Years;

pub use years::first_time;

/// The most repetitions one line may stand for.
const MAX_REPEATS: usize = 10_000;

/// Reads lines in their order.
#[derive(Debug)]
pub(crate) struct Sshd {
    years: Years,
    occurrences: Occurrences,
    story: Story,
    transfers: Transfers,
    /// The last line's program, pid and message, for `last message repeated N times`.
    last: Option<(String, u32, String)>,
}

impl Sshd {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            years: Years::new(options),
            occurrences: Occurrences::default(),
            story: Story::default(),
            transfers: Transfers::default(),
            last: None,
        }
    }

    /// Reads one line; `terminated` tells that it is complete.
    pub(crate) fn line(&mut self, line: &str, terminated: bool) -> Result<Parsed, String> {
        let Some(header) = header::parse(line, &mut self.years)? else {
            return Ok(Parsed::Ignored("a journal entry without a text"));
        };
        let (repeats, header) = self.unfold(header);
        let source = Source::of(&header.program);
        let known = source == Source::Sftp || message::parse(&header.message) != Message::Other;
        match source {
            Source::Other => Ok(Parsed::Ignored("not a line of sshd")),
            Source::Unnamed if !known => Ok(Parsed::Ignored("not a line of sshd")),
            _ if !known && !terminated => Err("is cut off: the last line has no end".to_owned()),
            _ => self.told(repeats, &header, source),
        }
    }

    /// Undoes what syslog daemons do to repeated messages.
    fn unfold(&mut self, mut header: Header) -> (usize, Header) {
        if let Some((repeats, message)) = repeated_message(&header.message) {
            let message = message.to_owned();
            header.message = message;
            return (repeats, header);
        }
        if let Some(repeats) = last_repeated(&header) {
            if let Some((program, pid, message)) = self.last.clone() {
                header.program = program;
                header.pid = pid;
                header.message = message;
            }
            return (repeats, header);
        }
        self.last = Some((header.program.clone(), header.pid, header.message.clone()));
        (1, header)
    }

    /// What a message says, as often as it was written.
    fn told(&mut self, repeats: usize, header: &Header, source: Source) -> Result<Parsed, String> {
        if repeats > MAX_REPEATS {
            return Err(format!("stands for more than {MAX_REPEATS} messages"));
        }
        let mut imported = Vec::new();
        let mut ignored = "a message repeated no time";
        for _ in 0..repeats {
            let entry = Entry::new(header, self.occurrences.count(header));
            let told = match source {
                Source::Sftp => self.transfers.tell(&entry),
                _ => self.story.tell(&entry),
            };
            match told {
                Told::Events(events) => imported.extend(events),
                Told::Nothing(reason) => ignored = reason,
            }
        }
        if imported.is_empty() {
            return Ok(Parsed::Ignored(ignored));
        }
        let size = header.message.len();
        let finished = imported.into_iter().map(|event| shape::finish(event, Format::Sshd, size, |_, _| false));
        finished.collect::<Result<Vec<_>, _>>().map(Parsed::Imported)
    }
}

/// What a line tells.
#[derive(Debug)]
enum Told {
    Events(Vec<Event>),
    /// Nothing auditable, for this reason.
    Nothing(&'static str),
}

/// rsyslog's `message repeated 3 times: [ Failed password … ]`.
fn repeated_message(message: &str) -> Option<(usize, &str)> {
    let (count, rest) = message.strip_prefix("message repeated ")?.split_once(" times: [ ")?;
    Some((count.parse().ok()?, rest.strip_suffix(']').unwrap_or(rest).trim_end()))
}

/// The classic daemon's `last message repeated 3 times`, which carries no program of its own.
fn last_repeated(header: &Header) -> Option<usize> {
    let rest = header.message.strip_prefix("last message repeated ")?;
    (header.pid == 0).then(|| rest.strip_suffix(" times").or_else(|| rest.strip_suffix(" time"))?.parse().ok())?
}
