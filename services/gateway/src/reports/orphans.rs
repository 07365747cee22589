//! `GET /api/v1/reports/orphaned-workspaces`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chancery_domain::usage::{Charge, Facts, Label, Symbol};
use chancery_lake::Visibility;
use chancery_reports::{Cell, Column, Document};
use chancery_state::UsagePeriod;

use super::answer;
use super::asked::{Asked, ReportQuery, reading};
use super::people::{Someone, people};
use super::query::{known, rows, text};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Workspaces whose owner is suspended, deleted or not known.
#[utoipa::path(get, path = "/api/v1/reports/orphaned-workspaces", tag = "reports", params(ReportQuery),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 422)))]
pub(crate) async fn orphaned_workspaces(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<ReportQuery>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let asked = Asked::read(&gateway, &caller, &query).await?;
    let reading = reading(&gateway, &caller, "orphaned-workspaces", &query, &asked);
    let now = UsagePeriod { from: asked.as_of, until: asked.as_of.saturating_add(1), known: asked.known.clone() };
    let facts = gateway.state.usage(&now).await?;
    let people = people(&gateway, &asked).await?;
    let candidates = candidates(&facts, &people, &asked);
    let deleted = deleted(&gateway, &asked, &candidates).await?;
    let rows = shown(&facts, &people, &candidates, &deleted);
    let document = Document {
        name: "orphaned-workspaces",
        position: asked.known.to_string(),
        as_of: asked.as_of,
        parameters: Vec::new(),
        notes: vec![
            "owner_status: suspended, deleted, or absent where no such user is known; owner_since: since when."
                .to_owned(),
            "credits_per_day and running are the ledger's.".to_owned(),
        ],
        columns: vec![
            Column::text("organization"),
            Column::text("workspace_id"),
            Column::text("workspace"),
            Column::text("owner_id"),
            Column::text("owner"),
            Column::text("owner_status"),
            Column::time("owner_since"),
            Column::text("template_id"),
            Column::text("template"),
            Column::flag("running"),
            Column::integer("credits_per_day"),
        ],
        rows,
        totals: None,
    };
    reading.record(document.rows.len() as u64).await?;
    answer(document, asked.format, "orphaned-workspaces").await
}

/// The last label of each visible workspace without an active owner, by id.
fn candidates<'a>(facts: &'a Facts, people: &BTreeMap<String, Someone>, asked: &Asked) -> BTreeMap<&'a str, &'a Label> {
    let text = |symbol| facts.symbols.text(symbol);
    let kind = facts.symbols.find("workspace");
    let mut workspaces: BTreeMap<&str, &Label> = BTreeMap::new();
    for label in facts.labels.iter().filter(|label| label.kind == kind) {
        if let Some(id) = text(label.id) {
            workspaces.insert(id, label);
        }
    }
    let is_active = |owner: &str| people.get(owner).is_some_and(|owner| owner.status == "active");
    workspaces.retain(|_, label| asked.shows(text(label.organization)) && !text(label.owner).is_some_and(is_active));
    workspaces
}

/// Which of them are deleted.
async fn deleted(
    gateway: &Gateway,
    asked: &Asked,
    candidates: &BTreeMap<&str, &Label>,
) -> Result<BTreeSet<String>, ApiError> {
    let ids: Vec<String> = candidates.keys().map(|id| format!("'{}'", id.replace('\'', "''"))).collect();
    let mut deleted = BTreeSet::new();
    for ids in ids.chunks(5_000) {
        let question = format!(
            "SELECT DISTINCT resource_id FROM events WHERE resource_kind = 'workspace' AND resource_id IN ({})
                AND (type = 'workspace.deleted' OR (type = 'workspace.build.succeeded'
                AND json_text(event, 'data.transition') = 'delete')) AND {}",
            ids.join(", "),
            known(&asked.known)
        );
        let found = rows(gateway, &Visibility::All, &question).await?;
        deleted.extend(found.iter().filter_map(|row| text(row, 0)));
    }
    Ok(deleted)
}

fn shown(
    facts: &Facts,
    people: &BTreeMap<String, Someone>,
    candidates: &BTreeMap<&str, &Label>,
    deleted: &BTreeSet<String>,
) -> Vec<Vec<Cell>> {
    let text = |symbol: Symbol| facts.symbols.text(symbol);
    let costs: HashMap<Symbol, &Charge> = facts.charges.iter().map(|charge| (charge.workspace, charge)).collect();
    let kind = facts.symbols.find("template");
    let templates: HashMap<Symbol, Symbol> =
        facts.labels.iter().filter(|label| label.kind == kind).map(|label| (label.id, label.name)).collect();
    let mut rows: Vec<(Option<&str>, &str, Vec<Cell>)> = Vec::new();
    for (id, label) in candidates.iter().filter(|(id, _)| !deleted.contains(**id)) {
        let owner = text(label.owner).and_then(|owner| people.get(owner));
        let charge = costs.get(&label.id);
        let template = charge.map_or(label.template, |charge| label.template.or(charge.template));
        let row = vec![
            Cell::text(text(label.organization)),
            Cell::Text((*id).to_owned()),
            Cell::text(text(label.name)),
            Cell::text(text(label.owner)),
            Cell::text(owner.map(|owner| owner.name.as_str())),
            Cell::Text(owner.map_or("absent", |owner| owner.status).to_owned()),
            Cell::time(owner.map(|owner| owner.since)),
            Cell::text(text(template)),
            Cell::text(templates.get(&template).and_then(|name| text(*name))),
            Cell::Flag(charge.is_some_and(|charge| charge.running)),
            Cell::count(charge.map_or(0, |charge| charge.cost)),
        ];
        rows.push((text(label.organization), text(label.name).unwrap_or_default(), row));
    }
    rows.sort_by_key(|(organization, name, _)| (*organization, *name));
    rows.into_iter().map(|(_, _, row)| row).collect()
}
