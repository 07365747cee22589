//! The policies that are always there, and the schema that all policies are checked against.

use std::sync::LazyLock;

use cedar_policy::{Policy, PolicyId, PolicySet as CedarSet, Schema, ValidationMode, Validator};

use crate::error::PolicyError;
use crate::schema;

/// Version of the built-in policies, which decisions name. It grows with every change of their texts.
pub const BUILT_IN_VERSION: u64 = 2;

/// Names of the built-in roles.
pub const BUILT_IN_ROLES: &[&str] = &["owner", "auditor", "user-admin", "template-admin", "member"];

/// Every built-in policy: its name and its text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("owner", include_str!("../../../schemas/policy/owner.cedar")),
    ("auditor", include_str!("../../../schemas/policy/auditor.cedar")),
    ("user-admin", include_str!("../../../schemas/policy/user-admin.cedar")),
    ("template-admin", include_str!("../../../schemas/policy/template-admin.cedar")),
    ("member", include_str!("../../../schemas/policy/member.cedar")),
    ("own", include_str!("../../../schemas/policy/own.cedar")),
    ("runners", include_str!("../../../schemas/policy/runners.cedar")),
    ("templates", include_str!("../../../schemas/policy/templates.cedar")),
    ("scopes", include_str!("../../../schemas/policy/scopes.cedar")),
];

/// What is read from the texts of this version, once.
#[derive(Debug)]
pub(crate) struct Foundation {
    /// The schema.
    pub(crate) schema: Schema,
    /// Checks policies against it.
    pub(crate) validator: Validator,
    /// The rules of the built-in policies, each with its policy's name.
    pub(crate) rules: Vec<(&'static str, Policy)>,
}

/// The foundation of every policy set.
pub(crate) fn foundation() -> Result<&'static Foundation, PolicyError> {
    static FOUNDATION: LazyLock<Result<Foundation, String>> = LazyLock::new(read);
    FOUNDATION.as_ref().map_err(|error| PolicyError::BuiltIn(error.clone()))
}

fn read() -> Result<Foundation, String> {
    let schema = schema::parse()?;
    let validator = Validator::new(schema.clone());
    let mut rules = Vec::new();
    for &(name, text) in BUILT_IN {
        let set: CedarSet = text.parse().map_err(|error| format!("{name}: {error}"))?;
        let result = validator.validate(&set, ValidationMode::Strict);
        if !result.validation_passed() {
            return Err(format!("{name}: {result}"));
        }
        rules.extend(numbered(&format!("builtin:{name}"), &set).into_iter().map(|rule| (name, rule)));
    }
    Ok(Foundation { schema, validator, rules })
}

/// The rules of a text with ids of their own: the policy's and a number.
pub(crate) fn numbered(id: &str, set: &CedarSet) -> Vec<Policy> {
    // Cedar calls them policy0, policy1, … in the order of the text.
    set.policies().map(|rule| rule.new_id(PolicyId::new(format!("{id}#{}", rule.id())))).collect()
}
