//! What the path of an operation names.

use crate::error::ScimError;
use crate::filter::{Filter, Syntax, value_path};
use crate::profile::Profile;
use crate::schema::{Located, Place, ResourceType, Schema};

/// What an operation is done to.
#[derive(Debug, Clone)]
pub(crate) enum Target<'r> {
    /// An extension as a whole.
    Extension(&'r Schema),
    /// An attribute, a sub-attribute, or elements of either.
    Attribute {
        /// The attribute and sub-attribute.
        place: Place<'r>,
        /// Which elements, where the path chooses.
        filter: Option<Filter>,
    },
}

/// Resolves a path. None where it is well-formed and no schema has it.
pub(crate) fn resolve<'r>(
    resource_type: &'r ResourceType,
    path: &str,
    profile: &Profile,
) -> Result<Option<Target<'r>>, ScimError> {
    let parsed = value_path(path.trim(), Syntax::from(profile))?;
    let located = match resource_type.locate(&parsed.path, profile.unprefixed_extensions) {
        Some(Located::Attribute(place)) => place,
        Some(Located::Extension(schema)) if parsed.filter.is_none() => return Ok(Some(Target::Extension(schema))),
        _ => return Ok(None),
    };
    let Some(filter) = parsed.filter else {
        return Ok(Some(Target::Attribute { place: located, filter: None }));
    };
    let attribute = located.attribute;
    if located.sub.is_some() || !attribute.multi_valued && !attribute.is_complex() {
        return Err(ScimError::path(format!("`{}` has no elements to choose from", parsed.path)));
    }
    let sub = match parsed.sub {
        None => None,
        Some(name) => match attribute.sub(&name) {
            Some(sub) => Some(sub),
            None => return Ok(None),
        },
    };
    Ok(Some(Target::Attribute { place: Place { sub, ..located }, filter: Some(filter) }))
}
