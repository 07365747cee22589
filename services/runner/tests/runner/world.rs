//! A runner and what is around it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chancery_runner::{
    Binaries, Engine, Job, Limits, Mirror, Named, Owner, RunnerError, Settings, Shutdown, Transition, serve,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::server::{Heard, Recorder};
use crate::terraform::terraform;

/// Longest that any job of the tests may take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server, a data directory, and a directory that scripts can leave signs in.
pub(crate) struct World {
    pub(crate) server: Arc<Recorder>,
    pub(crate) settings: Settings,
    pub(crate) signs: TempDir,
    _data: TempDir,
}

/// A runner at work.
pub(crate) struct Running {
    pub(crate) shutdown: Shutdown,
    pub(crate) task: JoinHandle<Result<(), RunnerError>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let settings = Settings {
            data_directory: data.path().join("runner"),
            server: "https://chancery.example.com".to_owned(),
            organization: "research".to_owned(),
            tags: BTreeMap::new(),
            jobs: 1,
            limits: Limits { grace: Duration::from_secs(20), ..Limits::default() },
            archive: chancery_runner::ArchiveLimits::default(),
            heartbeat: Duration::from_millis(100),
            log_bytes: 1 << 20,
            binaries: vec![terraform()],
            versions: None,
            engine: Engine::Terraform,
            path: "/usr/local/bin:/usr/bin:/bin".to_owned(),
            mirror: Mirror::default(),
            plugin_cache: None,
            environment: BTreeMap::new(),
            run_as: None,
            cgroup: None,
            supervisor: PathBuf::from(env!("CARGO_BIN_EXE_chancery-runner")),
        };
        Self { server: Arc::default(), settings, signs: tempfile::tempdir().unwrap(), _data: data }
    }

    /// Starts a runner.
    pub(crate) async fn start(&self) -> Running {
        let settings = Arc::new(self.settings.clone());
        let binaries = Binaries::find(&settings.binaries, None, &settings.path, settings.engine).await.unwrap();
        let shutdown = Shutdown::default();
        let served = serve(Arc::clone(&self.server), settings, Arc::new(binaries), shutdown.clone());
        Running { shutdown, task: tokio::spawn(served) }
    }

    /// Waits until something is told of a job.
    pub(crate) async fn until(&self, job: &str, holds: impl Fn(&Heard) -> bool) -> Heard {
        let waiting = self.server.until(job, holds);
        let heard = tokio::time::timeout(PATIENCE, waiting).await;
        heard.unwrap_or_else(|_| panic!("{job} did not come so far: {:?}", self.server.heard(job)))
    }

    /// Has one job done.
    pub(crate) async fn build(&self, job: Job, archive: Vec<u8>) -> Heard {
        let id = job.id.clone();
        self.server.offer(job, archive);
        let running = self.start().await;
        let heard = self.until(&id, |heard| !heard.finished.is_empty()).await;
        running.stop().await;
        assert!(fs::read_dir(self.settings.data_directory.join("jobs")).unwrap().next().is_none(), "something is left");
        heard
    }

    /// Where a script can leave a sign of this name.
    pub(crate) fn sign(&self, name: &str) -> PathBuf {
        self.signs.path().join(name)
    }

    /// The file of the state of the workspace.
    pub(crate) fn state(&self) -> PathBuf {
        self.settings.data_directory.join("states/workspace-1/terraform.tfstate")
    }

    /// Addresses in the state of the workspace.
    pub(crate) fn resources(&self) -> Vec<String> {
        let state: serde_json::Value = serde_json::from_slice(&fs::read(self.state()).unwrap()).unwrap();
        let text = |resource: &serde_json::Value, name: &str| resource[name].as_str().unwrap().to_owned();
        let resources = state["resources"].as_array().unwrap().iter();
        resources.map(|resource| format!("{}.{}", text(resource, "type"), text(resource, "name"))).collect()
    }
}

impl Running {
    /// Lets it end in good order.
    pub(crate) async fn stop(self) {
        self.shutdown.drain.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }
}

/// A job of Ada's workspace.
pub(crate) fn job(id: &str, transition: Transition, archive: &[u8]) -> Job {
    let named = |id: &str, name: &str| Named { id: id.to_owned(), name: name.to_owned() };
    Job {
        id: id.to_owned(),
        organization: "research".to_owned(),
        workspace: named("workspace-1", "engine"),
        build_number: 1,
        transition,
        template: named("template-1", "plain"),
        template_version: named(&format!("version-of-{id}"), "v1"),
        sha256: format!("{:x}", Sha256::digest(archive)),
        parameters: BTreeMap::new(),
        owner: Owner {
            id: "user-1".to_owned(),
            name: "ada".to_owned(),
            display_name: Some("Ada Lovelace".to_owned()),
            email: Some("ada@example.com".to_owned()),
            groups: vec!["developers".to_owned()],
            roles: vec!["member".to_owned()],
        },
        state: None,
        secrets: BTreeMap::new(),
    }
}

/// Waits until a file is there.
pub(crate) async fn appears(file: &Path) {
    let waiting = async {
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{} does not appear", file.display()));
}

/// Whether a process whose command line holds this text runs.
pub(crate) fn runs(text: &str) -> bool {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let command_lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let mut command_lines = command_lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    command_lines.any(|line| line.contains(text))
}
