//! The reference meaning of a filter: whether one event matches. Every translation must agree with it.

use std::net::IpAddr;

use chancery_domain::{Change, Event, Timestamp};
use chancery_evidence::canonical_bytes;
use ipnet::IpNet;
use serde_json::Value;

use crate::ast::{Expr, Filter, Path, PathRoot, Predicate, Side};
use crate::fields::{Case, Field, FieldKind};
use crate::network;
use crate::pattern::Pattern;
use crate::values::number;

impl Filter {
    /// Whether `event`, which the log holds at `position`, matches.
    pub fn matches(&self, event: &Event, position: u64) -> bool {
        self.root.matches(event, position)
    }
}

impl Expr {
    fn matches(&self, event: &Event, position: u64) -> bool {
        match self {
            Self::All => true,
            Self::And(terms) => terms.iter().all(|term| term.matches(event, position)),
            Self::Or(terms) => terms.iter().any(|term| term.matches(event, position)),
            Self::Not(term) => !term.matches(event, position),
            Self::Text(pattern) => contains(pattern, event),
            Self::Field { field, predicate } => predicate.matches_field(*field, event, position),
            Self::Path { path, predicate } => path.matches_event(predicate, event),
            Self::OngoingSession => event.event_type == "session.opened",
        }
    }
}

fn contains(pattern: &Pattern, event: &Event) -> bool {
    let contained = pattern.contained();
    Field::FREE_TEXT.into_iter().any(|field| {
        any_text(field, event, &mut |text| {
            let text = text.to_lowercase();
            pattern.as_literal().map_or_else(|| contained.matches(&text), |literal| text.contains(literal))
        })
    })
}

impl Predicate {
    fn matches_field(&self, field: Field, event: &Event, position: u64) -> bool {
        if let Self::AnyOf(predicates) = self {
            return predicates.iter().any(|predicate| predicate.matches_field(field, event, position));
        }
        if !field.parts().is_empty() {
            // Composite fields compare without regard to case in all their parts.
            return field
                .parts()
                .iter()
                .any(|part| any_text(*part, event, &mut |text| self.matches_text(Case::Insensitive, text)));
        }
        match field.kind() {
            FieldKind::Text(case) | FieldKind::TextList(case) => {
                any_text(field, event, &mut |text| self.matches_text(case, text))
            }
            FieldKind::Enumeration(_) => any_text(field, event, &mut |text| self.matches_text(Case::Exact, text)),
            FieldKind::Integer => self.matches_integer(match field {
                Field::Schema => u64::from(event.schema),
                Field::StreamVersion => event.stream_version,
                _ => position,
            }),
            FieldKind::Time => {
                self.matches_time(if field == Field::Time { event.occurred_at } else { event.recorded_at })
            }
            FieldKind::Ip => event.actor.ip.is_some_and(|address| self.matches_address(address)),
        }
    }

    /// Whether an address matches. For translations that have no networks of their own.
    pub fn matches_address(&self, address: IpAddr) -> bool {
        match self {
            Self::AnyOf(predicates) => predicates.iter().any(|predicate| predicate.matches_address(address)),
            Self::Network(network) => network::contains(network, address),
            _ => self.matches_text(Case::Exact, &address.to_string()),
        }
    }

    /// Whether a text matches. For translations that keep several texts in one place.
    pub fn matches_text(&self, case: Case, text: &str) -> bool {
        let folded;
        let text = match case {
            Case::Exact => text,
            Case::Insensitive => {
                folded = text.to_lowercase();
                &folded
            }
        };
        match self {
            Self::AnyOf(predicates) => predicates.iter().any(|predicate| predicate.matches_text(Case::Exact, text)),
            Self::Exists => !text.is_empty(),
            Self::Equals(asked) => asked == text,
            Self::Wildcard(pattern) => pattern.matches(text),
            _ => false,
        }
    }

    fn matches_integer(&self, value: u64) -> bool {
        match self {
            Self::Exists => true,
            Self::Integer(range) => i64::try_from(value).is_ok_and(|value| range.contains(&value)),
            _ => false,
        }
    }

    fn matches_time(&self, time: Timestamp) -> bool {
        match self {
            Self::Exists => true,
            Self::During(range) => range.contains(&time),
            _ => false,
        }
    }

    /// Whether a JSON value, which is no list, matches.
    fn matches_json(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::AnyOf(predicates), _) => predicates.iter().any(|predicate| predicate.matches_json(value)),
            (Self::Exists, _) => !value.is_null() && value.as_str() != Some(""),
            (Self::Equals(asked), Value::Null) => asked == "null",
            (_, Value::Null | Value::Array(_) | Value::Object(_)) => false,
            (Self::Number(interval), _) => as_number(value).is_some_and(|number| interval.contains(number)),
            (Self::Equals(asked), Value::Number(found)) if found.as_f64().is_some() => number(asked) == found.as_f64(),
            (Self::During(range), Value::String(text)) => {
                text.parse().is_ok_and(|time: Timestamp| range.contains(&time))
            }
            (Self::Network(network), Value::String(text)) => is_within(network, text),
            (Self::Equals(_) | Self::Wildcard(_), Value::String(text)) => self.matches_text(Case::Insensitive, text),
            (Self::Equals(_) | Self::Wildcard(_), _) => self.matches_text(Case::Exact, &value.to_string()),
            _ => false,
        }
    }
}

fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => number(text),
        _ => value.as_f64(),
    }
}

/// Whether `text` is an address or a network inside `network`.
fn is_within(network: &IpNet, text: &str) -> bool {
    match text.parse::<IpAddr>() {
        Ok(address) => network::contains(network, address),
        Err(_) => network::parse(text).is_some_and(|inner| network.contains(&inner)),
    }
}

impl Path {
    /// Whether the value this path leads to matches, in `root`: the event's JSON at
    /// [`PathRoot::member`]. For translations that keep events as JSON text.
    pub fn matches(&self, predicate: &Predicate, root: &Value) -> bool {
        match self.root {
            PathRoot::Data | PathRoot::Extensions => walk(root, &self.segments, predicate),
            PathRoot::Changes(side) => root.as_array().is_some_and(|changes| {
                changes.iter().any(|change| {
                    let path = change.get("path").and_then(Value::as_str).unwrap_or_default();
                    self.matches_change(side, predicate, path, change.get("old"), change.get("new"))
                })
            }),
        }
    }

    fn matches_event(&self, predicate: &Predicate, event: &Event) -> bool {
        match self.root {
            PathRoot::Data => walk(&event.data, &self.segments, predicate),
            PathRoot::Extensions => self.segments.split_first().is_some_and(|(name, inner)| {
                event.extensions.get(name).is_some_and(|value| walk(value, inner, predicate))
            }),
            PathRoot::Changes(side) => event.changes.iter().any(|Change { path, old, new, .. }| {
                self.matches_change(side, predicate, path, old.as_ref(), new.as_ref())
            }),
        }
    }

    fn matches_change(
        &self,
        side: Side,
        predicate: &Predicate,
        changed: &str,
        old: Option<&Value>,
        new: Option<&Value>,
    ) -> bool {
        let asked = self.segments.join(".");
        if side == Side::Either && *predicate == Predicate::Exists && is_at_or_below(changed, &asked) {
            return true;
        }
        let inside: Vec<String> = match asked.strip_prefix(changed) {
            Some("") => Vec::new(),
            Some(rest) if rest.starts_with('.') => rest.split('.').skip(1).map(str::to_owned).collect(),
            _ => return false,
        };
        let holds = |value: Option<&Value>| value.is_some_and(|value| walk(value, &inside, predicate));
        (side != Side::New && holds(old)) || (side != Side::Old && holds(new))
    }
}

/// Whether the dotted path `changed` is `asked` or lies below it.
fn is_at_or_below(changed: &str, asked: &str) -> bool {
    changed.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether `predicate` holds for the value at `path` in `value`; a list stands for each of its items.
fn walk(value: &Value, path: &[String], predicate: &Predicate) -> bool {
    match (value, path.split_first()) {
        (Value::Array(items), Some((segment, rest))) => match segment.parse::<usize>() {
            Ok(index) => items.get(index).is_some_and(|item| walk(item, rest, predicate)),
            Err(_) => items.iter().any(|item| walk(item, path, predicate)),
        },
        (Value::Array(items), None) => items.iter().any(|item| walk(item, path, predicate)),
        (Value::Object(members), Some((segment, rest))) => {
            members.get(segment).is_some_and(|member| walk(member, rest, predicate))
        }
        (_, Some(_)) => false,
        (leaf, None) => predicate.matches_json(leaf),
    }
}

/// Whether `test` holds for a text of a text column of `event`.
fn any_text(field: Field, event: &Event, test: &mut dyn FnMut(&str) -> bool) -> bool {
    let actor = &event.actor;
    let optional = match field {
        Field::Id => Some(&event.id),
        Field::Source => Some(&event.source),
        Field::Type => Some(&event.event_type),
        Field::Stream => Some(&event.stream),
        Field::ActorId => Some(&actor.id),
        Field::ActorName => actor.name.as_ref(),
        Field::ActorEmail => actor.email.as_ref(),
        Field::ActorUserAgent => actor.user_agent.as_ref(),
        Field::ActorSession => actor.session.as_ref(),
        Field::ActorOnBehalfOf => actor.on_behalf_of.as_ref(),
        Field::Organization => event.organization.as_ref(),
        Field::ResourceKind => Some(&event.resource.kind),
        Field::ResourceId => Some(&event.resource.id),
        Field::ResourceName => event.resource.name.as_ref(),
        Field::ResourceOwner => event.resource.owner.as_ref(),
        Field::Action => Some(&event.action),
        Field::Reason => event.reason.as_ref(),
        Field::Correlation => event.correlation.as_ref(),
        Field::Causation => event.causation.as_ref(),
        Field::Imported => event.imported.as_ref().map(|imported| &imported.format),
        _ => return any_other_text(field, event, test),
    };
    optional.is_some_and(|text| test(text))
}

/// The same for columns that are no single text.
fn any_other_text(field: Field, event: &Event, test: &mut dyn FnMut(&str) -> bool) -> bool {
    match field {
        Field::ActorKind => test(event.actor.kind.as_str()),
        Field::Outcome => test(event.outcome.as_str()),
        Field::ActorIp => event.actor.ip.is_some_and(|address| test(&address.to_string())),
        Field::ActorRoles => event.actor.roles.iter().any(|role| test(role)),
        Field::ActorGroups => event.actor.groups.iter().any(|group| test(group)),
        Field::Changes => event.changes.iter().any(|change| test(&change.path)),
        Field::Policy => {
            event.policies.iter().any(|policy| test(&policy.id) || test(&format!("{}@{}", policy.id, policy.version)))
        }
        Field::Event => canonical_bytes(event).is_ok_and(|bytes| std::str::from_utf8(&bytes).is_ok_and(test)),
        _ => false,
    }
}
