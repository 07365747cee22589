//! Deletions whose day has come: users that a connection's settings keep suspended for a number of days.

use chancery_domain::decision::Context;
use chancery_domain::directory::UserStatus;
use chancery_domain::events::directory::Deletion;
use chancery_domain::users::DeleteUser;

use crate::{CommandError, DecisionError, Decisions};

/// Users deleted at once.
const BATCH: usize = 100;

impl Decisions {
    /// Deletes the users whose time is over at the context's moment; how many. `context` is asked for each.
    pub async fn delete_due_users(&self, context: impl Fn() -> Context) -> Result<usize, CommandError> {
        let now = context().now;
        let due = self.state().users_due(now, BATCH).await.map_err(DecisionError::from)?;
        for user in &due {
            let memberships = self.state().memberships(&user.id).await.map_err(DecisionError::from)?;
            let groups = memberships.iter().map(|membership| format!("group/{}", membership.group_id));
            let keys: Vec<String> = groups.chain([format!("user/{}", user.id)]).collect();
            self.decide(&keys, async || {
                let found = self.state().user(&user.id).await.map_err(DecisionError::from)?;
                let still_due = found.filter(|user| {
                    user.status != UserStatus::Deleted && user.delete_at.is_some_and(|delete_at| delete_at <= now)
                });
                let Some(user) = still_due else { return Ok::<_, CommandError>((Vec::new(), ())) };
                let memberships = self.state().memberships(&user.id).await.map_err(DecisionError::from)?;
                let possessions = self.state().possessions(&user.id).await.map_err(DecisionError::from)?;
                let command = DeleteUser { deletion: Deletion::Delete, ..DeleteUser::default() };
                Ok((command.decide(&user, &memberships, &possessions, context())?, ()))
            })
            .await?;
        }
        Ok(due.len())
    }
}
