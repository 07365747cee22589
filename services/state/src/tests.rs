//! Folding is the same live and from scratch, and decisions are made on current state.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chancery_domain::decision::{Context, EventIds, Refusal};
use chancery_domain::events::tokens::TokenKind;
use chancery_domain::tokens::{CreateToken, Scope, TokenRefusal};
use chancery_domain::{Actor, Event, OWN_SOURCE, Resource, Timestamp};
use chancery_evidence::Sealed;
use chancery_log::{Frontier, Log, LogOptions, Role, consume, system_clock};
use chancery_tests::Postgres;
use proptest::prelude::*;
use serde_json::{Value, json};
use sqlx::Connection;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::rebuild::{compare, fold};
use crate::*;

mod allowances;
mod directory;
mod due;
mod history;
mod ledger;
mod plans;
mod runners;
mod templates;
mod usage;
mod work;

/// The kinds of step a random history is made of: type, resource kind, payload.
/// Kinds of step before those about runners.
const LAST: usize = 47 + history::STEPS;

fn step(kind: usize, id: u8, other: u8, number: u32) -> (&'static str, &'static str, Value) {
    let transition = ["start", "stop", "delete"][usize::from(other) % 3];
    let build = json!({"build_number": number, "transition": transition, "daily_cost": number % 7});
    let session = ["ssh", "web_ide", "file_transfer"][usize::from(other) % 3];
    match kind {
        0 => ("user.created", "user", json!({"username": format!("user{id}"), "roles": ["member"]})),
        1 => ("user.updated", "user", json!({"email": format!("{other}@example.com")})),
        2 => ("user.suspended", "user", json!({})),
        3 => ("user.reactivated", "user", json!({})),
        4 => ("user.deleted", "user", json!({})),
        5 => ("user.login.succeeded", "user", json!({"method": "oidc"})),
        6 => ("group.created", "group", json!({"name": format!("group{id}"), "quota_allowance": number})),
        7 => {
            ("group.member.added", "group", json!({"user_id": format!("{other}"), "user_name": format!("user{other}")}))
        }
        8 => ("group.member.removed", "group", json!({"user_id": format!("{other}")})),
        9 => ("group.deleted", "group", json!({})),
        10 => ("role.assigned", "user", json!({"role": format!("role{other}")})),
        11 => ("role.revoked", "user", json!({"role": format!("role{other}")})),
        12 => ("template.created", "template", json!({"name": format!("template{id}")})),
        13 => (
            "template.version.pushed",
            "template",
            json!({"version_id": format!("v{other}"), "version_name": "v", "sha256": "00", "size_bytes": number}),
        ),
        14 => {
            let types = [
                "template.version.promoted",
                "template.version.promotion.requested",
                "template.version.promotion.withdrawn",
                "template.version.archived",
                "template.version.unarchived",
            ];
            (types[number as usize % types.len()], "template", json!({"version_id": format!("v{other}")}))
        }
        15 => {
            let types = ["template.deprecated", "template.undeprecated", "template.updated"];
            let data = json!({"message": "use another", "display_name": "", "settings": {"daily_cost": number}});
            (types[number as usize % types.len()], "template", data)
        }
        16 => ("workspace.created", "workspace", json!({"template_id": format!("{other}")})),
        17 => ("workspace.build.requested", "workspace", build),
        18 => ("workspace.build.started", "workspace", build),
        19 => ("workspace.build.succeeded", "workspace", build),
        20 => ("workspace.build.failed", "workspace", build),
        21 => ("workspace.transferred", "workspace", json!({"from": "a", "to": format!("user{other}")})),
        22 => ("session.opened", "session", json!({"kind": session})),
        23 => ("session.closed", "session", json!({"kind": session, "duration_ms": number})),
        24 => ("session.denied", "session", json!({"kind": session})),
        25 => ("quota.allowance.set", "group", json!({"allowance": number})),
        26 => (
            "template.access.granted",
            "template",
            json!({"subject_kind": "user", "subject_id": format!("{other}"), "permission": "use"}),
        ),
        27 => (
            "template.access.revoked",
            "template",
            json!({"subject_kind": "user", "subject_id": format!("{other}"), "permission": "use"}),
        ),
        28 => ("organization.created", "organization", json!({"name": format!("org{id}")})),
        29 => ("com.example.unknown", "thing", json!({"n": number})),
        30..47 => work::step(kind - 30, other, number),
        47..LAST => history::step(kind - 47, id, other, number),
        _ => runners::step(kind - LAST, other, number),
    }
}

fn event(index: usize, (kind, id, other, number): (usize, u8, u8, u32)) -> Event {
    let (event_type, resource, data) = step(kind, id, other, number);
    let at = Timestamp::from_micros(1_700_000_000_000_000 + i64::from(number) * 1000).unwrap();
    let actor = Actor { id: other.to_string(), name: Some(format!("user{other}")), ..Actor::default() };
    let source = if number % 2 == 0 { OWN_SOURCE } else { "/test" };
    let mut event =
        Event::new(event_type, index.to_string(), source, at, actor, Resource::new(resource, id.to_string()));
    event.data = data;
    event.organization = resource.starts_with("runner").then(|| "eng".to_owned());
    chancery_domain::validate::check(&event).unwrap();
    event
}

async fn append(log: &Log, events: impl Iterator<Item = Event>) {
    log.append(events.map(|event| Sealed::new(&event).unwrap()).collect()).await.unwrap();
}

/// The engines every test runs on, for as long as this is held.
struct Engines {
    directory: TempDir,
    postgres: Postgres,
}

impl Engines {
    fn start() -> Self {
        Self { directory: TempDir::new().unwrap(), postgres: Postgres::start(&["fsync=off"]) }
    }

    /// A database of this name on each.
    fn databases(&self, name: &str) -> [Database; 2] {
        [
            Database::Sqlite(self.directory.path().join(name).with_extension("db")),
            Database::Postgres { url: self.postgres.database("state"), schema: name.to_owned(), connections: 4 },
        ]
    }
}

async fn open(log: &Log, database: &Database) -> State {
    State::open(database, log, system_clock()).await.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_rebuild_equals_what_was_folded_live(
        history in prop::collection::vec((0..LAST + runners::STEPS, 0..4_u8, 0..4_u8, 1..50_u32), 1..200),
        pauses in prop::collection::vec(1..40_usize, 1..8),
    ) {
        static CASE: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static ENGINES: Engines = Engines::start());
        let case = CASE.fetch_add(1, Ordering::Relaxed);
        ENGINES.with(|engines| tokio::runtime::Runtime::new().unwrap().block_on(async {
            let directory = TempDir::new().unwrap();
            let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
            let databases = engines.databases(&format!("live{case}"));
            let mut events = history.iter().copied().enumerate().map(|(index, step)| event(index, step));
            // Live: folded in pieces, the databases closed and opened between them.
            for pause in pauses.iter().copied().chain([usize::MAX]) {
                append(&log, events.by_ref().take(pause)).await;
                for database in &databases {
                    let live = open(&log, database).await;
                    fold(&log, &live, &log.heads()).await.unwrap();
                    live.close().await;
                }
            }
            let fresh = open(&log, &engines.databases(&format!("fresh{case}"))[0]).await;
            fold(&log, &fresh, &log.heads()).await.unwrap();
            for database in &databases {
                let live = open(&log, database).await;
                let report = compare(&live, &fresh, log.heads()).await.unwrap();
                assert_eq!(report.differences, [], "of {} rows of {database:?}", report.rows);
                live.close().await;
            }
            fresh.close().await;
        }));
    }
}

#[tokio::test]
async fn a_rebuild_reports_rows_that_were_tampered_with_and_repairs_them() {
    let (directory, engines) = (TempDir::new().unwrap(), Engines::start());
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    append(&log, (0..3).map(|n| event(n, (0, u8::try_from(n).unwrap(), 0, 1)))).await;
    for live in engines.databases("live") {
        assert_eq!(rebuild(&log, &live, system_clock()).await.unwrap().different_rows, 0);
        let state = open(&log, &live).await;
        for tampering in ["UPDATE users SET username = 'mallory' WHERE id = '0'", "DELETE FROM users WHERE id = '1'"] {
            sqlx::query(tampering).execute(&state.pool).await.unwrap();
        }
        state.close().await;
        let report = rebuild(&log, &live, system_clock()).await.unwrap();
        assert_eq!(report.different_rows, 2);
        assert!(report.differences[0].live.as_ref().unwrap().contains("mallory"));
        assert_eq!((&report.differences[1].live, report.differences[1].table), (&None, "users"));
        assert_eq!(rebuild(&log, &live, system_clock()).await.unwrap().different_rows, 0);
    }
}

#[tokio::test]
async fn an_unreadable_event_is_parked_and_the_rest_is_folded() {
    let (directory, engines) = (TempDir::new().unwrap(), Engines::start());
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    append(&log, [event(0, (0, 0, 0, 1))].into_iter()).await;
    log.close().await;
    let journal = format!("sqlite://{}", directory.path().join("journal.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&journal).await.unwrap();
    let broken = r#"{"action":"create","data":{"username":7},"type":"user.created"}"#;
    sqlx::query("INSERT INTO journal VALUES (2, ?)").bind(broken).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;

    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    append(&log, [event(3, (0, 1, 0, 1))].into_iter()).await;
    for database in engines.databases("state") {
        let state = open(&log, &database).await;
        fold(&log, &state, &Frontier::single(3)).await.unwrap();
        assert_eq!(state.list(ResourceKind::Users, Within::All, None, 10).await.unwrap().len(), 2);
        let parked = state.dead_letters(0, 10).await.unwrap();
        assert_eq!((parked.len(), parked[0].position, parked[0].event.as_str()), (1, 2, broken));
        assert!(parked[0].reason.contains("missing field"), "{}", parked[0].reason);
        assert_eq!(state.consumers().await.unwrap()[0].dead_letters, 1);
        state.close().await;
    }
}

#[tokio::test]
async fn lists_page_by_id_and_show_times_and_roles() {
    let (directory, engines) = (TempDir::new().unwrap(), Engines::start());
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    append(&log, (0..4).map(|n| event(n, (0, u8::try_from(n).unwrap(), 0, 1)))).await;
    for database in engines.databases("state") {
        let state = open(&log, &database).await;
        fold(&log, &state, &Frontier::single(4)).await.unwrap();
        let page = state.list(ResourceKind::Users, Within::All, Some("1"), 2).await.unwrap();
        assert_eq!(page.iter().map(|user| user["id"].as_str().unwrap()).collect::<Vec<_>>(), ["2", "3"]);
        assert_eq!(page[0]["roles"], json!(["member"]));
        assert_eq!(page[0]["created_at"], "2023-11-14T22:13:20.001000Z");
        for kind in [ResourceKind::Groups, ResourceKind::Workspaces, ResourceKind::Sessions] {
            assert!(state.list(kind, Within::All, None, 10).await.unwrap().is_empty());
        }
        state.close().await;
    }
}

#[tokio::test]
async fn lists_show_the_rows_of_some_organizations_and_page_among_them() {
    let (directory, engines) = (TempDir::new().unwrap(), Engines::start());
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    let organizations = [Some("a"), Some("b"), None, Some("a"), Some("b")];
    let users = organizations.into_iter().enumerate().map(|(n, organization)| {
        let mut event = event(n, (0, u8::try_from(n).unwrap(), 0, 2));
        event.organization = organization.map(str::to_owned);
        event
    });
    let roles = ["a", "b"].into_iter().enumerate().map(|(n, organization)| {
        let mut event = event(n + 5, (10, 0, 0, 2));
        event.data = json!({"role": "auditor", "organization": organization});
        event
    });
    append(&log, users.chain(roles)).await;
    let named = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    for database in engines.databases("state") {
        let state = open(&log, &database).await;
        fold(&log, &state, &Frontier::single(7)).await.unwrap();
        let ids = async |within: Within<'_>, after: Option<&str>, limit: usize| {
            let rows = state.list(ResourceKind::Users, within, after, limit).await.unwrap();
            rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        let (a, both, none) = (named(&["a"]), named(&["a", "b"]), named(&[]));
        assert_eq!(ids(Within::All, None, 9).await, "0 1 2 3 4");
        assert_eq!(ids(Within::Only(&a), None, 1).await, "0");
        assert_eq!(ids(Within::Only(&a), Some("0"), 1).await, "3");
        assert_eq!(ids(Within::Only(&both), Some("1"), 2).await, "3 4");
        assert_eq!(ids(Within::Only(&none), None, 9).await, "");
        assert_eq!(ids(Within::AllBut(&a), None, 9).await, "1 2 4");
        assert_eq!(ids(Within::AllBut(&none), None, 9).await, "0 1 2 3 4");
        let roles = async |within: Within<'_>| {
            state.list(ResourceKind::Users, within, None, 1).await.unwrap()[0]["roles"].clone()
        };
        assert_eq!(roles(Within::All).await, json!(["member", "a/auditor", "b/auditor"]));
        assert_eq!(roles(Within::Only(&a)).await, json!(["a/auditor"]));
        let everyone = state.everyone(5).await.unwrap().unwrap();
        assert_eq!((everyone.len(), everyone[0].roles.len()), (5, 3));
        assert_eq!(state.everyone(4).await.unwrap(), None);
        state.close().await;
    }
}

#[tokio::test]
async fn a_node_starts_where_a_newer_one_has_migrated() {
    let (directory, engines) = (TempDir::new().unwrap(), Engines::start());
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    let [_, database] = engines.databases("state");
    let state = open(&log, &database).await;
    let later = "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
                 VALUES (9999, 'of a newer version', now(), TRUE, '', 0)";
    sqlx::query(later).execute(&state.pool).await.unwrap();
    state.close().await;
    open(&log, &database).await.close().await;
}

#[tokio::test]
async fn folding_goes_on_after_the_database_crashed() {
    let (directory, mut engines) = (TempDir::new().unwrap(), Engines::start());
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    let [_, database] = engines.databases("state");
    let state = open(&log, &database).await;
    let cancel = CancellationToken::new();
    let all = log.assignment(Role::Projector).unwrap();
    tokio::spawn(consume(log.clone(), Projector::new(state.clone()), Arc::new(state.clone()), all, cancel.clone()));
    for round in 0..3 {
        append(&log, (0..50).map(|n| event(round * 50 + n, (0, 1, 0, 1)))).await;
        engines.postgres.crash();
        engines.postgres.restart();
        append(&log, (50..60).map(|n| event(1000 + round * 50 + n, (5, 1, 1, 1)))).await;
        state.caught_up(&log.heads()).await.unwrap();
    }
    cancel.cancel();
    let fresh = open(&log, &engines.databases("fresh")[0]).await;
    fold(&log, &fresh, &log.heads()).await.unwrap();
    assert_eq!(compare(&state, &fresh, log.heads()).await.unwrap().differences, []);
}

fn context(first_id: u128) -> Context {
    Context {
        now: system_clock()(),
        ids: EventIds::starting_with(uuid::Uuid::from_u128(first_id)),
        source: OWN_SOURCE.into(),
        actor: Actor::default(),
        correlation: None,
        policies: Vec::new(),
    }
}

fn create(id: &str) -> CreateToken {
    CreateToken {
        id: id.into(),
        name: "ci".into(),
        secret_sha256: "00".into(),
        scopes: BTreeSet::from([Scope::Admin]),
        expires_at: None,
        kind: TokenKind::Api,
        owner: None,
    }
}

#[tokio::test]
async fn of_concurrent_revocations_one_wins_and_the_token_stops_working() {
    let directory = TempDir::new().unwrap();
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    let state = open(&log, &Database::Sqlite(directory.path().join("state.db"))).await;
    let cancel = CancellationToken::new();
    let all = log.assignment(Role::Projector).unwrap();
    tokio::spawn(consume(log.clone(), Projector::new(state.clone()), Arc::new(state.clone()), all, cancel.clone()));
    let decisions = Decisions::new(log.clone(), state.clone());

    decisions.create_token(create("t"), context(0)).await.unwrap();
    assert!(decisions.has_admin(system_clock()()).await.unwrap());
    assert!(matches!(
        decisions.create_token(create("t"), context(1)).await,
        Err(CommandError::Decision(DecisionError::Contended))
    ));
    let attempts = futures::future::join_all((2..10).map(|n| {
        let decisions = decisions.clone();
        async move { decisions.revoke_token("t", context(n)).await }
    }))
    .await;
    assert_eq!(attempts.iter().filter(|attempt| attempt.is_ok()).count(), 1);
    for attempt in attempts.into_iter().filter_map(Result::err) {
        assert!(matches!(attempt, CommandError::Refused(Refusal::Token(TokenRefusal::Revoked))), "{attempt}");
    }
    assert!(!decisions.has_admin(system_clock()()).await.unwrap());
    assert_eq!(log.heads(), Frontier::single(2));
    assert!(matches!(
        decisions.revoke_token("nobody", context(99)).await,
        Err(CommandError::Refused(Refusal::Token(TokenRefusal::Unknown)))
    ));
    cancel.cancel();
}
