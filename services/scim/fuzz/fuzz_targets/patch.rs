//! Any JSON as the body of a PATCH of a user and of a group, under every preset: it is refused, or its result is a
//! document that a POST would take.

#![no_main]

use std::sync::LazyLock;

use chancery_scim::{Document, PatchRequest, Preset, Profile, Purpose, Registry, accept, patch};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::standard().expect("the standard schemas are valid"));

fuzz_target!(|text: &str| {
    let Ok(body) = serde_json::from_str::<Value>(text) else { return };
    let registry = &*REGISTRY;
    for resource_type in registry.resource_types() {
        let current = if resource_type.is_user() {
            json!({"userName": "u", "name": {"givenName": "g"}, "emails": [
                {"type": "work", "value": "w", "primary": true}, {"type": "home", "value": "h"}]})
        } else {
            json!({"displayName": "G"})
        };
        let Value::Object(current) = current else { return };
        for preset in Preset::ALL {
            check(resource_type, &current, body.clone(), &Profile::of(preset));
        }
    }
});

fn check(resource_type: &chancery_scim::ResourceType, current: &Document, body: Value, profile: &Profile) {
    let Ok(request) = PatchRequest::parse(body, profile) else { return };
    let Ok(patched) = patch::apply(resource_type, current, request, profile) else { return };
    let mut again = patched.document.clone();
    again.insert("schemas".to_owned(), json!([resource_type.base().id]));
    let accepted = accept(resource_type, Value::Object(again), &Profile::of(Preset::Strict), Purpose::Create);
    assert_eq!(accepted.expect("a POST takes what a PATCH makes").document, patched.document);
}
