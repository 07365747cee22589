//! The real binary on a data directory and a port of its own.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::api::Api;
use crate::host::{Host, Process, end_of};
use crate::{TOKEN, binary, free_port};

/// How a server is started, and started again.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program.
    pub binary: PathBuf,
    /// A program that runs it, with arguments; empty for none.
    pub through: Vec<String>,
    /// Where it runs.
    pub host: Host,
    /// Where it listens.
    pub port: u16,
    /// Its data directory.
    pub directory: PathBuf,
    /// More environment.
    pub environment: Vec<(String, String)>,
    /// Where it prints to. Without, beside its data directory, and gone when the test has passed: what a server said
    /// is of use to someone who looks into a failure.
    pub log: Option<PathBuf>,
}

impl Launch {
    /// The binary under test on loopback.
    pub fn new(directory: &Path) -> Self {
        Self {
            binary: binary(),
            through: Vec::new(),
            host: Host::loopback(),
            port: free_port(),
            directory: directory.to_owned(),
            environment: Vec::new(),
            log: None,
        }
    }

    fn log(&self) -> PathBuf {
        self.log.clone().unwrap_or_else(|| self.directory.with_extension("server.log"))
    }

    fn start(&self) -> Process {
        let mut command = match self.through.split_first() {
            Some((program, arguments)) => {
                let mut command = self.host.command(program);
                command.args(arguments).arg(&self.binary);
                command
            }
            None => self.host.command(&self.binary),
        };
        command
            .args(["serve", "--address", &self.host.socket(self.port), "--data-directory"])
            .arg(&self.directory)
            .env("CHANCERY_SETUP_TOKEN", TOKEN)
            .env("CHANCERY_CONFIG", "/dev/null")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        Process::start(&mut command, &self.log())
    }
}

/// A running server. It is killed when dropped. What can be asked of it is what [`Api`] can ask.
#[derive(Debug)]
pub struct Server {
    process: Process,
    launch: Launch,
    api: Api,
    /// Its data directory.
    pub directory: PathBuf,
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
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Self::launch(Launch { environment: environment.iter().map(owned).collect(), ..Launch::new(directory) }).await
    }

    /// A server whose data directory is a file system of its own of a few MiB, in a mount namespace of its own.
    /// From outside it is seen as [`Server::inside`].
    pub async fn start_on_small_disk(directory: &Path, mebibytes: u32) -> Self {
        let script = format!("mount -t tmpfs -o size={mebibytes}m none {} && exec \"$0\" \"$@\"", directory.display());
        let through = ["unshare", "--map-root-user", "--mount", "--", "sh", "-c", &script].map(str::to_owned);
        Self::launch(Launch { through: through.into(), ..Launch::new(directory) }).await
    }

    /// A server started like this.
    pub async fn launch(launch: Launch) -> Self {
        let mut server = Self::begin(launch);
        server.alive().await;
        server
    }

    /// A server that may not listen yet.
    pub(crate) fn begin(launch: Launch) -> Self {
        let api = Api::new(format!("http://{}", launch.host.socket(launch.port)));
        Self { process: launch.start(), api, directory: launch.directory.clone(), launch, own: None }
    }

    /// Waits until it answers.
    ///
    /// # Panics
    /// When it ends, or does not answer within a minute.
    pub async fn alive(&mut self) {
        self.wait_for("/healthz").await;
    }

    /// Waits until it takes requests: what it depends on is there, and its state is not far behind.
    ///
    /// # Panics
    /// When it ends, or is not ready within a minute.
    pub async fn ready(&mut self) {
        self.wait_for("/readyz").await;
    }

    async fn wait_for(&mut self, path: &str) {
        let begun = Instant::now();
        while !self.api.succeeds(path).await {
            let said = || end_of(&self.launch.log());
            let ended = self.process.ended();
            assert!(ended.is_none(), "the server ended ({ended:?}): {}", said());
            assert!(begun.elapsed() < Duration::from_mins(1), "no success of {path} within a minute: {}", said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The data directory as the process sees it.
    pub fn inside(&self) -> PathBuf {
        let root = format!("/proc/{}/root", self.id());
        Path::new(&root).join(self.directory.strip_prefix("/").unwrap_or(&self.directory))
    }

    /// A command of the binary against this server.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.api.command(arguments);
        command.env("CHANCERY_DATA_DIRECTORY", &self.directory);
        command
    }

    /// A command of the binary with the settings of this server: it works on the same log, state and lake.
    pub fn operate(&self, arguments: &[&str]) -> Command {
        let mut command = self.launch.host.command(&self.launch.binary);
        command
            .args(arguments)
            .env("CHANCERY_CONFIG", "/dev/null")
            .envs(self.launch.environment.iter().map(|(name, value)| (name, value)))
            .env("CHANCERY_DATA_DIRECTORY", &self.directory);
        command
    }

    /// Runs a command of the binary against this server.
    #[expect(clippy::expect_used, reason = "tests")]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }

    /// Kills the process without a chance to say goodbye.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to stop and waits until it has; gives back whether it ended well.
    pub fn stop(&mut self) -> bool {
        self.process.stop()
    }

    /// Starts it again, after [`kill`](Self::kill) or [`stop`](Self::stop), on the same data and port.
    pub async fn restart(&mut self) {
        self.process = self.launch.start();
        self.alive().await;
    }

    /// The same with another binary, which it keeps: an upgrade, or the way back.
    pub async fn restart_with(&mut self, binary: PathBuf) {
        self.launch.binary = binary;
        self.restart().await;
    }

    /// Stops it in the middle of whatever it does, without ending it.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where it runs.
    pub fn host(&self) -> &Host {
        &self.launch.host
    }

    /// `address:port`.
    pub fn socket(&self) -> String {
        self.launch.host.socket(self.launch.port)
    }
}

impl Deref for Server {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if !std::thread::panicking() && self.launch.log.is_none() {
            std::fs::remove_file(self.launch.log()).ok();
        }
    }
}
