//! Schemas and the resource types made of them (RFC 7643 sections 6 and 7).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::attribute::{Attribute, named};
use super::{GROUP_SCHEMA, USER_SCHEMA};

/// A named set of attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// Its URN.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it describes.
    #[serde(default)]
    pub description: String,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// The attribute of that name, in any case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        named(&self.attributes, name)
    }
}

/// A resource type as data: what a configuration file holds and what `/ResourceTypes` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceTypeDefinition {
    /// Its name, such as `User`.
    pub name: String,
    /// Its endpoint under the base path, such as `/Users`.
    pub endpoint: String,
    /// What it is.
    #[serde(default)]
    pub description: String,
    /// URN of its schema.
    pub schema: String,
    /// The schemas that extend it.
    #[serde(default)]
    pub schema_extensions: Vec<ExtensionDefinition>,
}

/// A schema that extends a resource type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionDefinition {
    /// Its URN.
    pub schema: String,
    /// Whether every resource must have it.
    #[serde(default)]
    pub required: bool,
}

/// A schema that extends a resource type, resolved.
#[derive(Debug, Clone)]
pub struct Extension {
    /// The schema.
    pub schema: Arc<Schema>,
    /// Whether every resource must have it.
    pub required: bool,
}

/// A resource type with its schemas at hand.
#[derive(Debug, Clone)]
pub struct ResourceType {
    pub(super) definition: ResourceTypeDefinition,
    pub(super) base: Arc<Schema>,
    pub(super) extensions: Vec<Extension>,
    pub(super) common: Arc<[Attribute]>,
}

impl ResourceType {
    /// Its name, such as `User`.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// Its endpoint under the base path, such as `/Users`.
    pub fn endpoint(&self) -> &str {
        &self.definition.endpoint
    }

    /// The resource type as data.
    pub fn definition(&self) -> &ResourceTypeDefinition {
        &self.definition
    }

    /// Its own schema.
    pub fn base(&self) -> &Schema {
        &self.base
    }

    /// The schemas that extend it.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The attribute of that name outside extensions, in any case; `id`, `externalId`, `meta` and `schemas` too.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.base.attribute(name).or_else(|| named(&self.common, name))
    }

    /// The attributes outside extensions: those every resource has, then those of its own schema.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.common.iter().chain(&self.base.attributes)
    }

    /// The extension with that URN, in any case.
    pub fn extension(&self, urn: &str) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.schema.id.eq_ignore_ascii_case(urn))
    }

    /// Whether resources of it are people.
    pub fn is_user(&self) -> bool {
        self.base.id == USER_SCHEMA
    }

    /// Whether resources of it have members, which are kept as edges and not in the document.
    pub fn is_group(&self) -> bool {
        self.base.id == GROUP_SCHEMA
    }

    /// Whether the attribute is the members of a group.
    pub(crate) fn is_membership(&self, place: &super::Place) -> bool {
        self.is_group() && place.extension.is_none() && place.attribute.name == "members"
    }
}

/// Schemas, extensions and resource types beyond the standard ones, as a configuration file holds them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Definitions {
    /// Schemas.
    pub schemas: Vec<Schema>,
    /// Schemas that extend a resource type which is there.
    pub extensions: Vec<Extends>,
    /// Resource types.
    pub resource_types: Vec<ResourceTypeDefinition>,
}

/// A schema that extends a resource type which is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extends {
    /// Name of the resource type, such as `User`.
    pub resource_type: String,
    /// The schema.
    #[serde(flatten)]
    pub extension: ExtensionDefinition,
}
