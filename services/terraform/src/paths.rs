//! Names in an archive: relative, plain, the same everywhere.

use crate::error::ArchiveError;
use crate::unpack::Limits;

/// The name of an entry as it is kept: components joined by `/`. Empty for the root itself.
pub(crate) fn plain(raw: &[u8], is_directory: bool, limits: &Limits) -> Result<String, ArchiveError> {
    let refused = |reason| Err(ArchiveError::Name { name: printable(raw), reason });
    let Ok(name) = std::str::from_utf8(raw) else { return refused("is not UTF-8") };
    if name.chars().any(char::is_control) {
        return refused("has control characters");
    }
    if name.contains('\\') {
        return refused("has a backslash");
    }
    if name.starts_with('/') {
        return refused("is absolute");
    }
    let name = if is_directory { name.strip_suffix('/').unwrap_or(name) } else { name };
    let name = if name == "." { "" } else { name.strip_prefix("./").unwrap_or(name) };
    if name.is_empty() {
        return if is_directory { Ok(String::new()) } else { refused("is empty") };
    }
    let components: Vec<&str> = name.split('/').collect();
    if components.contains(&"..") {
        return refused("leads out of the archive");
    }
    if components.iter().any(|component| component.is_empty() || *component == ".") {
        return refused("has an empty part");
    }
    if name.len() > limits.name_bytes {
        return refused("is too long");
    }
    if components.len() > limits.depth {
        return refused("is too deep");
    }
    Ok(name.to_owned())
}

/// Why a file is not wanted in a template, if it is not.
pub(crate) fn unwanted(name: &str) -> Option<&'static str> {
    let last = name.rsplit('/').next().unwrap_or(name);
    if name.split('/').any(|component| component == ".terraform") {
        return Some("is what Terraform has downloaded: leave `.terraform` out");
    }
    if last.ends_with(".tfstate") || last.contains(".tfstate.") {
        return Some("is a state of Terraform's, which may hold secrets: leave it out");
    }
    None
}

fn printable(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    text.chars().take(200).map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
