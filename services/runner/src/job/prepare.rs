//! From a job to a directory that Terraform can work in.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, lchown};
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::directory::JobDirectory;
use super::parameters::variables_file;
use crate::server::Job;
use crate::settings::Settings;
use crate::template::{Declarations, unpack};
use crate::terraform::{backend_override, cli_configuration};

/// The file that says where state is kept. Of such files the last one, by name, is right.
const OVERRIDE: &str = "~chancery_override.tf.json";
/// The file with the values of variables.
pub(super) const VARIABLES: &str = "chancery.variables.json";

/// Verifies the archive, unpacks it, and reads what it declares. Nothing in it is read before its digest is right.
pub(super) fn template(
    archive: &[u8],
    job: &Job,
    directory: &JobDirectory,
    settings: &Settings,
) -> Result<Declarations, String> {
    let digest = format!("{:x}", Sha256::digest(archive));
    if !digest.eq_ignore_ascii_case(&job.sha256) {
        return Err("the template's archive is not the one that the job names: its digest is another".to_owned());
    }
    let work = directory.work();
    unpack(archive, &work, &settings.archive)?;
    let unwritten = |error: io::Error| format!("the job's directory cannot be written to: {error}");
    clean(&work).map_err(unwritten)?;
    if let Some(name) = rival(&work) {
        return Err(format!("the template has a file `{name}` that would decide about its state"));
    }
    Ok(Declarations::read(&work))
}

/// Removes what Terraform would take for its own work of before.
fn clean(work: &Path) -> io::Result<()> {
    for entry in fs::read_dir(work)?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == ".terraform" {
            fs::remove_dir_all(entry.path())?;
        } else if name.starts_with("terraform.tfstate") || name == VARIABLES || name == OVERRIDE {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A file that would have the last word about the state.
fn rival(work: &Path) -> Option<String> {
    let names = fs::read_dir(work).ok()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let endings = [".tf", ".tf.json", ".tofu", ".tofu.json"];
    let mut rivals = names.filter(|name| {
        let stem = endings.iter().find_map(|ending| name.strip_suffix(ending));
        stem.is_some_and(|stem| stem == "override" || stem.ends_with("_override")) && name.as_str() >= OVERRIDE
    });
    rivals.next()
}

/// Writes what the runner adds to the template: where state is kept, values of variables, the state so far.
pub(super) fn additions(
    job: &Job,
    declared: &Declarations,
    directory: &JobDirectory,
    settings: &Settings,
    state: Option<&[u8]>,
) -> io::Result<()> {
    let work = directory.work();
    let json = |value: &Value| value.to_string().into_bytes();
    write(&work.join(OVERRIDE), &json(&backend_override(job.state.as_ref())))?;
    write(&work.join(VARIABLES), &json(&variables_file(&job.parameters, declared)))?;
    write(&directory.home().join("terraform.rc"), cli_configuration(&settings.mirror).as_bytes())?;
    if let Some(state) = state {
        write(&directory.state(), state)?;
    }
    if let Some(cache) = &settings.plugin_cache {
        fs::create_dir_all(cache)?;
        if let Some((user, group)) = settings.run_as {
            lchown(cache, Some(user), Some(group))?;
        }
    }
    match settings.run_as {
        Some(owner) => give(&work, owner).and_then(|()| give(&directory.home(), owner)),
        None => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

/// Gives a directory and all in it to the user that the job runs as.
fn give(directory: &Path, (user, group): (u32, u32)) -> io::Result<()> {
    lchown(directory, Some(user), Some(group))?;
    for entry in fs::read_dir(directory)?.flatten() {
        if entry.file_type()?.is_dir() {
            give(&entry.path(), (user, group))?;
        } else {
            lchown(entry.path(), Some(user), Some(group))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_earlier_work_is_removed_and_rivals_are_found() {
        let work = tempfile::tempdir().unwrap();
        for name in ["main.tf", "a_override.tf", "terraform.tfstate", "terraform.tfstate.backup", OVERRIDE, VARIABLES] {
            fs::write(work.path().join(name), "").unwrap();
        }
        fs::create_dir_all(work.path().join(".terraform/providers")).unwrap();
        clean(work.path()).unwrap();
        let mut names: Vec<String> =
            fs::read_dir(work.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["a_override.tf", "main.tf"]);
        assert_eq!(rival(work.path()), None);
        for name in ["~z_override.tf", "é_override.tofu"] {
            fs::write(work.path().join(name), "").unwrap();
            assert_eq!(rival(work.path()).as_deref(), Some(name));
            fs::remove_file(work.path().join(name)).unwrap();
        }
    }
}
