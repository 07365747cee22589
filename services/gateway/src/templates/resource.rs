//! Templates as policies see them.

use chancery_domain::templates::{SubjectKind, TemplateGrant, TemplateRecord, TemplateRight};
use chancery_policy::{Access, Resource, Template};

use crate::error::ApiError;
use crate::gateway::Gateway;

impl Gateway {
    /// A template with those to whom it is given, as permissions for it are judged.
    pub(crate) async fn template_resource(&self, template: &TemplateRecord) -> Result<Resource, ApiError> {
        let grants = self.state.template_access(&template.id).await?;
        Ok(resource(template, &grants))
    }
}

/// A template with those to whom it is given.
pub(super) fn resource(template: &TemplateRecord, grants: &[TemplateGrant]) -> Resource {
    let mut it =
        Template { id: template.id.clone(), organization: template.organization.clone(), ..Template::default() };
    for grant in grants {
        let access = match grant.right {
            TemplateRight::Use => &mut it.users,
            TemplateRight::Admin => &mut it.admins,
        };
        give(access, grant);
    }
    Resource::Template(it)
}

fn give(access: &mut Access, grant: &TemplateGrant) {
    match grant.subject {
        SubjectKind::User => drop(access.users.insert(grant.subject_id.clone())),
        SubjectKind::Group => drop(access.groups.insert(grant.subject_id.clone())),
        SubjectKind::Everyone => access.everyone = true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chancery_domain::Timestamp;
    use chancery_domain::templates::{TemplateSettings, TemplateStatus};

    use super::*;

    fn grant(subject: SubjectKind, id: &str, right: TemplateRight) -> TemplateGrant {
        TemplateGrant { subject, subject_id: id.into(), subject_name: None, right, granted_at: Timestamp::EPOCH }
    }

    #[test]
    fn who_was_given_a_template_is_who_policies_are_asked_about() {
        let template = TemplateRecord {
            id: "t".into(),
            name: "go".into(),
            display_name: None,
            description: None,
            organization: Some("acme".into()),
            status: TemplateStatus::Active,
            deprecation: None,
            active_version: None,
            settings: TemplateSettings::default(),
            own: true,
            version: 1,
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::EPOCH,
        };
        let grants = [
            grant(SubjectKind::User, "u", TemplateRight::Use),
            grant(SubjectKind::Group, "g", TemplateRight::Admin),
            grant(SubjectKind::Everyone, "acme", TemplateRight::Use),
        ];
        let set = |id: &str| BTreeSet::from([id.to_owned()]);
        assert_eq!(
            resource(&template, &grants),
            Resource::Template(Template {
                id: "t".into(),
                organization: Some("acme".into()),
                users: Access { users: set("u"), everyone: true, ..Access::default() },
                admins: Access { groups: set("g"), ..Access::default() },
            })
        );
    }
}
