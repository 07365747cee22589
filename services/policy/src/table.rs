//! The table of roles and permissions in the documentation, found by asking.

use std::collections::BTreeSet;

use crate::builtin::BUILT_IN_ROLES;
use crate::{GrantRefusal, Permission, PolicySet};

/// A row for each permission, a column for each built-in role, in Markdown. `all`: deployment-wide and in an
/// organization; `deployment`: deployment-wide only.
pub fn role_table() -> Result<String, GrantRefusal> {
    let policies = PolicySet::new(&[], &[])?;
    let mut columns = Vec::new();
    for role in BUILT_IN_ROLES {
        let everywhere = policies.permissions_of(role, None)?;
        columns.push((everywhere, policies.permissions_of(role, Some("an-organization"))?));
    }
    let heads: Vec<String> = BUILT_IN_ROLES.iter().map(|role| format!("`{role}`")).collect();
    let mut lines = vec![
        format!("| permission | to | {} |", heads.join(" | ")),
        format!("|---|---|{}", "---|".repeat(heads.len())),
    ];
    for permission in Permission::ALL {
        let cell = |(everywhere, scoped): &(BTreeSet<_>, BTreeSet<_>)| match (
            everywhere.contains(permission),
            scoped.contains(permission),
        ) {
            (true, true) => "all",
            (true, false) => "deployment",
            (false, true) => "organization",
            (false, false) => "",
        };
        let cells: Vec<&str> = columns.iter().map(cell).collect();
        lines.push(format!("| `{permission}` | {} | {} |", permission.description(), cells.join(" | ")));
    }
    Ok(lines.join("\n") + "\n")
}
