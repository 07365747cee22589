//! Who one is, and what one may do where.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpResponse, web};
use chancery_domain::directory::{HeldRole, Membership};
use chancery_policy::{Permission, Principal, Reach};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Who asks: user, roles, groups, and permissions in the deployment and in each organization.
#[utoipa::path(get, path = "/api/v1/me", tag = "sign-in", responses((status = 200), (status = 401), (status = 403)))]
pub(crate) async fn me(gateway: web::Data<Gateway>, caller: web::ReqData<Caller>) -> Result<HttpResponse, ApiError> {
    let (mut user, mut roles, mut groups) = (Value::Null, Vec::new(), Vec::new());
    if let Some(id) = caller.user_id() {
        if let Some(found) = gateway.state.user(id).await? {
            user = json!({
                "id": found.id, "username": found.username, "display_name": found.display_name, "email": found.email,
                "organization": found.organization,
            });
        }
        roles = gateway.state.roles(id).await?;
        groups = gateway.state.memberships(id).await?;
    }
    let credentials = caller.token.as_ref().map(|token| {
        json!({ "id": token.id, "kind": token.kind.as_str(), "name": token.name, "expires_at": token.expires_at })
    });
    Ok(HttpResponse::Ok().json(json!({
        "kind": caller.principal.as_ref().map(Principal::kind),
        "user": user,
        "token": credentials,
        "roles": roles.iter().map(role).collect::<Vec<_>>(),
        "groups": groups.iter().map(group).collect::<Vec<_>>(),
        "permissions": permissions(&caller),
    })))
}

fn role(held: &HeldRole) -> Value {
    json!({ "role": held.role.role, "organization": held.role.organization, "by_group": held.by_group })
}

fn group(membership: &Membership) -> Value {
    json!({ "id": membership.group_id, "name": membership.name })
}

/// What the policies permit, as they stand.
fn permissions(caller: &Caller) -> Value {
    let (Some(rules), Some(principal)) = (&caller.rules, &caller.principal) else { return Value::Null };
    let mut names: BTreeSet<&str> = rules.organizations.iter().map(String::as_str).collect();
    if let Principal::User(user) = principal {
        names.extend(user.grants.iter().filter_map(|grant| grant.organization.as_deref()));
    }
    let mut deployment: Vec<Permission> = Vec::new();
    let mut organizations: BTreeMap<&str, Vec<Permission>> = BTreeMap::new();
    for permission in Permission::ALL.iter().copied() {
        let (_, visible) = rules.judge(principal, permission, &caller.circumstances);
        if visible.includes(None) {
            deployment.push(permission);
        }
        if permission.reach() == Reach::Organization {
            for name in names.iter().filter(|name| visible.includes(Some(**name))) {
                organizations.entry(name).or_default().push(permission);
            }
        }
    }
    json!({ "deployment": deployment, "organizations": organizations })
}
