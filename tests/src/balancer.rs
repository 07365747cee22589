//! `HAProxy` in front of several nodes, set up so that a client sees no error when one of them dies.

use std::fmt::Write;

use crate::host::{Home, Host, Process, http_status};

/// A running balancer. It is killed when dropped.
#[derive(Debug)]
pub struct Balancer {
    process: Process,
    host: Host,
    port: u16,
    home: Home,
}

impl Balancer {
    /// A balancer on loopback in front of nodes, each `address:port`.
    ///
    /// # Panics
    /// When `HAProxy` is not installed or does not start.
    pub fn start(nodes: &[String]) -> Self {
        Self::start_on(Host::loopback(), Home::temporary(), nodes)
    }

    /// A balancer with a directory and port of one's choice.
    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    pub fn start_on(host: Host, mut home: Home, nodes: &[String]) -> Self {
        let port = home.port();
        let file = home.path().join("haproxy.cfg");
        std::fs::write(&file, settings(&host.socket(port), nodes)).expect("the directory can be written to");
        let mut command = host.command("haproxy");
        // In the foreground, one process.
        let process = Process::start(command.args(["-db", "-f"]).arg(&file), &home.path().join("haproxy.log"));
        let mut balancer = Self { process, host, port, home };
        balancer.wait();
        balancer
    }

    /// `http://address:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.host.socket(self.port))
    }

    fn wait(&mut self) {
        let (socket, log) = (self.host.socket(self.port), self.home.path().join("haproxy.log"));
        self.process.wait_until("HAProxy", &log, || http_status("GET", &socket, "/balancer").is_some());
    }
}

fn settings(listen: &str, nodes: &[String]) -> String {
    // A request can be sent to a second node only while all of it is held: the buffer has room for a large batch.
    // Sending a write twice is safe, because events carry ids. A node that hangs is given up after some seconds; a
    // tail is silent for longer when nothing happens.
    let mut settings = format!(
        "global
    maxconn 4096
    tune.bufsize 4194304

defaults
    mode http
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response response-timeout 503
    option http-buffer-request
    timeout connect 500ms
    timeout check 500ms
    timeout queue 5s
    timeout client 60s
    timeout server 10s

frontend api
    bind {listen}
    monitor-uri /balancer
    default_backend nodes

backend nodes
    http-request set-timeout server 1h if {{ path_end /tail }}
    balance roundrobin
    option httpchk GET /readyz
    http-check expect status 200
    default-server check inter 250ms fastinter 100ms fall 2 rise 1
"
    );
    for (number, node) in nodes.iter().enumerate() {
        writeln!(settings, "    server node{number} {node}").ok();
    }
    settings
}
