//! HAProxy in front of nodes that die in the middle of a request.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery_tests::free_port;
use reqwest::{Client, Method, StatusCode};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{deploy, run};

/// What nodes were asked for, checks of their health aside.
type Seen = Arc<Mutex<Vec<String>>>;

/// A node that is ready. One that dies reads a request and closes the connection.
async fn node(dies: bool, seen: Seen) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let Some(request) = request(&mut connection).await else { return };
                let check = request.starts_with("GET /readyz");
                if !check {
                    seen.lock().unwrap().push(request);
                }
                if check || !dies {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                    connection.write_all(answer).await.ok();
                }
            });
        }
    });
    port
}

/// The first line of a request, all of which has been read.
async fn request(connection: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    let mut piece = [0; 4096];
    loop {
        let count = connection.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        text.push_str(&String::from_utf8_lossy(&piece[..count]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase().lines().find_map(|line| {
            line.strip_prefix("content-length:").map(|length| length.trim().parse::<usize>().unwrap())
        });
        if body.len() >= length.unwrap_or(0) {
            return head.lines().next().map(str::to_owned);
        }
    }
}

/// A running HAProxy. It is killed when dropped.
struct Proxy {
    child: Child,
    url: String,
    _directory: TempDir,
}

impl Proxy {
    /// HAProxy with the configuration of Compose, in front of these ports.
    fn start(nodes: [u16; 3]) -> Self {
        let port = free_port();
        let mut configuration = std::fs::read_to_string(deploy("compose/haproxy.cfg")).unwrap();
        configuration = configuration.replace("bind :8080", &format!("bind 127.0.0.1:{port}"));
        for (number, node) in (1..).zip(nodes) {
            configuration = configuration.replace(&format!("chancery-{number}:8080"), &format!("127.0.0.1:{node}"));
        }
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("haproxy.cfg");
        std::fs::write(&file, configuration).unwrap();
        let mut haproxy = Command::new("haproxy");
        let child = haproxy.arg("-db").arg("-f").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let url = format!("http://127.0.0.1:{port}");
        Self { child: child.expect("haproxy runs"), url, _directory: directory }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn haproxy_accepts_its_configuration() {
    run(Command::new("haproxy").args(["-c", "-f"]).arg(deploy("compose/haproxy.cfg")), b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_costs_no_event_and_makes_nothing_twice() {
    let seen = Seen::default();
    let nodes = [node(true, seen.clone()).await, node(false, seen.clone()).await, node(false, seen.clone()).await];
    let proxy = Proxy::start(nodes);
    let http = Client::new();
    let send = async |method: Method, path: &str| {
        let request = http.request(method, format!("{}{path}", proxy.url)).body("{}");
        request.send().await.map_or(StatusCode::SERVICE_UNAVAILABLE, |response| response.status())
    };
    let mut tries = 0;
    while send(Method::GET, "/api/v1/lake").await != StatusCode::OK {
        tries += 1;
        assert!(tries < 100, "HAProxy lets nothing through");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    for (method, path) in [(Method::POST, "/api/v1/events"), (Method::GET, "/api/v1/audit/events")] {
        for _ in 0..12 {
            assert_eq!(send(method.clone(), path).await, StatusCode::OK, "{path}");
        }
        let times = seen.lock().unwrap().iter().filter(|line| line.contains(&format!("{path} "))).count();
        assert!(times > 12, "{path} never came to the node that dies");
    }

    let mut failed = 0;
    for _ in 0..12 {
        failed += u32::from(send(Method::POST, "/api/v1/tokens").await != StatusCode::OK);
    }
    let times = seen.lock().unwrap().iter().filter(|line| line.contains("/api/v1/tokens")).count();
    assert!(failed > 0, "no request for a token came to the node that dies");
    assert_eq!(times, 12, "a token was asked for more often than the client did");
}
