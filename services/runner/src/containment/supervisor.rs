//! The supervisor of one command.

use std::fs::{self, File};
use std::io::{self, BufRead};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, set_child_subreaper, setsid, umask, wait};

use super::cgroup::Cgroup;
use super::command::Order;
use super::helper::SUBCOMMAND;
use super::processes::{self, Process};
use super::{Ended, Exit, Specification};

/// How often it is looked at what the command uses.
const TICK: Duration = Duration::from_millis(50);

/// Runs the command to its end, and everything it started; `orders` are lines that the runner writes.
pub(super) fn run(specification: &Specification, orders: impl BufRead + Send + 'static) -> io::Result<()> {
    // It fails in a process that leads a group already; then the session is its own as well.
    setsid().ok();
    set_child_subreaper(Some(rustix::process::getpid()))?;
    umask(Mode::from_raw_mode(0o077));
    let cgroup = specification.cgroup.as_deref().and_then(|parent| Cgroup::enter(parent, &specification.limits));
    // The command writes to the runner. When the runner is gone these are what it writes to: without them its next word
    // would be its last, before it has written down what it has made.
    let ends = ["/proc/self/fd/1", "/proc/self/fd/2"].map(|end| File::open(end).ok());
    let command = start(specification)?;
    let orders = listen(orders);
    let mut watch = Watch::new(specification, command, ends.into_iter().flatten().collect());
    while watch.status.is_none() {
        watch.step(&orders);
    }
    let left_over = kill_all_but(None);
    let ended = match &cgroup {
        Some(cgroup) if cgroup.ran_out_of_memory() => Some(Ended::MemoryLimit),
        _ => watch.ended,
    };
    let exit = Exit {
        code: watch.status.and_then(WaitStatus::exit_status).and_then(|code| i32::try_from(code).ok()),
        signal: watch.status.and_then(WaitStatus::terminating_signal).and_then(|code| i32::try_from(code).ok()),
        ended,
        left_over,
    };
    // Whole or not at all: the runner may read it while this process is killed.
    let unfinished = specification.report.with_extension("unfinished");
    fs::write(&unfinished, serde_json::to_vec(&exit).map_err(io::Error::other)?)?;
    fs::rename(&unfinished, &specification.report)
}

/// Starts the command, by way of this binary that bounds itself first.
fn start(specification: &Specification) -> io::Result<i32> {
    let limits = serde_json::to_string(&specification.limits).map_err(io::Error::other)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(SUBCOMMAND).arg(limits).arg(&specification.program).args(&specification.arguments);
    command.current_dir(&specification.directory).env_clear().envs(&specification.environment);
    command.stdin(Stdio::null()).process_group(0);
    if let Some((user, group)) = specification.run_as {
        command.uid(user).gid(group);
    }
    i32::try_from(command.spawn()?.id()).map_err(io::Error::other)
}

/// Reads orders until there are no more; the end of them is one too.
fn listen(orders: impl BufRead + Send + 'static) -> Receiver<Order> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in orders.lines().map_while(Result::ok) {
            let Some(order) = Order::from_name(&line) else { continue };
            if sender.send(order).is_err() {
                return;
            }
        }
    });
    receiver
}

/// How far the ending of a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Running,
    Interrupted,
    Terminated,
    Killed,
}

/// What is known about the command.
struct Watch<'a> {
    specification: &'a Specification,
    command: i32,
    began: Instant,
    stage: Stage,
    since: Instant,
    ended: Option<Ended>,
    runner_is_gone: bool,
    /// Where what the command says can be read, other than by the runner.
    ends: Vec<File>,
    status: Option<WaitStatus>,
}

impl<'a> Watch<'a> {
    fn new(specification: &'a Specification, command: i32, ends: Vec<File>) -> Self {
        let now = Instant::now();
        Self {
            specification,
            command,
            began: now,
            stage: Stage::Running,
            since: now,
            ended: None,
            runner_is_gone: false,
            ends,
            status: None,
        }
    }

    /// Waits a moment for an order, and looks at everything.
    fn step(&mut self, orders: &Receiver<Order>) {
        if self.runner_is_gone {
            thread::sleep(TICK);
        } else {
            match orders.recv_timeout(TICK) {
                Ok(Order::Cancel) => self.end(Ended::Canceled, Stage::Interrupted),
                Ok(Order::TooMuchOutput) => self.end(Ended::OutputLimit, Stage::Killed),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.runner_is_gone = true;
                    for mut end in self.ends.drain(..) {
                        thread::spawn(move || io::copy(&mut end, &mut io::sink()));
                    }
                    self.end(Ended::RunnerGone, Stage::Interrupted);
                }
            }
        }
        self.reap();
        if self.status.is_some() {
            return;
        }
        self.check_limits();
        let grace = self.specification.limits.grace;
        match self.stage {
            Stage::Interrupted if self.since.elapsed() >= grace => self.enter(Stage::Terminated),
            Stage::Terminated if self.since.elapsed() >= grace.min(Duration::from_secs(5)) => {
                self.enter(Stage::Killed);
            }
            _ => {}
        }
    }

    /// Takes note of every child that has ended: the command, and orphans that it left.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if Pid::as_raw(Some(pid)) == self.command {
                self.status = Some(status);
            }
        }
    }

    fn check_limits(&mut self) {
        let limits = &self.specification.limits;
        if self.began.elapsed() >= limits.wall_clock {
            self.end(Ended::TimeLimit, Stage::Interrupted);
        }
        let running = running();
        let pages: u64 = running.iter().map(|process| process.pages).sum();
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4_096);
        if u64::try_from(running.len()).unwrap_or(u64::MAX) > limits.processes {
            self.end(Ended::ProcessLimit, Stage::Killed);
        } else if pages.saturating_mul(page) > limits.memory_bytes {
            self.end(Ended::MemoryLimit, Stage::Killed);
        }
    }

    /// Begins to end the command, or goes on to a harsher way; the first reason stands.
    fn end(&mut self, reason: Ended, stage: Stage) {
        self.ended.get_or_insert(reason);
        if stage > self.stage {
            self.enter(stage);
        }
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.since = Instant::now();
        match stage {
            Stage::Running => {}
            // Only the command itself: it decides about its children, and first of all writes down what it has made.
            Stage::Interrupted => processes::signal(self.command, Signal::Int),
            Stage::Terminated => {
                for process in running() {
                    processes::signal(process.pid, Signal::Term);
                }
            }
            Stage::Killed => {
                kill_all_but(Some(self.command));
                processes::signal(self.command, Signal::Kill);
            }
        }
    }
}

/// The processes below this one that run. Orphans are adopted by it, so none can leave.
fn running() -> Vec<Process> {
    let all = processes::all();
    let mut below = processes::descendants(rustix::process::getpid().as_raw_nonzero().get(), &all);
    below.retain(|process| !process.ended);
    below
}

/// Kills everything below this process, until nothing is left, and says how many there were at first. All are stopped
/// before any is killed: what is stopped starts nothing new.
fn kill_all_but(spared: Option<i32>) -> u64 {
    let mut first = 0;
    for round in 0_u32.. {
        let mut found = running();
        found.retain(|process| Some(process.pid) != spared);
        if round == 0 {
            first = found.len();
        }
        if found.is_empty() || round == 1_000 {
            break;
        }
        for signal in [Signal::Stop, Signal::Kill] {
            for process in &found {
                processes::signal(process.pid, signal);
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    u64::try_from(first).unwrap_or(u64::MAX)
}
