//! `GET /api/v1/reports/privileged-actions`.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chancery_reports::{Cell, Column, Document};

use super::answer;
use super::asked::{Asked, ReportQuery, reading};
use super::query::{known, number, rows, text, within};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// What only few may do: who may do what, what is spent, what is kept, and what leaves the audit trail.
const PRIVILEGED: &str = "(type LIKE 'role.%' OR type LIKE 'policy.%' OR type LIKE 'connection.%'
    OR (type LIKE 'settings.%' AND resource_kind = 'settings')
    OR type LIKE 'organization.%' OR type LIKE 'group.%' OR type LIKE 'sink.%' OR type LIKE 'hold.%'
    OR type LIKE 'retention.%' OR type LIKE 'subject.%' OR type LIKE 'runner.key.%' OR type LIKE 'template.access.%'
    OR type LIKE 'quota.allowance.%' OR type LIKE 'quota.budget.%' OR type LIKE 'quota.cap.%'
    OR type LIKE 'quota.settings.%' OR type IN ('token.created', 'token.rotated', 'token.revoked', 'user.created',
    'user.updated', 'user.suspended', 'user.reactivated', 'user.deleted', 'template.version.promoted',
    'template.version.archived', 'template.deprecated', 'template.deleted', 'workspace.transferred', 'audit.exported'))
    AND type NOT IN ('quota.budget.warned')";

/// What was done in a period that only few may do, done or stopped, in the order of time.
#[utoipa::path(get, path = "/api/v1/reports/privileged-actions", tag = "reports", params(ReportQuery),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 422)))]
pub(crate) async fn privileged_actions(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<ReportQuery>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let asked = Asked::read(&gateway, &caller, &query).await?;
    let period = asked.period(&query)?;
    let reading = reading(&gateway, &caller, "privileged-actions", &query, &asked);
    let user = match &query.user {
        Some(user) => format!(" AND actor_id = '{}'", user.replace('\'', "''")),
        None => String::new(),
    };
    let question = format!(
        "SELECT arrow_cast(occurred_at, 'Int64'), type, action, actor_kind, actor_id, actor_name, actor_ip,
            array_to_string(actor_roles, ' '), actor_session, organization, resource_kind, resource_id, resource_name,
            outcome, reason, correlation, array_to_string(policies, ' '), id, position
            FROM events WHERE {PRIVILEGED} AND {} AND {}{user} ORDER BY occurred_at, position",
        within(period),
        known(&asked.known)
    );
    let found = rows(&gateway, &asked.visibility(&caller), &question).await?;
    let row = |row: &Vec<serde_json::Value>| {
        let mut cells = vec![Cell::time(number(row, 0))];
        cells.extend((1..18).map(|index| Cell::text(text(row, index))));
        cells.push(number(row, 18).map_or(Cell::Null, Cell::Integer));
        cells
    };
    let document = Document {
        name: "privileged-actions",
        position: asked.known.to_string(),
        as_of: asked.as_of,
        parameters: vec![("period", period.name())],
        notes: vec![
            "Changes of who may do what (users, groups, roles, policies, tokens, connections, template access, runner keys), \
             of what may be spent, of settings, sinks, holds and retention, promotions of templates, hand-overs of workspaces, \
             and exports of the audit trail; done, failed and denied. Roles are those of the time."
                .to_owned(),
        ],
        columns: vec![
            Column::time("occurred_at"),
            Column::text("type"),
            Column::text("action"),
            Column::text("actor_kind"),
            Column::text("actor_id"),
            Column::text("actor_name"),
            Column::text("actor_ip"),
            Column::text("actor_roles"),
            Column::text("actor_session"),
            Column::text("organization"),
            Column::text("resource_kind"),
            Column::text("resource_id"),
            Column::text("resource_name"),
            Column::text("outcome"),
            Column::text("reason"),
            Column::text("correlation"),
            Column::text("policies"),
            Column::text("event_id"),
            Column::integer("position"),
        ],
        rows: found.iter().map(row).collect(),
        totals: None,
    };
    reading.record(document.rows.len() as u64).await?;
    answer(document, asked.format, "privileged-actions").await
}
