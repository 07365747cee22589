//! Browser-only mode, as a policy: who connects to what by other means than a browser is refused.

use std::collections::BTreeSet;

use cedar_policy::EntityId;
use serde::{Deserialize, Serialize};

/// Id of the policy that is generated.
pub const BROWSER_ONLY: &str = "browser-only";

/// Kinds of session that count as browser where nothing else was said.
pub const BROWSER_KINDS: [&str; 3] = ["jupyter", "terminal", "web_ide"];

/// Where browser-only mode is on, and for whom it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrowserOnly {
    /// Everywhere.
    #[serde(default)]
    pub deployment: bool,
    /// For workspaces in these organizations, by name.
    #[serde(default)]
    pub organizations: BTreeSet<String>,
    /// For workspaces made from these templates, by id.
    #[serde(default)]
    pub templates: BTreeSet<String>,
    /// For members of these groups, by id.
    #[serde(default)]
    pub groups: BTreeSet<String>,
    /// The kinds of session that count as browser.
    #[serde(default = "browser_kinds")]
    pub browser_kinds: BTreeSet<String>,
    /// Who is exempt. Nobody is by their role alone.
    #[serde(default)]
    pub except: Exempt,
}

/// Who is exempt from browser-only mode.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exempt {
    /// User ids.
    #[serde(default)]
    pub users: BTreeSet<String>,
    /// Group ids.
    #[serde(default)]
    pub groups: BTreeSet<String>,
    /// Role names: where someone has the role, they are exempt.
    #[serde(default)]
    pub roles: BTreeSet<String>,
}

impl Default for BrowserOnly {
    /// Nowhere.
    fn default() -> Self {
        Self {
            deployment: false,
            organizations: BTreeSet::new(),
            templates: BTreeSet::new(),
            groups: BTreeSet::new(),
            browser_kinds: browser_kinds(),
            except: Exempt::default(),
        }
    }
}

fn browser_kinds() -> BTreeSet<String> {
    BROWSER_KINDS.map(str::to_owned).into()
}

impl BrowserOnly {
    /// Whether it is on anywhere.
    pub fn is_on(&self) -> bool {
        self.deployment || !(self.organizations.is_empty() && self.templates.is_empty() && self.groups.is_empty())
    }

    /// The policy's text; empty if it is on nowhere. A rule for each of what it is on for.
    pub fn to_cedar(&self) -> String {
        let mut conditions = Vec::new();
        if self.deployment {
            conditions.push(("Everywhere.", "principal", None));
        }
        if !self.organizations.is_empty() {
            let list = entities("Organization", &self.organizations);
            conditions.push(("In these organizations.", "principal", Some(format!("resource in {list}"))));
        }
        if !self.templates.is_empty() {
            let list = entities("Template", &self.templates);
            let condition = format!("resource has template && {list}.contains(resource.template)");
            conditions.push(("In workspaces of these templates.", "principal", Some(condition)));
        }
        if !self.groups.is_empty() {
            let list = entities("Group", &self.groups);
            conditions.push((
                "For members of these groups.",
                "principal is User",
                Some(format!("principal in {list}")),
            ));
        }
        let rules =
            conditions.into_iter().map(|(comment, principal, condition)| self.rule(comment, principal, condition));
        rules.collect::<Vec<_>>().join("\n")
    }

    fn rule(&self, comment: &str, principal: &str, condition: Option<String>) -> String {
        let kinds: Vec<String> = self.browser_kinds.iter().map(|kind| text(kind)).collect();
        let mut conditions = vec!["context has session".to_owned()];
        if !kinds.is_empty() {
            conditions.push(format!("!([{}].contains(context.session.kind))", kinds.join(", ")));
        }
        conditions.extend(condition);
        let exempt = self.except.conditions();
        let unless = if exempt.is_empty() {
            String::new()
        } else {
            format!("\nunless {{\n    {}\n}}", exempt.join(" ||\n    "))
        };
        format!(
            "// {comment}\nforbid ({principal}, action == Action::\"sessions:connect\", resource is Workspace)\nwhen {{\n    \
             {}\n}}{unless};\n",
            conditions.join(" &&\n    ")
        )
    }
}

impl Exempt {
    /// The conditions each of which exempts.
    fn conditions(&self) -> Vec<String> {
        let mut conditions = Vec::new();
        if !self.users.is_empty() {
            conditions.push(format!("principal in {}", entities("User", &self.users)));
        }
        if !self.groups.is_empty() {
            conditions.push(format!("principal in {}", entities("Group", &self.groups)));
        }
        for role in &self.roles {
            let name = text(role);
            conditions.push(format!("principal in Role::{name}"));
            conditions.push(format!(
                "(principal is User && principal.hasTag({name}) && resource in principal.getTag({name}))"
            ));
        }
        conditions
    }
}

/// A set of entities.
fn entities(kind: &str, ids: &BTreeSet<String>) -> String {
    let list: Vec<String> = ids.iter().map(|id| format!("{kind}::{}", text(id))).collect();
    format!("[{}]", list.join(", "))
}

/// A text of Cedar, whatever is in it.
fn text(text: &str) -> String {
    format!("\"{}\"", EntityId::new(text).escaped())
}
