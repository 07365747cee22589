//! What workspaces cost, from when to when, and what was refused for it.

use chancery_domain::events::quotas::{QuotaEntry, QuotaEvent};
use sqlx::AnyConnection;

use super::{Known, line};

pub(super) async fn apply(db: &mut AnyConnection, known: Known<'_>, payload: QuotaEvent) -> Result<(), sqlx::Error> {
    match payload {
        QuotaEvent::QuotaAllowanceSet(set) => {
            allowance(db, known, known.event.resource.id.clone(), i64::from(set.allowance)).await
        }
        QuotaEvent::QuotaCommitted(entry) => committed(db, known, entry).await,
        QuotaEvent::QuotaReleased(entry) => match entry.workspace_id {
            Some(workspace) => ended(db, known, line(&workspace)).await,
            None => Ok(()),
        },
        QuotaEvent::QuotaDenied(entry) => denied(db, known, entry).await,
        QuotaEvent::QuotaReserved(_) | QuotaEvent::QuotaBudgetSet(_) => Ok(()),
    }
}

/// From here on a group gives its members so much.
pub(super) async fn allowance(
    db: &mut AnyConnection,
    known: Known<'_>,
    group: String,
    allowance: i64,
) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO allowance_changes (position, group_id, changed_at, allowance) VALUES ($1, $2, $3, $4)",
        known.position,
        line(&group),
        known.at(),
        allowance,
    )
}

/// A workspace that goes on at the same cost goes on.
async fn committed(db: &mut AnyConnection, known: Known<'_>, entry: QuotaEntry) -> Result<(), sqlx::Error> {
    let Some(workspace) = entry.workspace_id.as_deref().map(line) else { return Ok(()) };
    let open = sqlx::query(
        "SELECT 1 FROM charge_spans WHERE quota = $1 AND workspace_id = $2 AND ended_at IS NULL AND cost = $3",
    );
    let open = open.bind(known.event.resource.id.clone()).bind(workspace.clone()).bind(i64::from(entry.cost));
    if open.fetch_optional(&mut *db).await?.is_some() {
        return Ok(());
    }
    ended(db, known, workspace.clone()).await?;
    if entry.cost == 0 {
        return Ok(());
    }
    let (organization, user) = whose(known);
    execute!(
        db,
        "INSERT INTO charge_spans (position, quota, organization, user_id, workspace_id, template_id, cost, began_at, own)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        known.position,
        known.event.resource.id.clone(),
        organization,
        user,
        workspace,
        template(known),
        i64::from(entry.cost),
        known.at(),
        known.own(),
    )
}

async fn ended(db: &mut AnyConnection, known: Known<'_>, workspace: String) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE charge_spans SET ended_at = CASE WHEN began_at > $1 THEN began_at ELSE $1 END, ended_position = $2
            WHERE quota = $3 AND workspace_id = $4 AND ended_at IS NULL AND own <= $5",
        known.at(),
        known.position,
        known.event.resource.id.clone(),
        workspace,
        known.own(),
    )
}

async fn denied(db: &mut AnyConnection, known: Known<'_>, entry: QuotaEntry) -> Result<(), sqlx::Error> {
    let (organization, user) = whose(known);
    execute!(
        db,
        "INSERT INTO quota_denials (position, organization, user_id, workspace_id, template_id, cost, denied_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)",
        known.position,
        organization,
        user,
        entry.workspace_id.as_deref().map(line),
        template(known),
        i64::from(entry.cost),
        known.at(),
    )
}

/// The organization and the user whose quota it is: `quota/<organization>/<user>`.
fn whose(known: Known<'_>) -> (Option<String>, String) {
    let id = line(&known.event.resource.id);
    let organization = known.event.organization.as_deref().map(line);
    match id.rsplit_once('/') {
        Some((first, user)) => (organization.or_else(|| Some(first.to_owned())), user.to_owned()),
        None => (organization, id),
    }
}

/// The template, where the entry names it.
fn template(known: Known<'_>) -> Option<String> {
    known.event.data.get("template_id").and_then(serde_json::Value::as_str).map(line)
}
