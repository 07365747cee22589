//! A control group per command, where the system lets the runner make one: the kernel then bounds the memory and the
//! processes of all of it together.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::Limits;

/// The group that the supervisor of this process id makes in `parent`.
fn group(parent: &Path, supervisor: u32) -> PathBuf {
    parent.join(format!("chancery-{supervisor}"))
}

/// A group of the second version of control groups.
#[derive(Debug)]
pub(super) struct Cgroup {
    directory: PathBuf,
}

impl Cgroup {
    /// Makes a group in `parent` and moves this process into it. `None` where it is not allowed: the supervisor's own
    /// limits hold either way.
    pub(super) fn enter(parent: &Path, limits: &Limits) -> Option<Self> {
        let group = Self { directory: group(parent, std::process::id()) };
        fs::create_dir(&group.directory).ok()?;
        // Which of them there are depends on what the parent delegates.
        group.write("memory.max", &limits.memory_bytes.to_string()).ok();
        group.write("memory.swap.max", "0").ok();
        group.write("pids.max", &limits.processes.saturating_add(2).to_string()).ok();
        group.write("cgroup.procs", "0").ok()?;
        Some(group)
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.directory.join(file), value)
    }

    /// Whether the kernel had to kill something in it because memory was used up.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.directory.join("memory.events")).unwrap_or_default();
        events.lines().filter_map(|line| line.strip_prefix("oom_kill ")).any(|count| count.trim() != "0")
    }
}

/// Removes the group of a supervisor that is gone, and whatever is still in it.
pub(super) fn remove(parent: &Path, supervisor: u32) {
    let group = group(parent, supervisor);
    if !group.is_dir() {
        return;
    }
    fs::write(group.join("cgroup.kill"), "1").ok();
    for _ in 0..50 {
        if fs::remove_dir(&group).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    tracing::warn!(group = %group.display(), "a control group cannot be removed");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_no_group_can_be_made_there_is_none() {
        let nowhere = tempfile::tempdir().unwrap().path().join("nowhere");
        assert!(Cgroup::enter(&nowhere, &Limits::default()).is_none());
        remove(&nowhere, 1);
    }
}
