//! Schemas, resource types and the registry that holds them: everything else in this crate is driven by these.

mod attribute;
mod registry;
mod resolve;
mod resource_type;
#[cfg(test)]
mod tests;

pub use attribute::{Attribute, AttributeType, Mutability, Returned, Uniqueness};
pub use registry::{Registry, RegistryError};
pub use resolve::{Located, Place};
pub use resource_type::{
    Definitions, Extends, Extension, ExtensionDefinition, ResourceType, ResourceTypeDefinition, Schema,
};

pub(crate) use attribute::is_name;

/// URN of the core user schema.
pub const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// URN of the core group schema.
pub const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// URN of the enterprise extension of the user schema.
pub const ENTERPRISE_SCHEMA: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
