//! Resources as they are stored, of whatever type.

use std::sync::Arc;

use chancery_domain::Timestamp;
use chancery_domain::attributes::Attributes;
use chancery_domain::directory::{CustomResource, DirectoryGroup, DirectoryUser, UserStatus};
use chancery_scim::ResourceType;
use chancery_state::State;

use super::failure::Failure;
use super::push::Push;

/// A resource that a connection has made.
#[derive(Debug, Clone)]
pub(crate) enum Stored {
    User(Arc<DirectoryUser>),
    Group(Arc<DirectoryGroup>),
    Custom(Arc<CustomResource>),
}

/// Which table a resource type is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Users,
    Groups,
    Custom,
}

impl Kind {
    pub(super) fn of(resource_type: &ResourceType) -> Self {
        if resource_type.is_user() {
            Self::Users
        } else if resource_type.is_group() {
            Self::Groups
        } else {
            Self::Custom
        }
    }
}

impl Stored {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::User(user) => &user.id,
            Self::Group(group) => &group.id,
            Self::Custom(resource) => &resource.id,
        }
    }

    pub(super) fn attributes(&self) -> &Attributes {
        match self {
            Self::User(user) => &user.attributes,
            Self::Group(group) => &group.attributes,
            Self::Custom(resource) => &resource.attributes,
        }
    }

    pub(super) fn version(&self) -> u64 {
        match self {
            Self::User(user) => user.version,
            Self::Group(group) => group.version,
            Self::Custom(resource) => resource.version,
        }
    }

    pub(super) fn times(&self) -> (Timestamp, Timestamp) {
        match self {
            Self::User(user) => (user.created_at, user.updated_at),
            Self::Group(group) => (group.created_at, group.updated_at),
            Self::Custom(resource) => (resource.created_at, resource.updated_at),
        }
    }

    /// Whether this connection may see it.
    pub(super) fn belongs_to(&self, push: &Push) -> bool {
        let connection = match self {
            Self::User(user) if user.removed || user.status == UserStatus::Deleted => return false,
            Self::Group(group) if group.deleted => return false,
            Self::Custom(resource) if resource.deleted => return false,
            Self::User(user) => &user.connection,
            Self::Group(group) => &group.connection,
            Self::Custom(resource) => &resource.connection,
        };
        connection.as_deref() == Some(push.id())
    }
}

/// A resource of this connection.
pub(super) async fn find(push: &Push, resource_type: &ResourceType, id: &str) -> Result<Option<Stored>, Failure> {
    let state = &push.gateway.state;
    let found = match Kind::of(resource_type) {
        Kind::Users => state.user(id).await?.map(|user| Stored::User(Arc::new(user))),
        Kind::Groups => state.group(id).await?.map(|group| Stored::Group(Arc::new(group))),
        Kind::Custom => {
            state.custom_resource(resource_type.name(), id).await?.map(|found| Stored::Custom(Arc::new(found)))
        }
    };
    Ok(found.filter(|found| found.belongs_to(push)))
}

/// Resources of this connection in the order of their ids: after the id `after`, then `skip` more left out.
pub(super) async fn page(
    push: &Push,
    resource_type: &ResourceType,
    after: Option<&str>,
    skip: usize,
    limit: usize,
) -> Result<Vec<Stored>, Failure> {
    let (state, connection): (&State, &str) = (&push.gateway.state, push.id());
    Ok(match Kind::of(resource_type) {
        Kind::Users => {
            let users = state.users_of(connection, after, skip, limit).await?;
            users.into_iter().map(|user| Stored::User(Arc::new(user))).collect()
        }
        Kind::Groups => {
            let groups = state.groups_of(connection, after, skip, limit).await?;
            groups.into_iter().map(|group| Stored::Group(Arc::new(group))).collect()
        }
        Kind::Custom => {
            let found = state.custom_resources_of(resource_type.name(), connection, after, skip, limit).await?;
            found.into_iter().map(|resource| Stored::Custom(Arc::new(resource))).collect()
        }
    })
}

/// How many there are.
pub(super) async fn count(push: &Push, resource_type: &ResourceType) -> Result<u64, Failure> {
    let (state, connection): (&State, &str) = (&push.gateway.state, push.id());
    Ok(match Kind::of(resource_type) {
        Kind::Users => state.count_users_of(connection).await?,
        Kind::Groups => state.count_groups_of(connection).await?,
        Kind::Custom => state.count_custom_resources_of(resource_type.name(), connection).await?,
    })
}
