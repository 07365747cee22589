//! What a server would hear, recorded.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use chancery_runner::{
    Acquire, Chain, Finished, Instruction, Job, LogChunk, LogLine, Planned, Server, ServerError, Verdict,
};
use tokio::sync::Notify;

type Judge = Box<dyn Fn(&Planned) -> Verdict + Send + Sync>;

/// Hands out jobs and keeps what it is told of them.
pub(crate) struct Recorder {
    jobs: Mutex<VecDeque<Job>>,
    archives: Mutex<BTreeMap<String, Vec<u8>>>,
    judge: Mutex<Judge>,
    heard: Mutex<BTreeMap<String, Heard>>,
    changed: Notify,
    cancel: AtomicBool,
    unreachable: AtomicBool,
}

/// What was told of a job.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    pub(crate) planned: Option<Planned>,
    pub(crate) applying: u32,
    pub(crate) lines: Vec<LogLine>,
    pub(crate) hashes: Vec<String>,
    pub(crate) finished: Vec<Finished>,
}

impl Heard {
    /// All that the log says.
    pub(crate) fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }

    /// The one report.
    pub(crate) fn end(&self) -> &Finished {
        assert_eq!(self.finished.len(), 1, "{:?}", self.finished);
        &self.finished[0]
    }

    /// The log is complete, in order, and what the report says.
    pub(crate) fn assert_proven(&self) {
        let mut chain = Chain::default();
        for (sequence, line) in (1..).zip(&self.lines) {
            assert_eq!(line.sequence, sequence);
            chain.push(line);
        }
        assert_eq!(self.end().log_lines, self.lines.len() as u64);
        assert_eq!(self.end().log_digest, chain.digest());
        assert_eq!(self.hashes.last(), Some(&chain.digest()));
    }
}

impl Default for Recorder {
    fn default() -> Self {
        let accept = |_: &Planned| Verdict { accepted: true, reason: None };
        Self {
            jobs: Mutex::default(),
            archives: Mutex::default(),
            judge: Mutex::new(Box::new(accept)),
            heard: Mutex::default(),
            changed: Notify::new(),
            cancel: AtomicBool::new(false),
            unreachable: AtomicBool::new(false),
        }
    }
}

impl Recorder {
    /// A job to hand out, with the archive that it gets.
    pub(crate) fn offer(&self, job: Job, archive: Vec<u8>) {
        self.archives.lock().unwrap().insert(job.template_version.id.clone(), archive);
        self.jobs.lock().unwrap().push_back(job);
        self.changed.notify_waiters();
    }

    /// Judges plans from now on.
    pub(crate) fn judge(&self, judge: impl Fn(&Planned) -> Verdict + Send + Sync + 'static) {
        *self.judge.lock().unwrap() = Box::new(judge);
    }

    /// Tells every job to end.
    pub(crate) fn cancel(&self) {
        self.cancel.store(true, Ordering::SeqCst);
    }

    /// Hears no reports until it is told otherwise.
    pub(crate) fn be_unreachable(&self, unreachable: bool) {
        self.unreachable.store(unreachable, Ordering::SeqCst);
    }

    /// What was told of a job so far.
    pub(crate) fn heard(&self, job: &str) -> Heard {
        self.heard.lock().unwrap().get(job).cloned().unwrap_or_default()
    }

    /// Waits until what was told of a job is as it should be.
    pub(crate) async fn until(&self, job: &str, holds: impl Fn(&Heard) -> bool) -> Heard {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let heard = self.heard(job);
            if holds(&heard) {
                return heard;
            }
            changed.await;
        }
    }

    fn hear<T>(&self, job: &str, take: impl FnOnce(&mut Heard) -> T) -> T {
        let taken = take(self.heard.lock().unwrap().entry(job.to_owned()).or_default());
        self.changed.notify_waiters();
        taken
    }
}

impl Server for Recorder {
    async fn acquire(&self, _: &Acquire) -> Result<Option<Job>, ServerError> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(job) = self.jobs.lock().unwrap().pop_front() {
                return Ok(Some(job));
            }
            changed.await;
        }
    }

    async fn archive(&self, job: &Job) -> Result<Vec<u8>, ServerError> {
        let found = self.archives.lock().unwrap().get(&job.template_version.id).cloned();
        found.ok_or_else(|| ServerError::Lost("no such version".to_owned()))
    }

    async fn planned(&self, job: &str, plan: &Planned) -> Result<Verdict, ServerError> {
        self.hear(job, |heard| heard.planned = Some(plan.clone()));
        Ok((self.judge.lock().unwrap())(plan))
    }

    async fn applying(&self, job: &str) -> Result<(), ServerError> {
        self.hear(job, |heard| heard.applying += 1);
        Ok(())
    }

    async fn heartbeat(&self, _: &str) -> Result<Instruction, ServerError> {
        let cancel = self.cancel.load(Ordering::SeqCst);
        Ok(if cancel { Instruction::Cancel } else { Instruction::Continue })
    }

    async fn log(&self, job: &str, chunk: &LogChunk) -> Result<(), ServerError> {
        self.hear(job, |heard| {
            heard.lines.extend(chunk.lines.iter().cloned());
            heard.hashes.push(chunk.hash.clone());
        });
        Ok(())
    }

    async fn finished(&self, job: &str, finished: &Finished) -> Result<(), ServerError> {
        if self.unreachable.load(Ordering::SeqCst) {
            return Err(ServerError::Unreachable("gone".to_owned()));
        }
        self.hear(job, |heard| heard.finished.push(finished.clone()));
        Ok(())
    }
}
