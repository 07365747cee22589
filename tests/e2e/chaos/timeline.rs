//! What clients saw, and when.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::faults::Fault;

/// Something a client did.
#[derive(Debug, Clone)]
struct Sample {
    begun: Instant,
    ended: Instant,
    failure: Option<String>,
}

/// What some clients saw.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeline(Arc<Mutex<Vec<Sample>>>);

/// A fault, from its begin until long after it was over.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) fault: Fault,
    pub(super) begun: Instant,
    /// When what was broken ran again.
    pub(super) over: Instant,
    /// When everyone had been served again.
    pub(super) recovered: Instant,
    pub(super) ended: Instant,
}

/// What all clients saw.
#[derive(Debug, Clone)]
pub(super) struct Views {
    /// Who asks the balancer, once.
    pub(super) balancer: Timeline,
    /// Who asks one node, once.
    pub(super) nodes: Vec<Timeline>,
    /// Who writes through the balancer until it is acknowledged.
    pub(super) writes: Timeline,
    /// Who makes a token through the balancer and has it revoked by several at once, until all have an answer.
    pub(super) decisions: Timeline,
}

impl Timeline {
    /// Notes what began then and ended now.
    pub(super) fn note(&self, begun: Instant, failure: Option<String>) {
        self.samples().push(Sample { begun, ended: Instant::now(), failure });
    }

    fn samples(&self) -> MutexGuard<'_, Vec<Sample>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something that began since then has succeeded.
    fn works_since(&self, since: Instant) -> bool {
        self.samples().iter().rev().any(|sample| sample.begun >= since && sample.failure.is_none())
    }

    /// Why what began in a window failed.
    pub(super) fn failures(&self, window: &Window) -> Vec<String> {
        let samples = self.samples();
        let within = samples.iter().filter(|sample| (window.begun..window.ended).contains(&sample.begun));
        within.filter_map(|sample| sample.failure.clone()).collect()
    }

    /// The longest time in a window without a success.
    pub(super) fn longest_gap(&self, window: &Window) -> Duration {
        let samples = self.samples();
        let successes = samples.iter().filter(|sample| sample.failure.is_none()).map(|sample| sample.ended);
        let mut moments: Vec<Instant> =
            successes.filter(|moment| (window.begun..window.ended).contains(moment)).collect();
        moments.extend([window.begun, window.ended]);
        moments.sort_unstable();
        moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// How long the slowest success took of those that were under way in a window.
    fn slowest(&self, window: &Window) -> Duration {
        let samples = self.samples();
        let successes = samples.iter().filter(|sample| sample.failure.is_none());
        let within = successes.filter(|sample| sample.begun < window.ended && sample.ended > window.begun);
        within.map(|sample| sample.ended - sample.begun).max().unwrap_or_default()
    }
}

impl Views {
    /// Of nothing yet.
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            balancer: Timeline::default(),
            nodes: (0..nodes).map(|_| Timeline::default()).collect(),
            writes: Timeline::default(),
            decisions: Timeline::default(),
        }
    }

    /// The nodes but one.
    pub(super) fn others(&self, victim: Option<usize>) -> impl Iterator<Item = &Timeline> {
        self.nodes.iter().enumerate().filter(move |(number, _)| Some(*number) != victim).map(|(_, node)| node)
    }

    /// Who has not been served since then.
    pub(super) fn silent_since(&self, since: Instant) -> Vec<String> {
        let nodes = self.nodes.iter().enumerate().map(|(number, node)| (format!("clients of node{number}"), node));
        let others = [("the balancer", &self.balancer), ("writers", &self.writes), ("deciders", &self.decisions)];
        let all = nodes.chain(others.map(|(name, seen)| (name.to_owned(), seen)));
        all.filter(|(_, seen)| !seen.works_since(since)).map(|(name, _)| name).collect()
    }
}

/// What clients saw of each fault. Gaps are times without any success; the slowest is a success with its retries.
pub(super) fn table(windows: &[Window], views: &Views) -> String {
    let mut table = String::new();
    write!(table, "{:26}{:>9}{:>9}{:>18}{:>18}", "", "lasted", "served", "the balancer", "that node").ok();
    writeln!(table, "{:>18}{:>10}{:>10}", "other nodes", "slowest", "slowest").ok();
    write!(table, "{:26}{:>9}{:>9}{:>8}{:>10}{:>8}{:>10}", "fault", "", "after", "errors", "gap", "errors", "gap").ok();
    writeln!(table, "{:>8}{:>10}{:>10}{:>10}", "errors", "gap", "write", "decision").ok();
    for window in windows {
        row(&mut table, window, views);
    }
    table
}

fn row(table: &mut String, window: &Window, views: &Views) {
    let seen = |some: &[&Timeline]| {
        let errors = some.iter().map(|seen| seen.failures(window).len()).sum::<usize>().to_string();
        (errors, seconds(some.iter().map(|seen| seen.longest_gap(window)).max().unwrap_or_default()))
    };
    let victim = window.fault.victim();
    let (errors, gap) = seen(&[&views.balancer]);
    let (other_errors, other_gap) = seen(&views.others(victim).collect::<Vec<_>>());
    let (its_errors, its_gap) = match victim {
        Some(node) => seen(&[&views.nodes[node]]),
        None => ("-".to_owned(), "-".to_owned()),
    };
    let (lasted, after) = (seconds(window.over - window.begun), seconds(window.recovered - window.over));
    let (write, decision) = (seconds(views.writes.slowest(window)), seconds(views.decisions.slowest(window)));
    write!(table, "{:26}{lasted:>9}{after:>9}{errors:>8}{gap:>10}", window.fault).ok();
    write!(table, "{its_errors:>8}{its_gap:>10}{other_errors:>8}{other_gap:>10}").ok();
    writeln!(table, "{write:>10}{decision:>10}").ok();
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
