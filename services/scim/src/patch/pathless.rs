//! The member names of a value without a path: attribute names by the RFC, whole paths by some clients.

use super::apply::Applier;
use super::target::{Target, resolve};
use crate::error::ScimError;
use crate::schema::{Located, Place, Schema};

/// What a member name stands for.
pub(super) enum KeyTarget<'a> {
    /// Nothing that is kept.
    Ignored,
    /// What is changed.
    Target(Target<'a>),
}

impl<'a> Applier<'a> {
    /// A member name of an operation without a path.
    pub(super) fn key(&mut self, name: &str) -> Result<KeyTarget<'a>, ScimError> {
        // `schemas` follows from what the resource has.
        if name.eq_ignore_ascii_case("schemas") {
            return Ok(KeyTarget::Ignored);
        }
        let target = if self.profile().path_keys {
            resolve(self.resource_type, name, self.profile()).ok().flatten()
        } else {
            plain(self.resource_type.locate(name, self.profile().unprefixed_extensions))
        };
        self.allowed(name, target)
    }

    /// A member name of the object of an extension.
    pub(super) fn extension_key(&mut self, schema: &'a Schema, name: &str) -> Result<KeyTarget<'a>, ScimError> {
        let path = format!("{}:{name}", schema.id);
        let target = if self.profile().path_keys {
            resolve(self.resource_type, &path, self.profile()).ok().flatten()
        } else {
            let attribute = schema.attribute(name);
            let place = attribute.map(|attribute| Place { extension: Some(schema), attribute, sub: None });
            place.map(|place| Target::Attribute { place, filter: None })
        };
        self.allowed(&path, target)
    }

    fn allowed(&mut self, name: &str, target: Option<Target<'a>>) -> Result<KeyTarget<'a>, ScimError> {
        match target {
            None => self.reader.unknown(name).map(|()| KeyTarget::Ignored),
            Some(Target::Attribute { place, .. })
                if self.profile().ignore_read_only_keys
                    && (place.attribute.is_read_only() || place.leaf().is_read_only()) =>
            {
                Ok(KeyTarget::Ignored)
            }
            Some(target) => Ok(KeyTarget::Target(target)),
        }
    }
}

/// A name that is an attribute's or an extension's, not a path to a part of one.
fn plain(located: Option<Located<'_>>) -> Option<Target<'_>> {
    match located? {
        Located::Extension(schema) => Some(Target::Extension(schema)),
        Located::Attribute(place) if place.sub.is_none() => Some(Target::Attribute { place, filter: None }),
        Located::Attribute(_) => None,
    }
}
