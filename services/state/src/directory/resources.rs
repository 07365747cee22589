//! Resources of custom SCIM types. `resource_type` is the type's name as its events give it.

use chancery_domain::attributes::key;
use chancery_domain::directory::CustomResource;

use super::bound;
use super::rows::{number, resource, select_resources};
use super::users::first;
use crate::{State, StateError};

pub(crate) const BY_ID: &str = select_resources!("WHERE resource_type = $1 AND id = $2");
pub(crate) const BY_NAME: &str =
    select_resources!("WHERE resource_type = $1 AND name_key = $2 AND connection = $3 AND status <> 'deleted'");
pub(crate) const BY_EXTERNAL_ID: &str =
    select_resources!("WHERE resource_type = $1 AND external_id = $2 AND connection = $3 AND status <> 'deleted'");
pub(crate) const PAGE: &str = select_resources!(
    "WHERE resource_type = $1 AND connection = $2 AND id > $3 AND status <> 'deleted' ORDER BY id LIMIT $4 OFFSET $5"
);
pub(crate) const COUNT: &str =
    "SELECT count(*) FROM directory_resources WHERE resource_type = $1 AND connection = $2 AND status <> 'deleted'";

impl State {
    /// The resource with this id, also when it is deleted.
    pub async fn custom_resource(&self, resource_type: &str, id: &str) -> Result<Option<CustomResource>, StateError> {
        self.resources(sqlx::query(BY_ID).bind(resource_type.to_owned()).bind(id.to_owned())).await.map(first)
    }

    /// The resources of a connection with this `displayName`, or `name`, in any case.
    pub async fn custom_resources_by_name(
        &self,
        resource_type: &str,
        connection: &str,
        name: &str,
    ) -> Result<Vec<CustomResource>, StateError> {
        let query = sqlx::query(BY_NAME).bind(resource_type.to_owned()).bind(key(name)).bind(connection.to_owned());
        self.resources(query).await
    }

    /// The resources of a connection with this `externalId`.
    pub async fn custom_resources_by_external_id(
        &self,
        resource_type: &str,
        connection: &str,
        external_id: &str,
    ) -> Result<Vec<CustomResource>, StateError> {
        let query = sqlx::query(BY_EXTERNAL_ID)
            .bind(resource_type.to_owned())
            .bind(external_id.to_owned())
            .bind(connection.to_owned());
        self.resources(query).await
    }

    /// Resources of a connection in the order of their ids, after the id `after`.
    pub async fn custom_resources_of(
        &self,
        resource_type: &str,
        connection: &str,
        after: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<CustomResource>, StateError> {
        let query = sqlx::query(PAGE)
            .bind(resource_type.to_owned())
            .bind(connection.to_owned())
            .bind(after.unwrap_or_default().to_owned())
            .bind(bound(limit))
            .bind(bound(skip));
        self.resources(query).await
    }

    /// How many resources [`State::custom_resources_of`] has.
    pub async fn count_custom_resources_of(&self, resource_type: &str, connection: &str) -> Result<u64, StateError> {
        let query = sqlx::query(COUNT).bind(resource_type.to_owned()).bind(connection.to_owned());
        Ok(number(&query.fetch_one(&self.pool).await?, 0)?)
    }

    async fn resources(
        &self,
        query: sqlx::query::Query<'_, sqlx::Any, sqlx::any::AnyArguments>,
    ) -> Result<Vec<CustomResource>, StateError> {
        self.rows(query).await?.iter().map(resource).collect()
    }
}
