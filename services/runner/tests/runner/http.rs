//! Requests as they go over the wire, and the runner as a process.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chancery_runner::{
    Acquire, Connection, HttpServer, Identity, Instruction, Outcome, Planned, Server, ServerError, Transition,
};
use chancery_signatures::{CONTENT_DIGEST, Claim, KeyPair, SIGNATURE, SIGNATURE_INPUT, digest};
use serde_json::{Value, json};

use crate::terraform::terraform;
use crate::world::job;

/// A request that came.
#[derive(Debug, Clone)]
struct Request {
    line: String,
    headers: String,
    body: Value,
}

type Answers = Box<dyn Fn(&Request, usize) -> (u16, Vec<u8>) + Send>;

/// Somewhere to connect to, where every request is noted and answered.
struct Peer {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Peer {
    fn answering(answers: Answers) -> Self {
        Self::at(answers, None)
    }

    /// One whose clock says this.
    fn at(answers: Answers, date: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(request) = read(&stream) else { continue };
                let before = noted.lock().unwrap().len();
                noted.lock().unwrap().push(request.clone());
                let (status, body) = answers(&request, before);
                let length = body.len();
                let date = date.map(|date| format!("date: {date}\r\n")).unwrap_or_default();
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nretry-after: 0\r\n{date}connection: close\r\n\r\n"
                );
                (&stream).write_all(head.as_bytes()).ok();
                (&stream).write_all(&body).ok();
            }
        });
        Self { address, requests }
    }

    fn server(&self) -> HttpServer {
        HttpServer::new(Connection {
            server: format!("{}/", self.address),
            key: "the-key".to_owned(),
            persistence: Duration::from_secs(30),
            ..Connection::default()
        })
        .unwrap()
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn bytes(answer: &Value) -> Vec<u8> {
    answer.to_string().into_bytes()
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (mut headers, mut length) = (String::new(), 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        headers.push_str(&header);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { line: line.trim().to_owned(), headers, body: serde_json::from_slice(&body).unwrap_or_default() })
}

fn wire_job() -> Value {
    json!({
        "id": "j", "organization": "research", "transition": "start", "build_number": 1, "cancel_requested": false,
        "workspace": {"id": "w", "name": "engine", "owner": "ada", "owner_id": "u"},
        "template": {"id": "t", "name": "plain", "version": "v", "version_name": "v1", "sha256": "00"},
        "parameters": {"size": "small"},
    })
}

#[tokio::test]
async fn a_job_is_acquired_planned_and_finished_with_the_key() {
    let peer = Peer::answering(Box::new(|request, _| match request.line.split(' ').nth(1) {
        Some("/api/v1/jobs/acquire") => (200, bytes(&wire_job())),
        Some("/api/v1/jobs/j/planned") => {
            (200, bytes(&json!({"answer": "rejected", "judgement": {"reason": "too much"}})))
        }
        Some("/api/v1/jobs/j") => (200, bytes(&json!({"cancel_requested": true}))),
        _ => (204, Vec::new()),
    }));
    let server = peer.server();
    let request = Acquire { organization: "research".to_owned(), tags: [("zone".to_owned(), "lab".to_owned())].into() };
    let job = server.acquire(&request).await.unwrap().unwrap();
    assert_eq!((job.id.as_str(), job.owner.name.as_str()), ("j", "ada"));
    let plan = Planned { daily_cost: 7, unknown: vec!["a.b".to_owned()], resources: Vec::new() };
    let verdict = server.planned("j", &plan).await.unwrap();
    assert_eq!((verdict.accepted, verdict.reason.as_deref()), (false, Some("too much")));
    server.applying("j").await.unwrap();
    assert_eq!(server.heartbeat("j").await.unwrap(), Instruction::Cancel);

    let requests = peer.requests();
    assert!(requests.iter().all(|request| request.headers.to_lowercase().contains("authorization: bearer the-key")));
    assert_eq!(requests[0].body, json!({"organization": "research", "tags": {"zone": "lab"}, "wait_seconds": 60}));
    assert_eq!(requests[1].body, json!({"daily_cost": 7, "unknown": ["a.b"], "resources": []}));
    assert_eq!(requests[3].line, "GET /api/v1/jobs/j HTTP/1.1");
}

#[tokio::test]
async fn a_registered_runner_signs_every_request_by_the_clock_of_the_server() {
    let answers: Answers = Box::new(|_, before| match before {
        0 => (401, bytes(&json!({"title": "the clock is off"}))),
        _ => (204, Vec::new()),
    });
    let peer = Peer::at(answers, Some("Wed, 01 Jan 2020 00:00:00 GMT"));
    let pair = KeyPair::from_seed([7; 32]).unwrap();
    let public_key = pair.public_key();
    let identity = Identity::new("r".to_owned(), "lab".to_owned(), "research".to_owned(), BTreeMap::new(), pair);
    let server = HttpServer::new(Connection {
        server: peer.address.clone(),
        identity: Some(Arc::new(identity)),
        persistence: Duration::from_secs(30),
        ..Connection::default()
    });
    server.unwrap().applying("j").await.unwrap();
    let claims: Vec<Claim> = peer
        .requests()
        .iter()
        .map(|request| {
            let header = |name: &str| {
                let lines = request.headers.lines().filter_map(|line| line.split_once(": "));
                let found = lines.into_iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.trim().to_owned())
            };
            assert_eq!(header("authorization"), None);
            let required = |name: &str| header(name).unwrap();
            let claim = Claim::read(&required(CONTENT_DIGEST), &required(SIGNATURE_INPUT), &required(SIGNATURE));
            let claim = claim.unwrap();
            claim.verify(&public_key, "POST", "/api/v1/jobs/j/applying", "").unwrap();
            assert_eq!(claim.body_sha256, digest(b"{}"));
            claim
        })
        .collect();
    let [first, second] = claims.as_slice() else { panic!("{claims:?}") };
    assert_ne!(first.nonce, second.nonce);
    assert!(first.created > 1_600_000_000, "{first:?}");
    assert!((1_577_836_800..1_577_837_100).contains(&second.created), "{second:?}");
}

#[tokio::test]
async fn what_may_help_is_repeated_and_what_may_not_is_told() {
    let peer = Peer::answering(Box::new(|request, before| match request.line.split(' ').nth(1) {
        Some("/api/v1/jobs/busy/applying") if before < 2 => (503, bytes(&json!({"title": "busy"}))),
        Some("/api/v1/jobs/lost/applying") => (409, bytes(&json!({"title": "no", "detail": "another runner has it"}))),
        Some("/api/v1/jobs/barred/applying") => (401, bytes(&json!({"title": "the key was revoked"}))),
        _ => (204, Vec::new()),
    }));
    let server = peer.server();
    server.applying("busy").await.unwrap();
    assert_eq!(peer.requests().len(), 3);
    assert_eq!(server.applying("lost").await, Err(ServerError::Lost("another runner has it".to_owned())));
    assert_eq!(server.applying("barred").await, Err(ServerError::Unauthorized("the key was revoked".to_owned())));
    assert_eq!(peer.requests().len(), 5);
}

#[tokio::test]
async fn the_proxy_is_gone_through() {
    let proxy = Peer::answering(Box::new(|_, _| (204, Vec::new())));
    let server = HttpServer::new(Connection {
        server: "http://chancery.invalid".to_owned(),
        key: "the-key".to_owned(),
        proxy: Some(proxy.address.clone()),
        ..Connection::default()
    });
    assert_eq!(server.unwrap().acquire(&Acquire::default()).await, Ok(None));
    assert_eq!(proxy.requests()[0].line, "POST http://chancery.invalid/api/v1/jobs/acquire HTTP/1.1");
}

#[test]
fn certificates_that_are_none_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("authorities.pem");
    let with = || HttpServer::new(Connection { authorities: Some(file.clone()), ..Connection::default() });
    assert!(with().unwrap_err().contains("authorities.pem"));
    std::fs::write(&file, "not a certificate").unwrap();
    assert!(with().unwrap_err().contains("there is none"));
}

/// A runner as a process, in a data directory of its own.
fn start(peer: &Peer, data: &std::path::Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery-runner"));
    command.args(["--server", &peer.address, "--organization", "research", "--data-directory"]).arg(data);
    command.arg("--terraform").arg(terraform()).env("CHANCERY_RUNNER_KEY", "the-key").stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits for its end.
fn end(mut runner: Child) -> (Option<i32>, String) {
    let until = Instant::now() + Duration::from_mins(1);
    while runner.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            runner.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut errors = String::new();
    runner.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    (runner.wait().unwrap().code(), errors)
}

#[test]
fn a_runner_without_work_ends_at_once_when_it_is_told_to() {
    let peer = Peer::answering(Box::new(|_, _| (204, Vec::new())));
    let data = tempfile::tempdir().unwrap();
    let runner = start(&peer, data.path());
    while peer.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-TERM", &runner.id().to_string()]).status().unwrap().success());
    let (code, errors) = end(runner);
    assert_eq!(code, Some(0), "{errors}");
}

#[test]
fn a_runner_whose_key_is_not_accepted_ends_and_says_so() {
    let peer = Peer::answering(Box::new(|_, _| (401, bytes(&json!({"title": "the key was revoked"})))));
    let data = tempfile::tempdir().unwrap();
    let (code, errors) = end(start(&peer, data.path()));
    assert_eq!(code, Some(1));
    assert!(errors.contains("the server does not accept this runner: the key was revoked"), "{errors}");
    assert!(!errors.contains("the-key"));
}

#[test]
fn a_killed_runner_reports_its_job_when_it_is_started_again() {
    let directory = tempfile::tempdir().unwrap();
    let begun = directory.path().join("begun");
    let archive = crate::archives::main_tf(&format!(
        "resource \"terraform_data\" \"a\" {{\n  provisioner \"local-exec\" {{ command = \"touch '{}'; exec sleep 86371\" }}\n}}\n",
        begun.display()
    ));
    let mut offered = wire_job();
    offered["template"]["sha256"] = json!(job("j", Transition::Start, &archive).sha256);
    let peer = Peer::answering(Box::new(move |request, before| {
        let asked = |part: &str| request.line.contains(part);
        match () {
            () if asked("/acquire") && before == 0 => (200, bytes(&offered)),
            () if asked("/files") => (200, archive.clone()),
            () if asked("/planned") => (200, bytes(&json!({"answer": "accepted"}))),
            () if asked("GET") => (200, bytes(&json!({"cancel_requested": false}))),
            () => (204, Vec::new()),
        }
    }));
    let mut runner = start(&peer, &directory.path().join("data"));
    let until = Instant::now() + Duration::from_mins(1);
    while !begun.exists() {
        assert!(Instant::now() < until, "{:?}", peer.requests());
        std::thread::sleep(Duration::from_millis(20));
    }
    runner.kill().unwrap();
    runner.wait().unwrap();
    // What it ran ends by itself.
    while crate::world::runs("sleep 86371") {
        assert!(Instant::now() < until, "its job goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    let runner = start(&peer, &directory.path().join("data"));
    let finished = loop {
        let finished = peer.requests().into_iter().find(|request| request.line.contains("/finished"));
        if let Some(finished) = finished {
            break finished;
        }
        assert!(Instant::now() < until + Duration::from_mins(1), "{:?}", peer.requests());
        std::thread::sleep(Duration::from_millis(20));
    };
    let expected = (json!(Outcome::Failed), json!(true), json!(true));
    let said = |name: &str| finished.body[name].clone();
    assert_eq!((said("outcome"), said("applied"), said("resources_remain")), expected);
    assert!(Command::new("kill").args(["-TERM", &runner.id().to_string()]).status().unwrap().success());
    assert_eq!(end(runner).0, Some(0));
}
