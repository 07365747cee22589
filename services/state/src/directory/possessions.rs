//! What a user has that a suspension takes.

use chancery_domain::directory::{OwnedWorkspace, Possessions};
use chancery_domain::events::tokens::OwnerKind;
use chancery_domain::tokens::Token;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::rows::flag;
use crate::{State, StateError, Whose, queries};

pub(crate) const WORKSPACES: &str = "SELECT id, name, organization, status, dormant, last_build FROM workspaces
    WHERE owner_id = $1 AND status <> 'deleted' ORDER BY id";

impl State {
    /// The tokens of a user or a connection, by id; withdrawn ones too.
    pub async fn tokens_of(&self, kind: OwnerKind, owner: &str) -> Result<Vec<Token>, StateError> {
        queries::tokens_of(&self.pool, kind, owner).await
    }

    /// The workspaces of a user that are not deleted.
    pub async fn workspaces_of(&self, user: &str) -> Result<Vec<OwnedWorkspace>, StateError> {
        let rows = self.rows(sqlx::query(WORKSPACES).bind(user.to_owned())).await?;
        let mut workspaces: Vec<OwnedWorkspace> = rows.iter().map(workspace).collect::<Result<_, _>>()?;
        for workspace in &mut workspaces {
            let Some(record) = self.workspace(&workspace.id).await?.filter(|record| record.own) else { continue };
            workspace.build = self.last_build(&record).await?;
            workspace.record = Some(record);
        }
        Ok(workspaces)
    }

    /// All of these, and the sessions that are open or that might come of what was allowed.
    pub async fn possessions(&self, user: &str) -> Result<Possessions, StateError> {
        Ok(Possessions {
            tokens: self.tokens_of(OwnerKind::User, user).await?,
            sessions: self.live_sessions(&Whose::User(user.to_owned()), self.now()).await?,
            workspaces: self.workspaces_of(user).await?,
        })
    }
}

fn workspace(row: &AnyRow) -> Result<OwnedWorkspace, StateError> {
    let status: &str = row.try_get(3)?;
    Ok(OwnedWorkspace {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        organization: row.try_get(2)?,
        running: matches!(status, "pending" | "starting" | "running"),
        dormant: flag(row, 4)?,
        last_build: u32::try_from(row.try_get::<i64, _>(5)?).map_err(|_| StateError::Row("workspaces"))?,
        record: None,
        build: None,
    })
}
