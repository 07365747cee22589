//! The keys and values of Coder's own audit and connection log filters, in terms of this language.
//!
//! Keys that name one of our columns are aliases in [`crate::fields`]; here are the others, and the short names
//! that `type`, `action` and `imported` understand. Short names work unquoted only: a quoted text is itself.

use chancery_domain::{Timestamp, catalogue};

use crate::ast::{Expr, Filter, Path, PathRoot, Predicate, Range};
use crate::error::{FilterError, nearest};
use crate::fields::Field;
use crate::parser::{Context, Parser};
use crate::raw::Raw;

/// A key of Coder's that is not one of our columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    ResourceType,
    BuildReason,
    DateFrom,
    DateTo,
    ConnectedAfter,
    ConnectedBefore,
    WorkspaceId,
    WorkspaceOwnerEmail,
    ConnectionId,
    Status,
}

/// `resource_type` values that are more, or less, than a kind of resource of the same name.
const RESOURCE_TYPES: &[(&str, &str)] = &[
    ("api_key", "kind:(api_key, token) OR type:(\"user.login.*\", \"user.logout\")"),
    ("custom_role", "kind:(custom_role, role)"),
    ("organization_member", "kind:organization_member OR (type:\"role.*\" data.organization:*)"),
    ("template", "kind:template -type:\"template.version.*\""),
    ("template_version", "kind:template_version OR type:\"template.version.*\""),
    ("user", "kind:user -type:(\"user.login.*\", \"user.logout\")"),
    ("workspace", "kind:workspace -type:\"workspace.build.*\""),
    ("workspace_agent", "kind:workspace_agent OR (type:\"session.*\" data.kind:(ssh, terminal, desktop_ide))"),
    ("workspace_app", "kind:workspace_app OR (type:\"session.*\" data.kind:(web_ide, jupyter, port_forward))"),
    ("workspace_build", "kind:workspace_build OR type:\"workspace.build.*\""),
];

/// The other `resource_type` values of Coder: kinds of resources under the same name.
const OTHER_RESOURCE_TYPES: &[&str] = &[
    "ai_gateway_key",
    "ai_provider",
    "ai_provider_key",
    "ai_seat",
    "chat",
    "chat_automation",
    "chat_instruction_settings",
    "chat_model_config",
    "chat_operational_settings",
    "chat_project",
    "convert_login",
    "experiment_rule",
    "git_ssh_key",
    "group",
    "group_ai_budget",
    "health_settings",
    "idp_sync_settings_group",
    "idp_sync_settings_organization",
    "idp_sync_settings_role",
    "license",
    "mcp_server_config",
    "notification_template",
    "notifications_settings",
    "oauth2_provider_app",
    "oauth2_provider_app_secret",
    "oauth2_provider_settings",
    "organization",
    "prebuilds_settings",
    "task",
    "user_ai_budget_override",
    "user_secret",
    "user_skill",
    "workspace_proxy",
];

/// Short names of `type`: Coder's connection types.
const CONNECTION_TYPES: &[(&str, &str)] = &[
    ("ssh", "type:\"session.*\" data.kind:ssh"),
    (
        "vscode",
        "type:\"session.*\" data.kind:desktop_ide (data.client:(*vscode*, \"*vs code*\") OR user_agent:*vscode*)",
    ),
    ("jetbrains", "type:\"session.*\" data.kind:desktop_ide (data.client:*jetbrains* OR user_agent:*jetbrains*)"),
    ("reconnecting_pty", "type:\"session.*\" data.kind:terminal"),
    ("workspace_app", "type:\"session.*\" data.kind:(web_ide, jupyter)"),
    ("port_forwarding", "type:\"session.*\" data.kind:port_forward"),
    ("tunnel", "type:\"session.*\" data.client:tunnel"),
];

/// Short names of `action`: Coder's verbs that ours say differently.
const ACTIONS: &[(&str, &str)] = &[
    ("start", "action:\"start\" OR (type:\"workspace.build.*\" data.transition:start)"),
    ("stop", "action:\"stop\" OR (type:\"workspace.build.*\" data.transition:stop)"),
    ("open", "action:\"open\" OR type:\"session.opened\""),
    ("close", "action:\"close\" OR type:\"session.closed\""),
];

/// Short names of `imported`.
const IMPORTED: &[(&str, &str)] = &[("true", "imported:*"), ("false", "-imported:*")];

/// Values of `status`.
const STATUS: &[(&str, &str)] = &[("ongoing", ""), ("completed", "type:\"session.closed\"")];

impl Key {
    pub(crate) const ALL: [Self; 10] = [
        Self::ResourceType,
        Self::BuildReason,
        Self::DateFrom,
        Self::DateTo,
        Self::ConnectedAfter,
        Self::ConnectedBefore,
        Self::WorkspaceId,
        Self::WorkspaceOwnerEmail,
        Self::ConnectionId,
        Self::Status,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ResourceType => "resource_type",
            Self::BuildReason => "build_reason",
            Self::DateFrom => "date_from",
            Self::DateTo => "date_to",
            Self::ConnectedAfter => "connected_after",
            Self::ConnectedBefore => "connected_before",
            Self::WorkspaceId => "workspace_id",
            Self::WorkspaceOwnerEmail => "workspace_owner_email",
            Self::ConnectionId => "connection_id",
            Self::Status => "status",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name().eq_ignore_ascii_case(name))
    }

    /// Whether ranges make sense for it.
    pub(crate) const fn has_order(self) -> bool {
        matches!(self, Self::DateFrom | Self::DateTo | Self::ConnectedAfter | Self::ConnectedBefore)
    }
}

/// Whether the unquoted `text` would mean something else than itself as a value of `field`.
pub(crate) fn is_short_name(field: Field, text: &str) -> bool {
    short_names(field).iter().any(|(name, _)| name.eq_ignore_ascii_case(text))
}

fn short_names(field: Field) -> &'static [(&'static str, &'static str)] {
    match field {
        Field::Type => CONNECTION_TYPES,
        Field::Action => ACTIONS,
        Field::Imported => IMPORTED,
        _ => &[],
    }
}

fn meaning(table: &[(&'static str, &'static str)], text: &str) -> Option<&'static str> {
    table.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, meaning)| *meaning)
}

/// A filter of the tables above.
fn fixed(text: &str) -> Result<Expr, FilterError> {
    Filter::parse(text, &Context::new(Timestamp::EPOCH)).map(|filter| filter.root)
}

/// Whether `text` names a type that an area of the catalogue should know and does not.
pub(crate) fn is_unknown_type(text: &str) -> bool {
    let area = |name: &'static str| name.split('.').next();
    let asked = text.split('.').next();
    catalogue::find(text).is_none() && catalogue::all().any(|info| area(info.name) == asked)
}

impl Parser<'_> {
    /// What `raw` means as a short name of `field`, when it is one. Types the catalogue should know are checked.
    pub(crate) fn short_name(&self, field: Field, raw: &Raw) -> Result<Option<Expr>, FilterError> {
        let Some(text) = raw.bare() else { return Ok(None) };
        if let Some(meaning) = meaning(short_names(field), text) {
            return fixed(meaning).map(Some);
        }
        if field == Field::Type && is_unknown_type(text) {
            let group = format!("{text}.*");
            let below = catalogue::all().any(|info| info.name.starts_with(&format!("{text}.")));
            let similar = nearest(text, catalogue::all().map(|info| info.name));
            let message = "there is no such event type; quote it to ask for it all the same";
            let suggestions = below.then_some(group).into_iter().chain(similar);
            return Err(self.cursor.error_in(raw.span.clone(), message).suggesting(suggestions));
        }
        Ok(None)
    }

    /// What `raw` means as a value of `key`.
    pub(crate) fn coder_term(&self, key: Key, raw: &Raw) -> Result<Expr, FilterError> {
        match key {
            Key::ResourceType => self.resource_type(raw),
            Key::Status => match raw.bare().map(|text| (text, meaning(STATUS, text))) {
                Some((_, Some(""))) => Ok(Expr::OngoingSession),
                Some((_, Some(closed))) => fixed(closed),
                other => {
                    let text = other.map_or("", |(text, _)| text);
                    let similar = nearest(text, STATUS.iter().map(|(name, _)| *name));
                    let message = "`status` is ongoing or completed";
                    Err(self.cursor.error_in(raw.span.clone(), message).suggesting(similar))
                }
            },
            Key::DateFrom => self.since(raw),
            Key::DateTo => self.until(raw),
            Key::ConnectedAfter => Ok(Expr::and(vec![fixed("type:\"session.*\"")?, self.since(raw)?])),
            Key::ConnectedBefore => Ok(Expr::and(vec![fixed("type:\"session.*\"")?, self.until(raw)?])),
            Key::BuildReason => self.at_data("cause", raw),
            Key::WorkspaceId => {
                let id = Expr::field(Field::ResourceId, self.field_predicate(Field::ResourceId, raw)?);
                let workspace = Expr::and(vec![fixed("kind:(workspace, workspace_build)")?, id]);
                Ok(Expr::or(vec![workspace, self.at_data("workspace_id", raw)?]))
            }
            Key::WorkspaceOwnerEmail => {
                let owner = Expr::field(Field::ResourceOwner, self.field_predicate(Field::ResourceOwner, raw)?);
                Ok(Expr::or(vec![owner, self.at_data("workspace_owner_email", raw)?]))
            }
            Key::ConnectionId => {
                let id = Expr::field(Field::ResourceId, self.field_predicate(Field::ResourceId, raw)?);
                Ok(Expr::and(vec![fixed("kind:session")?, id]))
            }
        }
    }

    fn at_data(&self, name: &str, raw: &Raw) -> Result<Expr, FilterError> {
        let path = Path { root: PathRoot::Data, segments: vec![name.to_owned()] };
        let predicate = self.path_predicate(&path, raw)?;
        Ok(Expr::Path { path, predicate })
    }

    fn since(&self, raw: &Raw) -> Result<Expr, FilterError> {
        let (start, _) = self.bounds(raw)?;
        Ok(Expr::field(Field::Time, Predicate::During(Range { from: Some(start), until: None })))
    }

    fn until(&self, raw: &Raw) -> Result<Expr, FilterError> {
        let (_, end) = self.bounds(raw)?;
        Ok(Expr::field(Field::Time, Predicate::During(Range { from: None, until: Some(end) })))
    }

    fn bounds(&self, raw: &Raw) -> Result<(Timestamp, Timestamp), FilterError> {
        let one = || self.cursor.error_in(raw.span.clone(), "give one time; `time:` takes comparisons and ranges");
        self.moment(raw.word().ok_or_else(one)?).map(|(start, end, _)| (start, end))
    }

    fn resource_type(&self, raw: &Raw) -> Result<Expr, FilterError> {
        let kinds = || catalogue::all().filter_map(|info| info.name.split('.').next());
        let text = raw.word().and_then(|word| word.pattern.as_literal()).map(str::to_lowercase).unwrap_or_default();
        if let Some(meaning) = meaning(RESOURCE_TYPES, &text) {
            return fixed(meaning);
        }
        if OTHER_RESOURCE_TYPES.contains(&text.as_str()) || kinds().any(|kind| kind == text) {
            return Ok(Expr::field(Field::ResourceKind, Predicate::Equals(text)));
        }
        let known = RESOURCE_TYPES.iter().map(|(name, _)| *name).chain(OTHER_RESOURCE_TYPES.iter().copied());
        let message = "there is no such resource type; `resource.kind` takes any kind";
        let similar = nearest(&text, known.chain(kinds()));
        Err(self.cursor.error_in(raw.span.clone(), message).suggesting(similar))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_translation_is_a_filter() {
        for table in [RESOURCE_TYPES, CONNECTION_TYPES, ACTIONS, IMPORTED, STATUS] {
            for (name, meaning) in table {
                assert!(fixed(meaning).is_ok(), "{name}: {:?}", fixed(meaning));
            }
        }
    }
}
