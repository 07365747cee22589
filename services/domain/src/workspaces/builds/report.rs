//! What a runner reports of a build, as far as it is kept: events are bounded, and so is this.

use std::collections::BTreeMap;

use crate::events::builds::{BuildLog, BuildOutput, BuildResource};
use crate::events::workspaces::Build;
use crate::validate;

/// Most bytes of all resources together, as they are kept.
const MOST_RESOURCES: usize = 24 << 10;
/// Most bytes of all outputs together.
const MOST_OUTPUTS: usize = 16 << 10;
/// Most bytes of a name that is kept.
const MOST_NAME: usize = 512;

/// Where in an event the value of an output is.
const DEPTH: usize = 4;

/// What a runner says of a build besides how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildReport {
    /// The end of its log.
    pub log: Option<BuildLog>,
    /// The template's outputs.
    pub outputs: BTreeMap<String, BuildOutput>,
    /// What there is.
    pub resources: Option<Vec<BuildResource>>,
}

impl BuildReport {
    /// Puts it into the payload of an event: as much as fits, never the value of a sensitive output.
    pub(super) fn tell(self, payload: &mut Build) {
        payload.log = self.log;
        payload.outputs = bounded_outputs(self.outputs);
        if let Some(resources) = self.resources {
            let (kept, left_out) = bounded_resources(resources);
            payload.resources = Some(kept);
            payload.resources_left_out = (left_out > 0).then_some(left_out);
        }
    }
}

/// The resources that fit, and how many do not.
pub(super) fn bounded_resources(resources: Vec<BuildResource>) -> (Vec<BuildResource>, u64) {
    let mut left = MOST_RESOURCES;
    let count = resources.len();
    let mut kept = Vec::new();
    for resource in resources {
        let long = [&resource.address, &resource.kind, &resource.name].iter().any(|text| text.len() > MOST_NAME);
        let size = serde_json::to_string(&resource).map_or(usize::MAX, |text| text.len() + 1);
        if long || size > left {
            continue;
        }
        left -= size;
        kept.push(resource);
    }
    let left_out = u64::try_from(count - kept.len()).unwrap_or(u64::MAX);
    (kept, left_out)
}

fn bounded_outputs(outputs: BTreeMap<String, BuildOutput>) -> BTreeMap<String, BuildOutput> {
    let mut left = MOST_OUTPUTS;
    let mut kept = BTreeMap::new();
    for (name, output) in outputs {
        let mut output =
            if output.sensitive { BuildOutput { sensitive: true, ..BuildOutput::default() } } else { output };
        let size = |output: &BuildOutput| {
            serde_json::to_string(output).map_or(usize::MAX, |text| text.len().saturating_add(name.len() + 8))
        };
        let tellable = output.value.as_ref().is_none_or(|value| validate::value(value, "", DEPTH).is_ok());
        if size(&output) > left || !tellable {
            output = BuildOutput { left_out: true, sensitive: output.sensitive, value: None };
        }
        let size = size(&output);
        if name.len() > MOST_NAME || size > left {
            continue;
        }
        left -= size;
        kept.insert(name, output);
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::events::workspaces::Transition;

    #[test]
    fn what_does_not_fit_is_counted_and_what_is_sensitive_is_not_told() {
        let resource = |number: usize| BuildResource {
            address: format!("terraform_data.one[{number}]"),
            daily_cost: 1,
            name: "one".to_owned(),
            kind: "terraform_data".to_owned(),
        };
        let output = |sensitive, value| BuildOutput { left_out: false, sensitive, value: Some(value) };
        let report = BuildReport {
            log: None,
            outputs: BTreeMap::from([
                ("address".to_owned(), output(false, json!("here"))),
                ("large".to_owned(), output(false, json!("x".repeat(MOST_OUTPUTS)))),
                ("login".to_owned(), output(true, json!("hunter22"))),
                ("n".repeat(600), output(false, json!(1))),
            ]),
            resources: Some((0..1000).map(resource).collect()),
        };
        let mut payload = Build::new(1, Transition::Start);
        report.tell(&mut payload);
        let kept = payload.resources.as_ref().unwrap().len();
        assert!(kept > 200 && payload.resources_left_out == Some(1000 - kept as u64), "{kept}");
        assert_eq!(payload.outputs["address"].value, Some(json!("here")));
        assert!(payload.outputs["large"].left_out && payload.outputs["large"].value.is_none());
        assert!(payload.outputs["login"].sensitive && payload.outputs.len() == 3);
        let told = serde_json::to_string(&payload).unwrap();
        assert!(!told.contains("hunter22") && told.len() < crate::validate::MAX_EVENT - 8192, "{}", told.len());
    }

    #[test]
    fn a_report_without_resources_says_nothing_of_them() {
        let mut payload = Build::new(1, Transition::Start);
        BuildReport::default().tell(&mut payload);
        assert_eq!(payload, Build::new(1, Transition::Start));
        let none = BuildReport { resources: Some(Vec::new()), ..BuildReport::default() };
        none.tell(&mut payload);
        assert_eq!(payload.resources, Some(Vec::new()), "that there is none is something");
    }
}
