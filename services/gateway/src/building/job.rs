//! A job as its runner sees it.

use chancery_domain::decision::Refusal;
use chancery_domain::workspaces::WorkspaceRecord;
use chancery_domain::workspaces::builds::BuildRecord;
use serde_json::{Value, json};

use super::credentials;
use crate::error::ApiError;
use crate::gateway::Gateway;

/// A job with all that its runner needs: what to build from what, for whom, and where the state is. Addresses are paths
/// on the server, by whatever name the runner reaches it.
pub(crate) async fn describe(gateway: &Gateway, build: &BuildRecord) -> Result<Value, ApiError> {
    let workspace = gateway.state.workspace(&build.workspace_id).await?.ok_or(Refusal::Unknown("workspace"))?;
    let version = match (&workspace.template_id, &build.template_version) {
        (Some(template), Some(version)) => gateway.state.template_version(template, version).await?,
        _ => None,
    };
    Ok(json!({
        "id": build.job_id,
        "organization": build.organization,
        "transition": build.transition.as_str(),
        "status": build.status.as_str(),
        "cancel_requested": build.cancel_requested,
        "build_number": build.number,
        "workspace": {
            "id": workspace.id, "name": workspace.name, "owner": workspace.owner, "owner_id": workspace.owner_id,
        },
        "template": {
            "id": workspace.template_id, "name": workspace.template_name, "version": build.template_version,
            "version_name": version.as_ref().map(|version| &version.name),
            "sha256": version.as_ref().map(|version| &version.sha256),
        },
        "parameters": build.parameters,
        "tags": build.tags,
        "attempt": build.attempt,
        "owner": owner(gateway, &workspace).await?,
        "state": state(gateway, build)?,
    }))
}

/// Whose workspace it is, with the names of their groups and roles.
async fn owner(gateway: &Gateway, workspace: &WorkspaceRecord) -> Result<Value, ApiError> {
    let Some(id) = &workspace.owner_id else { return Ok(Value::Null) };
    let Some(user) = gateway.state.user(id).await? else {
        return Ok(json!({ "id": id, "name": workspace.owner }));
    };
    let here = |organization: &Option<String>| organization.is_none() || *organization == workspace.organization;
    let groups = gateway.state.memberships(id).await?.into_iter();
    let groups: Vec<String> = groups.filter(|group| !group.everyone).map(|group| group.name).collect();
    let held = gateway.state.roles(id).await?.into_iter();
    let mut roles: Vec<String> =
        held.map(|held| held.role).filter(|role| here(&role.organization)).map(|role| role.role).collect();
    roles.sort_unstable();
    roles.dedup();
    Ok(json!({
        "id": user.id, "name": user.username, "display_name": user.display_name, "email": user.email,
        "groups": groups, "roles": roles,
    }))
}

/// Where the state is, with the credentials of this job alone. Without a secret to seal it with the runner keeps it.
fn state(gateway: &Gateway, build: &BuildRecord) -> Result<Value, ApiError> {
    let Some(password) = credentials::password(gateway, build)? else { return Ok(Value::Null) };
    let address = format!("/api/v1/workspaces/{}/state", build.workspace_id);
    Ok(json!({
        "address": address, "lock_address": address, "unlock_address": address,
        "username": build.job_id, "password": password,
    }))
}
