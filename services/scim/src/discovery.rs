//! What the server tells of itself: `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` (RFC 7643 sections 5 to
//! 7, RFC 7644 section 4, RFC 9865 section 4).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::schema::{Registry, ResourceType, Schema};

const CONFIG_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// A way to authenticate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationScheme {
    /// One of `oauth`, `oauth2`, `oauthbearertoken`, `httpbasic`, `httpdigest`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name for people.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Where it is specified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec_uri: Option<String>,
    /// Whether it is the preferred one.
    pub primary: bool,
}

impl AuthenticationScheme {
    /// Bearer tokens in the Authorization header.
    pub fn bearer_token() -> Self {
        Self {
            kind: "oauthbearertoken".to_owned(),
            name: "Bearer token".to_owned(),
            description: "A token of the connection in the Authorization header.".to_owned(),
            spec_uri: Some("https://www.rfc-editor.org/info/rfc6750".to_owned()),
            primary: true,
        }
    }
}

/// What the server does and within which limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceProviderConfig {
    /// Most operations of one bulk request.
    pub max_operations: usize,
    /// Largest body of a bulk request, in bytes.
    pub max_payload_size: usize,
    /// Most resources one answer has, and so the largest page.
    pub max_results: usize,
    /// The page size where a client asks for none.
    pub default_page_size: usize,
    /// Seconds a cursor can be used. None where it never expires.
    pub cursor_timeout: Option<u64>,
    /// Whether passwords can be changed.
    pub change_password: bool,
    /// The ways to authenticate.
    pub authentication_schemes: Vec<AuthenticationScheme>,
    /// Where people read about it.
    pub documentation_uri: Option<String>,
    /// URIs of the security events on the stream (RFC 9967). Empty where there are none.
    pub event_uris: Vec<String>,
}

impl ServiceProviderConfig {
    /// The document at `<base>/ServiceProviderConfig`. Every member is always there: some clients take a document
    /// that lacks one for that of a server that can do nothing.
    pub fn render(&self, base: &str) -> Value {
        let mut config = json!({
            "schemas": [CONFIG_SCHEMA],
            "patch": {"supported": true},
            "bulk": {
                "supported": true, "maxOperations": self.max_operations, "maxPayloadSize": self.max_payload_size,
            },
            "filter": {"supported": true, "maxResults": self.max_results},
            "changePassword": {"supported": self.change_password},
            "sort": {"supported": true},
            "etag": {"supported": true},
            "pagination": {
                "cursor": true, "index": true, "defaultPaginationMethod": "index",
                "defaultPageSize": self.default_page_size, "maxPageSize": self.max_results,
            },
            "authenticationSchemes": self.authentication_schemes,
            "meta": meta("ServiceProviderConfig", &format!("{base}/ServiceProviderConfig")),
        });
        if let Some(seconds) = self.cursor_timeout {
            config["pagination"]["cursorTimeout"] = seconds.into();
        }
        if let Some(uri) = &self.documentation_uri {
            config["documentationUri"] = uri.as_str().into();
        }
        if !self.event_uris.is_empty() {
            config["securityEvents"] = json!({"asyncRequest": "none", "eventUris": self.event_uris});
        }
        config
    }
}

/// The document at `<base>/ResourceTypes/<name>`.
pub fn resource_type(resource_type: &ResourceType, base: &str) -> Value {
    let mut document = json!(resource_type.definition());
    document["schemas"] = json!([RESOURCE_TYPE_SCHEMA]);
    document["id"] = resource_type.name().into();
    document["meta"] = meta("ResourceType", &format!("{base}/ResourceTypes/{}", resource_type.name()));
    document
}

/// The document at `<base>/Schemas/<urn>`.
pub fn schema(schema: &Schema, base: &str) -> Value {
    let mut document = json!(schema);
    document["schemas"] = json!([SCHEMA_SCHEMA]);
    document["meta"] = meta("Schema", &format!("{base}/Schemas/{}", schema.id));
    document
}

/// All of `<base>/ResourceTypes`.
pub fn resource_types(registry: &Registry, base: &str) -> Vec<Value> {
    registry.resource_types().iter().map(|known| resource_type(known, base)).collect()
}

/// All of `<base>/Schemas`: those that some resource type has.
pub fn schemas(registry: &Registry, base: &str) -> Vec<Value> {
    registry.schemas().map(|known| schema(known, base)).collect()
}

fn meta(resource_type: &str, location: &str) -> Value {
    json!({"resourceType": resource_type, "location": location})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_SCHEMA, USER_SCHEMA};

    const BASE: &str = "https://example.com/scim/v2";

    #[test]
    fn the_service_provider_config_is_complete() {
        let config = ServiceProviderConfig {
            max_operations: 1000,
            max_payload_size: 1 << 20,
            max_results: 1000,
            default_page_size: 100,
            cursor_timeout: Some(600),
            change_password: false,
            authentication_schemes: vec![AuthenticationScheme::bearer_token()],
            documentation_uri: None,
            event_uris: Vec::new(),
        };
        let config = config.render(BASE);
        for path in [
            "/bulk/maxOperations",
            "/bulk/maxPayloadSize",
            "/filter/maxResults",
            "/changePassword/supported",
            "/sort/supported",
            "/etag/supported",
            "/patch/supported",
            "/pagination/cursorTimeout",
            "/authenticationSchemes/0/type",
            "/authenticationSchemes/0/description",
        ] {
            assert!(config.pointer(path).is_some(), "{path}");
        }
        assert_eq!(config["meta"]["location"], format!("{BASE}/ServiceProviderConfig"));
        assert_eq!(config["pagination"]["defaultPaginationMethod"], "index");
    }

    #[test]
    fn schemas_and_resource_types_are_shown_as_they_are() {
        let registry = Registry::standard().unwrap();
        let schemas = schemas(&registry, BASE);
        assert_eq!(schemas.len(), 3);
        let user_name = &schemas[0]["attributes"][0];
        assert_eq!(user_name["name"], "userName");
        assert_eq!((&user_name["caseExact"], &user_name["uniqueness"]), (&json!(false), &json!("server")));
        let types = resource_types(&registry, BASE);
        assert_eq!(types[0]["schemaExtensions"], json!([{"schema": ENTERPRISE_SCHEMA, "required": false}]));
        assert_eq!((&types[0]["schema"], &types[0]["id"]), (&json!(USER_SCHEMA), &json!("User")));
    }

    #[test]
    fn what_is_shown_of_a_schema_can_be_read_again() {
        let registry = Registry::standard().unwrap();
        for known in registry.schemas() {
            let again: Schema = serde_json::from_value(schema(known, BASE)).unwrap();
            assert_eq!(&again, known);
        }
    }
}
