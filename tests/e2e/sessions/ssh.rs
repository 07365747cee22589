//! A real sshd obeys: what Chancery's certificates allow works, and nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use chancery_ssh::{Authority, KeyPair, PublicKey, Seed, UserCertificate};
use chancery_tests::TOKEN;

use super::sshd::{Sshd, chancery};
use super::*;

/// The secret of the deployment: the test makes certificates that the server would not.
const SECRET: &str = "a secret of this test, long enough for it";
/// The account on the host.
const LOGIN: &str = "root";

/// A key of someone's.
pub(super) fn key() -> KeyPair {
    static NUMBER: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(1);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    KeyPair::new(&Seed::drawn([number; 32]), "test").unwrap()
}

/// A key and a certificate in files.
struct Identity {
    directory: tempfile::TempDir,
}

impl Identity {
    fn new(pair: &KeyPair, certificate: &str) -> Self {
        let directory = tempfile::TempDir::new().unwrap();
        let file = directory.path().join("key");
        fs::write(&file, &pair.private_key).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(directory.path().join("key-cert.pub"), certificate).unwrap();
        Self { directory }
    }

    fn certificate(&self) -> PathBuf {
        self.directory.path().join("key-cert.pub")
    }

    /// What a program of OpenSSH says with it.
    fn with(&self, program: &str, port: (&str, u16), arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.arg("-i").arg(self.directory.path().join("key")).args([port.0, &port.1.to_string(), "-F", "/dev/null"]);
        for option in
            ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        {
            command.args(["-o", option]);
        }
        command.args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// What a command on the host prints; nothing if it does not run.
    fn runs(&self, sshd: &Sshd, command: &str) -> String {
        let output = self.with("ssh", ("-p", sshd.port), &[&format!("{LOGIN}@127.0.0.1"), command]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

struct World {
    server: Server,
    sshd: Sshd,
    ada: Person,
    _directory: tempfile::TempDir,
}

impl World {
    /// A server, someone with two workspaces, and the host of the first.
    async fn new() -> Self {
        let directory = tempfile::TempDir::new().unwrap();
        let server = Server::start_in(&directory.path().join("data"), &[("CHANCERY_SESSIONS_KEY", SECRET)]).await;
        let ada = Person::new(&server, "ada", json!([])).await;
        workspace(&server, "w1", &ada, None, None).await;
        workspace(&server, "w2", &ada, None, None).await;
        let sshd = Sshd::start(&server, "w1");
        Self { server, sshd, ada, _directory: directory }
    }

    /// The command line as someone uses it.
    fn as_ada(&self, arguments: &[&str]) -> Command {
        let mut command = self.server.command(arguments);
        command.env("CHANCERY_CLIENT_TOKEN", &self.ada.token).stdin(Stdio::null());
        command
    }

    /// `chancery ssh` to a workspace, at the host of the first.
    fn ssh(&self, workspace: &str, options: &[&str], command: &[&str]) -> Command {
        let port = self.sshd.port.to_string();
        let address =
            ["ssh", workspace, "--host", "127.0.0.1", "--port", &port, "--login", LOGIN, "-o", "BatchMode=yes"];
        self.as_ada(&[&address, options, &["--"], command].concat())
    }

    /// A certificate that the API makes, for a key of its own.
    async fn certified(&self, order: Value, token: &str) -> (String, Identity) {
        let pair = key();
        let mut order = order;
        order["public_key"] = pair.public_key.as_str().into();
        let request = self.server.anonymous(Method::POST, &connect("w1")).bearer_auth(token).json(&order);
        let made = Answer::of(order.to_string(), request.send().await.unwrap()).await.expect(StatusCode::CREATED);
        let id = made["id"].as_str().unwrap().to_owned();
        (id, Identity::new(&pair, made["certificate"].as_str().unwrap()))
    }

    /// A certificate by the deployment's authority that is good from and until then, in seconds from now.
    async fn forged(&self, from: i64, until: i64) -> Identity {
        let made = self.server.events("type:session.key.created data.purpose:ssh_user").await;
        let seed = Seed::derive(SECRET.as_bytes(), made[0]["resource"]["id"].as_str().unwrap()).unwrap();
        let (authority, pair) = (Authority::new(&seed).unwrap(), key());
        assert_eq!(made[0]["data"]["public_key"], json!(authority.public_key().unwrap()));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let at = |seconds: i64| now.checked_add_signed(seconds).unwrap();
        let principals = ["workspace-w1".to_owned()];
        let certificate = UserCertificate {
            key_id: "test",
            serial: 9,
            principals: &principals,
            valid_after: at(from),
            valid_before: at(until),
            source_address: None,
            force_command: None,
            extensions: &[],
        };
        let key = PublicKey::read(&pair.public_key).unwrap();
        Identity::new(&pair, &authority.certify_user(&key, &certificate, [5; 32]).unwrap())
    }

    /// `chancery watch sshd`, until it is dropped.
    fn watch(&self) -> Watching {
        let log = self.sshd.log();
        let arguments = ["watch", "sshd", log.to_str().unwrap(), "--cut"];
        Watching(self.server.command(&arguments).spawn().unwrap())
    }
}

struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_sshd_lets_in_what_certificates_allow_and_nothing_else() {
    let world = World::new().await;
    let World { server, sshd, ada, .. } = &world;

    // The host is known by its certificate, the person by hers: nobody is asked.
    let output = world.ssh("w1", &[], &["echo", "hello"]).output().unwrap();
    assert!(output.status.success() && printed(&output).contains("hello"), "{}", printed(&output));
    let output = world.ssh("w1", &[], &["exit", "7"]).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "it ends as ssh ends");

    // A certificate for another workspace opens none but that; nor is this host taken for the other.
    let output = world.ssh("w2", &["-o", "HostKeyAlias=workspace-w1"], &["echo", "hello"]).output().unwrap();
    assert!(!output.status.success() && printed(&output).contains("Permission denied"), "{}", printed(&output));
    let output = world.ssh("w2", &[], &["echo", "hello"]).output().unwrap();
    assert!(!output.status.success() && printed(&output).contains("verification failed"), "{}", printed(&output));

    // Time.
    assert_eq!(world.forged(-60, 600).await.runs(sshd, "echo hello"), "hello\n");
    assert_eq!(world.forged(-600, -60).await.runs(sshd, "echo hello"), "", "expired");
    assert_eq!(world.forged(600, 1200).await.runs(sshd, "echo hello"), "", "not good yet");

    // Where from.
    let (_, here) = world.certified(json!({"kind": "ssh"}), &ada.token).await;
    assert_eq!(here.runs(sshd, "echo hello"), "hello\n");
    let (_, elsewhere) = world.certified(json!({"kind": "ssh", "address": "203.0.113.9"}), TOKEN).await;
    assert_eq!(elsewhere.runs(sshd, "echo hello"), "");

    // Files go with a certificate for files, and nothing else does.
    let (_, files) = world.certified(json!({"kind": "file_transfer"}), &ada.token).await;
    let said = files.runs(sshd, "echo hello");
    assert!(!said.contains("hello"), "what is forced runs, whatever is asked for: {said}");
    let batch = sshd.path("batch");
    fs::write(&batch, format!("get {} {}\n", sshd.path("sshd_config").display(), sshd.path("fetched").display()))
        .unwrap();
    let sftp = |identity: &Identity| {
        fs::remove_file(sshd.path("fetched")).ok();
        let to = format!("{LOGIN}@127.0.0.1");
        let output = identity.with("sftp", ("-P", sshd.port), &["-b", batch.to_str().unwrap(), &to]);
        (output.status.success() && sshd.path("fetched").exists(), printed(&output))
    };
    let (fetched, said) = sftp(&files);
    assert!(fetched, "{said}");
    let (fetched, said) = sftp(&here);
    assert!(!fetched, "a shell's certificate is none for files: {said}");

    // Taken back.
    let (id, taken) = world.certified(json!({"kind": "ssh"}), &ada.token).await;
    assert_eq!(taken.runs(sshd, "echo hello"), "hello\n");
    ada.posts(server, &format!("/api/v1/sessions/{id}/close"), json!({})).await.expect(StatusCode::OK);
    sshd.fetch_revocations(server);
    assert_eq!(taken.runs(sshd, "echo hello"), "");
    assert_eq!(here.runs(sshd, "echo hello"), "hello\n");
    let asked =
        Command::new("ssh-keygen").arg("-Q").arg("-f").arg(sshd.path("revoked")).arg(taken.certificate()).output();
    assert!(printed(&asked.unwrap()).contains("REVOKED"));

    // Browser-only: no certificate, and it is on record.
    chancery(server, &["policy", "browser-only", "set", "--deployment"]);
    let output = world.ssh("w1", &[], &["echo", "hello"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", printed(&output));
    assert!(printed(&output).contains("`browser-only`") && !printed(&output).contains("hello"));
    assert_eq!(server.events("type:session.denied").await.len(), 1);
    // What was allowed before is taken back with it.
    sshd.fetch_revocations(server);
    assert_eq!(here.runs(sshd, "echo hello"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_a_real_sshd_come_back_and_are_cut() {
    let world = World::new().await;
    let World { server, sshd, ada, .. } = &world;
    let watching = world.watch();
    let output = world.ssh("w1", &[], &["echo", "hello"]).output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    let authorized = server.events("type:session.authorized").await.remove(0);
    let first = authorized["resource"]["id"].as_str().unwrap().to_owned();
    until("the session comes back", async || !told(server, &first, "session.closed").await.is_empty()).await;
    let closed = told(server, &first, "session.closed").await.remove(0);
    assert!(closed["source"].as_str().unwrap().starts_with("sshd"), "{closed}");
    assert_eq!((&closed["actor"]["on_behalf_of"], &closed["actor"]["name"]), (&json!("ada"), &json!(LOGIN)));
    assert_eq!(closed["data"]["serial"], authorized["data"]["certificate"]["serial"]);
    until("it is folded", async || status(server, &first).await == "closed").await;
    let shown = session(server, &first).await;
    assert_eq!(
        (&shown["user_id"], &shown["workspace_id"]),
        (&json!(ada.id), &json!("w1")),
        "whoever signs in as {LOGIN}"
    );
    assert!(shown["duration_ms"].is_u64(), "{shown}");

    assert_eq!(server.events("type:user.login.failed").await.len(), 0, "nothing but the certificate is offered");

    // It stops; what happens meanwhile is delivered when it goes on, and nothing twice.
    drop(watching);
    assert!(world.ssh("w1", &[], &["echo", "again"]).output().unwrap().status.success());
    let _watching = world.watch();
    let second = server.events("type:session.authorized").await.pop().unwrap()["resource"]["id"].clone();
    end(server, second.as_str().unwrap(), "session.closed").await;
    assert_eq!(told(server, &first, "session.opened").await.len(), 1);

    // Suspended, she is out: the session is closed, its certificate on the list, the connection cut.
    let mut long = world.ssh("w1", &[], &["sleep", "600"]).stdout(Stdio::null()).spawn().unwrap();
    let mut third = String::new();
    until("it is open", async || {
        let last = server.events("type:session.authorized").await.pop().unwrap();
        last["resource"]["id"].as_str().unwrap().clone_into(&mut third);
        status(server, &third).await == "open"
    })
    .await;
    let list = sshd.path("list");
    let revoked = |serial: &Value| {
        chancery(server, &["sessions", "revocations", list.to_str().unwrap()]);
        let listed = Command::new("ssh-keygen").args(["-Q", "-l", "-f"]).arg(&list).output().unwrap();
        printed(&listed).contains(&format!("serial: {}", serial.as_str().unwrap()))
    };
    let serial = told(server, &third, "session.authorized").await[0]["data"]["certificate"]["serial"].clone();
    assert!(!revoked(&serial));
    server.post(&format!("/api/v1/users/{}/suspend", ada.id), &json!({})).await.expect(StatusCode::OK);
    let suspended = server.events("type:user.suspended").await.remove(0);
    let closed = told(server, &third, "session.closed").await.remove(0);
    assert_eq!(closed["causation"], suspended["id"]);
    assert!(revoked(&serial));
    for _ in 0..600 {
        if long.try_wait().unwrap().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = long.try_wait().unwrap();
    long.kill().ok();
    assert!(ended.is_some_and(|status| !status.success()), "the connection was cut: {ended:?}");
    assert_eq!(session(server, &third).await["reason"], "access was taken");
}
