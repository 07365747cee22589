//! Commands of Terraform in a job's directory, contained and logged.

use std::collections::BTreeMap;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::directory::JobDirectory;
use crate::containment::{ContainmentError, Exit, Limits, Specification, Stream, run};
use crate::logs::{Journal, Level, Splitter, Stage};
use crate::settings::Settings;
use crate::terraform::said;

/// Output of a command that is read by the runner, beyond which it is not kept.
const LONGEST_ANSWER: usize = 64 << 20;

/// What all commands of a job have in common.
#[derive(Debug)]
pub(super) struct Commands<'a> {
    pub(super) settings: &'a Settings,
    pub(super) binary: &'a Path,
    pub(super) directory: &'a JobDirectory,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) journal: &'a Journal,
}

impl Commands<'_> {
    /// Runs a command and logs what it says. Gives the first error it told, too.
    pub(super) async fn logged(
        &self,
        stage: Stage,
        arguments: &[&str],
        cancel: &CancellationToken,
    ) -> Result<(Exit, Option<String>), ContainmentError> {
        let mut streams = (Splitter::default(), Splitter::default());
        let mut first_error = None;
        let mut tell = |line: Option<String>| {
            if let Some((level, text)) = line.as_deref().and_then(said) {
                if level == Level::Error && first_error.is_none() {
                    first_error = Some(text.clone());
                }
                self.journal.write(stage, level, &text);
            }
        };
        let specification = self.specification(arguments, self.settings.limits);
        let take = |stream, bytes: &[u8]| {
            let splitter = if stream == Stream::Output { &mut streams.0 } else { &mut streams.1 };
            splitter.push(bytes).into_iter().for_each(|line| tell(Some(line)));
        };
        let exit = run(&self.settings.supervisor, &specification, cancel, take).await?;
        tell(streams.0.finish());
        tell(streams.1.finish());
        self.journal.release();
        Ok((exit, first_error))
    }

    /// Runs a command and gives what it wrote. What it complains about is logged.
    pub(super) async fn answer(
        &self,
        arguments: &[&str],
        cancel: &CancellationToken,
    ) -> Result<(Exit, Vec<u8>), ContainmentError> {
        let limits = Limits { output_bytes: LONGEST_ANSWER as u64, ..self.settings.limits };
        let (mut answer, mut complaints) = (Vec::new(), Vec::new());
        let specification = self.specification(arguments, limits);
        let take = |stream, bytes: &[u8]| {
            let to = if stream == Stream::Output { &mut answer } else { &mut complaints };
            to.extend_from_slice(bytes);
        };
        let exit = run(&self.settings.supervisor, &specification, cancel, take).await?;
        for line in String::from_utf8_lossy(&complaints).lines() {
            if let Some((_, text)) = said(line) {
                self.journal.write(Stage::Prepare, Level::Warn, &text);
            }
        }
        Ok((exit, answer))
    }

    fn specification(&self, arguments: &[&str], limits: Limits) -> Specification {
        Specification {
            program: self.binary.to_path_buf(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            directory: self.directory.work(),
            environment: self.environment.clone(),
            run_as: self.settings.run_as,
            limits,
            cgroup: self.settings.cgroup.clone(),
            report: self.directory.private("exit.json"),
        }
    }
}
