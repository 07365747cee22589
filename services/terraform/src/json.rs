//! Files in Terraform's JSON syntax.

use chancery_domain::events::templates::RequiredProvider;
use serde_json::{Map, Value};

use crate::contents::{Gathered, Place, VariableFacts};
use crate::error::Mistake;

/// Adds what a file says.
pub(crate) fn gather(gathered: &mut Gathered, place: Place<'_>, text: &str) {
    let document: Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            let (line, column) = (Some(error.line()), Some(error.column()));
            return gathered.mistakes.push(Mistake { line, column, ..Mistake::new(place.path, error.to_string()) });
        }
    };
    if !document.is_object() && !document.is_array() {
        return gathered.mistake(place, "is neither an object nor a list of objects");
    }
    for body in bodies(&document) {
        for metadata in under(body, "resource").flat_map(|types| under(types, "coder_metadata")) {
            named(metadata).for_each(|(_, resource)| cost(gathered, place, resource));
        }
        if place.is_root() {
            for variables in under(body, "variable") {
                for (name, said) in named(variables) {
                    gathered.variable(place, name, variable(said));
                }
            }
            under(body, "terraform").for_each(|block| terraform(gathered, place, block));
        }
    }
}

/// A block's body, or several of them.
fn bodies(value: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    let several = value.as_array().into_iter().flatten().filter_map(Value::as_object);
    value.as_object().into_iter().chain(several)
}

fn under<'a>(body: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Map<String, Value>> + use<'a> {
    body.get(name).into_iter().flat_map(bodies)
}

fn named(body: &Map<String, Value>) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
    body.iter().flat_map(|(name, value)| bodies(value).map(move |body| (name, body)))
}

fn text(body: &Map<String, Value>, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn variable(body: &Map<String, Value>) -> VariableFacts {
    VariableFacts {
        description: text(body, "description"),
        variable_type: text(body, "type"),
        has_default: body.contains_key("default"),
        sensitive: body.get("sensitive").and_then(Value::as_bool),
        nullable: body.get("nullable").and_then(Value::as_bool),
    }
}

fn terraform(gathered: &mut Gathered, place: Place<'_>, body: &Map<String, Value>) {
    if let Some(version) = text(body, "required_version") {
        gathered.required_version(place, &version);
    }
    for providers in under(body, "required_providers") {
        for (name, said) in providers {
            let member = |key: &str| said.as_object().and_then(|said| text(said, key));
            let version = said.as_str().map(str::to_owned).or_else(|| member("version"));
            gathered.provider(place, RequiredProvider { name: name.clone(), source: member("source"), version });
        }
    }
}

fn cost(gathered: &mut Gathered, place: Place<'_>, body: &Map<String, Value>) {
    if let Some(cost) = body.get("daily_cost") {
        let is_repeated = ["count", "for_each"].iter().any(|name| body.contains_key(*name));
        gathered.cost(place, cost.as_u64(), is_repeated);
    }
}
