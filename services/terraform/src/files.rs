//! The files of a template, and their one archive.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::error::ArchiveError;

/// A file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// Its bytes.
    pub content: Vec<u8>,
    /// Whether it may be run.
    pub executable: bool,
}

/// Files by their paths, which are relative and have `/` between their parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    files: BTreeMap<String, File>,
}

impl Files {
    /// Adds a file; whether there was none of this path.
    pub fn insert(&mut self, path: String, file: File) -> bool {
        self.files.insert(path, file).is_none()
    }

    /// Whether there is a file of this path.
    pub fn contains(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// The file of this path.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Paths and files in the order of the paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// Their one archive: plain tar, in the order of the paths, with neither times nor owners.
    pub fn pack(&self) -> Result<Vec<u8>, ArchiveError> {
        let unpackable = |error: std::io::Error| ArchiveError::Unreadable { kind: "tar", reason: error.to_string() };
        let mut archive = Builder::new(Vec::new());
        for (path, file) in &self.files {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_mode(if file.executable { 0o755 } else { 0o644 });
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(file.content.len() as u64);
            archive.append_data(&mut header, path, file.content.as_slice()).map_err(unpackable)?;
        }
        archive.into_inner().map_err(unpackable)
    }
}

/// The digest that an archive is known by: lower-case hex SHA-256.
pub fn digest(archive: &[u8]) -> String {
    Sha256::digest(archive).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _written = write!(text, "{byte:02x}");
        text
    })
}
