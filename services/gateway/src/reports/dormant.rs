//! `GET /api/v1/reports/dormant-users`.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chancery_lake::Visibility;
use chancery_reports::{Cell, Column, Document};

use super::answer;
use super::asked::{Asked, ReportQuery, reading};
use super::people::people;
use super::query::{known, number, rows, text};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

const DAY: i64 = 86_400_000_000;
/// Days without a sign-in, where none are asked for.
const DAYS: u32 = 90;

/// Active users who have not signed in for a number of days, or never.
#[utoipa::path(get, path = "/api/v1/reports/dormant-users", tag = "reports", params(ReportQuery),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 422)))]
pub(crate) async fn dormant_users(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<ReportQuery>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let days = query.days.unwrap_or(DAYS);
    if !(1..=3650).contains(&days) {
        return Err(ApiError::bad_request("`days` is 1 to 3650"));
    }
    let asked = Asked::read(&gateway, &caller, &query).await?;
    let reading = reading(&gateway, &caller, "dormant-users", &query, &asked);
    let limit = asked.as_of.saturating_sub(i64::from(days) * DAY);
    let signed_in = last(&gateway, &asked, "resource_id", "type = 'user.login.succeeded'").await?;
    let acted = last(&gateway, &asked, "actor_id", "actor_kind = 'user'").await?;
    let mut dormant: Vec<(i64, Vec<Cell>)> = Vec::new();
    for (id, someone) in people(&gateway, &asked).await? {
        if someone.status != "active" || !asked.shows(someone.organization.as_deref()) {
            continue;
        }
        let sign_in = signed_in.get(&id).copied();
        let since = sign_in.unwrap_or(someone.created_at);
        if since > limit {
            continue;
        }
        let row = vec![
            Cell::text(someone.organization),
            Cell::Text(id.clone()),
            Cell::Text(someone.name),
            Cell::Time(someone.created_at),
            Cell::time(sign_in),
            Cell::time(acted.get(&id).copied()),
            Cell::Integer((asked.as_of - since).div_euclid(DAY)),
        ];
        dormant.push((since, row));
    }
    // Stable: equal times stay in the order of ids.
    dormant.sort_by_key(|(since, _)| *since);
    let document = Document {
        name: "dormant-users",
        position: asked.known.to_string(),
        as_of: asked.as_of,
        parameters: vec![("days", days.to_string())],
        notes: vec![
            "An active user whose last sign-in, or creation where there is none, is at least so long ago.".to_owned(),
        ],
        columns: vec![
            Column::text("organization"),
            Column::text("user_id"),
            Column::text("user_name"),
            Column::time("created_at"),
            Column::time("last_sign_in_at"),
            Column::time("last_action_at"),
            Column::integer("days"),
        ],
        rows: dormant.into_iter().map(|(_, row)| row).collect(),
        totals: None,
    };
    reading.record(document.rows.len() as u64).await?;
    answer(document, asked.format, "dormant-users").await
}

/// When something was last said of each. Sign-ins are in no organization: whose are shown is chosen by the user.
async fn last(gateway: &Gateway, asked: &Asked, of: &str, condition: &str) -> Result<HashMap<String, i64>, ApiError> {
    let question = format!(
        "SELECT {of}, arrow_cast(max(occurred_at), 'Int64') FROM events WHERE {condition} AND {} GROUP BY {of}",
        known(&asked.known)
    );
    let rows = rows(gateway, &Visibility::All, &question).await?;
    Ok(rows.iter().filter_map(|row| Some((text(row, 0)?, number(row, 1)?))).collect())
}
