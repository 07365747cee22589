//! Organizations: known by a unique name, which stays.

use crate::decision::{self, Context, Draft, Refusal};
use crate::directory::OrganizationRecord;
use crate::event::{Change, Event, Resource};
use crate::events::identity::Organization;
use crate::groups;

/// An organization to be made; its id was drawn by the caller.
#[derive(Debug, Clone)]
pub struct CreateOrganization {
    /// Its id.
    pub id: String,
    /// Its unique name.
    pub name: String,
    /// Name for people.
    pub display_name: Option<String>,
}

impl CreateOrganization {
    /// Decides whether it can be made, and the group of everyone with it; `namesake` is the organization of that name.
    pub fn decide(self, namesake: Option<&OrganizationRecord>, context: Context) -> Result<Vec<Event>, Refusal> {
        decision::slug("name", &self.name)?;
        check(self.display_name.as_deref())?;
        if let Some(other) = namesake {
            let by = other.id.clone();
            return Err(Refusal::Taken { field: "name", value: self.name, by, connection: None });
        }
        let mut draft = Draft::new(context);
        let payload = Organization { display_name: self.display_name, name: self.name };
        let resource = Resource::new("organization", &self.id).named(&payload.name);
        let mut event = draft.event("organization.created", resource, &payload);
        event.organization = Some(payload.name.clone());
        let created = draft.push(event);
        groups::found(&mut draft, Some(&created), &self.id, &payload.name);
        Ok(draft.events)
    }
}

/// A new name for people.
#[derive(Debug, Clone)]
pub struct UpdateOrganization {
    /// It.
    pub display_name: String,
}

impl UpdateOrganization {
    /// Decides what changes, nothing perhaps.
    pub fn decide(self, organization: &OrganizationRecord, context: Context) -> Result<Vec<Event>, Refusal> {
        check(Some(&self.display_name))?;
        let mut draft = Draft::new(context);
        if organization.display_name.as_ref() != Some(&self.display_name) {
            let change = Change::new("display_name", organization.display_name.clone(), self.display_name.as_str());
            let payload = Organization { display_name: Some(self.display_name), name: organization.name.clone() };
            let resource = Resource::new("organization", &organization.id).named(&organization.name);
            let mut event = draft.event("organization.updated", resource, &payload);
            event.organization = Some(payload.name);
            event.changes = vec![change];
            draft.push(event);
        }
        Ok(draft.events)
    }
}

fn check(display_name: Option<&str>) -> Result<(), Refusal> {
    display_name.map_or(Ok(()), |text| decision::name("display_name", text, decision::MAX_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::tests::{context, told};
    use crate::time::Timestamp;

    #[test]
    fn an_organization_has_a_name_of_its_own() {
        let create = |name: &str| CreateOrganization { id: "o".into(), name: name.into(), display_name: None };
        let events = create("eng").decide(None, context(1)).unwrap();
        assert_eq!(told(&events), ["organization.created o", "group.created o <- organization.created"]);
        let everyone = serde_json::json!({"everyone": true, "name": "Everyone"});
        assert_eq!((events[1].organization.as_deref(), &events[1].data), (Some("eng"), &everyone));
        assert!(matches!(create("En g").decide(None, context(1)), Err(Refusal::Invalid { field: "name", .. })));
        let present = OrganizationRecord {
            id: "x".into(),
            name: "eng".into(),
            display_name: Some("Engineering".into()),
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
        };
        assert!(matches!(create("eng").decide(Some(&present), context(1)), Err(Refusal::Taken { .. })));
        let update = |name: &str| UpdateOrganization { display_name: name.into() }.decide(&present, context(1));
        assert_eq!(update("Engineering"), Ok(vec![]));
        assert_eq!(told(&update("Engineers").unwrap()), ["organization.updated x"]);
        assert!(update("").is_err());
    }
}
