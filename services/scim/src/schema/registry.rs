//! The registry: the schemas and resource types a server knows, standard ones and those added as data.

use std::collections::HashSet;
use std::sync::Arc;

use super::attribute::{Attribute, AttributeType, Mutability, Uniqueness, is_name, named};
use super::resource_type::{
    Definitions, Extends, Extension, ExtensionDefinition, ResourceType, ResourceTypeDefinition, Schema,
};

const COMMON: &str = include_str!("../../../../schemas/scim/common.json");
const SCHEMAS: [&str; 3] = [
    include_str!("../../../../schemas/scim/user.json"),
    include_str!("../../../../schemas/scim/group.json"),
    include_str!("../../../../schemas/scim/enterprise-user.json"),
];
const RESOURCE_TYPES: &str = include_str!("../../../../schemas/scim/resource-types.json");

/// Endpoints of the protocol itself, which no resource type can have.
const RESERVED: [&str; 6] = ["/Me", "/Bulk", "/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/.search"];

/// Why a schema or resource type cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A document is not the JSON of a schema or resource type.
    #[error("not a schema or resource type")]
    Malformed(#[from] serde_json::Error),
    /// A schema with that URN exists, or the text is no URN.
    #[error("`{0}` cannot be the id of a schema: {1}")]
    SchemaId(String, &'static str),
    /// An attribute breaks a rule of RFC 7643.
    #[error("attribute `{attribute}` of `{schema}`: {reason}")]
    Attribute {
        /// The schema.
        schema: String,
        /// The attribute's path in it.
        attribute: String,
        /// The rule.
        reason: &'static str,
    },
    /// A resource type breaks a rule of RFC 7643.
    #[error("resource type `{0}`: {1}")]
    ResourceType(String, &'static str),
    /// A resource type names a schema that is not registered.
    #[error("schema `{0}` is not registered")]
    UnknownSchema(String),
    /// An extension names a resource type that is not registered.
    #[error("resource type `{0}` is not registered")]
    UnknownResourceType(String),
}

/// The schemas and resource types a server knows.
#[derive(Debug, Clone)]
pub struct Registry {
    common: Arc<[Attribute]>,
    schemas: Vec<Arc<Schema>>,
    resource_types: Vec<ResourceType>,
}

impl Registry {
    /// Users with the enterprise extension, and groups, as RFC 7643 and its verified errata describe them.
    pub fn standard() -> Result<Self, RegistryError> {
        let common: Vec<Attribute> = serde_json::from_str(COMMON)?;
        let mut registry = Self { common: common.into(), schemas: Vec::new(), resource_types: Vec::new() };
        for schema in SCHEMAS {
            registry = registry.with_schema(serde_json::from_str(schema)?)?;
        }
        let resource_types: Vec<ResourceTypeDefinition> = serde_json::from_str(RESOURCE_TYPES)?;
        resource_types.into_iter().try_fold(registry, Self::with_resource_type)
    }

    /// The registry with one more schema.
    pub fn with_schema(mut self, mut schema: Schema) -> Result<Self, RegistryError> {
        if !schema.id.contains(':') || schema.id.contains(|c: char| !c.is_ascii_graphic() || "\"()[]".contains(c)) {
            return Err(RegistryError::SchemaId(schema.id, "it must be a URI"));
        }
        if self.schema(&schema.id).is_some() {
            return Err(RegistryError::SchemaId(schema.id, "it is registered"));
        }
        self.check_attributes(&schema)?;
        schema.attributes.iter_mut().for_each(Attribute::complete);
        self.schemas.push(Arc::new(schema));
        Ok(self)
    }

    /// The registry with one more resource type, whose schemas must be registered.
    pub fn with_resource_type(mut self, definition: ResourceTypeDefinition) -> Result<Self, RegistryError> {
        let refuse = |reason| Err(RegistryError::ResourceType(definition.name.clone(), reason));
        if !is_name(&definition.name) {
            return refuse("its name must be letters and digits");
        }
        if self.resource_type(&definition.name).is_some() {
            return refuse("it is registered");
        }
        if !definition.endpoint.strip_prefix('/').is_some_and(is_name) {
            return refuse("its endpoint must be a slash and letters or digits");
        }
        let endpoint = &definition.endpoint;
        if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(endpoint))
            || self.by_endpoint(endpoint).is_some()
        {
            return refuse("its endpoint is taken");
        }
        let base = self.registered(&definition.schema)?;
        let mut resource_type =
            ResourceType { base, extensions: Vec::new(), common: Arc::clone(&self.common), definition };
        for extension in std::mem::take(&mut resource_type.definition.schema_extensions) {
            self.extend(&mut resource_type, extension)?;
        }
        self.resource_types.push(resource_type);
        Ok(self)
    }

    /// The registry with what a configuration file defines.
    pub fn with(self, definitions: Definitions) -> Result<Self, RegistryError> {
        let registry = definitions.schemas.into_iter().try_fold(self, Self::with_schema)?;
        let extend =
            |registry: Self, extends: Extends| registry.with_extension(&extends.resource_type, extends.extension);
        let registry = definitions.extensions.into_iter().try_fold(registry, extend)?;
        definitions.resource_types.into_iter().try_fold(registry, Self::with_resource_type)
    }

    /// The registry with a schema extending a resource type.
    pub fn with_extension(
        mut self,
        resource_type: &str,
        extension: ExtensionDefinition,
    ) -> Result<Self, RegistryError> {
        let unknown = || RegistryError::UnknownResourceType(resource_type.to_owned());
        let position =
            self.resource_types.iter().position(|known| known.name() == resource_type).ok_or_else(unknown)?;
        let mut extended = self.resource_types[position].clone();
        self.extend(&mut extended, extension)?;
        self.resource_types[position] = extended;
        Ok(self)
    }

    fn extend(&self, resource_type: &mut ResourceType, extension: ExtensionDefinition) -> Result<(), RegistryError> {
        let schema = self.registered(&extension.schema)?;
        if resource_type.extension(&schema.id).is_some() || resource_type.base().id == schema.id {
            return Err(RegistryError::ResourceType(resource_type.name().to_owned(), "it has the extension already"));
        }
        resource_type.extensions.push(Extension { schema, required: extension.required });
        resource_type.definition.schema_extensions.push(extension);
        Ok(())
    }

    fn registered(&self, urn: &str) -> Result<Arc<Schema>, RegistryError> {
        let schema = self.schemas.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn));
        schema.map(Arc::clone).ok_or_else(|| RegistryError::UnknownSchema(urn.to_owned()))
    }

    /// The schema with that URN, in any case.
    pub fn schema(&self, urn: &str) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn)).map(AsRef::as_ref)
    }

    /// All schemas.
    pub fn schemas(&self) -> impl Iterator<Item = &Schema> {
        self.schemas.iter().map(AsRef::as_ref)
    }

    /// The resource type of that name. Names are exact.
    pub fn resource_type(&self, name: &str) -> Option<&ResourceType> {
        self.resource_types.iter().find(|resource_type| resource_type.name() == name)
    }

    /// The resource type at that endpoint, such as `/Users`.
    pub fn by_endpoint(&self, endpoint: &str) -> Option<&ResourceType> {
        self.resource_types.iter().find(|resource_type| resource_type.endpoint().eq_ignore_ascii_case(endpoint))
    }

    /// All resource types.
    pub fn resource_types(&self) -> &[ResourceType] {
        &self.resource_types
    }

    fn check_attributes(&self, schema: &Schema) -> Result<(), RegistryError> {
        let mut names = HashSet::new();
        for attribute in &schema.attributes {
            let refuse = |path: &str, reason| {
                Err(RegistryError::Attribute { schema: schema.id.clone(), attribute: path.to_owned(), reason })
            };
            if named(&self.common, &attribute.name).is_some() {
                return refuse(&attribute.name, "every resource has an attribute of that name");
            }
            if let Some(reason) = fault(attribute, &mut names) {
                return refuse(&attribute.name, reason);
            }
            let mut sub_names = HashSet::new();
            for sub in &attribute.sub_attributes {
                let path = format!("{}.{}", attribute.name, sub.name);
                if sub.is_complex() {
                    return refuse(&path, "complex attributes do not nest");
                }
                if let Some(reason) = fault(sub, &mut sub_names) {
                    return refuse(&path, reason);
                }
            }
        }
        Ok(())
    }
}

/// The rule of RFC 7643 an attribute breaks, seen alone and beside those whose names are given.
fn fault(attribute: &Attribute, names: &mut HashSet<String>) -> Option<&'static str> {
    if !is_name(&attribute.name) {
        return Some("this is no name of an attribute");
    }
    if !names.insert(attribute.name.to_ascii_lowercase()) {
        return Some("another attribute has that name");
    }
    if attribute.is_complex() == attribute.sub_attributes.is_empty() {
        return Some("complex attributes have sub-attributes, and no others do");
    }
    if attribute.is_complex() && attribute.uniqueness.is_some_and(|uniqueness| uniqueness != Uniqueness::None) {
        return Some("complex attributes are not unique, their parts are");
    }
    if attribute.mutability == Mutability::WriteOnly && attribute.required {
        return Some("what is never kept cannot be required");
    }
    if attribute.kind != AttributeType::Reference && !attribute.reference_types.is_empty() {
        return Some("only references have reference types");
    }
    None
}
