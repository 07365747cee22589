//! What holds for all requests: PATCH agrees with a naive model of the RFC, its results are canonical, and no request
//! makes anything panic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{MemberEdit, PATCH_SCHEMA, PatchRequest, apply, member_query};
use crate::document::{Document, Member, Purpose, accept};
use crate::schema::{ENTERPRISE_SCHEMA, Registry, USER_SCHEMA};
use crate::{Preset, Profile, ScimError, ScimType};

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::standard().unwrap());

/// A user as the model keeps him.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    title: Option<Value>,
    department: Option<Value>,
    name: BTreeMap<String, Value>,
    emails: Vec<BTreeMap<String, Value>>,
}

impl Model {
    fn document(&self) -> Document {
        let mut document = Document::from_iter([("userName".to_owned(), json!("u"))]);
        document.extend(self.title.clone().map(|title| ("title".to_owned(), title)));
        if !self.name.is_empty() {
            document.insert("name".to_owned(), json!(self.name));
        }
        if !self.emails.is_empty() {
            document.insert("emails".to_owned(), json!(self.emails));
        }
        if let Some(department) = &self.department {
            document.insert(ENTERPRISE_SCHEMA.to_owned(), json!({"department": department}));
        }
        document
    }

    fn operation(&mut self, operation: &Value) -> Result<(), ScimType> {
        let (op, value) = (operation["op"].as_str().unwrap(), operation.get("value"));
        if let Some(path) = operation.get("path").and_then(Value::as_str) {
            return self.attribute(op, path, value);
        }
        value.unwrap().as_object().unwrap().iter().try_for_each(|(name, value)| self.attribute(op, name, Some(value)))
    }

    fn attribute(&mut self, op: &str, path: &str, value: Option<&Value>) -> Result<(), ScimType> {
        let value = value.filter(|value| op != "remove" && !value.is_null());
        if let Some((chosen, sub)) = path.strip_prefix("emails[type eq \"").and_then(|rest| rest.split_once("\"]")) {
            return self.elements(op, chosen, sub.strip_prefix('.'), value);
        }
        match path {
            "title" => self.title = value.cloned(),
            "name" if value.is_none() => self.name.clear(),
            "name" => merge(&mut self.name, value.unwrap()),
            "name.givenName" => merge(&mut self.name, &json!({"givenName": value})),
            "emails" => self.list(op, value)?,
            _ => self.department = value.cloned(),
        }
        Ok(())
    }

    fn list(&mut self, op: &str, value: Option<&Value>) -> Result<(), ScimType> {
        let new: Vec<BTreeMap<String, Value>> = value.map(objects).unwrap_or_default();
        if new.iter().filter(|email| is_primary(email)).count() > 1 {
            return Err(ScimType::InvalidValue);
        }
        if op == "add" {
            if new.iter().any(|email| is_primary(email) && !self.emails.contains(email)) {
                self.only_primary(usize::MAX);
            }
            for email in new {
                if !self.emails.contains(&email) {
                    self.emails.push(email);
                }
            }
        } else {
            self.emails = new;
        }
        Ok(())
    }

    fn elements(&mut self, op: &str, chosen: &str, sub: Option<&str>, value: Option<&Value>) -> Result<(), ScimType> {
        let is_chosen = |email: &BTreeMap<String, Value>| {
            email.get("type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case(chosen))
        };
        let positions: Vec<usize> =
            (0..self.emails.len()).filter(|position| is_chosen(&self.emails[*position])).collect();
        if positions.is_empty() {
            return Err(ScimType::NoTarget);
        }
        for position in &positions {
            let email = &mut self.emails[*position];
            match (sub, value) {
                (Some(sub), value) => merge(email, &json!({sub: value})),
                (None, None) => email.clear(),
                (None, Some(value)) => {
                    if op == "replace" {
                        email.clear();
                    }
                    merge(email, value);
                }
            }
        }
        if op != "remove"
            && let Some(first) = positions.into_iter().find(|position| is_primary(&self.emails[*position]))
        {
            self.only_primary(first);
        }
        self.emails.retain(|email| !email.is_empty());
        Ok(())
    }

    fn only_primary(&mut self, kept: usize) {
        for (position, email) in self.emails.iter_mut().enumerate() {
            if position != kept && is_primary(email) {
                email.insert("primary".to_owned(), json!(false));
            }
        }
    }
}

fn is_primary(email: &BTreeMap<String, Value>) -> bool {
    email.get("primary") == Some(&json!(true))
}

fn merge(object: &mut BTreeMap<String, Value>, value: &Value) {
    for (name, value) in value.as_object().unwrap() {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
}

fn objects(value: &Value) -> Vec<BTreeMap<String, Value>> {
    let mut objects = Vec::new();
    for item in value.as_array().unwrap() {
        let mut object = BTreeMap::new();
        merge(&mut object, item);
        if !object.is_empty() {
            objects.push(object);
        }
    }
    objects
}

fn text() -> BoxedStrategy<Value> {
    prop_oneof![4 => prop::sample::select(vec!["a", "b"]).prop_map(Value::from), 1 => Just(Value::Null)].boxed()
}

fn object(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let members: Vec<_> =
        members.into_iter().map(|(name, value)| prop::option::of(value).prop_map(move |value| (name, value))).collect();
    members
        .prop_map(|members| {
            let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            Value::Object(there.collect::<Map<_, _>>())
        })
        .boxed()
}

fn name() -> BoxedStrategy<Value> {
    object(vec![("givenName", text()), ("familyName", text())])
}

fn email() -> BoxedStrategy<Value> {
    let kind = prop::sample::select(vec!["work", "home", "WORK"]).prop_map(Value::from).boxed();
    let primary = any::<bool>().prop_map(Value::from).boxed();
    object(vec![("value", text()), ("type", kind), ("primary", primary)])
}

fn emails() -> BoxedStrategy<Value> {
    prop::collection::vec(email(), 0..4).prop_map(Value::Array).boxed()
}

fn operation() -> BoxedStrategy<Value> {
    let department = format!("{ENTERPRISE_SCHEMA}:department");
    let targets: Vec<(String, BoxedStrategy<Value>)> = vec![
        ("title".to_owned(), text()),
        ("name".to_owned(), name()),
        ("name.givenName".to_owned(), text()),
        ("emails".to_owned(), emails()),
        ("emails[type eq \"work\"]".to_owned(), email()),
        ("emails[type eq \"home\"]".to_owned(), email()),
        ("emails[type eq \"work\"].value".to_owned(), text()),
        ("emails[type eq \"home\"].primary".to_owned(), any::<bool>().prop_map(Value::from).boxed()),
        (department, text()),
    ];
    let with_path = prop::sample::select(targets).prop_flat_map(|(path, value)| {
        (prop::sample::select(vec!["add", "replace", "remove"]), value).prop_map(move |(op, value)| match op {
            "remove" => json!({"op": op, "path": path}),
            _ => json!({"op": op, "path": path, "value": value}),
        })
    });
    let value = object(vec![("title", text()), ("name", name()), ("emails", emails())]);
    let without =
        (prop::sample::select(vec!["add", "replace"]), value).prop_map(|(op, value)| json!({"op": op, "value": value}));
    prop_oneof![4 => with_path, 1 => without].boxed()
}

/// Any operation somebody could send, sensible or not.
fn wild_operation() -> BoxedStrategy<Value> {
    let path = prop_oneof![
        4 => prop::sample::select(vec![
            "emails", "emails[type eq \"work\"]", "emails[type eq \"work\"].value", "emails[value pr]", "emails.value",
            "name", "name.givenName", "manager", "active", "userName", "groups", "password", "roles[primary eq true]",
            "addresses[type eq \"work\"].country", "phoneNumbers[not (type eq \"x\")]", "x509Certificates", "schemas",
            ENTERPRISE_SCHEMA, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", "meta",
        ]).prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let scalar = prop_oneof![
        prop::sample::select(vec!["", "a", "True", "work"]).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<u8>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let value = scalar.prop_recursive(3, 12, 3, |inner| {
        let names = prop::sample::select(vec![
            "value",
            "type",
            "primary",
            "Value",
            "display",
            "$ref",
            "emails",
            "manager",
            "name.givenName",
            "userName",
            "x",
            ENTERPRISE_SCHEMA,
            "emails[type eq \"work\"].value",
            "active",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map(names.prop_map(str::to_owned), inner, 0..4).prop_map(|members| json!(members)),
        ]
    });
    let op = prop::sample::select(vec!["add", "replace", "remove", "Add", "Remove"]);
    (op, path, prop::option::of(value))
        .prop_map(|(op, path, value)| match value {
            Some(value) => json!({"op": op, "path": path, "value": value}),
            None => json!({"op": op, "path": path}),
        })
        .boxed()
}

fn member_operation() -> BoxedStrategy<Value> {
    let ids = || prop::collection::vec(prop::sample::select(vec!["1", "2", "3"]), 0..3);
    let listed = |ids: Vec<&str>| ids.into_iter().map(|id| json!({"value": id})).collect::<Vec<_>>();
    prop_oneof![
        ids().prop_map(move |ids| json!({"op": "add", "path": "members", "value": listed(ids)})),
        ids().prop_map(move |ids| json!({"op": "replace", "value": {"members": listed(ids)}})),
        ids().prop_map(move |ids| json!({"op": "remove", "path": "members", "value": listed(ids)})),
        ids().prop_filter_map("a filter has terms", |ids| {
            let terms: Vec<String> = ids.into_iter().map(|id| format!("value eq \"{id}\"")).collect();
            (!terms.is_empty()).then(|| json!({"op": "remove", "path": format!("members[{}]", terms.join(" or "))}))
        }),
        Just(json!({"op": "remove", "path": "members[value gt \"1\"]"})),
        Just(json!({"op": "remove", "path": "members"})),
    ]
    .boxed()
}

/// What a member operation means, by the ids it names.
fn model_members(members: &mut BTreeSet<String>, operation: &Value) {
    let listed = |value: &Value| -> BTreeSet<String> {
        value.as_array().unwrap().iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
    };
    match (operation["op"].as_str().unwrap(), operation.get("path").and_then(Value::as_str), operation.get("value")) {
        ("add", _, Some(value)) => members.extend(listed(value)),
        ("replace", _, Some(value)) => *members = listed(&value["members"]),
        (_, _, Some(value)) => members.retain(|id| !listed(value).contains(id)),
        (_, Some("members"), None) => members.clear(),
        (_, Some("members[value gt \"1\"]"), None) => members.retain(|id| id == "1"),
        (_, Some(path), None) => members.retain(|id| !path.contains(&format!("\"{id}\""))),
        _ => panic!("{operation}"),
    }
}

/// What storage does with an edit.
fn carry_out(members: &mut BTreeSet<String>, edit: MemberEdit, registry: &Registry) {
    let ids = |added: Vec<Member>| added.into_iter().map(|member| member.value);
    match edit {
        MemberEdit::Add(added) => members.extend(ids(added)),
        MemberEdit::Replace(new) => *members = ids(new).collect(),
        MemberEdit::Clear => members.clear(),
        MemberEdit::Remove(removed) => members.retain(|id| !removed.contains(id)),
        MemberEdit::RemoveMatching(filter) => {
            let group = registry.resource_type("Group").unwrap();
            let query = member_query(group, &filter, &Profile::default()).unwrap();
            members.retain(|id| !query.matches_element(&Member::new(id.as_str()).to_value()));
        }
    }
}

fn patch(
    registry: &Registry,
    document: &Document,
    operations: &[Value],
    profile: &Profile,
) -> Result<super::Patched, ScimError> {
    let request = PatchRequest::parse(json!({"schemas": [PATCH_SCHEMA], "Operations": operations}), profile)?;
    apply(registry.resource_type("User").unwrap(), document, request, profile)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn patch_agrees_with_a_naive_model(requests in prop::collection::vec(prop::collection::vec(operation(), 1..4), 1..5)) {
        let registry = &*REGISTRY;
        let profile = Profile::of(Preset::Strict);
        let mut model = Model::default();
        for operations in requests {
            let before = model.document();
            let mut next = model.clone();
            let expected = operations.iter().try_for_each(|operation| next.operation(operation));
            let result = patch(registry, &before, &operations, &profile);
            match (expected, result) {
                (Ok(()), Ok(patched)) => {
                    prop_assert_eq!(&patched.document, &next.document(), "{} by {:?}", json!(before), operations);
                    prop_assert_eq!(patched.unchanged, before == next.document());
                    model = next;
                }
                (Err(keyword), Err(error)) => prop_assert_eq!(error.scim_type, Some(keyword)),
                (expected, result) => prop_assert!(false, "{:?} but {:?} by {:?}", expected, result, operations),
            }
        }
    }

    #[test]
    fn results_are_canonical_whatever_is_sent(requests in prop::collection::vec(prop::collection::vec(wild_operation(), 1..4), 1..6)) {
        let registry = &*REGISTRY;
        let user = registry.resource_type("User").unwrap();
        let mut document = Document::from_iter([("userName".to_owned(), json!("u"))]);
        for operations in requests {
            let Ok(patched) = patch(registry, &document, &operations, &Profile::default()) else { continue };
            document = patched.document;
            let mut body = document.clone();
            body.insert("schemas".to_owned(), json!([USER_SCHEMA]));
            let again = accept(user, Value::Object(body), &Profile::of(Preset::Strict), Purpose::Create);
            let again = again.map_err(|error| TestCaseError::fail(format!("{error} after {operations:?}: {document:?}")))?;
            prop_assert_eq!(&again.document, &document, "after {:?}", operations);
        }
    }

    #[test]
    fn edits_of_members_mean_what_the_operations_do(operations in prop::collection::vec(member_operation(), 1..8)) {
        let registry = &*REGISTRY;
        let profile = Profile::default();
        let request = PatchRequest::parse(json!({"Operations": operations}), &profile).unwrap();
        let group = Document::from_iter([("displayName".to_owned(), json!("G"))]);
        let patched = apply(registry.resource_type("Group").unwrap(), &group, request, &profile).unwrap();
        let mut expected = BTreeSet::from(["1".to_owned(), "2".to_owned()]);
        let mut members = expected.clone();
        for operation in &operations {
            model_members(&mut expected, operation);
        }
        for edit in patched.members {
            carry_out(&mut members, edit, registry);
        }
        prop_assert_eq!(members, expected);
    }
}
