//! Bounded lines, and the span of input that a record is read from.

use std::io::{self, BufRead};

use crate::{MAX_RECORD, Parsed, Record};

/// A stretch of input that is to become one record.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) line: u64,
    pub(crate) lines: u64,
    pub(crate) end: u64,
    pub(crate) bytes: Vec<u8>,
    /// Its end was seen, not just the input's.
    pub(crate) terminated: bool,
    /// Why it can't be a record.
    pub(crate) broken: Option<&'static str>,
}

impl Span {
    /// Reads the span with `read`, which explains what it can't read.
    pub(crate) fn record(self, read: impl FnOnce(&str, bool) -> Result<Parsed, String>) -> Record {
        let parsed = match (self.broken, std::str::from_utf8(&self.bytes)) {
            (Some(reason), _) => Err(reason.to_owned()),
            (None, Err(error)) => Err(format!("is not UTF-8 from byte {} on", error.valid_up_to())),
            (None, Ok(text)) if text.contains('\0') => Err("contains a NUL byte".to_owned()),
            (None, Ok(text)) => read(text, self.terminated),
        };
        let parsed = parsed.unwrap_or_else(|reason| Parsed::Rejected {
            reason,
            text: String::from_utf8_lossy(&self.bytes).into_owned(),
        });
        Record { line: self.line, lines: self.lines, end: self.end, parsed }
    }
}

/// The lines of a reader that are not blank, none longer than [`MAX_RECORD`] in memory.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    line: u64,
    offset: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, line: 0, offset: 0 }
    }

    /// The next line; `None` at the end of the input.
    fn line(&mut self) -> io::Result<Option<Span>> {
        let mut bytes = Vec::new();
        let mut length = 0;
        let mut terminated = false;
        while !terminated {
            let chunk = match self.reader.fill_buf() {
                Ok([]) => break,
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let newline = memchr::memchr(b'\n', chunk);
            let taken = newline.map_or(chunk.len(), |at| at + 1);
            let content = &chunk[..newline.unwrap_or(taken)];
            bytes.extend_from_slice(&content[..content.len().min(MAX_RECORD.saturating_sub(bytes.len()))]);
            length += content.len();
            terminated = newline.is_some();
            self.offset += taken as u64;
            self.reader.consume(taken);
        }
        if length == 0 && !terminated {
            return Ok(None);
        }
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        self.line += 1;
        let broken = (length > MAX_RECORD).then_some("is longer than 1 MiB");
        Ok(Some(Span { line: self.line, lines: 1, end: self.offset, bytes, terminated, broken }))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Span>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.line() {
                Ok(Some(span)) if span.bytes.iter().all(u8::is_ascii_whitespace) => {}
                Ok(span) => return span.map(Ok),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
