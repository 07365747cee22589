//! The other end of a connection, as `sshd` writes it.

use std::net::IpAddr;

use crate::shape;

/// An address, or the host name that stood in for it, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Peer {
    pub(super) ip: Option<IpAddr>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Peer {
    /// Reads `192.0.2.1 port 22`, `192.0.2.1: …`, `[192.0.2.1]:22`; answers also what follows.
    pub(super) fn read(text: &str) -> Option<(Self, &str)> {
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        if let Some((address, port)) = first.strip_prefix('[').and_then(|inner| inner.split_once("]:")) {
            let ip = shape::ip(address);
            return Some((Self { ip, host: address.to_owned(), port: port.parse().ok() }, rest));
        }
        let trimmed = first.strip_suffix([':', ',', '.']).unwrap_or(first);
        let host = if shape::ip(first).is_some() { first } else { trimmed };
        if host.is_empty() {
            return None;
        }
        let (port, rest) = match rest.strip_prefix("port ") {
            Some(numbered) => {
                let digits = numbered.bytes().take_while(u8::is_ascii_digit).count();
                (numbered[..digits].parse().ok(), &numbered[digits..])
            }
            None => (None, rest),
        };
        Some((Self { ip: shape::ip(host), host: host.to_owned(), port }, rest.trim_start_matches(' ')))
    }

    /// Whether both can be the same connection's.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        let same_ip = self.ip.is_none() || other.ip.is_none() || self.ip == other.ip;
        let same_port = self.port.is_none() || other.port.is_none() || self.port == other.port;
        same_ip && same_port
    }
}
