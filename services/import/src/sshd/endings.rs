//! How connections end.

use super::message::Message;
use super::peer::Peer;

/// The end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ending<'a> {
    pub(super) user: Option<&'a str>,
    /// The user has no account.
    pub(super) unknown: bool,
    /// Nobody was signed in, says the message.
    pub(super) before_sign_in: bool,
    pub(super) peer: Option<Peer>,
    pub(super) reason: &'a str,
}

/// Endings that may name a user and may come before or after sign-in.
const OF_ANYONE: [(&str, &str); 5] = [
    ("Disconnected from ", "disconnected"),
    ("Connection closed by ", "connection closed by the client"),
    ("Connection reset by ", "connection reset by the client"),
    ("Disconnecting ", "disconnected by the server"),
    ("Timeout, client not responding from ", "the client did not respond"),
];

/// Endings of connections on which nobody signed in.
const OF_STRANGERS: [(&str, &str); 10] = [
    ("Did not receive identification string from ", "no identification string"),
    ("Could not write ident string to ", "gone before the identification string"),
    ("Unable to negotiate with ", "no common algorithm"),
    ("Bad protocol version identification ", "not the SSH protocol"),
    ("Protocol major versions differ for ", "another version of the SSH protocol"),
    ("Timeout before authentication for connection from ", "nobody signed in in time"),
    ("Timeout before authentication for ", "nobody signed in in time"),
    ("banner exchange: Connection from ", "not the SSH protocol"),
    ("drop connection ", "refused: too many connections or penalties"),
    ("refused connect from ", "refused by the host's access rules"),
];

/// Endings that don't tell whose.
const OF_NOBODY: [&str; 12] = [
    "Read from socket failed",
    "Write failed",
    "Disconnecting: ",
    "Bad packet length",
    "Corrupted MAC",
    "Connection closed",
    "Connection reset",
    "packet_write_poll: ",
    "no hostkey alg",
    "no matching ",
    "Received bad ",
    "warning: can't get client address",
];

/// Understands the end of a connection.
pub(super) fn ending(message: &str, preauth: bool) -> Option<Message<'_>> {
    let of_peer = |peer, before_sign_in, reason| Ending { user: None, unknown: false, before_sign_in, peer, reason };
    let peer = |text| Peer::read(text).map(|(peer, _)| peer);
    if let Some(rest) = message.strip_prefix("Received disconnect from ") {
        let (peer, rest) = Peer::read(rest)?;
        // `:11: disconnected by user`, with the protocol's code for the reason.
        let reason = rest.trim_start_matches(|c: char| c == ':' || c == ' ' || c.is_ascii_digit());
        return Some(Message::Ended(of_peer(Some(peer), preauth, reason)));
    }
    for (mark, reason) in OF_ANYONE {
        if let Some(rest) = message.strip_prefix(mark) {
            return Some(Message::Ended(with_user(rest, preauth, reason)));
        }
    }
    for (mark, reason) in OF_STRANGERS {
        if let Some(rest) = message.strip_prefix(mark) {
            let text = rest.rsplit_once(" from ").map_or(rest, |(_, peer)| peer);
            return Some(Message::Ended(of_peer(peer(text), true, reason)));
        }
    }
    if let Some((_, rest)) = message.split_once("ssh_dispatch_run_fatal: Connection from ") {
        return Some(Message::Ended(of_peer(peer(rest), preauth, "a protocol error")));
    }
    let ends = OF_NOBODY.iter().any(|mark| message.starts_with(mark));
    ends.then_some(Message::Ended(of_peer(None, preauth, message)))
}

/// `[user|authenticating user|invalid user] USER PEER[: reason]`.
fn with_user<'a>(rest: &'a str, preauth: bool, reason: &'a str) -> Ending<'a> {
    let marks = [("authenticating user ", false, true), ("invalid user ", true, true), ("user ", false, preauth)];
    let Some((named, unknown, before_sign_in)) =
        marks.iter().find_map(|(mark, unknown, before)| Some((rest.strip_prefix(mark)?, *unknown, *before)))
    else {
        let peer = Peer::read(rest).map(|(peer, _)| peer);
        return Ending { user: None, unknown: false, before_sign_in: preauth, peer, reason };
    };
    // The user name may contain spaces; the address stands right before ` port `.
    let head = named.rfind(" port ").map_or(named, |at| &named[..at]);
    let (user, address) = head.rsplit_once(' ').unwrap_or(("", head));
    let peer = Peer::read(&named[named.len().min(head.len() - address.len())..]);
    let (peer, rest) = peer.map_or((None, ""), |(peer, rest)| (Some(peer), rest));
    let stated = rest.trim_start_matches([':', ' ']);
    Ending { user: Some(user), unknown, before_sign_in, peer, reason: if stated.is_empty() { reason } else { stated } }
}
