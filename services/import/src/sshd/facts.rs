//! Makes events of what a line says.

use chancery_domain::{Actor, Event, Outcome, Resource, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::header::Header;
use super::message::Attempt;
use super::peer::Peer;
use super::tracker::Session;
use crate::shape;

/// Namespace of the ids that are derived from lines.
const NAMESPACE: Uuid = Uuid::from_u128(0x5d2c_8a34_7d1f_5b0e_9c44_61f0_2b7e_a913);

/// A line of `sshd` and how many identical ones came before it.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) header: &'a Header,
    occurrence: u32,
}

impl<'a> Entry<'a> {
    pub(super) fn new(header: &'a Header, occurrence: u32) -> Self {
        Self { header, occurrence }
    }

    pub(super) fn time(&self) -> Timestamp {
        self.header.time
    }

    pub(super) fn message(&self) -> &'a str {
        &self.header.message
    }

    /// The id of a fact that this line states; `role` tells several of one line apart.
    pub(super) fn id(&self, role: &str) -> String {
        let Header { time, host, pid, cursor, message, .. } = self.header;
        let which = cursor.clone().unwrap_or_else(|| self.occurrence.to_string());
        let name = format!("{}\0{host}\0{pid}\0{which}\0{message}\0{role}", time.as_micros());
        Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string()
    }

    fn host(&self) -> Option<String> {
        (!self.header.host.is_empty()).then(|| shape::name(&self.header.host))
    }

    /// An account of this line's host.
    fn account(&self, user: &str) -> String {
        let user = if user.is_empty() { "-" } else { user };
        match self.host() {
            Some(host) => shape::id(&format!("{user}@{host}")),
            None => shape::id(user),
        }
    }

    fn actor(&self, user: Option<&str>, peer: Option<&Peer>) -> Actor {
        Actor {
            id: user.map_or_else(|| "unauthenticated".to_owned(), |user| self.account(user)),
            ip: peer.and_then(|peer| peer.ip),
            name: user.map(shape::name),
            ..Actor::default()
        }
    }

    fn event(&self, event_type: &str, id: String, actor: Actor, resource: Resource) -> Event {
        let source = self.host().map_or_else(|| "sshd".to_owned(), |host| format!("sshd:{host}"));
        Event::new(event_type, id, source, self.time(), actor, resource)
    }

    /// The server itself, for what is about no account.
    fn server(&self) -> Resource {
        let host = self.host().unwrap_or_else(|| "unknown".to_owned());
        Resource::new("host", shape::id(&host)).named(host)
    }

    fn user(&self, user: &str) -> Resource {
        Resource::new("user", self.account(user)).named(shape::name(user))
    }

    /// Someone signed in.
    pub(super) fn signed_in(&self, attempt: &Attempt<'_>, session: &Session) -> Event {
        let mut actor = self.actor(Some(attempt.user), attempt.peer.as_ref());
        actor.session = Some(session.id.clone());
        actor.on_behalf_of = session.certificate.as_ref().map(|certificate| shape::name(&certificate.person));
        let mut event = self.event("user.login.succeeded", self.id("login"), actor, self.user(attempt.user));
        event.data = self.login(attempt.method, attempt.peer.as_ref(), attempt.key);
        event
    }

    /// An attempt to sign in did not succeed.
    pub(super) fn refused(&self, user: &str, refusal: &Refusal<'_>) -> Event {
        let actor = self.actor(Some(user), refusal.peer);
        let mut event = self.event("user.login.failed", self.id("login"), actor, self.user(user));
        event.data = self.login(refusal.method, refusal.peer, refusal.key);
        event.data["unknown_user"] = refusal.unknown.into();
        event.reason = Some(shape::name(refusal.reason)).filter(|reason| !reason.is_empty());
        event.outcome = refusal.outcome;
        event
    }

    fn login(&self, method: &str, peer: Option<&Peer>, key: Option<&str>) -> Value {
        let mut data = Map::new();
        data.insert("method".to_owned(), shape::name(method).into());
        if let Some(host) = self.host() {
            data.insert("target".to_owned(), host.into());
        }
        if let Some(key) = key {
            let mut words = key.split(' ');
            data.insert("key_type".to_owned(), words.next().map(shape::name).into());
            data.insert("fingerprint".to_owned(), words.next().map(shape::name).into());
            if let Some((_, certificate)) = key.split_once(" ID ") {
                data.insert("certificate".to_owned(), shape::name(&format!("ID {certificate}")).into());
            }
        }
        self.add_connection(&mut data, peer);
        Value::Object(data)
    }

    fn add_connection(&self, data: &mut Map<String, Value>, peer: Option<&Peer>) {
        if self.header.pid != 0 {
            data.insert("pid".to_owned(), self.header.pid.into());
        }
        if let Some(port) = peer.and_then(|peer| peer.port) {
            data.insert("port".to_owned(), port.into());
        }
        if let Some(peer) = peer.filter(|peer| peer.ip.is_none()) {
            data.insert("peer".to_owned(), shape::name(&peer.host).into());
        }
    }

    /// A session began, at the time its user signed in. Its id names the kind, which a log cut in two at
    /// another line may tell differently.
    pub(super) fn opened(&self, session: &Session, kind: &str, channel: Option<&str>) -> Event {
        let (actor, resource) = self.of_session(session);
        let id = Uuid::new_v5(&NAMESPACE, format!("{}\0opened\0{kind}", session.line).as_bytes()).to_string();
        let mut event = self.event("session.opened", id, actor, resource);
        event.occurred_at = session.accepted.unwrap_or(session.first_seen);
        event.data = json!({ "kind": kind });
        if let Some(host) = self.host() {
            event.data["host"] = host.into();
        }
        if let Some(channel) = channel {
            event.data["channel"] = shape::name(channel).into();
        }
        add_serial(&mut event, session);
        event
    }

    /// A session ended.
    pub(super) fn closed(&self, session: &Session, kind: &str, reason: &str) -> Event {
        let (actor, resource) = self.of_session(session);
        let mut event = self.event("session.closed", self.id("closed"), actor, resource);
        event.data = json!({ "kind": kind });
        if let Some(accepted) = session.accepted {
            let micros = self.time().as_micros().saturating_sub(accepted.as_micros());
            event.data["duration_ms"] = json!(u64::try_from(micros / 1000).unwrap_or_default());
        }
        event.reason = Some(shape::name(reason)).filter(|reason| !reason.is_empty());
        add_serial(&mut event, session);
        event
    }

    /// A further channel of a session that is open already.
    pub(super) fn channel(&self, session: &Session, kind: &str, channel: &str) -> Event {
        let (actor, resource) = self.of_session(session);
        let mut event = self.event("sshd.channel.opened", self.id("channel"), actor, resource);
        "connect".clone_into(&mut event.action);
        event.data = json!({ "kind": kind, "channel": shape::name(channel) });
        event
    }

    fn of_session(&self, session: &Session) -> (Actor, Resource) {
        let mut actor = self.actor(Some(&session.user), session.peer.as_ref());
        actor.session = Some(session.id.clone());
        actor.on_behalf_of = session.certificate.as_ref().map(|certificate| shape::name(&certificate.person));
        let account = self.account(&session.user);
        (actor, Resource::new("session", &session.id).named(account).owned_by(shape::name(&session.user)))
    }

    /// A connection ended and nobody had tried to sign in.
    pub(super) fn dropped(&self, peer: Option<&Peer>, reason: &str) -> Event {
        let actor = self.actor(None, peer);
        let mut event = self.event("sshd.connection.dropped", self.id("dropped"), actor, self.server());
        "connect".clone_into(&mut event.action);
        event.outcome = if reason.starts_with("refused") { Outcome::Denied } else { Outcome::Failure };
        event.reason = Some(shape::name(reason)).filter(|reason| !reason.is_empty());
        let mut data = Map::new();
        self.add_connection(&mut data, peer);
        event.data = Value::Object(data);
        event
    }

    /// A port could not be forwarded.
    pub(super) fn forward_refused(&self, session: Option<&Session>) -> Event {
        let (actor, resource) = match session {
            Some(session) => self.of_session(session),
            None => (self.actor(None, None), self.server()),
        };
        let denied = self.message().contains("denied") || self.message().contains("refused");
        let mut event = self.event("sshd.forward.failed", self.id("forward"), actor, resource);
        "connect".clone_into(&mut event.action);
        event.outcome = if denied { Outcome::Denied } else { Outcome::Failure };
        event.reason = Some(shape::name(self.message()));
        event.data = json!({ "kind": "port_forward" });
        event
    }

    /// The SFTP server did something to a file.
    pub(super) fn file(&self, what: &str, file: &str, user: Option<&str>, peer: Option<&Peer>) -> Event {
        let resource = Resource::new("file", shape::id(file)).named(shape::name(file));
        let event_type = format!("sshd.file.{what}");
        let mut event = self.event(&event_type, self.id("file"), self.actor(user, peer), resource);
        if what == "refused" {
            event.outcome = Outcome::Denied;
        }
        event.data = json!({ "kind": "file_transfer", "message": text(self.message()), "pid": self.header.pid });
        event
    }

    /// Something about the server, or something this version does not know.
    pub(super) fn stated(&self, what: &str, peer: Option<&Peer>) -> Event {
        let known = peer.is_some();
        let mut actor = self.actor(None, peer);
        if !known {
            "sshd".clone_into(&mut actor.id);
            actor.kind = chancery_domain::ActorKind::System;
        }
        let mut event = self.event(&format!("sshd.{what}"), self.id("stated"), actor, self.server());
        if self.message().starts_with("error: ") || self.message().starts_with("fatal: ") {
            event.outcome = Outcome::Failure;
        }
        event.data = json!({ "message": text(self.message()), "pid": self.header.pid });
        event
    }
}

/// The certificate that opened a session.
fn add_serial(event: &mut Event, session: &Session) {
    if let Some(certificate) = &session.certificate {
        event.data["serial"] = certificate.serial.as_str().into();
    }
}

/// Why and how someone could not sign in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal<'a> {
    pub(super) method: &'a str,
    pub(super) unknown: bool,
    pub(super) peer: Option<&'a Peer>,
    pub(super) key: Option<&'a str>,
    pub(super) reason: &'a str,
    pub(super) outcome: Outcome,
}

impl Default for Refusal<'_> {
    fn default() -> Self {
        Self { method: "unknown", unknown: false, peer: None, key: None, reason: "", outcome: Outcome::Failure }
    }
}

/// A whole message, bounded so that its event fits.
fn text(message: &str) -> String {
    message.chars().take(8192).collect()
}
