//! The journal of a job, and how it gets to the server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{Chain, Level, Lines, LogChunk, LogLine, Masker, Stage};
use crate::server::{Server, ServerError};

/// Lines sent at once.
const CHUNK_LINES: usize = 100;
/// Bytes sent at once.
const CHUNK_BYTES: usize = 64 << 10;
/// What a line counts besides its text: empty ones take room, too.
const LINE: usize = 16;
/// How long lines wait for others.
const DEBOUNCE: Duration = Duration::from_millis(250);

/// A job's log while it is written.
#[derive(Debug, Clone)]
pub(crate) struct Journal(Arc<Mutex<Writer>>);

/// Lines on their way to the server. What the journal takes is bounded, and so is what waits here.
#[derive(Debug)]
pub(crate) struct Sender(UnboundedReceiver<(LogLine, Chain)>);

#[derive(Debug)]
struct Writer {
    lines: Lines<(Stage, Level)>,
    chain: Chain,
    sequence: u64,
    bytes_left: usize,
    said_full: bool,
    out: Option<UnboundedSender<(LogLine, Chain)>>,
}

impl Journal {
    /// An empty log that takes so many bytes.
    pub(crate) fn new(masker: Masker, most_bytes: usize) -> (Self, Sender) {
        let (out, sent) = mpsc::unbounded_channel();
        let writer = Writer {
            lines: Lines::new(masker),
            chain: Chain::default(),
            sequence: 0,
            bytes_left: most_bytes,
            said_full: false,
            out: Some(out),
        };
        (Self(Arc::new(Mutex::new(writer))), Sender(sent))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Writer) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// These values are secret from now on.
    pub(crate) fn learn<'a>(&self, secrets: impl IntoIterator<Item = &'a str>) {
        self.with(|writer| writer.lines.learn(secrets));
    }

    /// The text without secrets.
    pub(crate) fn mask(&self, text: &str) -> String {
        self.with(|writer| writer.lines.mask(text))
    }

    /// Writes one line, or several.
    pub(crate) fn write(&self, stage: Stage, level: Level, text: &str) {
        self.with(|writer| {
            for line in text.split('\n') {
                let ready = writer.lines.push((stage, level), line.trim_end_matches('\r'));
                writer.record(ready);
            }
        });
    }

    /// Writes what was held back: the command that spoke has ended.
    pub(crate) fn release(&self) {
        self.with(|writer| {
            let ready = writer.lines.release();
            writer.record(ready);
        });
    }

    /// Ends the log and gives its number of lines and the last hash of its chain.
    pub(crate) fn close(&self) -> (u64, String) {
        self.release();
        self.with(|writer| {
            writer.out = None;
            (writer.sequence, writer.chain.digest())
        })
    }
}

impl Writer {
    fn record(&mut self, ready: Vec<((Stage, Level), String)>) {
        for ((stage, level), text) in ready {
            match self.bytes_left.checked_sub(text.len() + LINE) {
                // The end is always told.
                _ if stage == Stage::Finish => self.append(stage, level, text),
                Some(left) if !self.said_full => {
                    self.bytes_left = left;
                    self.append(stage, level, text);
                }
                _ if !self.said_full => {
                    self.said_full = true;
                    let notice = "the log is full: what follows is not kept".to_owned();
                    self.append(stage, Level::Warn, notice);
                }
                _ => {}
            }
        }
    }

    fn append(&mut self, stage: Stage, level: Level, text: String) {
        self.sequence += 1;
        // As precise as the chain, and as what others keep.
        let at = Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap_or_default();
        let line = LogLine { sequence: self.sequence, at, stage, level, text };
        self.chain.push(&line);
        if let Some(out) = &self.out {
            out.send((line, self.chain)).ok();
        }
    }
}

/// Sends a log to the server until it is closed. What the server does not take is lost, and said so on this machine:
/// the digest of the last report still covers it.
pub(crate) async fn ship<S: Server>(server: &S, job: &str, mut sender: Sender) {
    let mut waiting: Option<(LogLine, Chain)> = None;
    loop {
        let Some(first) = (match waiting.take() {
            Some(line) => Some(line),
            None => sender.0.recv().await,
        }) else {
            return;
        };
        let mut bytes = first.0.text.len();
        let (mut lines, mut chain) = (vec![first.0], first.1);
        let until = tokio::time::Instant::now() + DEBOUNCE;
        while lines.len() < CHUNK_LINES && bytes < CHUNK_BYTES {
            match tokio::time::timeout_at(until, sender.0.recv()).await {
                Ok(Some(line)) if bytes + line.0.text.len() > CHUNK_BYTES => {
                    waiting = Some(line);
                    break;
                }
                Ok(Some((line, after))) => {
                    bytes += line.text.len();
                    lines.push(line);
                    chain = after;
                }
                Ok(None) | Err(_) => break,
            }
        }
        let chunk = LogChunk { lines, hash: chain.digest() };
        match server.log(job, &chunk).await {
            Ok(()) => {}
            Err(error @ ServerError::Unreachable(_)) => {
                tracing::warn!(job, %error, lines = chunk.lines.len(), "the server did not take lines of a log");
            }
            Err(error) => {
                tracing::warn!(job, %error, "the server does not take the log of a job");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(mut sender: Sender) -> Vec<(LogLine, Chain)> {
        let mut lines = Vec::new();
        while let Ok(line) = sender.0.try_recv() {
            lines.push(line);
        }
        lines
    }

    #[test]
    fn a_full_log_says_so_once_and_still_tells_the_end() {
        let (journal, sender) = Journal::new(Masker::default(), 50);
        for _ in 0..5 {
            journal.write(Stage::Apply, Level::Info, "12345678");
        }
        journal.write(Stage::Finish, Level::Error, "it failed");
        let (count, digest) = journal.close();
        let lines = drain(sender);
        let texts: Vec<&str> = lines.iter().map(|(line, _)| line.text.as_str()).collect();
        assert_eq!(texts, ["12345678", "12345678", "the log is full: what follows is not kept", "it failed"]);
        assert_eq!((count, digest), (4, lines[3].1.digest()));
    }

    #[test]
    fn lines_are_numbered_and_each_hash_covers_all_before() {
        let (journal, sender) = Journal::new(Masker::default(), 1_000);
        journal.write(Stage::Plan, Level::Info, "one\ntwo");
        journal.close();
        journal.write(Stage::Plan, Level::Info, "too late");
        let lines = drain(sender);
        let mut chain = Chain::default();
        for (at, (line, hash)) in (1..).zip(&lines) {
            assert_eq!(line.sequence, at);
            chain.push(line);
            assert_eq!(*hash, chain);
        }
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn what_is_learned_is_hidden_from_then_on() {
        let (journal, sender) = Journal::new(Masker::default(), 1_000);
        journal.learn(["hunter22"]);
        journal.write(Stage::Apply, Level::Info, "the password is hunter22");
        journal.close();
        assert_eq!(drain(sender)[0].0.text, "the password is ***");
    }
}
