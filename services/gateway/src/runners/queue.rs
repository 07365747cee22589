//! The jobs that wait for a runner, in memory: who gets which, and what place a job has.
//!
//! Jobs go out by priority (stopping and deleting before starting, what people ask for before what the clock does), then
//! to the user of whom runners have the fewest, then in the order they came. The table is the truth: what is handed out
//! here and is not free any more is forgotten, and all of it is read anew now and then.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chancery_domain::Timestamp;
use chancery_domain::events::workspaces::Transition;
use chancery_domain::runners::suits;
use chancery_state::{QueuedJob, State, StateError};

/// How often all of it is read anew.
const WHOLE: Duration = Duration::from_secs(5);
/// How often it is looked for what other nodes have queued.
const SHARED: Duration = Duration::from_secs(1);
/// How much earlier than the last one a job may have been queued that was not seen yet, in microseconds.
const SLACK: i64 = 10_000_000;
/// How long a job that was handed out is left alone.
const TAKEN: Duration = Duration::from_secs(10);

/// Tags of a job.
pub(crate) type Tags = BTreeMap<String, String>;
/// Priority, moment, job id: what comes first goes out first.
type Place = (u8, Timestamp, String);

/// Which jobs a runner takes.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) organization: String,
    /// Id of the user whose workspaces alone it builds.
    pub(crate) owner: Option<String>,
    pub(crate) tags: Tags,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// One reads at a time, and the others find it done.
    reading: tokio::sync::Mutex<Read>,
    /// The state's count of changes that is read. Whoever knows of no other does not wait while all of it is read anew.
    seen: AtomicU64,
    board: Mutex<Board>,
}

/// What was read, and when.
#[derive(Debug, Default)]
struct Read {
    whole: Option<Instant>,
    last: Option<Instant>,
    /// The state's count of changes before the last reading.
    change: u64,
    /// When the job that came last began to wait.
    latest: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Board {
    jobs: HashMap<String, QueuedJob>,
    /// Organization → tags → user → places.
    waiting: HashMap<String, BTreeMap<Tags, HashMap<String, BTreeSet<Place>>>>,
    /// Jobs of each organization's users that runners have.
    running: BTreeMap<(String, String), u32>,
    taken: HashMap<String, Instant>,
}

/// What comes before what.
fn priority(job: &QueuedJob) -> u8 {
    match (job.transition, job.asked_by_hand) {
        (Transition::Stop | Transition::Delete, true) => 0,
        (Transition::Stop | Transition::Delete, false) => 1,
        (Transition::Start, true) => 2,
        (Transition::Start, false) => 3,
    }
}

fn place(job: &QueuedJob) -> Place {
    (priority(job), job.queued_at, job.job_id.clone())
}

impl Queue {
    /// Brings it up to date; `change` is the state's count of changes, as whoever asks has seen it. Where other nodes may
    /// have queued something, they have not been asked for a second at most, or not even that with `at_once`.
    pub(crate) async fn refresh(&self, state: &State, change: u64, at_once: bool) -> Result<(), StateError> {
        let patient = (at_once && state.is_shared()) || self.seen.load(Ordering::SeqCst) < change.saturating_add(1);
        let mut read = match self.reading.try_lock() {
            Ok(read) => read,
            Err(_) if !patient => return Ok(()),
            Err(_) => self.reading.lock().await,
        };
        let now = Instant::now();
        let older = |at: Option<Instant>, than: Duration| at.is_none_or(|at| now.duration_since(at) >= than);
        if older(read.whole, WHOLE) {
            let counted = *state.queue_changes().borrow();
            let (jobs, running) = (state.queue(Timestamp::EPOCH).await?, state.running_jobs().await?);
            read.latest = jobs.last().map(|job| job.queued_at);
            (read.whole, read.last, read.change) = (Some(now), Some(now), counted);
            self.board().renew(jobs, running);
            self.seen.store(counted + 1, Ordering::SeqCst);
        } else if read.change < change || (state.is_shared() && (at_once || older(read.last, SHARED))) {
            let counted = *state.queue_changes().borrow();
            let since = read.latest.map_or(Timestamp::EPOCH, |latest| latest.saturating_add_micros(-SLACK));
            let jobs = state.queue(since).await?;
            read.latest = jobs.last().map(|job| job.queued_at).or(read.latest);
            (read.last, read.change) = (Some(now), counted);
            let mut board = self.board();
            for job in jobs {
                board.add(job);
            }
            self.seen.store(counted + 1, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Has all of it read anew at the next occasion.
    pub(crate) async fn distrust(&self) {
        self.reading.lock().await.whole = None;
    }

    /// Takes the job out that a runner gets.
    pub(crate) fn take(&self, wanted: &Wanted) -> Option<QueuedJob> {
        let mut board = self.board();
        let job = board.first(wanted)?;
        board.remove(&job);
        board.taken.insert(job.job_id.clone(), Instant::now());
        *board.running.entry((job.organization.clone(), job.owner_id.clone())).or_default() += 1;
        Some(job)
    }

    /// Puts a job back that could not be handed out for another reason than that it is gone.
    pub(crate) fn put_back(&self, job: QueuedJob) {
        let mut board = self.board();
        board.taken.remove(&job.job_id);
        let of = (job.organization.clone(), job.owner_id.clone());
        if let Some(count) = board.running.get_mut(&of) {
            *count = count.saturating_sub(1);
        }
        board.add(job);
    }

    /// How many jobs go out before this one, of those that `competes` says may go to the same runners; nothing when it does
    /// not wait.
    pub(crate) fn before(&self, job_id: &str, competes: impl Fn(&Tags, &str) -> bool) -> Option<usize> {
        let board = self.board();
        let job = board.jobs.get(job_id)?;
        let mut ranks = BTreeSet::new();
        let mut own = None;
        for (tags, users) in board.waiting.get(&job.organization)? {
            for (user, places) in users {
                if tags != &job.tags && !competes(tags, user) {
                    continue;
                }
                let running = board.running.get(&(job.organization.clone(), user.clone())).copied().unwrap_or_default();
                for ((priority, at, id), turn) in places.iter().zip(running..) {
                    let rank = (*priority, turn, *at, id.as_str());
                    if id == job_id {
                        own = Some(rank);
                    }
                    ranks.insert(rank);
                }
            }
        }
        Some(ranks.range(..own?).count())
    }

    fn board(&self) -> std::sync::MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn renew(&mut self, jobs: Vec<QueuedJob>, running: BTreeMap<(String, String), u32>) {
        self.taken.retain(|_, at| at.elapsed() < TAKEN);
        (self.jobs, self.waiting, self.running) = (HashMap::new(), HashMap::new(), running);
        for job in jobs {
            self.add(job);
        }
    }

    fn add(&mut self, job: QueuedJob) {
        if self.taken.contains_key(&job.job_id) {
            return;
        }
        let users = self.waiting.entry(job.organization.clone()).or_default().entry(job.tags.clone()).or_default();
        users.entry(job.owner_id.clone()).or_default().insert(place(&job));
        self.jobs.insert(job.job_id.clone(), job);
    }

    fn remove(&mut self, job: &QueuedJob) {
        self.jobs.remove(&job.job_id);
        let Some(groups) = self.waiting.get_mut(&job.organization) else { return };
        let Some(users) = groups.get_mut(&job.tags) else { return };
        if let Some(places) = users.get_mut(&job.owner_id) {
            places.remove(&place(job));
            if places.is_empty() {
                users.remove(&job.owner_id);
            }
        }
        if users.is_empty() {
            groups.remove(&job.tags);
        }
    }

    fn first(&self, wanted: &Wanted) -> Option<QueuedJob> {
        let groups = self.waiting.get(&wanted.organization)?;
        let suiting = groups.iter().filter(|(tags, _)| suits(&wanted.tags, tags));
        let users = suiting.flat_map(|(_, users)| users);
        let own = users.filter(|(user, _)| wanted.owner.as_ref().is_none_or(|owner| owner == *user));
        let turn =
            |user: &String| self.running.get(&(wanted.organization.clone(), user.clone())).copied().unwrap_or_default();
        let firsts = own.filter_map(|(user, places)| {
            let (priority, at, id) = places.first()?;
            Some((*priority, turn(user), *at, id))
        });
        let (.., id) = firsts.min()?;
        self.jobs.get(id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, owner: &str, transition: Transition, by_hand: bool, tags: &[(&str, &str)], at: i64) -> QueuedJob {
        QueuedJob {
            job_id: id.into(),
            workspace_id: format!("w-{id}"),
            number: 1,
            organization: "acme".into(),
            owner_id: owner.into(),
            tags: tags.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
            transition,
            asked_by_hand: by_hand,
            queued_at: Timestamp::from_micros(at).unwrap(),
        }
    }

    fn queue(jobs: Vec<QueuedJob>) -> Queue {
        let queue = Queue::default();
        for job in jobs {
            queue.board().add(job);
        }
        queue
    }

    fn wanted(tags: &[(&str, &str)]) -> Wanted {
        let tags = tags.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        Wanted { organization: "acme".into(), owner: None, tags }
    }

    fn order(queue: &Queue, wanted: &Wanted) -> Vec<String> {
        std::iter::from_fn(|| queue.take(wanted)).map(|job| job.job_id).collect()
    }

    #[test]
    fn users_take_turns_and_what_is_urgent_goes_first() {
        use Transition::{Delete, Start, Stop};
        let jobs = || {
            vec![
                job("a1", "ada", Start, true, &[], 1),
                job("a2", "ada", Start, true, &[], 2),
                job("a3", "ada", Start, true, &[], 3),
                job("b1", "bob", Start, true, &[], 4),
                job("c1", "cyd", Start, false, &[], 0),
                job("s1", "ada", Stop, false, &[], 5),
                job("d1", "ada", Delete, true, &[], 6),
            ]
        };
        let queued = queue(jobs());
        let places = ["d1", "s1", "b1", "a1", "a2", "a3", "c1"];
        assert_eq!(order(&queued, &wanted(&[])), places);
        let queued = queue(jobs());
        assert_eq!(queued.before("d1", |_, _| false), Some(0));
        assert_eq!(queued.before("c1", |_, _| false), Some(6));
        assert_eq!(queued.before("none", |_, _| false), None);
        assert!(order(&queue(jobs()), &Wanted { organization: "other".into(), ..wanted(&[]) }).is_empty());
        let own = Wanted { owner: Some("bob".into()), ..wanted(&[]) };
        assert_eq!(order(&queue(jobs()), &own), ["b1"]);
    }

    #[test]
    fn jobs_go_to_runners_that_have_their_tags() {
        use Transition::Start;
        let jobs = || {
            vec![
                job("plain", "ada", Start, true, &[], 1),
                job("lab", "ada", Start, true, &[("zone", "lab")], 2),
                job("gpu", "bob", Start, true, &[("zone", "lab"), ("gpu", "yes")], 3),
            ]
        };
        assert_eq!(order(&queue(jobs()), &wanted(&[])), ["plain"]);
        assert_eq!(order(&queue(jobs()), &wanted(&[("zone", "lab")])), ["lab"]);
        assert_eq!(order(&queue(jobs()), &wanted(&[("zone", "lab"), ("gpu", "yes")])), ["lab", "gpu"]);
        assert!(order(&queue(jobs()), &wanted(&[("zone", "hall")])).is_empty());
        let queued = queue(jobs());
        assert_eq!(queued.before("gpu", |_, _| false), Some(0));
        assert_eq!(queued.before("gpu", |tags, _| !tags.is_empty()), Some(1));
    }

    #[test]
    fn what_was_handed_out_is_not_handed_out_again_unless_it_was_put_back() {
        let queued = queue(vec![job("a", "ada", Transition::Start, true, &[], 1)]);
        let taken = queued.take(&wanted(&[])).unwrap();
        queued.board().add(taken.clone());
        assert!(queued.take(&wanted(&[])).is_none());
        queued.put_back(taken);
        assert_eq!(order(&queued, &wanted(&[])), ["a"]);
    }
}
