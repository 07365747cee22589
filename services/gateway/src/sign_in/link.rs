//! Which account belongs to whom at which provider: recorded at the first sign-in, and what counts from then on.

use std::collections::BTreeSet;

use chancery_domain::Event;
use chancery_domain::attributes::Attributes;
use chancery_domain::connections::PutResource;
use chancery_domain::decision::{Context, Refusal};
use chancery_domain::directory::CustomResource;
use chancery_domain::events::directory::MappedRole;
use chancery_oidc::Identity;
use chancery_state::{State, StateError};
use serde_json::json;
use uuid::Uuid;

/// Type of the resource that keeps it.
const RESOURCE_TYPE: &str = "Identity";

/// What is recorded of somebody at a provider. Its id follows from issuer and subject, so that it is found by them.
#[derive(Debug)]
pub(super) struct Link {
    id: String,
    present: Option<CustomResource>,
}

impl Link {
    /// What is recorded of somebody, if anything.
    pub(super) async fn find(state: &State, identity: &Identity) -> Result<Self, StateError> {
        Self::of(state, &identity.issuer, &identity.subject).await
    }

    /// The same by issuer and subject.
    pub(super) async fn of(state: &State, issuer: &str, subject: &str) -> Result<Self, StateError> {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{issuer}\n{subject}").as_bytes()).to_string();
        let present = state.custom_resource(RESOURCE_TYPE, &id).await?;
        let is = |present: &CustomResource, name: &str, value: &str| {
            present.attributes.get(name).and_then(serde_json::Value::as_str) == Some(value)
        };
        let same = |present: &CustomResource| is(present, "issuer", issuer) && is(present, "subject", subject);
        Ok(Self { present: present.filter(same), id })
    }

    /// What a decision about it depends on.
    pub(super) fn key(&self) -> String {
        format!("identity/{}", self.id)
    }

    /// Id of the user it leads to.
    pub(super) fn user(&self) -> Option<&str> {
        self.present.as_ref()?.attributes.get("user")?.as_str()
    }

    /// The roles that this user has because the provider said so.
    pub(super) fn given(&self, user: &str) -> BTreeSet<MappedRole> {
        if self.user() != Some(user) {
            return BTreeSet::new();
        }
        let roles = self.present.as_ref().and_then(|present| present.attributes.get("roles")).cloned();
        roles.and_then(|roles| serde_json::from_value(roles).ok()).unwrap_or_default()
    }

    /// Records to whom it leads, and the roles that come with it.
    pub(super) fn put(
        &self,
        identity: &Identity,
        user: &str,
        roles: &BTreeSet<MappedRole>,
        context: Context,
    ) -> Result<Vec<Event>, Refusal> {
        let attributes = [
            ("issuer", json!(identity.issuer)),
            ("subject", json!(identity.subject)),
            ("provider", json!(identity.provider)),
            ("user", json!(user)),
            ("roles", json!(roles)),
        ];
        let command = PutResource {
            resource_type: RESOURCE_TYPE.to_owned(),
            id: self.id.clone(),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<Attributes>(),
            connection: None,
            scim_event: None,
        };
        command.decide(self.present.as_ref(), context)
    }
}
