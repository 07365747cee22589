//! The harness of the end-to-end tests: the real binary on a data directory and a port of its own.

mod kafka;
mod postgres;
mod python;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

pub use kafka::{KAFKA_CREDENTIALS, Kafka};
pub use postgres::Postgres;
pub use python::{pyspark, python};

/// The admin token every test server is given.
pub const TOKEN: &str = "chy_e2eadmintoken_0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdef";

/// The binary under test, built beside the tests.
///
/// # Panics
/// When it was not built.
#[expect(clippy::panic, clippy::expect_used, reason = "a test cannot go on without the binary")]
pub fn binary() -> PathBuf {
    let tests = std::env::current_exe().expect("the test knows its own path");
    // Tests are built in target/…/deps, the benchmark beside the binary.
    let candidates = tests.ancestors().skip(1).take(2).map(|directory| directory.join("chancery"));
    let Some(binary) = { candidates }.find(|binary| binary.is_file()) else {
        panic!("the binary is not built: run `make build` or `make test`");
    };
    binary
}

/// A directory of this name in `target`, filled by `make` unless it was before with the same `contents`. Tests of one
/// binary run side by side: one at a time makes something.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
fn made_once(name: &str, contents: &str, make: impl FnOnce(&Path)) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(name);
    let ready = directory.join("ready");
    if std::fs::read_to_string(&ready).is_ok_and(|made| made == contents) {
        return directory;
    }
    std::fs::create_dir_all(&directory).expect("target can be written to");
    make(&directory);
    std::fs::write(ready, contents).expect("target can be written to");
    directory
}

/// A port of loopback that nobody listens on.
///
/// # Panics
/// When there is none.
#[expect(clippy::expect_used, reason = "tests")]
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// A running server. It is killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// `http://address`.
    pub url: String,
    /// Its data directory.
    pub directory: PathBuf,
    http: Client,
    /// Keeps a directory of its own until the server is gone.
    own: Option<TempDir>,
}

impl Server {
    /// A server on an empty data directory of its own.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn start() -> Self {
        let own = TempDir::new().expect("a temporary directory");
        let mut server = Self::start_in(own.path(), &[]).await;
        server.own = Some(own);
        server
    }

    /// A server on a data directory, with more environment.
    pub async fn start_in(directory: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(binary());
        command.envs(environment.iter().copied());
        Self::launch(command, directory).await
    }

    /// A server whose data directory is a file system of its own of a few MiB, in a mount namespace of its own.
    /// From outside it is seen as [`Server::inside`].
    pub async fn start_on_small_disk(directory: &Path, mebibytes: u32) -> Self {
        let mut command = Command::new("unshare");
        let script = format!("mount -t tmpfs -o size={mebibytes}m none {} && exec \"$0\" \"$@\"", directory.display());
        command.args(["--map-root-user", "--mount", "--", "sh", "-c", &script]).arg(binary());
        Self::launch(command, directory).await
    }

    /// The data directory as the process sees it.
    pub fn inside(&self) -> PathBuf {
        let root = format!("/proc/{}/root", self.child.id());
        Path::new(&root).join(self.directory.strip_prefix("/").unwrap_or(&self.directory))
    }

    #[expect(clippy::expect_used, clippy::panic, reason = "tests")]
    async fn launch(mut command: Command, directory: &Path) -> Self {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(directory.with_extension("server.log"))
            .expect("a file for the server's log");
        command
            .args(["serve", "--address", &address, "--data-directory"])
            .arg(directory)
            .env("CHANCERY_SETUP_TOKEN", TOKEN)
            .env("CHANCERY_CONFIG", "/dev/null")
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().expect("the server starts");
        let url = format!("http://{address}");
        let mut server = Self { child, url, directory: directory.to_owned(), http: Client::new(), own: None };
        let begun = Instant::now();
        loop {
            let ready = server.http.get(format!("{}/healthz", server.url)).send().await;
            if ready.is_ok_and(|response| response.status() == StatusCode::OK) {
                return server;
            }
            if let Ok(Some(status)) = server.child.try_wait() {
                let log = std::fs::read_to_string(directory.with_extension("server.log")).unwrap_or_default();
                panic!("the server ended with {status}: {log}");
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "the server is not ready after a minute");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A request with the admin token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(TOKEN)
    }

    /// A request without credentials.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Gets JSON and expects success.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let response = self.request(Method::GET, path).query(query).send().await.expect("an answer");
        let status = response.status();
        let body = response.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Posts a batch of CloudEvents and gives back status and report.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn ingest(&self, batch: &Value) -> (StatusCode, Value) {
        let request = self.request(Method::POST, "/api/v1/events");
        let request = request.header("content-type", "application/cloudevents-batch+json").body(batch.to_string());
        let response = request.send().await.expect("an answer");
        (response.status(), response.json().await.expect("JSON"))
    }

    /// A command of the binary against this server.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env("CHANCERY_CONFIG", "/dev/null")
            .env("CHANCERY_CLIENT_SERVER", &self.url)
            .env("CHANCERY_CLIENT_TOKEN", TOKEN)
            .env("CHANCERY_DATA_DIRECTORY", &self.directory);
        command
    }

    /// Runs a command of the binary against this server.
    #[expect(clippy::expect_used, reason = "tests")]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }

    /// Kills the process without a chance to say goodbye.
    #[expect(clippy::expect_used, reason = "tests")]
    pub fn kill(&mut self) {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("the end of the process");
    }

    /// Asks it to stop and waits until it has; gives back whether it ended well.
    #[expect(clippy::expect_used, reason = "tests")]
    pub fn stop(&mut self) -> bool {
        let terminated = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        terminated.success() && self.child.wait().expect("the end of the process").success()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if !std::thread::panicking() {
            // What the server said is of use to someone who looks into a failure only.
            std::fs::remove_file(self.directory.with_extension("server.log")).ok();
        }
    }
}
