//! The single writer: drains waiting appends into one transaction, syncs, acknowledges.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use chancery_domain::Event;
use chancery_evidence::{Identity, Sealed, timeless_digest};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::index::{Additions, Entry, Index};
use super::journal::{Journal, Last};
use super::touched::Touched;
use crate::recent::Recent;
use crate::{Appended, Clock, Decided, Frontier, LogError, Position, Recorded, Ticket};

/// Most events of one commit.
const GROUP_EVENTS: usize = 4096;
/// Most bytes of one commit.
const GROUP_BYTES: usize = 4 << 20;

/// Events that wait to be written.
pub(crate) struct Request {
    pub(crate) events: Vec<Sealed>,
    pub(crate) wish: Wish,
    pub(crate) permit: OwnedSemaphorePermit,
}

/// How they are to be written, and who waits for it.
pub(crate) enum Wish {
    /// Each on its own merits. Without events it asks to be told when all before it is durable.
    Append(oneshot::Sender<Outcomes>),
    /// All or none, if nothing of the ticket was touched.
    Decide(Ticket, oneshot::Sender<Result<Decided, LogError>>),
}

pub(crate) struct Writer {
    pub(crate) journal: Journal,
    /// `None` after the index failed; it is opened again before the next commit.
    pub(crate) index: Option<Index>,
    pub(crate) index_path: PathBuf,
    pub(crate) index_cache_bytes: u64,
    pub(crate) recent: Arc<Recent<Recorded>>,
    pub(crate) head: watch::Sender<Position>,
    pub(crate) touched: Arc<Touched>,
    pub(crate) clock: Clock,
    pub(crate) last: Last,
}

/// An answer that waits for the commit. Its permit frees the queue when it is given.
struct Reply {
    answer: Answer,
    permit: OwnedSemaphorePermit,
}

enum Answer {
    Appended(oneshot::Sender<Outcomes>, Outcomes),
    Decided(oneshot::Sender<Result<Decided, LogError>>, Result<Decided, LogError>),
}

type Outcomes = Result<Vec<Appended>, LogError>;

impl Reply {
    /// Tells what came of it. Whoever asked may have gone; the events are durable all the same.
    fn send(self) {
        drop(self.permit);
        match self.answer {
            Answer::Appended(to, outcomes) => drop(to.send(outcomes)),
            Answer::Decided(to, decided) => drop(to.send(decided)),
        }
    }

    /// Tells that the commit failed.
    fn fail(self, error: LogError) {
        let answer = match self.answer {
            Answer::Appended(to, _) => Answer::Appended(to, Err(error)),
            Answer::Decided(to, _) => Answer::Decided(to, Err(error)),
        };
        Self { answer, ..self }.send();
    }
}

/// One commit in the making.
#[derive(Default)]
struct Group {
    rows: Vec<Arc<str>>,
    identities: HashMap<Identity, Entry>,
    streams: HashMap<Identity, u64>,
    /// Keys that decisions of this group touch.
    touched: HashMap<usize, Position>,
    replies: Vec<Reply>,
}

impl Writer {
    /// Works until every handle is gone.
    pub(crate) async fn run(mut self, mut requests: mpsc::UnboundedReceiver<Request>) {
        while let Some(first) = requests.recv().await {
            let mut waiting = vec![first];
            let mut events = waiting.iter().map(|request| request.events.len()).sum::<usize>();
            let mut bytes = waiting.iter().map(Request::bytes).sum::<usize>();
            while events < GROUP_EVENTS && bytes < GROUP_BYTES {
                let Ok(request) = requests.try_recv() else { break };
                events += request.events.len();
                bytes += request.bytes();
                waiting.push(request);
            }
            self.commit(waiting).await;
        }
    }

    async fn commit(&mut self, waiting: Vec<Request>) {
        let begun = Instant::now();
        if let Err(error) = self.recover().await {
            for Request { wish, permit, .. } in waiting {
                let answer = match wish {
                    Wish::Append(to) => Answer::Appended(to, Err(error.clone())),
                    Wish::Decide(_, to) => Answer::Decided(to, Err(error.clone())),
                };
                Reply { answer, permit }.send();
            }
            return;
        }
        let mut group = Group::default();
        for Request { events, wish, permit } in waiting {
            let answer = match wish {
                Wish::Append(to) => Answer::Appended(to, self.place_all(&mut group, events).await),
                Wish::Decide(ticket, to) => Answer::Decided(to, self.decide(&mut group, events, &ticket)),
            };
            group.replies.push(Reply { answer, permit });
        }
        let written =
            if group.rows.is_empty() { Ok(()) } else { self.journal.insert(self.last.position + 1, &group.rows).await };
        match written {
            Ok(()) => self.acknowledge(group, begun),
            Err(error) => {
                // A commit whose sync failed may be in the file all the same: see what the journal holds.
                self.index = None;
                tracing::error!(%error, events = group.rows.len(), "a commit failed; nothing of it was acknowledged");
                metrics::counter!("chancery_log_commit_failures_total").increment(1);
                for reply in group.replies {
                    reply.fail(error.clone());
                }
            }
        }
    }

    fn acknowledge(&mut self, group: Group, begun: Instant) {
        let count = group.rows.len() as u64;
        let first = self.last.position + 1;
        self.last.position += count;
        let additions = Additions {
            identities: group.identities.into_iter().collect(),
            streams: group.streams.into_iter().collect(),
        };
        self.touched.touch(group.touched);
        if count > 0 {
            let rows = (first..).zip(group.rows);
            self.recent.extend(rows.map(|(position, bytes)| Recorded { position, bytes }));
            self.head.send_replace(self.last.position);
        }
        group.replies.into_iter().for_each(Reply::send);
        if count > 0 {
            metrics::histogram!("chancery_log_append_seconds").record(begun.elapsed().as_secs_f64());
            #[expect(clippy::cast_precision_loss, reason = "a batch size is far below 2^52")]
            metrics::histogram!("chancery_log_batch_events").record(count as f64);
            // The journal has it; the index may catch up later if this fails.
            if let Some(Err(error)) = self.index.as_ref().map(|index| index.apply(additions, self.last.position)) {
                tracing::error!(%error, "the identity index failed and will be opened again");
                self.index = None;
            }
        }
    }

    /// Opens the index again after a failure, and finds out what the journal holds: a commit whose sync failed
    /// may have reached the file all the same.
    async fn recover(&mut self) -> Result<(), LogError> {
        if self.index.is_some() {
            return Ok(());
        }
        let last = self.journal.last().await?;
        let index = Index::open(&self.index_path, self.index_cache_bytes, &self.journal, last.position).await?;
        let unknown = self.journal.read(self.last.position, last.position, usize::MAX, usize::MAX).await?;
        if !unknown.is_empty() {
            tracing::warn!(events = unknown.len(), "events of a commit that failed are in the journal all the same");
            self.recent.extend(unknown);
            // What they touched is not known here.
            self.touched.touch_all(last.position);
        }
        self.last = last;
        self.head.send_replace(last.position);
        self.index = Some(index);
        Ok(())
    }

    async fn place_all(&mut self, group: &mut Group, events: Vec<Sealed>) -> Result<Vec<Appended>, LogError> {
        let mut outcomes = Vec::with_capacity(events.len());
        for event in events {
            outcomes.push(self.place(group, event).await?);
        }
        Ok(outcomes)
    }

    /// Gives one event its place in the group, or finds out why it has none.
    async fn place(&mut self, group: &mut Group, event: Sealed) -> Result<Appended, LogError> {
        if let Some(entry) = self.known(group, &event)? {
            return self.compare(group, &event, entry).await;
        }
        let version = self.stream_version(group, &event)?;
        self.write(group, event, version + 1)
    }

    /// Gives all events of a decision their places, or none.
    fn decide(&mut self, group: &mut Group, events: Vec<Sealed>, ticket: &Ticket) -> Result<Decided, LogError> {
        let moved = ticket.seen().any(|(key, seen)| {
            let slot = Touched::slot(key);
            group.touched.get(&slot).copied().unwrap_or_else(|| self.touched.last(slot)) != seen
        });
        if moved {
            return Ok(Decided::Moved);
        }
        // Whatever can fail comes before the first event is written.
        for event in &events {
            if self.known(group, event)?.is_some() {
                return Ok(Decided::Moved);
            }
            let version = self.stream_version(group, event)?;
            group.streams.insert(*event.stream(), version);
        }
        for event in events {
            let version = group.streams.get(event.stream()).copied().unwrap_or_default();
            self.write(group, event, version + 1)?;
        }
        let reached = self.last.position + group.rows.len() as u64;
        group.touched.extend(ticket.seen().map(|(key, _)| (Touched::slot(key), reached)));
        Ok(Decided::Appended(Frontier::single(reached)))
    }

    fn known(&self, group: &Group, event: &Sealed) -> Result<Option<Entry>, LogError> {
        match group.identities.get(event.identity()) {
            Some(entry) => Ok(Some(*entry)),
            None => self.index.as_ref().ok_or(LogError::Closed)?.find(event.identity()),
        }
    }

    fn stream_version(&self, group: &Group, event: &Sealed) -> Result<u64, LogError> {
        match group.streams.get(event.stream()) {
            Some(version) => Ok(*version),
            None => self.index.as_ref().ok_or(LogError::Closed)?.stream_version(event.stream()),
        }
    }

    fn write(&mut self, group: &mut Group, event: Sealed, stream_version: u64) -> Result<Appended, LogError> {
        let position = self.last.position + 1 + group.rows.len() as u64;
        group.identities.insert(*event.identity(), Entry { position, content: *event.content() });
        group.streams.insert(*event.stream(), stream_version);
        self.last.recorded_at = self.last.recorded_at.max((self.clock)());
        let bytes = event.stamp(self.last.recorded_at, stream_version);
        let text = String::from_utf8(bytes).map_err(|error| LogError::Storage(error.to_string()))?;
        group.rows.push(text.into());
        Ok(Appended::Created { position, stream_version })
    }

    /// Tells a repetition from a contradiction.
    async fn compare(&self, group: &Group, event: &Sealed, entry: Entry) -> Result<Appended, LogError> {
        let position = entry.position;
        if entry.content == *event.content() {
            return Ok(Appended::Duplicate { position });
        }
        let Some(timeless) = event.timeless() else { return Ok(Appended::Conflict { position }) };
        let stored = match position.checked_sub(self.last.position + 1) {
            Some(offset) => usize::try_from(offset).ok().and_then(|offset| group.rows.get(offset)).cloned(),
            None => {
                self.journal.read(position - 1, position, 1, usize::MAX).await?.pop().map(|recorded| recorded.bytes)
            }
        };
        let same = stored
            .and_then(|stored| serde_json::from_str::<Event>(&stored).ok())
            .and_then(|stored| timeless_digest(&stored).ok())
            .is_some_and(|stored| stored == *timeless);
        Ok(if same { Appended::Duplicate { position } } else { Appended::Conflict { position } })
    }
}

impl Request {
    fn bytes(&self) -> usize {
        self.events.iter().map(Sealed::len).sum()
    }
}
