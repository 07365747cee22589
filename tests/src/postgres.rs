//! A PostgreSQL server of its own: a fresh cluster in a temporary directory, reached over loopback.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running server. It is stopped when dropped.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    directory: TempDir,
    programs: PathBuf,
    settings: Vec<String>,
    port: u16,
}

impl Postgres {
    /// A server with more settings, each `name=value`.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    pub fn start(settings: &[&str]) -> Self {
        let programs = programs();
        let directory = TempDir::new().expect("a temporary directory");
        if is_root() {
            // PostgreSQL refuses to run as root; its package brings a user.
            run(Command::new("chown").arg("postgres").arg(directory.path()));
        }
        let initialized = as_server(&programs.join("initdb"))
            .args(["--username=chancery", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(directory.path().join("data"))
            .stdout(Stdio::null())
            .status();
        assert!(initialized.expect("initdb runs").success());
        let port = crate::free_port();
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let child = serve(&programs, directory.path(), port, &settings);
        let server = Self { child, directory, programs, settings, port };
        server.wait();
        server
    }

    /// `postgres://…` of a database of this name, which is created when it is not there.
    pub fn database(&self, name: &str) -> String {
        let port = self.port.to_string();
        // An error means that it exists.
        Command::new(self.programs.join("createdb"))
            .args(["-h", "127.0.0.1", "-U", "chancery", "-p", &port, name])
            .stderr(Stdio::null())
            .status()
            .ok();
        format!("postgres://chancery@127.0.0.1:{port}/{name}")
    }

    /// Stops at once, as if the power failed.
    pub fn crash(&mut self) {
        self.signal("immediate");
        self.child.wait().ok();
    }

    /// Starts again on the same data and port.
    pub fn restart(&mut self) {
        self.child = serve(&self.programs, self.directory.path(), self.port, &self.settings);
        self.wait();
    }

    fn signal(&self, mode: &str) {
        as_server(&self.programs.join("pg_ctl"))
            .args(["stop", "--no-wait", "-m", mode, "-D"])
            .arg(self.directory.path().join("data"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .ok();
    }

    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    fn wait(&self) {
        let begun = Instant::now();
        loop {
            let ready = Command::new(self.programs.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status();
            if ready.expect("pg_isready runs").success() {
                return;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "PostgreSQL is not ready after a minute");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.signal("immediate");
        self.child.wait().ok();
    }
}

#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
fn serve(programs: &Path, directory: &Path, port: u16, settings: &[String]) -> Child {
    let mut command = as_server(&programs.join("postgres"));
    command.arg("-D").arg(directory.join("data")).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-k", ""]);
    for setting in settings {
        command.args(["-c", setting]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("postgres starts")
}

/// The newest installed version's programs: Debian keeps them out of the `PATH`.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("postgres").is_file()).max();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|directory| directory.join("postgres").is_file())
    };
    newest.or_else(on_path).expect("PostgreSQL is not installed: run `make test` or `make bench`, which install it")
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn as_server(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program).current_dir("/");
    command
}

#[expect(clippy::expect_used, reason = "tests")]
fn run(command: &mut Command) {
    assert!(command.status().expect("the command runs").success(), "{command:?}");
}
