//! Members of groups. A group may have a hundred thousand, so that they are edges of their own and not part of the
//! group's document.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::values::twice;
use crate::error::ScimError;
use crate::profile::Profile;

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberKind {
    /// A user.
    User,
    /// A group in the group.
    Group,
}

impl MemberKind {
    /// The canonical value of `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }
}

/// A member as a client names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// The id of the member.
    pub value: String,
    /// What it is, where the client says so by `type` or `$ref`.
    pub kind: Option<MemberKind>,
    /// What the client calls it. The server shows the member's own name.
    pub display: Option<String>,
}

impl Member {
    /// A member known by its id alone.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), kind: None, display: None }
    }

    /// The member as an element of `members`, as filters see it.
    pub fn to_value(&self) -> Value {
        let mut element = json!({"value": self.value});
        if let Some(kind) = self.kind {
            element["type"] = kind.as_str().into();
        }
        if let Some(display) = &self.display {
            element["display"] = display.as_str().into();
        }
        element
    }
}

/// Reads a value of `members`, each id once. Null and the empty list are no members.
pub(crate) fn read_members(value: Value, profile: &Profile) -> Result<Vec<Member>, ScimError> {
    let items = match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        single => vec![single],
    };
    let mut seen = HashSet::with_capacity(items.len());
    let mut members = Vec::with_capacity(items.len());
    for item in items.into_iter().filter(|item| !item.is_null()) {
        let member = read_member(item, profile)?;
        if seen.insert(member.value.clone()) {
            members.push(member);
        }
    }
    Ok(members)
}

/// The ids in a value of `members`.
pub(crate) fn member_values(value: Value, profile: &Profile) -> Result<Vec<String>, ScimError> {
    Ok(read_members(value, profile)?.into_iter().map(|member| member.value).collect())
}

fn read_member(item: Value, profile: &Profile) -> Result<Member, ScimError> {
    let fields = match item {
        Value::Object(fields) => fields,
        Value::String(value) if profile.bare_complex_values && !value.is_empty() => return Ok(Member::new(value)),
        other => return Err(ScimError::value(format!("`members`: {other} is no member"))),
    };
    let (mut value, mut kind, mut display, mut reference) = (None, None, None, None);
    for (name, field) in fields {
        let slot = match name.to_ascii_lowercase().as_str() {
            "value" => &mut value,
            "type" => &mut kind,
            "display" => &mut display,
            "$ref" => &mut reference,
            _ if profile.ignore_unknown_attributes => continue,
            _ => return Err(ScimError::syntax(format!("`members` has no sub-attribute `{name}`"))),
        };
        let text = match field {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Number(number) if profile.loose_scalars => number.to_string(),
            other => return Err(ScimError::value(format!("`members.{name}`: expected a text, found {other}"))),
        };
        if slot.replace(text).is_some() {
            return Err(twice(&name));
        }
    }
    let value = value.filter(|value| !value.is_empty()).ok_or_else(|| ScimError::value("a member has no `value`"))?;
    Ok(Member { kind: kind_of(kind.as_deref(), reference.as_deref(), profile)?, value, display })
}

fn kind_of(kind: Option<&str>, reference: Option<&str>, profile: &Profile) -> Result<Option<MemberKind>, ScimError> {
    match kind {
        Some(kind) if kind.eq_ignore_ascii_case("user") => Ok(Some(MemberKind::User)),
        Some(kind) if kind.eq_ignore_ascii_case("group") => Ok(Some(MemberKind::Group)),
        Some(kind) if !profile.ignore_unknown_attributes => {
            Err(ScimError::value(format!("`members.type`: `{kind}` is neither User nor Group")))
        }
        _ => Ok(reference.and_then(|reference| {
            let mut segments = reference.rsplit('/').skip(1);
            match segments.next()? {
                "Users" => Some(MemberKind::User),
                "Groups" => Some(MemberKind::Group),
                _ => None,
            }
        })),
    }
}
