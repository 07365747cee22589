//! `chancery import`: reads a foreign log, sends its events in batches, accounts for every record.
//!
//! Importing twice, or again after an interruption, adds nothing twice: ids are derived from the input. What
//! was acknowledged is noted beside the file, so that a second run goes on from there.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chancery_domain::Timestamp;
use chancery_domain::cloudevents::to_cloudevent;
use chancery_import::{Format, Importer, Options, Parsed, Record, first_time};
use chancery_log::system_clock;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::ImportArguments;
use crate::client::Client;
use crate::failure::{Doing, Failure};
use crate::terminal::{self, Output};

/// Events of one request.
const BATCH: usize = 1000;

/// What became of the records.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Summary {
    lines: u64,
    imported: u64,
    duplicate: u64,
    ignored: u64,
    rejected: u64,
    events: u64,
}

/// A record whose events are on their way.
struct Pending {
    line: u64,
    lines: u64,
    events: usize,
}

struct Import<'a> {
    client: &'a Client,
    summary: Summary,
    batch: Vec<Value>,
    pending: Vec<Pending>,
    rejects: Rejects,
    progress: Progress,
    bar: ProgressBar,
}

pub(crate) async fn run(arguments: &ImportArguments, client: &Client) -> Result<(), Failure> {
    let format: Format = arguments.format.parse().map_err(|_| {
        let known: Vec<&str> = Format::ALL.iter().map(|format| format.as_str()).collect();
        Failure::usage(format!("`{}` is no format; there are {}", arguments.format, known.join(", ")))
    })?;
    let standard_input = arguments.file.as_os_str() == "-";
    let time_zone = jiff::tz::TimeZone::get(&arguments.time_zone)
        .map_err(|_| Failure::usage(format!("`{}` is no time zone", arguments.time_zone)))?;
    let reference_time = match format {
        Format::Sshd => reference_time(&arguments.file, &time_zone)?,
        _ => system_clock()(),
    };
    let options = Options { reference_time, time_zone };
    let reader: Box<dyn Read> =
        if standard_input { Box::new(std::io::stdin()) } else { Box::new(open(&arguments.file)?) };
    let length = if standard_input { None } else { std::fs::metadata(&arguments.file).ok().map(|data| data.len()) };

    let mut import = Import {
        client,
        summary: Summary::default(),
        batch: Vec::with_capacity(BATCH),
        pending: Vec::new(),
        rejects: Rejects::new(rejected_path(arguments)),
        progress: Progress::open((!standard_input).then_some(arguments.file.as_path()), client).await,
        bar: bar(length),
    };
    for record in Importer::new(format, options).read(BufReader::with_capacity(1 << 20, reader)) {
        let record = record.doing(&format!("reading {}", arguments.file.display()))?;
        import.take(record).await?;
    }
    import.send().await?;
    import.bar.finish_and_clear();
    import.rejects.finish()?;
    import.progress.remove();
    import.report(arguments);
    Ok(())
}

impl Import<'_> {
    async fn take(&mut self, record: Record) -> Result<(), Failure> {
        self.summary.lines += record.lines;
        self.bar.set_position(record.end);
        match record.parsed {
            Parsed::Ignored(_) => self.summary.ignored += record.lines,
            Parsed::Rejected { reason, text } => {
                self.summary.rejected += record.lines;
                self.rejects.write(record.line, &reason, &text)?;
            }
            Parsed::Imported(_) if record.end <= self.progress.acknowledged => self.summary.duplicate += record.lines,
            Parsed::Imported(events) => {
                self.pending.push(Pending { line: record.line, lines: record.lines, events: events.len() });
                self.batch.extend(events.iter().map(to_cloudevent));
                if self.batch.len() >= BATCH {
                    let last = self.batch.last().cloned().unwrap_or_default();
                    self.send().await?;
                    self.progress.note(record.end, &last);
                }
            }
        }
        Ok(())
    }

    /// Sends what is waiting and accounts for the records it came from.
    async fn send(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        let request = self
            .client
            .request(Method::POST, "/api/v1/events?results=rejected")
            .header("content-type", "application/cloudevents-batch+json")
            .body(serde_json::to_vec(&batch).doing("writing a batch")?);
        let report: Value = self.client.send(request).await?.json().await.doing("reading the server's answer")?;
        let results = report.get("results").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut results = results.iter().peekable();
        let mut index = 0;
        for record in std::mem::take(&mut self.pending) {
            let end = index + record.events;
            let (mut duplicates, mut refused) = (0, None);
            while let Some(result) = results.next_if(|result| place(result) < end) {
                match result.get("status").and_then(Value::as_str) {
                    Some("duplicate") => duplicates += 1,
                    _ => refused = Some((result, batch.get(place(result)))),
                }
            }
            index = end;
            self.summary.events += (record.events - duplicates) as u64 - u64::from(refused.is_some());
            match refused {
                Some((result, event)) => {
                    // A second run must come by here again, or the record would be neither in the log nor on the list.
                    self.progress.halt();
                    self.summary.rejected += record.lines;
                    let reason = result.get("reason").and_then(Value::as_str).unwrap_or("refused by the server");
                    let text = event.map(Value::to_string).unwrap_or_default();
                    self.rejects.write(record.line, reason, &text)?;
                }
                None if duplicates == record.events => self.summary.duplicate += record.lines,
                None => self.summary.imported += record.lines,
            }
        }
        Ok(())
    }

    fn report(&self, arguments: &ImportArguments) {
        let Summary { lines, imported, duplicate, ignored, rejected, events } = self.summary;
        if arguments.output == Some(Output::Json) {
            let summary = json!({"lines": lines, "imported": imported, "duplicate": duplicate, "ignored": ignored,
                "rejected": rejected, "events": events});
            terminal::line(&summary.to_string());
        } else {
            terminal::line(&format!(
                "{lines} lines = {imported} imported + {duplicate} duplicate + {ignored} ignored + {rejected} rejected; {events} new events"
            ));
            if rejected > 0 {
                terminal::line(&format!("Rejected records are in {}", self.rejects.path.display()));
            }
        }
    }
}

fn place(result: &Value) -> usize {
    result.get("index").and_then(Value::as_u64).and_then(|index| usize::try_from(index).ok()).unwrap_or(usize::MAX)
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).doing(&format!("opening {}", path.display()))
}

/// When lines without a year were written: found in the file, or now for a pipe.
pub(super) fn reference_time(file: &Path, zone: &jiff::tz::TimeZone) -> Result<Timestamp, Failure> {
    let now = system_clock()();
    if file.as_os_str() == "-" {
        return Ok(now);
    }
    let file = open(file)?;
    let modified = file.metadata().and_then(|data| data.modified()).ok();
    let modified = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).map_or(now, |since| {
        Timestamp::EPOCH.saturating_add_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    });
    first_time(BufReader::new(file), modified, zone.clone()).doing("reading the log's times")
}

fn rejected_path(arguments: &ImportArguments) -> PathBuf {
    arguments.rejected.clone().unwrap_or_else(|| {
        let name =
            if arguments.file.as_os_str() == "-" { "import".into() } else { arguments.file.clone().into_os_string() };
        let mut name = name;
        name.push(".rejected");
        PathBuf::from(name)
    })
}

fn bar(length: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    let template = match length {
        Some(_) => "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left",
        None => "{spinner} {bytes} {bytes_per_sec} {elapsed}",
    };
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// The file of records that could not be taken; made with its first line.
struct Rejects {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Rejects {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    fn write(&mut self, line: u64, reason: &str, text: &str) -> Result<(), Failure> {
        let name = format!("writing {}", self.path.display());
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(BufWriter::new(File::create(&self.path).doing(&name)?)),
        };
        writeln!(file, "{line}\t{reason}\t{text}").doing(&name)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        match &mut self.file {
            Some(file) => file.flush().doing(&format!("writing {}", self.path.display())),
            None => Ok(()),
        }
    }
}

/// How many bytes of the file are acknowledged, noted beside it until the import is complete.
///
/// The note names the file's first line and the last event the server took: under another file's name or with a
/// server that does not have that event, everything is sent anew.
struct Progress {
    path: Option<PathBuf>,
    beginning: String,
    acknowledged: u64,
    halted: bool,
}

impl Progress {
    async fn open(file: Option<&Path>, client: &Client) -> Self {
        let mut progress = Self { path: None, beginning: String::new(), acknowledged: 0, halted: false };
        let Some(file) = file else { return progress };
        let mut name = file.as_os_str().to_owned();
        name.push(".progress");
        progress.path = Some(PathBuf::from(name));
        progress.beginning = beginning_of(file);
        if let Some((bytes, source, id)) = progress.noted()
            && has_event(client, &source, &id).await
        {
            progress.acknowledged = bytes;
        }
        progress
    }

    /// Bytes, source and id of the last acknowledged event.
    fn noted(&self) -> Option<(u64, String, String)> {
        let note: Value = serde_json::from_str(&std::fs::read_to_string(self.path.as_ref()?).ok()?).ok()?;
        let member = |name: &str| Some(note.get(name)?.as_str()?.to_owned());
        let bytes = note.get("bytes")?.as_u64()?;
        (member("beginning")? == self.beginning).then_some((bytes, member("source")?, member("id")?))
    }

    /// Notes nothing from here on.
    fn halt(&mut self) {
        self.halted = true;
    }

    fn note(&self, bytes: u64, last: &Value) {
        let Some(path) = self.path.as_ref().filter(|_| !self.halted) else { return };
        let (source, id) = (last.get("source"), last.get("id"));
        let note = json!({"beginning": self.beginning, "bytes": bytes, "source": source, "id": id});
        if let Err(error) = std::fs::write(path, note.to_string()) {
            tracing::debug!(%error, "progress cannot be noted; a second run sends everything again");
        }
    }

    fn remove(&self) {
        if let Some(path) = &self.path {
            std::fs::remove_file(path).ok();
        }
    }
}

/// Whether the server has this event. Not being allowed to ask counts as no: sending again harms nothing.
async fn has_event(client: &Client, source: &str, id: &str) -> bool {
    let query = format!("id:{} source:{}", json!(id), json!(source));
    let found = client.get("/api/v1/audit/events", &[("q", query), ("limit", "1".to_owned())]).await;
    found.is_ok_and(|page| page.pointer("/events/0").is_some())
}

fn beginning_of(file: &Path) -> String {
    use sha2::{Digest, Sha256};
    let mut first = String::new();
    if let Ok(file) = File::open(file) {
        BufReader::new(file.take(4096)).read_line(&mut first).ok();
    }
    format!("{:x}", Sha256::digest(first.as_bytes()))
}
