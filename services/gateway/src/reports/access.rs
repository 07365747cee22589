//! `GET /api/v1/reports/access-review`: who may use what, and how they got it, as of any past position or time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chancery_domain::{Event, OWN_SOURCE};
use chancery_log::{Position, place};
use chancery_policy::{Context, Permission, PolicySet, Principal, Request, Resource};
use chancery_reports::{Cell, Column, Document};

use super::asked::{Asked, ReportQuery, reading};
use super::review::{Given, Group, Origin, TYPES};
use super::{answer, aside};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;
use crate::simulate::{World, past_world, read};

/// Most events that are folded.
const MOST_EVENTS: usize = 500_000;
/// Most questions that published policies are asked.
const MOST_QUESTIONS: usize = 400_000;

/// Who may use what, and how they got it: roles, by hand or by a group; what custom roles mean; groups; grants of
/// templates, to users and to groups; published policies.
#[utoipa::path(get, path = "/api/v1/reports/access-review", tag = "reports", params(ReportQuery),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 422)))]
pub(crate) async fn access_review(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    query: web::Query<ReportQuery>,
) -> Result<HttpResponse, ApiError> {
    let gateway: Arc<Gateway> = gateway.into_inner();
    let permission = match query.permission.as_deref() {
        None => None,
        Some(name) => Some(
            Permission::parse(name).ok_or_else(|| ApiError::bad_request(format!("there is no permission `{name}`")))?,
        ),
    };
    let asked = Asked::read(&gateway, &caller, &query).await?;
    let reading = reading(&gateway, &caller, "access-review", &query, &asked);
    let world = past_world(&gateway, &asked.known).await?;
    let given = given(&gateway, &asked).await?;
    let mut organizations: Vec<String> = caller
        .rules
        .iter()
        .flat_map(|rules| &rules.organizations)
        .filter(|name| asked.shows(Some(name)))
        .cloned()
        .collect();
    organizations.sort();
    let (format, user) = (asked.format, query.user.clone());
    let document = aside(move || {
        let review = Review::new(&world, &given, &asked, user.as_deref(), permission)?;
        review.document(&organizations)
    })
    .await??;
    reading.record(document.rows.len() as u64).await?;
    answer(document, format, "access-review").await
}

/// What was given, up to what is known.
async fn given(gateway: &Gateway, asked: &Asked) -> Result<Given, ApiError> {
    let known = asked.known.clone();
    let end = if known.partitions() == 1 { format!(" position:<={}", place(known.of(0))) } else { String::new() };
    let filter = format!("source:\"{OWN_SOURCE}\" type:({TYPES}){end}");
    let mut found: Vec<(Position, String)> = Vec::new();
    read(gateway, &filter, true, |position, event| {
        if known.includes(position) {
            if found.len() == MOST_EVENTS {
                let detail = format!("more than {MOST_EVENTS} events lead up to this position: too many to fold");
                return Err(ApiError::Unprocessable(detail));
            }
            found.push((position, event.to_owned()));
        }
        Ok(true)
    })
    .await?;
    aside(move || {
        found.sort_unstable_by_key(|(position, _)| *position);
        let mut given = Given::default();
        for event in found.iter().filter_map(|(_, event)| serde_json::from_str::<Event>(event).ok()) {
            given.apply(&event);
        }
        given
    })
    .await
}

/// The review in the making.
struct Review<'a> {
    world: &'a World,
    given: &'a Given,
    asked: &'a Asked,
    policies: PolicySet,
    names: BTreeMap<&'a str, &'a str>,
    user: Option<&'a str>,
    permission: Option<Permission>,
    rows: Vec<Vec<Cell>>,
}

/// One way in.
struct Way<'a> {
    organization: Option<&'a str>,
    user: &'a str,
    kind: &'static str,
    access: String,
    permissions: String,
    via: String,
    origin: Option<&'a Origin>,
}

impl<'a> Review<'a> {
    fn new(
        world: &'a World,
        given: &'a Given,
        asked: &'a Asked,
        user: Option<&'a str>,
        permission: Option<Permission>,
    ) -> Result<Self, ApiError> {
        let policies = PolicySet::new(&world.published, &world.custom)?;
        let names = world.principals.iter().filter_map(|(principal, name)| match principal {
            Principal::User(user) => Some((user.id.as_str(), name.as_deref()?)),
            _ => None,
        });
        let names = names.filter(|(id, _)| user.is_none_or(|user| user == *id)).collect();
        Ok(Self { world, given, asked, policies, names, user, permission, rows: Vec::new() })
    }

    fn document(mut self, organizations: &[String]) -> Result<Document, ApiError> {
        self.roles();
        self.groups();
        self.templates();
        self.published(organizations)?;
        let mut parameters = Vec::new();
        parameters.extend(self.user.map(|user| ("user", user.to_owned())));
        parameters.extend(self.permission.map(|permission| ("permission", permission.as_str().to_owned())));
        Ok(Document {
            name: "access-review",
            position: self.asked.known.to_string(),
            as_of: self.asked.as_of,
            parameters,
            notes: vec![
                "Active users. A row is one way to some access: a role (built-in or custom, with the permissions it gives), a \
                 group, a grant of a template, or a published policy that permits something. Somebody may have several ways; \
                 organization is empty for the whole deployment."
                    .to_owned(),
            ],
            columns: vec![
                Column::text("organization"),
                Column::text("user_id"),
                Column::text("user_name"),
                Column::text("kind"),
                Column::text("access"),
                Column::text("permissions"),
                Column::text("via"),
                Column::time("granted_at"),
                Column::text("granted_by"),
                Column::text("event_id"),
            ],
            rows: self.rows,
            totals: None,
        })
    }

    /// Adds a way of an active user, if it is shown and asked for.
    fn add(&mut self, way: Way<'_>) {
        let Some(name) = self.names.get(way.user) else { return };
        let gives = |permission: Permission| way.permissions.split(' ').any(|it| it == permission.as_str());
        if !self.asked.shows(way.organization) || !self.permission.is_none_or(gives) {
            return;
        }
        self.rows.push(vec![
            Cell::text(way.organization),
            Cell::Text(way.user.to_owned()),
            Cell::Text((*name).to_owned()),
            Cell::Text(way.kind.to_owned()),
            Cell::Text(way.access),
            Cell::text(Some(way.permissions).filter(|permissions| !permissions.is_empty())),
            Cell::Text(way.via),
            Cell::time(way.origin.map(|origin| origin.at)),
            Cell::text(way.origin.map(|origin| origin.by.as_str())),
            Cell::text(way.origin.map(|origin| origin.event.as_str())),
        ]);
    }

    fn roles(&mut self) {
        let given = self.given;
        let mut meanings: HashMap<(&str, Option<&str>), String> = HashMap::new();
        for (user, roles) in &given.roles {
            for (role, (by_group, origin)) in roles {
                let organization = role.organization.as_deref();
                let permissions = meanings.entry((&role.role, organization)).or_insert_with(|| {
                    let permissions = self.policies.permissions_of(&role.role, organization).unwrap_or_default();
                    permissions.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(" ")
                });
                let is_custom = self.world.custom.iter().any(|custom| custom.name == role.role);
                let via = match (by_group, given.brought(origin)) {
                    (true, Some(group)) => format!("group {}", group.name),
                    (true, None) => "group".to_owned(),
                    (false, _) => "direct".to_owned(),
                };
                let permissions = permissions.clone();
                self.add(Way {
                    organization,
                    user,
                    kind: if is_custom { "custom role" } else { "role" },
                    access: role.role.clone(),
                    permissions,
                    via,
                    origin: Some(origin),
                });
            }
        }
    }

    fn groups(&mut self) {
        let given = self.given;
        for (id, group) in given.groups.iter().filter(|(_, group)| !group.everyone) {
            for (user, (origin, inside)) in given.members(id) {
                self.add(Way {
                    organization: group.organization.as_deref(),
                    user,
                    kind: "group",
                    access: group.name.clone(),
                    permissions: String::new(),
                    via: through(given, id, inside),
                    origin: Some(origin),
                });
            }
        }
    }

    fn templates(&mut self) {
        let given = self.given;
        for template in given.templates.values() {
            for ((kind, subject, permission), origin) in &template.access {
                let organization = template.organization.as_deref();
                let way = |user: &'a str, via: String| Way {
                    organization,
                    user,
                    kind: "template",
                    access: format!("{}:{permission}", template.name),
                    permissions: if permission == "use" { "templates:use" } else { "templates:use templates:write" }
                        .to_owned(),
                    via,
                    origin: Some(origin),
                };
                let group = given.groups.get(subject);
                if kind == "user" {
                    self.add(way(subject, "grant".to_owned()));
                } else if group.is_some_and(|group| group.everyone) || subject == "everyone" {
                    let everyone: Vec<&str> = self.names.keys().copied().collect();
                    let at_home = everyone.into_iter().filter(|user| {
                        organization.is_none() || given.homes.get(*user).map(String::as_str) == organization
                    });
                    for user in at_home.collect::<Vec<_>>() {
                        self.add(way(user, "grant to everyone".to_owned()));
                    }
                } else {
                    let name = group.map_or(subject.as_str(), |group| group.name.as_str());
                    for user in given.members(subject).into_keys() {
                        self.add(way(user, format!("grant to group {name}")));
                    }
                }
            }
        }
    }

    /// What published policies permit, in the deployment and in each organization.
    fn published(&mut self, organizations: &[String]) -> Result<(), ApiError> {
        let (world, permission) = (self.world, self.permission);
        if world.published.is_empty() {
            return Ok(());
        }
        let mut places: Vec<Option<&str>> = organizations.iter().map(|name| Some(name.as_str())).collect();
        if self.asked.shows(None) {
            places.insert(0, None);
        }
        let asked: Vec<Permission> = Permission::ALL
            .iter()
            .copied()
            .filter(|it| permission.is_none_or(|permission| permission == *it))
            .collect();
        let users: Vec<&Principal> = world.principals.iter().map(|(principal, _)| principal).collect();
        let users: Vec<&Principal> = users.into_iter().filter(|user| self.names.contains_key(user.id())).collect();
        if users.len() * asked.len() * places.len() > MOST_QUESTIONS {
            let detail = "too many users, permissions and organizations to ask the policies about: name a `user`, a \
                          `permission` or an `organization`";
            return Err(ApiError::Unprocessable(detail.to_owned()));
        }
        let context = Context::default();
        let mut found: BTreeMap<(Option<&str>, &str, String), Vec<&str>> = BTreeMap::new();
        for organization in places {
            let resource = organization.map_or(Resource::Deployment, Resource::organization);
            for principal in &users {
                for permission in &asked {
                    let request =
                        Request { principal, permission: *permission, resource: &resource, context: &context };
                    let decision = self.policies.evaluate(&request);
                    for policy in decision.policies.iter().filter(|_| decision.allowed) {
                        if world.published.iter().any(|published| *published.id == *policy.id) {
                            let policy = format!("{} version {}", policy.id, policy.version);
                            let key = (organization, principal.id(), policy);
                            found.entry(key).or_default().push(permission.as_str());
                        }
                    }
                }
            }
        }
        for ((organization, user, policy), permissions) in found {
            let permissions = permissions.join(" ");
            self.add(Way {
                organization,
                user,
                kind: "policy",
                access: policy,
                permissions,
                via: "policy".to_owned(),
                origin: None,
            });
        }
        Ok(())
    }
}

/// How somebody is in a group.
fn through(given: &Given, group: &str, inside: &str) -> String {
    if group == inside {
        return "direct".to_owned();
    }
    let name = |group: &Group| group.name.clone();
    format!("group {}", given.groups.get(inside).map_or_else(|| inside.to_owned(), name))
}
