//! Who was in which group and organization, from when to when.

use chancery_domain::Timestamp;
use chancery_domain::events::groups::GroupMember;
use chancery_domain::events::identity::IdentityEvent;
use sqlx::AnyConnection;

use super::{Known, allowances, line};

/// A place somebody can have.
struct Place {
    kind: &'static str,
    group: String,
    member: String,
    via: String,
    expires_at: Option<i64>,
}

impl Place {
    fn in_group(known: Known<'_>, member: &GroupMember) -> Self {
        let expires_at = known.event.data.get("expires_at").and_then(serde_json::Value::as_str);
        let expires_at = expires_at.and_then(|at| at.parse::<Timestamp>().ok());
        Self {
            kind: member.member_kind.unwrap_or_default().as_str(),
            group: line(&known.event.resource.id),
            member: line(&member.user_id),
            via: String::new(),
            expires_at: expires_at.map(Timestamp::as_micros),
        }
    }

    fn in_organization(known: Known<'_>, organization: &str, via: &str) -> Self {
        Self {
            kind: "organization",
            group: line(organization),
            member: line(&known.event.resource.id),
            via: line(via),
            expires_at: None,
        }
    }
}

pub(super) async fn apply(
    db: &mut AnyConnection,
    known: Known<'_>,
    payload: &IdentityEvent,
) -> Result<(), sqlx::Error> {
    let id = line(&known.event.resource.id);
    match payload {
        IdentityEvent::GroupCreated(group) => allowances::changed(db, known, group.quota_allowance.unwrap_or(0)).await,
        IdentityEvent::GroupUpdated(group) => match group.quota_allowance {
            Some(allowance) => allowances::changed(db, known, allowance).await,
            None => Ok(()),
        },
        IdentityEvent::GroupDeleted(_) => {
            allowances::changed(db, known, 0).await?;
            execute!(
                db,
                "UPDATE membership_spans SET ended_at = CASE WHEN began_at > $1 THEN began_at ELSE $1 END,
                    ended_position = $2 WHERE group_id = $3 AND kind <> 'organization' AND ended_at IS NULL",
                known.at(),
                known.position,
                id,
            )
        }
        IdentityEvent::GroupMemberAdded(member) => {
            // Who is added again has another expiry from then on.
            let place = Place::in_group(known, member);
            left(db, known, &place).await?;
            joined(db, known, place).await
        }
        IdentityEvent::GroupMemberRemoved(member) => left(db, known, &Place::in_group(known, member)).await,
        IdentityEvent::UserCreated(_) => match &known.event.organization {
            Some(organization) => joined(db, known, Place::in_organization(known, organization, "home")).await,
            None => Ok(()),
        },
        IdentityEvent::RoleAssigned(grant) => match &grant.organization {
            Some(organization) => joined(db, known, Place::in_organization(known, organization, &grant.role)).await,
            None => Ok(()),
        },
        IdentityEvent::RoleRevoked(grant) => match &grant.organization {
            Some(organization) => left(db, known, &Place::in_organization(known, organization, &grant.role)).await,
            None => Ok(()),
        },
        IdentityEvent::UserDeleted(_) => {
            execute!(
                db,
                "UPDATE membership_spans SET ended_at = CASE WHEN began_at > $1 THEN began_at ELSE $1 END,
                    ended_position = $2 WHERE member_id = $3 AND kind = 'organization' AND ended_at IS NULL",
                known.at(),
                known.position,
                id,
            )
        }
        _ => Ok(()),
    }
}

/// Whoever is there already stays.
async fn joined(db: &mut AnyConnection, known: Known<'_>, place: Place) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO membership_spans (position, kind, group_id, member_id, via, began_at, expires_at, own)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE NOT EXISTS (SELECT 1 FROM membership_spans
            WHERE group_id = $3 AND member_id = $4 AND ended_at IS NULL AND kind = $2 AND via = $5)",
        known.position,
        place.kind,
        place.group,
        place.member,
        place.via,
        known.at(),
        place.expires_at,
        known.own(),
    )
}

async fn left(db: &mut AnyConnection, known: Known<'_>, place: &Place) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE membership_spans SET ended_at = CASE WHEN began_at > $1 THEN began_at ELSE $1 END, ended_position = $2
            WHERE group_id = $3 AND member_id = $4 AND ended_at IS NULL AND kind = $5 AND via = $6 AND own <= $7",
        known.at(),
        known.position,
        place.group.clone(),
        place.member.clone(),
        place.kind,
        place.via.clone(),
        known.own(),
    )
}
