//! What runners report of builds.

use std::collections::BTreeMap;

use actix_web::web;
use chancery_domain::events::builds::{BuildLog, BuildOutput, BuildResource};
use chancery_domain::workspaces::builds::{BrokenOff, BuildReport, Ending, PlanBuild};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::ApiError;

/// Most bytes of a report.
const LARGEST_REPORT: usize = 4 << 20;
/// Longest digest of a log, in hex.
const DIGEST: usize = 64;

/// How reports are read: those of large templates are large.
pub(crate) fn json() -> web::JsonConfig {
    web::JsonConfig::default()
        .limit(LARGEST_REPORT)
        .error_handler(|error, _| ApiError::bad_request(error.to_string()).into())
}

/// What a build would make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanRequest {
    /// Credits per day of all resources whose costs are known.
    daily_cost: u32,
    /// Addresses of the others.
    #[serde(default)]
    unknown: Vec<String>,
    /// What there will be.
    resources: Option<Vec<ResourceReport>>,
}

impl PlanRequest {
    /// The decision that it asks for.
    pub(crate) fn command(self) -> PlanBuild {
        let Self { daily_cost, unknown, resources } = self;
        PlanBuild { cost: daily_cost, unknown, resources: resources.map(all) }
    }
}

/// How a build ended.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinishRequest {
    /// `succeeded`, `failed` or `canceled`.
    outcome: String,
    /// Whether it had begun to change resources.
    #[serde(default)]
    applied: bool,
    /// After it did not succeed: some resources may still run. Without a word they may, if it had begun.
    resources_remain: Option<bool>,
    /// Credits per day of what there is now, where that is not what was planned.
    daily_cost: Option<u32>,
    /// What went wrong.
    error: Option<String>,
    /// What there is now.
    resources: Option<Vec<ResourceReport>>,
    /// The template's outputs. Values of sensitive ones are not kept.
    #[serde(default)]
    outputs: BTreeMap<String, OutputReport>,
    /// Lines of the log.
    log_lines: Option<u64>,
    /// The last hash of the log's chain, in lower-case hex.
    log_digest: Option<String>,
}

/// A resource of a build.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResourceReport {
    /// Its address in the template.
    address: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// Its name.
    name: String,
    /// Credits per day.
    #[serde(default)]
    daily_cost: u32,
}

/// An output of a template.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutputReport {
    /// Its value.
    #[schema(value_type = Option<Object>)]
    value: Option<Value>,
    /// Its author keeps it from being shown.
    #[serde(default)]
    sensitive: bool,
}

/// How a build ended, and what its runner says besides.
#[derive(Debug)]
pub(crate) struct Finish {
    pub(crate) ending: Ending,
    pub(crate) report: BuildReport,
    /// Lines of the log, and the last hash of its chain.
    pub(crate) log: SaidLog,
}

/// What a runner says of its log.
#[derive(Debug, Clone, Default)]
pub(crate) struct SaidLog {
    pub(crate) lines: Option<u64>,
    pub(crate) digest: Option<String>,
}

impl SaidLog {
    /// The end of a log of which nothing is kept.
    pub(crate) fn unkept(self) -> Option<BuildLog> {
        (self.lines.is_some() || self.digest.is_some()).then(|| BuildLog {
            digest: self.digest,
            lines: self.lines,
            ..BuildLog::default()
        })
    }
}

impl FinishRequest {
    /// Reads it.
    pub(crate) fn read(self) -> Result<Finish, ApiError> {
        let Self { outcome, applied, resources_remain, daily_cost, error, .. } = self;
        let broken = BrokenOff { applied, resources_remain };
        let ending = match outcome.as_str() {
            "succeeded" => Ending::Succeeded { cost: daily_cost },
            "failed" => Ending::Failed { broken, error, expired: false },
            "canceled" => Ending::Canceled { broken },
            _ => return Err(ApiError::bad_request("`outcome` is `succeeded`, `failed` or `canceled`")),
        };
        // A runner that writes no log says so by an empty digest.
        let digest = self.log_digest.filter(|digest| !digest.is_empty());
        let is_digest =
            |text: &str| text.len() == DIGEST && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digest.as_ref().is_some_and(|digest| !is_digest(digest)) {
            return Err(ApiError::bad_request("`log_digest` is a SHA-256 in lower-case hex"));
        }
        let output = |(name, output): (String, OutputReport)| {
            let OutputReport { value, sensitive } = output;
            (name, BuildOutput { left_out: false, sensitive, value: value.filter(|_| !sensitive) })
        };
        let report = BuildReport {
            log: None,
            outputs: self.outputs.into_iter().map(output).collect(),
            // A runner that does not know what there is names nothing.
            resources: self
                .resources
                .filter(|named| applied && !(named.is_empty() && resources_remain == Some(true)))
                .map(all),
        };
        Ok(Finish { ending, report, log: SaidLog { lines: self.log_lines, digest } })
    }
}

fn all(resources: Vec<ResourceReport>) -> Vec<BuildResource> {
    let one = |ResourceReport { address, kind, name, daily_cost }| BuildResource { address, daily_cost, name, kind };
    resources.into_iter().map(one).collect()
}
