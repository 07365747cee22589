//! The table and the file.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

/// Results in the order they came.
pub(crate) struct Report(Vec<Value>);

impl Report {
    pub(crate) fn new() -> Self {
        println!("{}", machine());
        println!("{:<36} {:>14} {:<10} {:>12}  peers", "name", "value", "unit", "goal");
        Self(Vec::new())
    }

    /// Adds a number. A goal is a text such as `≥ 100000`.
    pub(crate) fn add(
        &mut self,
        name: &str,
        value: f64,
        unit: &str,
        goal: Option<&str>,
        peers: &BTreeMap<String, f64>,
    ) {
        let rounded = (value * 100.0).round() / 100.0;
        let shown: Vec<String> = peers.iter().map(|(peer, value)| format!("{peer} {value:.2}")).collect();
        println!("{name:<36} {rounded:>14} {unit:<10} {:>12}  {}", goal.unwrap_or(""), shown.join(", "));
        self.0.push(json!({"name": name, "value": rounded, "unit": unit, "goal": goal, "peers": peers}));
    }

    pub(crate) fn plain(&mut self, name: &str, value: f64, unit: &str, goal: Option<&str>) {
        self.add(name, value, unit, goal, &BTreeMap::new());
    }

    /// Writes the file.
    pub(crate) fn finish(self) {
        std::fs::create_dir_all("target/bench").expect("target/bench");
        let text = serde_json::to_string_pretty(&self.0).expect("JSON");
        std::fs::write("target/bench/results.json", text).expect("target/bench/results.json");
    }
}

fn machine() -> String {
    let output = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok();
        output.map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown").to_owned();
    format!(
        "{}; {model}, {} cores; Linux {}",
        output("date", &["-u", "+%F"]),
        output("nproc", &[]),
        output("uname", &["-r"])
    )
}
