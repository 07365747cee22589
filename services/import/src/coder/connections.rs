//! Coder's connection log: sessions into workspaces.

use chancery_domain::{Actor, ActorKind, Event, Outcome, Resource, Timestamp};
use serde_json::{Value, json};

use super::SOURCE;
use super::record::member;
use crate::{Format, Parsed, shape};

/// Reads one element of `connection_logs`.
pub(crate) fn connection(text: &str) -> Result<Parsed, String> {
    let record: Value = serde_json::from_str(text).map_err(|error| format!("is not valid JSON: {error}"))?;
    if record.get("connection_logs").is_some_and(Value::is_null) {
        return Ok(Parsed::Ignored("an empty page"));
    }
    let id = member(&record, &["id"]).ok_or("has no `id`")?;
    let opened_at: Timestamp =
        member(&record, &["connect_time"]).ok_or("has no `connect_time`")?.parse().map_err(|e| format!("{e}"))?;
    let connection_id = member(&record, &["ssh_info", "connection_id"]).or_else(|| member(&record, &["connection_id"]));
    let session = Session {
        source: SOURCE,
        id: shape::id(connection_id.unwrap_or(id)),
        record_id: shape::id(id),
        connection: &record,
    };
    let mut events = vec![session.opened(opened_at)];
    let disconnect = |name: &str| member(&record, &["ssh_info", name]).or_else(|| member(&record, &[name]));
    if let Some(time) = disconnect("disconnect_time") {
        let closed_at: Timestamp = time.parse().map_err(|error| format!("`disconnect_time` {error}"))?;
        events.push(session.closed(opened_at, closed_at, disconnect("disconnect_reason")));
    }
    let finished =
        events.into_iter().map(|event| shape::finish(event, Format::CoderConnections, text.len(), |_, _| false));
    finished.collect::<Result<Vec<_>, _>>().map(Parsed::Imported)
}

struct Session<'a> {
    source: &'static str,
    id: String,
    record_id: String,
    connection: &'a Value,
}

impl Session<'_> {
    fn text(&self, path: &[&str]) -> Option<&str> {
        member(self.connection, path)
    }

    fn event(&self, event_type: &str, suffix: &str, at: Timestamp) -> Event {
        let owner = self.text(&["workspace_owner_username"]);
        let workspace = self.text(&["workspace_name"]);
        let mut resource = Resource::new("session", &self.id);
        resource.name = workspace.map(|workspace| shape::name(&format!("{}/{workspace}", owner.unwrap_or("unknown"))));
        resource.owner = owner.map(shape::name);
        let id = format!("{}{suffix}", self.record_id);
        let mut event = Event::new(event_type, id, self.source, at, self.actor(), resource);
        let organization = self.text(&["organization", "name"]).or_else(|| self.text(&["organization_id"]));
        event.organization = organization.map(shape::name);
        event.data = json!({
            "agent": self.text(&["agent_name"]),
            "coder_type": self.text(&["type"]),
            "kind": self.kind(),
            "slug_or_port": self.text(&["web_info", "slug_or_port"]).or_else(|| self.text(&["slug_or_port"])),
            "workspace_id": self.text(&["workspace_id"]),
            "workspace_name": workspace,
        });
        event
    }

    fn opened(&self, at: Timestamp) -> Event {
        let mut event = self.event("session.opened", "", at);
        event.data["client"] = json!(self.text(&["web_info", "user_agent"]));
        event.data["host"] = json!(self.text(&["agent_name"]));
        event.outcome = match self.status() {
            Some(401 | 403) => Outcome::Denied,
            Some(400..) => Outcome::Failure,
            _ => Outcome::Success,
        };
        event
    }

    fn closed(&self, opened_at: Timestamp, at: Timestamp, reason: Option<&str>) -> Event {
        let mut event = self.event("session.closed", ":closed", at);
        let micros = at.as_micros().saturating_sub(opened_at.as_micros());
        event.data["duration_ms"] = json!(u64::try_from(micros / 1000).ok());
        let code = self.connection.pointer("/ssh_info/exit_code").or_else(|| self.connection.get("code"));
        event.data["exit_code"] = json!(code.and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok()));
        event.reason = reason.map(shape::name);
        event
    }

    fn status(&self) -> Option<u64> {
        self.connection.pointer("/web_info/status_code").and_then(Value::as_u64)
    }

    /// Connections of agents carry no user: Coder knows only whose workspace it is.
    fn actor(&self) -> Actor {
        let user = |name: &str| self.text(&["web_info", "user", name]).or_else(|| self.text(&["user", name]));
        let known = user("id").is_some();
        Actor {
            id: shape::id(user("id").unwrap_or("unauthenticated")),
            name: user("username").map(shape::name),
            email: user("email").map(shape::name),
            ip: self.text(&["ip"]).and_then(shape::ip),
            kind: if known { ActorKind::User } else { ActorKind::System },
            user_agent: self.text(&["web_info", "user_agent"]).map(shape::name),
            ..Actor::default()
        }
    }

    fn kind(&self) -> &'static str {
        match self.text(&["type"]).unwrap_or_default() {
            "vscode" | "jetbrains" | "cursor" | "windsurf" => "desktop_ide",
            "reconnecting_pty" => "terminal",
            "workspace_app" => match self.text(&["web_info", "slug_or_port"]).unwrap_or_default() {
                slug if slug.contains("jupyter") => "jupyter",
                slug if slug.contains("vnc") => "vnc",
                slug if slug.contains("rdp") => "rdp",
                _ => "web_ide",
            },
            "port_forwarding" | "tunnel" => "port_forward",
            _ => "ssh",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_connection_is_two_events_of_one_session() {
        let record = json!({
            "id": "c-1", "connect_time": "2026-01-31T09:00:00Z", "type": "vscode", "ip": "192.0.2.1",
            "organization": {"id": "o", "name": "acme"}, "workspace_owner_username": "ada", "workspace_name": "dev",
            "workspace_id": "w-1", "agent_name": "main",
            "ssh_info": {"connection_id": "s-1", "disconnect_time": "2026-01-31T09:00:01.5Z",
                         "disconnect_reason": "process exited", "exit_code": 255}
        });
        let Parsed::Imported(events) = connection(&record.to_string()).unwrap() else { panic!("not imported") };
        assert_eq!(
            events.iter().map(|e| e.event_type.as_str()).collect::<Vec<_>>(),
            ["session.opened", "session.closed"]
        );
        assert!(events.iter().all(|event| event.stream == "session/s-1"));
        assert_eq!(events[1].data["duration_ms"], 1500);
        assert_eq!(events[1].data["exit_code"], 255);
        assert_eq!(events[0].data["kind"], "desktop_ide");
    }

    #[test]
    fn a_refused_application_is_denied() {
        let record = json!({
            "id": "c-2", "connect_time": "2026-01-31T09:00:00Z", "type": "workspace_app",
            "web_info": {"user": {"id": "u-1", "username": "ada"}, "slug_or_port": "code-server", "status_code": 403}
        });
        let Parsed::Imported(events) = connection(&record.to_string()).unwrap() else { panic!("not imported") };
        assert_eq!((events.len(), events[0].outcome), (1, Outcome::Denied));
        assert_eq!(events[0].actor.name.as_deref(), Some("ada"));
    }
}
