//! What changes of resources of configured types come to.

use chancery_domain::connections::PutResource;
use chancery_domain::directory::CustomResource;
use chancery_scim::document::{Purpose, accept};
use chancery_scim::events::{Change as Pushed, Detail};
use chancery_scim::{Document, ScimError, patch};

use super::change::{Change, Plan, Wish};
use super::failure::Failure;
use super::push::Push;

/// Works out what a change comes to.
pub(super) async fn plan(push: &Push, wish: &Wish<'_>) -> Result<Plan, Failure> {
    let (registry, resource_type) = (&push.gateway.scim, wish.resource_type);
    let present = match wish.change {
        Change::Create(_) => None,
        _ => Some(find(push, wish).await?),
    };
    let current = present.as_ref().map(|present| present.attributes.clone()).unwrap_or_default();
    let (document, pushed): (Document, Pushed) = match &wish.change {
        Change::Create(body) => {
            let body = push.mappings.apply(registry, resource_type, body, &push.profile)?;
            (accept(registry, resource_type, &body, &push.profile, Purpose::Create)?.document, Pushed::Create)
        }
        Change::Replace(body) => {
            let body = push.mappings.apply(registry, resource_type, body, &push.profile)?;
            let purpose = Purpose::Replace { current: &current };
            (accept(registry, resource_type, &body, &push.profile, purpose)?.document, Pushed::Put)
        }
        Change::Patch(body) => {
            (patch::apply(registry, resource_type, &current, body, &push.profile)?.document, Pushed::Patch)
        }
        Change::Delete => (Document::new(), Pushed::Delete),
    };
    let events = match (&wish.change, &present) {
        (Change::Delete, Some(present)) => present.delete(Some(pushed.uri(Detail::Full).to_owned()), push.context())?,
        _ => {
            let command = PutResource {
                resource_type: resource_type.name.clone(),
                id: wish.id.clone(),
                attributes: document,
                connection: Some(push.connection.id.clone()),
                scim_event: Some(pushed.uri(Detail::Full).to_owned()),
            };
            command.decide(present.as_ref(), push.context())?
        }
    };
    let keys = vec![format!("{}/{}", resource_type.name.to_lowercase(), wish.id)];
    Ok(Plan { keys, events, id: wish.id.clone() })
}

async fn find(push: &Push, wish: &Wish<'_>) -> Result<CustomResource, Failure> {
    let name = &wish.resource_type.name;
    let found = push.gateway.state.custom_resource(name, &wish.id).await?;
    let visible = |found: &CustomResource| found.connection.as_deref() == Some(push.id()) && !found.deleted;
    let unknown = || ScimError::status(404, format!("there is no {name} {}", wish.id));
    let found = found.filter(visible).ok_or_else(unknown)?;
    wish.preconditions.check(found.version)?;
    Ok(found)
}
