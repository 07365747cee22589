//! The route table: the one place that says what there is, and what it takes to use it.

use actix_web::web::{self, ServiceConfig};
use chancery_domain::tokens::Scope;

use crate::error::ApiError;
use crate::{audit, ingest, operations, resources, tokens};

/// What it takes to use an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Public,
    /// A token with this scope.
    Token(Scope),
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

const fn token(method: &'static str, path: &'static str, scope: Scope) -> Route {
    Route { method, path, access: Access::Token(scope) }
}

/// Every operation of the API.
pub(crate) const ROUTES: [Route; 24] = [
    public("GET", "/healthz"),
    public("GET", "/readyz"),
    public("GET", "/api/openapi.json"),
    public("POST", "/api/v1/setup"),
    token("GET", "/metrics", Scope::Read),
    token("POST", "/api/v1/events", Scope::Ingest),
    token("GET", "/api/v1/audit/events", Scope::Read),
    token("GET", "/api/v1/audit/events/{id}", Scope::Read),
    token("GET", "/api/v1/audit/aggregate", Scope::Read),
    token("GET", "/api/v1/audit/tail", Scope::Read),
    token("POST", "/api/v1/audit/sql", Scope::Read),
    token("GET", "/api/v1/audit/export", Scope::Read),
    token("GET", "/api/v1/users", Scope::Read),
    token("GET", "/api/v1/groups", Scope::Read),
    token("GET", "/api/v1/templates", Scope::Read),
    token("GET", "/api/v1/workspaces", Scope::Read),
    token("GET", "/api/v1/sessions", Scope::Read),
    token("GET", "/api/v1/lake", Scope::Read),
    token("GET", "/api/v1/cluster", Scope::Admin),
    token("GET", "/api/v1/consumers", Scope::Admin),
    token("GET", "/api/v1/dead-letters", Scope::Admin),
    token("GET", "/api/v1/tokens", Scope::Admin),
    token("POST", "/api/v1/tokens", Scope::Admin),
    token("DELETE", "/api/v1/tokens/{id}", Scope::Admin),
];

/// The operation behind a method and a path pattern. What is not in the table is not served.
pub(crate) fn find(method: &str, pattern: &str) -> Option<&'static Route> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES.iter().find(|route| route.method == method && route.path == pattern)
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
        .service(only_post("/api/v1/events", web::post().to(ingest::post_events)))
        .service(only_get("/api/v1/audit/events", web::get().to(audit::events::search)))
        .service(only_get("/api/v1/audit/events/{id}", web::get().to(audit::events::show)))
        .service(only_get("/api/v1/audit/aggregate", web::get().to(audit::aggregate::aggregate)))
        .service(only_get("/api/v1/audit/tail", web::get().to(audit::tail::tail)))
        .service(only_post("/api/v1/audit/sql", web::post().to(audit::sql::sql)))
        .service(only_get("/api/v1/audit/export", web::get().to(audit::export::export)))
        .service(only_get("/api/v1/users", web::get().to(resources::users)))
        .service(only_get("/api/v1/groups", web::get().to(resources::groups)))
        .service(only_get("/api/v1/templates", web::get().to(resources::templates)))
        .service(only_get("/api/v1/workspaces", web::get().to(resources::workspaces)))
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
        );
}

fn only_get(path: &str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path).route(route).default_service(web::to(|| async { not_allowed("GET") }))
}

fn only_post(path: &str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path).route(route).default_service(web::to(|| async { not_allowed("POST") }))
}

fn not_allowed(allowed: &'static str) -> Result<&'static str, ApiError> {
    Err(ApiError::MethodNotAllowed(allowed))
}
