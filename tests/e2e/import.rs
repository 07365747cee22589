//! Importing logs that real programs wrote.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chancery_tests::Server;
use serde_json::Value;
use tempfile::TempDir;

/// Imports a file and gives back the summary.
fn import(server: &Server, format: &str, file: &Path, rejected: &Path) -> Value {
    let (file, rejected) = (file.to_str().unwrap(), rejected.to_str().unwrap());
    let output = server.run(&["import", format, file, "--rejected", rejected, "--output", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(number("lines"), number("imported") + number("duplicate") + number("ignored") + number("rejected"));
    summary
}

/// Files beside the checkout, if there are any.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(path);
    if path.exists() {
        return Some(path);
    }
    println!("{} is absent; logs written by this test cover the same code", path.display());
    None
}

#[tokio::test]
async fn published_logs_are_explained_to_the_last_line_and_can_be_imported_twice() {
    let directory = TempDir::new().unwrap();
    let rejected = directory.path().join("rejected");
    let server = Server::start().await;
    if let Some(log) = shared("ssh/secrepo_auth_ec2.log") {
        let summary = import(&server, "sshd", &log, &rejected);
        assert_eq!(summary["rejected"], 1, "the last line is cut off in the source");
        let again = import(&server, "sshd", &log, &rejected);
        assert_eq!((&again["duplicate"], &again["events"]), (&summary["imported"], &Value::from(0)));
        assert!(sign_ins(&server, "sshd:*").contains("\n173.192.158.3,61,303,"));
    }
    if let Some(trails) = shared("cloudtrail/stratus") {
        for file in fs::read_dir(trails).unwrap() {
            let summary = import(&server, "cloudtrail", &file.unwrap().path(), &rejected);
            assert_eq!(summary["rejected"], 0);
        }
        assert!(sign_ins(&server, "aws:*").contains("\nLongest sessions\n"));
    }
}

/// A private sshd whose log a private rsyslogd writes.
struct Sshd {
    daemons: Vec<Child>,
    /// /dev/log is one for all.
    _turn: fs::File,
    directory: TempDir,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            daemon.kill().ok();
            daemon.wait().ok();
        }
    }
}

impl Sshd {
    /// Starts both. The log arrives over /dev/log, or the journal where systemd owns it.
    fn start() -> Self {
        let turn = crate::turn_at_dev_log();
        let directory = tempfile::Builder::new().prefix("sshd").tempdir_in("/tmp").unwrap();
        let path = |name: &str| directory.path().join(name);
        let shown = |name: &str| path(name).display().to_string();
        for key in ["host_key", "user_key", "wrong_key"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &shown(key)]).status();
            assert!(made.unwrap().success());
        }
        fs::copy(path("user_key.pub"), path("authorized_keys")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nLogLevel VERBOSE\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n",
            shown("host_key"),
            shown("authorized_keys")
        );
        fs::write(path("sshd_config"), configuration).unwrap();
        let rsyslog = format!(
            "module(load=\"imuxsock\" SysSock.Use=\"on\")\n$ActionFileDefaultTemplate RSYSLOG_TraditionalFileFormat\n*.* {}\n",
            shown("auth.log")
        );
        fs::write(path("rsyslog.conf"), rsyslog).unwrap();
        let mut daemons = Vec::new();
        if !Path::new("/run/systemd/journal/dev-log").exists() {
            // What an earlier daemon left behind would look like a running one.
            fs::remove_file("/dev/log").ok();
            let arguments = ["-n", "-f", &shown("rsyslog.conf"), "-i", &shown("rsyslog.pid")];
            daemons
                .push(Command::new("rsyslogd").args(arguments).stderr(Stdio::null()).spawn().expect("rsyslogd runs"));
            wait_until(|| Path::new("/dev/log").exists());
        }
        fs::create_dir_all("/run/sshd").ok();
        let sshd = Command::new("/usr/sbin/sshd").args(["-D", "-f", &shown("sshd_config")]).spawn().expect("sshd runs");
        daemons.push(sshd);
        wait_until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { daemons, _turn: turn, directory, port }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn options(&self, key: &str) -> Vec<String> {
        let mut options = vec!["-i".to_owned(), self.path(key).display().to_string(), "-F".into(), "/dev/null".into()];
        for option in
            ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        {
            options.extend(["-o".to_owned(), option.to_owned()]);
        }
        options
    }

    fn ssh(&self, key: &str, user: &str, more: &[&str]) -> bool {
        let mut ssh = Command::new("ssh");
        ssh.args(self.options(key)).args(["-p", &self.port.to_string()]).args(more);
        let (destination, command) =
            (format!("{user}@127.0.0.1"), if more.contains(&"-N") { None } else { Some("true") });
        ssh.arg(destination).args(command).stderr(Stdio::null());
        ssh.status().unwrap().success()
    }

    /// Everything sshd has logged.
    fn log(&self) -> PathBuf {
        let log = self.path("auth.log");
        if Path::new("/run/systemd/journal/dev-log").exists() {
            let arguments = ["-t", "sshd", "-t", "sshd-session", "-o", "json", "--since", "-5min"];
            let output = Command::new("journalctl").args(arguments).output().unwrap();
            fs::write(&log, output.stdout).unwrap();
        }
        log
    }
}

/// How many accepted connections the log has the end of.
fn ended(log: &str) -> usize {
    let port = |line: &str| Some(line.split_once(" port ")?.1.split(' ').next()?.trim_matches(['"', '\\']).to_owned());
    let with = |texts: &[&str]| -> HashSet<String> {
        log.lines().filter(|line| texts.iter().any(|text| line.contains(text))).filter_map(port).collect()
    };
    let accepted = with(&["Accepted publickey for "]);
    accepted
        .intersection(&with(&[
            "Disconnected from user ",
            "Connection closed by 127.0.0.1 ",
            "Connection reset by 127.0.0.1 ",
        ]))
        .count()
}

fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..600 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it did not happen within thirty seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_real_sshd_is_explained_line_by_line() {
    let sshd = Sshd::start();
    let me = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned();
    assert!(!sshd.ssh("wrong_key", &me, &[]), "a wrong key opens nothing");
    assert!(!sshd.ssh("wrong_key", "nobody-here", &[]), "an unknown user gets nowhere");
    assert!(sshd.ssh("user_key", &me, &[]), "the right key works");
    let copied = Command::new("scp")
        .args(sshd.options("user_key"))
        .args(["-P", &sshd.port.to_string()])
        .arg(sshd.path("sshd_config"))
        .arg(format!("{me}@127.0.0.1:{}", sshd.path("copied").display()))
        .stderr(Stdio::null())
        .status();
    assert!(copied.unwrap().success());
    let forwarded = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let forward = format!("{forwarded}:127.0.0.1:{}", sshd.port);
    let mut tunnel = Command::new("ssh")
        .args(sshd.options("user_key"))
        .args(["-p", &sshd.port.to_string(), "-N", "-L", &forward, &format!("{me}@127.0.0.1")])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until(|| std::net::TcpStream::connect(("127.0.0.1", forwarded)).is_ok());
    tunnel.kill().unwrap();
    tunnel.wait().unwrap();
    wait_until(|| ended(&fs::read_to_string(sshd.log()).unwrap()) == 3);

    let server = Server::start().await;
    let rejected = sshd.path("rejected");
    let summary = import(&server, "sshd", &sshd.log(), &rejected);
    let why = fs::read_to_string(&rejected).unwrap_or_default();
    assert_eq!(summary["rejected"], 0, "{why}");
    let count = async |query: &str| {
        server.get("/api/v1/audit/events", &[("q", query), ("limit", "1"), ("total", "true")]).await["total"]
            .as_u64()
            .unwrap()
    };
    let log = fs::read_to_string(sshd.log()).unwrap();
    assert_eq!(count("type:user.login.succeeded imported:sshd").await, 3, "{log}");
    assert!(count("type:user.login.failed data.unknown_user:true").await >= 1, "{log}");
    assert_eq!(count("type:session.opened").await, 3, "{log}");
    assert_eq!(count("type:session.closed data.duration_ms:>=0").await, 3, "{log}");
    let answers = sign_ins(&server, "sshd:*");
    assert!(answers.contains(&format!("\n{me},login,")), "the account that succeeded after failures:\n{answers}");
    assert_eq!(answers.lines().filter(|line| line.starts_with(&format!("{me},127.0.0.1,"))).count(), 3, "{answers}");
}

/// Prints the answers about sign-ins and gives them back.
fn sign_ins(server: &Server, source: &str) -> String {
    let output = server.run(&["audit", "sign-ins", "--source", source, "--limit", "5", "--output", "csv"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = String::from_utf8(output.stdout).unwrap();
    println!("{source}\n{answers}");
    answers
}

#[tokio::test]
async fn an_interrupted_import_goes_on_where_it_stopped_and_starts_anew_with_another_server() {
    const EVENTS: u64 = 60_000;
    let directory = TempDir::new().unwrap();
    let (file, rejected) = (directory.path().join("events.ndjson"), directory.path().join("rejected"));
    let progress = directory.path().join("events.ndjson.progress");
    let lines: Vec<String> = (0..EVENTS).map(|number| crate::login(number).to_string()).collect();
    fs::write(&file, lines.join("\n")).unwrap();
    let server = Server::start().await;

    let mut interrupted = server.command(&["import", "cloudevents", file.to_str().unwrap()]).spawn().unwrap();
    while !progress.exists() {
        assert!(interrupted.try_wait().unwrap().is_none(), "the import ended before it could be interrupted");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    interrupted.kill().unwrap();
    interrupted.wait().unwrap();
    let note = fs::read(&progress).unwrap();
    let summary = import(&server, "cloudevents", &file, &rejected);
    assert!(summary["duplicate"].as_u64().unwrap() >= 1000, "{summary}");
    assert!(!progress.exists());
    let counted = server.get("/api/v1/audit/aggregate", &[("q", "source:\"/test\""), ("distinct", "id")]).await;
    assert_eq!(counted["rows"], serde_json::json!([[EVENTS, EVENTS]]));

    // The note of one server says nothing about another.
    fs::write(&progress, note).unwrap();
    let other = Server::start().await;
    assert_eq!(import(&other, "cloudevents", &file, &rejected)["imported"], EVENTS);
}
