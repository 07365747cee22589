//! Roles: who has which, through which groups, and what custom ones mean. Only what Chancery itself has given counts.

use std::collections::BTreeMap;

use chancery_domain::directory::{CustomRole, HeldRole};
use chancery_domain::events::directory::MappedRole;
use chancery_domain::roles::MappedUser;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::rows::{flag, number};
use super::users::first;
use crate::{State, StateError};

pub(crate) const ROLES: &str = "SELECT user_id, role, organization, by_group FROM user_roles
    WHERE own = 1 AND user_id = $1 ORDER BY role, organization";
const ROLES_AMONG: &str = "SELECT user_id, role, organization, by_group FROM user_roles
    WHERE own >= CAST($1 AS BIGINT) AND user_id IN ($ids) ORDER BY role, organization";
/// SQLite takes the tables of a `CROSS JOIN` in the order they are named: not first every group of the connection.
pub(crate) const GROUPS_AMONG: &str = "SELECT m.user_id, g.name FROM group_members m CROSS JOIN groups g
    WHERE g.id = m.group_id AND g.connection = $1 AND m.user_id IN ($ids) AND m.own = 1 AND g.own = 1
    AND (m.expires_at IS NULL OR m.expires_at > $2) AND g.status <> 'deleted' ORDER BY g.id";
const CUSTOM_ROLE: &str = "SELECT name, description, permissions, version FROM custom_roles WHERE name = $1";
const CUSTOM_ROLES: &str = "SELECT name, description, permissions, version FROM custom_roles ORDER BY name";

impl State {
    /// The roles of a user.
    pub async fn roles(&self, user: &str) -> Result<Vec<HeldRole>, StateError> {
        let rows = self.rows(sqlx::query(ROLES).bind(user.to_owned())).await?;
        rows.iter().map(|row| Ok(held(row)?)).collect()
    }

    /// What a decision about groups of a connection must know of each of these users; costs as much as there are ids.
    pub async fn mapped_users(&self, connection: &str, ids: &[String]) -> Result<Vec<MappedUser>, StateError> {
        let mut users: BTreeMap<String, MappedUser> = BTreeMap::new();
        for named in self.user_names(ids).await? {
            let user = MappedUser { id: named.id.clone(), username: Some(named.name), ..MappedUser::default() };
            users.insert(named.id, user);
        }
        for row in self.rows_of(ROLES_AMONG, "1", ids).await? {
            if let Some(user) = users.get_mut(row.try_get::<&str, _>(0)?) {
                user.held.push(held(&row)?);
            }
        }
        for row in self.rows_at(GROUPS_AMONG, connection, ids).await? {
            if let Some(user) = users.get_mut(row.try_get::<&str, _>(0)?) {
                user.groups.push(row.try_get(1)?);
            }
        }
        Ok(users.into_values().collect())
    }

    /// The custom role of this name.
    pub async fn custom_role(&self, name: &str) -> Result<Option<CustomRole>, StateError> {
        let rows = self.rows(sqlx::query(CUSTOM_ROLE).bind(name.to_owned())).await?;
        rows.iter().map(custom).collect::<Result<Vec<_>, _>>().map(first)
    }

    /// Every custom role, by name.
    pub async fn custom_roles(&self) -> Result<Vec<CustomRole>, StateError> {
        self.rows(sqlx::query(CUSTOM_ROLES)).await?.iter().map(custom).collect()
    }
}

fn held(row: &AnyRow) -> Result<HeldRole, sqlx::Error> {
    let organization = Some(row.try_get::<String, _>(2)?).filter(|name| !name.is_empty());
    Ok(HeldRole { role: MappedRole { organization, role: row.try_get(1)? }, by_group: flag(row, 3)? })
}

fn custom(row: &AnyRow) -> Result<CustomRole, StateError> {
    let permissions = serde_json::from_str(row.try_get(2)?).map_err(|_| StateError::Row("custom_roles"))?;
    Ok(CustomRole { name: row.try_get(0)?, description: row.try_get(1)?, permissions, version: number(row, 3)? })
}
