//! What `show -json` says of a state, and of the part of a plan that looks like one.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::server::{PlannedResource, TemplateOutput};

/// The resource of Coder's provider that says something about another one.
pub(super) const METADATA: &str = "coder_metadata";

/// A managed resource.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listed {
    pub(super) address: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) index: Option<Value>,
    pub(super) values: Value,
}

/// What there is after a build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Its resources, without their cost.
    pub(crate) resources: Vec<PlannedResource>,
    /// The template's outputs; of sensitive ones only their names.
    pub(crate) outputs: BTreeMap<String, TemplateOutput>,
    /// Values that must not be read.
    pub(crate) secrets: Vec<String>,
}

/// Reads what `show -json` says of a state.
pub(crate) fn read_state(shown: &Value) -> State {
    let values = shown.get("values").unwrap_or(&Value::Null);
    let listed = resources(values).into_iter().filter(|resource| resource.kind != METADATA);
    let resources = listed.map(|resource| PlannedResource {
        address: resource.address,
        kind: resource.kind,
        name: resource.name,
        daily_cost: 0,
    });
    let outputs = values.get("outputs").and_then(Value::as_object).into_iter().flatten().map(|(name, output)| {
        let sensitive = is_sensitive(output);
        let value = if sensitive { None } else { output.get("value").cloned() };
        (name.clone(), TemplateOutput { value, sensitive })
    });
    State { resources: resources.collect(), outputs: outputs.collect(), secrets: secrets(values) }
}

fn is_sensitive(output: &Value) -> bool {
    output.get("sensitive") == Some(&Value::Bool(true))
}

/// The managed resources of all modules.
pub(super) fn resources(values: &Value) -> Vec<Listed> {
    let mut listed = Vec::new();
    for_each_resource(values, |resource| {
        let text = |name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if text("mode") == "managed" {
            listed.push(Listed {
                address: text("address"),
                kind: text("type"),
                name: text("name"),
                index: resource.get("index").cloned(),
                values: resource.get("values").cloned().unwrap_or_default(),
            });
        }
    });
    listed
}

fn for_each_resource(values: &Value, mut act: impl FnMut(&Value)) {
    let mut modules: Vec<&Value> = values.get("root_module").into_iter().collect();
    while let Some(module) = modules.pop() {
        module.get("resources").and_then(Value::as_array).into_iter().flatten().for_each(&mut act);
        modules.extend(module.get("child_modules").and_then(Value::as_array).into_iter().flatten());
    }
}

/// The texts in sensitive outputs and in sensitive attributes.
pub(super) fn secrets(values: &Value) -> Vec<String> {
    let mut secrets = Vec::new();
    for output in values.get("outputs").and_then(Value::as_object).into_iter().flat_map(|outputs| outputs.values()) {
        if is_sensitive(output)
            && let Some(value) = output.get("value")
        {
            collect(value, &Value::Bool(true), &mut secrets);
        }
    }
    for_each_resource(values, |resource| {
        if let (Some(value), Some(marks)) = (resource.get("values"), resource.get("sensitive_values")) {
            collect(value, marks, &mut secrets);
        }
    });
    secrets
}

/// The texts of a value where the marks, which have its shape, say that it is sensitive.
fn collect(value: &Value, marks: &Value, secrets: &mut Vec<String>) {
    match (value, marks) {
        (Value::String(text), Value::Bool(true)) => secrets.push(text.clone()),
        (Value::Number(number), Value::Bool(true)) => secrets.push(number.to_string()),
        (Value::Array(values), Value::Bool(true)) => values.iter().for_each(|value| collect(value, marks, secrets)),
        (Value::Object(values), Value::Bool(true)) => values.values().for_each(|value| collect(value, marks, secrets)),
        (Value::Array(values), Value::Array(marks)) => {
            values.iter().zip(marks).for_each(|(value, mark)| collect(value, mark, secrets));
        }
        (Value::Object(values), Value::Object(marks)) => {
            for (name, value) in values {
                if let Some(mark) = marks.get(name) {
                    collect(value, mark, secrets);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sensitive_outputs_keep_their_value_and_sensitive_attributes_are_secrets() {
        let shown = json!({"values": {
            "outputs": {"url": {"value": "https://x", "sensitive": false},
                        "login": {"value": {"user": "ada", "key": ["hunter22"]}, "sensitive": true}},
            "root_module": {
                "resources": [{"address": "a.b", "mode": "managed", "type": "a", "name": "b",
                    "values": {"open": "shown", "deep": [{"key": "hunter33"}, {"key": "shown"}]},
                    "sensitive_values": {"deep": [{"key": true}, {}]}},
                    {"address": "data.c.d", "mode": "data", "type": "c", "name": "d", "values": {}}],
                "child_modules": [{"resources": [{"address": "module.m.e.f", "mode": "managed", "type": "e", "name": "f"}]}]}}});
        let state = read_state(&shown);
        let addresses: Vec<&str> = state.resources.iter().map(|resource| resource.address.as_str()).collect();
        assert_eq!(addresses, ["a.b", "module.m.e.f"]);
        assert_eq!(state.outputs["url"], TemplateOutput { value: Some(json!("https://x")), sensitive: false });
        assert_eq!(state.outputs["login"], TemplateOutput { value: None, sensitive: true });
        let mut secrets = state.secrets;
        secrets.sort();
        assert_eq!(secrets, ["ada", "hunter22", "hunter33"]);
    }

    #[test]
    fn an_empty_state_has_nothing() {
        assert_eq!(read_state(&json!({"format_version": "1.0"})), State::default());
    }
}
