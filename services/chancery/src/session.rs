//! The sessions of `chancery login`: one for each server, in a file that its owner alone can read.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use etcetera::{AppStrategy, choose_app_strategy};

use crate::configuration::settings::application;
use crate::failure::{Doing, Failure};

/// By the address of the server: a session is sent to no other.
type Sessions = BTreeMap<String, String>;

/// The session at a server, if there is one.
pub(crate) fn find(server: &str) -> Result<Option<String>, Failure> {
    Ok(read(&file()?)?.remove(address(server)))
}

/// Keeps the session at a server.
pub(crate) fn keep(server: &str, token: &str) -> Result<(), Failure> {
    let file = file()?;
    let mut sessions = read(&file)?;
    sessions.insert(address(server).to_owned(), token.to_owned());
    write(&file, &sessions)
}

/// Forgets the session at a server.
pub(crate) fn forget(server: &str) -> Result<(), Failure> {
    let file = file()?;
    let mut sessions = read(&file)?;
    if sessions.remove(address(server)).is_none() {
        return Ok(());
    }
    write(&file, &sessions)
}

fn address(server: &str) -> &str {
    server.trim_end_matches('/')
}

/// In the platform's directory for state, or for data where it has none.
fn file() -> Result<PathBuf, Failure> {
    let strategy = choose_app_strategy(application()).doing("finding the home directory")?;
    Ok(strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("sessions.json"))
}

fn read(file: &Path) -> Result<Sessions, Failure> {
    let doing = format!("reading {}", file.display());
    match std::fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).doing(&doing),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Sessions::new()),
        Err(error) => Err(error).doing(&doing),
    }
}

/// Writes another file and puts it in the place of the old one: nobody reads half of it, or one that others can read.
fn write(file: &Path, sessions: &Sessions) -> Result<(), Failure> {
    let doing = format!("writing {}", file.display());
    if let Some(directory) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).doing(&doing)?;
    }
    let new = file.with_extension(format!("{}.new", std::process::id()));
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(&new);
    let text = serde_json::to_vec(sessions).doing(&doing)?;
    opened.and_then(|mut opened| opened.write_all(&text)).doing(&doing)?;
    std::fs::rename(&new, file).doing(&doing)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn sessions_are_for_their_owner_alone() {
        let directory = tempfile::TempDir::new().unwrap();
        let file = directory.path().join("state/sessions.json");
        assert_eq!(read(&file).unwrap(), Sessions::new());
        let sessions = Sessions::from([("http://127.0.0.1:8080".to_owned(), "chy_a_b".to_owned())]);
        write(&file, &sessions).unwrap();
        write(&file, &sessions).unwrap();
        assert_eq!(read(&file).unwrap(), sessions);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
