//! The files of a directory as a version of a template, and back.

use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use chancery_terraform::{File, Files, Ignore, Limits};

use crate::failure::{Doing, Failure};

/// The file that says what is left out.
const IGNORE: &str = ".terraformignore";

/// Reads the files that belong into a template.
pub(super) fn read(directory: &Path) -> Result<Files, Failure> {
    let ignore = match std::fs::read_to_string(directory.join(IGNORE)) {
        Ok(text) => Ignore::parse(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ignore::default(),
        Err(error) => return Err(Failure::failed(format!("reading {IGNORE}: {error}"))),
    };
    let mut reading = Reading { ignore, files: Files::default(), left: Limits::default().unpacked_bytes };
    reading.below(directory, "")?;
    if reading.files.is_empty() {
        return Err(Failure::usage(format!("there are no files in {}", directory.display())));
    }
    Ok(reading.files)
}

struct Reading {
    ignore: Ignore,
    files: Files,
    /// How many bytes more there may be.
    left: u64,
}

impl Reading {
    fn below(&mut self, directory: &Path, prefix: &str) -> Result<(), Failure> {
        let doing = format!("reading {}", directory.display());
        for entry in std::fs::read_dir(directory).doing(&doing)? {
            let entry = entry.doing(&doing)?;
            let name = entry.file_name().into_string();
            let name = name.map_err(|name| Failure::usage(format!("the name {} is not UTF-8", name.display())))?;
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let metadata = entry.metadata().doing(&doing)?;
            if self.ignore.leaves_out(&path, metadata.is_dir()) {
                continue;
            }
            if metadata.is_dir() {
                self.below(&entry.path(), &path)?;
            } else if metadata.is_file() {
                self.take(&entry.path(), path, &metadata)?;
            } else {
                let reason = format!("`{path}` is no file; leave it out in {IGNORE}, or put the file in its place");
                return Err(Failure::usage(reason));
            }
        }
        Ok(())
    }

    fn take(&mut self, file: &Path, path: String, metadata: &std::fs::Metadata) -> Result<(), Failure> {
        let most = Limits::default().unpacked_bytes;
        let too_large = || Failure::usage(format!("the files are more than {most} bytes; leave some out in {IGNORE}"));
        self.left = self.left.checked_sub(metadata.len()).ok_or_else(too_large)?;
        let content = std::fs::read(file).doing(&format!("reading {path}"))?;
        let executable = metadata.permissions().mode() & 0o100 != 0;
        self.files.insert(path, File { content, executable });
        Ok(())
    }
}

/// Writes files into a directory that is empty or not there.
pub(super) fn write(files: &Files, directory: &Path) -> Result<(), Failure> {
    let doing = format!("writing into {}", directory.display());
    std::fs::create_dir_all(directory).doing(&doing)?;
    if std::fs::read_dir(directory).doing(&doing)?.next().is_some() {
        return Err(Failure::usage(format!("{} is not empty", directory.display())));
    }
    for (path, file) in files.iter() {
        let target = directory.join(path);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).doing(&doing)?;
        }
        let mode = if file.executable { 0o755 } else { 0o644 };
        let mut options = std::fs::OpenOptions::new();
        let mut written = options.write(true).create_new(true).mode(mode).open(&target).doing(&doing)?;
        std::io::Write::write_all(&mut written, &file.content).doing(&doing)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn paths(files: &Files) -> Vec<&str> {
        files.iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn a_directory_is_read_without_what_does_not_belong_and_written_back() {
        let directory = TempDir::new().unwrap();
        let at = |path: &str| directory.path().join(path);
        for inner in [".terraform/providers", ".git", "modules/x", "notes"] {
            std::fs::create_dir_all(at(inner)).unwrap();
        }
        for file in
            ["main.tf", ".terraform/providers/p", ".git/config", "terraform.tfstate", "modules/x/main.tf", "notes/a"]
        {
            std::fs::write(at(file), file).unwrap();
        }
        std::fs::write(at("run.sh"), "#!/bin/sh").unwrap();
        std::fs::set_permissions(at("run.sh"), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::write(at(IGNORE), "notes/\n").unwrap();
        let files = read(directory.path()).unwrap();
        assert_eq!(paths(&files), [IGNORE, "main.tf", "modules/x/main.tf", "run.sh"]);
        assert!(files.get("run.sh").unwrap().executable && !files.get("main.tf").unwrap().executable);
        let again = TempDir::new().unwrap();
        write(&files, &again.path().join("new")).unwrap();
        assert_eq!(read(&again.path().join("new")).unwrap(), files);
        assert!(write(&files, &again.path().join("new")).is_err());
    }

    #[test]
    fn links_are_not_followed() {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("main.tf"), "").unwrap();
        symlink("/etc/passwd", directory.path().join("passwd")).unwrap();
        assert!(read(directory.path()).is_err());
        std::fs::write(directory.path().join(IGNORE), "passwd\n").unwrap();
        assert!(!read(directory.path()).unwrap().contains("passwd"));
        assert!(read(&directory.path().join("none")).is_err());
    }
}
