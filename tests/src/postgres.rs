//! A PostgreSQL server of its own: a fresh cluster in a temporary directory, reached over loopback.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::host::{Home, Host, Process};

/// A running server. It is stopped when dropped.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    host: Host,
    home: Home,
    programs: PathBuf,
    settings: Vec<String>,
    port: u16,
}

impl Postgres {
    /// A server with more settings, each `name=value`.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_on(Host::loopback(), Home::temporary(), settings)
    }

    /// A server on what a directory holds.
    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    pub fn start_on(host: Host, mut home: Home, settings: &[&str]) -> Self {
        let programs = programs();
        let data = home.path().join("data");
        if is_root() {
            // PostgreSQL refuses to run as root; its package brings a user.
            run(Command::new("chown").arg("postgres").arg(home.path()));
        }
        if !data.join("PG_VERSION").exists() {
            let initialized = as_server(&Host::loopback(), &programs.join("initdb"))
                .args(["--username=chancery", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
                .arg(&data)
                .stdout(Stdio::null())
                .status();
            assert!(initialized.expect("initdb runs").success());
            let everyone = "host all all all trust\n";
            std::fs::write(data.join("pg_hba.conf"), everyone).expect("the directory can be written to");
        }
        let port = home.port();
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let process = serve(&programs, &host, &home, port, &settings);
        let mut server = Self { process, host, home, programs, settings, port };
        server.wait();
        server
    }

    /// `postgres://…` of a database of this name, which is created when it is not there.
    pub fn database(&self, name: &str) -> String {
        let port = self.port.to_string();
        // An error means that it exists.
        Command::new(self.programs.join("createdb"))
            .args(["-h", self.host.address(), "-U", "chancery", "-p", &port, name])
            .stderr(Stdio::null())
            .status()
            .ok();
        format!("postgres://chancery@{}/{name}", self.host.socket(self.port))
    }

    /// Stops at once, as if the power failed.
    pub fn crash(&mut self) {
        self.end("QUIT");
    }

    /// Ends all connections, and then itself.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Starts again on the same data and port.
    pub fn restart(&mut self) {
        self.process = serve(&self.programs, &self.host, &self.home, self.port, &self.settings);
        self.wait();
    }

    fn end(&mut self, signal: &str) {
        // Not a kill: its children would live on.
        if self.process.ended().is_none() && self.process.signal(signal) {
            self.process.wait();
        }
    }

    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    fn wait(&mut self) {
        let (address, port) = (self.host.address().to_owned(), self.port.to_string());
        let mut check = Command::new(self.programs.join("pg_isready"));
        check.args(["-q", "-h", &address, "-p", &port]);
        let log = self.home.path().join("postgres.log");
        self.process.wait_until("PostgreSQL", &log, || check.status().expect("pg_isready runs").success());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.crash();
    }
}

fn serve(programs: &Path, host: &Host, home: &Home, port: u16, settings: &[String]) -> Process {
    let mut command = as_server(host, &programs.join("postgres"));
    command.arg("-D").arg(home.path().join("data"));
    command.args(["-p", &port.to_string(), "-h", host.address(), "-k", ""]);
    for setting in settings {
        command.args(["-c", setting]);
    }
    Process::start(&mut command, &home.path().join("postgres.log"))
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

fn as_server(host: &Host, program: &Path) -> Command {
    if !is_root() {
        return host.command(program);
    }
    let mut command = host.command("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program).current_dir("/");
    command
}

#[expect(clippy::expect_used, reason = "tests")]
fn run(command: &mut Command) {
    assert!(command.status().expect("the command runs").success(), "{command:?}");
}
