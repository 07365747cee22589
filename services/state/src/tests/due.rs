//! What is due by a clock that is passed in.

use std::sync::atomic::AtomicI64;

use chancery_domain::directory::{DirectoryUser, Member, UserStatus};
use chancery_domain::events::directory::{Connection, Deletion, GroupMapping, MappedRole};
use chancery_domain::events::groups::MemberKind;
use chancery_domain::groups::{CreateGroup, JoinGroup, Mapped};
use chancery_domain::users::{CreateUser, DeleteUser};

use super::*;

const DAY: i64 = 86_400_000_000;

/// Decisions on a state, and the clock that both go by.
struct World {
    decisions: Decisions,
    clock: Arc<AtomicI64>,
    ids: AtomicUsize,
    cancel: CancellationToken,
    _directory: TempDir,
}

impl World {
    async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000_000));
        let read = clock.clone();
        let read = Arc::new(move || Timestamp::from_micros(read.load(Ordering::SeqCst)).unwrap());
        let database = Database::Sqlite(directory.path().join("state.db"));
        let state = State::open(&database, &log, read).await.unwrap();
        let cancel = CancellationToken::new();
        let all = log.assignment(Role::Projector).unwrap();
        let projector = Projector::new(state.clone());
        tokio::spawn(consume(log.clone(), projector, Arc::new(state.clone()), all, cancel.clone()));
        let decisions = Decisions::new(log, state);
        Self { decisions, clock, ids: AtomicUsize::new(1), cancel, _directory: directory }
    }

    /// A context of the clock's.
    fn context(&self) -> Context {
        let first = self.ids.fetch_add(1000, Ordering::SeqCst) as u128;
        let now = Timestamp::from_micros(self.clock.load(Ordering::SeqCst)).unwrap();
        let actor = Actor { id: "clock".into(), ..Actor::default() };
        Context { now, actor, ..context(first) }
    }

    fn pass(&self, micros: i64) {
        self.clock.fetch_add(micros, Ordering::SeqCst);
    }

    async fn take(&self, decide: impl Fn(Context) -> Result<Vec<Event>, Refusal>) {
        let keys = ["all".to_owned()];
        let decided = self.decisions.decide(&keys, async || Ok::<_, CommandError>((decide(self.context())?, ())));
        decided.await.unwrap();
    }

    async fn user(&self, id: &str) -> DirectoryUser {
        self.decisions.state().user(id).await.unwrap().unwrap()
    }

    async fn create(&self, id: &str) {
        let attributes = json!({"userName": id, "active": true});
        let create = CreateUser {
            id: id.into(),
            attributes: serde_json::from_value(attributes).unwrap(),
            connection: Some("c".into()),
            organization: Some("eng".into()),
            roles: Vec::new(),
            scim_event: None,
        };
        self.take(|context| create.clone().decide(&[], context)).await;
    }
}

#[tokio::test]
async fn a_user_is_deleted_on_its_day_and_not_before() {
    let world = World::start().await;
    for (id, days) in [("a", 2), ("b", 9)] {
        world.create(id).await;
        let user = world.user(id).await;
        let remove = DeleteUser { deletion: Deletion::AfterDays(days), ..DeleteUser::default() };
        world.take(|context| remove.clone().decide(&user, &[], &Default::default(), context)).await;
    }
    world.pass(2 * DAY - 1);
    assert_eq!(world.decisions.delete_due_users(|| world.context()).await.unwrap(), 0);
    assert_eq!(world.user("a").await.status, UserStatus::Suspended);
    world.pass(1);
    assert_eq!(world.decisions.delete_due_users(|| world.context()).await.unwrap(), 1);
    assert_eq!(world.user("a").await.status, UserStatus::Deleted);
    assert_eq!(world.decisions.delete_due_users(|| world.context()).await.unwrap(), 0, "once");
    assert_eq!(world.user("b").await.status, UserStatus::Suspended);
    world.cancel.cancel();
}

/// A membership counts no more from the moment it ends, and is removed, with the role that came with it, when the clock's
/// decision is taken.
#[tokio::test]
async fn a_membership_ends_at_its_moment_and_is_removed_after_it() {
    let world = World::start().await;
    world.create("a").await;
    let role = MappedRole { organization: None, role: "auditor".into() };
    let settings = Connection {
        name: "idp".into(),
        group_mappings: vec![GroupMapping { group: "ops".into(), roles: vec![role] }],
        ..Connection::default()
    };
    let connect = chancery_domain::connections::CreateConnection { id: "c".into(), settings: settings.clone() };
    world.take(|context| connect.clone().decide(&[], context)).await;
    let create = CreateGroup {
        id: "g".into(),
        attributes: serde_json::from_value(json!({"displayName": "ops"})).unwrap(),
        connection: Some("c".into()),
        organization: Some("eng".into()),
        members: Vec::new(),
        scim_event: None,
    };
    world.take(|context| create.clone().decide(&[], Mapped::default(), context)).await;
    let state = world.decisions.state().clone();
    let group = state.group("g").await.unwrap().unwrap();
    let users = state.mapped_users("c", &["a".into()]).await.unwrap();
    let end = world.context().now.saturating_add_micros(DAY);
    let member = Member { id: "a".into(), kind: MemberKind::User, name: Some("a".into()), expires_at: Some(end) };
    let join = JoinGroup { member, reason: Some("on call".into()) };
    let mapped = Mapped { mappings: &settings.group_mappings, users: &users };
    world.take(|context| join.clone().decide(&group, UserStatus::Active, None, mapped, context)).await;

    world.pass(DAY - 1);
    assert_eq!(state.memberships("a").await.unwrap().len(), 1);
    assert_eq!(state.roles("a").await.unwrap().len(), 1);
    assert_eq!(world.decisions.end_due_memberships(|| world.context()).await.unwrap(), 0);
    world.pass(1);
    assert!(state.memberships("a").await.unwrap().is_empty(), "nothing has been done, and it is over");
    assert_eq!(world.decisions.end_due_memberships(|| world.context()).await.unwrap(), 1);
    assert!(state.membership("g", "a").await.unwrap().is_none());
    assert!(state.roles("a").await.unwrap().is_empty());
    assert_eq!(world.decisions.end_due_memberships(|| world.context()).await.unwrap(), 0, "once");
    world.cancel.cancel();
}
