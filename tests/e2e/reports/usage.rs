//! Quota usage: the sums, the formats, and the same bytes whenever they are asked for.

use chancery_tests::Server;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{bytes, event, ingest, report, row};

/// A day in March: a workspace of 10 credits runs for 8 hours, somebody is in it for 2.
fn march() -> Vec<Value> {
    let at = |hour: u32| format!("2026-03-02T{hour:02}:00:00Z");
    let entry = |more: Value| {
        let mut entry = json!({"workspace_id": "w1", "build_number": 1, "allowance": 40, "cost": 10});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    };
    let session = json!({"kind": "ssh", "workspace_id": "w1"});
    vec![
        event(&at(0), "organization.created", "organization/eng", json!({"name": "eng"})),
        event(&at(0), "user.created", "user/ada", json!({"username": "ada", "name": "ada"})),
        event(&at(0), "group.created", "group/g1", json!({"name": "compilers", "quota_allowance": 40})),
        event(&at(1), "group.member.added", "group/g1", json!({"user_id": "ada"})),
        event(&at(1), "template.created", "template/t1", json!({"name": "docker"})),
        event(
            &at(7),
            "workspace.created",
            "workspace/w1",
            json!({"owner_id": "ada", "template_id": "t1", "name": "amber"}),
        ),
        event(&at(8), "quota.committed", "quota/eng/ada", entry(json!({}))),
        event(&at(9), "session.opened", "session/s1", session.clone()),
        event(&at(11), "session.closed", "session/s1", session),
        event(&at(16), "quota.released", "quota/eng/ada", entry(json!({"cost": 0}))),
        event(&at(17), "quota.denied", "quota/eng/ada", entry(json!({"cost": 60}))),
    ]
}

const PRICED: [(&str, &str); 3] = [("period", "2026-03"), ("price", "2.4"), ("currency", "EUR")];

#[tokio::test]
async fn the_report_of_a_month_has_its_sums() {
    let server = Server::start().await;
    ingest(&server, march()).await;
    let usage = report(&server, "quota-usage", &PRICED).await;
    let ada = row(&usage, "name", "ada");
    let expected = json!({
        "organization": "eng", "id": "ada", "name": "ada", "workspaces": 1, "allowance": 40, "allowance_change": 40,
        "peak_credits": 10, "credit_hours": 80, "cost": 8, "currency": "EUR", "denials": 1, "idle_hours": 6,
        "forecast_credit_hours": 80, "forecast_cost": 8,
    });
    assert_eq!(*ada, expected);
    assert_eq!(usage["totals"]["credit_hours"], 80);
    let by = async |by: &str| report(&server, "quota-usage", &[("period", "2026-03"), ("by", by)]).await;
    let group = by("group").await;
    assert_eq!(row(&group, "name", "compilers")["credit_hours"], 80);
    assert!(group["notes"].to_string().contains("each group the user was in at the time"));
    assert_eq!(row(&by("template").await, "name", "docker")["denials"], 1);
    assert_eq!(row(&by("organization").await, "name", "eng")["idle_hours"], 6);
    assert_eq!(row(&by("organization").await, "name", "eng")["cost"], Value::Null, "there is no price");
    // Half of it, by bounds.
    let half = [("from", "2026-03-02T12:00:00Z"), ("to", "2026-03-03")];
    assert_eq!(row(&report(&server, "quota-usage", &half).await, "name", "ada")["credit_hours"], 40);
    let other = [("period", "2026-04")];
    assert_eq!(report(&server, "quota-usage", &other).await["rows"], json!([]));
}

/// At the position that an answer named: after more events, after a rebuild, and in every format.
#[tokio::test]
async fn the_same_position_has_the_same_bytes() {
    let directory = TempDir::new().unwrap();
    let mut server = Server::start_in(directory.path(), &[]).await;
    ingest(&server, march()).await;
    let (_, position) = bytes(&server, "quota-usage", &PRICED).await;
    let formats = ["json", "csv", "parquet", "xlsx", "focus-csv", "focus-parquet"];
    let mut questions: Vec<Vec<(&str, &str)>> = Vec::new();
    for format in formats {
        questions.push([&PRICED[..], &[("format", format), ("position", &position)]].concat());
    }
    for by in ["group", "template", "organization"] {
        questions.push([&PRICED[..], &[("by", by), ("position", &position)]].concat());
    }
    let all = async |server: &Server| {
        let mut answers = Vec::new();
        for question in &questions {
            let (bytes, named) = bytes(server, "quota-usage", question).await;
            assert_eq!(named, position);
            answers.push(bytes);
        }
        answers
    };
    let first = all(&server).await;
    assert!(first[2].starts_with(b"PAR1") && first[3].starts_with(b"PK") && first[5].starts_with(b"PAR1"));
    // Late news of the same month: a new name, a new allowance, another session, more use.
    let late = "2026-03-02T10:00:00Z";
    ingest(
        &server,
        vec![
            event(late, "user.updated", "user/ada", json!({"username": "ada.l"})),
            event(late, "group.updated", "group/g1", json!({"name": "assemblers", "quota_allowance": 7})),
            event(late, "session.opened", "session/s2", json!({"kind": "ssh", "workspace_id": "w1"})),
            event(late, "quota.committed", "quota/eng/ada", json!({"workspace_id": "w2", "cost": 5})),
        ],
    )
    .await;
    assert!(first == all(&server).await, "after more events");
    let now = report(&server, "quota-usage", &PRICED).await;
    assert_eq!(row(&now, "name", "ada.l")["peak_credits"], 15);
    assert!(server.stop());
    let rebuilt = server.operate(&["state", "rebuild"]).output().unwrap();
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
    server.restart().await;
    assert!(first == all(&server).await, "after a rebuild");
}

#[tokio::test]
async fn a_report_is_on_record_with_what_was_asked_and_the_position() {
    let server = Server::start().await;
    ingest(&server, march()).await;
    let (_, position) = bytes(&server, "quota-usage", &[("period", "2026-03"), ("by", "group")]).await;
    bytes(&server, "quota-usage", &[("period", "2026-03"), ("format", "xlsx")]).await;
    let queried = server.events("type:audit.queried data.endpoint:report").await;
    assert_eq!(queried.len(), 1);
    let query = format!("quota-usage by=group period=2026-03 position={position}");
    assert_eq!(queried[0]["data"]["query"], query.as_str());
    let exported = server.events("type:audit.exported data.endpoint:report").await;
    assert_eq!((exported.len(), &exported[0]["data"]["format"]), (1, &json!("xlsx")));
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_and_says_why() {
    let server = Server::start().await;
    for (query, reason) in [
        (vec![("by", "moon")], "`by` is user"),
        (vec![("format", "docx")], "json, csv"),
        (vec![("format", "focus-csv")], "`price` and `currency`"),
        (vec![("price", "1")], "`currency`"),
        (vec![("price", "-1"), ("currency", "EUR")], "a price is"),
        (vec![("period", "2026-03"), ("from", "2026-01-01")], "either `period`"),
        (vec![("from", "2026-03-02"), ("to", "2026-03-01")], "later"),
        (vec![("position", "999999999")], "beyond the end"),
        (vec![("position", "1.2")], "partitions"),
        (vec![("nonsense", "1")], "nonsense"),
    ] {
        let request = server.request(Method::GET, "/api/v1/reports/quota-usage").query(&query);
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query:?}: {text}");
        assert!(text.contains(reason), "{query:?}: {text}");
    }
    let request = server.request(Method::GET, "/api/v1/reports/quota-usage").query(&[("organization", "nowhere")]);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_command_line_prints_reports_and_writes_files() {
    let server = Server::start().await;
    ingest(&server, march()).await;
    let run = |arguments: &[&str]| {
        let output = server.run(&[&["report"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let price = ["--period", "2026-03", "--price", "2.4", "--currency", "EUR"];
    let usage = [&["quota-usage"], &price[..]].concat();
    let table = run(&[&usage[..], &["--output", "table"]].concat());
    assert!(table.contains("credit_hours") && table.contains("ada") && table.contains("total"), "{table}");
    let csv = run(&[&usage[..], &["--output", "csv"]].concat());
    assert!(csv.starts_with("organization,id,name") && csv.contains("eng,ada,ada,1,40,40,10,80,8,EUR"), "{csv}");
    let json: Value = serde_json::from_str(&run(&[&usage[..], &["--output", "json"]].concat())).unwrap();
    assert_eq!(json["rows"][0]["cost"], 8);
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("march.xlsx");
    run(&[&usage[..], &["--output-file", file.to_str().unwrap()]].concat());
    assert!(std::fs::read(&file).unwrap().starts_with(b"PK"));
    let file = directory.path().join("march.csv");
    run(&[&usage[..], &["--format", "focus-csv", "--output-file", file.to_str().unwrap()]].concat());
    let focus = std::fs::read_to_string(&file).unwrap();
    assert!(focus.starts_with("BilledCost,BillingAccountId") && focus.contains("Credit-Hours"), "{focus}");
    assert!(run(&["list", "--output", "csv"]).contains("failed-sign-ins"));
}
