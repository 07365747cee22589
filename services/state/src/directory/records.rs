//! Connections, policies and organizations: few, and read whole.

use chancery_domain::directory::{ConnectionRecord, OrganizationRecord, PolicyVersion};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::rows::{is_deleted, moment, number};
use super::users::first;
use crate::queries::time;
use crate::{State, StateError};

/// Selects policies as [`policy`] reads them.
macro_rules! select_policies {
    ($rest:literal) => {
        concat!("SELECT id, version, text, sha256, published_at, withdrawn_at FROM policies ", $rest)
    };
}

const CONNECTION: &str = "SELECT id, settings, status, version, created_at, updated_at FROM connections WHERE id = $1";
const CONNECTIONS: &str = "SELECT id, settings, status, version, created_at, updated_at FROM connections
    WHERE status <> 'deleted' ORDER BY id";
const POLICIES: &str = select_policies!("ORDER BY id, version");
const ACTIVE: &str = select_policies!("WHERE withdrawn_at IS NULL ORDER BY id");
const LATEST: &str = select_policies!("WHERE id = $1 ORDER BY version DESC LIMIT 1");
const ORGANIZATIONS: &str = "SELECT id, name, display_name, created_at, updated_at FROM organizations
    WHERE own = 1 ORDER BY name, id";
const ORGANIZATION: &str = "SELECT id, name, display_name, created_at, updated_at FROM organizations
    WHERE own = 1 AND name = $1 ORDER BY id LIMIT 1";

impl State {
    /// The connection with this id, also when it is deleted.
    pub async fn connection(&self, id: &str) -> Result<Option<ConnectionRecord>, StateError> {
        let rows = self.rows(sqlx::query(CONNECTION).bind(id.to_owned())).await?;
        rows.iter().map(connection).collect::<Result<Vec<_>, _>>().map(first)
    }

    /// Every connection that is not deleted, by id.
    pub async fn connections(&self) -> Result<Vec<ConnectionRecord>, StateError> {
        self.rows(sqlx::query(CONNECTIONS)).await?.iter().map(connection).collect()
    }

    /// Every version of every policy.
    pub async fn policies(&self) -> Result<Vec<PolicyVersion>, StateError> {
        self.rows(sqlx::query(POLICIES)).await?.iter().map(policy).collect()
    }

    /// The policies in effect, by id.
    pub async fn active_policies(&self) -> Result<Vec<PolicyVersion>, StateError> {
        self.rows(sqlx::query(ACTIVE)).await?.iter().map(policy).collect()
    }

    /// The last version of a policy, in effect or not.
    pub async fn latest_policy(&self, id: &str) -> Result<Option<PolicyVersion>, StateError> {
        let rows = self.rows(sqlx::query(LATEST).bind(id.to_owned())).await?;
        rows.iter().map(policy).collect::<Result<Vec<_>, _>>().map(first)
    }

    /// Every organization of Chancery's own, by name.
    pub async fn organizations(&self) -> Result<Vec<OrganizationRecord>, StateError> {
        self.rows(sqlx::query(ORGANIZATIONS)).await?.iter().map(organization).collect()
    }

    /// The organization of this name.
    pub async fn organization(&self, name: &str) -> Result<Option<OrganizationRecord>, StateError> {
        let rows = self.rows(sqlx::query(ORGANIZATION).bind(name.to_owned())).await?;
        rows.iter().map(organization).collect::<Result<Vec<_>, _>>().map(first)
    }
}

fn connection(row: &AnyRow) -> Result<ConnectionRecord, StateError> {
    Ok(ConnectionRecord {
        id: row.try_get(0)?,
        settings: serde_json::from_str(row.try_get(1)?).map_err(|_| StateError::Row("connections"))?,
        deleted: is_deleted(row, 2)?,
        version: number(row, 3)?,
        created_at: time(row.try_get(4)?),
        updated_at: time(row.try_get(5)?),
    })
}

fn policy(row: &AnyRow) -> Result<PolicyVersion, StateError> {
    Ok(PolicyVersion {
        id: row.try_get(0)?,
        version: number(row, 1)?,
        text: row.try_get(2)?,
        sha256: row.try_get(3)?,
        published_at: time(row.try_get(4)?),
        withdrawn_at: moment(row, 5)?,
    })
}

fn organization(row: &AnyRow) -> Result<OrganizationRecord, StateError> {
    Ok(OrganizationRecord {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        display_name: row.try_get(2)?,
        created_at: time(row.try_get(3)?),
        updated_at: time(row.try_get(4)?),
    })
}
