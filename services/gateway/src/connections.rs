//! Connections of identity providers: their settings, their tokens, what they asked in vain, and what they would change.

use actix_web::{HttpResponse, web};
use chancery_domain::connections::{CreateConnection, UpdateConnection};
use chancery_domain::decision::Refusal;
use chancery_domain::directory::ConnectionRecord;
use chancery_domain::events::directory::Connection;
use chancery_domain::events::tokens::{OwnerKind, TokenKind, TokenOwner};
use chancery_domain::tokens::Scope;
use chancery_domain::{Event, Timestamp};
use chancery_filter::{Context, Filter};
use chancery_lake::{SearchRequest, Visibility};
use chancery_scim::{Mapping, Mappings, ProfileSettings};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::scim::DryRun;
use crate::tokens::{self, Order};

/// What can be set of a connection.
const SETTINGS: [&str; 10] = [
    "adopt_unmanaged",
    "deletion",
    "dry_run",
    "group_mappings",
    "mappings",
    "members_by_hand",
    "name",
    "organizations",
    "profile",
    "suspension",
];

/// A connection as it is shown.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(flatten)]
    settings: Connection,
}

impl View {
    fn of(record: ConnectionRecord) -> Self {
        Self {
            id: record.id,
            version: record.version,
            created_at: record.created_at,
            updated_at: record.updated_at,
            settings: record.settings,
        }
    }
}

/// Every connection.
#[utoipa::path(get, path = "/api/v1/connections", tag = "connections", responses((status = 200), (status = 401), (status = 403)))]
pub(crate) async fn list(gateway: web::Data<Gateway>, caller: web::ReqData<Caller>) -> Result<HttpResponse, ApiError> {
    let connections = gateway.state.connections().await?.into_iter();
    let seen = connections.filter(|connection| caller.sees_all(&connection.settings.organizations));
    Ok(HttpResponse::Ok().json(json!({ "items": seen.map(View::of).collect::<Vec<_>>() })))
}

/// One connection.
#[utoipa::path(get, path = "/api/v1/connections/{id}", tag = "connections", params(("id" = String, Path, description = "Connection id")),
    responses((status = 200), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn show(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(View::of(find(&gateway, &caller, &id).await?)))
}

/// Connects an identity provider.
#[utoipa::path(post, path = "/api/v1/connections", tag = "connections", request_body(content = String, content_type = "application/json"),
    responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 409)))]
pub(crate) async fn create(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    settings: web::Json<Value>,
) -> Result<HttpResponse, ApiError> {
    let settings = checked(&gateway, &caller, settings.into_inner())?;
    let id = uuid::Uuid::now_v7().to_string();
    let keys = ["connections".to_owned(), key(&id)];
    gateway
        .decisions
        .decide(&keys, async || {
            let all = gateway.state.connections().await?;
            let command = CreateConnection { id: id.clone(), settings: settings.clone() };
            Ok::<_, ApiError>((command.decide(&all, gateway.context(&caller))?, ()))
        })
        .await?;
    Ok(HttpResponse::Created().json(View::of(find(&gateway, &caller, &id).await?)))
}

/// Changes the settings of a connection: all of them, as they are given.
#[utoipa::path(put, path = "/api/v1/connections/{id}", tag = "connections", params(("id" = String, Path, description = "Connection id")),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn update(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    settings: web::Json<Value>,
) -> Result<HttpResponse, ApiError> {
    let settings = checked(&gateway, &caller, settings.into_inner())?;
    let (remapped, follows) = gateway
        .decisions
        .decide(&["connections".to_owned(), key(&id)], async || {
            let record = find(&gateway, &caller, &id).await?;
            let all = gateway.state.connections().await?;
            let remapped = record.settings.group_mappings != settings.group_mappings;
            let follows = record.settings.mappings != settings.mappings;
            let command = UpdateConnection { settings: settings.clone() };
            Ok::<_, ApiError>((command.decide(&record, &all, gateway.context(&caller))?, (remapped, follows)))
        })
        .await?;
    if follows {
        let followed = crate::scim::follow_all(gateway.clone().into_inner(), Caller::clone(&caller), &id).await;
        followed.map_err(|failure| ApiError::bad_request(failure.error().detail))?;
    }
    if remapped {
        remap(&gateway, &caller, &id).await?;
    }
    Ok(HttpResponse::Ok().json(View::of(find(&gateway, &caller, &id).await?)))
}

/// Disconnects an identity provider. Its tokens stop working; what it made stays.
#[utoipa::path(delete, path = "/api/v1/connections/{id}", tag = "connections", params(("id" = String, Path, description = "Connection id")),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn delete(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    gateway
        .decisions
        .decide(&["connections".to_owned(), key(&id)], async || {
            let record = find(&gateway, &caller, &id).await?;
            let tokens = gateway.state.tokens_of(OwnerKind::Connection, &id).await?;
            Ok::<_, ApiError>((record.delete(&tokens, gateway.context(&caller))?, ()))
        })
        .await?;
    gateway.decisions.disbelieved().await;
    Ok(HttpResponse::NoContent().finish())
}

/// A token to be made for a connection.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// What it is for.
    name: String,
    /// When it stops working, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Makes a token for the identity provider and shows it, once. Several may work at a time.
#[utoipa::path(post, path = "/api/v1/connections/{id}/tokens", tag = "connections", params(("id" = String, Path, description = "Connection id")),
    request_body = TokenRequest, responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn create_token(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    request: web::Json<TokenRequest>,
) -> Result<HttpResponse, ApiError> {
    let record = find(&gateway, &caller, &id).await?;
    let TokenRequest { name, expires_at } = request.into_inner();
    let order = Order {
        name,
        scopes: [Scope::Scim].into(),
        expires_at,
        kind: TokenKind::Scim,
        owner: Some(TokenOwner { kind: OwnerKind::Connection, id: record.id, name: Some(record.settings.name) }),
    };
    tokens::make(&gateway, &caller, order).await
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct RequestPage {
    /// Most rows, 1 to 1000; 100 without.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Requests of the connection that were refused or changed nothing, newest first, with the reason each was told.
#[utoipa::path(get, path = "/api/v1/connections/{id}/requests", tag = "connections", params(("id" = String, Path, description = "Connection id"), RequestPage),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn requests(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    page: web::Query<RequestPage>,
) -> Result<HttpResponse, ApiError> {
    let record = find(&gateway, &caller, &id).await?;
    let wanted = format!(
        "(event:directory.request.* OR event:directory.conflict.*) actor.id:\"{}\"",
        record.id.replace(['"', '\\'], "")
    );
    let filter =
        Filter::parse(&wanted, &Context::new(gateway.now())).map_err(|error| ApiError::filter(&wanted, &error))?;
    let limit = page.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(ApiError::bad_request("`limit` must be 1 to 1000"));
    }
    let request = SearchRequest {
        filter: Some(filter),
        ascending: false,
        after: page.cursor.as_deref().map(str::parse).transpose()?,
        limit,
        total: false,
    };
    // They are the connection's own, whose record the caller may read.
    let found = gateway.lake.search(&Visibility::All, request).await?;
    let items: Vec<Value> = found
        .hits
        .iter()
        .filter_map(|hit| serde_json::from_str::<Event>(&hit.event).ok())
        .map(|event| shown(&event))
        .collect();
    let next = found.next.map(|cursor| cursor.to_string());
    Ok(HttpResponse::Ok().json(json!({ "items": items, "next": next })))
}

fn shown(event: &Event) -> Value {
    let mut item = event.data.clone();
    if let Some(members) = item.as_object_mut() {
        members.insert("type".to_owned(), event.event_type.clone().into());
        members.insert("event_id".to_owned(), event.id.clone().into());
        members.insert("occurred_at".to_owned(), event.occurred_at.to_string().into());
        members.insert("resource".to_owned(), json!(event.resource));
        members.insert("request_id".to_owned(), json!(event.correlation));
        members.insert("ip".to_owned(), json!(event.actor.ip));
    }
    item
}

/// Tells what a push would change; nothing is changed.
#[utoipa::path(post, path = "/api/v1/connections/{id}/dry-run", tag = "connections", params(("id" = String, Path, description = "Connection id")),
    request_body = DryRun, responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 413)))]
pub(crate) async fn dry_run(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    id: web::Path<String>,
    run: web::Json<DryRun>,
) -> Result<HttpResponse, ApiError> {
    let record = find(&gateway, &caller, &id).await?;
    let report = crate::scim::dry_run(gateway.into_inner(), caller.into_inner(), record, run.into_inner()).await?;
    Ok(HttpResponse::Ok().json(report))
}

async fn find(gateway: &Gateway, caller: &Caller, id: &str) -> Result<ConnectionRecord, ApiError> {
    let found = gateway.state.connection(id).await?.filter(|connection| !connection.deleted);
    let seen = found.filter(|connection| caller.sees_all(&connection.settings.organizations));
    seen.ok_or_else(|| ApiError::NotFound("there is no such connection".to_owned()))
}

/// Settings that can work: the profile and the mappings are read, and organizations are those of the caller.
fn checked(gateway: &Gateway, caller: &Caller, settings: Value) -> Result<Connection, ApiError> {
    let members = settings.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    if let Some(unknown) = members.iter().find(|name| !SETTINGS.contains(&name.as_str())) {
        return Err(ApiError::bad_request(format!("`{unknown}` is no setting; there are {}", SETTINGS.join(", "))));
    }
    let settings: Connection =
        serde_json::from_value(settings).map_err(|error| ApiError::bad_request(error.to_string()))?;
    if !caller.sees_all(&settings.organizations) {
        return Err(ApiError::Forbidden("a connection touches organizations that are not yours".to_owned()));
    }
    if !settings.profile.is_null() {
        let profile = ProfileSettings::deserialize(&settings.profile);
        profile.map_err(|error| ApiError::bad_request(format!("`profile`: {error}")))?;
    }
    if !settings.mappings.is_null() {
        let mappings = Vec::<Mapping>::deserialize(&settings.mappings);
        let mappings = mappings.map_err(|error| ApiError::bad_request(format!("`mappings`: {error}")))?;
        let users = gateway.scim.resource_type("User");
        let checked = users.map(|users| Mappings::new(&mappings, users)).transpose();
        checked.map_err(|error| ApiError::bad_request(format!("`mappings`: {error}")))?;
    }
    Ok(settings)
}

/// Gives and takes the roles that changed group mappings mean for the members of the groups, user by user.
async fn remap(gateway: &Gateway, caller: &Caller, id: &str) -> Result<(), ApiError> {
    let mut after: Option<String> = None;
    loop {
        let page = gateway.state.users_of(id, after.as_deref(), 0, 500).await?;
        let (last, next) = (page.len() < 500, page.last().map(|user| user.id.clone()));
        for user in page {
            let keys = [key(id), format!("user/{}", user.id)];
            gateway
                .decisions
                .decide(&keys, async || {
                    let record = gateway.state.connection(id).await?;
                    let record = record.ok_or(Refusal::Unknown("connection"))?;
                    let mapped = gateway.state.mapped_users(id, std::slice::from_ref(&user.id)).await?;
                    let mut events = Vec::new();
                    for user in &mapped {
                        let mappings = &record.settings.group_mappings;
                        events.extend(chancery_domain::roles::remap(user, mappings, gateway.context(caller)));
                    }
                    Ok::<_, ApiError>((events, ()))
                })
                .await?;
        }
        if last {
            return Ok(());
        }
        after = next;
    }
}

fn key(id: &str) -> String {
    format!("connection/{id}")
}
