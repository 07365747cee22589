//! The connections of all hosts in the log, found by process or by the other end's address.
//!
//! Two queues bound the memory: one for connections without a session, where scanners push each other out,
//! and one for open sessions, which they can't push out.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use chancery_domain::Timestamp;

use super::header::Header;
use super::peer::Peer;

/// Connections without an open session that are remembered.
const MAX_IDLE: usize = 8192;
/// Open sessions that are remembered.
const MAX_OPEN: usize = 65_536;
/// Before sign-in a connection lives for minutes; an older one's process id has been given away again.
const STALE: i64 = 3_600_000_000;

/// What is known of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    host: u64,
    pid: u32,
    pub(super) peer: Option<Peer>,
    /// The log tells about every connection and channel (`LogLevel VERBOSE`).
    pub(super) verbose: bool,
    /// A failed sign-in or an end was reported.
    pub(super) reported: bool,
    pub(super) session: Option<Session>,
    seen: Timestamp,
}

/// A certificate that Chancery has made for a session, as its key id says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Id of the session.
    pub(super) session: String,
    /// Whose it is.
    pub(super) person: String,
    /// As a decimal number.
    pub(super) serial: String,
}

impl Certificate {
    /// Reads a certificate's description: `ED25519-CERT SHA256:… ID chancery/<session>/<person> (serial 7) CA …`.
    pub(super) fn read(key: &str) -> Option<Self> {
        let (_, described) = key.split_once(" ID chancery/")?;
        // A person's name may contain anything; what follows it is the server's own.
        let (id, rest) = described.rsplit_once(" (serial ")?;
        let (session, person) = id.split_once('/')?;
        let serial = rest.split_once(')')?.0;
        let good = uuid::Uuid::try_parse(session).is_ok() && serial.parse::<u64>().is_ok();
        good.then(|| Self { session: session.to_owned(), person: person.to_owned(), serial: serial.to_owned() })
    }
}

/// A session of a connection.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: String,
    /// Derived from the line it is first known from: ids of events follow from it.
    pub(super) line: String,
    pub(super) user: String,
    /// The certificate of Chancery's that opened it.
    pub(super) certificate: Option<Certificate>,
    pub(super) peer: Option<Peer>,
    /// When its user signed in; unknown when that came before the log.
    pub(super) accepted: Option<Timestamp>,
    pub(super) first_seen: Timestamp,
    /// Its kind, once told.
    pub(super) kind: Option<&'static str>,
    /// Its beginning was reported.
    pub(super) opened: bool,
    pub(super) closed: bool,
}

/// A connection's place in the tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(u64);

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    connections: HashMap<Key, Connection>,
    by_pid: HashMap<(u64, u32), Key>,
    by_peer: HashMap<(u64, IpAddr, u16), Key>,
    idle: VecDeque<Key>,
    open: VecDeque<Key>,
    next: u64,
}

impl Tracker {
    pub(super) fn get(&mut self, key: Key) -> Option<&mut Connection> {
        self.connections.get_mut(&key)
    }

    /// The connection a line belongs to.
    pub(super) fn find(&self, header: &Header, peer: Option<&Peer>) -> Option<Key> {
        let host = host_key(header);
        let known = |key: &Key| self.connections.get(key).filter(|connection| connection.is_fresh(header.time));
        if let Some(Peer { ip: Some(ip), port: Some(port), .. }) = peer
            && let Some(key) = self.by_peer.get(&(host, *ip, *port))
            && known(key).is_some()
        {
            return Some(*key);
        }
        let key = *self.by_pid.get(&(host, header.pid)).filter(|_| header.pid != 0)?;
        let connection = known(&key)?;
        let contradicts = match (peer, &connection.peer) {
            (Some(peer), Some(own)) => !own.may_be(peer),
            _ => false,
        };
        (!contradicts).then_some(key)
    }

    /// The open session from an address whose process was forked latest before this line's. Old versions
    /// name the address only, and log from a child of the process that accepted the connection.
    pub(super) fn find_parent(&self, header: &Header, peer: Option<&Peer>) -> Option<Key> {
        let ip = peer.filter(|peer| peer.port.is_none())?.ip?;
        let host = host_key(header);
        let candidates = self.open.iter().filter_map(|key| Some((*key, self.connections.get(key)?)));
        candidates
            .filter(|(_, c)| c.host == host && c.is_open() && c.pid < header.pid)
            .filter(|(_, c)| c.peer.as_ref().is_some_and(|peer| peer.ip == Some(ip)))
            .max_by_key(|(_, c)| c.pid)
            .map(|(key, _)| key)
    }

    /// A new connection; one that had its process or address before is forgotten there.
    pub(super) fn insert(&mut self, header: &Header, peer: Option<&Peer>) -> Key {
        let key = Key(self.next);
        self.next += 1;
        let host = host_key(header);
        if header.pid != 0 {
            self.by_pid.insert((host, header.pid), key);
        }
        let connection = Connection {
            host,
            pid: header.pid,
            peer: None,
            verbose: false,
            reported: false,
            session: None,
            seen: header.time,
        };
        self.connections.insert(key, connection);
        self.meet(key, peer);
        self.idle.push_back(key);
        self.evict();
        key
    }

    /// The connection a line belongs to, made if need be.
    pub(super) fn find_or_insert(&mut self, header: &Header, peer: Option<&Peer>) -> Key {
        match self.find(header, peer) {
            Some(key) => {
                self.meet(key, peer);
                key
            }
            None => self.insert(header, peer),
        }
    }

    /// Remembers the address of a connection.
    fn meet(&mut self, key: Key, peer: Option<&Peer>) {
        let (Some(connection), Some(peer)) = (self.connections.get_mut(&key), peer) else { return };
        if let Peer { ip: Some(ip), port: Some(port), .. } = peer {
            self.by_peer.insert((connection.host, *ip, *port), key);
        }
        if connection.peer.as_ref().is_none_or(|own| own.port.is_none()) {
            connection.peer = Some(peer.clone());
        }
    }

    /// Lines of `child` belong to this connection, too.
    pub(super) fn adopt(&mut self, key: Key, child: u32) {
        if let Some(connection) = self.connections.get(&key) {
            self.by_pid.insert((connection.host, child), key);
            // Forgotten with the parent only by being overwritten or never found fresh again.
            self.sweep();
        }
    }

    /// Gives a connection its session.
    pub(super) fn start(&mut self, key: Key, session: Session) {
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.session = Some(session);
            self.open.push_back(key);
            self.evict();
        }
    }

    /// Marks a connection's session as closed.
    pub(super) fn close(&mut self, key: Key) {
        if let Some(session) = self.connections.get_mut(&key).and_then(|connection| connection.session.as_mut()) {
            session.closed = true;
            self.idle.push_back(key);
            self.evict();
        }
    }

    fn evict(&mut self) {
        while self.idle.len() > MAX_IDLE {
            let Some(key) = self.idle.pop_front() else { break };
            if !self.connections.get(&key).is_some_and(Connection::is_open) {
                self.forget(key);
            }
        }
        while self.open.len() > MAX_OPEN {
            let Some(key) = self.open.pop_front() else { break };
            if self.connections.get(&key).is_some_and(Connection::is_open) {
                self.forget(key);
            }
        }
    }

    fn forget(&mut self, key: Key) {
        let Some(connection) = self.connections.remove(&key) else { return };
        let own = |at: Option<&Key>| at == Some(&key);
        if own(self.by_pid.get(&(connection.host, connection.pid))) {
            self.by_pid.remove(&(connection.host, connection.pid));
        }
        if let Some(Peer { ip: Some(ip), port: Some(port), .. }) = connection.peer
            && own(self.by_peer.get(&(connection.host, ip, port)))
        {
            self.by_peer.remove(&(connection.host, ip, port));
        }
    }

    /// Drops the names of forgotten connections once they outnumber the living.
    fn sweep(&mut self) {
        if self.by_pid.len() > 2 * (MAX_IDLE + self.connections.len()) {
            self.by_pid.retain(|_, key| self.connections.contains_key(key));
        }
    }
}

impl Connection {
    fn is_open(&self) -> bool {
        self.session.as_ref().is_some_and(|session| !session.closed)
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.is_open() || now.as_micros().saturating_sub(self.seen.as_micros()) <= STALE
    }
}

fn host_key(header: &Header) -> u64 {
    let mut hasher = DefaultHasher::new();
    header.host.hash(&mut hasher);
    hasher.finish()
}
