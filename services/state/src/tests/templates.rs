//! Decisions about templates, folded and read again, on both engines.

use chancery_domain::directory::OrganizationRecord;
use chancery_domain::events::templates::{TemplateContents, TemplateVariable};
use chancery_domain::templates::access::{GrantAccess, RevokeAccess, Subject};
use chancery_domain::templates::lifecycle::{
    CreateTemplate, DeleteTemplate, DeprecateTemplate, UndeprecateTemplate, UpdateTemplate,
};
use chancery_domain::templates::versions::{ArchiveVersion, PromoteVersion, PushVersion, WithdrawPromotion};
use chancery_domain::templates::{
    SubjectKind, TemplateRecord, TemplateRight, TemplateSettings, TemplateStatus, TemplateVersionRecord,
};

use super::directory::World;
use super::*;

fn organization() -> OrganizationRecord {
    OrganizationRecord {
        id: "o".into(),
        name: "eng".into(),
        display_name: None,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

fn push(id: &str) -> PushVersion {
    let variable = TemplateVariable { name: "region".into(), nullable: true, ..TemplateVariable::default() };
    PushVersion {
        id: id.into(),
        name: None,
        message: Some(format!("the {id}")),
        sha256: "aa".into(),
        size_bytes: 7,
        contents: TemplateContents { daily_cost: Some(5), variables: vec![variable], ..TemplateContents::default() },
    }
}

impl World {
    /// The template `id` of this name, with two versions.
    async fn template(&mut self, id: &str, settings: TemplateSettings) {
        let name = format!("name-of-{id}");
        let command = CreateTemplate { id: id.into(), name, display_name: None, description: None, settings };
        let context = self.context();
        self.take(command.decide(Some(&organization()), &[], context)).await;
        for version in ["one", "two"] {
            let (template, versions) = (self.read(id).await, self.versions(id).await);
            let context = self.context();
            self.take(push(version).decide(&template, &versions, context).map(|(events, _)| events)).await;
        }
    }

    async fn read(&self, id: &str) -> TemplateRecord {
        self.states[0].template(id).await.unwrap().unwrap()
    }

    async fn versions(&self, id: &str) -> Vec<TemplateVersionRecord> {
        self.states[0].template_versions(id).await.unwrap()
    }

    async fn version(&self, template: &str, id: &str) -> TemplateVersionRecord {
        self.states[0].template_version(template, id).await.unwrap().unwrap()
    }

    async fn promote(&mut self, template: &str, version: &str, by: &str) {
        let pending = self.states[0].template_promotion(template).await.unwrap();
        let (record, version) = (self.read(template).await, self.version(template, version).await);
        let actor = Actor { id: by.into(), name: Some(format!("{by}@login")), ..Actor::default() };
        let context = Context { actor, ..self.context() };
        self.take(PromoteVersion::default().decide(&record, &version, pending.as_ref(), context)).await;
    }
}

#[tokio::test]
async fn a_template_and_its_versions_are_what_was_decided() {
    let mut world = World::start().await;
    world.template("t", TemplateSettings { daily_cost: Some(9), ..TemplateSettings::default() }).await;
    world.promote("t", "one", "ann").await;
    let command = UpdateTemplate {
        display_name: Some("T".into()),
        description: Some("d".into()),
        settings: Some(json!({"require_active_version": true})),
        ..UpdateTemplate::default()
    };
    let (template, context) = (world.read("t").await, world.context());
    world.take(command.decide(&template, context)).await;
    let (template, context) = (world.read("t").await, world.context());
    let gone = UpdateTemplate { description: Some(String::new()), ..UpdateTemplate::default() };
    world.take(gone.decide(&template, context)).await;
    let (template, context) = (world.read("t").await, world.context());
    world.take(DeprecateTemplate { message: "use u".into() }.decide(&template, context)).await;
    for state in &world.states {
        let template = state.template("t").await.unwrap().unwrap();
        assert_eq!((template.status, template.deprecation.as_deref()), (TemplateStatus::Deprecated, Some("use u")));
        assert_eq!((template.display_name.as_deref(), template.description), (Some("T"), None));
        assert_eq!(template.active_version.as_deref(), Some("one"));
        assert_eq!((template.settings.daily_cost, template.settings.require_active_version), (Some(9), true));
        assert_eq!((template.own, template.version), (true, 5));
        let contents = state.template_contents("t", "one").await.unwrap().unwrap();
        assert_eq!((contents.daily_cost, contents.variables[0].name.as_str()), (Some(5), "region"));
        assert_eq!(state.template_contents("t", "none").await.unwrap(), None);
        let counts = state.count_template_versions(&["t".into(), "u".into()]).await.unwrap();
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), [("t".to_owned(), 2)]);
    }
    let (template, context) = (world.read("t").await, world.context());
    world.take(UndeprecateTemplate::default().decide(&template, context)).await;
    let (template, version, context) = (world.read("t").await, world.version("t", "two").await, world.context());
    let archive = |archived| ArchiveVersion { archived, reason: None };
    world.take(archive(true).decide(&template, &version, None, context)).await;
    for state in &world.states {
        let template = state.template("t").await.unwrap().unwrap();
        assert_eq!((template.status, template.deprecation), (TemplateStatus::Active, None));
        let archived: Vec<bool> =
            state.template_versions("t").await.unwrap().iter().map(|version| version.archived).collect();
        assert_eq!(archived, [false, true]);
    }
    let (version, context) = (world.version("t", "two").await, world.context());
    world.take(archive(false).decide(&template, &version, None, context)).await;
    assert!(!world.version("t", "two").await.archived);
    world.template("u", TemplateSettings::default()).await;
    let (template, context) = (world.read("t").await, world.context());
    world.take(DeleteTemplate::default().decide(&template, 0, context)).await;
    for state in &world.states {
        let ids = async |after, with_deleted| {
            let page = state.templates(after, 9, with_deleted).await.unwrap();
            page.into_iter().map(|template| template.id).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((ids(None, false).await, ids(None, true).await), ("u".to_owned(), "t u".to_owned()));
        assert_eq!(ids(Some("u"), true).await, "");
    }
}

#[tokio::test]
async fn a_promotion_waits_until_it_is_agreed_to_or_withdrawn() {
    let mut world = World::start().await;
    world.template("t", TemplateSettings { two_person_promotion: true, ..TemplateSettings::default() }).await;
    world.promote("t", "one", "ann").await;
    for state in &world.states {
        let waits = state.template_promotion("t").await.unwrap().unwrap();
        assert_eq!((waits.version_id.as_str(), waits.version_name.as_deref()), ("one", Some("v1")));
        assert_eq!((waits.requested_by.as_str(), waits.requested_by_name.as_deref()), ("ann", Some("ann@login")));
        assert_eq!(state.template("t").await.unwrap().unwrap().active_version, None);
    }
    world.promote("t", "one", "ben").await;
    for state in &world.states {
        assert_eq!(state.template_promotion("t").await.unwrap(), None);
        assert_eq!(state.template("t").await.unwrap().unwrap().active_version.as_deref(), Some("one"));
    }
    world.promote("t", "two", "ben").await;
    let (template, context) = (world.read("t").await, world.context());
    let waits = world.states[1].template_promotion("t").await.unwrap();
    world.take(WithdrawPromotion::default().decide(&template, waits.as_ref(), context)).await;
    for state in &world.states {
        assert_eq!(state.template_promotion("t").await.unwrap(), None);
        assert_eq!(state.template("t").await.unwrap().unwrap().active_version.as_deref(), Some("one"));
    }
}

#[tokio::test]
async fn who_was_given_a_template_is_read_again() {
    let mut world = World::start().await;
    world.template("t", TemplateSettings::default()).await;
    for (kind, id, right) in [
        (SubjectKind::User, "ann", TemplateRight::Use),
        (SubjectKind::User, "ann", TemplateRight::Admin),
        (SubjectKind::Group, "ops", TemplateRight::Use),
        (SubjectKind::Everyone, "eng", TemplateRight::Use),
    ] {
        let (template, context) = (world.read("t").await, world.context());
        let grants = world.states[0].template_access("t").await.unwrap();
        let subject = Subject { kind, id: id.into(), name: Some(id.into()), organizations: vec!["eng".into()] };
        let command = GrantAccess { right, reason: None };
        world.take(command.decide(&template, &subject, &grants, context)).await;
    }
    let shown = async |state: &State| {
        let grants = state.template_access("t").await.unwrap();
        assert_eq!(state.access_to_templates(&["t".into(), "u".into()]).await.unwrap()["t"], grants);
        grants
            .iter()
            .map(|grant| format!("{} {} {}", grant.subject.as_str(), grant.subject_id, grant.right.as_str()))
            .collect::<Vec<_>>()
    };
    for state in &world.states {
        assert_eq!(shown(state).await, ["everyone eng use", "group ops use", "user ann admin"]);
    }
    let (template, context) = (world.read("t").await, world.context());
    let grants = world.states[0].template_access("t").await.unwrap();
    let command = RevokeAccess { subject: SubjectKind::User, subject_id: "ann".into(), reason: None };
    world.take(command.decide(&template, &grants, context)).await;
    for state in &world.states {
        assert_eq!(shown(state).await, ["everyone eng use", "group ops use"]);
    }
}

/// A system that may report events must not slip a version into a template of ours, nor put one away, nor give access.
#[tokio::test]
async fn what_other_systems_say_of_our_templates_changes_nothing() {
    let mut world = World::start().await;
    world.template("t", TemplateSettings { two_person_promotion: true, ..TemplateSettings::default() }).await;
    world.promote("t", "one", "ann").await;
    let before = (world.read("t").await, world.versions("t").await);
    let waits = world.states[0].template_promotion("t").await.unwrap();
    assert!(waits.is_some());
    let version = json!({"version_id": "one", "version_name": "v1"});
    let pushed = json!({"version_id": "evil", "version_name": "v3", "sha256": "bb", "size_bytes": 1});
    let access = json!({"subject_kind": "user", "subject_id": "eve", "permission": "admin"});
    world
        .hear(&[
            ("template.created", "template", "t", json!({"name": "evil"})),
            ("template.updated", "template", "t", json!({"settings": {}})),
            ("template.deprecated", "template", "t", json!({"message": "x"})),
            ("template.version.pushed", "template", "t", pushed),
            ("template.version.promotion.withdrawn", "template", "t", version.clone()),
            ("template.version.promotion.requested", "template", "t", version.clone()),
            ("template.version.promoted", "template", "t", version.clone()),
            ("template.version.archived", "template", "t", version),
            ("template.access.granted", "template", "t", access),
            ("template.deleted", "template", "t", json!({})),
        ])
        .await;
    for state in &world.states {
        assert_eq!(state.template("t").await.unwrap().unwrap(), before.0);
        assert_eq!(state.template_versions("t").await.unwrap(), before.1);
        assert_eq!(state.template_promotion("t").await.unwrap(), waits);
        assert_eq!(state.template_access("t").await.unwrap(), []);
    }
    world.hear(&[("workspace.created", "workspace", "w", json!({"template_id": "t"}))]).await;
    for state in &world.states {
        assert_eq!(state.count_workspaces_of_template("t").await.unwrap(), 1);
    }
    world.hear(&[("workspace.deleted", "workspace", "w", json!({}))]).await;
    for state in &world.states {
        assert_eq!(state.count_workspaces_of_template("t").await.unwrap(), 0);
    }
}
