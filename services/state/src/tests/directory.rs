//! Decisions of identity providers and administrators, folded and read again, on both engines.

use chancery_domain::connections::{CreateConnection, PutResource};
use chancery_domain::directory::{Member, UserStatus};
use chancery_domain::events::directory::{Connection, Deletion, GroupMapping, MappedRole, Suspension};
use chancery_domain::events::groups::{MemberKind, RoleDefinition};
use chancery_domain::events::tokens::{OwnerKind, TokenOwner};
use chancery_domain::groups::{CreateGroup, DeleteGroup, Mapped, UpdateGroup};
use chancery_domain::organizations::CreateOrganization;
use chancery_domain::policies::PublishPolicy;
use chancery_domain::roles::{AssignRole, DefineRole};
use chancery_domain::tokens::RotateToken;
use chancery_domain::users::{CreateUser, DeleteUser, UpdateUser};

use super::*;

/// A log, and its state on both engines.
pub(super) struct World {
    pub(super) log: Log,
    pub(super) states: Vec<State>,
    ids: u128,
    _engines: Engines,
    _directory: TempDir,
}

impl World {
    pub(super) async fn start() -> Self {
        let (directory, engines) = (TempDir::new().unwrap(), Engines::start());
        let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
        let mut states = Vec::new();
        for database in engines.databases("state") {
            states.push(open(&log, &database).await);
        }
        Self { log, states, ids: 0, _engines: engines, _directory: directory }
    }

    /// A context whose event ids nobody else draws.
    pub(super) fn context(&mut self) -> Context {
        self.ids += 1000;
        context(self.ids)
    }

    pub(super) async fn take(&self, events: Result<Vec<Event>, Refusal>) {
        append(&self.log, events.unwrap().into_iter()).await;
        for state in &self.states {
            fold(&self.log, state, &self.log.heads()).await.unwrap();
        }
    }

    pub(super) async fn create_user(&mut self, id: &str, attributes: Value) {
        let command = CreateUser {
            id: id.into(),
            attributes: serde_json::from_value(attributes).unwrap(),
            connection: Some("c".into()),
            organization: Some("eng".into()),
            roles: vec![role("member", Some("eng"))],
            scim_event: None,
        };
        let context = self.context();
        self.take(command.decide(&[], context)).await;
    }

    /// Takes a decision of this one event.
    pub(super) async fn decide(
        &mut self,
        event_type: &str,
        kind: &str,
        id: &str,
        organization: Option<&str>,
        data: Value,
    ) {
        let mut context = self.context();
        let (id, resource) = (context.ids.draw(), Resource::new(kind, id));
        let mut event = Event::new(event_type, id, OWN_SOURCE, context.now, context.actor, resource);
        event.organization = organization.map(str::to_owned);
        event.data = data;
        self.take(Ok(vec![event])).await;
    }

    /// Other systems tell of these.
    pub(super) async fn hear(&mut self, told: &[(&str, &str, &str, Value)]) {
        let events = told.iter().map(|(event_type, kind, id, data)| {
            self.ids += 1;
            let at = Timestamp::from_micros(1_800_000_000_000_000).unwrap();
            let actor = Actor { id: "a".into(), ..Actor::default() };
            let resource = Resource::new(*kind, *id);
            let mut event = Event::new(event_type, self.ids.to_string(), "/other", at, actor, resource);
            event.data = data.clone();
            event
        });
        let events = events.collect();
        self.take(Ok(events)).await;
    }
}

pub(super) fn role(name: &str, organization: Option<&str>) -> MappedRole {
    MappedRole { organization: organization.map(Into::into), role: name.into() }
}

fn member(id: &str) -> Member {
    Member { id: id.into(), kind: MemberKind::User, name: Some(id.to_uppercase()), expires_at: None }
}

fn ids(users: &[chancery_domain::directory::DirectoryUser]) -> Vec<&str> {
    users.iter().map(|user| user.id.as_str()).collect()
}

#[tokio::test]
async fn a_user_is_found_by_each_of_its_names_and_counts_its_changes() {
    let mut world = World::start().await;
    let ada = json!({"userName": "Ada", "externalId": "7", "name": {"formatted": "Ada L."}, "active": true,
                     "emails": [{"value": "Ada@Example.com"}]});
    world.create_user("a", ada.clone()).await;
    world.create_user("b", json!({"userName": "Ünal", "active": false})).await;
    let mut user = world.states[0].user("a").await.unwrap().unwrap();
    for state in &world.states {
        assert_eq!(state.user("a").await.unwrap().unwrap(), user);
        assert_eq!(Value::Object(user.attributes.clone()), ada);
        assert_eq!((user.version, user.display_name.as_deref(), user.own), (1, Some("Ada L."), true));
        assert_eq!(ids(&state.users_by_name("ADA").await.unwrap()), ["a"]);
        assert_eq!(ids(&state.users_by_name("ünal").await.unwrap()), ["b"]);
        assert_eq!(ids(&state.users_by_external_id("c", "7").await.unwrap()), ["a"]);
        assert!(state.users_by_external_id("d", "7").await.unwrap().is_empty());
        assert_eq!(ids(&state.users_by_email("ada@example.COM").await.unwrap()), ["a"]);
        assert_eq!(ids(&state.users_of("c", None, 0, 1).await.unwrap()), ["a"]);
        assert_eq!(ids(&state.users_of("c", Some("a"), 0, 9).await.unwrap()), ["b"]);
        assert_eq!(state.count_users_of("c").await.unwrap(), 2);
        assert_eq!(state.user("b").await.unwrap().unwrap().status, UserStatus::Suspended);
        assert_eq!(state.roles("a").await.unwrap()[0].role, role("member", Some("eng")));
        assert_eq!(state.user_names(&["a".into(), "x".into()]).await.unwrap()[0].name, "Ada");
    }

    let update = UpdateUser {
        attributes: serde_json::from_value(json!({"userName": "Lovelace", "active": false})).unwrap(),
        connection: None,
        suspension: Suspension::default(),
        scim_event: None,
    };
    let context = world.context();
    world.take(update.decide(&user, &[], &chancery_domain::directory::Possessions::default(), context)).await;
    for state in &world.states {
        user = state.user("a").await.unwrap().unwrap();
        assert_eq!((user.version, user.status, &user.email), (3, UserStatus::Suspended, &None));
        assert!(state.users_by_name("ada").await.unwrap().is_empty());
        assert_eq!(user.attributes["active"], false);
    }
}

#[tokio::test]
async fn a_removed_user_is_out_of_sight_and_due_and_a_deleted_one_is_gone() {
    let mut world = World::start().await;
    world.create_user("a", json!({"userName": "Ada", "active": true})).await;
    let user = world.states[0].user("a").await.unwrap().unwrap();
    let delete = |deletion| DeleteUser { deletion, ..DeleteUser::default() };
    let possessions = chancery_domain::directory::Possessions::default();
    let context = world.context();
    world.take(delete(Deletion::AfterDays(1)).decide(&user, &[], &possessions, context)).await;
    for state in &world.states {
        assert!(state.users_of("c", None, 0, 9).await.unwrap().is_empty());
        assert_eq!(
            (state.count_users_of("c").await.unwrap(), ids(&state.users_by_name("ada").await.unwrap())),
            (0, vec!["a"])
        );
        assert!(state.users_due(system_clock()(), 9).await.unwrap().is_empty());
        assert_eq!(ids(&state.users_due(Timestamp::MAX, 9).await.unwrap()), ["a"]);
        assert!(state.user_names(&["a".into()]).await.unwrap().is_empty());
    }
    let context = world.context();
    world.take(delete(Deletion::Delete).decide(&user, &[], &possessions, context)).await;
    for state in &world.states {
        assert_eq!(state.user("a").await.unwrap().unwrap().status, UserStatus::Deleted);
        assert!(state.users_by_name("ada").await.unwrap().is_empty());
        assert!(state.users_due(Timestamp::MAX, 9).await.unwrap().is_empty());
        assert!(state.roles("a").await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn members_come_and_go_one_by_one_and_mapped_roles_with_them() {
    let mut world = World::start().await;
    for id in ["a", "b"] {
        world.create_user(id, json!({"userName": id, "active": true})).await;
    }
    let mappings = [GroupMapping { group: "OPS".into(), roles: vec![role("auditor", None)] }];
    let create = CreateGroup {
        id: "g".into(),
        attributes: serde_json::from_value(json!({"displayName": "Ops", "externalId": "x"})).unwrap(),
        connection: Some("c".into()),
        organization: Some("eng".into()),
        members: vec![member("b")],
        scim_event: None,
    };
    let users = world.states[0].mapped_users("c", &["b".into()]).await.unwrap();
    let context = world.context();
    world.take(create.decide(&[], Mapped { mappings: &mappings, users: &users }, context)).await;
    let group = world.states[0].group("g").await.unwrap().unwrap();
    let users = world.states[0].mapped_users("c", &["a".into(), "b".into()]).await.unwrap();
    assert_eq!((users[1].groups.as_slice(), users[1].held.len()), (["Ops".to_owned()].as_slice(), 2));
    let update = UpdateGroup { join: vec![member("a")], leave: vec![member("b")], ..UpdateGroup::default() };
    let context = world.context();
    world.take(update.decide(&group, &[], Mapped { mappings: &mappings, users: &users }, context)).await;
    for state in &world.states {
        let group = state.group("g").await.unwrap().unwrap();
        assert_eq!((group.version, group.name.as_str()), (4, "Ops"));
        assert_eq!(state.groups_by_name("ops").await.unwrap(), std::slice::from_ref(&group));
        assert_eq!(state.groups_by_external_id("c", "x").await.unwrap(), std::slice::from_ref(&group));
        assert_eq!(state.groups_of("c", None, 0, 9).await.unwrap(), [group]);
        assert_eq!((state.count_groups_of("c").await.unwrap(), state.count_members("g").await.unwrap()), (1, 1));
        assert_eq!(state.members("g", None, 9).await.unwrap(), [member("a")]);
        assert!(state.members("g", Some("a"), 9).await.unwrap().is_empty());
        let among: Vec<String> = (0..500).map(|n| n.to_string()).chain(["a".into(), "b".into()]).collect();
        assert_eq!(state.members_among("g", &among).await.unwrap(), BTreeSet::from(["a".into()]));
        assert_eq!(state.memberships("a").await.unwrap()[0].name, "Ops");
        assert_eq!(state.group_names(&["g".into()]).await.unwrap().len(), 1);
        let (a, b) = (state.roles("a").await.unwrap(), state.roles("b").await.unwrap());
        assert_eq!((a.len(), a[0].role.role.as_str(), a[0].by_group, b.len()), (2, "auditor", true, 1));
    }
    let users = world.states[0].mapped_users("c", &["a".into()]).await.unwrap();
    let group = world.states[0].group("g").await.unwrap().unwrap();
    let context = world.context();
    let deleted = DeleteGroup::default().decide(&group, Mapped { mappings: &mappings, users: &users }, context);
    world.take(deleted).await;
    for state in &world.states {
        assert!(state.group("g").await.unwrap().unwrap().deleted);
        assert!(state.members("g", None, 9).await.unwrap().is_empty());
        assert_eq!(state.roles("a").await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_other_systems_tell_gives_nobody_access() {
    let mut world = World::start().await;
    world.create_user("a", json!({"userName": "Ada", "active": false})).await;
    world
        .hear(&[
            ("user.reactivated", "user", "a", json!({})),
            ("user.updated", "user", "a", json!({"username": "mallory"})),
            ("role.assigned", "user", "a", json!({"role": "owner"})),
            ("user.created", "user", "m", json!({"username": "mallory", "roles": ["owner"]})),
            ("role.defined", "role", "r", json!({"name": "r", "permissions": ["all"]})),
            ("connection.created", "connection", "c", json!({"name": "evil"})),
            ("policy.published", "policy", "p", json!({"sha256": "00", "text": "permit;", "version": 1})),
            ("token.created", "token", "t", json!({"name": "t", "scopes": ["admin"], "secret_sha256": "00"})),
            ("directory.resource.created", "device", "d", json!({"resource_type": "Device"})),
            ("organization.created", "organization", "o", json!({"name": "eng"})),
        ])
        .await;
    for state in &world.states {
        let user = state.user("a").await.unwrap().unwrap();
        assert_eq!((user.status, user.username.as_str(), user.version), (UserStatus::Suspended, "Ada", 1));
        assert_eq!(state.roles("a").await.unwrap().len(), 1);
        assert!(!state.user("m").await.unwrap().unwrap().own);
        assert!(state.users_by_name("mallory").await.unwrap().is_empty() && state.roles("m").await.unwrap().is_empty());
        assert!(state.custom_roles().await.unwrap().is_empty() && state.connections().await.unwrap().is_empty());
        assert!(state.policies().await.unwrap().is_empty() && state.tokens().await.unwrap().is_empty());
        assert!(state.custom_resource("Device", "d").await.unwrap().is_none());
        assert!(state.organizations().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn tokens_have_owners_and_successors_and_are_refreshed_one_by_one() {
    let mut world = World::start().await;
    let owner = TokenOwner { id: "a".into(), kind: OwnerKind::User, name: Some("Ada".into()) };
    let command = CreateToken { owner: Some(owner), kind: TokenKind::Session, ..create("t") };
    let context = world.context();
    world.take(command.decide(context)).await;
    let token = world.states[0].token("t").await.unwrap().unwrap();
    let context = world.context();
    world.take(Ok(token.used(context))).await;
    let rotate = RotateToken { id: "n".into(), secret_sha256: "11".into(), expires_at: None, overlap: 60_000_000 };
    let context = world.context();
    world.take(rotate.decide(&token, context)).await;
    for state in &world.states {
        let tokens = state.tokens_of(OwnerKind::User, "a").await.unwrap();
        assert_eq!(tokens.iter().map(|token| token.id.as_str()).collect::<Vec<_>>(), ["n", "t"]);
        assert!(state.tokens_of(OwnerKind::Connection, "a").await.unwrap().is_empty());
        let old = state.token("t").await.unwrap().unwrap();
        assert_eq!((&old, old.replaced_by.as_deref(), old.kind), (&tokens[1], Some("n"), TokenKind::Session));
        assert!(old.last_used_at.is_some() && old.expires_at.is_some());
        assert_eq!(state.token("n").await.unwrap().unwrap().owner, old.owner);
    }
}

#[tokio::test]
async fn a_users_possessions_are_what_still_runs() {
    let mut world = World::start().await;
    let build = |transition: &str| json!({"build_number": 3, "transition": transition});
    world
        .hear(&[
            ("session.opened", "session", "s1", json!({"kind": "ssh"})),
            ("session.opened", "session", "s2", json!({"kind": "ssh"})),
            ("session.closed", "session", "s2", json!({"kind": "ssh"})),
            ("workspace.created", "workspace", "w1", json!({"owner_id": "a"})),
            ("workspace.build.succeeded", "workspace", "w1", build("start")),
            ("workspace.created", "workspace", "w2", json!({"owner_id": "a"})),
            ("workspace.build.succeeded", "workspace", "w2", build("delete")),
        ])
        .await;
    for state in &world.states {
        let possessions = state.possessions("a").await.unwrap();
        assert_eq!((possessions.sessions.len(), possessions.sessions[0].id.as_str()), (1, "s1"));
        let workspace = &possessions.workspaces[0];
        assert_eq!((possessions.workspaces.len(), workspace.running, workspace.last_build), (1, true, 3));
    }
}

#[tokio::test]
async fn connections_roles_policies_organizations_and_custom_resources_are_read_as_decided() {
    let mut world = World::start().await;
    let settings = Connection { name: "Okta".into(), profile: json!({"vendor": "okta"}), ..Connection::default() };
    let context = world.context();
    world.take(CreateConnection { id: "c".into(), settings: settings.clone() }.decide(&[], context)).await;
    let definition = RoleDefinition { description: None, name: "reader".into(), permissions: vec!["x.read".into()] };
    let context = world.context();
    world.take(DefineRole { definition }.decide(None, context)).await;
    world.create_user("a", json!({"userName": "Ada", "active": true})).await;
    let user = world.states[0].user("a").await.unwrap().unwrap();
    let custom = world.states[0].custom_role("reader").await.unwrap();
    let context = world.context();
    world.take(AssignRole { role: role("reader", None) }.decide(&user, &[], custom.as_ref(), context)).await;
    for text in ["permit;", "forbid;"] {
        let latest = world.states[0].latest_policy("p").await.unwrap();
        let publish = PublishPolicy { id: "p".into(), text: text.into(), sha256: text.into() };
        let context = world.context();
        world.take(publish.decide(latest.as_ref(), context)).await;
    }
    let create = CreateOrganization { id: "o".into(), name: "eng".into(), display_name: None };
    let context = world.context();
    world.take(create.decide(None, context)).await;
    let put = PutResource {
        resource_type: "Device".into(),
        id: "d".into(),
        attributes: serde_json::from_value(json!({"displayName": "Box", "externalId": "9"})).unwrap(),
        connection: Some("c".into()),
        scim_event: None,
    };
    let context = world.context();
    world.take(put.decide(None, context)).await;
    for state in &world.states {
        let connection = state.connection("c").await.unwrap().unwrap();
        assert_eq!((connection.version, &connection.settings), (1, &settings));
        assert_eq!(state.connections().await.unwrap(), [connection]);
        assert_eq!(state.custom_roles().await.unwrap()[0].permissions, ["x.read"]);
        assert!(state.roles("a").await.unwrap().iter().any(|held| held.role == role("reader", None)));
        assert_eq!((state.policies().await.unwrap().len(), state.active_policies().await.unwrap().len()), (2, 1));
        let latest = state.latest_policy("p").await.unwrap().unwrap();
        assert_eq!((latest.version, latest.text.as_str()), (2, "forbid;"));
        assert_eq!(state.organization("eng").await.unwrap().unwrap().id, "o");
        let device = state.custom_resource("Device", "d").await.unwrap().unwrap();
        assert_eq!(state.custom_resources_by_name("Device", "c", "BOX").await.unwrap(), std::slice::from_ref(&device));
        assert_eq!(
            state.custom_resources_by_external_id("Device", "c", "9").await.unwrap(),
            std::slice::from_ref(&device)
        );
        assert_eq!(state.custom_resources_of("Device", "c", None, 0, 9).await.unwrap(), std::slice::from_ref(&device));
        assert_eq!(state.count_custom_resources_of("Device", "c").await.unwrap(), 1);
    }
    let device = world.states[0].custom_resource("Device", "d").await.unwrap().unwrap();
    let connection = world.states[0].connection("c").await.unwrap().unwrap();
    let context = world.context();
    world.take(device.delete(None, context)).await;
    let context = world.context();
    world.take(connection.delete(&[], context)).await;
    for state in &world.states {
        assert!(state.custom_resources_of("Device", "c", None, 0, 9).await.unwrap().is_empty());
        assert!(state.connections().await.unwrap().is_empty());
        assert!(state.connection("c").await.unwrap().unwrap().deleted);
    }
}
