//! Whose push a request is.

use std::sync::Arc;

use actix_web::HttpRequest;
use chancery_domain::decision::Context;
use chancery_domain::directory::ConnectionRecord;
use chancery_domain::events::tokens::OwnerKind;
use chancery_scim::{Document, GROUPS, Mapping, Mappings, Profile, ProfileSettings, ResourceType, ScimError};

use super::failure::Failure;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// A request of a connection.
pub(crate) struct Push {
    pub(super) gateway: Arc<Gateway>,
    pub(super) caller: Caller,
    pub(super) connection: ConnectionRecord,
    pub(super) profile: Profile,
    mappings: Vec<Mapping>,
    /// Groups are to follow whatever the settings say now.
    follows: bool,
    /// Address of the service, without a slash at its end.
    pub(super) base: String,
}

/// The address this service is called by, without a slash at its end.
pub(super) fn base(gateway: &Gateway, request: &HttpRequest) -> String {
    format!("{}/scim/v2", gateway.address(request))
}

impl Push {
    /// Finds the connection whose token was presented.
    pub(super) async fn begin(gateway: Arc<Gateway>, caller: Caller, base: String) -> Result<Self, Failure> {
        let owner = caller.token.as_ref().and_then(|token| token.owner.clone());
        let owner = owner.filter(|owner| owner.kind == OwnerKind::Connection);
        let Some(owner) = owner else {
            return Err(ApiError::Forbidden("this needs a token of a connection".to_owned()).into());
        };
        let connection = gateway.state.connection(&owner.id).await?.filter(|connection| !connection.deleted);
        let gone = || ApiError::Unauthenticated("the token is not valid: its connection was removed".to_owned());
        Self::of(gateway, caller, connection.ok_or_else(gone)?, base)
    }

    /// What `connection` would push.
    pub(super) fn of(
        gateway: Arc<Gateway>,
        caller: Caller,
        connection: ConnectionRecord,
        base: String,
    ) -> Result<Self, Failure> {
        let broken = |error: serde_json::Error| ApiError::Internal(format!("settings of a connection: {error}"));
        let settings = &connection.settings;
        let profile = or_default::<ProfileSettings>(&settings.profile).map_err(broken)?.resolve();
        let mappings = or_default(&settings.mappings).map_err(broken)?;
        Ok(Self { gateway, caller, connection, profile, mappings, follows: false, base })
    }

    pub(super) fn id(&self) -> &str {
        &self.connection.id
    }

    /// Organization that is home to what the connection makes.
    pub(super) fn home(&self) -> Option<String> {
        self.connection.settings.organizations.first().cloned()
    }

    pub(super) fn resource_type(&self, endpoint: &str) -> Result<&ResourceType, Failure> {
        let unknown = || ScimError::not_found(format!("there are no resources at {endpoint}"));
        Ok(self.gateway.scim.by_endpoint(endpoint).ok_or_else(unknown)?)
    }

    /// Address of a resource.
    pub(super) fn location(&self, resource_type: &ResourceType, id: &str) -> String {
        format!("{}{}/{id}", self.base, resource_type.endpoint())
    }

    /// A document as the connection's mappings make it, and the names of groups that they give.
    pub(super) fn mapped(
        &self,
        resource_type: &ResourceType,
        document: Document,
    ) -> Result<(Document, Vec<String>), ScimError> {
        if self.mappings.is_empty() || !resource_type.is_user() {
            return Ok((document, Vec::new()));
        }
        let mapped = Mappings::new(&self.mappings, resource_type)?.apply(document)?;
        Ok((mapped.document, mapped.groups))
    }

    /// Whether attributes of users name groups, or did before the settings changed.
    pub(super) fn maps_groups(&self) -> bool {
        self.follows || self.mappings.iter().any(|mapping| mapping.to == GROUPS)
    }

    /// The same, also where the settings do not map attributes to groups any more.
    pub(super) fn following(self) -> Self {
        Self { follows: true, ..self }
    }

    /// What a decision may know.
    pub(super) fn context(&self) -> Context {
        self.gateway.context(&self.caller)
    }
}

fn or_default<T: Default + serde::de::DeserializeOwned>(value: &serde_json::Value) -> Result<T, serde_json::Error> {
    if value.is_null() { Ok(T::default()) } else { T::deserialize(value) }
}
