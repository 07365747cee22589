//! What the lines tell together: attempts, sessions, their ends.
//!
//! An event is made at the first line that settles it and says only what was known then. In a log with
//! `LogLevel VERBOSE` the kind of a session is known when its first channel begins; a session that ends
//! without ever having had a channel served port forwarding.

use chancery_domain::{Event, Outcome};

use super::Told;
use super::endings::Ending;
use super::facts::{Entry, Refusal};
use super::message::{self, Attempt, Message};
use super::peer::Peer;
use super::tracker::{Certificate, Key, Session, Tracker};

const SSH: &str = "ssh";
const FILE_TRANSFER: &str = "file_transfer";
const PORT_FORWARD: &str = "port_forward";

/// The connections so far.
#[derive(Debug, Default)]
pub(super) struct Story {
    tracker: Tracker,
}

fn imported(event: Event) -> Told {
    Told::Events(vec![event])
}

impl Story {
    /// What the next line tells.
    pub(super) fn tell(&mut self, entry: &Entry<'_>) -> Told {
        match message::parse(entry.message()) {
            Message::Accepted(attempt) => self.accepted(entry, &attempt),
            Message::Failed(attempt) => {
                let Attempt { method, unknown, peer, key, .. } = &attempt;
                let refusal =
                    Refusal { method, unknown: *unknown, peer: peer.as_ref(), key: *key, ..Refusal::default() };
                self.refused(entry, attempt.user, refusal)
            }
            Message::Invalid { user, peer } => {
                let refusal =
                    Refusal { unknown: true, peer: peer.as_ref(), reason: "no such account", ..Refusal::default() };
                self.refused(entry, user, refusal)
            }
            Message::InvalidAgain { .. } if self.reported(entry, None) => {
                Told::Nothing("says again that an account does not exist")
            }
            Message::InvalidAgain { user } => {
                self.refused(entry, user, Refusal { unknown: true, ..Refusal::default() })
            }
            Message::Refused { user, peer, reason } => {
                let refusal = Refusal { peer: peer.as_ref(), reason, outcome: Outcome::Denied, ..Refusal::default() };
                self.refused(entry, user, refusal)
            }
            Message::TooMany { user, unknown, peer } => {
                let reason = "too many authentication failures";
                self.refused(entry, user, Refusal { unknown, peer: peer.as_ref(), reason, ..Refusal::default() })
            }
            Message::Connection(peer) => self.connected(entry, &peer),
            Message::Child(pid) => self.child(entry, pid),
            Message::Started { what, user, peer } => self.started(entry, what, user, peer.as_ref()),
            Message::Subsystem { name, user } => self.started(entry, &format!("subsystem '{name}'"), user, None),
            Message::Ended(ending) => self.ended(entry, &ending),
            Message::Pam { opened: true, user } => self.pam_opened(entry, user),
            Message::Pam { opened: false, user } => self.pam_closed(entry, user),
            Message::Forward(_) => self.forward(entry),
            Message::Suspect(peer) => imported(entry.stated("address.suspected", peer.as_ref())),
            Message::Server("stopped") => self.stopped(entry),
            Message::Server(what) => imported(entry.stated(&format!("server.{what}"), None)),
            Message::Noise(reason) => Told::Nothing(reason),
            Message::Other => imported(entry.stated("message", None)),
        }
    }

    fn connected(&mut self, entry: &Entry<'_>, peer: &Peer) -> Told {
        let key = self.tracker.insert(entry.header, Some(peer));
        if let Some(connection) = self.tracker.get(key) {
            connection.verbose = true;
        }
        Told::Nothing("the beginning of a connection; what came of it follows")
    }

    fn child(&mut self, entry: &Entry<'_>, pid: u32) -> Told {
        if let Some(key) = self.tracker.find(entry.header, None) {
            self.tracker.adopt(key, pid);
        }
        Told::Nothing("the process id of a session")
    }

    fn session(&mut self, key: Key) -> Option<&mut Session> {
        self.tracker.get(key)?.session.as_mut()
    }

    fn accepted(&mut self, entry: &Entry<'_>, attempt: &Attempt<'_>) -> Told {
        let peer = attempt.peer.as_ref();
        let signed_in = |tracker: &mut Tracker, key| tracker.get(key).is_some_and(|c| c.session.is_some());
        let key = match self.tracker.find(entry.header, peer) {
            Some(key) if !signed_in(&mut self.tracker, key) => key,
            _ => self.tracker.insert(entry.header, peer),
        };
        let verbose = self.tracker.get(key).is_some_and(|connection| connection.verbose);
        let line = entry.id("session");
        let certificate = attempt.key.and_then(Certificate::read);
        let session = Session {
            id: certificate.as_ref().map_or_else(|| line.clone(), |certificate| certificate.session.clone()),
            line,
            certificate,
            user: attempt.user.to_owned(),
            peer: attempt.peer.clone(),
            accepted: Some(entry.time()),
            first_seen: entry.time(),
            kind: None,
            opened: !verbose,
            closed: false,
        };
        let mut events = vec![entry.signed_in(attempt, &session)];
        if !verbose {
            events.push(entry.opened(&session, SSH, None));
        }
        self.tracker.start(key, session);
        Told::Events(events)
    }

    fn reported(&mut self, entry: &Entry<'_>, peer: Option<&Peer>) -> bool {
        let key = self.tracker.find(entry.header, peer);
        key.and_then(|key| self.tracker.get(key)).is_some_and(|connection| connection.reported)
    }

    fn refused(&mut self, entry: &Entry<'_>, user: &str, refusal: Refusal<'_>) -> Told {
        let key = self.tracker.find_or_insert(entry.header, refusal.peer);
        let mut known = None;
        if let Some(connection) = self.tracker.get(key) {
            connection.reported = true;
            known.clone_from(&connection.peer);
        }
        let peer = refusal.peer.or(known.as_ref());
        imported(entry.refused(user, &Refusal { peer, ..refusal }))
    }

    fn started(&mut self, entry: &Entry<'_>, what: &str, user: &str, peer: Option<&Peer>) -> Told {
        let kind = kind_of(what);
        let key = match self.tracker.find(entry.header, peer) {
            Some(key) if self.session(key).is_some() => key,
            _ => self.begun_before(entry, user, peer),
        };
        let Some(session) = self.session(key) else { return Told::Nothing("a channel of a forgotten session") };
        if session.opened {
            if kind != SSH {
                session.kind = Some(kind);
            }
            return imported(entry.channel(session, kind, what));
        }
        session.opened = true;
        session.kind = Some(kind);
        imported(entry.opened(session, kind, Some(what)))
    }

    /// A session whose sign-in came before the log.
    fn begun_before(&mut self, entry: &Entry<'_>, user: &str, peer: Option<&Peer>) -> Key {
        let key = self.tracker.insert(entry.header, peer);
        let session = Session {
            id: entry.id("session"),
            line: entry.id("session"),
            certificate: None,
            user: user.to_owned(),
            peer: peer.cloned(),
            accepted: None,
            first_seen: entry.time(),
            kind: None,
            opened: false,
            closed: false,
        };
        self.tracker.start(key, session);
        key
    }

    fn pam_opened(&mut self, entry: &Entry<'_>, user: &str) -> Told {
        if self.tracker.find(entry.header, None).is_some_and(|key| self.session(key).is_some()) {
            return Told::Nothing("says again that a session began");
        }
        let key = self.begun_before(entry, user, None);
        let Some(session) = self.session(key) else { return Told::Nothing("a forgotten session") };
        session.opened = true;
        imported(entry.opened(session, SSH, None))
    }

    fn pam_closed(&mut self, entry: &Entry<'_>, user: &str) -> Told {
        let ending = Ending { user: Some(user), unknown: false, before_sign_in: false, peer: None, reason: "" };
        self.ended(entry, &ending)
    }

    fn forward(&mut self, entry: &Entry<'_>) -> Told {
        let mut events = Vec::new();
        let key = self.tracker.find(entry.header, None);
        let session = key.and_then(|key| self.session(key));
        if let Some(session) = session {
            if !session.opened {
                session.opened = true;
                session.kind = Some(PORT_FORWARD);
                events.push(entry.opened(session, PORT_FORWARD, None));
            }
            events.push(entry.forward_refused(Some(session)));
        } else {
            events.push(entry.forward_refused(None));
        }
        Told::Events(events)
    }

    fn ended(&mut self, entry: &Entry<'_>, ending: &Ending<'_>) -> Told {
        let peer = ending.peer.as_ref();
        let mut key = self.tracker.find(entry.header, peer);
        if key.is_none() && !ending.before_sign_in {
            key = self.tracker.find_parent(entry.header, peer);
        }
        if let Some(key) = key
            && let Some(told) = self.close(entry, key, ending.reason)
        {
            return told;
        }
        match ending.user {
            Some(user) if !ending.before_sign_in => {
                let key = self.begun_before(entry, user, peer);
                if let Some(session) = self.session(key) {
                    session.opened = true;
                }
                self.close(entry, key, ending.reason).unwrap_or(Told::Nothing("a forgotten session"))
            }
            _ => self.gave_up(entry, ending),
        }
    }

    /// The server stops, or the process of one connection does: someone has cut it.
    fn stopped(&mut self, entry: &Entry<'_>) -> Told {
        let key = self.tracker.find(entry.header, None);
        let open = key.filter(|key| self.session(*key).is_some_and(|session| !session.closed));
        open.and_then(|key| self.close(entry, key, "ended by a signal"))
            .unwrap_or_else(|| imported(entry.stated("server.stopped", None)))
    }

    fn close(&mut self, entry: &Entry<'_>, key: Key, reason: &str) -> Option<Told> {
        let session = self.session(key)?;
        if session.closed {
            return Some(Told::Nothing("says again that a session ended"));
        }
        let kind = session.kind.unwrap_or(if session.opened { SSH } else { PORT_FORWARD });
        let mut events = Vec::new();
        if !session.opened {
            session.opened = true;
            events.push(entry.opened(session, kind, None));
        }
        events.push(entry.closed(session, kind, reason));
        self.tracker.close(key);
        Some(Told::Events(events))
    }

    /// The end of a connection on which nobody signed in.
    fn gave_up(&mut self, entry: &Entry<'_>, ending: &Ending<'_>) -> Told {
        let peer = ending.peer.as_ref();
        if self.reported(entry, peer) {
            return Told::Nothing("the end of a connection whose failure is recorded");
        }
        if let Some(user) = ending.user {
            let refusal = Refusal { unknown: ending.unknown, peer, reason: ending.reason, ..Refusal::default() };
            return self.refused(entry, user, refusal);
        }
        let key = self.tracker.find_or_insert(entry.header, peer);
        let mut known = None;
        if let Some(connection) = self.tracker.get(key) {
            connection.reported = true;
            known.clone_from(&connection.peer);
        }
        imported(entry.dropped(peer.or(known.as_ref()), ending.reason))
    }
}

/// The kind of session that a channel, as `Starting session` names it, serves.
fn kind_of(what: &str) -> &'static str {
    let command = what.to_ascii_lowercase();
    if ["sftp", "scp", "rsync"].iter().any(|tool| command.contains(tool)) { FILE_TRANSFER } else { SSH }
}
