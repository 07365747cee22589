//! What changes of resources of configured types come to.

use chancery_domain::connections::PutResource;
use chancery_domain::directory::CustomResource;
use chancery_scim::{Document, PatchRequest, Purpose, ResourceType, ScimError, ScimEvent, accept, patch};

use super::change::{Change, Plan, Wish};
use super::failure::Failure;
use super::push::Push;

/// Works out what a change comes to.
pub(super) async fn plan(push: &Push, wish: &Wish<'_>) -> Result<Plan, Failure> {
    let resource_type = wish.resource_type;
    let present = match wish.change {
        Change::Create(_) => None,
        _ => Some(find(push, wish).await?),
    };
    let current = present.as_ref().map(|present| present.attributes.clone()).unwrap_or_default();
    let (document, pushed): (Document, ScimEvent) = match &wish.change {
        Change::Create(body) => {
            (accept(resource_type, body.clone(), &push.profile, Purpose::Create)?.document, ScimEvent::CreateFull)
        }
        Change::Replace(body) => {
            let purpose = Purpose::Replace { current: &current };
            (accept(resource_type, body.clone(), &push.profile, purpose)?.document, ScimEvent::PutFull)
        }
        Change::Patch(body) => {
            let request = PatchRequest::parse(body.clone(), &push.profile)?;
            (patch::apply(resource_type, &current, request, &push.profile)?.document, ScimEvent::PatchFull)
        }
        Change::Delete => (Document::new(), ScimEvent::Delete),
    };
    let events = if let (Change::Delete, Some(present)) = (&wish.change, &present) {
        present.delete(Some(pushed.uri().to_owned()), push.context())?
    } else {
        let command = PutResource {
            resource_type: resource_type.name().to_owned(),
            id: wish.id.clone(),
            attributes: document,
            connection: Some(push.connection.id.clone()),
            scim_event: Some(pushed.uri().to_owned()),
        };
        command.decide(present.as_ref(), push.context())?
    };
    let keys = vec![key(resource_type, &wish.id)];
    Ok(Plan { keys, events, id: wish.id.clone() })
}

async fn find(push: &Push, wish: &Wish<'_>) -> Result<CustomResource, Failure> {
    let name = wish.resource_type.name();
    let found = push.gateway.state.custom_resource(name, &wish.id).await?;
    let visible = |found: &CustomResource| found.connection.as_deref() == Some(push.id()) && !found.deleted;
    let unknown = || ScimError::new(404, format!("there is no {name} {}", wish.id));
    let found = found.filter(visible).ok_or_else(unknown)?;
    wish.preconditions.check(found.version)?;
    Ok(found)
}

pub(super) fn key(resource_type: &ResourceType, id: &str) -> String {
    format!("{}/{id}", resource_type.name().to_lowercase())
}
