//! Unpacking an archive of which nothing is believed.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use chancery_terraform::{Limits, Packing};

/// Unpacks an archive into an empty directory, where only the owner can read it. All of it is read and found harmless
/// before anything is written.
pub(crate) fn unpack(archive: &[u8], directory: &Path, limits: &Limits) -> Result<(), String> {
    let packing = if archive.starts_with(&[0x1f, 0x8b]) { Packing::Gzip } else { Packing::Tar };
    let files = chancery_terraform::read(archive, packing, limits)
        .map_err(|error| format!("the template's archive is refused: {error}"))?;
    let unwritten = |error: io::Error| format!("the template cannot be unpacked: {error}");
    for (path, file) in files.iter() {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(unwritten)?;
        }
        let mode = if file.executable { 0o700 } else { 0o600 };
        // Nothing that is there already is opened, whatever it is.
        let created = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        created.and_then(|mut created| created.write_all(&file.content)).map_err(unwritten)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use chancery_terraform::{File, Files};

    use super::*;

    fn archive(files: &[(&str, bool)]) -> Vec<u8> {
        let mut packed = Files::default();
        for (path, executable) in files {
            packed.insert((*path).to_owned(), File { content: path.as_bytes().to_vec(), executable: *executable });
        }
        packed.pack().unwrap()
    }

    #[test]
    fn files_are_the_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let bytes = archive(&[("main.tf", false), ("scripts/deep/run.sh", true)]);
        unpack(&bytes, directory.path(), &Limits::default()).unwrap();
        let mode = |path: &str| fs::metadata(directory.path().join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("main.tf"), mode("scripts"), mode("scripts/deep/run.sh")), (0o600, 0o700, 0o700));
        assert_eq!(fs::read(directory.path().join("main.tf")).unwrap(), b"main.tf");
    }

    #[test]
    fn what_is_there_is_not_written_through() {
        let directory = tempfile::tempdir().unwrap();
        let outside = directory.path().join("outside");
        let inner = directory.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(&outside, "mine").unwrap();
        symlink(&outside, inner.join("main.tf")).unwrap();
        unpack(&archive(&[("main.tf", false)]), &inner, &Limits::default()).unwrap_err();
        assert_eq!(fs::read(outside).unwrap(), b"mine");
    }
}
