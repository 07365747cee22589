//! What groups gave their members, and what was refused for its cost.

use chancery_domain::events::quotas::{QuotaEntry, QuotaEvent};
use sqlx::AnyConnection;

use super::{Known, line};

pub(super) async fn apply(db: &mut AnyConnection, known: Known<'_>, payload: &QuotaEvent) -> Result<(), sqlx::Error> {
    match payload {
        QuotaEvent::QuotaAllowanceSet(set) => changed(db, known, set.allowance).await,
        QuotaEvent::QuotaDenied(entry) => denied(db, known, entry).await,
        _ => Ok(()),
    }
}

/// From here on a group gives its members so much.
pub(super) async fn changed(db: &mut AnyConnection, known: Known<'_>, allowance: u32) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "INSERT INTO allowance_changes (position, group_id, changed_at, allowance) VALUES ($1, $2, $3, $4)",
        known.position,
        line(&known.event.resource.id),
        known.at(),
        i64::from(allowance),
    )
}

/// The quota is `<organization>/<user id>`, where the entry does not say more.
async fn denied(db: &mut AnyConnection, known: Known<'_>, entry: &QuotaEntry) -> Result<(), sqlx::Error> {
    let quota = known.event.resource.id.as_str();
    let (organization, user) = quota.rsplit_once('/').map_or((None, quota), |(first, user)| (Some(first), user));
    execute!(
        db,
        "INSERT INTO quota_denials (position, organization, user_id, workspace_id, template_id, cost, denied_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)",
        known.position,
        known.event.organization.as_deref().or(organization).map(line),
        line(entry.user_id.as_deref().unwrap_or(user)),
        entry.workspace_id.as_deref().map(line),
        entry.template_id.as_deref().map(line),
        i64::try_from(entry.cost).unwrap_or(i64::MAX),
        known.at(),
    )
}
