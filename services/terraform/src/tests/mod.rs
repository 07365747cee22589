//! Archives that are as they should be, and archives that are made to do harm.

mod archives;
mod contents;
mod hostile;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use crate::{ArchiveError, Files, Limits, Packing, read};

/// A tar archive of entries whose names are taken as they are, which the usual writers refuse.
fn tar(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, content) in entries {
        builder.append(&header(name.as_bytes(), *kind, content.len() as u64), *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn header(name: &[u8], kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_ustar();
    let field = header.as_mut_bytes();
    field[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn files(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<(&str, EntryType, &[u8])> =
        entries.iter().map(|(name, content)| (*name, EntryType::Regular, content.as_bytes())).collect();
    tar(&entries)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unpack(archive: &[u8]) -> Result<Files, ArchiveError> {
    read(archive, Packing::Tar, &Limits::default())
}
