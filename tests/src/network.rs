//! A network of the test's own, whose cables can be pulled: network namespaces joined by a switch.
//!
//! One namespace, the hub, holds the switch and is where Kafka, PostgreSQL and the object store run; each node has a
//! namespace to itself. The test, the balancer among it, has a cable to the switch, too. All addresses belong to
//! `198.18.0.0/15`, which no network but a test's own uses (RFC 2544).

use std::path::Path;
use std::process::{Command, Stdio};

use crate::host::Host;

/// Begins the names of all namespaces; the process id of who made them follows.
const PREFIX: &str = "chancery";

/// A running network. It is gone when dropped, once nothing runs in it.
#[derive(Debug)]
pub struct Network {
    name: String,
    subnet: u8,
    hosts: Vec<Host>,
}

impl Network {
    /// A network with a hub.
    ///
    /// # Panics
    /// When this process may not make network namespaces.
    #[expect(clippy::expect_used, reason = "a test cannot go on without it")]
    pub fn start() -> Self {
        remove_abandoned();
        // The name of the test's own end of the cable is unique on the machine, and so is what is numbered like it.
        let plug = |subnet: u8| ip(&format!("link add chancery{subnet} type veth peer name switch{subnet}"));
        let subnet = (1..=254).find(|subnet| plug(*subnet)).expect("making a network namespace needs root's rights");
        let network = Self { name: format!("{PREFIX}-{}-{subnet}", std::process::id()), subnet, hosts: Vec::new() };
        let hub = network.namespace(1);
        let made = ip(&format!(
            "netns add {hub}
            -n {hub} link set lo up
            -n {hub} link add switch type bridge
            -n {hub} address add {}/24 dev switch
            -n {hub} link set switch up
            link set switch{subnet} netns {hub}
            -n {hub} link set switch{subnet} master switch up
            address add {}/24 dev chancery{subnet}
            link set chancery{subnet} up",
            network.address(1),
            network.address(254),
        ));
        assert!(made, "a network namespace cannot be made");
        network
    }

    /// Where the servers run that the nodes share.
    pub fn hub(&self) -> Host {
        Host::in_namespace(self.namespace(1), self.address(1))
    }

    /// A namespace for one node.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn add(&mut self) -> Host {
        let number = u8::try_from(self.hosts.len() + 2).unwrap_or(u8::MAX);
        assert!(number < 254, "there is no address left");
        let (hub, node) = (self.namespace(1), self.namespace(number));
        let host = Host::in_namespace(node.clone(), self.address(number));
        self.hosts.push(host.clone());
        let made = ip(&format!(
            "netns add {node}
            -n {node} link set lo up
            -n {hub} link add port{number} type veth peer name eth0 netns {node}
            -n {hub} link set port{number} master switch up
            -n {node} address add {}/24 dev eth0
            -n {node} link set eth0 up",
            host.address()
        ));
        assert!(made, "a network namespace cannot be made");
        host
    }

    /// Pulls a host's cable, at the switch: the host sees no error, just silence.
    pub fn cut(&self, host: &Host) {
        self.set(host, "down");
    }

    /// Plugs it in again.
    pub fn mend(&self, host: &Host) {
        self.set(host, "up");
    }

    fn set(&self, host: &Host, state: &str) {
        let number = host.address().rsplit('.').next().unwrap_or_default();
        assert!(
            ip(&format!("-n {} link set port{number} {state}", self.namespace(1))),
            "{host:?} is not of this network"
        );
    }

    fn namespace(&self, number: u8) -> String {
        format!("{}-{number}", self.name)
    }

    fn address(&self, number: u8) -> String {
        format!("198.18.{}.{number}", self.subnet)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The test's own cable first: its name is what keeps the number taken, and its other end goes with it.
        ip(&format!("link delete chancery{}", self.subnet));
        remove(|namespace| namespace.starts_with(&format!("{}-", self.name)));
    }
}

/// Removes what was left by processes that were killed.
fn remove_abandoned() {
    remove(|namespace| {
        let process = namespace.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('-')?.split('-').next());
        process.is_some_and(|process| !Path::new("/proc").join(process).exists())
    });
}

fn remove(which: impl Fn(&str) -> bool) {
    let listed = Command::new("ip").args(["netns", "list"]).output();
    let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    for namespace in listed.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| which(name)) {
        ip(&format!("netns delete {namespace}"));
    }
}

/// Carries out commands of `ip`, each a line, until one fails; gives back whether none did.
fn ip(commands: &str) -> bool {
    commands.lines().all(|command| {
        let mut ip = Command::new("ip");
        ip.args(command.split_whitespace()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })
}
