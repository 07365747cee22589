//! One build: fetch, verify, initialise, plan, ask, apply, report.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::commands::Commands;
use super::directory::{JobDirectory, Marker};
use super::prepare::{self, VARIABLES};
use super::states::{Locked, States, is_safe};
use crate::containment::{ContainmentError, Ended, Exit};
use crate::logs::{Journal, Level, Stage};
use crate::server::{
    Finished, Instruction, Job, Outcome, Planned, PlannedResource, Server, ServerError, Transition, Verdict,
};
use crate::settings::Settings;
use crate::terraform::{Binaries, environment, read_plan, read_state};

/// Longest reason in a report.
const LONGEST_REASON: usize = 2_000;
/// How often a state is tried to be handed over that the server could not take at first.
const HANDOVERS: u32 = 10;
/// How long between.
const BETWEEN_HANDOVERS: Duration = Duration::from_secs(20);
/// How long reading the state afterwards may take.
const READING: Duration = Duration::from_mins(2);

/// Why a build does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    Failed(String),
    Canceled,
}

impl From<ServerError> for Stop {
    fn from(error: ServerError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ContainmentError> for Stop {
    fn from(error: ContainmentError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What a build works with.
#[derive(Debug)]
pub(super) struct Build<'a, S> {
    pub(super) server: &'a S,
    pub(super) settings: &'a Settings,
    pub(super) binaries: &'a Binaries,
    pub(super) job: &'a Job,
    pub(super) directory: &'a JobDirectory,
    pub(super) journal: &'a Journal,
    pub(super) cancel: &'a CancellationToken,
}

/// What is known of a build so far.
#[derive(Debug)]
struct Progress {
    finished: Finished,
    state_is_safe: bool,
}

impl<S: Server> Build<'_, S> {
    /// Does it, and says how it ended, and whether the job's directory may go: its state is kept elsewhere.
    pub(super) async fn run(&self) -> (Finished, bool) {
        let mut progress = Progress {
            finished: Finished {
                outcome: Outcome::Succeeded,
                applied: false,
                // Until more is known: what an earlier build has made.
                resources_remain: self.job.build_number > 1,
                daily_cost: None,
                error: None,
                resources: Vec::new(),
                outputs: std::collections::BTreeMap::new(),
                log_lines: 0,
                log_digest: String::new(),
            },
            state_is_safe: true,
        };
        let stopped = self.steps(&mut progress).await.err();
        let mut finished = progress.finished;
        match stopped {
            None => {}
            Some(Stop::Canceled) => {
                finished.outcome = Outcome::Canceled;
                finished.error = Some(Ended::Canceled.message().to_owned());
            }
            Some(Stop::Failed(reason)) => {
                finished.outcome = Outcome::Failed;
                let mut reason = self.journal.mask(&reason);
                reason.truncate(reason.floor_char_boundary(LONGEST_REASON));
                finished.error = Some(reason);
            }
        }
        (finished, progress.state_is_safe)
    }

    async fn steps(&self, progress: &mut Progress) -> Result<(), Stop> {
        let job = self.job;
        let locked = self.lock()?;
        let commands = self.prepare(locked.as_ref()).await?;
        let plan_path = self.directory.temporary().join("plan");
        let plan_file = plan_path.to_string_lossy();
        let (shown, planned, digest) = self.plan(&commands, &plan_file, progress).await?;
        self.ask(&planned).await?;
        self.go_on()?;
        // The very plan that was judged: nothing runs between, and this says so.
        if digest != Self::digest(&plan_path)? {
            return Err(Stop::Failed("the plan was changed after it was judged".to_owned()));
        }
        self.directory.mark(&self.marker(true)).map_err(|error| unwritten(&error))?;
        if let Err(error) = self.unless_canceled(self.server.applying(&job.id)).await? {
            return Err(self.refused(error).await);
        }
        progress.finished.applied = true;
        progress.finished.resources_remain = true;
        let arguments = ["apply", "-input=false", "-auto-approve", "-json", "-lock-timeout=60s", &plan_file];
        let applied = commands.logged(Stage::Apply, &arguments, self.cancel).await;
        // Whatever came of it: the state is what counts.
        let kept = locked.as_ref().map_or(Ok(()), |locked| locked.put_from(&self.directory.state()));
        progress.state_is_safe = is_safe(&kept) && self.hand_over(&commands).await;
        let in_order = applied.as_ref().is_ok_and(|(exit, _)| exit.code.is_some());
        let succeeds = applied.as_ref().is_ok_and(|(exit, _)| exit.is_success());
        let is_known = self.look(&commands, &shown, &planned, progress).await;
        let stopped = applied.map_err(Stop::from).and_then(|applied| self.succeeded("apply", applied));
        // What was cut off may have made something that it did not write down.
        progress.finished.resources_remain |= !in_order;
        if !succeeds {
            // Something between what there was and what was planned.
            progress.finished.daily_cost = None;
        }
        match (stopped, kept) {
            (Err(Stop::Failed(reason)), Err(error)) => {
                Err(Stop::Failed(format!("{reason}; and the state cannot be kept: {error}")))
            }
            (_, Err(error)) => Err(unkept(&error)),
            (Ok(()), Ok(())) if !is_known => Err(Stop::Failed("the state cannot be read after the apply".to_owned())),
            (stopped, Ok(())) => stopped,
        }
    }

    /// Hands the server the state that Terraform could not: it was away. Whether it has it now; until then the job's
    /// directory stays.
    async fn hand_over(&self, commands: &Commands<'_>) -> bool {
        if self.job.state.is_none() || !self.directory.stranded().exists() {
            return true;
        }
        let unhurried = CancellationToken::new();
        for _ in 0..HANDOVERS {
            let arguments = ["state", "push", "-lock-timeout=60s", "errored.tfstate"];
            let pushed = commands.logged(Stage::Apply, &arguments, &unhurried).await;
            if pushed.is_ok_and(|(exit, _)| exit.is_success()) {
                return fs::remove_file(self.directory.stranded()).is_ok();
            }
            tokio::time::sleep(BETWEEN_HANDOVERS).await;
        }
        let notice = "the server has not taken the state: it stays with the runner as errored.tfstate";
        self.journal.write(Stage::Finish, Level::Error, notice);
        false
    }

    /// What a runner that starts again is told.
    pub(super) fn marker(&self, applying: bool) -> Marker {
        Marker {
            job: self.job.id.clone(),
            workspace: self.job.workspace.id.clone(),
            keeps_state: self.job.state.is_none(),
            applying,
        }
    }

    fn lock(&self) -> Result<Option<Locked>, Stop> {
        if self.job.state.is_some() {
            return Ok(None);
        }
        let states = States::new(self.settings.data_directory.join("states"));
        match states.lock(&self.job.workspace.id) {
            Ok(Some(locked)) => Ok(Some(locked)),
            Ok(None) => Err(Stop::Failed("another build of this workspace runs on this runner".to_owned())),
            Err(error) => Err(unkept(&error)),
        }
    }

    /// Template, binary, environment, providers.
    async fn prepare(&self, locked: Option<&Locked>) -> Result<Commands<'_>, Stop> {
        let (job, settings) = (self.job, self.settings);
        self.journal.write(
            Stage::Prepare,
            Level::Info,
            &format!("template {} {}", job.template.name, job.template_version.name),
        );
        let archive = self.unless_canceled(self.server.archive(job)).await??;
        let declared = prepare::template(&archive, job, self.directory, settings).map_err(Stop::Failed)?;
        let secret = job.parameters.iter().filter(|(name, _)| declared.is_sensitive(name));
        self.journal.learn(secret.map(|(_, value)| value.as_str()));
        let (binary, version) = self.binaries.choose(&declared).map_err(|error| Stop::Failed(error.to_string()))?;
        self.journal.write(Stage::Prepare, Level::Info, &version);
        let state = locked.map_or(Ok(None), Locked::get).map_err(|error| unkept(&error))?;
        prepare::additions(job, &declared, self.directory, settings, state.as_deref())
            .map_err(|error| unwritten(&error))?;
        let (home, temporary) = (self.directory.home(), self.directory.temporary());
        let mut environment =
            environment(job, (&home, &temporary), &settings.server, &settings.path, &settings.environment);
        environment.insert("TF_CLI_CONFIG_FILE".to_owned(), home.join("terraform.rc").display().to_string());
        if let Some(cache) = &settings.plugin_cache {
            environment.insert("TF_PLUGIN_CACHE_DIR".to_owned(), cache.display().to_string());
        }
        let commands = Commands { settings, binary, directory: self.directory, environment, journal: self.journal };
        self.go_on()?;
        let initialised = commands.logged(Stage::Prepare, &["init", "-input=false", "-no-color"], self.cancel).await?;
        self.succeeded("init", initialised)?;
        Ok(commands)
    }

    /// Plans, and reads what it comes to. Also gives the digest of the plan.
    async fn plan(
        &self,
        commands: &Commands<'_>,
        plan_file: &str,
        progress: &mut Progress,
    ) -> Result<(Value, Planned, String), Stop> {
        self.go_on()?;
        let (out, variables) = (format!("-out={plan_file}"), format!("-var-file={VARIABLES}"));
        let mut arguments = vec!["plan", "-input=false", "-json", "-lock-timeout=60s", &out, &variables];
        if self.job.transition == Transition::Delete {
            arguments.push("-destroy");
        }
        let planned = commands.logged(Stage::Plan, &arguments, self.cancel).await?;
        self.succeeded("plan", planned)?;
        let digest = Self::digest(plan_file.as_ref())?;
        let (exit, shown) = commands.answer(&["show", "-json", "-no-color", plan_file], self.cancel).await?;
        self.succeeded("show", (exit, None))?;
        let shown: Value = serde_json::from_slice(&shown)
            .map_err(|error| Stop::Failed(format!("the plan cannot be read: {error}")))?;
        let before = read_state(shown.get("prior_state").unwrap_or(&Value::Null));
        progress.finished.resources_remain = !before.resources.is_empty();
        let mut plan = read_plan(&shown).map_err(|error| Stop::Failed(error.to_string()))?;
        if self.job.transition == Transition::Delete {
            plan.planned = Planned::default();
        }
        self.journal.learn(before.secrets.iter().chain(&plan.secrets).map(String::as_str));
        Ok((shown, plan.planned, digest))
    }

    /// Asks whether the plan may be applied.
    async fn ask(&self, planned: &Planned) -> Result<(), Stop> {
        self.go_on()?;
        let unknown = if planned.unknown.is_empty() { "" } else { ", as far as it is known" };
        let cost = format!("{} credits per day{unknown}", planned.daily_cost);
        self.journal.write(Stage::Plan, Level::Info, &cost);
        let verdict = match self.unless_canceled(self.server.planned(&self.job.id, planned)).await? {
            Ok(verdict) => verdict,
            Err(error) => return Err(self.refused(error).await),
        };
        match verdict {
            Verdict { accepted: true, .. } => Ok(()),
            Verdict { reason, .. } => Err(Stop::Failed(reason.unwrap_or_else(|| "the plan was refused".to_owned()))),
        }
    }

    /// Reads what there is now, whatever the apply came to. Whether it could be read.
    async fn look(&self, commands: &Commands<'_>, plan: &Value, planned: &Planned, progress: &mut Progress) -> bool {
        let unhurried = CancellationToken::new();
        let reading = commands.answer(&["show", "-json", "-no-color"], &unhurried);
        let Ok(Ok((exit, answer))) = tokio::time::timeout(READING, reading).await else { return false };
        let Ok(shown) = serde_json::from_slice::<Value>(&answer) else { return false };
        if !exit.is_success() {
            return false;
        }
        let state = read_state(&shown);
        self.journal.learn(state.secrets.iter().map(String::as_str));
        let finished = &mut progress.finished;
        finished.resources_remain = !state.resources.is_empty();
        // Nothing is unknown any more.
        let as_plan = json!({
            "planned_values": shown.get("values").unwrap_or(&Value::Null),
            "configuration": plan.get("configuration").unwrap_or(&Value::Null),
        });
        let now = read_plan(&as_plan).map(|plan| plan.planned).unwrap_or_default();
        finished.daily_cost = Some(if planned.unknown.is_empty() { planned.daily_cost } else { now.daily_cost });
        let cost = |address: &str| {
            let mut all = now.resources.iter().chain(&planned.resources);
            all.find(|one| one.address == address).map_or(0, |one| one.daily_cost)
        };
        let resources = state.resources.into_iter();
        finished.resources = resources.map(|one| PlannedResource { daily_cost: cost(&one.address), ..one }).collect();
        finished.outputs = state.outputs;
        true
    }

    fn succeeded(&self, what: &str, (exit, error): (Exit, Option<String>)) -> Result<(), Stop> {
        if exit.left_over > 0 {
            let notice = format!("{} processes were still there after {what}, and were ended", exit.left_over);
            self.journal.write(Stage::Finish, Level::Warn, &notice);
        }
        if exit.is_success() {
            return Ok(());
        }
        match (exit.ended, error) {
            (Some(Ended::Canceled), _) => Err(Stop::Canceled),
            (Some(ended), _) => Err(Stop::Failed(format!("{what}: {}", ended.message()))),
            (None, Some(error)) => Err(Stop::Failed(format!("{what}: {error}"))),
            (None, None) => Err(Stop::Failed(match (exit.code, exit.signal) {
                (_, Some(signal)) => format!("{what} was ended by signal {signal}"),
                (code, None) => format!("{what} failed with exit code {}", code.unwrap_or(-1)),
            })),
        }
    }

    /// The server does not let a build go on: perhaps it was canceled in the meantime.
    async fn refused(&self, error: ServerError) -> Stop {
        let canceled = matches!(error, ServerError::Lost(_))
            && matches!(self.server.heartbeat(&self.job.id).await, Ok(Instruction::Cancel));
        if canceled { Stop::Canceled } else { error.into() }
    }

    /// Waits for the server, and no longer than until the build is canceled.
    async fn unless_canceled<T>(&self, asked: impl Future<Output = T>) -> Result<T, Stop> {
        self.cancel.run_until_cancelled(asked).await.ok_or(Stop::Canceled)
    }

    fn go_on(&self) -> Result<(), Stop> {
        if self.cancel.is_cancelled() { Err(Stop::Canceled) } else { Ok(()) }
    }

    fn digest(plan: &Path) -> Result<String, Stop> {
        match fs::read(plan) {
            Ok(bytes) => Ok(format!("{:x}", Sha256::digest(bytes))),
            Err(error) => Err(Stop::Failed(format!("the plan cannot be read: {error}"))),
        }
    }
}

fn unwritten(error: &std::io::Error) -> Stop {
    Stop::Failed(format!("the job's directory cannot be written to: {error}"))
}

fn unkept(error: &std::io::Error) -> Stop {
    Stop::Failed(format!("the state cannot be kept: {error}"))
}
