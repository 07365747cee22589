//! Carrying out operations: which attribute, whether it may change, and what is left to check afterwards.

use serde_json::{Map, Value};

use super::pathless::KeyTarget;
use super::request::{Operation, OperationKind};
use super::target::{Target, resolve};
use super::{MemberEdit, Patched, elements, given, write};
use crate::document::{Document, Reader, check_spelling};
use crate::error::ScimError;
use crate::filter::{Filter, is_empty};
use crate::profile::Profile;
use crate::schema::{Mutability, Place, ResourceType, Schema};

/// Work of one PATCH, in elements looked at: bounds what many operations on long lists cost.
const MAX_WORK: usize = 1_000_000;

pub(super) struct Applier<'a> {
    pub(super) resource_type: &'a ResourceType,
    pub(super) reader: Reader<'a>,
    pub(super) members: Vec<MemberEdit>,
    document: Document,
    password_given: bool,
    work: usize,
}

impl<'a> Applier<'a> {
    pub(super) fn new(resource_type: &'a ResourceType, document: Document, profile: &'a Profile) -> Self {
        let reader = Reader::new(profile);
        Self { resource_type, reader, members: Vec::new(), document, password_given: false, work: 0 }
    }

    pub(super) fn profile(&self) -> &'a Profile {
        self.reader.profile
    }

    pub(super) fn finish(self, before: &Document) -> Patched {
        Patched {
            unchanged: self.members.is_empty() && self.document == *before,
            document: self.document,
            members: self.members,
            password_given: self.password_given,
            ignored: self.reader.ignored,
        }
    }

    pub(super) fn operation(&mut self, operation: Operation) -> Result<(), ScimError> {
        let Operation { kind, path, value } = operation;
        let Some(path) = path else { return self.pathless(kind, value) };
        match resolve(self.resource_type, &path, self.profile())? {
            Some(target) => self.target(kind, target, value).map_err(|error| error.within(&path)),
            None => Err(ScimError::path(format!("there is no attribute `{path}`"))),
        }
    }

    pub(super) fn target(
        &mut self,
        kind: OperationKind,
        target: Target<'a>,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        match target {
            Target::Attribute { place, filter } => self.attribute(kind, place, filter, value),
            Target::Extension(schema) => self.extension(kind, schema, value),
        }
    }

    /// An operation without a path: each member of the value is one of its own.
    fn pathless(&mut self, kind: OperationKind, value: Option<Value>) -> Result<(), ScimError> {
        let Some(Value::Object(members)) = value else {
            return Err(ScimError::value("an operation without a path needs an object as its value"));
        };
        check_spelling(&members)?;
        for (name, value) in members {
            match self.key(&name)? {
                KeyTarget::Ignored => {}
                KeyTarget::Target(target) => {
                    self.target(kind, target, Some(value)).map_err(|error| error.within(&name))?;
                }
            }
        }
        Ok(())
    }

    /// An extension as a whole. Like a complex attribute, it keeps what a value does not speak of.
    fn extension(&mut self, kind: OperationKind, schema: &'a Schema, value: Option<Value>) -> Result<(), ScimError> {
        if kind == OperationKind::Remove {
            let there: Vec<String> = match self.document.get(&schema.id) {
                Some(Value::Object(object)) => object.keys().cloned().collect(),
                _ => Vec::new(),
            };
            for attribute in there.iter().filter_map(|name| schema.attribute(name)) {
                let place = Place { extension: Some(schema), attribute, sub: None };
                self.attribute(kind, place, None, None)?;
            }
            return Ok(());
        }
        let members = match value {
            Some(Value::Object(members)) => members,
            Some(Value::Null) if kind == OperationKind::Replace => {
                return self.extension(OperationKind::Remove, schema, None);
            }
            _ => return Err(ScimError::value(format!("`{}`: expected an object", schema.id))),
        };
        check_spelling(&members)?;
        for (name, value) in members {
            match self.extension_key(schema, &name)? {
                KeyTarget::Ignored => {}
                KeyTarget::Target(target) => self.target(kind, target, Some(value))?,
            }
        }
        Ok(())
    }

    fn attribute(
        &mut self,
        kind: OperationKind,
        place: Place<'a>,
        filter: Option<Filter>,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        let attribute = place.attribute;
        if attribute.is_secret() || place.leaf().is_secret() {
            self.password_given |= attribute.name == "password" && given(value).is_some_and(|value| !is_empty(&value));
            return Ok(());
        }
        if attribute.is_read_only() || place.leaf().is_read_only() || attribute.name == "schemas" {
            return Err(ScimError::mutability(format!("`{}` is set by the server alone", place.path())));
        }
        if self.resource_type.is_membership(&place) {
            return self.member_edit(kind, &place, filter, value);
        }
        let object = container(&mut self.document, place.extension)?;
        let before = object.get(&attribute.name).cloned();
        if filter.is_some() || attribute.multi_valued && place.sub.is_some() {
            self.work += before.as_ref().and_then(Value::as_array).map_or(1, Vec::len);
            if self.work > MAX_WORK {
                return Err(ScimError::too_large("this PATCH looks at too many values"));
            }
            elements::write(&mut self.reader, object, kind, &place, filter.as_ref(), value)?;
        } else {
            write::write(&mut self.reader, object, kind, &place, value)?;
        }
        let after = object.get(&attribute.name);
        let is_removed = before.is_some() && after.is_none_or(is_empty);
        let is_changed = before.is_some() && after != before.as_ref();
        if attribute.required && after.is_none_or(is_empty) && (is_removed || kind == OperationKind::Remove) {
            return Err(ScimError::mutability(format!("`{}` is required and cannot be removed", place.path())));
        }
        if attribute.mutability == Mutability::Immutable && is_changed {
            return Err(ScimError::mutability(format!("`{}` cannot be changed once it is set", place.path())));
        }
        if object.is_empty()
            && let Some(extension) = place.extension
        {
            self.document.remove(&extension.id);
        }
        Ok(())
    }
}

/// The object an attribute stands in: the document, or the object of its extension.
fn container<'d>(document: &'d mut Document, extension: Option<&Schema>) -> Result<&'d mut Document, ScimError> {
    let Some(extension) = extension else { return Ok(document) };
    let object = document.entry(extension.id.as_str()).or_insert_with(|| Value::Object(Map::new()));
    object.as_object_mut().ok_or_else(|| ScimError::new(500, format!("`{}` is no object", extension.id)))
}
