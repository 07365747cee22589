use serde_json::{Value, json};

use super::*;
use crate::schema::{ENTERPRISE_SCHEMA, ExtensionDefinition, GROUP_SCHEMA, Registry, USER_SCHEMA};
use crate::{Preset, Profile, ScimError, ScimType};

const BADGE: &str = "urn:example:scim:1.0:Badge";

fn registry() -> Registry {
    let badge = json!({"id": BADGE, "name": "Badge", "attributes": [
        {"name": "number", "type": "integer", "mutability": "immutable"},
        {"name": "weight", "type": "decimal"},
        {"name": "issued", "type": "dateTime"},
        {"name": "state", "mutability": "readOnly"},
        {"name": "tags", "multiValued": true},
        {"name": "holder", "type": "complex", "subAttributes": [
            {"name": "pin", "returned": "never", "mutability": "writeOnly"},
            {"name": "size"}, {"name": "color", "required": true}]},
    ]});
    let registry = Registry::standard().unwrap().with_schema(serde_json::from_value(badge).unwrap()).unwrap();
    let extension = ExtensionDefinition { schema: BADGE.to_owned(), required: false };
    registry.with_extension("User", extension).unwrap()
}

fn read(resource_type: &str, body: Value, preset: Preset, purpose: Purpose) -> Result<Accepted, ScimError> {
    let registry = registry();
    accept(registry.resource_type(resource_type).unwrap(), body, &Profile::of(preset), purpose)
}

fn user(body: Value) -> Result<Accepted, ScimError> {
    read("User", body, Preset::Standard, Purpose::Create)
}

fn strict(mut body: Value) -> Result<Accepted, ScimError> {
    body["schemas"] = json!([USER_SCHEMA]);
    read("User", body, Preset::Strict, Purpose::Create)
}

fn document(accepted: Result<Accepted, ScimError>) -> Value {
    Value::Object(accepted.unwrap().document)
}

fn keyword(result: Result<Accepted, ScimError>) -> ScimType {
    result.unwrap_err().scim_type.unwrap()
}

#[test]
fn names_get_their_canonical_spelling_and_absent_values_are_left_out() {
    let body = json!({
        "USERNAME": "bob", "Name": {"GIVENNAME": "B", "familyName": null}, "emails": [], "title": null, "addresses": [{}],
        "roles": [null], "photos": null, (ENTERPRISE_SCHEMA.to_uppercase()): {"Department": "x", "division": null},
    });
    let expected = json!({"userName": "bob", "name": {"givenName": "B"}, (ENTERPRISE_SCHEMA): {"department": "x"}});
    assert_eq!(document(strict(body)), expected);
}

#[test]
fn names_that_differ_in_case_alone_are_refused() {
    assert_eq!(keyword(user(json!({"userName": "a", "username": "b"}))), ScimType::InvalidSyntax);
    let parts = json!({"userName": "a", "name": {"givenName": "a", "GivenName": "b"}});
    assert_eq!(keyword(user(parts)), ScimType::InvalidSyntax);
    assert_eq!(keyword(user(json!({"userName": "a", "title": "b", "Title": null}))), ScimType::InvalidSyntax);
    let many: Document =
        (0..99).map(|n| (format!("x{n}"), Value::Null)).chain([("X7".to_owned(), Value::Null)]).collect();
    assert_eq!(keyword(user(Value::Object(many))), ScimType::InvalidSyntax);
}

#[test]
fn what_only_the_server_sets_is_ignored() {
    let body = json!({"userName": "a", "id": "7", "meta": {"version": "1"}, "groups": [{"value": "g"}],
        (ENTERPRISE_SCHEMA): {"manager": {"value": "m", "displayName": "M"}}, (BADGE): {"state": "lost"}});
    let expected = json!({"userName": "a", (ENTERPRISE_SCHEMA): {"manager": {"value": "m"}}});
    assert_eq!(document(strict(body)), expected);
}

#[test]
fn passwords_and_their_like_are_never_kept() {
    let accepted =
        strict(json!({"userName": "a", "Password": "secret", (BADGE): {"holder": {"pin": "1", "color": "red"}}}));
    let accepted = accepted.unwrap();
    assert!(accepted.password_given);
    assert!(!json!(accepted.document).to_string().contains("secret"));
    assert_eq!(accepted.document[BADGE]["holder"], json!({"color": "red"}));
    assert!(!strict(json!({"userName": "a", "password": null})).unwrap().password_given);
}

#[test]
fn what_is_required_must_be_there() {
    assert_eq!(keyword(strict(json!({"displayName": "x"}))), ScimType::InvalidValue);
    assert_eq!(keyword(strict(json!({"userName": ""}))), ScimType::InvalidValue);
    assert_eq!(keyword(strict(json!({"userName": "a", (BADGE): {"holder": {"size": "1"}}}))), ScimType::InvalidValue);
    assert_eq!(
        keyword(read("Group", json!({"members": []}), Preset::Standard, Purpose::Create)),
        ScimType::InvalidValue
    );
}

#[test]
fn values_have_the_type_of_their_attribute() {
    for unfit in [
        json!({"active": "true"}),
        json!({"title": 5}),
        json!({"name": "x"}),
        json!({"name": [{"givenName": "x"}]}),
        json!({"emails": {"value": "x"}}),
        json!({"emails": ["x"]}),
        json!({"x509Certificates": [{"value": "not base64!"}]}),
        json!({(BADGE): {"number": 1.5}}),
        json!({(BADGE): {"number": "5"}}),
        json!({(BADGE): {"issued": "today"}}),
        json!({(BADGE): {"tags": "x"}}),
        json!({(BADGE): 5}),
    ] {
        let mut body = unfit.clone();
        body["userName"] = json!("a");
        assert_eq!(keyword(strict(body)), ScimType::InvalidValue, "{unfit}");
    }
    let fit = json!({"userName": "a", "active": false, "x509Certificates": [{"value": "TUlJ\nRA=="}],
        (BADGE): {"number": 5, "weight": 1.5, "issued": "2026-01-01T00:00:00Z", "tags": ["a", "b"]}});
    assert_eq!(document(strict(fit.clone())), fit);
}

#[test]
fn values_of_other_types_are_taken_where_the_profile_allows_it() {
    let body = json!({"userName": 5, "active": "False", "title": true, "externalId": 701_984,
        "emails": [{"value": "x", "primary": "True"}], "roles": {"value": "r"}, "name": [{"givenName": "x"}],
        (BADGE): {"number": "5", "tags": "x", "issued": ""}, "manager": "123456"});
    let expected = json!({"userName": "5", "active": false, "title": "true", "externalId": "701984",
        "emails": [{"value": "x", "primary": true}], "roles": [{"value": "r"}], "name": {"givenName": "x"},
        (BADGE): {"number": 5, "tags": ["x"]}, (ENTERPRISE_SCHEMA): {"manager": {"value": "123456"}}});
    assert_eq!(document(user(body)), expected);
    assert_eq!(document(user(json!({"userName": "a", "active": 0}))), json!({"userName": "a", "active": false}));
}

#[test]
fn values_are_returned_as_they_were_sent() {
    let body = json!({"userName": "Bob ", "phoneNumbers": [{"value": "tel:+1-201-555-0123;ext=7", "type": "Work"}],
        "emails": [{"value": "A@X", "type": "not canonical"}]});
    assert_eq!(document(strict(body.clone())), body);
}

#[test]
fn at_most_one_value_is_primary() {
    let emails = json!([{"value": "a", "primary": true}, {"value": "b", "primary": true}]);
    assert_eq!(keyword(strict(json!({"userName": "a", "emails": emails}))), ScimType::InvalidValue);
    let taken = document(user(json!({"userName": "a", "emails": emails})));
    assert_eq!(taken["emails"], json!([{"value": "a", "primary": true}, {"value": "b", "primary": false}]));
}

#[test]
fn unknown_attributes_and_schemas_are_ignored_or_refused() {
    let body = json!({"userName": "a", "nonsense": 1, "name": {"nickname": "x"}, (ENTERPRISE_SCHEMA): {"rank": 1},
        "schemas": [USER_SCHEMA, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"]});
    let accepted = user(body).unwrap();
    assert_eq!(json!(accepted.document), json!({"userName": "a"}));
    assert_eq!(accepted.ignored.len(), 4);
    assert_eq!(keyword(strict(json!({"userName": "a", "nonsense": 1}))), ScimType::InvalidSyntax);
    let strict_schemas =
        |schemas: Value| read("User", json!({"userName": "a", "schemas": schemas}), Preset::Strict, Purpose::Create);
    assert_eq!(keyword(strict_schemas(json!([USER_SCHEMA, "urn:x:y"]))), ScimType::InvalidValue);
    assert_eq!(keyword(strict_schemas(json!([]))), ScimType::InvalidSyntax);
    assert!(strict_schemas(json!([ENTERPRISE_SCHEMA, USER_SCHEMA])).is_ok());
}

#[test]
fn members_are_apart_from_the_document() {
    let body = json!({"schemas": [GROUP_SCHEMA], "displayName": "G", "members": [
        {"value": "1", "type": "User", "display": "One"}, {"value": "2", "$ref": "https://x/scim/v2/Groups/2"},
        {"Value": "1"}, {"value": "3", "$ref": null, "type": null}]});
    let accepted = read("Group", body, Preset::Strict, Purpose::Create).unwrap();
    assert_eq!(json!(accepted.document), json!({"displayName": "G"}));
    let members = accepted.members.unwrap();
    let kinds: Vec<_> = members.iter().map(|member| (member.value.as_str(), member.kind)).collect();
    assert_eq!(kinds, [("1", Some(MemberKind::User)), ("2", Some(MemberKind::Group)), ("3", None)]);
}

#[test]
fn no_members_and_no_word_of_members_are_told_apart() {
    let members = |body| read("Group", body, Preset::Standard, Purpose::Create).unwrap().members;
    assert_eq!(members(json!({"displayName": "G"})), None);
    assert_eq!(members(json!({"displayName": "G", "members": []})), Some(Vec::new()));
    assert_eq!(members(json!({"displayName": "G", "members": null})), Some(Vec::new()));
}

#[test]
fn a_member_without_an_id_is_refused() {
    for member in [json!({"display": "x"}), json!({"value": ""}), json!(5), json!({"value": {}})] {
        let body = json!({"displayName": "G", "members": [member]});
        assert_eq!(keyword(read("Group", body, Preset::Standard, Purpose::Create)), ScimType::InvalidValue);
    }
}

#[test]
fn a_put_cannot_change_what_is_immutable() {
    let current = json!({"userName": "a", "title": "t", (BADGE): {"number": 5, "state": "valid", "weight": 1}});
    let current = current.as_object().unwrap();
    let put = |body: Value| read("User", body, Preset::Standard, Purpose::Replace { current });
    assert_eq!(keyword(put(json!({"userName": "a", (BADGE): {"number": 6}}))), ScimType::Mutability);
    let kept = json!({"userName": "b", (BADGE): {"number": 5, "state": "valid"}});
    assert_eq!(document(put(json!({"userName": "b", (BADGE): {"number": 5}}))), kept);
    assert_eq!(document(put(json!({"userName": "b"}))), kept, "what clients cannot change stays");
}

#[test]
fn a_put_of_what_was_read_changes_nothing() {
    let current = json!({"userName": "a", "emails": [{"value": "x", "type": "work"}], (BADGE): {"number": 5}});
    let mut body = current.clone();
    body["id"] = json!("1");
    body["meta"] = json!({"resourceType": "User", "version": "W/\"1\""});
    body["groups"] = json!([]);
    body["schemas"] = json!([USER_SCHEMA, BADGE]);
    let purpose = Purpose::Replace { current: current.as_object().unwrap() };
    assert_eq!(document(read("User", body, Preset::Strict, purpose)), current);
}

#[test]
fn a_put_with_the_same_members_is_taken() {
    let current = json!({"displayName": "G"});
    let body = json!({"displayName": "G", "members": [{"value": "1", "type": "User", "$ref": "https://x/Users/1"}]});
    let purpose = Purpose::Replace { current: current.as_object().unwrap() };
    let accepted = read("Group", body, Preset::Standard, purpose).unwrap();
    assert_eq!((json!(accepted.document), accepted.members.unwrap().len()), (current.clone(), 1));
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in [json!([]), json!("x"), Value::Null] {
        assert_eq!(keyword(user(body)), ScimType::InvalidSyntax);
    }
}

#[test]
fn entra_creates_users_with_nulls_and_texts_for_booleans() {
    let body = json!({
        "schemas": [USER_SCHEMA, ENTERPRISE_SCHEMA], "externalId": "0a21f0f2", "userName": "Test_User_ab6490ee",
        "active": "True", "addresses": null, "displayName": "lennay", "emails": [{"primary": true, "type": "work", "value": "t@x"}],
        "meta": {"resourceType": "User"}, "name": {"formatted": "givenName familyName", "familyName": null},
        "roles": [], "phoneNumbers": null, (ENTERPRISE_SCHEMA): {"manager": null, "department": null},
    });
    let accepted = read("User", body, Preset::Entra, Purpose::Create).unwrap();
    let expected = json!({"externalId": "0a21f0f2", "userName": "Test_User_ab6490ee", "active": true,
        "displayName": "lennay", "emails": [{"primary": true, "type": "work", "value": "t@x"}],
        "name": {"formatted": "givenName familyName"}});
    assert_eq!(Value::Object(accepted.document), expected);
}
