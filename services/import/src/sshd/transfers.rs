//! Lines of the SFTP server: who did what to which file.

use std::collections::{HashMap, VecDeque};

use super::Told;
use super::facts::Entry;
use super::peer::Peer;

/// SFTP servers remembered.
const MAX_SERVERS: usize = 4096;

/// The user of each SFTP server, by host and process.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    users: HashMap<(String, u32), (String, Option<Peer>)>,
    order: VecDeque<(String, u32)>,
}

impl Transfers {
    /// What the next line tells.
    pub(super) fn tell(&mut self, entry: &Entry<'_>) -> Told {
        let message = entry.message();
        let server = (entry.header.host.clone(), entry.header.pid);
        if let Some((user, peer)) =
            message.strip_prefix("session opened for local user ").and_then(|rest| rest.rsplit_once(" from "))
        {
            let address = peer.trim_start_matches('[').trim_end_matches(']');
            self.begin(server, user, Peer::read(address).map(|(peer, _)| peer));
            return Told::Nothing("the beginning of a file transfer; what it does follows");
        }
        let verb = message.split([' ', '"']).next().unwrap_or_default();
        let what = match verb {
            "close" => "transferred",
            "remove" | "rmdir" => "removed",
            "rename" | "posix-rename" => "renamed",
            "mkdir" | "symlink" | "hardlink" => "created",
            "set" | "setstat" => "changed",
            "refusing" => "refused",
            _ => return Told::Nothing("a step of a file transfer that another line sums up"),
        };
        let file = message.split('"').nth(1).unwrap_or("unknown");
        let (user, peer) = self.users.get(&server).map_or((None, None), |(user, peer)| (Some(&**user), peer.as_ref()));
        Told::Events(vec![entry.file(what, file, user, peer)])
    }

    fn begin(&mut self, server: (String, u32), user: &str, peer: Option<Peer>) {
        if self.users.insert(server.clone(), (user.to_owned(), peer)).is_none() {
            self.order.push_back(server);
        }
        if self.order.len() > MAX_SERVERS
            && let Some(oldest) = self.order.pop_front()
        {
            self.users.remove(&oldest);
        }
    }
}
