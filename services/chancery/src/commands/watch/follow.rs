//! A log file as an endless stream of bytes, also when it is rotated or cut.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(50);

/// Where a file's bytes begin in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Byte of the stream that is the file's first.
    pub(super) begin: u64,
    /// The file.
    pub(super) inode: u64,
}

/// The segments so far.
pub(super) type Segments = Arc<Mutex<Vec<Segment>>>;

/// Which file, and which byte of it, a byte of the stream is.
pub(super) fn place(segments: &Segments, byte: u64) -> Option<(u64, u64)> {
    let segments = segments.lock().unwrap_or_else(PoisonError::into_inner);
    let segment = segments.iter().rev().find(|segment| segment.begin <= byte)?;
    Some((segment.inode, byte - segment.begin))
}

/// Reads a file, then what takes its place.
#[derive(Debug)]
pub(super) struct Follow {
    path: PathBuf,
    file: Option<File>,
    /// Files that come before it.
    before: Vec<PathBuf>,
    segments: Segments,
    /// Bytes of the stream so far.
    sent: u64,
    /// Bytes of this file so far.
    read: u64,
    /// Whether the last byte ended a line.
    ended: bool,
    stop: Arc<AtomicBool>,
}

impl Follow {
    /// Follows `path` after the files `before` until `stop`.
    pub(super) fn new(path: &Path, before: Vec<PathBuf>, segments: Segments, stop: Arc<AtomicBool>) -> Self {
        Self { path: path.to_owned(), file: None, before, segments, sent: 0, read: 0, ended: true, stop }
    }

    /// Opens the next file, if there is one.
    fn open(&mut self) -> std::io::Result<bool> {
        let earlier = !self.before.is_empty();
        let path = if earlier { self.before.remove(0) } else { self.path.clone() };
        match File::open(&path) {
            Ok(file) => {
                let inode = file.metadata()?.ino();
                self.begin(inode);
                self.file = Some(file);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn begin(&mut self, inode: u64) {
        self.read = 0;
        let mut segments = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        segments.push(Segment { begin: self.sent, inode });
    }

    /// Whether another file has taken this one's place.
    fn is_over(&mut self) -> std::io::Result<bool> {
        if !self.before.is_empty() {
            return Ok(true);
        }
        let Some(file) = &self.file else { return Ok(true) };
        let own = file.metadata()?;
        let current = match std::fs::metadata(&self.path) {
            Ok(current) => current,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(own.ino() != current.ino() || own.dev() != current.dev() || self.read > own.len())
    }

    fn take(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some(file) = &mut self.file else { return Ok(0) };
        let taken = file.read(buffer)?;
        self.read += taken as u64;
        self.sent += taken as u64;
        if let Some(last) = buffer.get(..taken).and_then(<[u8]>::last) {
            self.ended = *last == b'\n';
        }
        Ok(taken)
    }
}

impl Read for Follow {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if self.file.is_none() && !self.open()? && self.before.is_empty() {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(0);
                }
                std::thread::sleep(LOOK);
                continue;
            }
            let taken = self.take(buffer)?;
            if taken > 0 {
                return Ok(taken);
            }
            if self.is_over()? {
                // What was written until it was replaced.
                let taken = self.take(buffer)?;
                if taken > 0 {
                    return Ok(taken);
                }
                if !self.ended && !buffer.is_empty() {
                    // A line that was cut off does not run into the next file's first.
                    self.ended = true;
                    self.sent += 1;
                    buffer[0] = b'\n';
                    return Ok(1);
                }
                self.file = None;
                continue;
            }
            if self.stop.load(Ordering::Relaxed) {
                return Ok(0);
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// The length of a file that was begun with this inode, if it is still that one.
pub(super) fn inode(path: &Path) -> Option<(u64, u64)> {
    let mut file = File::open(path).ok()?;
    let length = file.seek(SeekFrom::End(0)).ok()?;
    Some((file.metadata().ok()?.ino(), length))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};

    use super::*;

    /// Lines as they arrive.
    fn lines(follow: Follow) -> std::sync::mpsc::Receiver<String> {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(follow).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        receiver
    }

    fn append(path: &Path, text: &str) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_file_is_followed_through_rotation_and_truncation() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("auth.log");
        let (segments, stop) = (Segments::default(), Arc::new(AtomicBool::new(false)));
        let lines = lines(Follow::new(&path, Vec::new(), segments.clone(), stop.clone()));
        let next = || lines.recv_timeout(Duration::from_secs(30)).unwrap();
        append(&path, "one\ntw");
        assert_eq!(next(), "one");
        append(&path, "o\n");
        assert_eq!(next(), "two");
        std::fs::rename(&path, directory.path().join("auth.log.1")).unwrap();
        append(&directory.path().join("auth.log.1"), "three\ncut off");
        append(&path, "four\n");
        assert_eq!([next(), next(), next()], ["three", "cut off", "four"]);
        let (first, _) = place(&segments, 3).unwrap();
        let (second, at) = place(&segments, 26).unwrap();
        assert_eq!((second, at), (std::fs::metadata(&path).unwrap().ino(), 4));
        assert_ne!(first, second);
        std::fs::write(&path, "").unwrap();
        // Shorter than what was read: it was cut, not just written to.
        append(&path, "5\n");
        assert_eq!(next(), "5");
        stop.store(true, Ordering::Relaxed);
        assert!(lines.recv_timeout(Duration::from_secs(30)).is_err());
    }
}
