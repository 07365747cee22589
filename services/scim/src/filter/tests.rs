use serde_json::{Map, Value, json};

use super::*;
use crate::profile::{Preset, Profile};
use crate::schema::{ENTERPRISE_SCHEMA, Registry, USER_SCHEMA};
use crate::{ScimError, ScimType};

fn strict(text: &str) -> Result<Filter, ScimError> {
    Filter::parse(text, Syntax::STRICT)
}

fn lenient(text: &str) -> Result<Filter, ScimError> {
    Filter::parse(text, Syntax::LENIENT)
}

fn user() -> Map<String, Value> {
    let user = json!({
        "schemas": [USER_SCHEMA], "id": "2819c223", "externalId": "Ext1", "userName": "bJensen", "active": true,
        "name": {"familyName": "O'Malley", "givenName": "Bärbel"}, "displayName": "",
        "emails": [
            {"type": "work", "value": "bjensen@example.com", "primary": true},
            {"type": "home", "value": "babs@Jensen.org"},
            {"value": "untyped@x"},
        ],
        "meta": {"lastModified": "2026-05-13T04:42:34Z", "resourceType": "User"},
        (ENTERPRISE_SCHEMA): {"department": "Tours", "manager": {"value": "26118915"}},
    });
    user.as_object().unwrap().clone()
}

fn asked(text: &str, preset: Preset) -> Result<bool, ScimError> {
    let registry = Registry::standard().unwrap();
    let profile = Profile::of(preset);
    let filter = Filter::parse(text, Syntax::from(&profile))?;
    Ok(filter.compile(registry.resource_type("User").unwrap(), &profile)?.matches(&user()))
}

fn matches(text: &str) -> bool {
    asked(text, Preset::Strict).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    let error = asked(text, Preset::Strict).expect_err(text);
    assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)), "{text}");
    error.detail
}

#[test]
fn grouping_binds_before_not_before_and_before_or() {
    let filter = strict("a pr or b pr and not (c pr or d pr) and (e pr or f pr)").unwrap();
    assert_eq!(filter.to_string(), "a pr or b pr and not (c pr or d pr) and (e pr or f pr)");
    let Filter::Or(terms) = filter else { panic!() };
    assert!(matches!(&terms[1], Filter::And(inner) if inner.len() == 3 && matches!(inner[1], Filter::Not(_))));
}

#[test]
fn every_form_of_a_value_is_read() {
    for (text, value) in [
        (r#""a\"b\\c\u00e9""#, json!("a\"b\\cé")),
        (r#""\ud83d\ude00""#, json!("😀")),
        ("true", json!(true)),
        ("null", Value::Null),
        ("-1.5e3", json!(-1500.0)),
        ("42", json!(42)),
        (r#""""#, json!("")),
    ] {
        let Filter::Compare { value: read, .. } = strict(&format!("a eq {text}")).unwrap() else { panic!() };
        assert_eq!(read, value, "{text}");
    }
}

#[test]
fn names_and_operators_are_in_any_case_and_spaces_are_free() {
    assert!(matches("  USERNAME  EQ  \"BJENSEN\"  AND NOT(TITLE PR) "));
    assert!(matches("(userName pr)and(emails pr)or(title pr)"));
}

#[test]
fn mistakes_tell_their_offset() {
    assert!(refused("userName eq").contains("offset 11"));
    assert!(refused("userName xx 1").contains("offset 9"));
    for text in [
        "",
        "()",
        "userName",
        "userName eq \"a",
        "userName eq a",
        "userName eq 'a'",
        "(a pr",
        "a pr)",
        "a pr b pr",
        "a pr and",
        "not a pr",
        "emails[type eq \"work\"",
        "emails[a[b pr]]",
        "a.b.c pr",
        "1a pr",
        "a eq \"\\x\"",
        "emails[type eq \"work\"].value eq \"x\"",
        "active eq TRUE",
        "a eq \"\n\"",
        "and",
        "a eq 01",
    ] {
        assert!(strict(text).is_err(), "{text}");
    }
}

#[test]
fn nesting_length_and_terms_are_bounded() {
    let nested = |depth: usize| format!("{}a pr{}", "(".repeat(depth), ")".repeat(depth));
    assert!(strict(&nested(MAX_DEPTH)).is_ok());
    assert!(strict(&nested(MAX_DEPTH + 1)).is_err());
    assert!(strict(&nested(100_000)).is_err());
    let terms = |count: usize| vec!["a pr"; count].join(" or ");
    assert!(strict(&terms(MAX_TERMS)).is_ok());
    assert!(strict(&terms(MAX_TERMS + 1)).is_err());
    assert!(strict(&format!("a eq \"{}\"", "x".repeat(MAX_LENGTH))).is_err());
}

#[test]
fn texts_compare_by_the_case_rule_of_the_attribute() {
    assert!(matches("userName eq \"BJENSEN\"") && matches("userName co \"JEN\"") && matches("userName ew \"SEN\""));
    assert!(matches("name.givenName sw \"BÄR\""));
    assert!(matches("externalId eq \"Ext1\"") && !matches("externalId eq \"ext1\""));
    assert!(!matches("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"X\""));
    assert!(matches("userName gt \"bJ\"") && matches("userName le \"bjensen\"") && !matches("userName lt \"A\""));
}

#[test]
fn attributes_of_extensions_are_found_by_their_urn() {
    assert!(matches(&format!("{ENTERPRISE_SCHEMA}:department eq \"tours\"")));
    assert!(matches(&format!("{}:MANAGER eq \"26118915\"", ENTERPRISE_SCHEMA.to_uppercase())));
    assert!(matches(&format!("{USER_SCHEMA}:userName sw \"b\"")));
    refused("urn:ietf:params:scim:schemas:core:2.0:Nothing:userName pr");
    refused("department eq \"tours\"");
    assert!(asked("department eq \"tours\" and manager eq \"26118915\"", Preset::Entra).unwrap());
}

#[test]
fn a_multi_valued_attribute_matches_if_any_element_does() {
    assert!(matches("emails eq \"BABS@jensen.org\"") && matches("emails.value co \"example\""));
    assert!(matches("emails.type eq \"work\" and emails.value eq \"babs@jensen.org\""));
    assert!(!matches("emails[type eq \"work\" and value eq \"babs@jensen.org\"]"));
    assert!(matches("emails[type eq \"work\" and primary eq true]"));
    assert!(matches("emails[not (type pr)]") && matches("schemas eq \"urn:ietf:params:scim:schemas:core:2.0:User\""));
    assert!(!matches("phoneNumbers[not (type pr)]"));
}

#[test]
fn what_is_absent_is_not_equal_and_not_present() {
    assert!(matches("title ne \"x\"") && !matches("title eq \"x\"") && !matches("title pr"));
    assert!(matches("phoneNumbers.value ne \"x\"") && matches("nickName eq null") && !matches("nickName ne null"));
    assert!(!matches("displayName pr"), "an empty text is not present");
    assert!(matches("name pr") && matches("userName ne null"));
    assert!(!matches("title gt \"a\"") && !matches("title lt \"z\"") && !matches("title co \"\""));
}

#[test]
fn dates_compare_as_instants() {
    assert!(matches("meta.lastModified eq \"2026-05-13T06:42:34+02:00\""));
    assert!(matches("meta.lastModified ge \"2026-05-13T04:42:34.000Z\""));
    assert!(matches("meta.lastModified gt \"2026-05-13T04:42:33\"") && matches("meta.lastModified sw \"2026-05\""));
    refused("meta.lastModified gt \"yesterday\"");
    refused("meta.lastModified gt \"2026-05-13\"");
}

#[test]
fn what_has_no_order_or_parts_is_refused() {
    refused("active gt true");
    refused("x509Certificates.value lt \"aa\"");
    refused("active co \"t\"");
    refused("userName gt null");
    refused("userName eq true");
    refused("active eq \"true\"");
    refused("name eq \"x\"");
    refused("userName[value eq \"x\"]");
}

#[test]
fn an_unknown_attribute_is_refused_and_never_an_answer() {
    refused("nonsense eq \"x\"");
    refused("emails.nonsense eq \"x\"");
    refused("emails[nonsense eq \"x\"]");
    refused("userName.value eq \"x\"");
    assert!(asked("nonsense eq \"x\"", Preset::Standard).is_err());
    assert!(asked("userName eq \"x\" or nonsense pr", Preset::Standard).is_err());
}

#[test]
fn passwords_cannot_be_asked_about() {
    for text in ["password eq \"x\"", "password pr", "userName pr or password sw \"a\""] {
        refused(text);
        assert!(asked(text, Preset::Standard).is_err());
    }
}

#[test]
fn a_numeric_id_is_no_external_id() {
    assert!(!matches("id eq \"Ext1\"") && !asked("id eq 2", Preset::Standard).unwrap());
}

#[test]
fn known_deviations_are_taken_where_the_profile_allows_them() {
    let standard = |text: &str| asked(text, Preset::Standard).unwrap();
    assert!(standard("externalId eq Ext1") && standard("externalId eq 'Ext1'"));
    assert!(standard("active eq \"True\"") && standard("active EQ TRUE") && standard("emails[primary eq \"True\"]"));
    assert!(standard("emails[type eq \"work\"].value eq \"bjensen@example.com\""));
    assert!(!standard("emails[type eq \"work\"].value eq \"babs@jensen.org\""));
    assert!(standard("emails eq bjensen@example.com") && standard("userName eq null or id pr"));
    let read = lenient("emails[type eq \"work\"].Value eq \"x\" and a pr").unwrap();
    assert_eq!(read.to_string(), "emails[type eq \"work\" and Value eq \"x\"] and a pr");
}

#[test]
fn a_root_query_counts_attributes_of_other_types_as_absent() {
    let registry = Registry::standard().unwrap();
    let profile = Profile::of(Preset::Strict);
    let asked = |text: &str| {
        let filter = strict(text).unwrap();
        let query = filter.compile_among(&registry, registry.resource_type("Group").unwrap(), &profile)?;
        Ok::<bool, ScimError>(query.matches(json!({"displayName": "x"}).as_object().unwrap()))
    };
    assert!(!asked("userName eq \"a\"").unwrap() && asked("userName ne \"a\"").unwrap());
    assert!(!asked("emails[type eq \"work\"]").unwrap() && asked("displayName eq \"X\" or userName pr").unwrap());
    assert!(asked("nonsense pr").is_err());
}

#[test]
fn storage_learns_the_equalities_every_match_satisfies() {
    let registry = Registry::standard().unwrap();
    let profile = Profile::default();
    let required = |text: &str| -> Vec<(String, Value)> {
        let query = lenient(text).unwrap().compile(registry.resource_type("User").unwrap(), &profile).unwrap();
        query.required_equalities().into_iter().map(|equality| (equality.path, equality.value)).collect()
    };
    assert_eq!(required("USERNAME eq \"Bob\""), [("userName".to_owned(), json!("bob"))]);
    assert_eq!(
        required("externalId eq \"A\" and (emails[type eq \"work\" and value eq \"B\"] and active eq true)"),
        [
            ("externalId".to_owned(), json!("A")),
            ("emails.type".to_owned(), json!("work")),
            ("emails.value".to_owned(), json!("b")),
            ("active".to_owned(), json!(true)),
        ]
    );
    let manager = format!("{ENTERPRISE_SCHEMA}:manager.value");
    assert_eq!(required("id eq \"A\" and manager eq \"B\""), [("id".to_owned(), json!("A")), (manager, json!("B")),]);
    assert_eq!(required("userName eq \"a\" or id eq \"b\""), []);
    assert_eq!(required("not (userName eq \"a\") and userName ne \"b\""), []);
}

#[test]
fn storage_learns_which_members_matter() {
    let registry = Registry::standard().unwrap();
    let profile = Profile::default();
    let mentions = |text: &str| {
        let query = lenient(text).unwrap().compile(registry.resource_type("Group").unwrap(), &profile).unwrap();
        query.mentions("members")
    };
    let values = |values: &[&str]| Mentions::Values(values.iter().map(|value| (*value).to_owned()).collect());
    assert_eq!(mentions("displayName eq \"x\""), Mentions::None);
    assert_eq!(mentions("id eq \"G\" and members eq \"U\""), values(&["U"]));
    assert_eq!(
        mentions("not (members[value eq \"U\" and type eq \"User\"]) or members.value eq \"V\""),
        values(&["U", "V"])
    );
    for all in ["members pr", "members ne \"U\"", "members.type eq \"User\"", "members[value eq \"U\" or type pr]"] {
        assert_eq!(mentions(all), Mentions::All, "{all}");
    }
}
