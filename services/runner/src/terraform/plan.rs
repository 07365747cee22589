//! What a plan comes to: its resources, and what they cost per day.
//!
//! Costs are said in one of two ways. `coder_metadata` of Coder's provider gives the daily cost of the resource that its
//! `resource_id` refers to. A template without that provider has an output `chancery_daily_cost`, a whole number, or an
//! output `chancery = { daily_cost, resources = { "address" = cost } }`, where the total may be left out. What only the
//! apply will tell is named as unknown, and is never taken for nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::shown::{self, Listed};
use crate::server::{Planned, PlannedResource};

/// Why nothing can be made of a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    /// A cost is no whole number from 0 on.
    #[error("the daily cost of `{0}` is not a whole number of credits, 0 or more")]
    Cost(String),
    /// Two say what one resource costs.
    #[error("more than one `coder_metadata` is about `{0}`")]
    Twice(String),
}

/// A plan, and the values in it that must not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) planned: Planned,
    pub(crate) secrets: Vec<String>,
}

/// Reads what `show -json` says of a plan.
pub(crate) fn read_plan(shown: &Value) -> Result<Plan, PlanError> {
    let values = shown.get("planned_values").unwrap_or(&Value::Null);
    let listed = shown::resources(values);
    let mut costs = Costs { unknown: unknown_costs(shown), ..Costs::default() };
    costs.coder(shown, &listed)?;
    costs.own(shown, values)?;
    let resources = listed.iter().filter(|resource| resource.kind != shown::METADATA);
    let resources = resources.map(|resource| PlannedResource {
        address: resource.address.clone(),
        kind: resource.kind.clone(),
        name: resource.name.clone(),
        daily_cost: costs.of.get(&resource.address).copied().unwrap_or(0),
    });
    let planned = Planned {
        daily_cost: costs.total,
        unknown: costs.unknown.into_iter().collect(),
        resources: resources.collect(),
    };
    Ok(Plan { planned, secrets: shown::secrets(values) })
}

#[derive(Debug, Default)]
struct Costs {
    total: u32,
    of: BTreeMap<String, u32>,
    unknown: BTreeSet<String>,
}

impl Costs {
    fn add(&mut self, address: &str, cost: &Value) -> Result<u32, PlanError> {
        let cost = whole(cost).ok_or_else(|| PlanError::Cost(address.to_owned()))?;
        self.total = self.total.checked_add(cost).ok_or_else(|| PlanError::Cost(address.to_owned()))?;
        Ok(cost)
    }

    /// What `coder_metadata` says.
    fn coder(&mut self, shown: &Value, listed: &[Listed]) -> Result<(), PlanError> {
        let references = references(shown);
        let mut about = BTreeSet::new();
        for metadata in listed.iter().filter(|resource| resource.kind == shown::METADATA) {
            let target = target(metadata, listed, &references);
            if let Some(target) = &target
                && !about.insert(target.clone())
            {
                return Err(PlanError::Twice(target.clone()));
            }
            let Some(cost) = metadata.values.get("daily_cost").filter(|cost| !cost.is_null()) else { continue };
            let cost = self.add(&metadata.address, cost)?;
            self.of.insert(target.unwrap_or_else(|| metadata.address.clone()), cost);
        }
        Ok(())
    }

    /// What the outputs of Chancery's own convention say.
    fn own(&mut self, shown: &Value, values: &Value) -> Result<(), PlanError> {
        for name in ["chancery_daily_cost", "chancery"] {
            let address = format!("output.{name}");
            let changed = shown.pointer(&format!("/output_changes/{name}"));
            let actions = changed.and_then(|change| change.get("actions")).and_then(Value::as_array);
            if actions.is_some_and(|actions| actions.iter().all(|action| action == "delete")) {
                continue;
            }
            if changed.and_then(|change| change.get("after_unknown")).is_some_and(is_anything_unknown) {
                self.unknown.insert(address.clone());
            }
            let value = values.pointer(&format!("/outputs/{name}/value")).unwrap_or(&Value::Null);
            match value {
                Value::Null => {}
                Value::Object(parts) => self.object(&address, parts)?,
                cost => {
                    self.add(&address, cost)?;
                }
            }
        }
        Ok(())
    }

    fn object(&mut self, address: &str, parts: &serde_json::Map<String, Value>) -> Result<(), PlanError> {
        let mut sum = 0_u32;
        for (resource, cost) in parts.get("resources").and_then(Value::as_object).into_iter().flatten() {
            let cost = whole(cost).ok_or_else(|| PlanError::Cost(resource.clone()))?;
            sum = sum.checked_add(cost).ok_or_else(|| PlanError::Cost(address.to_owned()))?;
            self.of.insert(resource.clone(), cost);
        }
        let total = parts.get("daily_cost").filter(|total| !total.is_null());
        self.add(address, total.unwrap_or(&Value::from(sum)))?;
        Ok(())
    }
}

/// A whole number from 0 on; Terraform may write it as text.
fn whole(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => match number.as_u64() {
            Some(whole) => u32::try_from(whole).ok(),
            // 10.0 is one too.
            None => number.to_string().strip_suffix(".0")?.parse().ok(),
        },
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn is_anything_unknown(value: &Value) -> bool {
    match value {
        Value::Bool(unknown) => *unknown,
        Value::Array(parts) => parts.iter().any(is_anything_unknown),
        Value::Object(parts) => parts.values().any(is_anything_unknown),
        _ => false,
    }
}

/// Addresses of `coder_metadata` whose cost is not known yet.
fn unknown_costs(shown: &Value) -> BTreeSet<String> {
    let changes = shown.get("resource_changes").and_then(Value::as_array).into_iter().flatten();
    let unknown = changes.filter(|change| {
        change.get("type").and_then(Value::as_str) == Some(shown::METADATA)
            && change.pointer("/change/after_unknown/daily_cost") == Some(&Value::Bool(true))
    });
    unknown.filter_map(|change| change.get("address").and_then(Value::as_str).map(str::to_owned)).collect()
}

/// What the `resource_id` of each `coder_metadata` refers to, both as the template writes them: without instances of
/// modules and resources.
fn references(shown: &Value) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    let mut modules = vec![(String::new(), shown.pointer("/configuration/root_module"))];
    while let Some((prefix, module)) = modules.pop() {
        let Some(module) = module else { continue };
        for resource in module.get("resources").and_then(Value::as_array).into_iter().flatten() {
            let address = resource.get("address").and_then(Value::as_str).unwrap_or_default();
            let references = resource.pointer("/expressions/resource_id/references").and_then(Value::as_array);
            let references = references.into_iter().flatten().filter_map(Value::as_str);
            let references = references.map(|reference| format!("{prefix}{reference}")).collect();
            found.insert(format!("{prefix}{address}"), references);
        }
        for (name, call) in module.get("module_calls").and_then(Value::as_object).into_iter().flatten() {
            modules.push((format!("{prefix}module.{name}."), call.get("module")));
        }
    }
    found
}

/// The resource that a `coder_metadata` is about: the one with its own instance, else the first.
fn target(metadata: &Listed, listed: &[Listed], references: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let references = references.get(&without_instances(&metadata.address))?;
    let plain: Vec<String> = references.iter().map(|reference| without_instances(reference)).collect();
    let candidates = listed
        .iter()
        .filter(|resource| resource.kind != shown::METADATA && plain.contains(&without_instances(&resource.address)));
    let candidates: Vec<&Listed> = candidates.collect();
    let named = candidates.iter().find(|resource| references.contains(&resource.address));
    let same = candidates.iter().find(|resource| resource.index == metadata.index && resource.index.is_some());
    named.or(same).or(candidates.first()).map(|resource| resource.address.clone())
}

/// An address without what is in square brackets.
fn without_instances(address: &str) -> String {
    let (mut plain, mut depth, mut quoted) = (String::with_capacity(address.len()), 0_u32, false);
    for character in address.chars() {
        match character {
            '"' if depth > 0 => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(character),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(address: &str, values: &Value) -> Value {
        let plain = without_instances(address);
        let mut parts = plain.rsplit('.');
        let (name, kind) = (parts.next().unwrap(), parts.next().unwrap());
        let mut resource = json!({"address": address, "mode": "managed", "type": kind, "name": name, "values": values});
        if let Some((_, index)) = address.rsplit_once('[') {
            resource["index"] = serde_json::from_str(index.trim_end_matches(']')).unwrap();
        }
        resource
    }

    fn metadata(name: &str, references: &[&str]) -> Value {
        json!({"address": format!("coder_metadata.{name}"), "type": "coder_metadata", "name": name,
               "expressions": {"resource_id": {"references": references}}})
    }

    fn plan(resources: &[Value], configuration: &[Value]) -> Value {
        json!({"planned_values": {"root_module": {"resources": resources}},
               "configuration": {"root_module": {"resources": configuration}}})
    }

    fn costs(plan: &Value) -> (u32, Vec<(String, u32)>) {
        let planned = read_plan(plan).unwrap().planned;
        (planned.daily_cost, planned.resources.into_iter().map(|one| (one.address, one.daily_cost)).collect())
    }

    #[test]
    fn coder_metadata_gives_its_cost_to_what_it_refers_to() {
        let resources = [
            resource("docker_container.workspace[0]", &json!({})),
            resource("docker_volume.home", &json!({})),
            resource("coder_metadata.container[0]", &json!({"daily_cost": 30})),
            resource("coder_metadata.home", &json!({"daily_cost": 10})),
            resource("coder_metadata.free", &json!({"daily_cost": null})),
        ];
        let configuration = [
            metadata("container", &["docker_container.workspace[0].id", "docker_container.workspace"]),
            metadata("home", &["docker_volume.home.id", "docker_volume.home"]),
        ];
        let expected = [("docker_container.workspace[0]".to_owned(), 30), ("docker_volume.home".to_owned(), 10)];
        assert_eq!(costs(&plan(&resources, &configuration)), (40, expected.to_vec()));
    }

    #[test]
    fn instances_meet_their_own_metadata_also_in_modules() {
        let module = json!({"address": "module.pair[\"a.b]\"]", "resources": [
            resource("module.pair[\"a.b]\"].vm.machine[\"x\"]", &json!({})),
            resource("module.pair[\"a.b]\"].vm.machine[\"y\"]", &json!({})),
            resource("module.pair[\"a.b]\"].coder_metadata.cost[\"y\"]", &json!({"daily_cost": 7})),
        ]});
        let call = json!({"pair": {"module": {"resources": [metadata("cost", &["vm.machine", "each.key"])]}}});
        let plan = json!({"planned_values": {"root_module": {"child_modules": [module]}},
                          "configuration": {"root_module": {"module_calls": call}}});
        let expected = [
            ("module.pair[\"a.b]\"].vm.machine[\"x\"]".to_owned(), 0),
            ("module.pair[\"a.b]\"].vm.machine[\"y\"]".to_owned(), 7),
        ];
        assert_eq!(costs(&plan), (7, expected.to_vec()));
    }

    #[test]
    fn two_about_one_and_no_numbers_are_refused() {
        let resources = [
            resource("vm.one", &json!({})),
            resource("coder_metadata.a", &json!({"daily_cost": 1})),
            resource("coder_metadata.b", &json!({"daily_cost": 1})),
        ];
        let configuration = [metadata("a", &["vm.one.id", "vm.one"]), metadata("b", &["vm.one.id", "vm.one"])];
        assert_eq!(read_plan(&plan(&resources, &configuration)), Err(PlanError::Twice("vm.one".to_owned())));
        for cost in [json!(-1), json!(1.5), json!("much"), json!(5_000_000_000_u64)] {
            let resources = [resource("coder_metadata.a", &json!({"daily_cost": cost}))];
            assert_eq!(read_plan(&plan(&resources, &[])), Err(PlanError::Cost("coder_metadata.a".to_owned())));
        }
    }

    #[test]
    fn what_is_not_known_is_said_and_is_not_nothing() {
        let mut shown = plan(&[resource("coder_metadata.a", &json!({}))], &[]);
        shown["resource_changes"] = json!([{"address": "coder_metadata.a", "type": "coder_metadata",
            "change": {"after_unknown": {"daily_cost": true, "id": true}}}]);
        shown["output_changes"] = json!({"chancery": {"actions": ["create"], "after_unknown": {"daily_cost": true}}});
        let planned = read_plan(&shown).unwrap().planned;
        assert_eq!(
            (planned.daily_cost, planned.unknown),
            (0, vec!["coder_metadata.a".to_owned(), "output.chancery".to_owned()])
        );
    }

    #[test]
    fn outputs_of_the_convention_say_the_cost() {
        let shown = |outputs: Value| {
            json!({"planned_values": {"outputs": outputs, "root_module": {
            "resources": [resource("terraform_data.machine[0]", &json!({}))]}}})
        };
        assert_eq!(costs(&shown(json!({"chancery_daily_cost": {"value": 12}}))).0, 12);
        assert_eq!(costs(&shown(json!({"chancery_daily_cost": {"value": "12"}}))).0, 12);
        let both = json!({"chancery": {"value": {"daily_cost": 9, "resources": {"terraform_data.machine[0]": 8}}}});
        assert_eq!(costs(&shown(both)), (9, vec![("terraform_data.machine[0]".to_owned(), 8)]));
        let sum = json!({"chancery": {"value": {"resources": {"terraform_data.machine[0]": 8, "other": 1}}}});
        assert_eq!(costs(&shown(sum)).0, 9);
        let wrong = read_plan(&shown(json!({"chancery_daily_cost": {"value": [1]}})));
        assert_eq!(wrong, Err(PlanError::Cost("output.chancery_daily_cost".to_owned())));
    }
}
