//! What a PUT cannot change: attributes set once, and those only the server sets.

use serde_json::{Map, Value};

use super::Document;
use crate::error::ScimError;
use crate::schema::{Attribute, Mutability, ResourceType};

/// Carries over from the current document what clients cannot change, and refuses what they try to.
pub(super) fn keep(resource_type: &ResourceType, current: &Document, new: &mut Document) -> Result<(), ScimError> {
    keep_attributes(resource_type.attributes(), current, new)?;
    for extension in resource_type.extensions() {
        let urn = &extension.schema.id;
        let Some(current) = current.get(urn).and_then(Value::as_object) else { continue };
        let mut object = match new.remove(urn) {
            Some(Value::Object(object)) => object,
            _ => Map::new(),
        };
        keep_attributes(extension.schema.attributes.iter(), current, &mut object)?;
        if !object.is_empty() {
            new.insert(urn.clone(), Value::Object(object));
        }
    }
    Ok(())
}

fn keep_attributes<'r>(
    attributes: impl Iterator<Item = &'r Attribute>,
    current: &Map<String, Value>,
    new: &mut Map<String, Value>,
) -> Result<(), ScimError> {
    for attribute in attributes {
        let Some(old) = current.get(&attribute.name) else { continue };
        match attribute.mutability {
            Mutability::ReadOnly => {
                new.insert(attribute.name.clone(), old.clone());
            }
            Mutability::Immutable => match new.get(&attribute.name) {
                Some(value) if value != old => {
                    return Err(ScimError::mutability(format!(
                        "`{}` cannot be changed once it is set",
                        attribute.name
                    )));
                }
                Some(_) => {}
                None => {
                    new.insert(attribute.name.clone(), old.clone());
                }
            },
            Mutability::ReadWrite | Mutability::WriteOnly => {
                // Elements of lists have no identity by which their parts could be held to what they were.
                if let (false, Value::Object(old)) = (attribute.multi_valued, old)
                    && let Some(Value::Object(object)) = new.get_mut(&attribute.name)
                {
                    keep_attributes(attribute.sub_attributes.iter(), old, object)?;
                }
            }
        }
    }
    Ok(())
}
