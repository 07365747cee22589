//! What every report is asked: when, where, as of which position, as what.

use std::sync::Arc;
use std::time::Duration;

use chancery_domain::{Event, Timestamp};
use chancery_lake::Visibility;
use chancery_log::{Frontier, partition, place};
use chancery_policy::Visible;
use chancery_reports::{Format, Period};
use serde::Deserialize;
use utoipa::IntoParams;

use super::query::{moment, number, rows};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::trail::Reading;

/// How long a report without a position waits for the newest events to be folded.
const PATIENCE: Duration = Duration::from_secs(1);

/// What can be asked of every report.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportQuery {
    /// What rows are about, where a report has a choice.
    pub(super) by: Option<String>,
    /// `2026-03`, `2026-03-01` or `2026`, UTC; instead of `from` and `to`.
    pub(super) period: Option<String>,
    /// First moment: a date or an RFC 3339 time. The first of the month without.
    pub(super) from: Option<String>,
    /// The moment after the last. Now without.
    pub(super) to: Option<String>,
    /// Only this organization.
    pub(super) organization: Option<String>,
    /// Position of the log that it is computed at, as an earlier answer named it; the newest without.
    pub(super) position: Option<String>,
    /// A moment, instead of `position`: what was recorded up to then is known. A date is its first moment.
    pub(super) at: Option<String>,
    /// `json` (without), `csv`, `parquet` or `xlsx`; quota-usage also as `focus-csv` and `focus-parquet`.
    pub(super) format: Option<String>,
    /// What a credit costs per day, such as `0.42`; that of the configuration without.
    pub(super) price: Option<String>,
    /// Its currency, ISO 4217.
    pub(super) currency: Option<String>,
    /// How finely FOCUS divides time: `month` (without) or `day`.
    pub(super) granularity: Option<String>,
    /// After how many days without a sign-in a user is dormant; 90 without.
    pub(super) days: Option<u32>,
    /// Only this user, by id.
    pub(super) user: Option<String>,
    /// Only this permission.
    pub(super) permission: Option<String>,
}

/// What a report is computed from.
#[derive(Debug)]
pub(super) struct Asked {
    /// Everything up to here is known, and nothing else.
    pub(super) known: Frontier,
    /// When the last of it was recorded, in microseconds.
    pub(super) as_of: i64,
    /// Which organizations it shows.
    pub(super) shown: Visible,
    /// What it is written as.
    pub(super) format: Format,
}

impl Asked {
    /// Reads what every report is asked.
    pub(super) async fn read(gateway: &Gateway, caller: &Caller, query: &ReportQuery) -> Result<Self, ApiError> {
        let format: Format = match query.format.as_deref().unwrap_or("json") {
            "focus-csv" => Format::Csv,
            "focus-parquet" => Format::Parquet,
            other => other.parse().map_err(|error: chancery_reports::FormatError| {
                ApiError::bad_request(format!("{error}; quota-usage also knows focus-csv and focus-parquet"))
            })?,
        };
        let shown = shown(caller, query.organization.as_deref())?;
        let known = match (&query.at, &query.position) {
            (Some(_), Some(_)) => return Err(ApiError::bad_request("say either `position` or `at`")),
            (Some(at), None) => known_at(gateway, at).await?,
            (None, position) => known(gateway, position.as_deref()).await?,
        };
        let as_of = recorded(gateway, &known).await?;
        Ok(Self { known, as_of, shown, format })
    }

    /// The period that is asked about. Nobody knows more of it than what was recorded.
    pub(super) fn period(&self, query: &ReportQuery) -> Result<Period, ApiError> {
        let (name, from, to) = (query.period.as_deref(), query.from.as_deref(), query.to.as_deref());
        // With the last recorded event nothing is over: it is part of the period up to now.
        let now = self.as_of.saturating_add(1);
        Period::read(name, from, to, now).map_err(|error| ApiError::bad_request(error.to_string()))
    }

    /// Whether it shows what is in this organization, or in none.
    pub(super) fn shows(&self, organization: Option<&str>) -> bool {
        self.shown.includes(organization)
    }

    /// What of the audit trail it reads.
    pub(super) fn visibility(&self, caller: &Caller) -> Visibility {
        match &self.shown {
            Visible::Only(shown) => Visibility::Organizations(shown.clone()),
            _ => caller.visibility(),
        }
    }
}

/// What a caller sees, of one organization where they ask for one. One they do not see is not there.
fn shown(caller: &Caller, organization: Option<&str>) -> Result<Visible, ApiError> {
    let Some(organization) = organization else { return Ok(caller.visible.clone()) };
    let exists = caller.rules.as_ref().is_some_and(|rules| rules.organizations.iter().any(|it| it == organization));
    if !exists || !caller.visible.includes(Some(organization)) {
        return Err(ApiError::NotFound("there is no such organization".to_owned()));
    }
    Ok(Visible::Only(std::iter::once(organization.to_owned()).collect()))
}

/// What is known: up to the position asked for, which the state then contains, else up to what the state contains now.
async fn known(gateway: &Gateway, position: Option<&str>) -> Result<Frontier, ApiError> {
    let heads = gateway.log.barrier().await?;
    let Some(position) = position else {
        tokio::time::timeout(PATIENCE, gateway.decisions.settle(&heads)).await.ok();
        return Ok(gateway.state.applied());
    };
    let known: Frontier = position.parse().map_err(|error| ApiError::bad_request(format!("`position`: {error}")))?;
    if known.partitions() != gateway.log.partitions() {
        let detail =
            format!("`position` must have those of all {} partitions, joined by dots", gateway.log.partitions());
        return Err(ApiError::bad_request(detail));
    }
    if !heads.reaches(&known) {
        return Err(ApiError::bad_request(format!("`position` is beyond the end of the log, which is {heads}")));
    }
    gateway.decisions.settle(&known).await?;
    Ok(known)
}

/// What was recorded up to a moment.
async fn known_at(gateway: &Gateway, at: &str) -> Result<Frontier, ApiError> {
    let at = Period::moment(at).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let mut known = Frontier::start(gateway.log.partitions());
    for part in 0..gateway.log.partitions() {
        let (first, last) = (chancery_log::position(part, 1), chancery_log::position(part, u64::MAX));
        let question = format!(
            "SELECT max(position) FROM events WHERE position BETWEEN {first} AND {last} AND recorded_at <= {}",
            moment(at)
        );
        let found = rows(gateway, &Visibility::All, &question).await?;
        if let Some(position) = found.first().and_then(|row| number(row, 0)) {
            known.advance(position.cast_unsigned());
        }
    }
    gateway.decisions.settle(&known).await?;
    Ok(known)
}

/// When the last event of what is known was recorded.
async fn recorded(gateway: &Gateway, known: &Frontier) -> Result<i64, ApiError> {
    let mut last = Timestamp::EPOCH;
    for position in known.positions().filter(|position| place(*position) > 0) {
        let before = chancery_log::position(partition(position), place(position) - 1);
        let page = gateway.log.read(before, 1).await?;
        let Some(recorded) = page.events.first().filter(|event| event.position == position) else { continue };
        if let Ok(event) = serde_json::from_str::<Event>(&recorded.bytes) {
            last = last.max(event.recorded_at);
        }
    }
    Ok(last.as_micros())
}

/// Begins to put a report on record: its name, what was asked, and the position it is computed at.
pub(super) fn reading(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    name: &str,
    query: &ReportQuery,
    asked: &Asked,
) -> Reading {
    let days = query.days.map(|days| days.to_string());
    let parameters = [
        ("by", &query.by),
        ("period", &query.period),
        ("from", &query.from),
        ("to", &query.to),
        ("organization", &query.organization),
        ("at", &query.at),
        ("price", &query.price),
        ("currency", &query.currency),
        ("granularity", &query.granularity),
        ("days", &days),
        ("user", &query.user),
        ("permission", &query.permission),
    ];
    let said = parameters.iter().filter_map(|(name, value)| Some(format!(" {name}={}", value.as_ref()?)));
    let text = format!("{name}{} position={}", said.collect::<String>(), asked.known);
    let reading = Reading::begin(gateway, caller, "report", &text);
    match query.format.as_deref() {
        None | Some("json") => reading,
        Some(format) => reading.exporting(format),
    }
}
