//! Unpacking an archive of which nothing is believed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

/// What an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Files and directories.
    pub entries: usize,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Directories inside one another.
    pub depth: usize,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { entries: 2_000, file_bytes: 8 << 20, total_bytes: 32 << 20, depth: 16 }
    }
}

/// Why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It has something in it that a template needs not have.
    #[error("the archive is refused: `{path}` {reason}")]
    Refused {
        /// Where.
        path: String,
        /// What it is.
        reason: &'static str,
    },
    /// It holds too much.
    #[error("the archive is refused: {0}")]
    TooMuch(&'static str),
    /// It is not one, or the disk does not take it.
    #[error("the archive cannot be unpacked: {0}")]
    Unreadable(#[from] io::Error),
}

/// Unpacks a tar archive, compressed with gzip or not, into an empty directory. Only directories and plain files are
/// taken; what a failure leaves behind is the caller's to remove.
///
/// # Errors
/// When it holds links, devices, paths that lead elsewhere, the same path twice, or more than the limits allow.
pub fn unpack(bytes: &[u8], directory: &Path, limits: &ArchiveLimits) -> Result<(), ArchiveError> {
    // Headers and padding come on top of the files; nothing else may.
    let overhead = u64::try_from(limits.entries).unwrap_or(u64::MAX).saturating_mul(4 * 512);
    let most = limits.total_bytes.saturating_add(overhead);
    if bytes.starts_with(&[0x1f, 0x8b]) {
        unpack_tar(GzDecoder::new(bytes).take(most), directory, limits)
    } else {
        unpack_tar(bytes.take(most), directory, limits)
    }
}

fn unpack_tar(archive: impl Read, directory: &Path, limits: &ArchiveLimits) -> Result<(), ArchiveError> {
    let (mut entries, mut total) = (0, 0_u64);
    for entry in Archive::new(archive).entries()? {
        let mut entry = entry?;
        entries += 1;
        if entries > limits.entries {
            return Err(ArchiveError::TooMuch("it has too many entries"));
        }
        if matches!(entry.header().entry_type(), EntryType::XGlobalHeader) {
            continue;
        }
        let inside = inside(&entry, limits.depth)?;
        let refused = |reason| ArchiveError::Refused { path: inside.display().to_string(), reason };
        let target = directory.join(&inside);
        match entry.header().entry_type() {
            EntryType::Directory => fs::create_dir_all(&target)?,
            EntryType::Regular | EntryType::Continuous => {
                let size = entry.size();
                total = total.saturating_add(size);
                if size > limits.file_bytes {
                    return Err(refused("is too large"));
                }
                if total > limits.total_bytes {
                    return Err(ArchiveError::TooMuch("its files are too large together"));
                }
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent)?;
                }
                let mode = if entry.header().mode()? & 0o100 == 0 { 0o600 } else { 0o700 };
                write(&mut entry, &target, mode, size).map_err(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => refused("is there twice"),
                    _ => error.into(),
                })?;
            }
            EntryType::Symlink | EntryType::Link => return Err(refused("is a link")),
            _ => return Err(refused("is neither a file nor a directory")),
        }
    }
    Ok(())
}

fn write(entry: &mut Entry<'_, impl Read>, target: &Path, mode: u32, size: u64) -> io::Result<()> {
    // Nothing that is there already is opened, whatever it is.
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(target)?;
    let written = io::copy(entry, &mut file)?;
    if written == size { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The path of an entry, if it stays inside.
fn inside(entry: &Entry<'_, impl Read>, depth: usize) -> Result<PathBuf, ArchiveError> {
    let path = entry.path()?;
    let refused = |reason| ArchiveError::Refused { path: path.display().to_string(), reason };
    let mut inside = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::ParentDir => return Err(refused("leads out of the template")),
            Component::RootDir | Component::Prefix(_) => return Err(refused("is an absolute path")),
        }
    }
    if inside.components().count() > depth {
        return Err(refused("is too deep"));
    }
    if inside.to_str().is_none_or(|path| path.contains(['\0', '\\'])) {
        return Err(refused("has a name that is no text"));
    }
    Ok(inside)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    fn add(builder: &mut Builder<Vec<u8>>, path: &str, kind: EntryType, link: Option<&str>, content: &[u8]) {
        let mut header = Header::new_gnu();
        // `set_path` refuses what an attacker would write.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        if let Some(link) = link {
            header.set_link_name(link).unwrap();
        }
        header.set_mode(0o4777);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }

    fn one(path: &str, kind: EntryType, link: Option<&str>) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        add(&mut builder, path, kind, link, b"");
        builder.into_inner().unwrap()
    }

    fn files(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, content) in files {
            add(&mut builder, path, EntryType::Regular, None, content);
        }
        builder.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn refusal(bytes: &[u8], limits: ArchiveLimits) -> String {
        let parent = tempfile::tempdir().unwrap();
        let inner = parent.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let error = unpack(bytes, &inner, &limits).unwrap_err().to_string();
        // Whatever was tried, nothing is outside.
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
        error
    }

    #[test]
    fn files_and_directories_are_unpacked_without_the_rights_they_ask_for() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let archive = gzip(&files(&[("./main.tf", b"one"), ("modules/a/b.tf", b"two")]));
        unpack(&archive, directory.path(), &ArchiveLimits::default()).unwrap();
        assert_eq!(fs::read(directory.path().join("main.tf")).unwrap(), b"one");
        assert_eq!(fs::read(directory.path().join("modules/a/b.tf")).unwrap(), b"two");
        let mode = fs::metadata(directory.path().join("main.tf")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
    }

    #[test]
    fn what_leads_out_is_refused() {
        let limits = ArchiveLimits::default();
        for (archive, why) in [
            (files(&[("../x", b"")]), "leads out"),
            (files(&[("a/../../x", b"")]), "leads out"),
            (files(&[("/etc/x", b"")]), "absolute"),
            (one("a", EntryType::Symlink, Some("/etc")), "is a link"),
            (one("a", EntryType::Link, Some("b")), "is a link"),
            (one("a", EntryType::Char, None), "neither"),
            (one("a", EntryType::Block, None), "neither"),
            (one("a", EntryType::Fifo, None), "neither"),
            (files(&[("a", b""), ("a", b"")]), "twice"),
            (files(&[("a\\b", b"")]), "no text"),
        ] {
            let error = refusal(&archive, limits);
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_link_does_not_lead_a_later_file_out() {
        let mut builder = Builder::new(Vec::new());
        add(&mut builder, "a", EntryType::Symlink, Some(".."), b"");
        add(&mut builder, "a/x", EntryType::Regular, None, b"out");
        assert!(refusal(&builder.into_inner().unwrap(), ArchiveLimits::default()).contains("is a link"));
    }

    #[test]
    fn bombs_are_refused() {
        let limits = ArchiveLimits { entries: 3, file_bytes: 100, total_bytes: 150, depth: 2 };
        assert!(refusal(&files(&[("a", &[0; 101])]), limits).contains("too large"));
        assert!(refusal(&files(&[("a", &[0; 90]), ("b", &[0; 90])]), limits).contains("together"));
        assert!(refusal(&files(&[("a", b""), ("b", b""), ("c", b""), ("d", b"")]), limits).contains("too many"));
        assert!(refusal(&files(&[("a/b/c", b"")]), limits).contains("too deep"));
        // A gigabyte of zeroes in a megabyte: what it says of itself is not believed, nor is it read to its end.
        let bomb = gzip(&vec![0; 64 << 20]);
        let directory = tempfile::tempdir().unwrap();
        let before = std::time::Instant::now();
        unpack(&bomb, directory.path(), &limits).ok();
        assert!(before.elapsed().as_secs() < 5);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        assert!(refusal(b"\x1f\x8bnonsense", ArchiveLimits::default()).contains("unpacked"));
        assert!(refusal(&[b'x'; 1024], ArchiveLimits::default()).contains("unpacked"));
    }
}
