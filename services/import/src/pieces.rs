//! Finds the JSON records in a stream without holding a document in memory.
//!
//! A record is an element of a top-level array, an element of the array under one of the container keys of a
//! top-level object (`{"Records": [..]}`), or any other top-level object. Documents may be pretty-printed,
//! follow each other, or stand one per line. What is inside a record is left to its reader; here only
//! strings and brackets are followed.
//!
//! Damage is kept local: a record that breaks the structure of its document (a line feed inside a string, an
//! object that begins at the start of a line where none may be, a wrong bracket) is rejected alone, and
//! reading goes on at the next line as if a new document began there.

use std::io::{self, BufRead};

use crate::MAX_RECORD;
use crate::lines::Span;

/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 128;
/// Longest container key, with its quotes.
const MAX_KEY: usize = 32;

/// The records of a reader.
#[derive(Debug)]
pub(crate) struct Pieces<R> {
    reader: R,
    containers: &'static [&'static str],
    place: Place,
    line: u64,
    offset: u64,
    line_start: bool,
}

/// Where in a document the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside of any document.
    Top,
    /// Between the elements of a list of records.
    List { in_object: bool },
    /// Behind the list, inside the object it belongs to.
    Rest,
}

/// How following a value ended.
enum End {
    Complete,
    /// The object is a container; the reader stands behind the `[` of its list.
    Container,
    Broken(&'static str),
    Input,
}

/// A value that is being followed.
#[derive(Default)]
struct Follow {
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
    /// The last byte that is not white space.
    last: u8,
    /// The last string of the outermost object, and whether it is followed by `:`.
    key: Vec<u8>,
}

impl<R: BufRead> Pieces<R> {
    pub(crate) fn new(reader: R, containers: &'static [&'static str]) -> Self {
        Self { reader, containers, place: Place::Top, line: 1, offset: 0, line_start: true }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.reader.fill_buf() {
                Ok(chunk) => return Ok(chunk.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn consume(&mut self, byte: u8) {
        self.reader.consume(1);
        self.offset += 1;
        self.line_start = byte == b'\n';
        self.line += u64::from(self.line_start);
    }

    /// The next record, `None` at the end of the input.
    fn piece(&mut self) -> io::Result<Option<Span>> {
        loop {
            let Some(byte) = self.peek()? else {
                return Ok(match std::mem::replace(&mut self.place, Place::Top) {
                    Place::Top => None,
                    Place::List { .. } | Place::Rest => {
                        Some(self.span(self.line, Vec::new(), Some("the input ends inside a document")))
                    }
                });
            };
            match (self.place, byte) {
                (_, b' ' | b'\t' | b'\r' | b'\n') | (Place::Top, 0x1e) | (Place::List { .. }, b',') => {
                    self.consume(byte);
                }
                (Place::List { in_object }, b']') => {
                    self.consume(byte);
                    self.place = if in_object { Place::Rest } else { Place::Top };
                }
                (Place::Top, b'[') => {
                    self.consume(byte);
                    self.place = Place::List { in_object: false };
                }
                (Place::Rest, _) => {
                    if let Some(span) = self.rest()? {
                        return Ok(Some(span));
                    }
                }
                (_, b'{') => {
                    if let Some(span) = self.object()? {
                        return Ok(Some(span));
                    }
                }
                (Place::List { .. }, _) => return self.scalar().map(Some),
                (Place::Top, _) => {
                    let line = self.line;
                    let mut bytes = Vec::new();
                    self.skip_line(&mut bytes)?;
                    return Ok(Some(self.span(line, bytes, Some("is not a JSON object"))));
                }
            }
        }
    }

    /// An object: a record, or a container whose list is entered.
    fn object(&mut self) -> io::Result<Option<Span>> {
        let line = self.line;
        let mut bytes = Vec::new();
        let mut follow = Follow::default();
        let end = self.follow(&mut follow, &mut bytes)?;
        Ok(match end {
            End::Container => {
                self.place = Place::List { in_object: true };
                None
            }
            End::Complete => {
                let broken = (bytes.len() > MAX_RECORD).then_some("is longer than 1 MiB");
                bytes.truncate(MAX_RECORD);
                Some(self.span(line, bytes, broken))
            }
            End::Input => {
                self.place = Place::Top;
                Some(self.span(line, bytes, Some("is cut off by the end of the input")))
            }
            End::Broken(reason) => {
                self.place = Place::Top;
                self.skip_line(&mut bytes)?;
                Some(self.span(line, bytes, Some(reason)))
            }
        })
    }

    /// The members behind a container's list, which say nothing.
    fn rest(&mut self) -> io::Result<Option<Span>> {
        let line = self.line;
        let mut bytes = vec![b']'];
        let mut follow = Follow { open: vec![b'{'], last: b']', ..Follow::default() };
        let end = self.follow(&mut follow, &mut bytes)?;
        self.place = Place::Top;
        let reason = match end {
            End::Complete => return Ok(None),
            End::Container => {
                self.place = Place::List { in_object: true };
                return Ok(None);
            }
            End::Input => "is cut off by the end of the input",
            End::Broken(reason) => {
                self.skip_line(&mut bytes)?;
                reason
            }
        };
        Ok(Some(self.span(line, bytes, Some(reason))))
    }

    /// Something in a list that is no object.
    fn scalar(&mut self) -> io::Result<Span> {
        let line = self.line;
        let mut bytes = Vec::new();
        while let Some(byte) = self.peek()? {
            if matches!(byte, b',' | b']' | b'\n') {
                break;
            }
            self.consume(byte);
            keep(&mut bytes, byte);
        }
        Ok(self.span(line, bytes, Some("is not a JSON object")))
    }

    /// Consumes a value up to its end. `bytes` gets one byte more than [`MAX_RECORD`] when it is too long.
    fn follow(&mut self, follow: &mut Follow, bytes: &mut Vec<u8>) -> io::Result<End> {
        loop {
            let Some(byte) = self.peek()? else { return Ok(End::Input) };
            if byte == b'\n' && follow.in_string {
                return Ok(End::Broken("a line ends inside a string"));
            }
            if self.line_start && follow.refuses_document(byte) {
                return Ok(End::Broken("a new document begins inside of it"));
            }
            if let Some(reason) = follow.refuses(byte) {
                return Ok(End::Broken(reason));
            }
            self.consume(byte);
            keep(bytes, byte);
            if follow.accept(byte, self.containers) {
                return Ok(if byte == b'[' { End::Container } else { End::Complete });
            }
        }
    }

    /// Consumes the rest of the line, so that what is broken stays in it. At the start of a line: nothing.
    fn skip_line(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        while !self.line_start || bytes.is_empty() {
            let Some(byte) = self.peek()? else { break };
            self.consume(byte);
            if byte == b'\n' {
                break;
            }
            keep(bytes, byte);
        }
        Ok(())
    }

    fn span(&self, line: u64, bytes: Vec<u8>, broken: Option<&'static str>) -> Span {
        let lines = (self.line - line + u64::from(!self.line_start)).max(1);
        Span { line, lines, end: self.offset, bytes, terminated: true, broken }
    }
}

impl Follow {
    /// Whether an object that begins a line can't belong here: pretty-printers indent or put it in a list.
    fn refuses_document(&self, byte: u8) -> bool {
        let in_list = self.open.last() == Some(&b'[') && matches!(self.last, b',' | b'[');
        byte == b'{' && !self.in_string && !self.open.is_empty() && !in_list
    }

    fn refuses(&self, byte: u8) -> Option<&'static str> {
        if self.in_string {
            return None;
        }
        match (byte, self.open.last()) {
            (b'}', Some(b'{')) | (b']', Some(b'[')) => None,
            (b'}' | b']', _) => Some("has a bracket without its counterpart"),
            (b'{' | b'[', _) if self.open.len() >= MAX_DEPTH => Some("is nested deeper than 128 levels"),
            _ => None,
        }
    }

    /// Takes in a byte; answers whether the value, or the way to its container's list, is complete.
    fn accept(&mut self, byte: u8, containers: &[&str]) -> bool {
        if self.in_string {
            if self.open.len() == 1 && self.key.len() < MAX_KEY {
                self.key.push(byte);
            }
            let ends = byte == b'"' && !self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            self.in_string = !ends;
            if ends {
                self.last = byte;
            }
            return false;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if self.open.len() == 1 {
                    self.key.clear();
                }
            }
            b'[' if self.open == [b'{'] && self.last == b':' && self.at_container(containers) => return true,
            b'{' | b'[' => self.open.push(byte),
            b'}' | b']' => {
                self.open.pop();
                if self.open.is_empty() {
                    return true;
                }
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.last = byte;
        }
        false
    }

    fn at_container(&self, containers: &[&str]) -> bool {
        let key = self.key.strip_suffix(b"\"").unwrap_or_default();
        containers.iter().any(|container| container.as_bytes() == key)
    }
}

/// Keeps up to one byte more than a record may have.
fn keep(bytes: &mut Vec<u8>, byte: u8) {
    if bytes.len() <= MAX_RECORD {
        bytes.push(byte);
    }
}

impl<R: BufRead> Iterator for Pieces<R> {
    type Item = io::Result<Span>;

    fn next(&mut self) -> Option<Self::Item> {
        self.piece().transpose()
    }
}
