//! Requests as the documentation of identity providers shows them, and what they mean.

use serde_json::{Value, json};

use super::*;
use crate::schema::{ENTERPRISE_SCHEMA, Registry};
use crate::{Preset, Profile, ScimType};

fn patched(resource_type: &str, current: &Value, body: Value, preset: Preset) -> Result<Patched, ScimError> {
    let registry = Registry::standard().unwrap();
    let profile = Profile::of(preset);
    let request = PatchRequest::parse(body, &profile)?;
    apply(registry.resource_type(resource_type).unwrap(), current.as_object().unwrap(), request, &profile)
}

fn body(operations: impl Into<Value>) -> Value {
    let operations = operations.into();
    json!({"schemas": [PATCH_SCHEMA], "Operations": operations})
}

fn entra(current: &Value, operations: Value) -> Value {
    let patched = patched("User", current, body(operations), Preset::Entra).unwrap_or_else(|error| panic!("{error}"));
    let mut after = patched.document;
    after.remove("userName");
    Value::Object(after)
}

fn user() -> Value {
    json!({"userName": "a"})
}

fn edits(operations: Value, preset: Preset) -> Vec<MemberEdit> {
    patched("Group", &json!({"displayName": "G"}), body(operations), preset).unwrap().members
}

#[test]
fn entra_writes_operations_in_capitals_with_extra_members_and_booleans_as_texts() {
    let operations = json!([{"name": "x", "op": "Replace", "path": "active", "value": "False"}]);
    assert_eq!(entra(&user(), operations), json!({"active": false}));
    let operations = json!([{"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "admin"}]);
    assert_eq!(entra(&user(), operations), json!({"roles": [{"primary": true, "value": "admin"}]}));
}

#[test]
fn entra_merges_changes_into_one_operation_whose_names_are_paths() {
    let current = json!({"userName": "a", "name": {"familyName": "F"}, "emails": [{"type": "work", "value": "o"}]});
    let operations = json!([{"op": "replace", "value": {
        "displayName": "x", "name.givenName": "y", "emails[type eq \"work\"].value": "n",
        (format!("{ENTERPRISE_SCHEMA}:employeeNumber")): "z", "unknown.thing": "q",
    }}]);
    let expected = json!({"displayName": "x", "name": {"familyName": "F", "givenName": "y"},
        "emails": [{"type": "work", "value": "n"}], (ENTERPRISE_SCHEMA): {"employeeNumber": "z"}});
    assert_eq!(entra(&current, operations), expected);
}

#[test]
fn a_name_that_is_a_path_is_never_stored_literally() {
    let operations = json!([{"op": "replace", "value": {"name.givenName": "y"}}]);
    let error = patched("User", &user(), body(operations), Preset::Strict).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax));
}

#[test]
fn entra_writes_to_elements_that_do_not_exist_yet() {
    let operations = json!([
        {"op": "Replace", "path": "emails[type eq \"work\"].Value", "value": "w@x"},
        {"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "1"},
        {"op": "Add", "path": "addresses[type eq \"work\"].postalCode", "value": "2"},
        {"op": "Add", "path": "addresses[type eq \"work\"].Formatted", "value": "3"},
    ]);
    let expected = json!({"emails": [{"type": "work", "value": "w@x"}], "phoneNumbers": [{"type": "mobile", "value": "1"}],
        "addresses": [{"type": "work", "postalCode": "2", "formatted": "3"}]});
    assert_eq!(entra(&user(), operations), expected);
}

#[test]
fn entra_removes_a_value_and_its_element_goes() {
    let current = json!({"userName": "a", "emails": [{"type": "work", "value": "w"}, {"type": "home", "value": "h"}]});
    let after = entra(&current, json!([{"op": "Remove", "path": "emails[type eq \"work\"].value"}]));
    assert_eq!(after, json!({"emails": [{"type": "home", "value": "h"}]}));
    let again = json!([{"op": "Remove", "path": "phoneNumbers[type eq \"work\"].value"}]);
    assert!(patched("User", &current, body(again), Preset::Entra).unwrap().unchanged);
}

#[test]
fn entra_writes_managers_in_every_way_there_is() {
    let manager = format!("{ENTERPRISE_SCHEMA}:manager");
    let stored = json!({(ENTERPRISE_SCHEMA): {"manager": {"value": "7"}}});
    for (path, value) in [
        (manager.as_str(), json!("7")),
        ("manager", json!("7")),
        ("manager", json!([{"value": "7"}])),
        (manager.as_str(), json!({"value": "7"})),
        (manager.as_str(), json!({"value": "7", "displayName": "ignored"})),
    ] {
        assert_eq!(entra(&user(), json!([{"op": "Add", "path": path, "value": value}])), stored, "{path} {value}");
    }
    let reference = json!([{"$ref": "../Users/7", "value": "7"}]);
    let after = entra(&user(), json!([{"op": "Add", "path": "manager", "value": reference}]));
    assert_eq!(after[ENTERPRISE_SCHEMA]["manager"], json!({"value": "7", "$ref": "../Users/7"}));
}

#[test]
fn entra_removes_managers_with_an_empty_text() {
    let manager = format!("{ENTERPRISE_SCHEMA}:manager");
    let current = json!({"userName": "a", (ENTERPRISE_SCHEMA): {"manager": {"value": "7", "$ref": "../Users/7"}}});
    for operation in [
        json!({"op": "Replace", "path": manager, "value": ""}),
        json!({"op": "Replace", "path": manager, "value": {"value": ""}}),
        json!({"op": "Replace", "path": format!("{manager}.value"), "value": null}),
        json!({"op": "Remove", "path": manager}),
    ] {
        assert_eq!(entra(&current, json!([operation])), json!({}), "{operation}");
    }
}

#[test]
fn entra_adds_and_removes_members_by_value_and_by_filter() {
    let add = json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": "f648f8d5"}]}]);
    assert_eq!(edits(add, Preset::Entra), [MemberEdit::Add(vec![Member::new("f648f8d5")])]);
    let by_value = json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "f648f8d5"}]}]);
    let by_filter = json!([{"op": "Remove", "path": "members[value eq \"f648f8d5\"]"}]);
    for operations in [by_value, by_filter] {
        assert_eq!(edits(operations, Preset::Entra), [MemberEdit::Remove(vec!["f648f8d5".to_owned()])]);
    }
}

#[test]
fn a_removal_of_listed_members_never_empties_the_group() {
    assert_eq!(edits(json!([{"op": "Remove", "path": "members", "value": []}]), Preset::Entra), []);
    assert_eq!(edits(json!([{"op": "Remove", "path": "members"}]), Preset::Entra), [MemberEdit::Clear]);
}

#[test]
fn okta_deactivates_without_a_path() {
    let operations = json!([{"op": "replace", "value": {"active": false}}]);
    let patched = patched("User", &user(), body(operations), Preset::Okta).unwrap();
    assert_eq!(json!(patched.document), json!({"userName": "a", "active": false}));
}

#[test]
fn okta_renames_groups_with_their_id_in_the_value() {
    let operations = json!([{"op": "replace", "value": {"id": "abf4dd94", "displayName": "Test SCIMv2"}}]);
    let patched = patched("Group", &json!({"displayName": "G"}), body(operations), Preset::Okta).unwrap();
    assert_eq!(json!(patched.document), json!({"displayName": "Test SCIMv2"}));
    let same = json!([{"op": "replace", "value": {"id": "abf4dd94", "displayName": "G"}}]);
    assert!(self::patched("Group", &json!({"displayName": "G"}), body(same), Preset::Okta).unwrap().unchanged);
}

#[test]
fn okta_changes_members_in_one_request() {
    let operations = json!([
        {"op": "remove", "path": "members[value eq \"1\"]"},
        {"op": "add", "path": "members", "value": [{"value": "2", "display": "t@x"}]},
    ]);
    let display = Some("t@x".to_owned());
    let expected =
        [MemberEdit::Remove(vec!["1".to_owned()]), MemberEdit::Add(vec![Member { display, ..Member::new("2") }])];
    assert_eq!(edits(operations, Preset::Okta), expected);
}

#[test]
fn jumpcloud_adds_what_is_there_already() {
    let current = json!({"userName": "a", "emails": [{"type": "work", "value": "w", "primary": true}]});
    let operations =
        json!([{"op": "add", "path": "emails", "value": [{"value": "w", "primary": "true", "type": "work"}]}]);
    assert!(patched("User", &current, body(operations), Preset::JumpCloud).unwrap().unchanged);
}

#[test]
fn a_bare_list_of_ids_names_members() {
    let operations = json!([{"op": "add", "path": "members", "value": ["1", "2"]}]);
    let members = vec![Member::new("1"), Member::new("2")];
    assert_eq!(edits(operations, Preset::OneLogin), [MemberEdit::Add(members)]);
    let filter = json!([{"op": "add", "path": "members[value eq \"1\"]", "value": {"value": "1"}}]);
    assert_eq!(edits(filter, Preset::OneLogin), [MemberEdit::Add(vec![Member::new("1")])]);
}

#[test]
fn an_unknown_path_is_refused_even_by_lenient_profiles() {
    let operations = json!([{"op": "add", "path": "favouriteColour", "value": "x"}]);
    let error = patched("User", &user(), body(operations), Preset::Entra).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidPath));
    let pathless = json!([{"op": "add", "value": {"favouriteColour": "x"}}]);
    let patched = patched("User", &user(), body(pathless), Preset::Entra).unwrap();
    assert_eq!((patched.ignored, patched.unchanged), (vec!["favouriteColour".to_owned()], true));
}
