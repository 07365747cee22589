//! Groups and their members. No event loads the members; each that concerns one counts the group's version up.

use chancery_domain::Event;
use chancery_domain::attributes::{Summary, key};
use chancery_domain::events::groups::{GroupCreated, GroupMember, GroupUpdated};
use sqlx::AnyConnection;

use super::{json, own};

pub(super) async fn created(db: &mut AnyConnection, event: &Event, group: GroupCreated) -> Result<(), sqlx::Error> {
    let summary = group.attributes.as_ref().map(Summary::of).unwrap_or_default();
    let name = summary.display_name.clone().unwrap_or(group.name);
    execute!(
        db,
        "INSERT INTO groups (id, name, name_key, display_name, organization, quota_allowance, status, connection,
            attributes, external_id, own, created_at, updated_at, everyone)
            VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $8, $9, $10, $11, $11, $12)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key,
            display_name = excluded.display_name, organization = excluded.organization,
            quota_allowance = excluded.quota_allowance, status = 'active', connection = excluded.connection,
            attributes = excluded.attributes, external_id = excluded.external_id, own = excluded.own,
            version = groups.version + 1, updated_at = excluded.updated_at, everyone = excluded.everyone",
        event.resource.id.clone(),
        name.clone(),
        key(&name),
        summary.display_name.or(group.display_name),
        event.organization.clone(),
        i64::from(group.quota_allowance.unwrap_or(0)),
        group.connection,
        group.attributes.as_ref().map(json),
        summary.external_id,
        own(event),
        event.occurred_at.as_micros(),
        // What other systems call so is none of ours.
        i64::from(group.everyone) * own(event),
    )
}

/// Attributes replace all there were; without them only what is named changes.
pub(super) async fn updated(db: &mut AnyConnection, event: &Event, group: GroupUpdated) -> Result<(), sqlx::Error> {
    let summary = group.attributes.as_ref().map(Summary::of);
    let external_id = summary.as_ref().and_then(|summary| summary.external_id.clone());
    let display_name = summary.and_then(|summary| summary.display_name);
    let name = display_name.clone().or(group.name);
    execute!(
        db,
        "UPDATE groups SET name = coalesce($1, name), name_key = coalesce($2, name_key),
            display_name = coalesce($3, display_name), quota_allowance = coalesce($4, quota_allowance),
            connection = coalesce($5, connection), attributes = coalesce($6, attributes),
            external_id = CASE WHEN $6 IS NULL THEN external_id ELSE $7 END, own = $8, version = version + 1,
            updated_at = $9 WHERE id = $10",
        name.clone(),
        name.as_deref().map(key),
        display_name.or(group.display_name),
        group.quota_allowance.map(i64::from),
        group.connection,
        group.attributes.as_ref().map(json),
        external_id,
        own(event),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}

pub(super) async fn deleted(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        &mut *db,
        "UPDATE groups SET status = 'deleted', own = $1, version = version + 1, updated_at = $2 WHERE id = $3",
        own(event),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )?;
    execute!(db, "DELETE FROM group_members WHERE group_id = $1", event.resource.id.clone())
}

pub(super) async fn member_added(
    db: &mut AnyConnection,
    event: &Event,
    member: GroupMember,
) -> Result<(), sqlx::Error> {
    touched(db, event).await?;
    execute!(
        db,
        "INSERT INTO group_members (group_id, user_id, user_name, kind, own, added_at, expires_at,
            by_attribute) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (group_id, user_id) DO UPDATE SET user_name = coalesce(excluded.user_name,
            group_members.user_name), kind = excluded.kind, own = excluded.own, expires_at = excluded.expires_at,
            by_attribute = excluded.by_attribute WHERE group_members.own <= excluded.own",
        event.resource.id.clone(),
        member.user_id,
        member.user_name,
        member.member_kind.unwrap_or_default().as_str(),
        own(event),
        event.occurred_at.as_micros(),
        member.expires_at.map(chancery_domain::Timestamp::as_micros),
        i64::from(member.by_attribute),
    )
}

pub(super) async fn member_removed(
    db: &mut AnyConnection,
    event: &Event,
    member: GroupMember,
) -> Result<(), sqlx::Error> {
    touched(db, event).await?;
    execute!(
        db,
        "DELETE FROM group_members WHERE group_id = $1 AND user_id = $2 AND own <= $3",
        event.resource.id.clone(),
        member.user_id,
        own(event),
    )
}

/// A member came or went.
async fn touched(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE groups SET own = $1, version = version + 1, updated_at = $2 WHERE id = $3",
        own(event),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}
