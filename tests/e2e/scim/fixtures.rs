//! The vendors' sequences of requests, replayed from `tests/fixtures/scim/`: what is answered, and what is on record.
//!
//! A fixture is one connection's story: `about`, `connection` (its settings), `steps`. A step has a `name`, a
//! `request` (method, path, headers, body), what to `expect` (status or statuses, headers, body, `absent` pointers)
//! and the `events` about users, groups and the directory that it must leave, no more and no fewer. It may `repeat`.
//! Values are named and compared as in [`matching`](super::matching).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chancery_tests::{Answer, Provider, Server};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::matching::{Captured, compare, filled, filled_text};
use super::{head, started_with};

const VENDORS: [&str; 6] = ["entra", "okta", "google", "onelogin", "jumpcloud", "ping"];

fn fixtures(vendor: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scim");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let is_of = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().starts_with(vendor);
    let mut files: Vec<PathBuf> = files.filter(is_of).collect();
    files.sort();
    files
}

async fn replay(vendor: &str) {
    let files = fixtures(&format!("{vendor}-"));
    assert!(!files.is_empty(), "there are no fixtures of {vendor}");
    for file in files {
        let fixture: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let (server, provider) = started_with(fixture["connection"].clone()).await;
        let mut replay = Replay { server, provider, captured: Captured::new() };
        replay.captured.insert("base".to_owned(), replay.provider.base.clone());
        for step in fixture["steps"].as_array().unwrap() {
            let times = step["repeat"].as_u64().unwrap_or(1);
            for number in 1..=times {
                replay.captured.insert("#".to_owned(), number.to_string());
                let at = format!("{}: {} ({number} of {times})", file.display(), step["name"]);
                replay.step(step, &at).await;
            }
        }
    }
}

struct Replay {
    server: Server,
    provider: Provider,
    captured: Captured,
}

impl Replay {
    async fn step(&mut self, step: &Value, at: &str) {
        let before = head(&self.server).await;
        let answer = self.ask(&step["request"], at).await;
        self.judge(&step["expect"], &answer, at);
        if let Some(expected) = step.get("events") {
            self.judge_events(expected, before, at).await;
        }
    }

    async fn ask(&self, request: &Value, at: &str) -> Answer {
        let request = filled(request, &self.captured);
        let unknown = request.to_string().find("{{").map(|begin| request.to_string()[begin..].to_owned());
        assert_eq!(unknown, None, "{at}: a name without a value");
        let method: Method = request["method"].as_str().unwrap().parse().unwrap();
        let mut headers = HeaderMap::from_iter([("accept", "application/scim+json")].map(header));
        for (name, value) in request["headers"].as_object().into_iter().flatten() {
            let (name, value) = header((name.as_str(), value.as_str().unwrap()));
            headers.insert(name, value);
        }
        self.provider.send_with(method, request["path"].as_str().unwrap(), &request["body"], headers).await
    }

    fn judge(&mut self, expected: &Value, answer: &Answer, at: &str) {
        let said = format!("{at}\n{}\n{} {}", answer.request, answer.status, answer.text);
        let status = json!(answer.status.as_u16());
        let allowed = expected["status"].as_array().is_some_and(|statuses| statuses.contains(&status));
        assert!(allowed || expected["status"] == status, "expected {}: {said}", expected["status"]);
        // Where 204 is allowed there may be no body to look at.
        assert!(!answer.text.is_empty() || expected["body"].is_null() || allowed, "there is no body: {said}");
        if !answer.text.is_empty() {
            assert_eq!(answer.header("content-type"), "application/scim+json", "{said}");
            let body = &expected["body"];
            let alike = if body.is_null() { Ok(()) } else { compare(body, &answer.body, &mut self.captured) };
            alike.unwrap_or_else(|reason| panic!("{reason}: {said}"));
        }
        for pointer in expected["absent"].as_array().into_iter().flatten() {
            let pointer = filled_text(pointer.as_str().unwrap(), &self.captured);
            assert_eq!(answer.body.pointer(&pointer), None, "{pointer} should be absent: {said}");
        }
        for (name, value) in expected["headers"].as_object().into_iter().flatten() {
            let actual = json!(answer.header(name));
            compare(value, &actual, &mut self.captured).unwrap_or_else(|reason| panic!("{name}: {reason}: {said}"));
        }
    }

    /// Events of the step, all by the connection.
    async fn judge_events(&mut self, expected: &Value, before: u64, at: &str) {
        let filter = format!("position:>{before} type:(user.*, group.*, directory.*)");
        let events = self.server.events(&filter).await;
        for event in &events {
            assert_eq!(event["actor"]["kind"], "idp", "{at}: {event}");
            assert_eq!(event["actor"]["id"], self.provider.connection, "{at}: {event}");
        }
        let events = Value::Array(events);
        compare(expected, &events, &mut self.captured).unwrap_or_else(|reason| {
            panic!("{at}: events: {reason}\nexpected {expected:#}\ngot {events:#}");
        });
    }
}

fn header((name, value): (&str, &str)) -> (HeaderName, HeaderValue) {
    (name.parse().unwrap(), value.parse().unwrap())
}

#[tokio::test]
async fn entra() {
    replay("entra").await;
}

#[tokio::test]
async fn okta() {
    replay("okta").await;
}

#[tokio::test]
async fn google() {
    replay("google").await;
}

#[tokio::test]
async fn onelogin() {
    replay("onelogin").await;
}

#[tokio::test]
async fn jumpcloud() {
    replay("jumpcloud").await;
}

#[tokio::test]
async fn ping() {
    replay("ping").await;
}

/// A fixture of a vendor that no test above replays would prove nothing.
#[test]
fn every_fixture_is_replayed_and_well_formed() {
    let replayed: BTreeSet<PathBuf> = VENDORS.iter().flat_map(|vendor| fixtures(&format!("{vendor}-"))).collect();
    assert_eq!(replayed, fixtures("").into_iter().collect());
    for file in replayed {
        let fixture: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let known = |value: &Value, names: &[&str]| {
            value.as_object().unwrap().keys().all(|name| names.contains(&name.as_str()))
        };
        assert!(known(&fixture, &["about", "connection", "steps"]), "{}", file.display());
        for step in fixture["steps"].as_array().unwrap() {
            assert!(known(step, &["name", "repeat", "request", "expect", "events"]), "{}: {step}", file.display());
            assert!(known(&step["request"], &["method", "path", "headers", "body"]), "{}: {step}", file.display());
            assert!(known(&step["expect"], &["status", "headers", "body", "absent"]), "{}: {step}", file.display());
        }
    }
}
