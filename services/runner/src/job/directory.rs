//! The directory of a job: its own, of nobody else, and gone afterwards.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a runner that starts again must know of a job that it had begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// Id of the job.
    pub(crate) job: String,
    /// Id of the workspace.
    pub(crate) workspace: String,
    /// Its state is kept by this runner.
    pub(crate) keeps_state: bool,
    /// Its apply had begun.
    pub(crate) applying: bool,
}

/// The directory of a job.
#[derive(Debug)]
pub(crate) struct JobDirectory {
    root: PathBuf,
}

impl JobDirectory {
    /// Makes it. What is for the job alone belongs to `owner`, where jobs run as somebody else.
    pub(crate) fn make(jobs: &Path, marker: &Marker, owner: Option<(u32, u32)>) -> io::Result<Self> {
        let root = jobs.join(file_name(&marker.job));
        let open = if owner.is_some() { 0o711 } else { 0o700 };
        DirBuilder::new().mode(open).create(&root)?;
        let directory = Self { root };
        directory.mark(marker)?;
        for part in ["work", "home", "tmp"] {
            let path = directory.root.join(part);
            DirBuilder::new().mode(0o700).create(&path)?;
            if let Some((user, group)) = owner {
                chown(&path, Some(user), Some(group))?;
            }
        }
        Ok(directory)
    }

    /// Whether a job has one.
    pub(crate) fn exists(jobs: &Path, job: &str) -> bool {
        jobs.join(file_name(job)).exists()
    }

    /// Those that are there, with what is known of them.
    pub(crate) fn left_behind(jobs: &Path) -> Vec<(Self, Option<Marker>)> {
        let entries = fs::read_dir(jobs).into_iter().flatten().flatten();
        let found = entries.map(|entry| {
            let directory = Self { root: entry.path() };
            let marker = fs::read(directory.marker()).ok();
            (directory, marker.and_then(|marker| serde_json::from_slice(&marker).ok()))
        });
        found.collect()
    }

    /// Notes how far the job has come, durably.
    pub(crate) fn mark(&self, marker: &Marker) -> io::Result<()> {
        write_durably(&self.marker(), &serde_json::to_vec(marker).map_err(io::Error::other)?)
    }

    fn marker(&self) -> PathBuf {
        self.root.join("job.json")
    }

    /// Where the template is.
    pub(crate) fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Home of the job.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// For temporary files.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Where Terraform keeps a state that the server does not keep.
    pub(crate) fn state(&self) -> PathBuf {
        self.work().join("terraform.tfstate")
    }

    /// What Terraform writes when it could not hand its state to the server.
    pub(crate) fn stranded(&self) -> PathBuf {
        self.work().join("errored.tfstate")
    }

    /// A file that only the runner uses.
    pub(crate) fn private(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Removes it with all that is in it.
    pub(crate) fn remove(&self) -> io::Result<()> {
        remove(&self.root)
    }
}

/// Removes a directory, also one whose parts were made unreadable.
fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) => {
            open_up(directory);
            fs::remove_dir_all(directory)
        }
    }
}

fn open_up(directory: &Path) {
    let mut waiting = vec![directory.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).ok();
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(entry.path());
            }
        }
    }
}

/// Writes a file so that it is there whole or not at all, also after a crash.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    if let Some(parent) = path.parent() {
        fs::File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// A name of a file for an id, whatever is in it.
pub(crate) fn file_name(id: &str) -> String {
    let safe = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    if !id.is_empty() && id.len() <= 64 && id.chars().all(safe) {
        return id.to_owned();
    }
    format!("{:x}", Sha256::digest(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(job: &str) -> Marker {
        Marker { job: job.to_owned(), workspace: "w".to_owned(), keeps_state: true, applying: false }
    }

    #[test]
    fn a_directory_is_the_jobs_own_and_goes_whatever_it_holds() {
        let jobs = tempfile::tempdir().unwrap();
        let directory = JobDirectory::make(jobs.path(), &marker("job-1"), None).unwrap();
        for path in [directory.work(), directory.home(), directory.temporary(), directory.root.clone()] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        }
        let locked = directory.work().join("a/b");
        fs::create_dir_all(&locked).unwrap();
        fs::write(locked.join("file"), "x").unwrap();
        fs::set_permissions(&locked, Permissions::from_mode(0o000)).unwrap();
        JobDirectory::make(jobs.path(), &marker("job-1"), None).unwrap_err();
        assert!(JobDirectory::exists(jobs.path(), "job-1") && !JobDirectory::exists(jobs.path(), "job-2"));
        assert_eq!(JobDirectory::left_behind(jobs.path())[0].1, Some(marker("job-1")));
        directory.remove().unwrap();
        assert!(JobDirectory::left_behind(jobs.path()).is_empty());
    }

    #[test]
    fn no_id_leads_out() {
        let jobs = tempfile::tempdir().unwrap();
        let directory = JobDirectory::make(jobs.path(), &marker("../../etc"), None).unwrap();
        assert_eq!(directory.root.parent(), Some(jobs.path()));
        assert_ne!(file_name("../a"), file_name("../b"));
        assert_eq!(file_name("0197a0c2-6f00-7000-8000-0000000000aa"), "0197a0c2-6f00-7000-8000-0000000000aa");
    }
}
