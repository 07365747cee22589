//! `GET /api/v1/reports/quota-usage`.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chancery_domain::usage::{Facts, Symbol};
use chancery_reports::focus::{self, Granularity};
use chancery_reports::usage::{By, Question, Usage};
use chancery_reports::{Document, Price};
use chancery_state::UsagePeriod;

use super::asked::{Asked, ReportQuery, reading};
use super::{answer, aside};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// What was used of quotas in a period, by user, group, template or organization: allowance, peak, credit-hours, cost,
/// denials, idle hours and a forecast.
#[utoipa::path(get, path = "/api/v1/reports/quota-usage", tag = "reports", params(ReportQuery),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 422)))]
pub(crate) async fn quota_usage(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<ReportQuery>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let by: By = query.by.as_deref().unwrap_or("user").parse().map_err(ApiError::bad_request)?;
    let granularity = match query.granularity.as_deref() {
        None | Some("month") => Granularity::Month,
        Some("day") => Granularity::Day,
        Some(other) => return Err(ApiError::bad_request(format!("`granularity` is month or day, not `{other}`"))),
    };
    let price = price(&gateway, &query)?;
    let is_focus = query.format.as_deref().is_some_and(|format| format.starts_with("focus-"));
    if is_focus && price.is_none() {
        return Err(ApiError::bad_request("FOCUS tells what it costs: give `price` and `currency`"));
    }
    let asked = Asked::read(&gateway, &caller, &query).await?;
    let period = asked.period(&query)?;
    let reading = reading(&gateway, &caller, "quota-usage", &query, &asked);
    let until = period.to.min(asked.as_of.saturating_add(1)).max(period.from);
    let facts = gateway.state.usage(&UsagePeriod { from: period.from, until, known: asked.known.clone() }).await?;
    let (format, as_of, position) = (asked.format, asked.as_of, asked.known.to_string());
    let document: Document = aside(move || {
        let facts = visible(facts, &asked);
        match (price, is_focus) {
            (Some(price), true) => focus::document(&facts, period, until, &price, granularity, position, as_of),
            (price, _) => Usage::new(&facts, &Question { by, period, until, price }).document(position, as_of),
        }
    })
    .await?;
    reading.record(document.rows.len() as u64).await?;
    answer(document, format, "quota-usage").await
}

/// The price asked for, else that of the configuration.
fn price(gateway: &Gateway, query: &ReportQuery) -> Result<Option<Price>, ApiError> {
    let configured = gateway.settings.price.as_ref();
    let currency = query.currency.as_deref().or(configured.map(Price::currency));
    match (query.price.as_deref(), currency) {
        (None, _) if query.currency.is_none() => Ok(configured.cloned()),
        (None, _) => Err(ApiError::bad_request("`currency` is that of `price`: give both")),
        (Some(_), None) => Err(ApiError::bad_request("give the `currency` of `price`, such as EUR")),
        (Some(price), Some(currency)) => {
            Price::new(price, currency).map(Some).map_err(|error| ApiError::bad_request(error.to_string()))
        }
    }
}

/// Leaves out what is in organizations that the report does not show.
fn visible(mut facts: Facts, asked: &Asked) -> Facts {
    let symbols = std::mem::take(&mut facts.symbols);
    let shows = |organization: Symbol| asked.shows(symbols.text(organization));
    facts.charges.retain(|charge| shows(charge.organization));
    facts.denials.retain(|denial| shows(denial.organization));
    let is_group = symbols.find("group");
    facts.labels.retain(|label| label.kind != is_group || shows(label.organization));
    let groups: std::collections::HashSet<Symbol> =
        facts.labels.iter().filter(|label| label.kind == is_group).map(|label| label.id).collect();
    facts.allowances.retain(|change| groups.contains(&change.group));
    facts.memberships.retain(|it| groups.contains(&it.group) || shows(it.group));
    facts.symbols = symbols;
    facts
}
