//! Reading workspaces.

use std::collections::BTreeMap;

use chancery_domain::attributes;
use chancery_domain::workspaces::{WorkspaceRecord, WorkspaceStatus};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::directory::rows::{flag, number};
use crate::queries::time;
use crate::{State, StateError};

/// Selects workspaces as [`workspace`] reads them.
macro_rules! select_workspaces {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, owner_id, owner, organization, template_id, template_name, template_version,
                CASE WHEN canceling = 1 THEN 'canceling' ELSE status END, dormant, resources_remain, last_build, daily_cost, parameters, own, version, created_at, updated_at
                FROM workspaces ",
            $rest
        )
    };
}

const WORKSPACE: &str = select_workspaces!("WHERE id = $1");
const NAMESAKES: &str = select_workspaces!("WHERE owner_id = $1 AND name_key = $2 AND status <> 'deleted'");

impl State {
    /// The workspace with this id, also when it is deleted.
    pub async fn workspace(&self, id: &str) -> Result<Option<WorkspaceRecord>, StateError> {
        self.rows(sqlx::query(WORKSPACE).bind(id.to_owned())).await?.first().map(workspace).transpose()
    }

    /// The workspaces of an owner with this name, whatever its case, that are not deleted.
    pub async fn workspaces_by_name(&self, owner: &str, name: &str) -> Result<Vec<WorkspaceRecord>, StateError> {
        let query = sqlx::query(NAMESAKES).bind(owner.to_owned()).bind(attributes::key(name));
        self.rows(query).await?.iter().map(workspace).collect()
    }
}

fn workspace(row: &AnyRow) -> Result<WorkspaceRecord, StateError> {
    let whole = |index: usize| -> Result<u32, StateError> {
        u32::try_from(row.try_get::<i64, _>(index)?).map_err(|_| StateError::Row("workspaces"))
    };
    let parameters: Option<String> = row.try_get(13)?;
    let parameters = parameters.map_or(Ok(BTreeMap::default()), |text| serde_json::from_str(&text));
    Ok(WorkspaceRecord {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        owner_id: row.try_get(2)?,
        owner: row.try_get(3)?,
        organization: row.try_get(4)?,
        template_id: row.try_get(5)?,
        template_name: row.try_get(6)?,
        template_version: row.try_get(7)?,
        status: WorkspaceStatus::from_name(row.try_get(8)?).ok_or(StateError::Row("workspaces"))?,
        dormant: flag(row, 9)?,
        resources_remain: flag(row, 10)?,
        last_build: whole(11)?,
        daily_cost: whole(12)?,
        parameters: parameters.map_err(|_| StateError::Row("workspaces"))?,
        own: flag(row, 14)?,
        version: number(row, 15)?,
        created_at: time(row.try_get(16)?),
        updated_at: time(row.try_get(17)?),
    })
}
