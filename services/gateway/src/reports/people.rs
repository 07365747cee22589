//! The users there were at a position of the log.

use std::collections::BTreeMap;

use chancery_domain::OWN_SOURCE;
use chancery_lake::Visibility;
use serde_json::Value;

use super::asked::Asked;
use super::query::{known, listed, number, rows, text};
use crate::error::ApiError;
use crate::gateway::Gateway;

/// What changes who there is.
const TYPES: [&str; 5] = ["user.created", "user.updated", "user.suspended", "user.reactivated", "user.deleted"];

/// A user.
#[derive(Debug, Clone, Default)]
pub(super) struct Someone {
    pub(super) name: String,
    pub(super) organization: Option<String>,
    /// `active`, `suspended` or `deleted`.
    pub(super) status: &'static str,
    /// Since when, in microseconds.
    pub(super) since: i64,
    pub(super) created_at: i64,
    /// Whether Chancery itself has made or changed it: other systems then change nothing.
    own: bool,
}

/// Everyone there was, by id. Whom a report shows is for it to choose.
pub(super) async fn people(gateway: &Gateway, asked: &Asked) -> Result<BTreeMap<String, Someone>, ApiError> {
    let question = format!(
        "SELECT type, resource_id, resource_name, source, organization, arrow_cast(occurred_at, 'Int64'),
            coalesce(json_text(event, 'data.attributes.userName'), json_text(event, 'data.username')),
            json_text(event, 'data.attributes.active')
            FROM events WHERE type IN ({}) AND {} ORDER BY position",
        listed(&TYPES),
        known(&asked.known)
    );
    let mut people = BTreeMap::new();
    for row in rows(gateway, &Visibility::All, &question).await? {
        heard(&mut people, &row);
    }
    Ok(people)
}

fn heard(people: &mut BTreeMap<String, Someone>, row: &[Value]) {
    let (Some(event_type), Some(id)) = (text(row, 0), text(row, 1)) else { return };
    let (own, at) = (text(row, 3).as_deref() == Some(OWN_SOURCE), number(row, 5).unwrap_or_default());
    if event_type == "user.created" {
        let known = people.get(&id);
        if known.is_some_and(|known| known.own && !own) {
            return;
        }
        let name = text(row, 6).or_else(|| text(row, 2)).unwrap_or_else(|| id.clone());
        let status = if text(row, 7).as_deref() == Some("false") { "suspended" } else { "active" };
        let created_at = known.map_or(at, |known| known.created_at);
        people.insert(id, Someone { name, organization: text(row, 4), status, since: at, created_at, own });
        return;
    }
    let Some(someone) = people.get_mut(&id).filter(|someone| own || !someone.own) else { return };
    someone.own = own;
    let status = match (event_type.as_str(), text(row, 7).as_deref()) {
        ("user.suspended", _) => "suspended",
        ("user.deleted", _) => "deleted",
        ("user.reactivated", _) => "active",
        (_, Some("false")) if someone.status != "deleted" => "suspended",
        (_, Some("true")) if someone.status != "deleted" => "active",
        _ => someone.status,
    };
    if event_type == "user.updated"
        && let Some(name) = text(row, 6)
    {
        someone.name = name;
    }
    if status != someone.status {
        (someone.status, someone.since) = (status, at);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_word_counts_and_other_systems_have_none_about_our_own() {
        let mut people = BTreeMap::new();
        let mut hear = |event_type: &str, source: &str, at: i64, name: Value, active: Value| {
            heard(
                &mut people,
                &[json!(event_type), json!("7"), json!("x"), json!(source), json!("eng"), json!(at), name, active],
            );
        };
        hear("user.created", "/elsewhere", 1, json!("ada"), Value::Null);
        hear("user.suspended", "/elsewhere", 2, Value::Null, Value::Null);
        hear("user.updated", OWN_SOURCE, 3, json!("ada.l"), json!("true"));
        hear("user.deleted", "/elsewhere", 4, Value::Null, Value::Null);
        let ada = &people["7"];
        assert_eq!((ada.name.as_str(), ada.status, ada.since, ada.created_at), ("ada.l", "active", 3, 1));
    }
}
