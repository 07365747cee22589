//! What files declare.

use chancery_domain::events::templates::{RequiredProvider, TemplateContents, TemplateVariable};

use super::*;
use crate::{Mistake, describe};

fn described(entries: &[(&str, &str)]) -> Result<TemplateContents, Vec<Mistake>> {
    describe(&unpack(&files(entries)).unwrap())
}

fn mistakes(entries: &[(&str, &str)]) -> Vec<String> {
    described(entries).unwrap_err().iter().map(ToString::to_string).collect()
}

fn variable(name: &str) -> TemplateVariable {
    TemplateVariable { name: name.to_owned(), nullable: true, ..TemplateVariable::default() }
}

const MAIN: &str = r#"
terraform {
  required_version = ">= 1.5"
  required_providers {
    coder  = { source = "coder/coder", version = "~> 2.0" }
    docker = { "source" = "kreuzwerker/docker" }
    old    = "1.0"
  }
}

variable "region" {
  description = <<-EOT
    Where it runs.
  EOT
  type        = string
  default     = "eu"
}

variable "disks" {
  type = list(object({
    size = number
    kind = optional(string, "ssd")
  }))
  nullable = false
}

variable "token" {
  type      = string
  sensitive = true
}

resource "docker_container" "workspace" {
  image = "base-${var.region}"
}

resource "coder_metadata" "container" {
  resource_id = docker_container.workspace.id
  daily_cost  = 30
}

resource "coder_metadata" "volume" {
  resource_id = docker_volume.home.id
  daily_cost  = 12
  item {
    key = "size"
  }
}
"#;

#[test]
fn variables_providers_versions_and_costs_are_told() {
    let provider = |name: &str, source: Option<&str>, version: Option<&str>| RequiredProvider {
        name: name.to_owned(),
        source: source.map(str::to_owned),
        version: version.map(str::to_owned),
    };
    let text = |text: &str| Some(text.to_owned());
    let expected = TemplateContents {
        daily_cost: Some(42),
        daily_cost_partial: false,
        providers: vec![
            provider("coder", Some("coder/coder"), Some("~> 2.0")),
            provider("docker", Some("kreuzwerker/docker"), None),
            provider("old", None, Some("1.0")),
        ],
        required_version: text(">= 1.5"),
        variables: vec![
            TemplateVariable {
                nullable: false,
                variable_type: text("list(object({ size = number, kind = optional(string, \"ssd\") }))"),
                ..variable("disks")
            },
            TemplateVariable {
                description: text("Where it runs."),
                has_default: true,
                variable_type: text("string"),
                ..variable("region")
            },
            TemplateVariable { sensitive: true, variable_type: text("string"), ..variable("token") },
        ],
    };
    assert_eq!(described(&[("main.tf", MAIN)]), Ok(expected));
}

#[test]
fn the_json_syntax_says_the_same() {
    let json = r#"{
        "terraform": [{"required_version": ">= 1.5", "required_providers": {"coder": {"source": "coder/coder", "version": "~> 2.0"}}}],
        "variable": {"region": {"type": "string", "default": null, "description": "Where"}, "token": [{"sensitive": true, "nullable": false}]},
        "resource": {"coder_metadata": {"a": {"daily_cost": 7}, "b": {"daily_cost": "${var.x}"}}}
    }"#;
    let contents = described(&[("main.tf.json", json)]).unwrap();
    assert_eq!((contents.daily_cost, contents.daily_cost_partial), (Some(7), true));
    assert_eq!(contents.required_version.as_deref(), Some(">= 1.5"));
    assert_eq!(contents.providers.len(), 1);
    let described = Some("Where".to_owned());
    assert_eq!(
        contents.variables,
        [
            TemplateVariable {
                description: described,
                has_default: true,
                variable_type: Some("string".to_owned()),
                ..variable("region")
            },
            TemplateVariable { sensitive: true, nullable: false, ..variable("token") },
        ]
    );
}

#[test]
fn a_cost_that_is_not_known_is_said_not_to_be() {
    let cost = |text: &str| {
        let contents = described(&[("main.tf", text)]).unwrap();
        (contents.daily_cost, contents.daily_cost_partial)
    };
    let metadata = |inner: &str| format!("resource \"coder_metadata\" \"x\" {{\n{inner}\n}}\n");
    assert_eq!(cost(""), (None, false));
    assert_eq!(cost(&metadata("hide = true")), (None, false));
    assert_eq!(cost(&metadata("daily_cost = var.cost")), (None, true));
    assert_eq!(cost(&metadata("daily_cost = 3\ncount = 2")), (Some(3), true));
    assert_eq!(cost(&metadata("daily_cost = -3")), (None, true));
    assert_eq!(cost(&metadata("daily_cost = 18446744073709551615").repeat(2)), (Some(u32::MAX), false));
    let module = described(&[("main.tf", ""), ("modules/a/main.tf", &metadata("daily_cost = 3"))]).unwrap();
    assert_eq!((module.daily_cost, module.daily_cost_partial), (Some(3), true));
}

#[test]
fn modules_have_variables_of_their_own_and_overrides_the_last_word() {
    let contents = described(&[
        ("a_override.tf", "variable \"x\" {\n  default = 1\n  sensitive = true\n}"),
        ("main.tf", "variable \"x\" {\n  type = number\n}"),
        ("modules/m/main.tf", "variable \"inner\" {}"),
    ])
    .unwrap();
    let expected = TemplateVariable {
        has_default: true,
        sensitive: true,
        variable_type: Some("number".to_owned()),
        ..variable("x")
    };
    assert_eq!(contents.variables, [expected]);
    let twice = mistakes(&[("a.tf", "variable \"x\" {}"), ("b.tf", "variable \"x\" {}")]);
    assert_eq!(twice, ["b.tf: variable `x` is declared twice"]);
}

#[test]
fn every_mistake_is_told_with_file_and_line() {
    let found = mistakes(&[
        ("main.tf", "variable \"x\" {\n  type = \n}\n"),
        ("modules/m/main.tf", "a = 1\na = 2\n"),
        ("more.tf.json", "{\n  \"variable\": [}\n"),
    ]);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("main.tf:2:"), "{found:?}");
    assert!(found[1].starts_with("modules/m/main.tf:2:1: "), "{found:?}");
    assert!(found[2].starts_with("more.tf.json:2:"), "{found:?}");
    assert_eq!(mistakes(&[("README.md", "")]), ["there is no `.tf` or `.tf.json` file at its root"]);
    assert_eq!(mistakes(&[("modules/main.tf", "")]), ["there is no `.tf` or `.tf.json` file at its root"]);
    assert_eq!(mistakes(&[("a.tf", &" ".repeat(600 << 10))]), ["a.tf: is larger than 524288 bytes"]);
    let bytes = tar(&[("main.tf", EntryType::Regular, b"# caf\xe9\n")]);
    assert_eq!(describe(&unpack(&bytes).unwrap()).unwrap_err()[0].to_string(), "main.tf: is not UTF-8");
}

#[test]
fn what_is_too_much_to_record_is_refused() {
    let many: String =
        (0..1000).map(|n| format!("variable \"v{n}\" {{\n  description = \"{}\"\n}}\n", "x".repeat(90))).collect();
    let found = mistakes(&[("main.tf", &many)]);
    assert!(found[0].contains("40000 at most"), "{found:?}");
    let long = format!("variable \"x\" {{\n  description = \"{}\"\n}}\n", "é".repeat(700));
    let contents = described(&[("main.tf", &long)]).unwrap();
    assert_eq!(contents.variables[0].description.as_ref().unwrap().chars().count(), 500);
}

/// Everything that nests, far too deep: an error, soon, and no overflow of the stack.
#[test]
fn no_depth_overflows_the_stack_or_takes_for_ever() {
    for depth in [40, 60, 1000, 100_000] {
        for (open, inner, close) in [
            ("[", "1", "]"),
            ("(", "1", ")"),
            ("{ a = ", "1", " }"),
            ("{ (", "a", ") = 1 }"),
            ("f(", "1", ")"),
            ("\"${", "1", "}\""),
            ("[for x in ", "y", " : x]"),
            ("{for k, v in ", "y", " : k => v}"),
            ("a[", "0", "]"),
            ("true ? 1 : ", "0", ""),
            ("true ? ", "0", " : 1"),
            ("!", "true", ""),
            ("-", "1", ""),
            ("1 + ", "1", ""),
            ("\"%{ if true }", "x", "%{ endif }\""),
        ] {
            let text = format!("x = {}{inner}{}\n", open.repeat(depth), close.repeat(depth));
            drop(described(&[("main.tf", &text)]));
        }
        let blocks = format!("{}{}", "a {\n".repeat(depth), "}\n".repeat(depth));
        drop(described(&[("main.tf", &blocks)]));
        let json = format!("{{\"variable\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
        drop(described(&[("main.tf.json", &json)]));
    }
}
