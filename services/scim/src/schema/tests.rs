use serde_json::json;

use super::*;

const BADGE: &str = "urn:example:schemas:2.0:Badge";

fn registry() -> Registry {
    Registry::standard().unwrap()
}

fn badge() -> Schema {
    serde_json::from_value(json!({
        "id": BADGE, "name": "Badge", "attributes": [{"name": "number", "type": "integer", "required": true}],
    }))
    .unwrap()
}

fn path(text: &str) -> Option<String> {
    let registry = registry();
    registry.resource_type("User").unwrap().place(text, true).map(|place| place.path())
}

#[test]
fn names_are_found_in_any_case() {
    assert_eq!(path("USERNAME").unwrap(), "userName");
    assert_eq!(path("Emails.VALUE").unwrap(), "emails.value");
    assert_eq!(path("META.lastmodified").unwrap(), "meta.lastModified");
    assert_eq!(path("groups.$REF").unwrap(), "groups.$ref");
}

#[test]
fn a_urn_with_dots_and_colons_is_found_by_the_registry() {
    let canonical = format!("{ENTERPRISE_SCHEMA}:manager.value");
    assert_eq!(path(&canonical.to_uppercase()).unwrap(), canonical);
    assert_eq!(path(&format!("{USER_SCHEMA}:name.givenName")).unwrap(), "name.givenName");
    assert_eq!(path(&format!("{ENTERPRISE_SCHEMA}:userName")), None);
    assert_eq!(path("urn:ietf:params:scim:schemas:extension:enterprise:2.0:manager"), None);
}

#[test]
fn the_longest_registered_urn_wins() {
    let mut longer = badge();
    longer.id = format!("{BADGE}:number");
    let extension = |schema: &str| ExtensionDefinition { schema: schema.to_owned(), required: false };
    let registry = registry().with_schema(badge()).unwrap().with_schema(longer).unwrap();
    let registry = registry.with_extension("User", extension(BADGE)).unwrap();
    let registry = registry.with_extension("User", extension(&format!("{BADGE}:number"))).unwrap();
    let user = registry.resource_type("User").unwrap();
    let place = user.place(&format!("{BADGE}:number:number"), false).unwrap();
    assert_eq!(place.extension.unwrap().id, format!("{BADGE}:number"));
    assert!(matches!(user.locate(BADGE, false), Some(Located::Extension(_))));
}

#[test]
fn an_attribute_of_an_extension_is_found_without_its_urn_only_where_allowed() {
    let registry = registry();
    let user = registry.resource_type("User").unwrap();
    assert!(user.place("manager", false).is_none());
    assert_eq!(user.place("manager", true).unwrap().extension.unwrap().id, ENTERPRISE_SCHEMA);
}

#[test]
fn the_verified_errata_are_applied() {
    let registry = registry();
    let group = registry.resource_type("Group").unwrap();
    assert!(group.attribute("displayName").unwrap().required);
    let user = registry.resource_type("User").unwrap();
    assert_eq!(user.attribute("emails").unwrap().uniqueness, None);
    assert_eq!(user.attribute("x509Certificates").unwrap().sub("value").unwrap().kind, AttributeType::Binary);
    assert_eq!(user.attribute("groups").unwrap().sub("$ref").unwrap().reference_types, ["Group"]);
    assert!(user.place("manager.value", true).unwrap().leaf().is_case_exact());
}

#[test]
fn a_custom_resource_type_is_data() {
    let definition = serde_json::from_value(json!({"name": "Badge", "endpoint": "/Badges", "schema": BADGE})).unwrap();
    let registry = registry().with_schema(badge()).unwrap().with_resource_type(definition).unwrap();
    assert_eq!(registry.by_endpoint("/badges").unwrap().attribute("NUMBER").unwrap().kind, AttributeType::Integer);
}

#[test]
fn schemas_that_break_the_rules_are_refused() {
    let refused = |attributes: serde_json::Value| {
        let schema = json!({"id": "urn:x:y", "name": "X", "attributes": attributes});
        registry().with_schema(serde_json::from_value(schema).unwrap()).unwrap_err().to_string()
    };
    let nested = json!([{"name": "a", "type": "complex", "subAttributes": [
        {"name": "b", "type": "complex", "subAttributes": [{"name": "c"}]}]}]);
    assert!(refused(nested).contains("do not nest"));
    assert!(refused(json!([{"name": "a"}, {"name": "A"}])).contains("another attribute"));
    assert!(refused(json!([{"name": "meta"}])).contains("every resource"));
    assert!(refused(json!([{"name": "a b"}])).contains("no name"));
    assert!(refused(json!([{"name": "a", "type": "complex"}])).contains("sub-attributes"));
    assert!(registry().with_schema(Schema { id: USER_SCHEMA.to_uppercase(), ..badge() }).is_err());
}

#[test]
fn resource_types_that_break_the_rules_are_refused() {
    let refused = |name: &str, endpoint: &str, schema: &str| {
        let definition = json!({"name": name, "endpoint": endpoint, "schema": schema});
        registry().with_resource_type(serde_json::from_value(definition).unwrap()).is_err()
    };
    assert!(refused("User", "/People", USER_SCHEMA));
    assert!(refused("Person", "/users", USER_SCHEMA));
    assert!(refused("Person", "/Bulk", USER_SCHEMA));
    assert!(refused("Person", "/People", "urn:none:such"));
    assert!(!refused("Person", "/People", USER_SCHEMA));
}
