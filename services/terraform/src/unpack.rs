//! Reading an archive that anyone may have made.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use crate::error::ArchiveError;
use crate::files::{File, Files};
use crate::paths;

/// What an archive may be at most.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes when it is unpacked, headers and padding included.
    pub unpacked_bytes: u64,
    /// Files and directories.
    pub entries: usize,
    /// Bytes of a name.
    pub name_bytes: usize,
    /// Parts of a name.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked_bytes: 16 << 20, entries: 2000, name_bytes: 240, depth: 16 }
    }
}

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Plain tar.
    Tar,
    /// Tar, compressed with gzip.
    Gzip,
}

impl Packing {
    const fn name(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::Gzip => "tar compressed with gzip",
        }
    }
}

/// Reads the files of an archive.
pub fn read(archive: &[u8], packing: Packing, limits: &Limits) -> Result<Files, ArchiveError> {
    let mut unpacking =
        Unpacking { packing, limits, files: Files::default(), directories: BTreeSet::new(), exceeded: Rc::default() };
    match packing {
        Packing::Tar => unpacking.all(archive)?,
        Packing::Gzip => unpacking.all(MultiGzDecoder::new(archive))?,
    }
    Ok(unpacking.files)
}

struct Unpacking<'a> {
    packing: Packing,
    limits: &'a Limits,
    files: Files,
    directories: BTreeSet<String>,
    /// More came than there may be. Readers on the way wrap the error that says so.
    exceeded: Rc<Cell<bool>>,
}

impl Unpacking<'_> {
    fn all(&mut self, stream: impl Read) -> Result<(), ArchiveError> {
        let exceeded = self.exceeded.clone();
        let mut archive = Archive::new(Bounded { stream, left: self.limits.unpacked_bytes, exceeded });
        let entries = archive.entries().map_err(|error| self.unreadable(&error))?;
        for (index, entry) in entries.enumerate() {
            if index >= self.limits.entries {
                return Err(ArchiveError::TooMany(self.limits.entries));
            }
            let entry = entry.map_err(|error| self.unreadable(&error))?;
            self.one(entry)?;
        }
        self.nothing_more(archive.into_inner())
    }

    fn one<R: Read>(&mut self, mut entry: Entry<'_, R>) -> Result<(), ArchiveError> {
        let raw = entry.path_bytes().into_owned();
        let kind = entry.header().entry_type();
        let is_directory = match kind {
            EntryType::Regular => false,
            EntryType::Directory => true,
            // A remark about all that follows, as `git archive` makes it.
            EntryType::XGlobalHeader => return Ok(()),
            kind => {
                let name = paths::plain(&raw, false, self.limits)?;
                return Err(ArchiveError::Kind { name, kind: kind_name(kind) });
            }
        };
        let name = paths::plain(&raw, is_directory, self.limits)?;
        if let Some(reason) = paths::unwanted(&name) {
            return Err(ArchiveError::Unwanted { name, reason });
        }
        let taken = |name: String, reason| Err(ArchiveError::Unwanted { name, reason });
        let parents = name.char_indices().filter(|(_, character)| *character == '/').map(|(at, _)| &name[..at]);
        for parent in parents {
            if self.files.contains(parent) {
                return taken(parent.to_owned(), "is a file and a directory");
            }
            self.directories.insert(parent.to_owned());
        }
        if is_directory {
            if self.files.contains(&name) {
                return taken(name, "is a file and a directory");
            }
            self.directories.insert(name);
            return Ok(());
        }
        if self.directories.contains(&name) {
            return taken(name, "is a file and a directory");
        }
        let size = entry.size();
        if size > self.limits.unpacked_bytes {
            return Err(ArchiveError::TooLarge(self.limits.unpacked_bytes));
        }
        let executable = entry.header().mode().unwrap_or_default() & 0o100 != 0;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|error| self.unreadable(&error))?;
        if content.len() as u64 != size {
            return Err(self.unreadable(&io::Error::other("it ends in the middle of a file")));
        }
        if !self.files.insert(name.clone(), File { content, executable }) {
            return taken(name, "is in it twice");
        }
        Ok(())
    }

    /// After the end of an archive there is only padding.
    fn nothing_more(&self, mut rest: impl Read) -> Result<(), ArchiveError> {
        let mut buffer = [0; 8192];
        loop {
            match rest.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) if buffer.iter().take(length).all(|byte| *byte == 0) => {}
                Ok(_) => return Err(self.unreadable(&io::Error::other("there is something after its end"))),
                Err(error) => return Err(self.unreadable(&error)),
            }
        }
    }

    fn unreadable(&self, error: &io::Error) -> ArchiveError {
        if self.exceeded.get() {
            return ArchiveError::TooLarge(self.limits.unpacked_bytes);
        }
        ArchiveError::Unreadable { kind: self.packing.name(), reason: error.to_string() }
    }
}

fn kind_name(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a named pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "of a kind that is not known",
    }
}

/// Gives so many bytes and fails beyond, before it has used memory for more.
struct Bounded<R> {
    stream: R,
    left: u64,
    exceeded: Rc<Cell<bool>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(buffer)?;
        match self.left.checked_sub(length as u64) {
            Some(left) => {
                self.left = left;
                Ok(length)
            }
            None => {
                self.exceeded.set(true);
                Err(io::Error::other("it is too large"))
            }
        }
    }
}
