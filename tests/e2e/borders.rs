//! The borders between organizations, on every operation of the OpenAPI document: nobody gets in without
//! credentials, no credentials do more than they say, and an auditor of one organization sees nothing of another.
//!
//! The operations are those of the document. One that is new is tested the day it is there; one that is public has
//! to be listed here.

use std::collections::BTreeSet;

use chancery_tests::{Provider, Server, SignedRunner};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// What anyone may ask without credentials. Each is a decision: it is made here, too.
const PUBLIC: [(&str, &str); 14] = [
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/api/openapi.json"),
    ("POST", "/api/v1/setup"),
    ("GET", "/auth/{provider}/start"),
    ("GET", "/auth/{provider}/callback"),
    ("GET", "/api/v1/sign-in/providers"),
    ("POST", "/api/v1/sign-in/exchange"),
    ("POST", "/api/v1/sign-in/device"),
    ("POST", "/api/v1/sign-in/device/poll"),
    // Takes a runner key instead of a token.
    ("POST", "/api/v1/runners/register"),
    // Public keys, and the serials of certificates that were taken back: sshd and agents have no credentials.
    ("GET", "/api/v1/sessions/keys"),
    ("GET", "/api/v1/ssh/authority"),
    ("GET", "/api/v1/ssh/revocations"),
];
/// Lists of what one was given, which may be nothing.
const GIVEN: [&str; 2] = ["/api/v1/templates", "/api/v1/workspaces"];
/// Names a template or a workspace in its body.
const ABOUT_A_TEMPLATE: &str = "/api/v1/quota/check";
/// Answers that do not end.
const ENDLESS: &str = "/api/v1/audit/tail";
/// What is in every name of organization A, and in nothing of B.
const SECRET: &str = "aardvark";

struct Operation {
    method: Method,
    path: String,
    description: Value,
}

impl Operation {
    fn is_public(&self) -> bool {
        PUBLIC.contains(&(self.method.as_str(), self.path.as_str()))
    }

    /// Its path with this for whatever it takes.
    fn with(&self, value: &str) -> String {
        let mut path = self.path.clone();
        while let (Some(begin), Some(end)) = (path.find('{'), path.find('}')) {
            path.replace_range(begin..=end, value);
        }
        path
    }

    fn takes_an_id(&self) -> bool {
        self.path.contains('{') || self.path == ABOUT_A_TEMPLATE
    }
}

async fn operations(server: &Server) -> Vec<Operation> {
    let document = server.get("/api/openapi.json", &[]).await;
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Ok(method @ (Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE)) =
                method.to_uppercase().parse::<Method>()
            {
                operations.push(Operation { method, path: path.clone(), description: operation.clone() });
            }
        }
    }
    assert!(operations.len() > 30, "the document has lost its operations: {}", operations.len());
    operations
}

/// Sends a request with a body that is JSON but says nothing, except what it is about where the path does not say it.
async fn ask(request: RequestBuilder, operation: &Operation) -> (StatusCode, String) {
    let body = if operation.path == ABOUT_A_TEMPLATE { json!({"template": "anything"}) } else { json!({}) };
    let request = if operation.method == Method::GET { request } else { request.json(&body) };
    let response = request.send().await.unwrap();
    let status = response.status();
    if operation.path == ENDLESS && status.is_success() {
        return (status, String::new());
    }
    (status, response.text().await.unwrap())
}

async fn token(server: &Server, request: &Value) -> String {
    let made = server.post("/api/v1/tokens", request).await.expect(StatusCode::CREATED);
    made["token"].as_str().unwrap().to_owned()
}

/// A user of an organization with one role in it, and a token with these scopes.
async fn person(server: &Server, organization: &str, role: Option<&str>, scopes: &[&str]) -> String {
    let idp = Provider::connect(server, json!({"organizations": [organization]})).await;
    let id = idp.user(&format!("{}-of-{organization}", role.unwrap_or("member")), json!({})).await;
    if let Some(role) = role {
        server.post("/api/v1/organizations", &json!({"name": organization})).await.made();
        let grant = json!({"role": role, "organization": organization});
        let granted = server.post(&format!("/api/v1/users/{id}/roles"), &grant).await;
        assert!(granted.status.is_success(), "{}", granted.text);
    }
    token(server, &json!({"name": "own", "scopes": scopes, "owner": {"kind": "user", "id": id}})).await
}

#[tokio::test]
async fn nobody_gets_in_and_what_is_public_is_listed() {
    let server = Server::start().await;
    let operations = operations(&server).await;
    for operation in &operations {
        let (method, path) = (&operation.method, operation.with("anything"));
        let (status, body) = ask(server.anonymous(method.clone(), &path), operation).await;
        if operation.is_public() {
            // The set-up takes its token from the body.
            let let_in = status != StatusCode::UNAUTHORIZED || operation.path == "/api/v1/setup";
            assert!(let_in, "{method} {path}: {status} {body}");
            continue;
        }
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}: {body}");
        let stranger = server.anonymous(method.clone(), &path).bearer_auth("chy_unknown_secret");
        let (status, body) = ask(stranger, operation).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} of a stranger: {body}");
    }
    for (method, path) in PUBLIC {
        assert!(
            operations.iter().any(|it| it.method == method && it.path == path),
            "{method} {path} is not there any more"
        );
    }
}

/// Whoever has no role may do nothing, whatever the scopes of his token; whoever has a role but not the scope, too.
#[tokio::test]
async fn no_credentials_do_more_than_they_say() {
    let server = Server::start().await;
    let ingest = token(&server, &json!({"name": "ingest", "scopes": ["ingest"]})).await;
    let without_role = person(&server, "beta", None, &["ingest", "read", "admin"]).await;
    let auditor_without_scope = person(&server, "gamma", Some("auditor"), &["ingest"]).await;
    for operation in operations(&server).await.iter().filter(|operation| !operation.is_public()) {
        let (method, path) = (&operation.method, operation.with("anything"));
        let events = operation.path == "/api/v1/events";
        for (who, token) in
            [("ingest", &ingest), ("no role", &without_role), ("auditor without a scope", &auditor_without_scope)]
        {
            if events && who != "no role" {
                continue;
            }
            let (status, body) = ask(server.anonymous(method.clone(), &path).bearer_auth(token), operation).await;
            let own = ["/api/v1/me", "/api/v1/tokens", "/scim/v2/Me"].iter().any(|own| operation.path.starts_with(own));
            let given = operation.method == Method::GET && GIVEN.contains(&operation.path.as_str());
            if given && who == "no role" {
                let nothing = serde_json::from_str::<Value>(&body).unwrap()["items"] == json!([]);
                assert!(status == StatusCode::OK && nothing, "{path}: {status} {body}");
                continue;
            }
            // What is one's own has no id in its path. An id that nobody has may be refused as such.
            // Where it depends on what is asked for, a body that does not say that is all there is to speak of.
            let unread = status == StatusCode::BAD_REQUEST && body.contains("Json deserialize error");
            let refused =
                status == StatusCode::FORBIDDEN || (operation.takes_an_id() && status == StatusCode::NOT_FOUND);
            let refused = refused || (unread && who == "no role");
            assert!(refused || (own && who == "no role"), "{who}: {method} {path}: {status} {body}");
        }
    }
    let denied = server.events("outcome:denied").await;
    assert!(denied.len() > 10, "who was stopped is on record");
}

/// Everything there can be of organization A: people, groups, work, a connection, tokens; names and ids of it.
async fn fill(server: &Server) -> BTreeSet<String> {
    let organization = server.post("/api/v1/organizations", &json!({"name": SECRET})).await.made();
    let team = json!({"name": format!("{SECRET}-team"), "organization": SECRET});
    let team = server.post("/api/v1/groups", &team).await.made();
    let idp = Provider::connect(server, json!({"name": format!("{SECRET}-idp"), "organizations": [SECRET]})).await;
    let user = idp.user(&format!("{SECRET}-user"), json!({"displayName": SECRET})).await;
    let group = idp.group(&format!("{SECRET}-group"), std::slice::from_ref(&user)).await;
    let key = json!({"name": format!("{SECRET}-key"), "organization": SECRET});
    let key = server.post("/api/v1/runner-keys", &key).await.expect(StatusCode::CREATED);
    let runner = SignedRunner::register(server, key["key"].as_str().unwrap(), &format!("{SECRET}-runner")).await.id;
    let key = key["id"].as_str().unwrap().to_owned();
    let event = |number: u32, event_type: &str, kind: &str, details: Value| {
        let id = format!("{SECRET}-{kind}");
        json!({
            "specversion": "1.0", "id": format!("{SECRET}-{number}"), "source": "/test", "type": event_type,
            "subject": format!("{kind}/{id}"),
            "data": {
                "actor": {"id": user, "name": format!("{SECRET}-user")}, "organization": SECRET, "details": details,
                "resource": {"kind": kind, "id": id, "name": id, "owner": format!("{SECRET}-user")},
            },
        })
    };
    let session = json!({"kind": "ssh", "workspace_name": format!("{SECRET}-workspace")});
    let entry = json!({"workspace_id": format!("{SECRET}-workspace"), "user_id": user, "cost": 3});
    let (_, report) = server
        .ingest(&json!([
            event(1, "template.created", "template", json!({"name": format!("{SECRET}-template")})),
            event(2, "workspace.created", "workspace", json!({"owner_id": format!("{SECRET}-ghost")})),
            event(3, "session.opened", "session", session),
            event(4, "workspace.build.failed", "workspace", json!({"build_number": 1, "transition": "start"})),
            event(5, "quota.committed", "quota", entry.clone()),
            event(6, "quota.denied", "quota", entry),
            event(7, "user.login.failed", "user", json!({"method": "password"})),
            event(8, "group.created", "group", json!({"name": format!("{SECRET}-team"), "quota_allowance": 5})),
        ]))
        .await;
    assert_eq!(report["created"], 8, "{report}");
    let mut ids: BTreeSet<String> =
        BTreeSet::from([user, group, organization, team, idp.connection, idp.token_id, key, runner]);
    ids.extend(["template", "workspace", "session"].map(|kind| format!("{SECRET}-{kind}")));
    for event in server.events(&format!("organization:{SECRET}")).await {
        ids.insert(event["id"].as_str().unwrap().to_owned());
    }
    assert!(ids.len() > 10, "{ids:?}");
    ids
}

/// Queries in every language that find everything: with and without naming what is not to be seen.
fn questions(operation: &Operation) -> Vec<Vec<(&'static str, String)>> {
    let mut questions = vec![Vec::new()];
    for parameter in operation.description["parameters"].as_array().into_iter().flatten() {
        match parameter["name"].as_str() {
            Some("q") => questions.extend(
                [
                    "*".to_owned(),
                    format!("organization:{SECRET}"),
                    format!("event:{SECRET}"),
                    format!("-actor:{SECRET}"),
                ]
                .map(|filter| vec![("q", filter)]),
            ),
            Some("total") => questions.push(vec![("total", "true".to_owned())]),
            Some("by") => questions.extend(
                ["group", "template", "organization", "account", "address"].map(|by| vec![("by", by.to_owned())]),
            ),
            Some("organization") => questions.push(vec![("organization", SECRET.to_owned())]),
            Some("format") if operation.path.contains("/reports/") => {
                questions.push(vec![("format", "csv".to_owned())]);
                let focus = [("format", "focus-csv"), ("price", "1"), ("currency", "EUR")];
                questions.push(focus.map(|(name, value)| (name, value.to_owned())).to_vec());
            }
            Some("group_by") => {
                questions
                    .extend(["organization", "username", "resource.name"].map(|by| vec![("group_by", by.to_owned())]));
            }
            _ => {}
        }
    }
    questions
}

#[tokio::test]
async fn an_auditor_of_one_organization_sees_nothing_of_another() {
    let server = Server::start().await;
    let auditor = person(&server, "beta", Some("auditor"), &["read"]).await;
    let ids = fill(&server).await;
    let mut answered = 0;
    for operation in operations(&server).await.iter().filter(|operation| !operation.is_public()) {
        let ask_as_auditor = |path: &str| server.anonymous(operation.method.clone(), path).bearer_auth(&auditor);
        let is_read = operation.method == Method::GET;
        if operation.takes_an_id() {
            for id in &ids {
                let path = operation.with(id);
                let (status, body) = ask(ask_as_auditor(&path), operation).await;
                assert!([403, 404].contains(&status.as_u16()), "{} {path}: {status} {body}", operation.method);
                assert_silent(&body.replace(id.as_str(), ""), &ids, &path);
            }
            continue;
        }
        for question in questions(operation).iter().filter(|_| is_read && operation.path != ENDLESS) {
            let request = ask_as_auditor(&operation.path).query(question);
            let (status, body) = ask(request, operation).await;
            answered += usize::from(status.is_success());
            assert_silent(&without_own_questions(&body), &ids, &format!("{} {question:?}", operation.path));
        }
    }
    assert!(answered > 10, "the auditor of beta was let in nowhere: {answered}");
}

/// What the test above does not find in the reports of the auditor of beta is in those of the administrator.
#[tokio::test]
async fn reports_show_an_administrator_what_they_hide_from_the_auditor_of_another_organization() {
    let server = Server::start().await;
    fill(&server).await;
    for (name, by) in [
        ("quota-usage", "user"),
        ("quota-usage", "group"),
        ("quota-usage", "organization"),
        ("failed-sign-ins", "account"),
        ("orphaned-workspaces", ""),
        ("privileged-actions", ""),
        ("access-review", ""),
    ] {
        let query = [("by", by)];
        let query = if by.is_empty() { &[][..] } else { &query[..] };
        let report = server.get(&format!("/api/v1/reports/{name}"), query).await;
        assert!(report.to_string().contains(SECRET), "{name} {by}: {report}");
    }
}

/// The same by SQL, counts and exports, whose answers have another shape.
#[tokio::test]
async fn nor_by_sql_counts_exports_and_reports() {
    let server = Server::start().await;
    let auditor = person(&server, "beta", Some("auditor"), &["read"]).await;
    let ids = fill(&server).await;
    let ask = |method: Method, path: &str| server.anonymous(method, path).bearer_auth(&auditor);
    for query in [
        "SELECT * FROM events WHERE type NOT LIKE 'audit.%'",
        "SELECT count(*) FROM events WHERE organization = 'aardvark'",
        "SELECT organization, count(*) FROM events GROUP BY 1",
        "SELECT id FROM events WHERE 1 = 1 OR organization = 'beta'",
        "SELECT e.actor_name FROM events AS e JOIN events AS f ON e.organization <> f.organization",
        "WITH x AS (SELECT * FROM events) SELECT resource_name FROM x WHERE type NOT LIKE 'audit.%'",
        "SELECT * FROM (SELECT resource_name FROM events WHERE type NOT LIKE 'audit.%' UNION ALL SELECT actor_name FROM events)",
    ] {
        let response = ask(Method::POST, "/api/v1/audit/sql").json(&json!({"query": query})).send().await.unwrap();
        let (status, body) = (response.status(), response.text().await.unwrap());
        if query.contains("count(*) FROM events WHERE") {
            let answer: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(answer["rows"], json!([[0]]), "{query}");
        }
        assert!(status.is_success() || status.is_client_error(), "{query}: {status} {body}");
        assert_silent(&body, &ids, query);
    }
    for format in ["ndjson", "csv"] {
        let query = [("format", format), ("q", "-type:audit.*")];
        let response = ask(Method::GET, "/api/v1/audit/export").query(&query).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_silent(&response.text().await.unwrap(), &ids, format);
    }
    let count =
        ask(Method::GET, "/api/v1/audit/aggregate").query(&[("q", "organization:aardvark")]).send().await.unwrap();
    let count: Value = count.json().await.unwrap();
    assert_eq!(count["rows"], json!([[0]]));
}

/// The tail, which has no end: an event of the other organization does not come, the next of one's own does.
#[tokio::test]
async fn nor_as_it_happens() {
    let server = Server::start().await;
    let auditor = person(&server, "beta", Some("auditor"), &["read"]).await;
    let request = server.anonymous(Method::GET, ENDLESS).bearer_auth(&auditor).query(&[("q", "-type:audit.*")]);
    let mut tail = request.send().await.unwrap();
    assert_eq!(tail.status(), StatusCode::OK);
    let ids = fill(&server).await;
    let own = json!([{
        "specversion": "1.0", "id": "own-1", "source": "/test", "type": "workspace.dormant", "subject": "workspace/own",
        "data": {"actor": {"id": "someone"}, "organization": "beta"},
    }]);
    assert_eq!(server.ingest(&own).await.1["created"], 1);
    let mut text = String::new();
    while !text.contains("own-1") {
        text.push_str(std::str::from_utf8(&tail.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert_silent(&text, &ids, "the tail");
}

/// Without the events that record the auditor's own questions: they name what she asked for.
fn without_own_questions(body: &str) -> String {
    let is_own = |event: &Value| event["type"].as_str().is_some_and(|event_type| event_type.starts_with("audit."));
    match serde_json::from_str::<Value>(body) {
        Ok(event) if is_own(&event) => String::new(),
        Ok(mut answer) => {
            if let Some(events) = answer.get_mut("events").and_then(Value::as_array_mut) {
                events.retain(|event| !is_own(event));
            }
            answer.to_string()
        }
        // One event a line.
        Err(_) => {
            body.lines().filter(|line| !line.contains("audit.queried") && !line.contains("audit.exported")).collect()
        }
    }
}

fn assert_silent(body: &str, ids: &BTreeSet<String>, at: &str) {
    assert!(!body.contains(SECRET), "{at}: {body}");
    for id in ids {
        assert!(!body.contains(id.as_str()), "{at}: {id} in {body}");
    }
}
