//! Questions give the same answer wherever the events are: in the tail, in files, in merged files.

#![expect(
    clippy::cast_possible_truncation,
    clippy::manual_is_multiple_of,
    reason = "small numbers, written as they are read"
)]

mod nodes;
mod visibility;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chancery_domain::{Actor, Change, Event, Imported, Outcome, Resource, Timestamp};
use chancery_evidence::Sealed;
use chancery_filter::{Context, Filter};
use chancery_log::{Frontier, Log, LogOptions, Position, position};
use futures::TryStreamExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::*;

const NOW: i64 = 1_780_000_000_000_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

/// A varied event; `n` decides everything about it.
fn event(n: u64) -> Event {
    let kinds = ["user.login.succeeded", "user.login.failed", "session.opened", "com.example.thing"];
    let who = ["ada", "Bob", "grace"][n as usize % 3];
    let actor = Actor {
        id: format!("u{}", n % 3),
        name: (n % 7 != 0).then(|| who.to_owned()),
        email: (n % 5 != 0).then(|| format!("{who}@example.com")),
        ip: (n % 4 != 0).then(|| format!("10.0.{}.{}", n % 3, n % 200).parse().unwrap()),
        groups: if n % 2 == 0 { vec!["Staff".into(), format!("team{}", n % 3)] } else { Vec::new() },
        ..Actor::default()
    };
    let kind = kinds[n as usize % 4];
    // Out of order, over four days, with equal times.
    let time = at(NOW - i64::try_from((n * 7919) % 96).unwrap() * 3_600_000_000);
    let mut event =
        Event::new(kind, n.to_string(), "/test", time, actor, Resource::new("workspace", (n % 5).to_string()));
    event.data = match n % 4 {
        0 | 1 => json!({"method": "password", "unknown_user": n % 8 == 1}),
        2 => json!({"kind": "ssh", "host": format!("web-{}", n % 3)}),
        _ => json!({"total": n, "tags": ["a", {"deep": n % 3}]}),
    };
    event.outcome = Outcome::ALL[n as usize % 3];
    event.reason = (n % 6 == 0).then(|| "100% sure_\\ of it".to_owned());
    event.organization = (n % 3 == 0).then(|| "Engineering".to_owned());
    if n % 5 == 0 {
        event.changes = vec![Change::new("email", "old@example.com", who)];
        event.imported = Some(Imported { format: "sshd".into(), origin: None });
    }
    chancery_domain::validate::check(&event).unwrap();
    event
}

struct Fixture {
    directory: TempDir,
    log: Log,
    lake: Lake,
}

fn options() -> LakeOptions {
    LakeOptions { batch_events: 40, file_retention: Duration::ZERO, ..LakeOptions::default() }
}

async fn open(directory: &Path, log: &Log) -> Result<Lake, LakeError> {
    Lake::open(&directory.into(), log.clone(), options()).await
}

async fn fixture() -> Fixture {
    let directory = TempDir::new().unwrap();
    let log = Log::open(&directory.path().join("log"), LogOptions::default()).await.unwrap();
    let lake = open(&directory.path().join("lake"), &log).await.unwrap();
    Fixture { directory, log, lake }
}

impl Fixture {
    async fn append(&self, numbers: std::ops::Range<u64>) {
        self.log.append(numbers.map(|n| Sealed::new(&event(n)).unwrap()).collect()).await.unwrap();
    }

    /// Archives everything that is in the log.
    async fn archive(&self) {
        let cancel = CancellationToken::new();
        self.lake.inner.snapshot().await.unwrap();
        cancel.cancel();
        self.lake.run(cancel).await;
        assert_eq!(self.lake.watermark(), self.log.heads());
    }

    /// Every page of a walk that sees everything.
    async fn walk(&self, query: &str, ascending: bool, limit: usize) -> Vec<u64> {
        self.walk_as(&Visibility::All, query, ascending, limit).await
    }

    /// Every page of a walk.
    async fn walk_as(&self, visibility: &Visibility, query: &str, ascending: bool, limit: usize) -> Vec<u64> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let filter = Some(parse(query));
            let request = SearchRequest { filter, ascending, after, limit, total: false };
            let page = self.lake.search(visibility, request).await.unwrap();
            assert!(page.hits.len() <= limit);
            found.extend(page.hits.iter().map(|hit| hit.position));
            match page.next {
                Some(next) => after = Some(next.to_string().parse().unwrap()),
                None => return found,
            }
        }
    }
}

fn parse(query: &str) -> Filter {
    Filter::parse(query, &Context::new(at(NOW))).unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// Positions of the matching events in the order of a newest-first walk.
fn expected(events: u64, query: &str) -> Vec<u64> {
    let filter = parse(query);
    let mut keys: Vec<(Timestamp, u64)> = (0..events)
        .map(|n| (event(n), n + 1))
        .filter(|(event, position)| filter.matches(event, *position))
        .map(|(event, position)| (event.occurred_at, position))
        .collect();
    keys.sort_unstable();
    keys.into_iter().rev().map(|(_, position)| position).collect()
}

const LIMITS: SqlLimits = SqlLimits { timeout: Duration::from_secs(10), max_rows: 100 };

/// The rows of a SQL question's answer.
async fn ask(lake: &Lake, visibility: &Visibility, question: &str) -> Result<Vec<Vec<Value>>, LakeError> {
    let answer = lake.sql(visibility, question, LIMITS).await?;
    let columns: Vec<String> = answer.schema().fields().iter().map(|field| field.name().clone()).collect();
    let batches: Vec<_> = answer.try_collect().await?;
    rows(&batches, &columns)
}

/// The positions of an export, which has them as a column.
async fn exported(lake: &Lake, visibility: &Visibility, request: ExportRequest) -> Vec<u64> {
    let batches: Vec<_> = lake.export(visibility, request).await.unwrap().try_collect().await.unwrap();
    batches.iter().flat_map(crate::files::positions).map(|position| position.cast_unsigned()).collect()
}

const QUERIES: [&str; 24] = [
    "",
    "type:user.login.failed",
    "type:user.login.*",
    "actor:bob",
    "username:ADA",
    "-username:ada",
    "ip:10.0.1.0/24",
    "NOT ip:10.0.1.0/24",
    "outcome:(failure, denied) AND organization:engineering",
    "time:-1d",
    "time:2026-05-26..2026-05-27",
    "position:10..20",
    "group:staff -group:team1",
    "data.host:web-1",
    "data.total:>50",
    "data.tags.deep:2",
    "changes.email:*",
    "changes.email.new:grace",
    "imported:sshd",
    "reason:\"100% sure_\\\\ of it\"",
    "sure_",
    "-reason:*",
    "resource.id:3 OR (actor.id:u1 email:bob@example.com)",
    "event:*password*",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_place_of_an_event_gives_the_same_answers() {
    let fixture = fixture().await;
    fixture.append(0..100).await;
    for place in ["tail", "both", "files", "merged"] {
        match place {
            "both" => {
                fixture.archive().await;
                fixture.append(100..200).await;
            }
            "files" => fixture.archive().await,
            "merged" => {
                let before = fixture.lake.status();
                fixture.lake.inner.compact(2, &CancellationToken::new()).await.unwrap();
                let after = fixture.lake.status();
                assert!(after.files < before.files && after.rows == before.rows);
                fixture.lake.inner.remove_unneeded().await.unwrap();
            }
            _ => {}
        }
        let events = fixture.log.heads().total();
        for query in QUERIES {
            let newest_first = expected(events, query);
            assert_eq!(fixture.walk(query, false, 17).await, newest_first, "{place}: {query}");
            let oldest_first: Vec<u64> = newest_first.iter().rev().copied().collect();
            assert_eq!(fixture.walk(query, true, 1000).await, oldest_first, "{place}: {query}");
            let request =
                SearchRequest { filter: Some(parse(query)), limit: 1, total: true, ..SearchRequest::default() };
            let page = fixture.lake.search(&Visibility::All, request).await.unwrap();
            assert_eq!(page.total, Some(newest_first.len() as u64), "{place}: {query}");

            let request =
                ExportRequest { filter: Some(parse(query)), fields: Some(vec!["position".into()]), ascending: true };
            assert_eq!(exported(&fixture.lake, &Visibility::All, request).await, oldest_first, "{place}: {query}");
        }
        let hit = fixture.lake.event(&Visibility::All, "42").await.unwrap().unwrap();
        assert_eq!(hit.position, 43);
        assert_eq!(serde_json::from_str::<Event>(&hit.event).unwrap().data, event(42).data);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_by_field_path_and_time_agree_with_the_events() {
    let fixture = fixture().await;
    fixture.append(0..90).await;
    fixture.archive().await;
    fixture.append(90..120).await;
    let mut by_host: BTreeMap<Option<String>, u64> = BTreeMap::new();
    for n in 0..120 {
        *by_host.entry(event(n).data["host"].as_str().map(str::to_owned)).or_default() += 1;
    }
    let request = AggregateRequest { group_by: vec!["data.host".into()], limit: 10, ..AggregateRequest::default() };
    let result = fixture.lake.aggregate(&Visibility::All, request).await.unwrap();
    assert_eq!(result.columns, ["data.host", "count"]);
    let counted: BTreeMap<Option<String>, u64> =
        result.rows.iter().map(|row| (row[0].as_str().map(str::to_owned), row[1].as_u64().unwrap())).collect();
    assert_eq!(counted, by_host);

    let request = AggregateRequest {
        filter: Some(parse("type:user.login.*")),
        bucket: Some(Bucket::Day),
        distinct: Some("username".into()),
        limit: 100,
        ..AggregateRequest::default()
    };
    let result = fixture.lake.aggregate(&Visibility::All, request).await.unwrap();
    assert_eq!(result.columns, ["bucket", "count", "distinct"]);
    assert_eq!(
        result.rows.iter().map(|row| row[1].as_u64().unwrap()).sum::<u64>(),
        expected(120, "type:user.login.*").len() as u64
    );
    assert!(result.rows.iter().all(|row| row[2].as_u64().unwrap() <= 3));
    let unknown = AggregateRequest { group_by: vec!["colour".into()], limit: 1, ..AggregateRequest::default() };
    assert!(matches!(fixture.lake.aggregate(&Visibility::All, unknown).await, Err(LakeError::Invalid(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_reads_events_and_nothing_else() {
    let fixture = fixture().await;
    fixture.append(0..60).await;
    fixture.archive().await;
    fixture.append(60..70).await;
    let question = "SELECT count(*) AS n, count(DISTINCT actor_name) AS people FROM events
                    WHERE ip_in_network(actor_ip, '10.0.0.0/8')";
    let rows = ask(&fixture.lake, &Visibility::All, question).await.unwrap();
    assert_eq!(rows, [[json!(expected(70, "ip:10.0.0.0/8").len()), json!(3)]]);
    for refused in [
        "",
        "DELETE FROM events",
        "INSERT INTO events SELECT * FROM events",
        "CREATE TABLE t AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "COPY events TO '/tmp/x.parquet'",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM information_schema.tables",
        "SET datafusion.execution.batch_size = 1",
        "SELECT 1; SELECT 2",
        "SELECT nonsense FROM events",
        "EXPLAIN SELECT 1",
        "DROP TABLE events",
    ] {
        let error = fixture.lake.sql(&Visibility::All, refused, LIMITS).await.err();
        assert!(matches!(error, Some(LakeError::Invalid(_))), "{refused}: {error:?}");
    }
    let few = SqlLimits { max_rows: 5, ..LIMITS };
    let answer = fixture.lake.sql(&Visibility::All, "SELECT position FROM events", few).await.unwrap();
    let batches: Vec<_> = answer.try_collect().await.unwrap();
    assert_eq!(batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_the_table_ends_and_a_foreign_log_is_refused() {
    let fixture = fixture().await;
    fixture.append(0..100).await;
    fixture.archive().await;
    fixture.append(100..130).await;
    let lake = open(&fixture.directory.path().join("lake"), &fixture.log).await.unwrap();
    assert_eq!(lake.watermark(), Frontier::single(100));
    let again = Fixture { lake, ..fixture };
    assert_eq!(again.walk("", false, 50).await, expected(130, ""));
    again.archive().await;
    assert_eq!(again.walk("", false, 50).await, expected(130, ""));

    let other = Log::open(&again.directory.path().join("other"), LogOptions::default()).await.unwrap();
    let error = open(&again.directory.path().join("lake"), &other).await.unwrap_err();
    assert!(error.to_string().contains("do not belong together"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn walks_and_counts_stay_exact_while_events_arrive_are_archived_and_merged() {
    let fixture = fixture().await;
    let cancel = CancellationToken::new();
    let running = {
        let (lake, cancel) = (fixture.lake.clone(), cancel.clone());
        tokio::spawn(async move { lake.run(cancel).await })
    };
    let writing = {
        let log = fixture.log.clone();
        tokio::spawn(async move {
            for n in 0..150_u64 {
                let numbers = n * 4..(n + 1) * 4;
                log.append(numbers.map(|n| Sealed::new(&event(n)).unwrap()).collect()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    };
    while !writing.is_finished() {
        let head = fixture.log.heads().total();
        let request = SearchRequest { limit: 1, total: true, ..SearchRequest::default() };
        let page = fixture.lake.search(&Visibility::All, request).await.unwrap();
        assert!(page.total.unwrap() >= head, "an acknowledged event is missing");
        let walked = fixture.walk("", false, 97).await;
        let unique: std::collections::BTreeSet<u64> = walked.iter().copied().collect();
        assert_eq!(unique.len(), walked.len(), "a walk repeats an event");
        assert_eq!(unique.last().copied().unwrap_or(0), walked.len() as u64, "a walk skips an event");
        fixture.lake.inner.compact(3, &CancellationToken::new()).await.unwrap();
    }
    // The last events are in the tail when they are found, and what is in the tail is archived at the end.
    assert_eq!(fixture.walk("", true, 1000).await.len(), 600);
    cancel.cancel();
    running.await.unwrap();
    assert_eq!(fixture.lake.watermark(), Frontier::single(600));
    assert_eq!(fixture.walk("", true, 1000).await.len(), 600);
}

/// A frontier of several partitions.
fn frontiers() -> impl Strategy<Value = Frontier> {
    prop::collection::vec(0..1_u64 << 43, 1..20).prop_map(|places| {
        let mut frontier = Frontier::start(places.len() as u16);
        (0..).zip(places).for_each(|(partition, place)| frontier.advance(position(partition, place)));
        frontier
    })
}

proptest! {
    #[test]
    fn any_text_is_a_cursor_or_an_error(text in ".{0,40}", occurred_at in 0..NOW, position in 0..u64::MAX, end in frontiers()) {
        text.parse::<Cursor>().ok();
        let cursor = Cursor { occurred_at, position, end };
        prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
    }
}
