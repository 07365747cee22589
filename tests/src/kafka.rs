//! An Apache Kafka broker of its own: the project's jars from Maven, one node that is broker and controller.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;

use crate::made_once;

const VERSION: &str = "3.9.1";

/// Who may use [`Kafka::guarded`], and with which password.
pub const KAFKA_CREDENTIALS: (&str, &str) = ("chancery", "chancery-secret");

/// A running broker. It is killed when dropped.
#[derive(Debug)]
pub struct Kafka {
    child: Child,
    directory: TempDir,
    open: u16,
    guarded: u16,
}

impl Kafka {
    /// A broker without topics.
    ///
    /// # Panics
    /// When Java or Maven is not installed, or the broker does not start.
    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    pub fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let (open, guarded) = (crate::free_port(), crate::free_port());
        let properties = directory.path().join("server.properties");
        std::fs::write(&properties, settings(directory.path(), open, guarded)).expect("the settings can be written");
        let formatted = java(directory.path())
            .args(["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"])
            .arg(&properties)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(formatted.expect("java runs").success());
        let child = serve(directory.path());
        let kafka = Self { child, directory, open, guarded };
        kafka.wait();
        kafka
    }

    /// `host:port` for anyone.
    pub fn open(&self) -> String {
        format!("127.0.0.1:{}", self.open)
    }

    /// `host:port` for [`KAFKA_CREDENTIALS`], by SASL PLAIN without TLS.
    pub fn guarded(&self) -> String {
        format!("127.0.0.1:{}", self.guarded)
    }

    /// Kills it without a chance to say goodbye.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Starts it again on the same data and ports.
    pub fn restart(&mut self) {
        self.child = serve(self.directory.path());
        self.wait();
    }

    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    fn wait(&self) {
        let client: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", self.open()).create().expect("a client");
        let begun = Instant::now();
        while client.fetch_metadata(None, Duration::from_secs(1)).is_err() {
            let log = std::fs::read_to_string(self.directory.path().join("broker.log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_mins(1), "Kafka is not ready after a minute: {log}");
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.kill();
    }
}

#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
fn serve(directory: &Path) -> Child {
    let log = std::fs::File::create(directory.join("broker.log")).expect("a file for the broker's log");
    let mut command = java(directory);
    command.arg("kafka.Kafka").arg(directory.join("server.properties"));
    command.stdout(log.try_clone().expect("a file")).stderr(log).spawn().expect("java runs")
}

fn java(directory: &Path) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx512m", "-cp"]).arg(format!("{}/*", jars().display())).current_dir(directory);
    command
}

/// The broker's jars.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
fn jars() -> PathBuf {
    let project = format!(
        r#"<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>dev.chancery</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
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

fn settings(directory: &Path, open: u16, guarded: u16) -> String {
    let (user, password) = KAFKA_CREDENTIALS;
    let controller = crate::free_port();
    format!(
        r#"process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=OPEN://127.0.0.1:{open},GUARDED://127.0.0.1:{guarded},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=OPEN://127.0.0.1:{open},GUARDED://127.0.0.1:{guarded}
listener.security.protocol.map=OPEN:PLAINTEXT,GUARDED:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=OPEN
sasl.enabled.mechanisms=PLAIN
listener.name.guarded.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
log.dirs={}
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"#,
        directory.join("data").display()
    )
}
