//! The command line of a runner.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::containment::Limits;
use crate::http::{Connection, HttpServer};
use crate::identity::identity;
use crate::runner::{Shutdown, serve};
use crate::settings::Settings;
use crate::terraform::{Binaries, Engine, Mirror};

/// Where programs are looked for, unless it is said.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a runner is told on its command line.
#[derive(Debug, Args)]
pub struct RunnerArguments {
    /// Organization whose jobs it takes, where a token instead of a runner key is presented.
    #[arg(long, value_name = "NAME", env = "CHANCERY_RUNNER_ORGANIZATION")]
    organization: Option<String>,
    /// Runner key that registers it at its first start; better given as a file or in the environment.
    #[arg(long, value_name = "KEY", env = "CHANCERY_RUNNER_KEY", hide_env_values = true)]
    key: Option<String>,
    /// File with that key.
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    key_file: Option<PathBuf>,
    /// What it is called; the machine's name without.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A tag of this runner, where a token is presented: those of a registered one are its runner key's. May be repeated.
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// Jobs at the same time.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// Where jobs run, and where states are kept that the server does not keep.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/chancery-runner")]
    data_directory: PathBuf,
    /// File with certificates of authorities that are trusted besides the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Proxy to reach the server through; `$HTTPS_PROXY` and `$NO_PROXY` count without.
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// A binary of Terraform or its fork Tofu; may be repeated. Those on the path without.
    #[arg(long = "terraform", value_name = "FILE")]
    binaries: Vec<PathBuf>,
    /// Directory of binaries of Terraform and Tofu in several versions.
    #[arg(long, value_name = "DIR")]
    terraform_versions: Option<PathBuf>,
    /// Which one runs templates that take both: terraform or tofu.
    #[arg(long, value_name = "NAME", default_value = "terraform", value_parser = engine)]
    engine: Engine,
    /// Where Terraform, providers and scripts find programs.
    #[arg(long, value_name = "PATH", default_value = PATH)]
    job_path: String,
    /// An environment variable of this runner's that every job is given; may be repeated. Nothing else is.
    #[arg(long = "pass", value_name = "NAME")]
    passed: Vec<String>,
    /// Directory with providers, instead of their registries.
    #[arg(long, value_name = "DIR")]
    provider_directory: Option<PathBuf>,
    /// Network mirror of providers, instead of their registries.
    #[arg(long, value_name = "URL")]
    provider_mirror: Option<String>,
    /// Which providers come from there, such as `registry.terraform.io/*/*`; may be repeated.
    #[arg(long = "mirrored", value_name = "PATTERN")]
    mirrored: Vec<String>,
    /// The other providers still come from their registries.
    #[arg(long)]
    registries: bool,
    /// Directory where downloaded providers are kept between jobs.
    #[arg(long, value_name = "DIR")]
    plugin_cache: Option<PathBuf>,
    /// User and group, by number, that jobs run as.
    #[arg(long, value_name = "UID:GID", value_parser = user)]
    run_as: Option<(u32, u32)>,
    /// Directory of control groups (version 2) that the runner may make its own in.
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,
    /// Minutes that each command of a job may take.
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    time_limit: u64,
    /// Seconds between the interrupt and the kill of a canceled command.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    grace: u64,
    /// MiB of memory of a job's processes together.
    #[arg(long, value_name = "MIB", default_value_t = 4_096)]
    memory_limit: u64,
    /// Processes of a job at the same time.
    #[arg(long, value_name = "N", default_value_t = 512)]
    process_limit: u64,
    /// MiB of the largest file that a job may write.
    #[arg(long, value_name = "MIB", default_value_t = 4_096)]
    file_limit: u64,
    /// KiB of a job's log.
    #[arg(long, value_name = "KIB", default_value_t = 1_024)]
    log_limit: usize,
}

impl RunnerArguments {
    /// Runs a runner for this server until SIGTERM or SIGINT: it then takes no more jobs and ends when those that it has
    /// are done. A second signal cancels them.
    ///
    /// # Errors
    /// When it cannot begin, or the server no longer accepts it; in words.
    pub async fn run(&self, server: &str) -> Result<(), String> {
        let key = self.key()?;
        let server = server.trim_end_matches('/');
        let authorities = self.ca_file.clone();
        let connection = Connection {
            server: server.to_owned(),
            key: key.clone().unwrap_or_default(),
            identity: None,
            authorities,
            proxy: self.proxy.clone(),
            persistence: Duration::from_hours(1),
        };
        let mut settings = self.settings(server)?;
        let name = self.name.as_deref();
        let identity = identity(&connection, &settings.data_directory, key.as_deref(), name).await?;
        if let (Some(identity), None) = (&identity, &self.organization) {
            settings.organization.clone_from(&identity.organization);
        }
        let server = HttpServer::new(Connection { identity, ..connection })?;
        let binaries =
            Binaries::find(&settings.binaries, settings.versions.as_deref(), &settings.path, settings.engine);
        let binaries = binaries.await.map_err(|error| error.to_string())?;
        tracing::info!(%binaries, organization = settings.organization, jobs = settings.jobs, "the runner starts");
        let shutdown = Shutdown::default();
        let signals = tokio::spawn(follow_signals(shutdown.clone()));
        let ended = serve(Arc::new(server), Arc::new(settings), Arc::new(binaries), shutdown).await;
        signals.abort();
        ended.map_err(|error| error.to_string())
    }

    fn key(&self) -> Result<Option<String>, String> {
        match (&self.key, &self.key_file) {
            (Some(key), _) => Ok(Some(key.trim().to_owned())),
            (None, Some(file)) => match std::fs::read_to_string(file) {
                Ok(key) => Ok(Some(key.trim().to_owned())),
                Err(error) => Err(format!("the key file {}: {error}", file.display())),
            },
            // It has registered before.
            (None, None) => Ok(None),
        }
    }

    fn settings(&self, server: &str) -> Result<Settings, String> {
        let passed = self.passed.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)));
        let data_directory = std::path::absolute(&self.data_directory).map_err(|error| error.to_string())?;
        let absolute = |path: &Option<PathBuf>| path.as_ref().and_then(|path| std::path::absolute(path).ok());
        Ok(Settings {
            data_directory,
            server: server.to_owned(),
            organization: self.organization.clone().unwrap_or_else(|| "default".to_owned()),
            tags: self.tags.iter().cloned().collect::<BTreeMap<_, _>>(),
            jobs: self.jobs.max(1),
            limits: Limits {
                wall_clock: Duration::from_secs(self.time_limit * 60),
                grace: Duration::from_secs(self.grace),
                cpu_seconds: (self.time_limit * 60).max(1),
                memory_bytes: self.memory_limit << 20,
                processes: self.process_limit,
                file_bytes: self.file_limit << 20,
                ..Limits::default()
            },
            archive: chancery_terraform::Limits::default(),
            heartbeat: Duration::from_secs(10),
            log_bytes: self.log_limit << 10,
            binaries: self.binaries.iter().filter_map(|path| std::path::absolute(path).ok()).collect(),
            versions: absolute(&self.terraform_versions),
            engine: self.engine,
            path: self.job_path.clone(),
            mirror: Mirror {
                directory: absolute(&self.provider_directory),
                network: self.provider_mirror.clone(),
                include: self.mirrored.clone(),
                direct: self.registries,
            },
            plugin_cache: absolute(&self.plugin_cache),
            environment: passed.collect(),
            run_as: self.run_as,
            cgroup: self.cgroup.clone(),
            supervisor: std::env::current_exe().map_err(|error| error.to_string())?,
        })
    }
}

/// The first signal drains, the second cancels.
async fn follow_signals(shutdown: Shutdown) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    for token in [&shutdown.drain, &shutdown.now] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        token.cancel();
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("is not NAME=VALUE".to_owned()),
    }
}

fn engine(text: &str) -> Result<Engine, String> {
    Engine::from_name(text).ok_or_else(|| "is neither terraform nor tofu".to_owned())
}

fn user(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once(':').and_then(|(user, group)| Some((user.parse().ok()?, group.parse().ok()?)));
    match parsed {
        Some((user, group)) if user > 0 && group > 0 => Ok((user, group)),
        Some(_) => Err("jobs cannot run as root".to_owned()),
        None => Err("is not UID:GID".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        runner: RunnerArguments,
    }

    fn settings(arguments: &[&str]) -> Settings {
        let parsed = Command::try_parse_from(std::iter::once(&"runner").chain(arguments)).unwrap();
        parsed.runner.settings("https://chancery.example.com").unwrap()
    }

    #[test]
    fn only_what_is_named_is_passed_on() {
        let settings = settings(&["--pass", "PATH", "--pass", "NOT_THERE_AT_ALL", "--tag", "zone=a", "--tag", "gpu="]);
        assert_eq!(settings.environment.keys().map(String::as_str).collect::<Vec<_>>(), ["PATH"]);
        assert_eq!(settings.tags, [("gpu", ""), ("zone", "a")].map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        assert_eq!(settings.limits.wall_clock, Duration::from_hours(1));
    }

    #[test]
    fn jobs_never_run_as_root_by_choice() {
        let refused = |user: &str| Command::try_parse_from(["runner", "--run-as", user]).is_err();
        assert!(refused("0:0") && refused("1000:0") && refused("ada"));
        assert_eq!(settings(&["--run-as", "1000:1001"]).run_as, Some((1000, 1001)));
    }
}
