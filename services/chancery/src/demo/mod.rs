//! The demo of `make run`: a generated company in an empty data directory, and a workspace that a runner beside it builds.

mod workspace;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chancery_company::{Company, Options};
use chancery_domain::Timestamp;
use chancery_evidence::Sealed;
use chancery_gateway::new_token;
use chancery_log::{Log, LogError, system_clock};
use chancery_state::Decisions;

use crate::failure::{Doing, Failure};
use crate::serve::create_admin;
use crate::terminal;

const BATCH: usize = 2000;
const DAY: i64 = 86_400_000_000;

pub(crate) use workspace::run as build_workspace;

/// What company to generate.
#[derive(Debug, Clone)]
pub(crate) struct Demo {
    pub(crate) users: usize,
    pub(crate) days: u32,
    /// The Terraform that a runner beside the server builds a workspace with; none is started without.
    pub(crate) terraform: Option<PathBuf>,
}

impl Demo {
    /// The demo's admin token, kept beside the data to be printed again.
    pub(crate) async fn token(&self, directory: &Path, decisions: &Decisions) -> Result<String, Failure> {
        let file = directory.join("demo-token");
        if let Ok(token) = std::fs::read_to_string(&file) {
            return Ok(token.trim().to_owned());
        }
        let token = new_token();
        create_admin(decisions, token.id.clone(), token.secret_sha256.clone(), "demo").await?;
        keep(&file, &token.text, "keeping the demo token")?;
        Ok(token.text)
    }

    /// Fills an empty log with the company.
    pub(crate) async fn fill(&self, log: &Log) -> Result<(), Failure> {
        if log.heads().total() > 0 {
            return Ok(());
        }
        let today = system_clock()().as_micros() / DAY * DAY;
        let start = Timestamp::EPOCH.saturating_add_micros(today - i64::from(self.days) * DAY);
        terminal::line(&format!("Generating a company of {} people over {} days …", self.users, self.days));
        let mut batch = Vec::with_capacity(BATCH);
        for event in Company::new(Options { users: self.users, days: self.days, start, seed: 42 }) {
            batch.push(Sealed::new(&event).doing("generating events")?);
            if batch.len() == BATCH {
                append(log, std::mem::take(&mut batch)).await?;
            }
        }
        append(log, batch).await?;
        terminal::line(&format!("{} events are in the log.", log.heads().total()));
        Ok(())
    }
}

/// Writes a secret to a file of its own, for this user alone.
fn keep(file: &Path, text: &str, doing: &str) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    let mut out = options.create_new(true).write(true).mode(0o600).open(file).doing(doing)?;
    writeln!(out, "{text}").doing(doing)
}

async fn append(log: &Log, batch: Vec<Sealed>) -> Result<(), Failure> {
    loop {
        match log.append(batch.clone()).await {
            Err(LogError::Busy) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            other => return other.map(drop).doing("appending generated events"),
        }
    }
}

/// Prints where the server is and what to try.
pub(crate) fn greet(address: &str, token: &str) {
    let import = if Path::new("/var/log/auth.log").exists() {
        "chancery import sshd /var/log/auth.log".to_owned()
    } else {
        "journalctl -t sshd -t sshd-session -o json | chancery import sshd -".to_owned()
    };
    terminal::line(&format!(
        "\nChancery is at http://{address}\nAdmin token: {token}\n\nTry, with target/release in the PATH:\n\n    \
         export CHANCERY_CLIENT_SERVER=http://{address} CHANCERY_CLIENT_TOKEN={token}\n\n    \
         chancery audit search 'outcome:denied time:-30d' --limit 20\n    \
         chancery audit count 'type:user.login.failed' --by ip --distinct username\n    \
         {import}\n\nCtrl-C stops it; the data stays.\n"
    ));
}
