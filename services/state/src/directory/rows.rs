//! Rows as what decisions read.

use chancery_domain::Timestamp;
use chancery_domain::attributes::Attributes;
use chancery_domain::directory::{CustomResource, DirectoryGroup, DirectoryUser, UserStatus};
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::attributes;
use crate::StateError;
use crate::queries::time;

/// Selects users as [`user`] reads them.
macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "SELECT id, username, display_name, email, organization, connection, attributes, status, removed, delete_at,
                own, version, created_at, updated_at FROM users ",
            $rest
        )
    };
}

/// Selects groups as [`group`] reads them.
macro_rules! select_groups {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, organization, connection, attributes, status, own, version, created_at, updated_at,
                everyone, quota_allowance, display_name FROM groups ",
            $rest
        )
    };
}

/// Selects resources of custom types as [`resource`] reads them.
macro_rules! select_resources {
    ($rest:literal) => {
        concat!(
            "SELECT resource_type, id, connection, attributes, status, version, created_at, updated_at
                FROM directory_resources ",
            $rest
        )
    };
}

pub(super) use {select_groups, select_resources, select_users};

pub(super) fn user(row: &AnyRow) -> Result<DirectoryUser, StateError> {
    let (username, display_name, email): (String, Option<String>, Option<String>) =
        (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let status = UserStatus::from_name(row.try_get(7)?).ok_or(StateError::Row("users"))?;
    let mut attributes = match row.try_get::<Option<String>, _>(6)? {
        Some(text) => attributes(&text, "users")?,
        None => plain(&username, display_name.as_deref(), email.as_deref()),
    };
    // What it says is the status. A provider may have it removed; the status stays.
    if attributes.contains_key("active") || status == UserStatus::Suspended {
        attributes.insert("active".to_owned(), (status == UserStatus::Active).into());
    }
    Ok(DirectoryUser {
        id: row.try_get(0)?,
        username,
        display_name,
        email,
        organization: row.try_get(4)?,
        connection: row.try_get(5)?,
        attributes,
        status,
        removed: flag(row, 8)?,
        delete_at: moment(row, 9)?,
        own: flag(row, 10)?,
        version: number(row, 11)?,
        created_at: time(row.try_get(12)?),
        updated_at: time(row.try_get(13)?),
    })
}

/// The attributes of a user that came without any.
fn plain(username: &str, display_name: Option<&str>, email: Option<&str>) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert("userName".to_owned(), username.into());
    if let Some(name) = display_name {
        attributes.insert("displayName".to_owned(), name.into());
    }
    if let Some(email) = email {
        attributes.insert("emails".to_owned(), json!([{"value": email, "primary": true}]));
    }
    attributes
}

pub(super) fn group(row: &AnyRow) -> Result<DirectoryGroup, StateError> {
    let name: String = row.try_get(1)?;
    let attributes = match row.try_get::<Option<String>, _>(4)? {
        Some(text) => attributes(&text, "groups")?,
        None => Attributes::from_iter([("displayName".to_owned(), Value::from(name.as_str()))]),
    };
    Ok(DirectoryGroup {
        id: row.try_get(0)?,
        name,
        display_name: row.try_get(12)?,
        organization: row.try_get(2)?,
        connection: row.try_get(3)?,
        attributes,
        deleted: is_deleted(row, 5)?,
        everyone: flag(row, 10)?,
        own: flag(row, 6)?,
        quota_allowance: credits(row, 11)?,
        version: number(row, 7)?,
        created_at: time(row.try_get(8)?),
        updated_at: time(row.try_get(9)?),
    })
}

/// An allowance.
pub(super) fn credits(row: &AnyRow, index: usize) -> Result<u32, StateError> {
    u32::try_from(row.try_get::<i64, _>(index)?).map_err(|_| StateError::Row("groups"))
}

pub(super) fn resource(row: &AnyRow) -> Result<CustomResource, StateError> {
    Ok(CustomResource {
        resource_type: row.try_get(0)?,
        id: row.try_get(1)?,
        connection: row.try_get(2)?,
        attributes: attributes(row.try_get(3)?, "directory_resources")?,
        deleted: is_deleted(row, 4)?,
        version: number(row, 5)?,
        created_at: time(row.try_get(6)?),
        updated_at: time(row.try_get(7)?),
    })
}

pub(crate) fn flag(row: &AnyRow, index: usize) -> Result<bool, sqlx::Error> {
    Ok(row.try_get::<i64, _>(index)? != 0)
}

pub(crate) fn number(row: &AnyRow, index: usize) -> Result<u64, sqlx::Error> {
    Ok(row.try_get::<i64, _>(index)?.cast_unsigned())
}

pub(crate) fn moment(row: &AnyRow, index: usize) -> Result<Option<Timestamp>, sqlx::Error> {
    Ok(row.try_get::<Option<i64>, _>(index)?.map(time))
}

pub(super) fn is_deleted(row: &AnyRow, index: usize) -> Result<bool, sqlx::Error> {
    Ok(row.try_get::<&str, _>(index)? == "deleted")
}
