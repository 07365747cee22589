//! Keys: what stands before a colon, and what it stands for.

use crate::ast::{Path, PathRoot, Side};
use crate::coder;
use crate::cursor::{Cursor, Ends};
use crate::error::{FilterError, nearest};
use crate::fields::Field;

/// What a key stands for.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Field(Field),
    Path(Path),
    Coder(coder::Key),
}

/// A possible key: names joined by dots.
pub(crate) struct Key {
    names: Vec<Name>,
    start: usize,
}

/// A part of a key.
struct Name {
    text: String,
    quoted: bool,
}

/// Reads a key when there can be one.
pub(crate) fn key(cursor: &mut Cursor<'_>) -> Option<Key> {
    let start = cursor.position();
    if !cursor.peek().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let mut names = Vec::new();
    loop {
        let quoted = cursor.peek() == Some('"');
        let text = if quoted {
            cursor.word(Ends::Value).ok()?.pattern.as_literal()?.to_owned()
        } else {
            cursor.take_while(is_name_character).to_owned()
        };
        if text.is_empty() {
            return None;
        }
        names.push(Name { text, quoted });
        if !cursor.eat(".") {
            return Some(Key { names, start });
        }
    }
}

/// What a name in a path may consist of without quotes.
pub(crate) fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '$' | '@')
}

/// A mistyped key, such as `data.` or `naïve`, must not pass as free text. `10` of `10:30` is none.
pub(crate) fn looks_like_key(text: &str) -> bool {
    text.starts_with(char::is_alphabetic) && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

impl Key {
    /// What it stands for; mistakes are reported with `at`, which has read it.
    pub(crate) fn target(&self, at: &Cursor<'_>) -> Result<Target, FilterError> {
        if let Some(path) = self.path() {
            return Ok(Target::Path(path));
        }
        let name = self.name();
        if let Some(key) = coder::Key::named(&name) {
            return Ok(Target::Coder(key));
        }
        if let Some(field) = Field::named(&name) {
            return Ok(Target::Field(field));
        }
        if matches!(name.as_str(), "data" | "extensions" | "ext") {
            let message = format!("`{name}` needs the path of a value, such as `{name}.kind`");
            return Err(at.error(self.start, message));
        }
        let message = format!("there is no field `{name}`; quote text that contains a colon");
        Err(at.error(self.start, message).suggesting(suggested_fields(&name)))
    }

    fn name(&self) -> String {
        self.names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(".")
    }

    /// The path it is, when it starts with one of their roots.
    pub(crate) fn path(&self) -> Option<Path> {
        let (root, mut names) = self.names.split_first()?;
        let root = match root.text.to_ascii_lowercase().as_str() {
            "data" => PathRoot::Data,
            "extensions" | "ext" => PathRoot::Extensions,
            "changes" | "changed" => match names.split_last().and_then(|(last, path)| last.side().zip(Some(path))) {
                Some((side, path)) if !path.is_empty() => {
                    names = path;
                    PathRoot::Changes(side)
                }
                _ => PathRoot::Changes(Side::Either),
            },
            _ => return None,
        };
        let segments: Vec<String> = names.iter().map(|name| name.text.clone()).collect();
        if segments.is_empty() { None } else { Some(Path { root, segments }) }
    }
}

impl Name {
    /// The side of a change it stands for at the end of a path.
    fn side(&self) -> Option<Side> {
        match self.text.as_str() {
            "old" if !self.quoted => Some(Side::Old),
            "new" if !self.quoted => Some(Side::New),
            _ => None,
        }
    }
}

/// Fields named like `name`; a member of a known payload by its path.
fn suggested_fields(name: &str) -> Vec<String> {
    let member = chancery_domain::catalogue::all()
        .any(|info| (info.schema)().get("properties").is_some_and(|members| members.get(name).is_some()));
    let known = Field::ALL.into_iter().flat_map(|field| field.names().iter().copied());
    let similar = nearest(name, known.chain(coder::Key::ALL.into_iter().map(coder::Key::name)));
    member.then(|| format!("data.{name}")).into_iter().chain(similar).take(3).collect()
}
