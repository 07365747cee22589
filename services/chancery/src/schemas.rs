//! `chancery schemas`: the generated files of `schemas/`: a JSON Schema per event type, the envelope's schema,
//! a CloudEvents example per type, and the OpenAPI document.

use std::collections::BTreeMap;
use std::path::Path;

use chancery_domain::catalogue::{self, TypeInfo};
use chancery_domain::cloudevents::{SCHEMA_BASE, to_cloudevent};
use chancery_domain::{Actor, Event, Resource, Timestamp};
use serde_json::{Map, Value, json};

use crate::cli::SchemasArguments;
use crate::failure::{Doing, Failure};
use crate::terminal;

pub(crate) fn run(arguments: &SchemasArguments) -> Result<(), Failure> {
    if let Some(directory) = &arguments.write {
        for (name, text) in files() {
            let path = directory.join(name);
            let parent = path.parent().unwrap_or(directory);
            std::fs::create_dir_all(parent).doing(&format!("making {}", parent.display()))?;
            std::fs::write(&path, text).doing(&format!("writing {}", path.display()))?;
        }
        return Ok(());
    }
    let directory = arguments.check.as_deref().unwrap_or(Path::new("schemas"));
    let drifted = drift(directory);
    for name in &drifted {
        terminal::line(name);
    }
    if drifted.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed("these files differ from the types; run `make schemas`"))
    }
}

/// Names of files that are not what the types say.
fn drift(directory: &Path) -> Vec<String> {
    files()
        .into_iter()
        .filter(|(name, text)| std::fs::read_to_string(directory.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name)
        .collect()
}

/// Every generated file, by name.
fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut insert = |name: String, value: &Value| {
        files.insert(name, format!("{value:#}\n"));
    };
    insert("envelope.json".to_owned(), &Value::from(schemars::schema_for!(Event)));
    for info in catalogue::all() {
        let mut schema = Value::from((info.schema)());
        let file = format!("{}.v{}.json", info.name, info.version);
        if let Some(members) = schema.as_object_mut() {
            members.insert("$id".to_owned(), json!(format!("{SCHEMA_BASE}{file}")));
            members.insert("title".to_owned(), json!(info.name));
            members.insert("description".to_owned(), json!(info.description));
        }
        insert(format!("events/{file}"), &schema);
        insert(format!("examples/{}.json", info.name), &to_cloudevent(&example(info, &schema)));
    }
    files.insert("openapi.json".to_owned(), format!("{}\n", chancery_gateway::openapi()));
    files
}

/// An event of a type whose payload has every member the schema names.
fn example(info: &TypeInfo, schema: &Value) -> Event {
    let at = Timestamp::EPOCH.saturating_add_micros(1_769_850_000_000_000);
    let actor = Actor {
        id: "0197a0c2-6f00-7000-8000-000000000001".to_owned(),
        name: Some("ada".to_owned()),
        email: Some("ada@example.com".to_owned()),
        ip: Some(std::net::IpAddr::from([203, 0, 113, 7])),
        groups: vec!["platform".to_owned()],
        ..Actor::default()
    };
    let kind = info.name.split('.').next().unwrap_or(info.name);
    let resource = Resource::new(kind, "0197a0c2-6f00-7000-8000-0000000000aa").named(format!("example-{kind}"));
    let mut event = Event::new(info.name, "0197a0c2-6f00-7000-8000-0000000000ff", "/example", at, actor, resource);
    event.organization = Some("engineering".to_owned());
    event.data = sample(schema, schema, "");
    event
}

/// A value that satisfies a schema.
fn sample(schema: &Value, root: &Value, name: &str) -> Value {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#')).cloned().unwrap_or(Value::Null);
        return sample(&target, root, name);
    }
    if let Some(choices) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
        return choices.first().map_or(Value::Null, |choice| sample(choice, root, name));
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|values| values.first()) {
        return first.clone();
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        Some(kind) => kind.as_str(),
        None => None,
    };
    match kind {
        Some("object") => {
            let members = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
            Value::Object(
                members.iter().map(|(name, member)| (name.clone(), sample(member, root, name))).collect::<Map<_, _>>(),
            )
        }
        Some("array") => json!([sample(schema.get("items").unwrap_or(&Value::Null), root, name)]),
        Some("integer" | "number") => json!(42),
        Some("boolean") => json!(true),
        Some("string") if schema.get("format").and_then(Value::as_str) == Some("date-time") => {
            json!("2027-01-01T00:00:00.000000Z")
        }
        Some("string") if name.ends_with("sha256") => {
            json!("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
        }
        Some("string") => json!(format!("example {}", name.replace('_', " "))),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use chancery_domain::cloudevents::CloudEvent;

    use super::*;

    #[test]
    fn checked_in_schemas_are_what_the_types_say() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
        assert_eq!(drift(&directory), Vec::<String>::new(), "run `make schemas`");
    }

    #[test]
    fn every_example_is_an_acceptable_event() {
        for (name, text) in files().iter().filter(|(name, _)| name.starts_with("examples/")) {
            let event = CloudEvent::parse(text).and_then(|event| event.into_event(Timestamp::EPOCH));
            assert!(event.is_ok(), "{name}: {event:?}");
        }
    }
}
