//! From the text of an attribute path to the attribute it names.
//!
//! A path is `[URN ":"] name ["." sub]`. URNs contain colons and dots themselves, so that only the registered
//! URNs can tell where one ends: the longest that fits wins (RFC 7644 section 3.10).

use super::attribute::Attribute;
use super::resource_type::{Extension, ResourceType, Schema};

/// An attribute of a resource type, and where it stands in a document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place<'r> {
    /// The extension it belongs to, under whose URN it stands.
    pub extension: Option<&'r Schema>,
    /// The attribute.
    pub attribute: &'r Attribute,
    /// The part of it, where the path names one.
    pub sub: Option<&'r Attribute>,
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Located<'r> {
    /// An extension as a whole.
    Extension(&'r Schema),
    /// An attribute or sub-attribute.
    Attribute(Place<'r>),
}

impl<'r> Place<'r> {
    /// The attribute whose values the path is about: the sub-attribute where there is one.
    pub fn leaf(&self) -> &'r Attribute {
        self.sub.unwrap_or(self.attribute)
    }

    /// The path in its canonical spelling.
    pub fn path(&self) -> String {
        let mut path = String::new();
        if let Some(extension) = self.extension {
            path.push_str(&extension.id);
            path.push(':');
        }
        path.push_str(&self.attribute.name);
        if let Some(sub) = self.sub {
            path.push('.');
            path.push_str(&sub.name);
        }
        path
    }

    /// The member names that lead to the values in a document.
    pub(crate) fn steps(&self) -> Vec<&'r str> {
        let extension = self.extension.map(|extension| extension.id.as_str());
        let sub = self.sub.map(|sub| sub.name.as_str());
        extension.into_iter().chain([self.attribute.name.as_str()]).chain(sub).collect()
    }
}

impl ResourceType {
    /// What a path names. With `unprefixed`, an attribute of an extension is also found without its URN, where the
    /// resource type itself has none of that name.
    pub fn locate(&self, path: &str, unprefixed: bool) -> Option<Located<'_>> {
        if path.contains(':') {
            return self.locate_qualified(path);
        }
        if let Some(place) = in_attributes(path, None, |name| self.attribute(name)) {
            return Some(Located::Attribute(place));
        }
        if !unprefixed {
            return None;
        }
        self.extensions.iter().find_map(|extension| in_extension(path, extension)).map(Located::Attribute)
    }

    /// The attribute a path names, none where it names an extension or nothing.
    pub fn place(&self, path: &str, unprefixed: bool) -> Option<Place<'_>> {
        match self.locate(path, unprefixed)? {
            Located::Attribute(place) => Some(place),
            Located::Extension(_) => None,
        }
    }

    fn locate_qualified(&self, path: &str) -> Option<Located<'_>> {
        let extension = self
            .extensions
            .iter()
            .filter_map(|extension| Some((extension, after_urn(path, &extension.schema.id)?)))
            .max_by_key(|(extension, _)| extension.schema.id.len());
        let base = after_urn(path, &self.base.id)
            .filter(|_| extension.is_none_or(|(extension, _)| extension.schema.id.len() < self.base.id.len()));
        match (base, extension) {
            (Some(rest), _) => in_attributes(rest, None, |name| self.attribute(name)).map(Located::Attribute),
            (None, Some((extension, ""))) => Some(Located::Extension(&extension.schema)),
            (None, Some((extension, rest))) => in_extension(rest, extension).map(Located::Attribute),
            (None, None) => None,
        }
    }
}

/// What follows the URN in the path; empty where the path is the URN alone, none where it is another's.
fn after_urn<'p>(path: &'p str, urn: &str) -> Option<&'p str> {
    let start = path.get(..urn.len()).filter(|start| start.eq_ignore_ascii_case(urn))?;
    let rest = &path[start.len()..];
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(':').filter(|rest| !rest.is_empty()) }
}

fn in_extension<'r>(path: &str, extension: &'r Extension) -> Option<Place<'r>> {
    in_attributes(path, Some(&extension.schema), |name| extension.schema.attribute(name))
}

fn in_attributes<'r>(
    path: &str,
    extension: Option<&'r Schema>,
    find: impl Fn(&str) -> Option<&'r Attribute>,
) -> Option<Place<'r>> {
    let (name, sub) = match path.split_once('.') {
        Some((name, sub)) => (name, Some(sub)),
        None => (path, None),
    };
    let attribute = find(name)?;
    let sub = match sub {
        Some(sub) => Some(attribute.sub(sub)?),
        None => None,
    };
    Some(Place { extension, attribute, sub })
}
