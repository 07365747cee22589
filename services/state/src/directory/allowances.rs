//! What groups allow their members to use.

use chancery_domain::directory::Allowance;
use sqlx::Row;

use super::rows::credits;
use crate::{State, StateError};

pub(crate) const ALLOWANCES: &str = "SELECT g.id, g.name, g.quota_allowance FROM group_members m
    JOIN groups g ON g.id = m.group_id
    WHERE m.user_id = $2 AND m.own = 1 AND (m.expires_at IS NULL OR m.expires_at > $3) AND g.organization = $1
    AND g.own = 1 AND g.everyone = 0 AND g.status <> 'deleted'
    UNION ALL SELECT id, name, quota_allowance FROM groups WHERE everyone = 1 AND organization = $1
    AND (EXISTS (SELECT 1 FROM users WHERE id = $2 AND own = 1 AND organization = $1)
        OR EXISTS (SELECT 1 FROM user_roles WHERE user_id = $2 AND own = 1 AND organization = $1))
    ORDER BY 1";

impl State {
    /// The allowances that a user has in an organization: of the groups there that it is a direct member of, now, and of
    /// everyone's, if it calls the organization home or has a role in it. In the order of the groups' ids.
    pub async fn allowances(&self, organization: &str, user: &str) -> Result<Vec<Allowance>, StateError> {
        let query = sqlx::query(ALLOWANCES).bind(organization.to_owned()).bind(user.to_owned()).bind(self.moment());
        let allowance = |row: &sqlx::any::AnyRow| {
            Ok(Allowance { group_id: row.try_get(0)?, name: row.try_get(1)?, allowance: credits(row, 2)? })
        };
        self.rows(query).await?.iter().map(allowance).collect()
    }
}
