//! What runs the broker: Docker, if its engine runs and has or gets Kafka's image, else Apache Kafka's own jars from
//! Maven on the machine's Java.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::host::{Host, Process};
use crate::made_once;

const VERSION: &str = "3.9.1";

/// A running broker. It is killed when dropped.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) process: Process,
    /// Set when it is the client of Docker that is this process's child.
    container: Option<String>,
}

impl Broker {
    /// Starts it on the settings in `server.properties`.
    pub(super) fn start(host: &Host, directory: &Path, port: u16) -> Self {
        let container = in_docker(host).then(|| format!("chancery-kafka-{port}"));
        let mut command = java(host, directory, container.as_deref());
        command.arg("kafka.Kafka").arg(directory.join("server.properties"));
        Self { process: Process::start(&mut command, &directory.join("broker.log")), container }
    }

    /// Kills it without a chance to say goodbye.
    pub(super) fn kill(&mut self) {
        if !self.docker("kill") {
            self.process.kill();
        }
        self.process.wait();
    }

    /// Asks it to end and waits until it has.
    pub(super) fn stop(&mut self) {
        if !self.docker("stop") {
            self.process.stop();
        }
        self.process.wait();
    }

    /// Stops it in the middle of whatever it does, without ending it.
    pub(super) fn pause(&self) {
        if !self.docker("pause") {
            self.process.pause();
        }
    }

    /// Lets it go on.
    pub(super) fn resume(&self) {
        if !self.docker("unpause") {
            self.process.resume();
        }
    }

    fn docker(&self, what: &str) -> bool {
        self.container.as_ref().is_some_and(|container| quiet("docker", &[what, container]))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Prepares an empty directory for the broker, with a user who signs in by SCRAM.
pub(super) fn format(host: &Host, directory: &Path, (user, password): (&str, &str)) {
    let container = in_docker(host).then(|| format!("chancery-kafka-format-{}", std::process::id()));
    let scram = format!("SCRAM-SHA-512=[name={user},password={password}]");
    let formatted = java(&Host::loopback(), directory, container.as_deref())
        .args(["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "--add-scram", &scram, "-c"])
        .arg(directory.join("server.properties"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(formatted.is_ok_and(|status| status.success()), "Kafka's directory cannot be prepared");
}

/// A program that Kafka comes with, by its class; its arguments are to follow. Of all files it sees those in a
/// directory.
pub(super) fn tool(class: &str, directory: &Path) -> Command {
    let host = Host::loopback();
    let container = in_docker(&host).then(|| format!("chancery-kafka-tool-{}", std::process::id()));
    let mut command = java(&host, directory, container.as_deref());
    // Numbers are printed with a decimal point.
    command.arg(class).env("LC_ALL", "C");
    command
}

/// Java with Kafka's classes; the class to run and its arguments are to follow.
fn java(host: &Host, directory: &Path, container: Option<&str>) -> Command {
    let heap = "-Xmx512m";
    let Some(container) = container else {
        let mut command = host.command("java");
        command.args([heap, "-cp"]).arg(format!("{}/*", jars().display())).current_dir(directory);
        return command;
    };
    let mut command = host.command("docker");
    let volume = format!("{0}:{0}", directory.display());
    command.args(["run", "--rm", "--name", container, "--network", "host", "--user", &user(), "--volume", &volume]);
    command.args(["--entrypoint", "java", &image(), heap, "-cp", "/opt/kafka/libs/*"]);
    command
}

/// Docker does not know the namespaces that a test makes.
fn in_docker(host: &Host) -> bool {
    static RUNS: OnceLock<bool> = OnceLock::new();
    let has_image = || quiet("docker", &["image", "inspect", &image()]) || quiet("docker", &["pull", &image()]);
    !host.is_namespace() && *RUNS.get_or_init(|| quiet("docker", &["info"]) && has_image())
}

fn image() -> String {
    format!("apache/kafka:{VERSION}")
}

fn user() -> String {
    let id = |which: &str| Command::new("id").arg(which).output().map(|output| output.stdout).unwrap_or_default();
    let [user, group] = ["-u", "-g"].map(|which| String::from_utf8_lossy(&id(which)).trim().to_owned());
    format!("{user}:{group}")
}

fn quiet(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let ended = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ended.is_ok_and(|status| status.success())
}

/// The jars of the broker and of the programs it comes with. What those need beside the broker's own jars is left out:
/// it would bring a second way to log, and the broker would be silent.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
fn jars() -> PathBuf {
    let project = format!(
        r#"<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>dev.chancery</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version>
<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>"#
    );
    let fetch = |directory: &Path| {
        std::fs::write(directory.join("pom.xml"), &project).expect("target can be written to");
        let fetched = Command::new("mvn")
            .args(["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"])
            .current_dir(directory)
            .status();
        assert!(fetched.expect("mvn runs").success(), "Kafka's jars cannot be fetched");
    };
    made_once("kafka", &project, fetch).join("jars")
}
