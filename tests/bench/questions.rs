//! Nine questions auditors ask, over the HTTP API.

use std::collections::BTreeMap;
use std::time::Instant;

use chancery_tests::Server;
use reqwest::Method;
use serde_json::{Value, json};

use crate::append::percentile;
use crate::report::Report;

const RUNS: usize = 7;
/// How deep the deep page is, where there are so many events.
pub(crate) const DEEP: u64 = 1_000_000;

/// Milliseconds by question.
pub(crate) type Answers = BTreeMap<&'static str, f64>;

/// The names of the questions, in order.
pub(crate) const NAMES: [&str; 9] = [
    "query_newest_ms",
    "query_count_all_ms",
    "query_type_action_newest_ms",
    "query_type_action_count_ms",
    "query_user_month_ms",
    "query_denials_by_ip_ms",
    "query_daily_by_type_ms",
    "query_substring_ms",
    "query_deep_page_ms",
];

/// A name, a path and its query.
type Question<'a> = (&'static str, &'static str, Vec<(&'a str, &'a str)>);

/// The median of a few runs of each question, after one to warm up.
pub(crate) async fn measure(server: &Server) -> Answers {
    let someone =
        sql(server, "SELECT actor_name FROM events WHERE type = 'session.opened' ORDER BY position LIMIT 1").await;
    let user_month = format!("username:\"{}\" time:2026-03", someone[0][0].as_str().expect("a name"));
    let cursor = deep_cursor(server).await;
    let (events, aggregate) = ("/api/v1/audit/events", "/api/v1/audit/aggregate");
    let failed = "type:user.login.failed action:login";
    let questions: [Question<'_>; 9] = [
        (NAMES[0], events, vec![("limit", "50")]),
        (NAMES[1], aggregate, vec![]),
        (NAMES[2], events, vec![("q", failed), ("limit", "50")]),
        (NAMES[3], aggregate, vec![("q", failed)]),
        (NAMES[4], events, vec![("q", &user_month), ("limit", "1000")]),
        (NAMES[5], aggregate, vec![("q", "outcome:denied"), ("group_by", "ip"), ("limit", "50")]),
        (NAMES[6], aggregate, vec![("group_by", "type"), ("bucket", "day"), ("limit", "10000")]),
        (NAMES[7], events, vec![("q", "resource.name:*asil-4*"), ("limit", "50")]),
        (NAMES[8], events, vec![("cursor", &cursor), ("limit", "50")]),
    ];
    let mut answers = Answers::new();
    for (name, path, query) in questions {
        server.get(path, &query).await;
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let begun = Instant::now();
            server.get(path, &query).await;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        answers.insert(name, percentile(&mut times, 0.5));
    }
    answers
}

/// Where the page a million rows deep begins.
async fn deep_cursor(server: &Server) -> String {
    let count = sql(server, "SELECT count(*), max(position) FROM events").await;
    let number = |value: &Value| value.as_u64().expect("a number");
    let depth = DEEP.min(number(&count[0][0]) / 2);
    let row = format!(
        "SELECT arrow_cast(occurred_at, 'Int64'), position FROM events ORDER BY occurred_at DESC, position DESC LIMIT 1 OFFSET {depth}"
    );
    let row = sql(server, &row).await;
    format!("{:x}-{:x}-{}", number(&row[0][0]), number(&row[0][1]), number(&count[0][1]))
}

async fn sql(server: &Server, query: &str) -> Value {
    let request = server.request(Method::POST, "/api/v1/audit/sql").json(&json!({"query": query}));
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    answer["rows"].clone()
}

/// Adds the questions beside what the peers took.
pub(crate) fn report(report: &mut Report, answers: &Answers, peers: &[(&str, BTreeMap<String, f64>)]) {
    for name in NAMES {
        let time_of = |(peer, times): &(&str, BTreeMap<String, f64>)| Some(((*peer).to_owned(), *times.get(name)?));
        let peers = peers.iter().filter_map(time_of).collect();
        report.add(name, answers.get(name).copied().unwrap_or(f64::NAN), "ms", None, &peers);
    }
}
