//! What runs on this machine, as `/proc` tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its id.
    pub(crate) pid: i32,
    /// Its parent's.
    pub(crate) parent: i32,
    /// The session it is in.
    pub(crate) session: i32,
    /// It has ended, and its parent has not looked yet.
    pub(crate) ended: bool,
    /// Pages of memory it has.
    pub(crate) pages: u64,
}

/// Every process that can be seen.
pub(crate) fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect()
}

/// Reads a line of `/proc/<pid>/stat`. The name in it may contain anything, also brackets.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        ended: matches!(*fields.first()?, "Z" | "X"),
        pages: fields.get(21)?.parse().unwrap_or(0),
    })
}

/// Those that descend from `root`, without itself.
pub(crate) fn descendants(root: i32, all: &[Process]) -> Vec<Process> {
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(*process);
    }
    let (mut found, mut seen, mut next) = (Vec::new(), BTreeSet::from([root]), vec![root]);
    while let Some(parent) = next.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            if seen.insert(child.pid) {
                found.push(*child);
                next.push(child.pid);
            }
        }
    }
    found
}

/// Sends a signal; a process that is gone needs none.
pub(crate) fn signal(pid: i32, signal: Signal) {
    if pid > 1
        && let Some(pid) = Pid::from_raw(pid)
    {
        kill_process(pid, signal).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "42 (a ) b) S 7 42 40 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 100 5000 321 18446744073709551615";
        assert_eq!(parse(42, stat), Some(Process { pid: 42, parent: 7, session: 40, ended: false, pages: 321 }));
        assert_eq!(parse(42, "42 (short"), None);
    }

    #[test]
    fn descendants_are_found_over_generations_and_cycles_end() {
        let process = |pid, parent| Process { pid, parent, session: 1, ended: false, pages: 1 };
        let all = [process(2, 1), process(3, 2), process(4, 3), process(5, 1), process(6, 6)];
        let mut found: Vec<i32> = descendants(2, &all).iter().map(|process| process.pid).collect();
        found.sort_unstable();
        assert_eq!(found, [3, 4]);
        assert!(descendants(6, &all).is_empty());
    }

    #[test]
    fn this_process_is_among_all() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(all().iter().any(|process| process.pid == own && process.pages > 0));
    }
}
