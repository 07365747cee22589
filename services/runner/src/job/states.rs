//! States that the server does not keep: one file per workspace, of the runner alone.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::directory::{file_name, write_durably};

/// The states of this runner.
#[derive(Debug, Clone)]
pub(crate) struct States {
    directory: PathBuf,
}

/// Nobody else builds this workspace while it lives.
#[derive(Debug)]
pub(crate) struct Locked {
    directory: PathBuf,
    _lock: File,
}

impl States {
    /// Those in a directory.
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Locks the state of a workspace; `None` when another process builds it.
    pub(crate) fn lock(&self, workspace: &str) -> io::Result<Option<Locked>> {
        let directory = self.directory.join(file_name(workspace));
        DirBuilder::new().mode(0o700).recursive(true).create(&directory)?;
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(directory.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Locked { directory, _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Locked {
    fn state(&self) -> PathBuf {
        self.directory.join("terraform.tfstate")
    }

    /// The state, if there is one.
    pub(crate) fn get(&self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.state()) {
            Ok(state) => Ok(Some(state)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the state that a job has left, unless it is older than what is there, or none at all. The one before is
    /// kept beside it.
    pub(crate) fn put_from(&self, left: &Path) -> io::Result<()> {
        let bytes = match fs::symlink_metadata(left) {
            // Terraform makes the file before it writes the first state.
            Ok(metadata) if metadata.is_file() && metadata.len() == 0 => return Ok(()),
            Ok(metadata) if metadata.is_file() => fs::read(left)?,
            Ok(_) => return Err(io::Error::other("the state is not a file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(serial) = serial(&bytes) else {
            write_durably(&self.directory.join("unreadable.tfstate"), &bytes)?;
            let reason = "the state cannot be read; it is kept as unreadable.tfstate";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        };
        if let Some(before) = self.get()? {
            if before == bytes || self::serial(&before).is_some_and(|before| before > serial) {
                return Ok(());
            }
            write_durably(&self.directory.join("previous.tfstate"), &before)?;
        }
        write_durably(&self.state(), &bytes)
    }
}

/// Whether a state that was to be taken is safe now: it was taken, or nobody can make anything of it.
pub(crate) fn is_safe(taken: &io::Result<()>) -> bool {
    taken.as_ref().err().is_none_or(|error| error.kind() == io::ErrorKind::InvalidData)
}

fn serial(state: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Value>(state).ok()?.get("serial")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_taken_when_it_is_newer_and_readable() {
        let directory = tempfile::tempdir().unwrap();
        let states = States::new(directory.path().join("states"));
        let locked = states.lock("w").unwrap().unwrap();
        assert!(states.lock("w").unwrap().is_none(), "one at a time");
        assert!(states.lock("other").unwrap().is_some());
        let left = directory.path().join("left");
        locked.put_from(&left).unwrap();
        assert_eq!(locked.get().unwrap(), None);
        for (state, kept) in [(r#"{"serial":2}"#, 2), (r#"{"serial":1}"#, 2), (r#"{"serial":3}"#, 3)] {
            fs::write(&left, state).unwrap();
            locked.put_from(&left).unwrap();
            assert_eq!(serial(&locked.get().unwrap().unwrap()), Some(kept));
        }
        fs::write(&left, "").unwrap();
        locked.put_from(&left).unwrap();
        fs::write(&left, "half of i").unwrap();
        locked.put_from(&left).unwrap_err();
        assert_eq!(serial(&locked.get().unwrap().unwrap()), Some(3));
        drop(locked);
        assert!(states.lock("w").unwrap().is_some());
    }

    #[test]
    fn a_link_to_somebody_elses_file_is_no_state() {
        let directory = tempfile::tempdir().unwrap();
        let locked = States::new(directory.path().join("states")).lock("w").unwrap().unwrap();
        let left = directory.path().join("left");
        std::os::unix::fs::symlink("/etc/hostname", &left).unwrap();
        locked.put_from(&left).unwrap_err();
    }
}
