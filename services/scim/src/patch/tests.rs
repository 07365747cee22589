use serde_json::{Value, json};

use super::*;
use crate::schema::{ENTERPRISE_SCHEMA, ExtensionDefinition, Registry, USER_SCHEMA};
use crate::{Preset, Profile, ScimType};

const BADGE: &str = "urn:example:scim:1.0:Badge";

fn registry() -> Registry {
    let badge = json!({"id": BADGE, "name": "Badge", "attributes": [
        {"name": "number", "type": "integer", "mutability": "immutable"},
        {"name": "state", "mutability": "readOnly"},
        {"name": "tags", "multiValued": true},
        {"name": "doors", "type": "complex", "multiValued": true, "subAttributes": [
            {"name": "value", "mutability": "immutable"}, {"name": "floor", "type": "integer"},
            {"name": "hours", "multiValued": true}]},
    ]});
    let registry = Registry::standard().unwrap().with_schema(serde_json::from_value(badge).unwrap()).unwrap();
    let extension = ExtensionDefinition { schema: BADGE.to_owned(), required: false };
    registry.with_extension("User", extension).unwrap()
}

fn user() -> Value {
    json!({
        "userName": "bob", "name": {"givenName": "B", "familyName": "C"}, "title": "t",
        "emails": [
            {"type": "work", "value": "w@x", "primary": true}, {"type": "home", "value": "h@x"}, {"type": "work", "value": "v@x"},
        ],
        (ENTERPRISE_SCHEMA): {"department": "d", "manager": {"value": "1", "$ref": "../Users/1"}},
        (BADGE): {"number": 5, "tags": ["a", "b"], "doors": [{"value": "front", "floor": 1}]},
    })
}

fn patched(
    resource_type: &str,
    current: &Value,
    operations: impl Into<Value>,
    preset: Preset,
) -> Result<Patched, ScimError> {
    let operations = operations.into();
    let registry = registry();
    let profile = Profile::of(preset);
    let request = PatchRequest::parse(json!({"schemas": [PATCH_SCHEMA], "Operations": operations}), &profile)?;
    apply(registry.resource_type(resource_type).unwrap(), current.as_object().unwrap(), request, &profile)
}

/// The user after operations under the strict profile.
fn strict(operations: Value) -> Result<Value, ScimError> {
    patched("User", &user(), operations, Preset::Strict).map(|patched| Value::Object(patched.document))
}

/// What the operations make of the user, as the one attribute that changed.
fn changed(attribute: &str, operations: Value) -> Value {
    let after = strict(operations).unwrap_or_else(|error| panic!("{error}"));
    let (mut expected, mut rest) = (user(), after.clone());
    for side in [&mut expected, &mut rest] {
        side.as_object_mut().unwrap().remove(attribute);
    }
    assert_eq!(rest, expected, "nothing else changes");
    after.get(attribute).cloned().unwrap_or_default()
}

fn refused(operations: Value) -> Option<ScimType> {
    strict(operations).expect_err("refused").scim_type
}

fn edits(operations: Value, preset: Preset) -> Result<Vec<MemberEdit>, ScimError> {
    let patched = patched("Group", &json!({"displayName": "G"}), operations, preset)?;
    assert_eq!(json!(patched.document), json!({"displayName": "G"}));
    assert_eq!(patched.unchanged, patched.members.is_empty());
    Ok(patched.members)
}

fn removed(values: &[&str]) -> MemberEdit {
    MemberEdit::Remove(values.iter().map(|value| (*value).to_owned()).collect())
}

fn added(values: &[&str]) -> MemberEdit {
    MemberEdit::Add(values.iter().map(|value| Member::new(*value)).collect())
}

fn one(op: &str, path: &str, value: impl Into<Value>) -> Value {
    let value = value.into();
    if value.is_null() { json!([{"op": op, "path": path}]) } else { json!([{"op": op, "path": path, "value": value}]) }
}

#[test]
fn a_request_that_is_none_is_refused() {
    let profile = Profile::of(Preset::Strict);
    let keyword = |body: Value| PatchRequest::parse(body, &profile).unwrap_err().scim_type;
    let operations = |operations: Value| keyword(json!({"schemas": [PATCH_SCHEMA], "Operations": operations}));
    assert_eq!(keyword(json!([])), Some(ScimType::InvalidSyntax));
    assert_eq!(keyword(json!({"Operations": [{"op": "remove", "path": "title"}]})), Some(ScimType::InvalidSyntax));
    assert_eq!(operations(json!([])), Some(ScimType::InvalidSyntax));
    assert_eq!(operations(json!([{"op": "move", "path": "title"}])), Some(ScimType::InvalidSyntax));
    assert_eq!(operations(json!([{"op": "Add", "path": "title", "value": "x"}])), Some(ScimType::InvalidSyntax));
    assert_eq!(operations(json!([{"op": "add", "path": "title"}])), Some(ScimType::InvalidValue));
    assert_eq!(operations(json!([{"op": "remove"}])), Some(ScimType::NoTarget));
    let many = vec![json!({"op": "remove", "path": "title"}); MAX_OPERATIONS + 1];
    let body = json!({"schemas": [PATCH_SCHEMA], "Operations": many});
    assert_eq!(PatchRequest::parse(body, &profile).unwrap_err().status, 413);
}

#[test]
fn add_sets_single_values_and_merges_objects() {
    assert_eq!(changed("nickName", one("add", "nickName", json!("x"))), "x");
    assert_eq!(changed("title", one("add", "TITLE", json!("x"))), "x");
    let name = json!({"givenName": "X", "familyName": "C"});
    assert_eq!(changed("name", one("add", "name", json!({"givenName": "X"}))), name);
    assert_eq!(changed("name", one("add", "name.givenName", json!("X"))), name);
    assert_eq!(changed("name", json!([{"op": "add", "value": {"name": {"givenName": "X"}}}])), name);
}

#[test]
fn add_appends_to_lists_what_they_lack() {
    let tags = |operations| changed(BADGE, operations)["tags"].clone();
    assert_eq!(tags(one("add", &format!("{BADGE}:tags"), json!(["b", "c"]))), json!(["a", "b", "c"]));
    assert_eq!(tags(one("add", &format!("{BADGE}:tags"), json!("c"))), json!(["a", "b", "c"]));
    let same = one("add", "emails", json!([{"value": "h@x", "type": "home"}]));
    let patched = patched("User", &user(), same, Preset::Strict).unwrap();
    assert!(patched.unchanged, "adding what is there changes nothing");
}

#[test]
fn a_new_primary_value_ends_the_old_one() {
    let primaries = |operations| {
        let emails = changed("emails", operations);
        let emails = emails.as_array().unwrap();
        emails.iter().filter(|email| email["primary"] == true).map(|email| email["value"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(primaries(one("add", "emails", json!([{"value": "n@x", "primary": true}]))), ["n@x"]);
    assert_eq!(primaries(one("replace", "emails[type eq \"home\"].primary", json!(true))), ["h@x"]);
    assert_eq!(primaries(one("add", "emails[type eq \"home\"]", json!({"primary": true}))), ["h@x"]);
    assert_eq!(primaries(one("replace", "emails[type eq \"work\"].primary", json!(true))), ["w@x"]);
}

#[test]
fn replace_keeps_the_parts_of_an_object_it_does_not_speak_of() {
    let name = changed("name", one("replace", "name", json!({"givenName": "X"})));
    assert_eq!(name, json!({"givenName": "X", "familyName": "C"}));
    assert_eq!(changed("name", one("replace", "name", json!({"givenName": null}))), json!({"familyName": "C"}));
    assert_eq!(changed("nickName", one("replace", "nickName", json!("x"))), "x", "what is absent is added");
}

#[test]
fn replace_puts_a_new_list_in_the_place_of_the_old() {
    assert_eq!(changed("emails", one("replace", "emails", json!([{"value": "n"}]))), json!([{"value": "n"}]));
    assert_eq!(changed("emails", json!([{"op": "replace", "value": {"emails": []}}])), Value::Null);
}

#[test]
fn replace_with_a_filter_changes_all_that_match() {
    let emails = changed("emails", one("replace", "emails[type eq \"work\"].display", json!("D")));
    assert_eq!(emails[0]["display"], "D");
    assert_eq!(emails[2]["display"], "D");
    assert!(emails[1].get("display").is_none());
    let emails = changed("emails", one("replace", "emails[value eq \"H@X\"]", json!({"value": "n"})));
    assert_eq!(emails[1], json!({"value": "n"}));
}

#[test]
fn a_filter_that_matches_nothing_is_no_target() {
    for operation in [
        one("replace", "emails[type eq \"other\"].value", json!("x")),
        one("replace", "emails[type eq \"other\"]", json!({"value": "x"})),
        one("add", "emails[type eq \"other\"].value", json!("x")),
        one("remove", "emails[type eq \"other\"]", Value::Null),
        one("replace", "phoneNumbers[type eq \"work\"].value", json!("x")),
    ] {
        assert_eq!(refused(operation), Some(ScimType::NoTarget));
    }
}

#[test]
fn remove_removes_attributes_parts_and_elements() {
    assert_eq!(changed("title", one("remove", "title", Value::Null)), Value::Null);
    assert_eq!(changed("name", one("remove", "name.givenName", Value::Null)), json!({"familyName": "C"}));
    let emails = changed("emails", one("remove", "emails[type eq \"work\"]", Value::Null));
    assert_eq!(emails, json!([{"type": "home", "value": "h@x"}]));
    let emails = changed("emails", one("remove", "emails[primary eq true].type", Value::Null));
    assert_eq!(emails[0], json!({"value": "w@x", "primary": true}));
    let all = json!([{"op": "remove", "path": "emails[type pr]"}]);
    assert_eq!(changed("emails", all), Value::Null);
    assert!(strict(one("remove", "nickName", Value::Null)).is_ok(), "what is absent can be removed");
}

#[test]
fn extensions_are_changed_by_their_urn() {
    let manager = format!("{ENTERPRISE_SCHEMA}:manager");
    let extension = changed(ENTERPRISE_SCHEMA, one("replace", &format!("{manager}.value"), json!("2")));
    assert_eq!(extension["manager"], json!({"value": "2"}), "a reference to the old manager goes with him");
    let extension = changed(ENTERPRISE_SCHEMA, one("replace", &manager, json!({"value": "2", "$ref": "../Users/2"})));
    assert_eq!(extension["manager"], json!({"value": "2", "$ref": "../Users/2"}));
    let extension = changed(ENTERPRISE_SCHEMA, one("add", ENTERPRISE_SCHEMA, json!({"division": "x"})));
    assert_eq!((&extension["division"], &extension["department"]), (&json!("x"), &json!("d")));
    let extension =
        changed(ENTERPRISE_SCHEMA, json!([{"op": "replace", "value": {(ENTERPRISE_SCHEMA): {"division": "x"}}}]));
    assert_eq!(extension["department"], "d");
    assert_eq!(changed(ENTERPRISE_SCHEMA, one("remove", ENTERPRISE_SCHEMA, Value::Null)), Value::Null);
    let door = format!("{BADGE}:doors[value eq \"front\"].floor");
    assert_eq!(changed(BADGE, one("replace", &door, json!(2)))["doors"][0]["floor"], 2);
    let core = format!("{USER_SCHEMA}:name.givenName");
    assert_eq!(changed("name", one("replace", &core, json!("X")))["givenName"], "X");
}

#[test]
fn an_extension_that_loses_its_last_attribute_is_gone() {
    let operations = json!([
        {"op": "remove", "path": format!("{ENTERPRISE_SCHEMA}:department")},
        {"op": "remove", "path": format!("{ENTERPRISE_SCHEMA}:manager")},
    ]);
    assert_eq!(changed(ENTERPRISE_SCHEMA, operations), Value::Null);
}

#[test]
fn a_part_of_all_elements_can_be_changed() {
    let emails = changed("emails", one("replace", "emails.display", json!("D")));
    assert!(emails.as_array().unwrap().iter().all(|email| email["display"] == "D"));
    let numbers = changed("phoneNumbers", one("add", "phoneNumbers.value", json!("1")));
    assert_eq!(numbers, json!([{"value": "1"}]));
}

#[test]
fn elements_of_simple_lists_are_chosen_by_value() {
    let tags = changed(BADGE, one("remove", &format!("{BADGE}:tags[value eq \"a\"]"), Value::Null));
    assert_eq!(tags["tags"], json!(["b"]));
    let hours = changed(BADGE, one("add", &format!("{BADGE}:doors[floor eq 1].hours"), json!(["8-9"])));
    assert_eq!(hours["doors"][0]["hours"], json!(["8-9"]));
}

#[test]
fn mutability_is_enforced() {
    for operation in [
        one("replace", "id", json!("x")),
        one("add", "groups", json!([{"value": "x"}])),
        one("replace", "meta.version", json!("x")),
        one("remove", "schemas", Value::Null),
        one("replace", &format!("{ENTERPRISE_SCHEMA}:manager.displayName"), json!("x")),
        one("replace", &format!("{BADGE}:state"), json!("x")),
        one("replace", &format!("{BADGE}:number"), json!(6)),
        one("remove", &format!("{BADGE}:number"), Value::Null),
        one("replace", &format!("{BADGE}:doors[floor eq 1].value"), json!("x")),
        one("remove", "userName", Value::Null),
        json!([{"op": "replace", "value": {"userName": null}}]),
        json!([{"op": "replace", "value": {"id": "x"}}]),
    ] {
        assert_eq!(refused(operation.clone()), Some(ScimType::Mutability), "{operation}");
    }
    assert!(strict(one("replace", &format!("{BADGE}:number"), json!(5))).is_ok(), "the same value again is no change");
}

#[test]
fn paths_lead_to_attributes_of_the_schema_and_nowhere_else() {
    for path in [
        "nonsense",
        "__proto__",
        "constructor.prototype",
        "name.nonsense",
        "emails[type eq \"work\"].nonsense",
        "urn:x:y:z",
        "emails[",
        "emails[]",
        "emails]",
        "a b",
        "userName[value eq \"x\"]",
        "emails[type eq \"work\"].a.b",
        "name.givenName.x",
        "emails.value[type eq \"x\"]",
        "emails[type eq \"work\"]value",
    ] {
        let keyword =
            patched("User", &user(), one("replace", path, json!("x")), Preset::Standard).unwrap_err().scim_type;
        let expected = [Some(ScimType::InvalidPath), Some(ScimType::InvalidFilter)];
        assert!(expected.contains(&keyword), "{path}: {keyword:?}");
    }
    assert_eq!(refused(one("remove", "emails[nonsense eq 1]", Value::Null)), Some(ScimType::InvalidFilter));
}

#[test]
fn names_that_differ_in_case_alone_are_refused() {
    for operation in [
        json!([{"op": "add", "value": {"title": "a", "Title": "b"}}]),
        one("add", "name", json!({"givenName": "a", "GIVENNAME": "b"})),
        one("add", ENTERPRISE_SCHEMA, json!({"division": "a", "Division": null})),
        one("add", "emails", json!([{"value": "a", "Value": "b"}])),
    ] {
        assert_eq!(refused(operation.clone()), Some(ScimType::InvalidSyntax), "{operation}");
    }
}

#[test]
fn values_have_the_type_of_their_attribute() {
    for operation in [
        one("replace", "active", json!("yes")),
        one("replace", "name", json!("x")),
        one("add", "emails", json!(["x"])),
        one("replace", "title", json!(["a", "b"])),
        json!([{"op": "add", "value": "x"}]),
        json!([{"op": "add", "value": {(BADGE): 5}}]),
    ] {
        assert_eq!(refused(operation.clone()), Some(ScimType::InvalidValue), "{operation}");
    }
}

#[test]
fn operations_see_the_result_of_those_before_and_fail_together() {
    let operations = json!([
        {"op": "add", "path": "emails", "value": [{"type": "other", "value": "o"}]},
        {"op": "replace", "path": "emails[type eq \"other\"].value", "value": "p"},
    ]);
    assert_eq!(changed("emails", operations)[3]["value"], "p");
    let operations =
        json!([{"op": "add", "path": "title", "value": "x"}, {"op": "add", "path": "nonsense", "value": 1}]);
    let error = strict(operations).unwrap_err();
    assert!(error.detail.starts_with("operation 2: "), "{error}");
}

#[test]
fn a_password_is_noticed_and_never_kept() {
    let operations = one("replace", "password", json!("secret"));
    let patched = patched("User", &user(), operations, Preset::Strict).unwrap();
    assert!(patched.password_given && patched.unchanged);
}

#[test]
fn work_is_bounded() {
    let emails: Vec<Value> = (0..4_000).map(|n| json!({"value": n.to_string()})).collect();
    let current = json!({"userName": "a", "emails": emails});
    let operation = json!({"op": "replace", "path": "emails[value eq \"0\"].display", "value": "x"});
    let error = patched("User", &current, json!(vec![operation; 300]), Preset::Strict).unwrap_err();
    assert_eq!(error.status, 413);
    let more: Vec<Value> = (0..4_000).map(|n| json!({"value": format!("n{n}")})).collect();
    let error = patched("User", &current, one("add", "emails", json!(more)), Preset::Strict).unwrap_err();
    assert_eq!(error.status, 413);
}

#[test]
fn members_are_edits() {
    let edit = |operations| edits(operations, Preset::Strict).unwrap();
    assert_eq!(edit(one("add", "members", json!([{"value": "1"}, {"value": "2"}]))), [added(&["1", "2"])]);
    assert_eq!(edit(json!([{"op": "add", "value": {"members": [{"value": "1"}]}}])), [added(&["1"])]);
    assert_eq!(edit(one("remove", "members[value eq \"1\"]", Value::Null)), [removed(&["1"])]);
    assert_eq!(edit(one("remove", "members[value eq \"1\" or value eq \"2\"]", Value::Null)), [removed(&["1", "2"])]);
    assert_eq!(edit(one("remove", "members", Value::Null)), [MemberEdit::Clear]);
    assert_eq!(edit(one("replace", "members", json!([]))), [MemberEdit::Clear]);
    let replaced = MemberEdit::Replace(vec![Member::new("1")]);
    assert_eq!(edit(one("replace", "members", json!([{"value": "1"}]))), [replaced]);
    assert_eq!(edit(one("add", "members", json!([]))), []);
}

#[test]
fn edits_of_members_keep_their_order_and_are_joined() {
    let operations = json!([
        {"op": "add", "path": "members", "value": [{"value": "1"}]},
        {"op": "add", "path": "members", "value": [{"value": "2"}]},
        {"op": "remove", "path": "members[value eq \"1\"]"},
        {"op": "add", "path": "members", "value": [{"value": "1"}]},
    ]);
    assert_eq!(edits(operations, Preset::Strict).unwrap(), [added(&["1", "2"]), removed(&["1"]), added(&["1"])]);
}

#[test]
fn a_filter_on_members_becomes_a_question_to_each() {
    let edits = edits(one("remove", "members[type eq \"Group\"]", Value::Null), Preset::Strict).unwrap();
    let [MemberEdit::RemoveMatching(filter)] = edits.as_slice() else { panic!("{edits:?}") };
    let registry = registry();
    let query = member_query(registry.resource_type("Group").unwrap(), filter, &Profile::default()).unwrap();
    let member = |kind| Member { kind: Some(kind), ..Member::new("1") }.to_value();
    assert!(query.matches_element(&member(crate::MemberKind::Group)));
    assert!(!query.matches_element(&member(crate::MemberKind::User)));
}

#[test]
fn members_are_not_edited_in_place() {
    for operation in [
        one("replace", "members[value eq \"1\"].display", json!("x")),
        one("replace", "members[value eq \"1\"].value", json!("2")),
        one("replace", "members[value eq \"1\"]", json!({"value": "2"})),
        one("remove", "members.value", Value::Null),
    ] {
        let error = edits(operation, Preset::Strict).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::Mutability));
    }
}

#[test]
fn a_removal_with_a_value_is_refused_where_it_could_empty_the_group() {
    let operations = one("remove", "members", json!([{"value": "1"}]));
    assert_eq!(edits(operations, Preset::Strict).unwrap_err().scim_type, Some(ScimType::InvalidValue));
}

#[test]
fn other_changes_of_a_group_do_not_touch_its_members() {
    let operations = json!([{"op": "replace", "path": "externalId", "value": "x"}]);
    let patched = patched("Group", &json!({"displayName": "G"}), operations, Preset::Standard).unwrap();
    assert_eq!(patched.members, []);
    assert_eq!(json!(patched.document), json!({"displayName": "G", "externalId": "x"}));
}
