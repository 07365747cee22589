//! `chancery watch`: follows a log, delivers what it says as it is written, and goes on where it stopped.

mod cut;
mod follow;

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chancery_domain::cloudevents::to_cloudevent;
use chancery_import::{Format, Importer, Options, Parsed, Record};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use self::cut::Cutter;
use self::follow::{Follow, Segments, inode, place};
use super::import::reference_time;
use crate::client::Client;
use crate::failure::{Doing, Failure};

/// Events of one request.
const BATCH: usize = 500;
/// Records that wait to be sent.
const WAITING: usize = 4096;
/// How long events wait for more.
const GATHER: Duration = Duration::from_millis(100);
/// How often it is asked what is to be cut.
const ASK: Duration = Duration::from_secs(1);
/// Pause before it is tried again to send.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Subcommand)]
pub(crate) enum WatchCommand {
    /// Follow the log of OpenSSH's server: sign-ins and sessions are delivered as they happen.
    #[command(
        after_help = "Examples:\n  chancery watch sshd /var/log/auth.log\n  chancery watch sshd /var/log/auth.log --cut"
    )]
    Sshd(WatchArguments),
}

#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// The file. It may be rotated or cut, and need not be there yet.
    pub(crate) file: PathBuf,
    /// Where it is noted how far it is delivered; FILE.watched without.
    #[arg(long, value_name = "FILE")]
    progress: Option<PathBuf>,
    /// Zone of times without an offset.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) time_zone: String,
    /// End the connections of sessions that Chancery has closed. Needs the right to end sshd's processes on this host.
    #[arg(long)]
    cut: bool,
}

/// Follows until a signal.
pub(crate) async fn run(command: &WatchCommand, client: &Client) -> Result<(), Failure> {
    let WatchCommand::Sshd(arguments) = command;
    let time_zone = jiff::tz::TimeZone::get(&arguments.time_zone)
        .map_err(|_| Failure::usage(format!("`{}` is no time zone", arguments.time_zone)))?;
    let progress = Progress::open(arguments);
    let (before, delivered) = progress.beginning();
    let first = before.first().unwrap_or(&arguments.file);
    let reference = if first.exists() { Some(reference_time(first, &time_zone)?) } else { None };
    let options = Options { reference_time: reference.unwrap_or_else(|| chancery_log::system_clock()()), time_zone };
    let (segments, stop) = (Segments::default(), Arc::new(AtomicBool::new(false)));
    let follow = Follow::new(&arguments.file, before, segments.clone(), stop.clone());
    let (sender, records) = mpsc::channel(WAITING);
    let reading = std::thread::spawn(move || {
        for record in Importer::new(Format::Sshd, options).read(BufReader::with_capacity(1 << 16, follow)) {
            if sender.blocking_send(record).is_err() {
                return;
            }
        }
    });
    let cutter = arguments.cut.then(Cutter::default);
    let mut watch = Watch { client, progress, segments, delivered, batch: Vec::new(), end: 0, cutter };
    let ended = tokio::select! {
        ended = watch.run(records) => ended,
        stopped = wait_for_signal() => stopped,
    };
    stop.store(true, Ordering::Relaxed);
    drop(reading);
    ended
}

struct Watch<'a> {
    client: &'a Client,
    progress: Progress,
    segments: Segments,
    /// Bytes of the stream that are delivered.
    delivered: u64,
    batch: Vec<Value>,
    /// Byte of the stream at which the batch ends.
    end: u64,
    cutter: Option<Cutter>,
}

impl Watch<'_> {
    async fn run(&mut self, mut records: mpsc::Receiver<std::io::Result<Record>>) -> Result<(), Failure> {
        let mut asked = tokio::time::Instant::now();
        loop {
            match tokio::time::timeout(GATHER, records.recv()).await {
                Ok(Some(record)) => self.take(record.doing("reading the log")?),
                Ok(None) => return Err(Failure::failed("the log cannot be followed any more")),
                Err(_) => self.deliver().await?,
            }
            if self.batch.len() >= BATCH {
                self.deliver().await?;
            }
            if let Some(cutter) = &mut self.cutter
                && asked.elapsed() >= ASK
            {
                cutter.cut(self.client).await;
                asked = tokio::time::Instant::now();
            }
        }
    }

    fn take(&mut self, record: Record) {
        self.end = record.end;
        match record.parsed {
            Parsed::Rejected { reason, text } if record.end > self.delivered => {
                let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
                eprintln!("chancery: a line cannot be read: it {reason}: {text}");
            }
            Parsed::Rejected { .. } | Parsed::Ignored(_) => {}
            Parsed::Imported(events) => {
                if let Some(cutter) = &mut self.cutter {
                    for event in &events {
                        cutter.note(event);
                    }
                }
                if record.end > self.delivered {
                    self.batch.extend(events.iter().map(to_cloudevent));
                }
            }
        }
    }

    /// Sends what is waiting, for as long as it takes: nothing is passed over.
    async fn deliver(&mut self) -> Result<(), Failure> {
        let batch = std::mem::take(&mut self.batch);
        if !batch.is_empty() {
            let body = serde_json::to_vec(&batch).doing("writing a batch")?;
            loop {
                let request = self
                    .client
                    .request(Method::POST, "/api/v1/events?results=rejected")
                    .header("content-type", "application/cloudevents-batch+json")
                    .body(body.clone());
                match self.client.send(request).await {
                    Ok(response) => {
                        let report: Value = response.json().await.doing("reading the server's answer")?;
                        complain(&report);
                        break;
                    }
                    Err(error) if error.is_unavailable() => {
                        error.report();
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        if self.end > self.delivered {
            self.delivered = self.end;
            if let Some((inode, bytes)) = place(&self.segments, self.end) {
                self.progress.note(inode, bytes)?;
            }
        }
        Ok(())
    }
}

/// Says what the server did not take.
fn complain(report: &Value) {
    for result in report.get("results").and_then(Value::as_array).into_iter().flatten() {
        let member = |name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default();
        if member("status") != "duplicate" {
            eprintln!("chancery: the server did not take an event: {}", member("reason"));
        }
    }
}

/// How far the file is delivered: an inode and bytes of it, noted beside it.
struct Progress {
    file: PathBuf,
    note: PathBuf,
    noted: Option<(u64, u64)>,
}

impl Progress {
    fn open(arguments: &WatchArguments) -> Self {
        let note = arguments.progress.clone().unwrap_or_else(|| {
            let mut name = arguments.file.clone().into_os_string();
            name.push(".watched");
            PathBuf::from(name)
        });
        let noted = std::fs::read_to_string(&note).ok().and_then(|text| {
            let noted: Value = serde_json::from_str(&text).ok()?;
            Some((noted.get("inode")?.as_u64()?, noted.get("bytes")?.as_u64()?))
        });
        Self { file: arguments.file.clone(), note, noted }
    }

    /// The files to read before the one that is followed, and how much of the stream is delivered. Sessions are paired
    /// across lines: what is delivered is read again, also of the file before.
    fn beginning(&self) -> (Vec<PathBuf>, u64) {
        let Some((noted, bytes)) = self.noted else { return (Vec::new(), 0) };
        let rotated = rotated(&self.file);
        let earlier = inode(&rotated);
        match (inode(&self.file), earlier) {
            (Some((current, length)), Some((_, before))) if current == noted && length >= bytes => {
                (vec![rotated], before + bytes)
            }
            (Some((current, length)), None) if current == noted && length >= bytes => (Vec::new(), bytes),
            (_, Some((earlier, length))) if earlier == noted && length >= bytes => (vec![rotated], bytes),
            _ => {
                eprintln!("chancery: where it stopped is not there any more; the file is read from its beginning");
                (Vec::new(), 0)
            }
        }
    }

    /// Notes it in another file that takes the place of the old one: it is whole at any moment.
    fn note(&self, inode: u64, bytes: u64) -> Result<(), Failure> {
        let doing = format!("writing {}", self.note.display());
        let new = self.note.with_extension("watched.new");
        std::fs::write(&new, json!({ "inode": inode, "bytes": bytes }).to_string()).doing(&doing)?;
        std::fs::rename(&new, &self.note).doing(&doing)
    }
}

/// Where logrotate and rsyslog put the file before.
fn rotated(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

async fn wait_for_signal() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).doing("waiting for signals")?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.doing("waiting for signals")?,
    }
    Ok(())
}
