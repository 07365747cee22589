//! Reading a body.

use serde_json::{Map, Value};

use super::keep::keep;
use super::values::{Reader, check_spelling, twice};
use super::{Accepted, Document, Member, Purpose, read_members};
use crate::error::ScimError;
use crate::filter::is_empty;
use crate::profile::Profile;
use crate::schema::{Attribute, Extension, ResourceType, Schema};

/// Reads the body of a POST or PUT.
///
/// Attributes that only the server sets are ignored, as RFC 7644 sections 3.3 and 3.5.1 ask; required ones must be
/// there; immutable ones must stay as they are.
pub fn accept(
    resource_type: &ResourceType,
    body: Value,
    profile: &Profile,
    purpose: Purpose,
) -> Result<Accepted, ScimError> {
    let Value::Object(body) = body else { return Err(ScimError::syntax("the body is no JSON object")) };
    check_spelling(&body)?;
    let mut acceptance = Acceptance {
        resource_type,
        reader: Reader::new(profile),
        document: Document::new(),
        members: None,
        password_given: false,
        schemas_given: false,
    };
    for (name, value) in body {
        acceptance.top(&name, value)?;
    }
    if !acceptance.schemas_given && !profile.optional_schemas {
        return Err(ScimError::syntax(format!("`schemas` must contain `{}`", resource_type.base().id)));
    }
    if let Purpose::Replace { current } = purpose {
        keep(resource_type, current, &mut acceptance.document)?;
    }
    check_required(resource_type, &acceptance.document)?;
    Ok(Accepted {
        document: acceptance.document,
        members: acceptance.members,
        password_given: acceptance.password_given,
        ignored: acceptance.reader.ignored,
    })
}

struct Acceptance<'a> {
    resource_type: &'a ResourceType,
    reader: Reader<'a>,
    document: Document,
    members: Option<Vec<Member>>,
    password_given: bool,
    schemas_given: bool,
}

impl<'a> Acceptance<'a> {
    fn top(&mut self, name: &str, value: Value) -> Result<(), ScimError> {
        if let Some(attribute) = self.resource_type.attribute(name) {
            return self.attribute(attribute, value);
        }
        if let Some(extension) = self.resource_type.extension(name) {
            return self.extension(extension, value);
        }
        if self.reader.profile.unprefixed_extensions {
            let mut extensions = self.resource_type.extensions().iter();
            let found = extensions.find_map(|extension| Some((extension, extension.schema.attribute(name)?)));
            if let Some((extension, attribute)) = found {
                return self.extension_attribute(&extension.schema, attribute, value);
            }
        }
        self.reader.unknown(name)
    }

    fn attribute(&mut self, attribute: &'a Attribute, value: Value) -> Result<(), ScimError> {
        if attribute.name == "schemas" {
            return self.schemas(value);
        }
        if attribute.is_read_only() {
            return Ok(());
        }
        if attribute.is_secret() {
            self.password_given |= attribute.name == "password" && !is_empty(&value);
            return Ok(());
        }
        if self.resource_type.is_group() && attribute.name == "members" {
            let members = read_members(value, self.reader.profile)?;
            return if self.members.replace(members).is_some() { Err(twice("members")) } else { Ok(()) };
        }
        match self.reader.attribute(attribute, value)? {
            Some(value) => insert(&mut self.document, attribute, value),
            None => Ok(()),
        }
    }

    fn extension(&mut self, extension: &'a Extension, value: Value) -> Result<(), ScimError> {
        let schema = &extension.schema;
        let members = match value {
            Value::Null => return Ok(()),
            Value::Object(members) => members,
            other => return Err(ScimError::value(format!("`{}`: expected an object, found {other}", schema.id))),
        };
        check_spelling(&members)?;
        for (name, value) in members {
            match schema.attribute(&name) {
                Some(attribute) => self.extension_attribute(schema, attribute, value)?,
                None => self.reader.unknown(&format!("{}:{name}", schema.id))?,
            }
        }
        Ok(())
    }

    fn extension_attribute(&mut self, schema: &Schema, attribute: &Attribute, value: Value) -> Result<(), ScimError> {
        if attribute.is_read_only() || attribute.is_secret() {
            return Ok(());
        }
        let Some(value) = self.reader.attribute(attribute, value)? else { return Ok(()) };
        let object = self.document.entry(schema.id.as_str()).or_insert_with(|| Value::Object(Map::new()));
        match object.as_object_mut() {
            Some(object) => insert(object, attribute, value),
            None => Ok(()),
        }
    }

    /// `schemas` is computed from what the document holds; here it is only checked.
    fn schemas(&mut self, value: Value) -> Result<(), ScimError> {
        let profile = self.reader.profile;
        let urns = match value {
            Value::Null => return Ok(()),
            Value::Array(urns) => urns,
            other => vec![other],
        };
        for urn in &urns {
            let Some(urn) = urn.as_str() else {
                return Err(ScimError::syntax(format!("`schemas`: expected a URN, found {urn}")));
            };
            if urn.eq_ignore_ascii_case(&self.resource_type.base().id) {
                self.schemas_given = true;
            } else if self.resource_type.extension(urn).is_none() {
                if !profile.ignore_unknown_schemas {
                    return Err(ScimError::value(format!("`schemas`: `{urn}` is no schema of this resource type")));
                }
                self.reader.ignored.push(urn.to_owned());
            }
        }
        Ok(())
    }
}

fn insert(object: &mut Document, attribute: &Attribute, value: Value) -> Result<(), ScimError> {
    match object.insert(attribute.name.clone(), value) {
        Some(_) => Err(twice(&attribute.name)),
        None => Ok(()),
    }
}

/// Whether everything required is there.
fn check_required(resource_type: &ResourceType, document: &Document) -> Result<(), ScimError> {
    let missing = |attribute: &&Attribute, object: Option<&Document>| {
        attribute.required
            && !attribute.is_read_only()
            && attribute.name != "schemas"
            && object.and_then(|object| object.get(&attribute.name)).is_none_or(is_empty)
    };
    let refuse = |path: &str| Err(ScimError::value(format!("`{path}` is required")));
    if let Some(attribute) = resource_type.attributes().find(|attribute| missing(attribute, Some(document))) {
        return refuse(&attribute.name);
    }
    for Extension { schema, required } in resource_type.extensions() {
        let object = document.get(&schema.id).and_then(Value::as_object);
        if object.is_none() && !required {
            continue;
        }
        if object.is_none() {
            return refuse(&schema.id);
        }
        if let Some(attribute) = schema.attributes.iter().find(|attribute| missing(attribute, object)) {
            return refuse(&format!("{}:{}", schema.id, attribute.name));
        }
    }
    Ok(())
}
