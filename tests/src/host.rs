//! Where the servers of a test run: an address, a directory, ports, a process.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Where a server runs: on loopback, or in a network namespace of the test's own.
#[derive(Debug, Clone)]
pub struct Host {
    address: String,
    namespace: Option<String>,
    apart: bool,
}

impl Host {
    /// `127.0.0.1`.
    pub fn loopback() -> Self {
        Self { address: "127.0.0.1".to_owned(), namespace: None, apart: false }
    }

    /// A named network namespace with this address.
    pub(crate) fn in_namespace(namespace: String, address: String) -> Self {
        Self { address, namespace: Some(namespace), apart: false }
    }

    /// The same, with processes that a Ctrl-C at the terminal does not reach: whoever starts them ends them in order.
    #[must_use]
    pub fn apart(self) -> Self {
        Self { apart: true, ..self }
    }

    /// The address that servers here listen on.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `address:port`.
    pub fn socket(&self, port: u16) -> String {
        format!("{}:{port}", self.address)
    }

    /// Whether it is a namespace.
    pub fn is_namespace(&self) -> bool {
        self.namespace.is_some()
    }

    /// A program that will run here.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match &self.namespace {
            Some(namespace) => {
                // `ip` becomes the program: its process id is the program's.
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(program);
                command
            }
            None => Command::new(program),
        };
        if self.apart {
            command.process_group(0);
        }
        command
    }
}

/// A directory of a server's own, and the ports it may listen on.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    next_port: Option<u16>,
    /// Removes a temporary directory when the server is gone.
    _temporary: Option<TempDir>,
}

impl Home {
    /// A directory that is gone afterwards.
    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    pub fn temporary() -> Self {
        let temporary = TempDir::new().expect("a temporary directory");
        Self { path: temporary.path().to_owned(), next_port: None, _temporary: Some(temporary) }
    }

    /// A directory that is kept, with ports that count up from one: a server started again on it has the same.
    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    pub fn kept(path: &Path, first_port: u16) -> Self {
        std::fs::create_dir_all(path).expect("the directory can be made");
        let path = path.canonicalize().expect("the directory is there");
        Self { path, next_port: Some(first_port), _temporary: None }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another port.
    pub fn port(&mut self) -> u16 {
        let Some(next) = &mut self.next_port else { return free_port() };
        *next += 1;
        *next - 1
    }
}

/// A port of loopback that nobody listens on.
///
/// It is below those that the kernel gives to outgoing connections. Otherwise a client that calls a killed server
/// could be given the server's port, be connected to itself, and keep the server from starting again.
///
/// # Panics
/// When there is none.
#[expect(clippy::expect_used, reason = "tests")]
pub fn free_port() -> u16 {
    const PORTS: std::ops::Range<u16> = 10_000..32_000;
    static TRIED: AtomicU16 = AtomicU16::new(0);
    // Processes of tests that run side by side begin at places of their own.
    let begin = u16::try_from(u64::from(std::process::id()) * 997 % PORTS.len() as u64).unwrap_or_default();
    let another = || {
        let nth = u32::from(begin) + u32::from(TRIED.fetch_add(1, Ordering::Relaxed));
        PORTS.start + u16::try_from(nth % u32::try_from(PORTS.len()).unwrap_or(1)).unwrap_or_default()
    };
    (0..PORTS.len())
        .map(|_| another())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// A running program. It is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts it; what it prints goes to a file.
    #[expect(clippy::panic, reason = "a test cannot go on without it")]
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let open = || match File::options().create(true).append(true).open(log) {
            Ok(file) => file,
            Err(error) => panic!("{} cannot be written to: {error}", log.display()),
        };
        match command.stdin(std::process::Stdio::null()).stdout(open()).stderr(open()).spawn() {
            Ok(child) => Self { child },
            Err(error) => panic!("{} does not start: {error}", command.get_program().display()),
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Kills it without a chance to say goodbye.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Asks it to end and waits until it has; gives back whether it ended well.
    pub fn stop(&mut self) -> bool {
        self.signal("TERM") && self.wait()
    }

    /// Waits until it has ended; gives back whether it ended well.
    pub(crate) fn wait(&mut self) -> bool {
        self.child.wait().is_ok_and(|status| status.success())
    }

    /// Stops it in the middle of whatever it does, without ending it.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    pub(crate) fn signal(&self, name: &str) -> bool {
        Command::new("kill").args(["-s", name, &self.id().to_string()]).status().is_ok_and(|status| status.success())
    }

    /// Waits until `ready`, for a minute at most.
    ///
    /// # Panics
    /// When the program ends or is not ready in time; the message has the end of its log.
    pub fn wait_until(&mut self, what: &str, log: &Path, mut ready: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !ready() {
            let said = || end_of(log);
            let ended = self.ended();
            assert!(ended.is_none(), "{what} ended ({ended:?}): {}", said());
            assert!(begun.elapsed() < Duration::from_mins(1), "{what} is not ready after a minute: {}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of a file.
pub(crate) fn end_of(file: &Path) -> String {
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(4000)..]).into_owned();
    text.trim().to_owned()
}

/// The status that an HTTP server answers an empty request with, if it answers within a second.
pub(crate) fn http_status(method: &str, socket: &str, path: &str) -> Option<u16> {
    let address: SocketAddr = socket.parse().ok()?;
    let second = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&address, second).ok()?;
    stream.set_read_timeout(Some(second)).ok()?;
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {socket}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head[9..]).ok()?.parse().ok()
}
