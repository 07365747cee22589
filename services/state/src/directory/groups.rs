//! Groups and members.

use std::collections::BTreeSet;

use chancery_domain::Timestamp;
use chancery_domain::attributes::key;
use chancery_domain::directory::{DirectoryGroup, Member, Membership};
use chancery_domain::events::groups::MemberKind;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::bound;
use super::rows::{flag, group, moment, number, select_groups};
use super::users::{Named, first, named};
use crate::{State, StateError};

pub(crate) const BY_ID: &str = select_groups!("WHERE id = $1");
pub(crate) const BY_NAME: &str =
    select_groups!("WHERE name_key = $1 AND own = 1 AND everyone = 0 AND status <> 'deleted'");
pub(crate) const BY_EXTERNAL_ID: &str =
    select_groups!("WHERE external_id = $1 AND connection = $2 AND own = 1 AND status <> 'deleted'");
pub(crate) const PAGE: &str = select_groups!(
    "WHERE connection = $1 AND id > $2 AND own = 1 AND status <> 'deleted' ORDER BY id LIMIT $3 OFFSET $4"
);
pub(crate) const COUNT: &str = "SELECT count(*) FROM groups WHERE connection = $1 AND own = 1 AND status <> 'deleted'";
pub(crate) const MEMBERS: &str = "SELECT user_id, kind, user_name, expires_at FROM group_members
    WHERE group_id = $1 AND user_id > $2 AND own = 1 AND (expires_at IS NULL OR expires_at > $4)
    ORDER BY user_id LIMIT $3";
pub(crate) const MEMBERSHIP: &str = "SELECT user_id, kind, user_name, expires_at, group_id FROM group_members
    WHERE group_id = $1 AND user_id = $2 AND own = 1";
pub(crate) const EXPIRED: &str = "SELECT user_id, kind, user_name, expires_at, group_id FROM group_members
    WHERE expires_at IS NOT NULL AND expires_at <= $1 AND own = 1 ORDER BY expires_at, group_id, user_id LIMIT $2";
pub(crate) const BY_ATTRIBUTE: &str = select_groups!(
    "WHERE id IN (SELECT group_id FROM group_members WHERE user_id = $1 AND by_attribute = 1 AND own = 1)
    AND status <> 'deleted'"
);
pub(crate) const MEMBER_COUNT: &str = "SELECT count(*) FROM group_members
    WHERE group_id = $1 AND own = 1 AND (expires_at IS NULL OR expires_at > $2)";
pub(crate) const AMONG: &str = "SELECT user_id FROM group_members
    WHERE group_id = $1 AND user_id IN ($ids) AND own = 1 AND (expires_at IS NULL OR expires_at > $2)";
/// The everyone of an organization are those who call it home and those who have a role in it.
pub(crate) const MEMBERSHIPS: &str = "SELECT g.id, g.name, g.connection, g.everyone
    FROM group_members m JOIN groups g ON g.id = m.group_id
    WHERE m.user_id = $1 AND m.own = 1 AND (m.expires_at IS NULL OR m.expires_at > $2) AND g.status <> 'deleted'
    UNION ALL SELECT id, name, connection, everyone FROM groups
    WHERE everyone = 1 AND organization IN (SELECT organization FROM users WHERE id = $1 AND own = 1
        UNION SELECT organization FROM user_roles WHERE user_id = $1 AND own = 1)
    ORDER BY 1";
const NAMES: &str = "SELECT id, name, connection FROM groups
    WHERE own >= CAST($1 AS BIGINT) AND id IN ($ids) AND status <> 'deleted'";

/// Groups. Except by id, those that other systems report are not among them, nor those that are deleted.
impl State {
    /// The group with this id, whoever made it, also when it is deleted.
    pub async fn group(&self, id: &str) -> Result<Option<DirectoryGroup>, StateError> {
        self.groups(sqlx::query(BY_ID).bind(id.to_owned())).await.map(first)
    }

    /// The groups with this name in any case, of all connections.
    pub async fn groups_by_name(&self, name: &str) -> Result<Vec<DirectoryGroup>, StateError> {
        self.groups(sqlx::query(BY_NAME).bind(key(name))).await
    }

    /// The groups of a connection with this `externalId`.
    pub async fn groups_by_external_id(
        &self,
        connection: &str,
        external_id: &str,
    ) -> Result<Vec<DirectoryGroup>, StateError> {
        self.groups(sqlx::query(BY_EXTERNAL_ID).bind(external_id.to_owned()).bind(connection.to_owned())).await
    }

    /// Groups of a connection in the order of their ids, after the id `after`.
    pub async fn groups_of(
        &self,
        connection: &str,
        after: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<DirectoryGroup>, StateError> {
        let after = after.unwrap_or_default().to_owned();
        self.groups(sqlx::query(PAGE).bind(connection.to_owned()).bind(after).bind(bound(limit)).bind(bound(skip)))
            .await
    }

    /// How many groups [`State::groups_of`] has.
    pub async fn count_groups_of(&self, connection: &str) -> Result<u64, StateError> {
        let row = sqlx::query(COUNT).bind(connection.to_owned()).fetch_one(&self.pool).await?;
        Ok(number(&row, 0)?)
    }

    /// The names of those of `ids` that are groups, deleted ones left out.
    pub async fn group_names(&self, ids: &[String]) -> Result<Vec<Named>, StateError> {
        let rows = self.rows_of(NAMES, "1", ids).await?;
        rows.iter().map(|row| Ok(named(row)?)).collect()
    }

    /// Members of a group in the order of their ids, after the id `after`. Large groups are read page by page.
    pub async fn members(&self, group: &str, after: Option<&str>, limit: usize) -> Result<Vec<Member>, StateError> {
        let after = after.unwrap_or_default().to_owned();
        let query = sqlx::query(MEMBERS).bind(group.to_owned()).bind(after).bind(bound(limit)).bind(self.moment());
        self.rows(query).await?.iter().map(member).collect()
    }

    /// The membership of `user` in `group`, also one that has ended by itself and is not yet removed.
    pub async fn membership(&self, group: &str, user: &str) -> Result<Option<Member>, StateError> {
        let rows = self.rows(sqlx::query(MEMBERSHIP).bind(group.to_owned()).bind(user.to_owned())).await?;
        rows.iter().map(member).collect::<Result<Vec<_>, _>>().map(first)
    }

    /// The groups that a user is in because its attributes name them.
    pub async fn groups_by_attribute(&self, user: &str) -> Result<Vec<DirectoryGroup>, StateError> {
        self.groups(sqlx::query(BY_ATTRIBUTE).bind(user.to_owned())).await
    }

    /// Memberships that have ended by themselves at `now` or before, those that ended first first, with the ids of their
    /// groups.
    pub async fn memberships_due(&self, now: Timestamp, limit: usize) -> Result<Vec<(String, Member)>, StateError> {
        let rows = self.rows(sqlx::query(EXPIRED).bind(now.as_micros()).bind(bound(limit))).await?;
        rows.iter().map(|row| Ok((row.try_get(4)?, member(row)?))).collect()
    }

    /// How many members a group has.
    pub async fn count_members(&self, group: &str) -> Result<u64, StateError> {
        let query = sqlx::query(MEMBER_COUNT).bind(group.to_owned()).bind(self.moment());
        let row = query.fetch_one(&self.pool).await?;
        Ok(number(&row, 0)?)
    }

    /// Those of `ids` that are members of the group; costs as much as there are ids.
    pub async fn members_among(&self, group: &str, ids: &[String]) -> Result<BTreeSet<String>, StateError> {
        let rows = self.rows_at(AMONG, group, ids).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The groups that a user, or a group, is a direct member of, in the order of their ids; those of everyone too.
    pub async fn memberships(&self, member: &str) -> Result<Vec<Membership>, StateError> {
        let rows = self.rows(sqlx::query(MEMBERSHIPS).bind(member.to_owned()).bind(self.moment())).await?;
        rows.iter()
            .map(|row| {
                Ok(Membership {
                    group_id: row.try_get(0)?,
                    name: row.try_get(1)?,
                    connection: row.try_get(2)?,
                    everyone: flag(row, 3)?,
                })
            })
            .collect()
    }

    async fn groups(
        &self,
        query: sqlx::query::Query<'_, sqlx::Any, sqlx::any::AnyArguments>,
    ) -> Result<Vec<DirectoryGroup>, StateError> {
        self.rows(query).await?.iter().map(group).collect()
    }
}

fn member(row: &AnyRow) -> Result<Member, StateError> {
    let kind = MemberKind::from_name(row.try_get(1)?).ok_or(StateError::Row("group_members"))?;
    Ok(Member { id: row.try_get(0)?, kind, name: row.try_get(2)?, expires_at: moment(row, 3)? })
}
