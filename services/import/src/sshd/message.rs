//! What `sshd` says, as its sources write it (OpenSSH 5 to 10).

use super::endings::{self, Ending};
use super::peer::Peer;

/// A message and what it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// Someone is signed in.
    Accepted(Attempt<'a>),
    /// An attempt to sign in did not succeed.
    Failed(Attempt<'a>),
    /// Someone asked for an account that does not exist.
    Invalid { user: &'a str, peer: Option<Peer> },
    /// The same once more, from the unprivileged half.
    InvalidAgain { user: &'a str },
    /// An account may not sign in.
    Refused { user: &'a str, peer: Option<Peer>, reason: &'a str },
    /// A client tried too often.
    TooMany { user: &'a str, unknown: bool, peer: Option<Peer> },
    /// A client connected.
    Connection(Peer),
    /// The process that serves a session.
    Child(u32),
    /// A channel of a session begins.
    Started { what: &'a str, user: &'a str, peer: Option<Peer> },
    /// A subsystem is asked for.
    Subsystem { name: &'a str, user: &'a str },
    /// A connection ends.
    Ended(Ending<'a>),
    /// PAM opened or closed a session.
    Pam { opened: bool, user: &'a str },
    /// A port could not be forwarded.
    Forward(&'a str),
    /// An address whose name does not lead back to it.
    Suspect(Option<Peer>),
    /// Something about the server itself.
    Server(&'static str),
    /// Nothing auditable, for this reason.
    Noise(&'static str),
    /// Not known.
    Other,
}

/// An attempt to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt<'a> {
    pub(super) method: &'a str,
    pub(super) user: &'a str,
    pub(super) unknown: bool,
    pub(super) peer: Option<Peer>,
    /// `ED25519 SHA256:…`, or a certificate's description.
    pub(super) key: Option<&'a str>,
}

const PAM: &str = "PAM's account of what sshd states itself";
const FOLLOWS: &str = "a step of a sign-in whose result follows";
const AGAIN: &str = "the end of a connection that the next line states with its address";
const UPKEEP: &str = "sshd's own upkeep";

/// Understands a message.
pub(super) fn parse(message: &str) -> Message<'_> {
    let (message, preauth) = match message.strip_suffix("[preauth]") {
        Some(message) => (message.trim_end(), true),
        None => (message.strip_suffix("[postauth]").unwrap_or(message).trim_end(), false),
    };
    let message = ["error: ", "fatal: "].iter().find_map(|mark| message.strip_prefix(mark)).unwrap_or(message);
    sign_in(message)
        .or_else(|| session(message))
        .or_else(|| endings::ending(message, preauth))
        .or_else(|| server(message))
        .or_else(|| noise(message).map(Message::Noise))
        .unwrap_or(Message::Other)
}

/// Splits `USER from PEER …` at the last ` from `: user names may contain one.
fn user_from(text: &str) -> Option<(&str, Option<Peer>, &str)> {
    let at = text.rfind(" from ").or_else(|| text.strip_prefix("from ").map(|_| 0))?;
    let user = text[..at].trim();
    match Peer::read(text[at..].trim_start().strip_prefix("from ")?) {
        Some((peer, rest)) => Some((user, Some(peer), rest)),
        None => Some((user, None, "")),
    }
}

fn known(user: &str) -> (&str, bool) {
    let bare = user.strip_prefix("invalid user").or_else(|| user.strip_prefix("illegal user"));
    match bare {
        Some(rest) if rest.is_empty() || rest.starts_with(' ') => (rest.trim(), true),
        _ => (user, false),
    }
}

fn sign_in(message: &str) -> Option<Message<'_>> {
    if ["Accepted key ", "Accepted cert", "Postponed "].iter().any(|mark| message.starts_with(mark)) {
        return Some(Message::Noise(FOLLOWS));
    }
    if let Some(rest) = message.strip_prefix("Accepted ") {
        return attempt(rest).map(Message::Accepted);
    }
    if message.starts_with("Failed none for ") {
        return Some(Message::Noise("a client asking which methods there are"));
    }
    if let Some(rest) = message.strip_prefix("Failed ") {
        return attempt(rest).map(Message::Failed);
    }
    if let Some(rest) = message.strip_prefix("Invalid user").or_else(|| message.strip_prefix("Illegal user")) {
        let (user, peer, _) = user_from(rest)?;
        return Some(Message::Invalid { user, peer });
    }
    if let Some(rest) = message.strip_prefix("input_userauth_request: ") {
        let (user, unknown) = known(rest);
        return unknown.then_some(Message::InvalidAgain { user });
    }
    if let Some(rest) = message.strip_prefix("maximum authentication attempts exceeded for ") {
        let (user, peer, _) = user_from(rest)?;
        let (user, unknown) = known(user);
        return Some(Message::TooMany { user, unknown, peer });
    }
    refused(message)
}

/// `METHOD for [invalid user ]USER from PEER ssh2[: KEY]`.
fn attempt(rest: &str) -> Option<Attempt<'_>> {
    let (method, rest) = rest.split_once(" for ")?;
    let (facts, key) = match rest.split_once(" ssh2: ") {
        Some((facts, key)) => (facts, Some(key)),
        None => (rest, None),
    };
    let (user, peer, _) = user_from(facts)?;
    let (user, unknown) = known(user);
    (!method.contains(' ')).then_some(Attempt { method, user, unknown, peer, key })
}

fn refused(message: &str) -> Option<Message<'_>> {
    if let Some(rest) = message.strip_prefix("ROOT LOGIN REFUSED FROM ") {
        let peer = Peer::read(rest).map(|(peer, _)| peer);
        return Some(Message::Refused { user: "root", peer, reason: "root may not sign in" });
    }
    if let Some(rest) = message.strip_prefix("Access denied for user ") {
        let (user, reason) = rest.split_once(" by ")?;
        return Some(Message::Refused { user, peer: None, reason });
    }
    let rest = message.strip_prefix("User ")?;
    if let Some((facts, reason)) = rest.split_once(" not allowed because ") {
        let (user, peer, _) = user_from(facts).unwrap_or((facts, None, ""));
        return Some(Message::Refused { user, peer, reason });
    }
    match rest.strip_prefix("child is on pid ") {
        Some(pid) => pid.parse().ok().map(Message::Child),
        None => None,
    }
}

fn session(message: &str) -> Option<Message<'_>> {
    if let Some(rest) = message.strip_prefix("Connection from ").filter(|rest| rest.contains(" on ")) {
        return Peer::read(rest).map(|(peer, _)| Message::Connection(peer));
    }
    if let Some(rest) = message.strip_prefix("Starting session: ") {
        let (facts, peer, _) = user_from(rest)?;
        let (what, user) = facts.rsplit_once(" for ")?;
        return Some(Message::Started { what, user, peer });
    }
    if let Some(rest) = message.strip_prefix("subsystem request for ") {
        let (name, user) = rest.split_once(" by user ").unwrap_or((rest, ""));
        return Some(Message::Subsystem { name, user });
    }
    if message.starts_with("pam_unix(sshd:session): session ") {
        let (opened, user) = match message.split_once("session opened for user ") {
            Some((_, user)) => (true, user),
            None => (false, message.split_once("session closed for user ")?.1),
        };
        return Some(Message::Pam { opened, user: user.split([' ', '(']).next().unwrap_or(user) });
    }
    let forward = message.starts_with("connect_to ")
        || message.starts_with("bind: ")
        || message.starts_with("channel_setup_fwd_listener")
        || message.contains("but the request was denied")
        || message.starts_with("refused local port forward")
        || message.starts_with("refused remote port forward");
    forward.then_some(Message::Forward(message))
}

fn server(message: &str) -> Option<Message<'_>> {
    if message.starts_with("reverse mapping checking getaddrinfo for ") {
        let peer = message.split_once('[').and_then(|(_, rest)| Peer::read(rest.split_once(']')?.0));
        return Some(Message::Suspect(peer.map(|(peer, _)| peer)));
    }
    if let Some(rest) = message.strip_prefix("Address ").filter(|rest| rest.contains(" maps to ")) {
        return Some(Message::Suspect(Peer::read(rest).map(|(peer, _)| peer)));
    }
    let happened = [
        ("Server listening on ", "started"),
        ("Received SIGHUP; restarting", "restarted"),
        ("Received signal ", "stopped"),
        ("Exiting on signal ", "stopped"),
        ("beginning MaxStartups throttling", "throttled"),
        ("exited MaxStartups throttling", "unthrottled"),
        ("srclimit_penalise: ", "penalised"),
        ("Cannot bind any address", "failed"),
        ("Bind to port ", "failed"),
    ];
    happened.iter().find(|(mark, _)| message.starts_with(mark)).map(|(_, what)| Message::Server(what))
}

fn noise(message: &str) -> Option<&'static str> {
    let reasons = [
        ("kex_exchange_identification: ", AGAIN),
        ("ssh_exchange_identification: ", AGAIN),
        ("pam_", PAM),
        ("PAM: ", PAM),
        ("PAM service(sshd) ", PAM),
        ("PAM ", PAM),
        ("debug1: ", "debugging output"),
        ("debug2: ", "debugging output"),
        ("debug3: ", "debugging output"),
        ("Close session: ", "a channel's end; the session's follows"),
        ("Closing connection to ", "the end of a session that another line states"),
        ("Transferred: ", "statistics of a session"),
        ("syslogin_perform_logout: ", UPKEEP),
        ("lastlog_", UPKEEP),
        ("Could not load host key", UPKEEP),
        ("Deprecated option", UPKEEP),
        ("rexec line ", UPKEEP),
        ("Attempt to write login records by non-root user", UPKEEP),
        ("Set /proc/self/oom_score_adj", UPKEEP),
        ("Found matching ", FOLLOWS),
        ("Matched ", FOLLOWS),
        ("Environment variable ", UPKEEP),
    ];
    reasons.iter().find(|(mark, _)| message.starts_with(mark)).map(|(_, reason)| *reason)
}
