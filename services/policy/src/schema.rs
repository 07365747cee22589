//! The Cedar schema: the vocabulary of all policies.

use std::collections::BTreeSet;

use cedar_policy::Schema;
use miette::Diagnostic;

use crate::permission::Permission;

/// The schema's text.
pub const SCHEMA: &str = include_str!("../../../schemas/policy/chancery.cedarschema");

/// The line of the schema after which everything is generated.
const MARK: &str = "// Generated from the list of permissions.\n";

/// The schema.
pub(crate) fn parse() -> Result<Schema, String> {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA)
        .map_err(|error| format!("{error}{}", error.help().map(|help| format!(": {help}")).unwrap_or_default()))?;
    Ok(schema)
}

/// The schema's text with its actions written anew from [`Permission::ALL`].
pub fn generate_schema() -> String {
    let written_by_hand = SCHEMA.split_once(MARK).map_or(SCHEMA, |(before, _)| before);
    format!("{written_by_hand}{MARK}\n{}", actions())
}

/// The actions and their groups.
fn actions() -> String {
    let groups: BTreeSet<&str> = Permission::ALL.iter().flat_map(|permission| permission.groups()).collect();
    let groups = groups.into_iter().map(|group| format!("action \"{group}\";"));
    let permissions = Permission::ALL.iter().map(|permission| action(*permission));
    let lines: Vec<String> = ["// Groups.".to_owned()].into_iter().chain(groups).chain(permissions).collect();
    lines.join("\n") + "\n"
}

/// The action of a permission.
fn action(permission: Permission) -> String {
    let groups: Vec<String> = permission.groups().iter().map(|group| format!("\"{group}\"")).collect();
    format!(
        "\n// To {}.\naction \"{permission}\" in [{}] appliesTo {{\n    principal: [User, Token, Connection, Runner],\n    \
         resource: [Deployment, Organization, Template, Workspace, Token, Thing],\n    context: Circumstances,\n}};",
        permission.description(),
        groups.join(", "),
    )
}
