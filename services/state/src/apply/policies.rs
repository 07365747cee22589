//! Policies. A version takes the place of the one before.

use chancery_domain::Event;
use chancery_domain::events::policy::PolicyEvent;
use sqlx::AnyConnection;

pub(super) async fn apply(db: &mut AnyConnection, event: &Event, payload: PolicyEvent) -> Result<(), sqlx::Error> {
    match payload {
        PolicyEvent::PolicyPublished(policy) => {
            withdraw(db, event).await?;
            execute!(
                db,
                "INSERT INTO policies (id, version, text, sha256, published_at) VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT DO NOTHING",
                event.resource.id.clone(),
                policy.version.cast_signed(),
                policy.text.unwrap_or_default(),
                policy.sha256,
                event.occurred_at.as_micros(),
            )
        }
        PolicyEvent::PolicyWithdrawn(_) => withdraw(db, event).await,
        PolicyEvent::SettingsChanged(settings) => super::keys::set(db, event, settings).await,
    }
}

async fn withdraw(db: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    execute!(
        db,
        "UPDATE policies SET withdrawn_at = $1 WHERE id = $2 AND withdrawn_at IS NULL",
        event.occurred_at.as_micros(),
        event.resource.id.clone(),
    )
}
