//! Reading sessions, what was allowed, keys and settings.

use chancery_domain::Timestamp;
use chancery_domain::events::sessions::{KeyPurpose, SessionKind};
use chancery_domain::session_keys::SigningKey;
use chancery_domain::sessions::{LiveSession, SessionGrant, SessionStatus};
use serde_json::Value;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::directory::rows::moment;
use crate::queries::{self, time};
use crate::{State, StateError};

/// Selects open sessions as [`live`] reads them.
macro_rules! select_open {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.kind, s.user_id, s.user_name, s.workspace_id, s.workspace_name, s.organization, s.ip, s.client,
                s.opened_at, (SELECT count(*) FROM session_grants g WHERE g.id = s.id), 1 FROM sessions s
                WHERE s.status = 'open' AND ",
            $rest,
            " ORDER BY s.id LIMIT 1000"
        )
    };
}

/// Selects what is allowed, and not open, as [`live`] reads it. `$1` is the moment, `$2` the id to go on after.
macro_rules! select_allowed {
    ($rest:literal) => {
        concat!(
            "SELECT g.id, g.kind, g.user_id, g.user_name, g.workspace_id, g.workspace_name, g.organization, g.ip, g.client,
                NULL, 1, 0 FROM session_grants g WHERE g.revoked_at IS NULL AND g.expires_at > $1 AND g.id > $2
                AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = g.id AND s.status = 'open') AND ",
            $rest,
            " ORDER BY g.id LIMIT 1000"
        )
    };
}

pub(crate) const OPEN: &str = select_open!("s.id > $1");
pub(crate) const OPEN_OF_USER: &str = select_open!("s.id > $1 AND s.user_id = $2");
pub(crate) const OPEN_IN_WORKSPACE: &str = select_open!("s.id > $1 AND s.workspace_id = $2");
pub(crate) const OPEN_OF_TEMPLATE: &str =
    select_open!("s.id > $1 AND s.workspace_id IN (SELECT w.id FROM workspaces w WHERE w.template_id = $2)");
pub(crate) const OPEN_BY_ID: &str = select_open!("s.id > $1 AND s.id = $2");
pub(crate) const ALLOWED: &str = select_allowed!("1 = 1");
pub(crate) const ALLOWED_TO_USER: &str = select_allowed!("g.user_id = $3");
pub(crate) const ALLOWED_IN_WORKSPACE: &str = select_allowed!("g.workspace_id = $3");
pub(crate) const ALLOWED_OF_TEMPLATE: &str =
    select_allowed!("g.workspace_id IN (SELECT w.id FROM workspaces w WHERE w.template_id = $3)");
pub(crate) const ALLOWED_BY_ID: &str = select_allowed!("g.id = $3");
pub(crate) const GRANT: &str =
    "SELECT id, kind, user_id, user_name, workspace_id, workspace_name, organization, ip, client,
    authorized_at, expires_at, revoked_at FROM session_grants WHERE id = $1";
pub(crate) const SHOWN: &str = "SELECT id, kind, status, user_id, user_name, ip, host, client, workspace_id, workspace_name,
    organization, opened_at, closed_at, duration_ms, bytes_in, bytes_out, exit_code, reason FROM sessions WHERE id = $1";
pub(crate) const REVOKED: &str =
    "SELECT k.public_key, g.serial FROM session_grants g JOIN signing_keys k ON k.id = g.authority
    WHERE g.revoked_at IS NOT NULL AND g.expires_at > $1 AND g.serial IS NOT NULL";
/// Sessions that agents report on, and have not for a while.
pub(crate) const SILENT: &str =
    "SELECT s.id, s.kind, s.user_id, s.user_name, s.workspace_id, s.workspace_name, s.organization,
    s.ip, s.client, s.opened_at, 1, 1 FROM sessions s LEFT JOIN session_beats b ON b.id = s.id
    WHERE s.status = 'open' AND s.own = 1 AND s.opened_at < $1 AND (b.seen_at IS NULL OR b.seen_at < $1)
    ORDER BY s.id LIMIT 200";
const KEYS: &str = "SELECT id, purpose, public_key, created_at, signs_from, trusted_until FROM signing_keys
    ORDER BY signs_from, id";

/// Which sessions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// All of them.
    All,
    /// Those of a user.
    User(String),
    /// Those in a workspace.
    Workspace(String),
    /// Those in workspaces of a template.
    Template(String),
    /// One.
    Session(String),
}

impl Whose {
    /// The statements for those that are open and for those that are allowed, and what they are asked with.
    fn statements(&self) -> (&'static str, &'static str, Option<&String>) {
        match self {
            Self::All => (OPEN, ALLOWED, None),
            Self::User(id) => (OPEN_OF_USER, ALLOWED_TO_USER, Some(id)),
            Self::Workspace(id) => (OPEN_IN_WORKSPACE, ALLOWED_IN_WORKSPACE, Some(id)),
            Self::Template(id) => (OPEN_OF_TEMPLATE, ALLOWED_OF_TEMPLATE, Some(id)),
            Self::Session(id) => (OPEN_BY_ID, ALLOWED_BY_ID, Some(id)),
        }
    }
}

impl State {
    /// The sessions that are open, and those that are allowed at `now` and not open.
    pub async fn live_sessions(&self, whose: &Whose, now: Timestamp) -> Result<Vec<LiveSession>, StateError> {
        let (open, allowed, of) = whose.statements();
        let mut sessions = Vec::new();
        loop {
            let after = last(&sessions, 0);
            let query = sqlx::query(open).bind(after);
            let query = of.into_iter().fold(query, |query, of| query.bind(of.clone()));
            let rows = self.rows(query).await?;
            sessions.extend(rows.iter().map(live).collect::<Result<Vec<_>, _>>()?);
            if rows.len() < 1000 {
                break;
            }
        }
        let begin = sessions.len();
        loop {
            let after = last(&sessions, begin);
            let query = sqlx::query(allowed).bind(now.as_micros()).bind(after);
            let query = of.into_iter().fold(query, |query, of| query.bind(of.clone()));
            let rows = self.rows(query).await?;
            sessions.extend(rows.iter().map(live).collect::<Result<Vec<_>, _>>()?);
            if rows.len() < 1000 {
                return Ok(sessions);
            }
        }
    }

    /// One session, if it is open or allowed.
    pub async fn live_session(&self, id: &str, now: Timestamp) -> Result<Option<LiveSession>, StateError> {
        Ok(self.live_sessions(&Whose::Session(id.to_owned()), now).await?.into_iter().next())
    }

    /// What was allowed, also when it has expired or was taken back.
    pub async fn session_grant(&self, id: &str) -> Result<Option<SessionGrant>, StateError> {
        self.rows(sqlx::query(GRANT).bind(id.to_owned())).await?.first().map(grant).transpose()
    }

    /// A session as it is shown.
    pub async fn session(&self, id: &str) -> Result<Option<Value>, StateError> {
        self.rows(sqlx::query(SHOWN).bind(id.to_owned())).await?.first().map(queries::object).transpose()
    }

    /// Where a session stands, if there is one.
    pub async fn session_status(&self, id: &str) -> Result<Option<SessionStatus>, StateError> {
        let rows = self.rows(sqlx::query("SELECT status FROM sessions WHERE id = $1").bind(id.to_owned())).await?;
        let status = |row: &AnyRow| SessionStatus::from_name(row.try_get(0)?).ok_or(StateError::Row("sessions"));
        rows.first().map(status).transpose()
    }

    /// The certificates that were taken back and would still be good after `now`: the authority's key and the serial.
    pub async fn revoked_certificates(&self, now: Timestamp) -> Result<Vec<(String, u64)>, StateError> {
        let rows = self.rows(sqlx::query(REVOKED).bind(now.as_micros())).await?;
        let read = |row: &AnyRow| -> Result<(String, u64), StateError> {
            let serial: &str = row.try_get(1)?;
            Ok((row.try_get(0)?, serial.parse().map_err(|_| StateError::Row("session_grants"))?))
        };
        rows.iter().map(read).collect()
    }

    /// Notes that a session goes on.
    pub async fn note_beat(&self, id: &str, now: Timestamp) -> Result<(), StateError> {
        sqlx::query(
            "INSERT INTO session_beats (id, seen_at) VALUES ($1, $2)
                ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at WHERE session_beats.seen_at < excluded.seen_at",
        )
        .bind(id.to_owned())
        .bind(now.as_micros())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Open sessions whose agents have said nothing since `before`; 200 at most.
    pub async fn silent_sessions(&self, before: Timestamp) -> Result<Vec<LiveSession>, StateError> {
        self.rows(sqlx::query(SILENT).bind(before.as_micros())).await?.iter().map(live).collect()
    }

    /// Forgets what was noted of sessions before then.
    pub async fn forget_beats(&self, before: Timestamp) -> Result<(), StateError> {
        sqlx::query("DELETE FROM session_beats WHERE seen_at < $1")
            .bind(before.as_micros())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Every key that tickets or certificates are or were signed with.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, StateError> {
        self.rows(sqlx::query(KEYS)).await?.iter().map(key).collect()
    }

    /// A section of the settings.
    pub async fn settings(&self, section: &str) -> Result<Option<Value>, StateError> {
        let query = sqlx::query("SELECT value FROM settings WHERE section = $1").bind(section.to_owned());
        let rows = self.rows(query).await?;
        let value = |row: &AnyRow| -> Result<Value, StateError> {
            serde_json::from_str(row.try_get(0)?).map_err(|_| StateError::Row("settings"))
        };
        rows.first().map(value).transpose()
    }
}

/// The id to go on after.
fn last(sessions: &[LiveSession], begin: usize) -> String {
    sessions.get(begin..).and_then(<[_]>::last).map(|session| session.id.clone()).unwrap_or_default()
}

fn kind(name: &str) -> Result<SessionKind, StateError> {
    SessionKind::from_name(name).ok_or(StateError::Row("sessions"))
}

pub(crate) fn live(row: &AnyRow) -> Result<LiveSession, StateError> {
    Ok(LiveSession {
        id: row.try_get(0)?,
        kind: kind(row.try_get(1)?)?,
        user_id: row.try_get(2)?,
        user_name: row.try_get(3)?,
        workspace_id: row.try_get(4)?,
        workspace_name: row.try_get(5)?,
        organization: row.try_get(6)?,
        address: row.try_get(7)?,
        client: row.try_get(8)?,
        opened_at: moment(row, 9)?,
        granted: row.try_get::<i64, _>(10)? > 0,
        open: row.try_get::<i64, _>(11)? == 1,
    })
}

fn grant(row: &AnyRow) -> Result<SessionGrant, StateError> {
    Ok(SessionGrant {
        id: row.try_get(0)?,
        kind: kind(row.try_get(1)?)?,
        user_id: row.try_get(2)?,
        user_name: row.try_get(3)?,
        workspace_id: row.try_get(4)?,
        workspace_name: row.try_get(5)?,
        organization: row.try_get(6)?,
        address: row.try_get(7)?,
        client: row.try_get(8)?,
        authorized_at: time(row.try_get(9)?),
        expires_at: time(row.try_get(10)?),
        revoked_at: moment(row, 11)?,
    })
}

fn key(row: &AnyRow) -> Result<SigningKey, StateError> {
    Ok(SigningKey {
        id: row.try_get(0)?,
        purpose: KeyPurpose::from_name(row.try_get(1)?).ok_or(StateError::Row("signing_keys"))?,
        public_key: row.try_get(2)?,
        created_at: time(row.try_get(3)?),
        signs_from: time(row.try_get(4)?),
        trusted_until: moment(row, 5)?,
    })
}
