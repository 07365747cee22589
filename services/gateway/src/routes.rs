//! The route table: the one place that says what there is, and what it takes to use it.

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use chancery_policy::Permission;

use crate::error::ApiError;
use crate::{
    audit, browser_only, connections, groups, ingest, jobs, operations, organizations, policies, quotas, reports,
    resources, roles, runners, scim, sessions, sign_in, simulate, templates, tokens, users, workspaces,
};

/// What it takes to use an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Public,
    /// A permission, in the deployment or in an organization at least.
    Permission(Permission),
    /// One of these permissions for the thing itself, which may have been given to the caller alone: the handler judges
    /// it. The first is what it is called by.
    Given(&'static [Permission]),
    /// Credentials whose scopes cover it; the handler judges, about what the request names, and puts on record whom it
    /// stops.
    Judged(Permission),
    /// The credentials of the job that builds the workspace; the handler judges them. Others get no further than this
    /// permission.
    Job(Permission),
    /// The token of a connection, except for what the service can do.
    Scim,
}

/// An operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
}

const fn public(method: &'static str, path: &'static str) -> Route {
    Route { method, path, access: Access::Public }
}

const fn given(method: &'static str, path: &'static str, permissions: &'static [Permission]) -> Route {
    Route { method, path, access: Access::Given(permissions) }
}

const fn needs(method: &'static str, path: &'static str, permission: Permission) -> Route {
    Route { method, path, access: Access::Permission(permission) }
}

const fn judged(method: &'static str, path: &'static str, permission: Permission) -> Route {
    Route { method, path, access: Access::Judged(permission) }
}

const fn job(method: &'static str, path: &'static str) -> Route {
    Route { method, path, access: Access::Job(Permission::RunnersRun) }
}

/// Every operation of the API.
pub(crate) const ROUTES: &[Route] = &[
    public("GET", "/healthz"),
    public("GET", "/readyz"),
    public("GET", "/api/openapi.json"),
    public("POST", "/api/v1/setup"),
    public("GET", "/auth/{provider}/start"),
    public("GET", "/auth/{provider}/callback"),
    public("GET", "/api/v1/sign-in/providers"),
    public("POST", "/api/v1/sign-in/exchange"),
    public("POST", "/api/v1/sign-in/device"),
    public("POST", "/api/v1/sign-in/device/poll"),
    // Of one's own. Who may see their session may end it, even where they may make no tokens.
    needs("POST", "/api/v1/sign-out", Permission::TokensRead),
    needs("GET", "/api/v1/me", Permission::TokensRead),
    needs("GET", "/metrics", Permission::OperationsRead),
    needs("POST", "/api/v1/events", Permission::EventsWrite),
    needs("GET", "/api/v1/audit/events", Permission::AuditRead),
    needs("GET", "/api/v1/audit/events/{id}", Permission::AuditRead),
    needs("GET", "/api/v1/audit/aggregate", Permission::AuditRead),
    needs("GET", "/api/v1/audit/tail", Permission::AuditRead),
    needs("POST", "/api/v1/audit/sql", Permission::AuditRead),
    needs("GET", "/api/v1/audit/export", Permission::AuditExport),
    needs("GET", "/api/v1/users", Permission::UsersRead),
    needs("POST", "/api/v1/users", Permission::UsersWrite),
    needs("GET", "/api/v1/users/{id}", Permission::UsersRead),
    needs("GET", "/api/v1/users/{id}/roles", Permission::UsersRead),
    needs("POST", "/api/v1/users/{id}/roles", Permission::UsersWrite),
    needs("DELETE", "/api/v1/users/{id}/roles", Permission::UsersWrite),
    needs("POST", "/api/v1/users/{id}/suspend", Permission::UsersWrite),
    needs("POST", "/api/v1/users/{id}/reactivate", Permission::UsersWrite),
    needs("PATCH", "/api/v1/users/{id}", Permission::UsersWrite),
    needs("DELETE", "/api/v1/users/{id}", Permission::UsersWrite),
    needs("GET", "/api/v1/groups", Permission::GroupsRead),
    given("GET", "/api/v1/templates", &[Permission::TemplatesRead]),
    needs("POST", "/api/v1/groups", Permission::GroupsWrite),
    needs("GET", "/api/v1/groups/{id}", Permission::GroupsRead),
    needs("PATCH", "/api/v1/groups/{id}", Permission::GroupsWrite),
    needs("DELETE", "/api/v1/groups/{id}", Permission::GroupsWrite),
    needs("GET", "/api/v1/groups/{id}/members", Permission::GroupsRead),
    needs("PUT", "/api/v1/groups/{id}/members/{user}", Permission::GroupsWrite),
    needs("DELETE", "/api/v1/groups/{id}/members/{user}", Permission::GroupsWrite),
    needs("GET", "/api/v1/organizations/{name}", Permission::OrganizationsRead),
    needs("PATCH", "/api/v1/organizations/{name}", Permission::OrganizationsWrite),
    given("GET", "/api/v1/workspaces", &[Permission::WorkspacesRead]),
    given("POST", "/api/v1/workspaces", &[Permission::WorkspacesWrite]),
    given("GET", "/api/v1/workspaces/{id}", &[Permission::WorkspacesRead]),
    given("PATCH", "/api/v1/workspaces/{id}", &[Permission::WorkspacesWrite]),
    given("DELETE", "/api/v1/workspaces/{id}", &[Permission::WorkspacesWrite]),
    given("GET", "/api/v1/workspaces/{id}/builds", &[Permission::WorkspacesRead]),
    given("POST", "/api/v1/workspaces/{id}/builds", &[Permission::WorkspacesWrite]),
    given("GET", "/api/v1/workspaces/{id}/builds/{number}", &[Permission::WorkspacesRead]),
    given("GET", "/api/v1/workspaces/{id}/builds/{number}/logs", &[Permission::WorkspacesRead]),
    given("POST", "/api/v1/workspaces/{id}/builds/{number}/cancel", &[Permission::WorkspacesWrite]),
    given("POST", "/api/v1/workspaces/{id}/transfer", &[Permission::WorkspacesWrite]),
    given("PUT", "/api/v1/workspaces/{id}/schedule", &[Permission::WorkspacesWrite]),
    given("POST", "/api/v1/workspaces/{id}/activity", &[Permission::WorkspacesWrite]),
    job("GET", "/api/v1/workspaces/{id}/state"),
    job("POST", "/api/v1/workspaces/{id}/state"),
    job("DELETE", "/api/v1/workspaces/{id}/state"),
    job("LOCK", "/api/v1/workspaces/{id}/state"),
    job("UNLOCK", "/api/v1/workspaces/{id}/state"),
    given("GET", "/api/v1/workspaces/{id}/state/versions", &[Permission::WorkspacesState]),
    given("GET", "/api/v1/workspaces/{id}/state/versions/{version}", &[Permission::WorkspacesState]),
    given("POST", "/api/v1/workspaces/{id}/state/versions/{version}/restore", &[Permission::WorkspacesState]),
    given("POST", "/api/v1/workspaces/{id}/state/unlock", &[Permission::WorkspacesState]),
    needs("POST", "/api/v1/jobs/acquire", Permission::RunnersRun),
    needs("GET", "/api/v1/jobs/{id}", Permission::RunnersRun),
    needs("POST", "/api/v1/jobs/{id}/planned", Permission::RunnersRun),
    needs("POST", "/api/v1/jobs/{id}/applying", Permission::RunnersRun),
    needs("POST", "/api/v1/jobs/{id}/finished", Permission::RunnersRun),
    public("POST", "/api/v1/runners/register"),
    needs("GET", "/api/v1/runners", Permission::RunnersRead),
    needs("GET", "/api/v1/runners/{id}", Permission::RunnersRead),
    needs("DELETE", "/api/v1/runners/{id}", Permission::RunnersWrite),
    needs("POST", "/api/v1/runners/{id}/rotate", Permission::RunnersRun),
    needs("GET", "/api/v1/runner-keys", Permission::RunnersRead),
    needs("POST", "/api/v1/runner-keys", Permission::RunnersWrite),
    needs("GET", "/api/v1/runner-keys/{id}", Permission::RunnersRead),
    needs("DELETE", "/api/v1/runner-keys/{id}", Permission::RunnersWrite),
    needs("POST", "/api/v1/runner-keys/{id}/rotate", Permission::RunnersWrite),
    needs("POST", "/api/v1/jobs/{id}/log", Permission::RunnersRun),
    given("POST", "/api/v1/quota/check", &[Permission::WorkspacesWrite, Permission::QuotasRead]),
    given(
        "GET",
        "/api/v1/organizations/{name}/members/{user}/quota",
        &[Permission::QuotasRead, Permission::WorkspacesRead],
    ),
    needs("GET", "/api/v1/organizations/{name}/quota-caps", Permission::QuotasRead),
    needs("PUT", "/api/v1/organizations/{name}/quota-caps", Permission::QuotasWrite),
    needs("GET", "/api/v1/organizations/{name}/quota-budgets", Permission::QuotasRead),
    needs("PUT", "/api/v1/organizations/{name}/quota-budgets", Permission::QuotasWrite),
    needs("GET", "/api/v1/organizations/{name}/quota-settings", Permission::QuotasRead),
    needs("PUT", "/api/v1/organizations/{name}/quota-settings", Permission::QuotasWrite),
    needs("POST", "/api/v1/templates", Permission::TemplatesWrite),
    given("GET", "/api/v1/templates/{id}", &[Permission::TemplatesRead]),
    given("PATCH", "/api/v1/templates/{id}", &[Permission::TemplatesWrite]),
    given("DELETE", "/api/v1/templates/{id}", &[Permission::TemplatesWrite]),
    given("POST", "/api/v1/templates/{id}/deprecate", &[Permission::TemplatesWrite]),
    given("POST", "/api/v1/templates/{id}/undeprecate", &[Permission::TemplatesWrite]),
    given("DELETE", "/api/v1/templates/{id}/promotion", &[Permission::TemplatesWrite]),
    given("GET", "/api/v1/templates/{id}/access", &[Permission::TemplatesRead]),
    given("PUT", "/api/v1/templates/{id}/access", &[Permission::TemplatesWrite]),
    given("DELETE", "/api/v1/templates/{id}/access", &[Permission::TemplatesWrite]),
    given("GET", "/api/v1/templates/{id}/versions", &[Permission::TemplatesRead]),
    given("POST", "/api/v1/templates/{id}/versions", &[Permission::TemplatesWrite]),
    given("GET", "/api/v1/templates/{id}/versions/{version}", &[Permission::TemplatesRead]),
    given(
        "GET",
        "/api/v1/templates/{id}/versions/{version}/files",
        &[Permission::TemplatesRead, Permission::RunnersRun],
    ),
    given("POST", "/api/v1/templates/{id}/versions/{version}/promote", &[Permission::TemplatesWrite]),
    given("POST", "/api/v1/templates/{id}/versions/{version}/archive", &[Permission::TemplatesWrite]),
    given("POST", "/api/v1/templates/{id}/versions/{version}/unarchive", &[Permission::TemplatesWrite]),
    needs("GET", "/api/v1/sessions", Permission::SessionsRead),
    public("GET", "/api/v1/sessions/keys"),
    needs("POST", "/api/v1/sessions/keys/rotate", Permission::SettingsWrite),
    judged("GET", "/api/v1/sessions/{id}", Permission::SessionsRead),
    judged("POST", "/api/v1/sessions/{id}/open", Permission::SessionsWrite),
    judged("POST", "/api/v1/sessions/{id}/heartbeat", Permission::SessionsWrite),
    judged("POST", "/api/v1/sessions/{id}/close", Permission::SessionsWrite),
    judged("POST", "/api/v1/workspaces/{id}/sessions", Permission::SessionsConnect),
    judged("GET", "/api/v1/workspaces/{id}/sessions/watch", Permission::SessionsRead),
    public("GET", "/api/v1/ssh/authority"),
    public("GET", "/api/v1/ssh/revocations"),
    judged("POST", "/api/v1/ssh/host-certificates", Permission::RunnersRun),
    needs("GET", "/api/v1/browser-only", Permission::SettingsRead),
    needs("PUT", "/api/v1/browser-only", Permission::SettingsWrite),
    needs("GET", "/api/v1/organizations", Permission::OrganizationsRead),
    needs("POST", "/api/v1/organizations", Permission::OrganizationsWrite),
    needs("GET", "/api/v1/roles", Permission::RolesRead),
    needs("PUT", "/api/v1/roles/{name}", Permission::RolesWrite),
    needs("DELETE", "/api/v1/roles/{name}", Permission::RolesWrite),
    needs("GET", "/api/v1/policies", Permission::PoliciesRead),
    needs("GET", "/api/v1/policies/{id}", Permission::PoliciesRead),
    needs("PUT", "/api/v1/policies/{id}", Permission::PoliciesWrite),
    needs("DELETE", "/api/v1/policies/{id}", Permission::PoliciesWrite),
    needs("POST", "/api/v1/policy/simulate", Permission::PoliciesSimulate),
    needs("GET", "/api/v1/reports", Permission::AuditRead),
    needs("GET", "/api/v1/reports/quota-usage", Permission::QuotasRead),
    needs("GET", "/api/v1/reports/access-review", Permission::AuditRead),
    needs("GET", "/api/v1/reports/orphaned-workspaces", Permission::AuditRead),
    needs("GET", "/api/v1/reports/dormant-users", Permission::AuditRead),
    needs("GET", "/api/v1/reports/privileged-actions", Permission::AuditRead),
    needs("GET", "/api/v1/reports/failed-sign-ins", Permission::AuditRead),
    needs("GET", "/api/v1/lake", Permission::OperationsRead),
    needs("GET", "/api/v1/cluster", Permission::OperationsRead),
    needs("GET", "/api/v1/consumers", Permission::OperationsRead),
    needs("GET", "/api/v1/dead-letters", Permission::OperationsRead),
    needs("GET", "/api/v1/tokens", Permission::TokensRead),
    needs("POST", "/api/v1/tokens", Permission::OwnTokensWrite),
    needs("DELETE", "/api/v1/tokens/{id}", Permission::OwnTokensWrite),
    needs("POST", "/api/v1/tokens/{id}/rotate", Permission::OwnTokensWrite),
    needs("GET", "/api/v1/connections", Permission::ConnectionsRead),
    needs("POST", "/api/v1/connections", Permission::ConnectionsWrite),
    needs("GET", "/api/v1/connections/{id}", Permission::ConnectionsRead),
    needs("PUT", "/api/v1/connections/{id}", Permission::ConnectionsWrite),
    needs("DELETE", "/api/v1/connections/{id}", Permission::ConnectionsWrite),
    needs("POST", "/api/v1/connections/{id}/tokens", Permission::ConnectionsWrite),
    needs("GET", "/api/v1/connections/{id}/requests", Permission::ConnectionsRead),
    needs("POST", "/api/v1/connections/{id}/dry-run", Permission::ConnectionsRead),
    Route { method: "*", path: scim::PATTERN, access: Access::Scim },
];

/// The operation behind a method and a path pattern. What is not in the table is not served.
pub(crate) fn find(method: &str, pattern: &str) -> Option<&'static Route> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES.iter().find(|route| (route.method == method || route.method == "*") && route.path == pattern)
}

impl Route {
    /// Whether every node answers it, whatever it does.
    pub(crate) fn is_about_the_node(self) -> bool {
        matches!(self.path, "/healthz" | "/readyz" | "/metrics" | "/api/v1/cluster" | "/api/openapi.json")
    }
}

/// Registers every operation.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(only_get("/healthz", web::get().to(operations::healthz)))
        .service(only_get("/readyz", web::get().to(operations::readyz)))
        .service(only_get("/metrics", web::get().to(operations::metrics)))
        .service(only_get("/api/openapi.json", web::get().to(operations::openapi_document)))
        .service(only_post("/api/v1/setup", web::post().to(tokens::setup)))
        .service(only_get("/auth/{provider}/start", web::get().to(sign_in::browser::start)))
        .service(only_get("/auth/{provider}/callback", web::get().to(sign_in::browser::callback)))
        .service(only_get("/api/v1/sign-in/providers", web::get().to(sign_in::browser::providers)))
        .service(only_post("/api/v1/sign-in/exchange", web::post().to(sign_in::command_line::exchange)))
        .service(only_post("/api/v1/sign-in/device", web::post().to(sign_in::device::begin_device)))
        .service(only_post("/api/v1/sign-in/device/poll", web::post().to(sign_in::device::poll_device)))
        .service(only_post("/api/v1/sign-out", web::post().to(sign_in::session::sign_out)))
        .service(only_get("/api/v1/me", web::get().to(sign_in::me::me)))
        .service(only_post("/api/v1/events", web::post().to(ingest::post_events)))
        .service(only_get("/api/v1/audit/events", web::get().to(audit::events::search)))
        .service(only_get("/api/v1/audit/events/{id}", web::get().to(audit::events::show)))
        .service(only_get("/api/v1/audit/aggregate", web::get().to(audit::aggregate::aggregate)))
        .service(only_get("/api/v1/audit/tail", web::get().to(audit::tail::tail)))
        .service(only_post("/api/v1/audit/sql", web::post().to(audit::sql::sql)))
        .service(only_get("/api/v1/audit/export", web::get().to(audit::export::export)))
        .configure(identities)
        .configure(rules)
        .configure(reported)
        .configure(work)
        .configure(who_builds)
        .configure(states)
        .configure(what_workspaces_are_made_from)
        .configure(connecting)
        .service(only_get("/api/v1/sessions", web::get().to(resources::sessions)))
        .service(only_get("/api/v1/lake", web::get().to(resources::lake)))
        .service(only_get("/api/v1/cluster", web::get().to(operations::cluster)))
        .service(only_get("/api/v1/consumers", web::get().to(resources::consumers)))
        .service(only_get("/api/v1/dead-letters", web::get().to(resources::dead_letters)))
        .service(
            web::resource("/api/v1/tokens")
                .route(web::get().to(tokens::list))
                .route(web::post().to(tokens::create))
                .default_service(web::to(|| async { not_allowed("GET, POST") })),
        )
        .service(
            web::resource("/api/v1/tokens/{id}")
                .route(web::delete().to(tokens::revoke))
                .default_service(web::to(|| async { not_allowed("DELETE") })),
        )
        .service(only_post("/api/v1/tokens/{id}/rotate", web::post().to(tokens::rotate)))
        .service(
            web::resource("/api/v1/connections")
                .route(web::get().to(connections::list))
                .route(web::post().to(connections::create))
                .default_service(web::to(|| async { not_allowed("GET, POST") })),
        )
        .service(
            web::resource("/api/v1/connections/{id}")
                .route(web::get().to(connections::show))
                .route(web::put().to(connections::update))
                .route(web::delete().to(connections::delete))
                .default_service(web::to(|| async { not_allowed("GET, PUT, DELETE") })),
        )
        .service(only_post("/api/v1/connections/{id}/tokens", web::post().to(connections::create_token)))
        .service(only_get("/api/v1/connections/{id}/requests", web::get().to(connections::requests)))
        .service(only_post("/api/v1/connections/{id}/dry-run", web::post().to(connections::dry_run)))
        .service(web::resource(scim::PATTERN).to(scim::serve));
}

/// Organizations, and who is in them.
fn identities(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/api/v1/organizations")
                .route(web::get().to(organizations::list))
                .route(web::post().to(organizations::create))
                .default_service(web::to(|| async { not_allowed("GET, POST") })),
        )
        .service(
            web::resource("/api/v1/users")
                .route(web::get().to(resources::users))
                .route(web::post().to(users::create))
                .default_service(web::to(|| async { not_allowed("GET, POST") })),
        )
        .service(
            web::resource("/api/v1/organizations/{name}")
                .route(web::get().to(organizations::show))
                .route(web::patch().to(organizations::update))
                .default_service(web::to(|| async { not_allowed("GET, PATCH") })),
        )
        .service(
            web::resource("/api/v1/users/{id}")
                .route(web::get().to(users::show))
                .route(web::patch().to(users::update))
                .route(web::delete().to(users::delete))
                .default_service(web::to(|| async { not_allowed("GET, PATCH, DELETE") })),
        )
        .service(
            web::resource("/api/v1/groups")
                .route(web::get().to(resources::groups))
                .route(web::post().to(groups::create))
                .default_service(web::to(|| async { not_allowed("GET, POST") })),
        )
        .service(
            web::resource("/api/v1/groups/{id}")
                .route(web::get().to(groups::show))
                .route(web::patch().to(groups::update))
                .route(web::delete().to(groups::delete))
                .default_service(web::to(|| async { not_allowed("GET, PATCH, DELETE") })),
        )
        .service(only_get("/api/v1/groups/{id}/members", web::get().to(groups::members::list)))
        .service(
            web::resource("/api/v1/groups/{id}/members/{user}")
                .route(web::put().to(groups::members::join))
                .route(web::delete().to(groups::members::leave))
                .default_service(web::to(|| async { not_allowed("PUT, DELETE") })),
        )
        .service(
            web::resource("/api/v1/users/{id}/roles")
                .route(web::get().to(users::grants::list))
                .route(web::post().to(users::grants::assign))
                .route(web::delete().to(users::grants::revoke))
                .default_service(web::to(|| async { not_allowed("GET, POST, DELETE") })),
        )
        .service(only_post("/api/v1/users/{id}/suspend", web::post().to(users::suspend)))
        .service(only_post("/api/v1/users/{id}/reactivate", web::post().to(users::reactivate)));
}

/// Workspaces, their builds and what they may cost.
fn work(config: &mut ServiceConfig) {
    use crate::building::reports::json as reports;
    config
        .service(
            web::resource("/api/v1/workspaces")
                .route(web::get().to(workspaces::list))
                .route(web::post().to(workspaces::create))
                .default_service(web::to(|| async { not_allowed("GET, POST") })),
        )
        .service(
            web::resource("/api/v1/workspaces/{id}")
                .route(web::get().to(workspaces::show))
                .route(web::patch().to(workspaces::update))
                .route(web::delete().to(workspaces::delete))
                .default_service(web::to(|| async { not_allowed("GET, PATCH, DELETE") })),
        )
        .service(
            web::resource("/api/v1/workspaces/{id}/builds")
                .route(web::get().to(workspaces::builds::list))
                .route(web::post().to(workspaces::builds::create))
                .default_service(web::to(|| async { not_allowed("GET, POST") })),
        )
        .service(only_get("/api/v1/workspaces/{id}/builds/{number}", web::get().to(workspaces::builds::show)))
        .service(only_post(
            "/api/v1/workspaces/{id}/builds/{number}/cancel",
            web::post().to(workspaces::builds::cancel),
        ))
        .service(only_post("/api/v1/workspaces/{id}/transfer", web::post().to(workspaces::transfer)))
        .service(only_put("/api/v1/workspaces/{id}/schedule", web::put().to(workspaces::schedule)))
        .service(only_post("/api/v1/workspaces/{id}/activity", web::post().to(workspaces::activity)))
        .service(only_post("/api/v1/jobs/acquire", web::post().to(jobs::acquire)))
        .service(only_get("/api/v1/jobs/{id}", web::get().to(jobs::show)))
        .service(only_post("/api/v1/jobs/{id}/planned", web::post().to(jobs::planned)).app_data(reports()))
        .service(only_post("/api/v1/jobs/{id}/applying", web::post().to(jobs::applying)))
        .service(only_post("/api/v1/jobs/{id}/finished", web::post().to(jobs::finished)).app_data(reports()))
        .service(only_post("/api/v1/quota/check", web::post().to(quotas::check)))
        .service(only_get("/api/v1/organizations/{name}/members/{user}/quota", web::get().to(quotas::show)))
        .service(
            web::resource("/api/v1/organizations/{name}/quota-caps")
                .route(web::get().to(quotas::bounds::caps))
                .route(web::put().to(quotas::bounds::set_cap))
                .default_service(web::to(|| async { not_allowed("GET, PUT") })),
        )
        .service(
            web::resource("/api/v1/organizations/{name}/quota-budgets")
                .route(web::get().to(quotas::bounds::budgets))
                .route(web::put().to(quotas::bounds::set_budget))
                .default_service(web::to(|| async { not_allowed("GET, PUT") })),
        )
        .service(
            web::resource("/api/v1/organizations/{name}/quota-settings")
                .route(web::get().to(quotas::bounds::settings))
                .route(web::put().to(quotas::bounds::set_settings))
                .default_service(web::to(|| async { not_allowed("GET, PUT") })),
        );
}

/// Runners, and their keys.
fn who_builds(config: &mut ServiceConfig) {
    config
        .service(only_post("/api/v1/runners/register", web::post().to(runners::register::register)))
        .service(only_get("/api/v1/runners", web::get().to(runners::list)))
        .service(
            web::resource("/api/v1/runners/{id}")
                .route(web::get().to(runners::show))
                .route(web::delete().to(runners::revoke))
                .default_service(web::to(|| async { not_allowed("GET, DELETE") })),
        )
        .service(only_post("/api/v1/runners/{id}/rotate", web::post().to(runners::rotate)))
        .service(
            web::resource("/api/v1/runner-keys")
                .route(web::get().to(runners::keys::list))
                .route(web::post().to(runners::keys::create))
                .default_service(web::to(|| async { not_allowed("GET, POST") })),
        )
        .service(
            web::resource("/api/v1/runner-keys/{id}")
                .route(web::get().to(runners::keys::show))
                .route(web::delete().to(runners::keys::revoke))
                .default_service(web::to(|| async { not_allowed("GET, DELETE") })),
        )
        .service(only_post("/api/v1/runner-keys/{id}/rotate", web::post().to(runners::keys::rotate)));
}

/// Logs of builds, and Terraform states of workspaces. `LOCK` and `UNLOCK` are how Terraform's HTTP backend locks.
fn states(config: &mut ServiceConfig) {
    use crate::building::{follow, logs, reports, state, versions};
    let other = |name: &[u8]| Method::from_bytes(name).map_or_else(|_| web::route(), web::method);
    config
        .service(
            web::resource("/api/v1/workspaces/{id}/state")
                .route(web::get().to(state::read))
                .route(web::post().to(state::write))
                .route(web::delete().to(state::delete))
                .route(other(b"LOCK").to(state::lock))
                .route(other(b"UNLOCK").to(state::unlock))
                .default_service(web::to(|| async { not_allowed("GET, POST, DELETE, LOCK, UNLOCK") })),
        )
        .service(only_post("/api/v1/jobs/{id}/log", web::post().to(logs::take)).app_data(reports::json()))
        .service(only_get("/api/v1/workspaces/{id}/builds/{number}/logs", web::get().to(follow::logs)))
        .service(only_get("/api/v1/workspaces/{id}/state/versions", web::get().to(versions::list)))
        .service(only_get("/api/v1/workspaces/{id}/state/versions/{version}", web::get().to(versions::show)))
        .service(only_post(
            "/api/v1/workspaces/{id}/state/versions/{version}/restore",
            web::post().to(versions::restore),
        ))
        .service(only_post("/api/v1/workspaces/{id}/state/unlock", web::post().to(versions::unlock)));
}

/// Sessions, and what they need.
fn connecting(config: &mut ServiceConfig) {
    use sessions::{agents, authorize, keys, ssh, watch};
    config
        .service(only_get("/api/v1/sessions/keys", web::get().to(keys::key_set)))
        .service(only_post("/api/v1/sessions/keys/rotate", web::post().to(keys::rotate)))
        .service(only_get("/api/v1/sessions/{id}", web::get().to(sessions::show)))
        .service(only_post("/api/v1/sessions/{id}/open", web::post().to(agents::open)))
        .service(only_post("/api/v1/sessions/{id}/heartbeat", web::post().to(agents::heartbeat)))
        .service(only_post("/api/v1/sessions/{id}/close", web::post().to(agents::close)))
        .service(only_post("/api/v1/workspaces/{id}/sessions", web::post().to(authorize::authorize)))
        .service(only_get("/api/v1/workspaces/{id}/sessions/watch", web::get().to(watch::watch)))
        .service(only_get("/api/v1/ssh/authority", web::get().to(ssh::authority)))
        .service(only_get("/api/v1/ssh/revocations", web::get().to(ssh::revocations)))
        .service(only_post("/api/v1/ssh/host-certificates", web::post().to(ssh::certify_host)))
        .service(
            web::resource("/api/v1/browser-only")
                .route(web::get().to(browser_only::show))
                .route(web::put().to(browser_only::set))
                .default_service(web::to(|| async { not_allowed("GET, PUT") })),
        );
}

/// Templates.
fn what_workspaces_are_made_from(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/api/v1/templates")
                .route(web::get().to(templates::list::list))
                .route(web::post().to(templates::lifecycle::create))
                .default_service(web::to(|| async { not_allowed("GET, POST") })),
        )
        .service(
            web::resource("/api/v1/templates/{id}")
                .route(web::get().to(templates::list::show))
                .route(web::patch().to(templates::lifecycle::update))
                .route(web::delete().to(templates::lifecycle::delete))
                .default_service(web::to(|| async { not_allowed("GET, PATCH, DELETE") })),
        )
        .service(only_post("/api/v1/templates/{id}/deprecate", web::post().to(templates::lifecycle::deprecate)))
        .service(only_post("/api/v1/templates/{id}/undeprecate", web::post().to(templates::lifecycle::undeprecate)))
        .service(
            web::resource("/api/v1/templates/{id}/promotion")
                .route(web::delete().to(templates::promotion::withdraw))
                .default_service(web::to(|| async { not_allowed("DELETE") })),
        )
        .service(
            web::resource("/api/v1/templates/{id}/access")
                .route(web::get().to(templates::access::list))
                .route(web::put().to(templates::access::grant))
                .route(web::delete().to(templates::access::revoke))
                .default_service(web::to(|| async { not_allowed("GET, PUT, DELETE") })),
        )
        .service(
            web::resource("/api/v1/templates/{id}/versions")
                .route(web::get().to(templates::versions::list))
                .route(web::post().to(templates::versions::push))
                .default_service(web::to(|| async { not_allowed("GET, POST") })),
        )
        .service(only_get("/api/v1/templates/{id}/versions/{version}", web::get().to(templates::versions::show)))
        .service(only_get("/api/v1/templates/{id}/versions/{version}/files", web::get().to(templates::download::files)))
        .service(only_post(
            "/api/v1/templates/{id}/versions/{version}/promote",
            web::post().to(templates::promotion::promote),
        ))
        .service(only_post(
            "/api/v1/templates/{id}/versions/{version}/archive",
            web::post().to(templates::promotion::archive),
        ))
        .service(only_post(
            "/api/v1/templates/{id}/versions/{version}/unarchive",
            web::post().to(templates::promotion::unarchive),
        ));
}

/// Roles and policies.
fn rules(config: &mut ServiceConfig) {
    config
        .service(only_get("/api/v1/roles", web::get().to(roles::list)))
        .service(
            web::resource("/api/v1/roles/{name}")
                .route(web::put().to(roles::define))
                .route(web::delete().to(roles::withdraw))
                .default_service(web::to(|| async { not_allowed("PUT, DELETE") })),
        )
        .service(only_get("/api/v1/policies", web::get().to(policies::list)))
        .service(
            web::resource("/api/v1/policies/{id}")
                .route(web::get().to(policies::show))
                .route(web::put().to(policies::publish))
                .route(web::delete().to(policies::withdraw))
                .default_service(web::to(|| async { not_allowed("GET, PUT, DELETE") })),
        )
        .service(only_post("/api/v1/policy/simulate", web::post().to(simulate::simulate)));
}

/// Reports.
fn reported(config: &mut ServiceConfig) {
    config
        .service(only_get("/api/v1/reports", web::get().to(reports::list::list)))
        .service(only_get("/api/v1/reports/quota-usage", web::get().to(reports::usage::quota_usage)))
        .service(only_get("/api/v1/reports/access-review", web::get().to(reports::access::access_review)))
        .service(only_get("/api/v1/reports/orphaned-workspaces", web::get().to(reports::orphans::orphaned_workspaces)))
        .service(only_get("/api/v1/reports/dormant-users", web::get().to(reports::dormant::dormant_users)))
        .service(only_get("/api/v1/reports/privileged-actions", web::get().to(reports::activity::privileged_actions)))
        .service(only_get("/api/v1/reports/failed-sign-ins", web::get().to(reports::sign_ins::failed_sign_ins)));
}

fn only_get(path: &str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path).route(route).default_service(web::to(|| async { not_allowed("GET") }))
}

fn only_post(path: &str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path).route(route).default_service(web::to(|| async { not_allowed("POST") }))
}

fn only_put(path: &str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path).route(route).default_service(web::to(|| async { not_allowed("PUT") }))
}

fn not_allowed(allowed: &'static str) -> Result<&'static str, ApiError> {
    Err(ApiError::MethodNotAllowed(allowed))
}
