//! Everyone at once, for questions about who could do something.

use std::collections::BTreeMap;

use chancery_domain::directory::Member;
use chancery_domain::events::directory::MappedRole;
use chancery_domain::events::groups::MemberKind;
use sqlx::Row;

use super::bound;
use super::rows::number;
use crate::{State, StateError};

const ACTIVE: &str = "SELECT id, username FROM users WHERE status = 'active' ORDER BY id LIMIT $1";
const ROLES: &str = "SELECT user_id, role, organization FROM user_roles WHERE own = 1 ORDER BY user_id";
const MEMBERSHIPS: &str = "SELECT m.user_id, m.group_id FROM group_members m JOIN groups g ON g.id = m.group_id
    WHERE m.own = 1 AND (m.expires_at IS NULL OR m.expires_at > $1) AND g.status <> 'deleted'
    UNION SELECT u.id, g.id FROM groups g JOIN users u ON u.organization = g.organization
    WHERE g.everyone = 1 AND u.own = 1
    UNION SELECT r.user_id, g.id FROM groups g JOIN user_roles r ON r.organization = g.organization
    WHERE g.everyone = 1 AND r.own = 1 ORDER BY 1, 2";

/// Those who call an organization home or have a role in it.
macro_rules! everyone_of {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM users WHERE id IN (SELECT id FROM users WHERE organization = $1 AND length(organization) <= 256
                UNION SELECT user_id FROM user_roles WHERE organization = $1 AND organization <> ''
                    AND length(organization) <= 256 AND own = 1)
                AND own = 1 AND status <> 'deleted' ",
            $rest
        )
    };
}

pub(crate) const EVERYONE_OF: &str = everyone_of!("id, username", "AND id > $2 ORDER BY id LIMIT $3");
pub(crate) const COUNT_OF: &str = everyone_of!("count(*)", "");

/// An active user and what was given to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// Its id.
    pub id: String,
    /// Login name.
    pub username: String,
    /// The roles it has.
    pub roles: Vec<MappedRole>,
    /// Ids of the groups it is a direct member of.
    pub groups: Vec<String>,
}

impl State {
    /// Everyone in an organization as members of its group, in the order of their ids, after the id `after`.
    pub async fn everyone_of(
        &self,
        organization: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Member>, StateError> {
        let after = after.unwrap_or_default().to_owned();
        let query = sqlx::query(EVERYONE_OF).bind(organization.to_owned()).bind(after).bind(bound(limit));
        let member = |row: &sqlx::any::AnyRow| {
            Ok(Member { id: row.try_get(0)?, kind: MemberKind::User, name: row.try_get(1)?, expires_at: None })
        };
        self.rows(query).await?.iter().map(member).collect()
    }

    /// How many [`State::everyone_of`] has.
    pub async fn count_everyone_of(&self, organization: &str) -> Result<u64, StateError> {
        let row = sqlx::query(COUNT_OF).bind(organization.to_owned()).fetch_one(&self.pool).await?;
        Ok(number(&row, 0)?)
    }

    /// Every active user by id; none if there are more than `limit`.
    pub async fn everyone(&self, limit: usize) -> Result<Option<Vec<Person>>, StateError> {
        let mut people: BTreeMap<String, Person> = BTreeMap::new();
        for row in self.rows(sqlx::query(ACTIVE).bind(bound(limit.saturating_add(1)))).await? {
            let (id, username): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            people.insert(id.clone(), Person { id, username, ..Person::default() });
        }
        if people.len() > limit {
            return Ok(None);
        }
        for row in self.rows(sqlx::query(ROLES)).await? {
            if let Some(person) = people.get_mut(row.try_get::<&str, _>(0)?) {
                let organization = Some(row.try_get::<String, _>(2)?).filter(|name| !name.is_empty());
                person.roles.push(MappedRole { organization, role: row.try_get(1)? });
            }
        }
        for row in self.rows(sqlx::query(MEMBERSHIPS).bind(self.moment())).await? {
            if let Some(person) = people.get_mut(row.try_get::<&str, _>(0)?) {
                person.groups.push(row.try_get(1)?);
            }
        }
        Ok(Some(people.into_values().collect()))
    }
}
