//! Reading workspaces.

use std::collections::BTreeMap;

use chancery_domain::attributes;
use chancery_domain::workspaces::{WorkspaceRecord, WorkspaceStatus};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::directory::rows::{flag, number};
use crate::queries::time;
use crate::{State, StateError};

/// Selects workspaces as [`workspace`] reads them, and more from a table `w`.
macro_rules! select_workspaces {
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT w.id, w.name, w.owner_id, w.owner, w.organization, w.template_id, w.template_name, w.template_version,
                CASE WHEN w.canceling = 1 THEN 'canceling' ELSE w.status END, w.dormant, w.resources_remain, w.last_build,
                w.daily_cost, w.parameters, w.own, w.version, w.created_at, w.updated_at ",
            $more,
            " FROM workspaces w ",
            $rest
        )
    };
}

const WORKSPACE: &str = select_workspaces!("", "WHERE w.id = $1");
const NAMESAKES: &str = select_workspaces!("", "WHERE w.owner_id = $1 AND w.name_key = $2 AND w.status <> 'deleted'");
pub(crate) const LIFE: &str = select_workspaces!(
    ", w.schedule, w.started_at, w.finished_at, w.last_used_at, w.dormant_at, u.status",
    "LEFT JOIN users u ON u.id = w.owner_id WHERE w.id = $1"
);
pub(crate) const LIVES: &str = select_workspaces!(
    ", w.schedule, w.started_at, w.finished_at, w.last_used_at, w.dormant_at, u.status",
    "LEFT JOIN users u ON u.id = w.owner_id WHERE w.own = 1 AND w.status <> 'deleted' AND w.id > $1
        ORDER BY w.id LIMIT $2"
);
pub(crate) const OF_OWNER: &str =
    "SELECT id FROM workspaces WHERE owner_id = $1 AND status <> 'deleted' AND id > $2 ORDER BY id LIMIT $3";
pub(crate) const COUNT_OF_TEMPLATE: &str =
    "SELECT count(*) FROM workspaces WHERE template_id = $1 AND status <> 'deleted' AND own = 1";
pub(crate) const COUNT_OF_TEMPLATE_AND_OWNER: &str = "SELECT count(*) FROM workspaces
    WHERE owner_id = $2 AND template_id = $1 AND status <> 'deleted' AND own = 1";

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

    /// Ids of an owner's workspaces that are not deleted, in order, after `after`.
    pub async fn workspace_ids_of(
        &self,
        owner: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StateError> {
        let after = after.unwrap_or_default().to_owned();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.rows(sqlx::query(OF_OWNER).bind(owner.to_owned()).bind(after).bind(limit)).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

pub(crate) fn workspace(row: &AnyRow) -> Result<WorkspaceRecord, StateError> {
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
