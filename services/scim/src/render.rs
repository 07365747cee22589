//! Showing a canonical document to clients: with its id, `schemas` and `meta`.

use serde_json::{Value, json};

use crate::document::Document;
use crate::schema::ResourceType;

/// What the server knows of a resource beside its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The id, issued by the server.
    pub id: String,
    /// When it was made, as RFC 3339 text.
    pub created: String,
    /// When it last changed, as RFC 3339 text.
    pub last_modified: String,
    /// Its absolute location.
    pub location: String,
    /// Its version, equal to the `ETag` header, such as `W/"7"`.
    pub version: String,
}

/// The URNs of the schemas whose attributes a document has: the resource type's own and those of its extensions.
pub fn schemas_of<'r>(resource_type: &'r ResourceType, document: &Document) -> Vec<&'r str> {
    let extensions = resource_type.extensions().iter().map(|extension| extension.schema.id.as_str());
    [resource_type.base().id.as_str()].into_iter().chain(extensions.filter(|urn| document.contains_key(*urn))).collect()
}

/// The resource as clients see it, before it is cut by a projection. Attributes the server computes, such as
/// `groups` and `members`, can be inserted into the result.
pub fn render(resource_type: &ResourceType, identity: Identity, mut document: Document) -> Document {
    let schemas = schemas_of(resource_type, &document);
    document.insert("schemas".to_owned(), json!(schemas));
    document.insert("id".to_owned(), Value::String(identity.id));
    document.insert(
        "meta".to_owned(),
        json!({
            "resourceType": resource_type.name(),
            "created": identity.created,
            "lastModified": identity.last_modified,
            "location": identity.location,
            "version": identity.version,
        }),
    );
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;
    use crate::schema::{ENTERPRISE_SCHEMA, USER_SCHEMA};

    #[test]
    fn schemas_follow_from_what_the_document_has() {
        let registry = Registry::standard().unwrap();
        let user = registry.resource_type("User").unwrap();
        let mut document = Document::from_iter([("userName".to_owned(), json!("a"))]);
        assert_eq!(schemas_of(user, &document), [USER_SCHEMA]);
        document.insert(ENTERPRISE_SCHEMA.to_owned(), json!({"department": "x"}));
        let identity = Identity {
            id: "1".to_owned(),
            created: "2026-01-01T00:00:00Z".to_owned(),
            last_modified: "2026-01-01T00:00:00Z".to_owned(),
            location: "https://example.com/scim/v2/Users/1".to_owned(),
            version: "W/\"1\"".to_owned(),
        };
        let rendered = render(user, identity, document);
        assert_eq!(rendered["schemas"], json!([USER_SCHEMA, ENTERPRISE_SCHEMA]));
        assert_eq!(rendered["meta"]["resourceType"], "User");
    }
}
