//! `GET /api/v1/reports`: which reports there are, and what can be asked of them.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::middleware::Caller;

/// What can be asked of every report.
const ALWAYS: [&str; 3] = ["organization", "position", "at"];
/// What can be asked of a report about a period.
const PERIOD: [&str; 3] = ["period", "from", "to"];

struct Known {
    name: &'static str,
    description: &'static str,
    permission: &'static str,
    over_time: bool,
    parameters: &'static [&'static str],
    formats: &'static [&'static str],
}

const FORMATS: &[&str] = &["json", "csv", "parquet", "xlsx"];

const REPORTS: [Known; 6] = [
    Known {
        name: "quota-usage",
        description: "what was used of quotas, by user, group, template or organization",
        permission: "quotas:read",
        over_time: true,
        parameters: &["by", "price", "currency", "granularity"],
        formats: &["json", "csv", "parquet", "xlsx", "focus-csv", "focus-parquet"],
    },
    Known {
        name: "access-review",
        description: "who may use what, and how they got it",
        permission: "audit:read",
        over_time: false,
        parameters: &["user", "permission"],
        formats: FORMATS,
    },
    Known {
        name: "orphaned-workspaces",
        description: "workspaces whose owner is suspended, deleted or not known",
        permission: "audit:read",
        over_time: false,
        parameters: &[],
        formats: FORMATS,
    },
    Known {
        name: "dormant-users",
        description: "active users who have not signed in for a number of days",
        permission: "audit:read",
        over_time: false,
        parameters: &["days"],
        formats: FORMATS,
    },
    Known {
        name: "privileged-actions",
        description: "what was done that only few may do",
        permission: "audit:read",
        over_time: true,
        parameters: &["user"],
        formats: FORMATS,
    },
    Known {
        name: "failed-sign-ins",
        description: "attempts to sign in that failed, by account and address",
        permission: "audit:read",
        over_time: true,
        parameters: &["by"],
        formats: FORMATS,
    },
];

/// Which reports there are, with what can be asked of them and the permission each needs.
#[utoipa::path(get, path = "/api/v1/reports", tag = "reports",
    responses((status = 200), (status = 401), (status = 403)))]
pub(crate) async fn list(_caller: web::ReqData<Caller>) -> HttpResponse {
    let items: Vec<Value> = REPORTS
        .iter()
        .map(|report| {
            let period = if report.over_time { &PERIOD[..] } else { &[] };
            let parameters: Vec<&str> = report.parameters.iter().chain(period).chain(&ALWAYS).copied().collect();
            json!({
                "name": report.name, "description": report.description, "permission": report.permission,
                "path": format!("/api/v1/reports/{}", report.name), "parameters": parameters,
                "formats": report.formats,
            })
        })
        .collect();
    HttpResponse::Ok().json(json!({ "items": items }))
}
