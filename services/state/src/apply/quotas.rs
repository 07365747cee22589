//! The quota ledger, what was in use from when to when, and the bounds that are set.
//!
//! An entry says what its workspace takes from then on, so folding one needs no other; an entry of another system says
//! less, and is taken at its word about its own rows alone.

use chancery_domain::Event;
use chancery_domain::events::quotas::{
    AllowanceSet, BudgetSet, BudgetWarned, CapSet, QuotaEntry, QuotaEvent, QuotaSettings,
};
use chancery_log::Position;
use sqlx::AnyConnection;

use super::{identity, own};

pub(super) async fn apply(
    db: &mut AnyConnection,
    event: &Event,
    payload: QuotaEvent,
    position: Position,
) -> Result<(), sqlx::Error> {
    match payload {
        QuotaEvent::QuotaAllowanceSet(set) => allowance(db, event, &set).await,
        QuotaEvent::QuotaReserved(entry) => reserved(db, event, &entry).await,
        QuotaEvent::QuotaCommitted(entry) => {
            let committed = entry.committed.unwrap_or(entry.cost);
            settled(db, event, &entry, (committed, entry.running.unwrap_or(true)), position).await
        }
        QuotaEvent::QuotaReleased(entry) => {
            let committed = entry.committed.unwrap_or_default();
            settled(db, event, &entry, (committed, entry.running.unwrap_or_default()), position).await
        }
        // Refused: nothing changes.
        QuotaEvent::QuotaDenied(_) => Ok(()),
        // Bounds of other systems bind nobody here.
        _ if own(event) == 0 => Ok(()),
        QuotaEvent::QuotaCapSet(cap) => cap_set(db, event, cap).await,
        QuotaEvent::QuotaCapRemoved(_) => {
            execute!(db, "DELETE FROM quota_caps WHERE id = $1", event.resource.id.clone())
        }
        QuotaEvent::QuotaBudgetSet(budget) => budget_set(db, event, budget).await,
        QuotaEvent::QuotaBudgetRemoved(_) => {
            execute!(db, "DELETE FROM quota_budgets WHERE id = $1", event.resource.id.clone())
        }
        QuotaEvent::QuotaBudgetWarned(warning) => warned(db, event, &warning).await,
        QuotaEvent::QuotaSettingsChanged(settings) => settings_changed(db, event, settings).await,
    }
}

async fn allowance(db: &mut AnyConnection, event: &Event, set: &AllowanceSet) -> Result<(), sqlx::Error> {
    if identity::is_beyond(db, event).await? {
        return Ok(());
    }
    execute!(
        db,
        "UPDATE groups SET quota_allowance = $1, allowance_set = 1, own = $2, updated_at = $3 WHERE id = $4",
        i64::from(set.allowance),
        own(event),
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}

/// Sets credits aside; what runs stays as it is.
async fn reserved(db: &mut AnyConnection, event: &Event, entry: &QuotaEntry) -> Result<(), sqlx::Error> {
    let Some(workspace) = entry.workspace_id.clone() else { return Ok(()) };
    let committed = entry.committed.unwrap_or_default();
    let reserved = entry.reserved.unwrap_or(entry.cost);
    execute!(
        db,
        "INSERT INTO quota_ledger (quota_id, workspace_id, organization, user_id, user_name, workspace_name, template_id,
            template_name, committed, reserved, build_number, counted, running, unknown, own, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, $14, $15)
            ON CONFLICT (quota_id, workspace_id) DO UPDATE SET user_name = excluded.user_name,
            workspace_name = coalesce(excluded.workspace_name, quota_ledger.workspace_name),
            template_id = coalesce(excluded.template_id, quota_ledger.template_id),
            template_name = coalesce(excluded.template_name, quota_ledger.template_name),
            committed = excluded.committed, reserved = excluded.reserved, build_number = excluded.build_number,
            counted = excluded.counted, unknown = excluded.unknown, own = excluded.own,
            updated_at = excluded.updated_at WHERE quota_ledger.own <= excluded.own",
        event.resource.id.clone(),
        workspace,
        event.organization.clone(),
        user_id(event, entry),
        event.resource.owner.clone(),
        entry.workspace_name.clone(),
        entry.template_id.clone(),
        entry.template_name.clone(),
        whole(committed),
        whole(reserved),
        entry.build_number.map(i64::from),
        whole(committed.max(reserved)),
        unknown(entry),
        own(event),
        event.occurred_at.as_micros(),
    )
}

/// A build has ended, or the workspace has changed hands: what it takes from now on, if anything.
async fn settled(
    db: &mut AnyConnection,
    event: &Event,
    entry: &QuotaEntry,
    (committed, running): (u64, bool),
    position: Position,
) -> Result<(), sqlx::Error> {
    let Some(workspace) = entry.workspace_id.clone() else { return Ok(()) };
    let found = sqlx::query(
        "UPDATE quota_ledger SET running = $1, committed = $2, reserved = $3, build_number = $4, counted = $5,
            user_name = coalesce($6, user_name), workspace_name = coalesce($7, workspace_name), unknown = $8, own = $9,
            updated_at = $10 WHERE quota_id = $11 AND workspace_id = $12 AND own <= $9",
    )
    .bind(i64::from(running))
    .bind(whole(committed))
    .bind(entry.reserved.map(whole))
    .bind(entry.reserved.and(entry.build_number).map(i64::from))
    .bind(whole(committed.max(entry.reserved.unwrap_or_default())))
    .bind(event.resource.owner.clone())
    .bind(entry.workspace_name.clone())
    .bind(unknown(entry))
    .bind(own(event))
    .bind(event.occurred_at.as_micros())
    .bind(event.resource.id.clone())
    .bind(workspace.clone())
    .execute(&mut *db)
    .await?;
    if found.rows_affected() == 0 {
        reserved(db, event, &QuotaEntry { committed: Some(committed), reserved: Some(0), ..entry.clone() }).await?;
        execute!(
            &mut *db,
            "UPDATE quota_ledger SET reserved = NULL, build_number = NULL, running = $1
                WHERE quota_id = $2 AND workspace_id = $3 AND own = $4",
            i64::from(running),
            event.resource.id.clone(),
            workspace.clone(),
            own(event),
        )?;
    }
    execute!(
        &mut *db,
        "DELETE FROM quota_ledger WHERE quota_id = $1 AND workspace_id = $2 AND counted = 0 AND running = 0 AND own <= $3",
        event.resource.id.clone(),
        workspace.clone(),
        own(event),
    )?;
    used(db, event, entry, &workspace, (committed, running), position).await
}

/// Ends the span of a workspace's use, and begins another, if its cost or whether it runs has changed.
async fn used(
    db: &mut AnyConnection,
    event: &Event,
    entry: &QuotaEntry,
    workspace: &str,
    (cost, running): (u64, bool),
    position: Position,
) -> Result<(), sqlx::Error> {
    execute!(
        &mut *db,
        "UPDATE quota_usage SET ended_at = CASE WHEN began_at > $1 THEN began_at ELSE $1 END, ended_position = $2
            WHERE quota_id = $3 AND workspace_id = $4 AND ended_at IS NULL AND own <= $5
            AND (cost <> $6 OR running <> $7)",
        event.occurred_at.as_micros(),
        position.cast_signed(),
        event.resource.id.clone(),
        workspace.to_owned(),
        own(event),
        whole(cost),
        i64::from(running),
    )?;
    if cost == 0 && !running {
        return Ok(());
    }
    execute!(
        db,
        "INSERT INTO quota_usage (quota_id, began_version, organization, user_id, user_name, workspace_id, workspace_name,
            template_id, template_name, cost, running, began_at, began_position, own)
            SELECT $1, $2, $3, $4, $5, $6, $7, coalesce($8, (SELECT template_id FROM quota_ledger
                WHERE quota_id = $1 AND workspace_id = $6)), coalesce($9, (SELECT template_name FROM quota_ledger
                WHERE quota_id = $1 AND workspace_id = $6)), $10, $11, $12, $13, $14
            WHERE NOT EXISTS (SELECT 1 FROM quota_usage
                WHERE quota_id = $1 AND workspace_id = $6 AND ended_at IS NULL)
            ON CONFLICT DO NOTHING",
        event.resource.id.clone(),
        event.stream_version.cast_signed(),
        event.organization.clone(),
        user_id(event, entry),
        event.resource.owner.clone(),
        workspace.to_owned(),
        entry.workspace_name.clone(),
        entry.template_id.clone(),
        entry.template_name.clone(),
        whole(cost),
        i64::from(running),
        event.occurred_at.as_micros(),
        position.cast_signed(),
        own(event),
    )
}

async fn cap_set(db: &mut AnyConnection, event: &Event, cap: CapSet) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO quota_caps (id, organization, bounds, subject_id, most, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (id) DO UPDATE SET most = excluded.most, updated_at = excluded.updated_at",
        event.resource.id.clone(),
        event.organization.clone().unwrap_or_default(),
        cap.bounds.as_str(),
        cap.subject_id.unwrap_or_default(),
        whole(cap.limit),
        event.occurred_at.as_micros(),
    )
}

async fn budget_set(db: &mut AnyConnection, event: &Event, budget: BudgetSet) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO quota_budgets (id, organization, subject_kind, subject_id, period, credit_hours, hard, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (id) DO UPDATE SET credit_hours = excluded.credit_hours, hard = excluded.hard,
            warned_since = NULL, updated_at = excluded.updated_at",
        event.resource.id.clone(),
        event.organization.clone().unwrap_or_default(),
        budget.subject_kind.map_or("organization", |kind| kind.as_str()),
        budget.subject_id.unwrap_or_default(),
        budget.period.as_str(),
        whole(budget.credit_hours),
        i64::from(budget.hard),
        event.occurred_at.as_micros(),
    )
}

async fn warned(db: &mut AnyConnection, event: &Event, warning: &BudgetWarned) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE quota_budgets SET warned_since = $1 WHERE id = $2",
        warning.since.as_micros(),
        event.resource.id.clone(),
    )
}

async fn settings_changed(db: &mut AnyConnection, event: &Event, settings: QuotaSettings) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO quota_settings (organization, unknown_costs, time_zone, updated_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (organization) DO UPDATE SET unknown_costs = excluded.unknown_costs,
            time_zone = excluded.time_zone, updated_at = excluded.updated_at",
        event.resource.id.clone(),
        settings.unknown_costs.as_str(),
        settings.time_zone,
        event.occurred_at.as_micros(),
    )
}

/// Whose quota it is: as the entry says, or the last part of the resource's id.
fn user_id(event: &Event, entry: &QuotaEntry) -> String {
    let last = event.resource.id.rsplit('/').next().unwrap_or(&event.resource.id);
    entry.user_id.clone().unwrap_or_else(|| last.to_owned())
}

fn unknown(entry: &QuotaEntry) -> Option<String> {
    (!entry.unknown.is_empty()).then(|| super::json(&entry.unknown))
}

/// A sum as a column holds it: beyond the largest it is the largest.
fn whole(sum: u64) -> i64 {
    i64::try_from(sum).unwrap_or(i64::MAX)
}
