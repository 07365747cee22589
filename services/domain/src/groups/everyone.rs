//! The group of everyone in an organization: made with it, and never joined, left, renamed or removed. Its id is the
//! organization's.

use crate::attributes::Attributes;
use crate::decision::Draft;
use crate::directory::{DirectoryGroup, OrganizationRecord};
use crate::event::Resource;
use crate::events::groups::GroupCreated;

/// Its name, which no other group made by hand may have.
pub const EVERYONE: &str = "Everyone";

/// Makes it, because of the event `cause`, if that made the organization.
pub(crate) fn found(draft: &mut Draft, cause: Option<&str>, id: &str, organization: &str) {
    let payload = GroupCreated {
        attributes: None,
        connection: None,
        display_name: None,
        everyone: true,
        name: EVERYONE.to_owned(),
        quota_allowance: None,
        scim_event: None,
    };
    let mut event = draft.event("group.created", Resource::new("group", id).named(EVERYONE), &payload);
    event.organization = Some(organization.to_owned());
    event.causation = cause.map(str::to_owned);
    draft.push(event);
}

impl OrganizationRecord {
    /// Its group of everyone as it is where nobody has made it yet: organizations from before got none.
    pub fn everyone(&self) -> DirectoryGroup {
        DirectoryGroup {
            id: self.id.clone(),
            name: EVERYONE.to_owned(),
            display_name: None,
            organization: Some(self.name.clone()),
            connection: None,
            attributes: Attributes::new(),
            deleted: false,
            everyone: true,
            own: true,
            quota_allowance: 0,
            version: 0,
            created_at: self.created_at,
            updated_at: self.created_at,
        }
    }
}
