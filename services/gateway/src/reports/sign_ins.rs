//! `GET /api/v1/reports/failed-sign-ins`.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chancery_lake::Visibility;
use chancery_reports::{Cell, Column, Document, Period};

use super::answer;
use super::asked::{Asked, ReportQuery, reading};
use super::query::{known, number, rows, text, within};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// The account that somebody tried.
const ACCOUNT: &str = "coalesce(resource_name, actor_name, resource_id)";

const COLUMNS: [Column; 9] = [
    Column::text("account"),
    Column::text("address"),
    Column::flag("unknown_user"),
    Column::integer("attempts"),
    Column::integer("accounts"),
    Column::integer("addresses"),
    Column::time("first_at"),
    Column::time("last_at"),
    Column::time("succeeded_at"),
];

/// Attempts to sign in that failed in a period, by account, by address, or by both; the most first.
#[utoipa::path(get, path = "/api/v1/reports/failed-sign-ins", tag = "reports", params(ReportQuery),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 422)))]
pub(crate) async fn failed_sign_ins(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<ReportQuery>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let (account, address) = match query.by.as_deref() {
        None | Some("account-address") => (ACCOUNT, "actor_ip"),
        Some("account") => (ACCOUNT, "''"),
        Some("address") => ("''", "actor_ip"),
        Some(other) => {
            let detail = format!("`by` is account, address or account-address, not `{other}`");
            return Err(ApiError::bad_request(detail));
        }
    };
    let asked = Asked::read(&gateway, &caller, &query).await?;
    let period = asked.period(&query)?;
    let reading = reading(&gateway, &caller, "failed-sign-ins", &query, &asked);
    let visibility = asked.visibility(&caller);
    let question = format!(
        "SELECT {account}, {address}, max(json_text(event, 'data.unknown_user')), count(*), count(DISTINCT {ACCOUNT}),
            count(DISTINCT actor_ip), arrow_cast(min(occurred_at), 'Int64'), arrow_cast(max(occurred_at), 'Int64')
            FROM events WHERE type = 'user.login.failed' AND {} AND {} GROUP BY 1, 2 ORDER BY 4 DESC, 1, 2",
        within(period),
        known(&asked.known)
    );
    let failed = rows(&gateway, &visibility, &question).await?;
    let succeeded = succeeded(&gateway, &asked, &visibility, period, (account, address)).await?;
    let empty = |text: Option<String>| text.filter(|text| !text.is_empty());
    let row = |row: &Vec<serde_json::Value>| {
        let key = (text(row, 0), text(row, 1));
        let first = number(row, 6).unwrap_or_default();
        let success = succeeded.get(&key).copied().filter(|success| *success >= first);
        vec![
            Cell::text(empty(key.0)),
            Cell::text(empty(key.1)),
            Cell::Flag(text(row, 2).as_deref() == Some("true")),
            number(row, 3).map_or(Cell::Null, Cell::Integer),
            number(row, 4).map_or(Cell::Null, Cell::Integer),
            number(row, 5).map_or(Cell::Null, Cell::Integer),
            Cell::time(number(row, 6)),
            Cell::time(number(row, 7)),
            Cell::time(success),
        ]
    };
    let document = Document {
        name: "failed-sign-ins",
        position: asked.known.to_string(),
        as_of: asked.as_of,
        parameters: vec![
            ("by", query.by.clone().unwrap_or_else(|| "account-address".to_owned())),
            ("period", period.name()),
        ],
        notes: vec![
            "unknown_user: some attempt named an account that does not exist. succeeded_at: the last sign-in of the same \
             account or address in the period, where it came after the first failure."
                .to_owned(),
        ],
        columns: COLUMNS.to_vec(),
        rows: failed.iter().map(row).collect(),
        totals: None,
    };
    reading.record(document.rows.len() as u64).await?;
    answer(document, asked.format, "failed-sign-ins").await
}

/// An account and an address, as far as is asked.
type Tried = (Option<String>, Option<String>);

/// When each last got in.
async fn succeeded(
    gateway: &Gateway,
    asked: &Asked,
    visibility: &Visibility,
    period: Period,
    (account, address): (&str, &str),
) -> Result<HashMap<Tried, i64>, ApiError> {
    let question = format!(
        "SELECT {account}, {address}, arrow_cast(max(occurred_at), 'Int64') FROM events
            WHERE type = 'user.login.succeeded' AND {} AND {} GROUP BY 1, 2",
        within(period),
        known(&asked.known)
    );
    let found = rows(gateway, visibility, &question).await?;
    Ok(found.iter().filter_map(|row| Some(((text(row, 0), text(row, 1)), number(row, 2)?))).collect())
}
