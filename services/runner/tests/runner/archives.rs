//! Archives of templates.

use std::fs;
use std::path::{Path, PathBuf};

use chancery_terraform::{File, Files};

/// A template of these files.
pub(crate) fn of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut packed = Files::default();
    for (path, content) in files {
        packed.insert((*path).to_owned(), File { content: content.as_bytes().to_vec(), executable: false });
    }
    packed.pack().unwrap()
}

/// A template of one file.
pub(crate) fn main_tf(content: &str) -> Vec<u8> {
    of(&[("main.tf", content)])
}

/// Where the starter templates are.
pub(crate) fn starters() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/templates")
}

/// The starter template that needs no provider.
pub(crate) fn plain() -> Vec<u8> {
    main_tf(&fs::read_to_string(starters().join("plain/main.tf")).unwrap())
}
