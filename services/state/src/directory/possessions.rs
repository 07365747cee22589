//! What a user has that a suspension takes.

use chancery_domain::directory::{OpenSession, OwnedWorkspace, Possessions};
use chancery_domain::events::tokens::OwnerKind;
use chancery_domain::tokens::Token;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::rows::{flag, moment};
use crate::{State, StateError, queries};

pub(crate) const SESSIONS: &str = "SELECT id, kind, workspace_id, workspace_name, organization, opened_at FROM sessions
    WHERE user_id = $1 AND status = 'open' ORDER BY id";
pub(crate) const WORKSPACES: &str = "SELECT id, name, organization, status, dormant, last_build FROM workspaces
    WHERE owner_id = $1 AND status <> 'deleted' ORDER BY id";

impl State {
    /// The tokens of a user or a connection, by id; withdrawn ones too.
    pub async fn tokens_of(&self, kind: OwnerKind, owner: &str) -> Result<Vec<Token>, StateError> {
        queries::tokens_of(&self.pool, kind, owner).await
    }

    /// The sessions of a user that are open.
    pub async fn open_sessions(&self, user: &str) -> Result<Vec<OpenSession>, StateError> {
        self.rows(sqlx::query(SESSIONS).bind(user.to_owned())).await?.iter().map(session).collect()
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

    /// All of these.
    pub async fn possessions(&self, user: &str) -> Result<Possessions, StateError> {
        Ok(Possessions {
            tokens: self.tokens_of(OwnerKind::User, user).await?,
            sessions: self.open_sessions(user).await?,
            workspaces: self.workspaces_of(user).await?,
        })
    }
}

fn session(row: &AnyRow) -> Result<OpenSession, StateError> {
    let kind = serde_json::Value::String(row.try_get(1)?);
    Ok(OpenSession {
        id: row.try_get(0)?,
        kind: serde_json::from_value(kind).map_err(|_| StateError::Row("sessions"))?,
        workspace_id: row.try_get(2)?,
        workspace_name: row.try_get(3)?,
        organization: row.try_get(4)?,
        opened_at: moment(row, 5)?,
    })
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
