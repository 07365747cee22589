//! What usage reports read: spans as they were known at a position, the same on every engine and after a rebuild.

use chancery_domain::usage::{Facts, MembershipKind, Span};
use chancery_log::Frontier;

use super::*;
use crate::UsagePeriod;
use crate::usage::{Select, Window};

const HOUR: i64 = 3_600_000_000;
/// Midnight of 2026-03-01.
const MARCH: i64 = 1_772_323_200_000_000;

/// An event of another system, `hours` after the first of March.
fn happened(number: usize, hours: i64, event_type: &str, resource: Resource, data: Value) -> Event {
    let at = Timestamp::from_micros(MARCH + hours * HOUR).unwrap();
    let actor = Actor { id: "someone".into(), ..Actor::default() };
    let mut event = Event::new(event_type, format!("usage-{number}"), "/elsewhere", at, actor, resource);
    event.organization = Some("eng".into());
    event.data = data;
    chancery_domain::validate::check(&event).unwrap();
    event
}

fn history() -> Vec<Event> {
    let quota = || Resource::new("quota", "eng/ada");
    let workspace = || Resource::new("workspace", "w1").named("amber");
    let session = || Resource::new("session", "s1");
    let entry = |cost: u32| json!({"workspace_id": "w1", "cost": cost, "build_number": 1});
    let build =
        |number: u32, transition: &str| json!({"build_number": number, "transition": transition, "daily_cost": 10});
    let place = json!({"kind": "ssh", "workspace_id": "w1"});
    let steps: Vec<(i64, &str, Resource, Value)> = vec![
        (-48, "user.created", Resource::new("user", "ada").named("ada"), json!({"username": "ada"})),
        (-47, "group.created", Resource::new("group", "g"), json!({"name": "compilers", "quota_allowance": 40})),
        (-46, "group.member.added", Resource::new("group", "g"), json!({"user_id": "ada"})),
        (-46, "workspace.created", workspace(), json!({"owner_id": "ada", "template_id": "t"})),
        (-40, "quota.committed", quota(), entry(10)),
        (-39, "workspace.build.succeeded", workspace(), build(1, "start")),
        (1, "session.opened", session(), place.clone()),
        (3, "session.closed", session(), json!({"kind": "ssh", "workspace_id": "w1", "duration_ms": 7_200_000})),
        (8, "workspace.build.succeeded", workspace(), build(2, "stop")),
        (8, "quota.released", quota(), entry(0)),
        (9, "quota.denied", quota(), entry(60)),
        (10, "group.updated", Resource::new("group", "g"), json!({"quota_allowance": 20})),
        (11, "group.member.removed", Resource::new("group", "g"), json!({"user_id": "ada"})),
        (12, "user.updated", Resource::new("user", "ada"), json!({"username": "ada.l"})),
    ];
    let event = |(number, (hours, event_type, resource, data))| happened(number, hours, event_type, resource, data);
    steps.into_iter().enumerate().map(event).collect()
}

/// The first day of March as it was known at a position.
async fn day(state: &State, known: Frontier) -> Facts {
    state.usage(&UsagePeriod { from: MARCH, until: MARCH + 24 * HOUR, known }).await.unwrap()
}

/// A stretch of hours of the first day.
fn hours(began: i64, ended: i64) -> Span {
    Span { began: MARCH + began * HOUR, ended: MARCH + ended * HOUR }
}

#[tokio::test]
async fn a_period_has_what_was_known_of_it_at_a_position_also_after_a_rebuild() {
    let (directory, engines) = (TempDir::new().unwrap(), Engines::start());
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    append(&log, history().into_iter()).await;
    for database in engines.databases("usage") {
        for _ in 0..2 {
            let state = open(&log, &database).await;
            fold(&log, &state, &log.heads()).await.unwrap();
            let facts = day(&state, log.heads()).await;
            let text = |symbol| facts.symbols.text(symbol);
            let charge = facts.charges[0];
            assert_eq!((facts.charges.len(), charge.span, charge.cost), (1, hours(0, 8), 10));
            assert!(charge.running);
            let whose = (text(charge.organization), text(charge.user), text(charge.workspace), text(charge.template));
            assert_eq!(whose, (Some("eng"), Some("ada"), Some("w1"), None));
            assert_eq!((facts.sessions.len(), facts.sessions[0].span), (1, hours(1, 3)));
            let places: Vec<(MembershipKind, Span)> = facts.memberships.iter().map(|it| (it.kind, it.span)).collect();
            let expected = [(MembershipKind::Organization, hours(0, 24)), (MembershipKind::User, hours(0, 11))];
            assert_eq!(places, expected);
            assert_eq!(facts.allowances.iter().map(|it| it.allowance).collect::<Vec<_>>(), [40, 20]);
            assert_eq!(facts.denials.len(), 1);
            let names: Vec<_> = facts.labels.iter().map(|label| text(label.name)).collect();
            assert_eq!(names, [Some("ada"), Some("compilers"), Some("amber"), Some("ada.l")]);

            // Before the session was closed: it goes on, and so does the workspace.
            let facts = day(&state, Frontier::single(7)).await;
            assert_eq!(facts.charges[0].span, hours(0, 24));
            assert_eq!(facts.sessions[0].span, hours(1, 24));
            assert_eq!((facts.denials.len(), facts.allowances.len(), facts.labels.len()), (0, 1, 3));
            // Before it was opened.
            assert_eq!(day(&state, Frontier::single(6)).await.sessions.len(), 0);
            state.close().await;
            assert_eq!(rebuild(&log, &database, system_clock()).await.unwrap().differences, []);
        }
    }
}

#[tokio::test]
async fn what_another_system_says_of_an_own_quota_is_not_heeded() {
    let directory = TempDir::new().unwrap();
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    let entry = |cost: u32| json!({"workspace_id": "w1", "cost": cost});
    let quota = || Resource::new("quota", "eng/ada");
    let own = Event { source: OWN_SOURCE.into(), ..happened(1, 0, "quota.committed", quota(), entry(10)) };
    let foreign = [
        happened(2, 1, "quota.released", quota(), entry(0)),
        happened(3, 2, "quota.committed", quota(), entry(99)),
        happened(4, 3, "quota.denied", quota(), entry(99)),
    ];
    append(&log, std::iter::once(own).chain(foreign)).await;
    let state = open(&log, &Database::Sqlite(directory.path().join("state.db"))).await;
    fold(&log, &state, &log.heads()).await.unwrap();
    let facts = day(&state, log.heads()).await;
    assert_eq!((facts.charges.len(), facts.denials.len()), (1, 0));
    assert_eq!((facts.charges[0].span, facts.charges[0].cost), (hours(0, 24), 10));
    state.close().await;
}

/// What is short is found by its beginning, what is long has an index of its own, and so has what ended later.
#[tokio::test]
async fn statements_of_reports_go_by_an_index() {
    let directory = TempDir::new().unwrap();
    let log = Log::open(directory.path(), LogOptions::default()).await.unwrap();
    let state = open(&log, &Database::Sqlite(directory.path().join("state.db"))).await;
    let period = UsagePeriod { from: MARCH, until: MARCH + 744 * HOUR, known: Frontier::single(5) };
    let select = Select::new(&period);
    for window in Window::all(&period) {
        for (table, statement) in
            [("quota_usage", select.charges(&window)), ("session_spans", select.sessions(&window))]
        {
            let index = match window {
                Window::Began(..) => format!("COVERING INDEX {table}_by_time (began_at>? AND began_at<?)"),
                Window::Long => format!("INDEX {table}_long (began_at<?)"),
                Window::Reopened => format!("INDEX {table}_ended (ended_position>? AND ended_position<?)"),
            };
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            let rows = sqlx::query(explain).fetch_all(&state.pool).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| sqlx::Row::get::<String, _>(row, 3)).collect();
            assert!(plan.iter().any(|step| step.contains(&index)), "{statement}\n{plan:?}");
        }
    }
    state.close().await;
}
