//! A control group per command, where the system lets the runner make one: the kernel then bounds memory and
//! processes of all of it, and kills all of it at once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::Limits;

/// A group of the second version of control groups; it is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Cgroup {
    directory: PathBuf,
}

impl Cgroup {
    /// Makes a group in `parent` and moves this process into it. `None` where it is not allowed: the supervisor's own
    /// limits hold either way.
    pub(super) fn enter(parent: &Path, limits: &Limits) -> Option<Self> {
        let group = Self { directory: parent.join(format!("chancery-{}", std::process::id())) };
        fs::create_dir(&group.directory).ok()?;
        // Which of them there are depends on what the parent delegates.
        group.write("memory.max", &limits.memory_bytes.to_string()).ok();
        group.write("memory.swap.max", "0").ok();
        group.write("pids.max", &(limits.processes + 1).to_string()).ok();
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

impl Drop for Cgroup {
    fn drop(&mut self) {
        // This process is the last one in it; a group can be removed when it is empty.
        if let Some(parent) = self.directory.parent() {
            fs::write(parent.join("cgroup.procs"), "0").ok();
        }
        for _ in 0..20 {
            if fs::remove_dir(&self.directory).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
