//! Reading what builds report, and Terraform states of workspaces with their locks.

use std::collections::BTreeMap;

use chancery_domain::events::builds::{BuildLog, BuildOutput, BuildResource};
use chancery_domain::states::{LockRecord, StateVersion};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::directory::rows::number;
use crate::queries::time;
use crate::{State, StateError};

/// Selects versions of states as [`version`] reads them.
macro_rules! select_versions {
    ($rest:literal) => {
        concat!(
            "SELECT version, serial, lineage, sha256, size, blob, key_id, resources, terraform_version, job_id,
                build_number, restored_from, written_by, written_at FROM workspace_states WHERE workspace_id = $1 ",
            $rest
        )
    };
}

pub(crate) const LAST: &str = select_versions!("ORDER BY version DESC LIMIT 1");
pub(crate) const ONE: &str = select_versions!("AND version = $2");
pub(crate) const PAGE: &str = select_versions!("AND version < $2 ORDER BY version DESC LIMIT $3");
pub(crate) const LOCK: &str =
    "SELECT lock_id, job_id, operation, who, locked_at FROM state_locks WHERE workspace_id = $1";
/// Locks are few: builds that run have one each.
const LOCKED: &str = "SELECT workspace_id FROM state_locks ORDER BY workspace_id";
pub(crate) const REPORT: &str = "SELECT resources, resources_left_out, outputs, log FROM build_reports
    WHERE workspace_id = $1 AND number = $2";

/// What a build has reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reported {
    /// Its resources.
    pub resources: Option<Vec<BuildResource>>,
    /// How many more there are.
    pub resources_left_out: Option<u64>,
    /// The template's outputs.
    pub outputs: BTreeMap<String, BuildOutput>,
    /// The end of its log, once it is closed.
    pub log: Option<BuildLog>,
}

impl State {
    /// What a build has reported.
    pub async fn build_report(&self, workspace: &str, number: u32) -> Result<Reported, StateError> {
        let query = sqlx::query(REPORT).bind(workspace.to_owned()).bind(i64::from(number));
        let rows = self.rows(query).await?;
        Ok(rows.first().map(report).transpose()?.unwrap_or_default())
    }

    /// The last version of a workspace's state.
    pub async fn last_state(&self, workspace: &str) -> Result<Option<StateVersion>, StateError> {
        self.rows(sqlx::query(LAST).bind(workspace.to_owned())).await?.first().map(version).transpose()
    }

    /// A version of a workspace's state.
    pub async fn state_version(&self, workspace: &str, number: u64) -> Result<Option<StateVersion>, StateError> {
        let query = sqlx::query(ONE).bind(workspace.to_owned()).bind(i64::try_from(number).unwrap_or(i64::MAX));
        self.rows(query).await?.first().map(version).transpose()
    }

    /// Versions of a workspace's state, the last one first, those before the number `before`.
    pub async fn state_versions(
        &self,
        workspace: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StateVersion>, StateError> {
        let query = sqlx::query(PAGE)
            .bind(workspace.to_owned())
            .bind(before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX)))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.rows(query).await?.iter().map(version).collect()
    }

    /// The lock of a workspace's state.
    pub async fn state_lock(&self, workspace: &str) -> Result<Option<LockRecord>, StateError> {
        self.rows(sqlx::query(LOCK).bind(workspace.to_owned())).await?.first().map(lock).transpose()
    }

    /// Ids of the workspaces whose states are locked.
    pub async fn locked_states(&self) -> Result<Vec<String>, StateError> {
        self.rows(sqlx::query(LOCKED)).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

fn version(row: &AnyRow) -> Result<StateVersion, StateError> {
    let wrong = || StateError::Row("workspace_states");
    let build: Option<i64> = row.try_get(10)?;
    let restored: Option<i64> = row.try_get(11)?;
    Ok(StateVersion {
        version: number(row, 0)?,
        serial: number(row, 1)?,
        lineage: row.try_get(2)?,
        sha256: row.try_get(3)?,
        size: number(row, 4)?,
        blob: row.try_get(5)?,
        key_id: row.try_get(6)?,
        resources: number(row, 7)?,
        terraform_version: row.try_get(8)?,
        job_id: row.try_get(9)?,
        build_number: build.map(u32::try_from).transpose().map_err(|_| wrong())?,
        restored_from: restored.map(u64::try_from).transpose().map_err(|_| wrong())?,
        written_by: row.try_get(12)?,
        written_at: time(row.try_get(13)?),
    })
}

fn lock(row: &AnyRow) -> Result<LockRecord, StateError> {
    Ok(LockRecord {
        id: row.try_get(0)?,
        job_id: row.try_get(1)?,
        operation: row.try_get(2)?,
        who: row.try_get(3)?,
        locked_at: time(row.try_get(4)?),
    })
}

fn report(row: &AnyRow) -> Result<Reported, StateError> {
    let wrong = |_| StateError::Row("build_reports");
    let text = |index: usize| row.try_get::<Option<String>, _>(index);
    let left_out: Option<i64> = row.try_get(1)?;
    Ok(Reported {
        resources: text(0)?.map(|text| serde_json::from_str(&text)).transpose().map_err(wrong)?,
        resources_left_out: left_out.and_then(|count| u64::try_from(count).ok()),
        outputs: text(2)?.map(|text| serde_json::from_str(&text)).transpose().map_err(wrong)?.unwrap_or_default(),
        log: text(3)?.map(|text| serde_json::from_str(&text)).transpose().map_err(wrong)?,
    })
}
