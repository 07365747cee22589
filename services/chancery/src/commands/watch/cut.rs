//! Ends connections of sessions that Chancery has closed: a certificate that was taken back opens nothing, and closes
//! nothing that is open.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use chancery_domain::Event;
use serde_json::{Value, json};

use crate::client::Client;

/// Most connections that are remembered.
const MOST: usize = 10_000;

/// The connections that go on, by session.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    /// Processes of sshd that serve a session, by its id.
    processes: BTreeMap<String, BTreeSet<u32>>,
}

impl Cutter {
    /// Notes what an event says of a session that Chancery has allowed.
    pub(super) fn note(&mut self, event: &Event) {
        // Only those have someone on whose behalf they are.
        let (Some(session), Some(_)) = (&event.actor.session, &event.actor.on_behalf_of) else { return };
        let pid = event.data.get("pid").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok());
        if let ("user.login.succeeded", Some(pid)) = (event.event_type.as_str(), pid)
            && self.processes.len() < MOST
        {
            self.processes.entry(session.clone()).or_default().insert(pid);
        }
    }

    /// Tells that what is open goes on, and ends what may not.
    pub(super) async fn cut(&mut self, client: &Client) {
        self.processes.retain(|_, processes| {
            processes.retain(|pid| is_sshd(*pid));
            !processes.is_empty()
        });
        for (session, processes) in &self.processes {
            let answer = client.post(&format!("/api/v1/sessions/{session}/heartbeat"), &json!({})).await;
            let Ok(answer) = answer else { continue };
            if answer.get("cut").and_then(Value::as_bool) == Some(true) {
                for pid in processes {
                    end(session, *pid);
                }
            }
        }
    }
}

/// Whether a process is still sshd's: numbers are given away again.
fn is_sshd(pid: u32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    matches!(name.trim(), "sshd" | "sshd-session")
}

fn end(session: &str, pid: u32) {
    let ended = Command::new("kill").args(["-TERM", &pid.to_string()]).status();
    match ended {
        Ok(status) if status.success() => eprintln!("chancery: the connection of session {session} was cut"),
        _ => eprintln!("chancery: the connection of session {session} (process {pid}) could not be cut"),
    }
}
