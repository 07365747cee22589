//! A private sshd that believes Chancery's certificates, and the log that a private rsyslogd writes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chancery_tests::Server;
use tempfile::TempDir;

pub(super) struct Sshd {
    daemons: Vec<Child>,
    /// /dev/log is one for all.
    _turn: fs::File,
    directory: TempDir,
    pub(super) port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            daemon.kill().ok();
            daemon.wait().ok();
        }
    }
}

/// A command of Chancery's that must succeed; what it prints.
pub(super) fn chancery(server: &Server, arguments: &[&str]) -> Vec<u8> {
    let output = server.run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

impl Sshd {
    /// The host of a workspace, set up as deploy/ssh.md says.
    pub(super) fn start(server: &Server, workspace: &str) -> Self {
        let turn = crate::turn_at_dev_log();
        let directory = tempfile::Builder::new().prefix("sshd").tempdir_in("/tmp").unwrap();
        let path = |name: &str| directory.path().join(name);
        let shown = |name: &str| path(name).display().to_string();
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &shown("host")]).status();
        assert!(made.unwrap().success());
        let certificate = chancery(server, &["sessions", "certify-host", &shown("host.pub"), "--workspace", workspace]);
        fs::write(path("host-cert.pub"), certificate).unwrap();
        fs::write(path("authority"), chancery(server, &["sessions", "authority"])).unwrap();
        fs::write(path("principals"), format!("workspace-{workspace}\n")).unwrap();
        chancery(server, &["sessions", "revocations", &shown("revoked")]);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nHostCertificate {}\nTrustedUserCAKeys {}\n\
             AuthorizedPrincipalsFile {}\nRevokedKeys {}\nAuthorizedKeysFile none\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nSubsystem sftp /bin/false\nLogLevel VERBOSE\nPidFile none\nStrictModes no\n\
             UsePAM no\nPermitRootLogin yes\n",
            shown("host"),
            shown("host-cert.pub"),
            shown("authority"),
            shown("principals"),
            shown("revoked"),
        );
        fs::write(path("sshd_config"), configuration).unwrap();
        let mut daemons = vec![log(&directory)];
        fs::create_dir_all("/run/sshd").ok();
        let sshd = Command::new("/usr/sbin/sshd").args(["-D", "-f", &shown("sshd_config")]).spawn().expect("sshd runs");
        daemons.push(sshd);
        wait_until("sshd listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { daemons, _turn: turn, directory, port }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The log, as it grows.
    pub(super) fn log(&self) -> PathBuf {
        self.path("auth.log")
    }

    /// Has the list of what was taken back fetched, as a timer does on a host.
    pub(super) fn fetch_revocations(&self, server: &Server) {
        chancery(server, &["sessions", "revocations", self.path("revoked").to_str().unwrap()]);
    }
}

/// What writes sshd's messages into a file: rsyslogd, or the journal where systemd owns /dev/log.
fn log(directory: &TempDir) -> Child {
    let path = |name: &str| directory.path().join(name);
    fs::write(path("auth.log"), "").unwrap();
    if Path::new("/run/systemd/journal/dev-log").exists() {
        let arguments = ["-f", "-n", "0", "-t", "sshd", "-t", "sshd-session", "-o", "json"];
        let file = fs::File::create(path("auth.log")).unwrap();
        return Command::new("journalctl").args(arguments).stdout(file).spawn().expect("journalctl runs");
    }
    let rules = format!(
        "module(load=\"imuxsock\" SysSock.Use=\"on\")\n$ActionFileDefaultTemplate RSYSLOG_FileFormat\n*.* {}\n",
        path("auth.log").display()
    );
    fs::write(path("rsyslog.conf"), rules).unwrap();
    // What an earlier daemon left behind would look like a running one.
    fs::remove_file("/dev/log").ok();
    let shown = |name: &str| path(name).display().to_string();
    let arguments = ["-n", "-f", &shown("rsyslog.conf"), "-i", &shown("rsyslog.pid")];
    let daemon = Command::new("rsyslogd").args(arguments).stderr(Stdio::null()).spawn().expect("rsyslogd runs");
    wait_until("rsyslogd listens", || Path::new("/dev/log").exists());
    daemon
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..600 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what}: not within thirty seconds");
}
