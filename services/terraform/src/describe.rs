//! What a template declares.

use chancery_domain::events::templates::TemplateContents;

use crate::contents::{Gathered, Place};
use crate::error::Mistake;
use crate::files::Files;
use crate::{json, native};

/// Largest file that is parsed, in bytes: what stands in it takes much more memory.
const MAX_FILE: usize = 512 << 10;
/// Most mistakes that are told.
const MAX_MISTAKES: usize = 50;

/// What the Terraform files declare, or everything that is wrong with them. Every one of them must parse, also those of
/// modules; variables, providers and versions are those of the files at the root.
pub fn describe(files: &Files) -> Result<TemplateContents, Vec<Mistake>> {
    let mut terraform: Vec<(Place<'_>, &[u8])> = files
        .iter()
        .filter(|(path, _)| is_native(path) || is_json(path))
        .map(|(path, file)| (Place { path }, file.content.as_slice()))
        .collect();
    if !terraform.iter().any(|(place, _)| place.is_root()) {
        return Err(vec![Mistake::new("", "there is no `.tf` or `.tf.json` file at its root")]);
    }
    // Overriding files have the last word.
    terraform.sort_by_key(|(place, _)| (place.is_override(), place.path));
    let mut gathered = Gathered::default();
    for (place, content) in terraform {
        if gathered.mistakes.len() >= MAX_MISTAKES {
            break;
        }
        match std::str::from_utf8(content) {
            _ if content.len() > MAX_FILE => gathered.mistake(place, format!("is larger than {MAX_FILE} bytes")),
            Err(_) => gathered.mistake(place, "is not UTF-8"),
            Ok(text) if is_json(place.path) => json::gather(&mut gathered, place, text),
            Ok(text) => native::gather(&mut gathered, place, text),
        }
    }
    gathered.finish()
}

fn is_native(path: &str) -> bool {
    path.ends_with(".tf")
}

fn is_json(path: &str) -> bool {
    path.ends_with(".tf.json")
}
