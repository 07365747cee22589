//! The columns a filter can ask about: names, aliases, types. The table in `GRAMMAR.md` says the same.

/// A column of the envelope, or a few of them asked together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The event's id.
    Id,
    /// The system that reports it.
    Source,
    /// Its type.
    Type,
    /// Version of the type's payload.
    Schema,
    /// Its stream.
    Stream,
    /// Its version in the stream.
    StreamVersion,
    /// Its position in the log.
    Position,
    /// When it happened: `occurred_at`.
    Time,
    /// When the log appended it.
    RecordedAt,
    /// `actor.name`, `actor.id` or `actor.email`.
    Actor,
    /// Actor's id.
    ActorId,
    /// Actor's login name.
    ActorName,
    /// Actor's e-mail address.
    ActorEmail,
    /// Actor's kind.
    ActorKind,
    /// Network address.
    ActorIp,
    /// Client software.
    ActorUserAgent,
    /// Session of the actor.
    ActorSession,
    /// Actor's roles.
    ActorRoles,
    /// Actor's groups.
    ActorGroups,
    /// Whom the actor acted for.
    ActorOnBehalfOf,
    /// Organization.
    Organization,
    /// `resource.name` or `resource.id`.
    Resource,
    /// Resource's kind.
    ResourceKind,
    /// Resource's id.
    ResourceId,
    /// Resource's name.
    ResourceName,
    /// Resource's owner.
    ResourceOwner,
    /// The verb.
    Action,
    /// How it ended.
    Outcome,
    /// Why.
    Reason,
    /// Request id.
    Correlation,
    /// Id of the causing event.
    Causation,
    /// Format the event was imported from.
    Imported,
    /// Ids of the policies that decided, each both as `id` and as `id@version`.
    Policy,
    /// Paths of what changed.
    Changes,
    /// The whole canonical JSON text of the event.
    Event,
}

/// What kind of values a field has, and so which predicates fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// `Exists`, `Equals`, `Wildcard`.
    Text(Case),
    /// The same, of any item of a list.
    TextList(Case),
    /// `Equals` with one of these (lower-case) values, `Wildcard`, `Exists`.
    Enumeration(&'static [&'static str]),
    /// `Exists`, `Integer`.
    Integer,
    /// `Exists`, `During`.
    Time,
    /// `Exists`, `Network`, and `Wildcard` over the address as text.
    Ip,
}

/// How texts of a field compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Byte by byte: identifiers.
    Exact,
    /// After `str::to_lowercase` of both sides: names, addresses, words for people.
    Insensitive,
}

impl FieldKind {
    /// Whether its values can be compared by size.
    pub const fn has_order(self) -> bool {
        matches!(self, Self::Integer | Self::Time)
    }
}

/// What [`Field::entry`] knows.
struct Entry(&'static [&'static str], FieldKind, &'static str);

impl Field {
    /// Every field, in the order of the documentation.
    pub const ALL: [Self; 35] = [
        Self::Time,
        Self::RecordedAt,
        Self::Position,
        Self::Id,
        Self::Source,
        Self::Type,
        Self::Schema,
        Self::Stream,
        Self::StreamVersion,
        Self::Actor,
        Self::ActorId,
        Self::ActorName,
        Self::ActorEmail,
        Self::ActorKind,
        Self::ActorIp,
        Self::ActorUserAgent,
        Self::ActorSession,
        Self::ActorRoles,
        Self::ActorGroups,
        Self::ActorOnBehalfOf,
        Self::Organization,
        Self::Resource,
        Self::ResourceKind,
        Self::ResourceId,
        Self::ResourceName,
        Self::ResourceOwner,
        Self::Action,
        Self::Outcome,
        Self::Reason,
        Self::Correlation,
        Self::Causation,
        Self::Imported,
        Self::Policy,
        Self::Changes,
        Self::Event,
    ];

    /// The single columns free text looks into; an address is compared as its text.
    pub const FREE_TEXT: [Self; 14] = [
        Self::Type,
        Self::Action,
        Self::ActorName,
        Self::ActorEmail,
        Self::ActorId,
        Self::ActorIp,
        Self::ActorUserAgent,
        Self::ResourceKind,
        Self::ResourceName,
        Self::ResourceId,
        Self::ResourceOwner,
        Self::Organization,
        Self::Reason,
        Self::Source,
    ];

    /// The field called `name`, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.names().iter().any(|known| known.eq_ignore_ascii_case(name)))
    }

    /// Its name, the one `Display` of a filter writes.
    pub const fn name(self) -> &'static str {
        self.names()[0]
    }

    /// Its name and then its aliases.
    pub const fn names(self) -> &'static [&'static str] {
        self.entry().0
    }

    /// What values it has.
    pub const fn kind(self) -> FieldKind {
        self.entry().1
    }

    /// What it is, in a few words.
    pub const fn description(self) -> &'static str {
        self.entry().2
    }

    /// The single columns that [`Field::Actor`] and [`Field::Resource`] stand for, any of which may match; empty
    /// for fields that are one column themselves.
    pub const fn parts(self) -> &'static [Self] {
        match self {
            Self::Actor => &[Self::ActorName, Self::ActorId, Self::ActorEmail],
            Self::Resource => &[Self::ResourceName, Self::ResourceId],
            _ => &[],
        }
    }

    const fn entry(self) -> Entry {
        use Case::{Exact, Insensitive};
        use FieldKind::{Enumeration, Integer, Ip, Text, TextList, Time};
        const OUTCOMES: &[&str] = &["success", "failure", "denied"];
        const ACTOR_KINDS: &[&str] = &["user", "service", "idp", "runner", "system"];
        match self {
            Self::Id => Entry(&["id"], Text(Exact), "id of the event"),
            Self::Source => Entry(&["source"], Text(Exact), "system that reports it"),
            Self::Type => Entry(&["type", "event_type"], Text(Exact), "event type, such as `user.login.failed`"),
            Self::Schema => Entry(&["schema"], Integer, "version of the type's payload"),
            Self::Stream => Entry(&["stream"], Text(Exact), "`kind/id` of the resource it is ordered by"),
            Self::StreamVersion => Entry(&["stream_version"], Integer, "count within the stream, from 1"),
            Self::Position => Entry(&["position"], Integer, "position in the log, from 1"),
            Self::Time => Entry(&["time", "occurred_at"], Time, "when it happened"),
            Self::RecordedAt => Entry(&["recorded_at", "recorded"], Time, "when it was appended to the log"),
            Self::Actor => Entry(&["actor", "user"], Text(Insensitive), "name, id or e-mail address of who acted"),
            Self::ActorId => Entry(&["actor.id", "user_id"], Text(Exact), "id of who acted"),
            Self::ActorName => Entry(&["actor.name", "username"], Text(Insensitive), "login name of who acted"),
            Self::ActorEmail => {
                Entry(&["actor.email", "email", "user_email"], Text(Insensitive), "e-mail address of who acted")
            }
            Self::ActorKind => Entry(&["actor.kind"], Enumeration(ACTOR_KINDS), "what kind of actor"),
            Self::ActorIp => Entry(&["actor.ip", "ip"], Ip, "network address it came from"),
            Self::ActorUserAgent => Entry(&["actor.user_agent", "user_agent"], Text(Insensitive), "client software"),
            Self::ActorSession => Entry(&["actor.session", "session"], Text(Exact), "session it belonged to"),
            Self::ActorRoles => Entry(&["actor.roles", "role"], TextList(Insensitive), "roles of who acted"),
            Self::ActorGroups => Entry(&["actor.groups", "group"], TextList(Insensitive), "groups of who acted"),
            Self::ActorOnBehalfOf => {
                Entry(&["actor.on_behalf_of", "on_behalf_of"], Text(Insensitive), "name of whom the actor acted for")
            }
            Self::Organization => Entry(&["organization", "org"], Text(Insensitive), "organization it happened in"),
            Self::Resource => Entry(&["resource"], Text(Insensitive), "name or id of what was acted on"),
            Self::ResourceKind => Entry(&["resource.kind", "kind"], Text(Exact), "kind of what was acted on"),
            Self::ResourceId => Entry(&["resource.id", "resource_id"], Text(Exact), "id of what was acted on"),
            Self::ResourceName => {
                Entry(&["resource.name", "resource_target"], Text(Insensitive), "name of what was acted on")
            }
            Self::ResourceOwner => {
                Entry(&["resource.owner", "owner", "workspace_owner"], Text(Insensitive), "whom it belongs to")
            }
            Self::Action => Entry(&["action"], Text(Exact), "verb, such as `create` or `login`"),
            Self::Outcome => Entry(&["outcome"], Enumeration(OUTCOMES), "how it ended"),
            Self::Reason => Entry(&["reason"], Text(Insensitive), "why, in words"),
            Self::Correlation => Entry(&["correlation", "request_id"], Text(Exact), "request it was part of"),
            Self::Causation => Entry(&["causation"], Text(Exact), "id of the event that caused it"),
            Self::Imported => Entry(&["imported"], Text(Exact), "`true`, `false`, or the format it was imported from"),
            Self::Policy => {
                Entry(&["policy", "policies"], TextList(Exact), "policy that decided, `id` or `id@version`")
            }
            Self::Changes => Entry(&["changes", "changed"], TextList(Exact), "path of something that changed"),
            Self::Event => {
                Entry(&["event", "raw"], Text(Insensitive), "whole canonical JSON text; a text is contained")
            }
        }
    }
}
