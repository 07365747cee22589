//! What is due: users whose day of deletion has come, which a connection's settings keep suspended for a number of days,
//! and memberships that have ended by themselves.

use chancery_domain::decision::Context;
use chancery_domain::directory::{ConnectionRecord, UserStatus};
use chancery_domain::events::directory::Deletion;
use chancery_domain::groups::Mapped;
use chancery_domain::users::DeleteUser;

use crate::{CommandError, DecisionError, Decisions, StateError};

/// Users deleted, and memberships ended, at once.
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

    /// Removes the members whose time is over at the context's moment, and the roles that came with their groups; how
    /// many. They have counted no more since. `context` is asked for each.
    pub async fn end_due_memberships(&self, context: impl Fn() -> Context) -> Result<usize, CommandError> {
        let due = self.state().memberships_due(context().now, BATCH).await.map_err(DecisionError::from)?;
        for (group_id, member) in &due {
            let keys = [format!("group/{group_id}"), format!("user/{}", member.id)];
            self.decide(&keys, async || {
                let state = self.state();
                let (group, member) = (state.group(group_id).await?, state.membership(group_id, &member.id).await?);
                let (Some(group), Some(member)) = (group, member) else {
                    return Ok::<_, DecisionError>((Vec::new(), ()));
                };
                let (mut mappings, mut users) = (Vec::new(), Vec::new());
                if let Some(connection) = self.provisioning(group.connection.as_deref()).await? {
                    users = state.mapped_users(&connection.id, std::slice::from_ref(&member.id)).await?;
                    // It is not in the group any more, and has what came with it.
                    for user in &mut users {
                        user.groups.push(group.name.clone());
                    }
                    mappings = connection.settings.group_mappings;
                }
                let mapped = Mapped { mappings: &mappings, users: &users };
                Ok((member.expire(&group, mapped, context()), ()))
            })
            .await?;
        }
        Ok(due.len())
    }

    /// The connection of a group, if it is there.
    async fn provisioning(&self, id: Option<&str>) -> Result<Option<ConnectionRecord>, StateError> {
        let Some(id) = id else { return Ok(None) };
        Ok(self.state().connection(id).await?.filter(|connection| !connection.deleted))
    }
}
