//! Workspaces: made, handed over, renamed, scheduled, used.

use chancery_domain::attributes;
use chancery_domain::decision::Context;
use chancery_domain::decision::Refusal;
use chancery_domain::events::workspaces::ScheduleSet;
use chancery_domain::workspaces::lifecycle::{
    CreateWorkspace, Ingredients, RenameWorkspace, SetSchedule, TransferWorkspace,
};
use jiff::tz::TimeZone;

use super::{Failure, Permit, Reads};
use crate::quotas::Subject;
use crate::{DecisionError, Decisions};

/// A workspace to be made, and by whom.
#[derive(Debug, Clone)]
pub struct Making {
    /// It.
    pub command: CreateWorkspace,
    /// User id of its owner.
    pub owner: String,
    /// Id of its template.
    pub template: String,
    /// Whoever asks looks after the template.
    pub administers: bool,
    /// How they are named.
    pub context: Context,
}

impl Decisions {
    /// Makes a workspace. Why not, if that is on record.
    pub async fn create_workspace<E: Failure>(&self, making: Making) -> Result<Option<String>, E> {
        let Making { command, owner, template, .. } = &making;
        let keys = [
            format!("workspace/{}", command.id),
            format!("user/{owner}"),
            format!("workspace-name/{owner}/{}", attributes::key(&command.name)),
            // Its state, and how many workspaces are made from it.
            format!("template/{template}"),
        ];
        self.decide(&keys, async || {
            let state = self.state();
            let user = state.user(owner).await?.filter(|user| user.own).ok_or(Refusal::Unknown("user"))?;
            let found = state.template(template).await?.ok_or(Refusal::Unknown("template"))?;
            let asked = command.template_version.clone().or_else(|| found.active_version.clone());
            let version = match &asked {
                Some(id) => state.template_version(template, id).await?,
                None => None,
            };
            let subject = Subject {
                organization: found.organization.as_deref().unwrap_or_default(),
                user: owner,
                user_name: Some(&user.username),
                workspace: &command.id,
                template: Some(template),
            };
            let facts = state.quota_facts(subject, making.context.now).await?;
            let zone = known_zone(command.schedule.as_ref());
            let made_of = Ingredients {
                owner: &user,
                template: &found,
                version: version.as_ref(),
                namesakes: &state.workspaces_by_name(owner, &command.name).await?,
                administers: making.administers,
                facts: &facts,
                zone: zone.as_ref(),
            };
            let verdict = command.clone().decide(made_of, making.context.clone())?;
            Ok::<_, E>((verdict.events, verdict.denied))
        })
        .await
    }

    /// Hands a workspace over. Why not, if that is on record.
    pub async fn transfer_workspace<E: Failure>(
        &self,
        id: &str,
        heir: &str,
        command: &TransferWorkspace,
        permit: impl Permit<E>,
    ) -> Result<Option<String>, E> {
        let state = self.state();
        for _ in 0..super::ATTEMPTS {
            let keys = async || -> Result<Vec<String>, E> {
                let found = state.workspace(id).await?.ok_or(Refusal::Unknown("workspace"))?;
                let mut keys = state.keys_of(id, Reads::Ledger).await?.ok_or(Refusal::Unknown("workspace"))?;
                keys.push(format!("user/{heir}"));
                keys.push(format!("workspace-name/{heir}/{}", attributes::key(&found.name)));
                keys.extend(state.quota_keys(found.organization.as_deref(), heir, Reads::Caps).await?);
                Ok(keys)
            };
            let wanted = keys().await?;
            let told = self
                .decide(&wanted, async || {
                    if keys().await? != wanted {
                        return Ok::<_, E>((Vec::new(), None));
                    }
                    let workspace = state.workspace(id).await?.ok_or(Refusal::Unknown("workspace"))?;
                    let context = permit(&workspace)?;
                    let user = state.user(heir).await?.filter(|user| user.own).ok_or(Refusal::Unknown("user"))?;
                    let last = state.last_build(&workspace).await?;
                    let given = state.facts_of(&workspace, context.now).await?;
                    let subject = Subject {
                        organization: &given.organization,
                        user: heir,
                        user_name: Some(&user.username),
                        workspace: id,
                        template: None,
                    };
                    let taken = state.quota_facts(subject, context.now).await?;
                    let namesakes = state.workspaces_by_name(heir, &workspace.name).await?;
                    let facts = (&given, &taken);
                    let verdict =
                        command.clone().decide(&workspace, last.as_ref(), &user, &namesakes, facts, context)?;
                    Ok((verdict.events, Some(verdict.denied)))
                })
                .await?;
            if let Some(told) = told {
                return Ok(told);
            }
        }
        Err(DecisionError::Contended.into())
    }

    /// Gives a workspace another name.
    pub async fn rename_workspace<E: Failure>(
        &self,
        id: &str,
        command: &RenameWorkspace,
        permit: impl Permit<E>,
    ) -> Result<(), E> {
        let state = self.state();
        let found = state.workspace(id).await?.ok_or(Refusal::Unknown("workspace"))?;
        let owner = found.owner_id.unwrap_or_default();
        let name = format!("workspace-name/{owner}/{}", attributes::key(&command.name));
        self.decide(&[format!("workspace/{id}"), format!("user/{owner}"), name], async || {
            let workspace = state.workspace(id).await?.ok_or(Refusal::Unknown("workspace"))?;
            if workspace.owner_id.as_ref() != Some(&owner) {
                return Err(DecisionError::Contended.into());
            }
            let context = permit(&workspace)?;
            let namesakes = state.workspaces_by_name(&owner, &command.name).await?;
            Ok::<_, E>((command.clone().decide(&workspace, &namesakes, context)?, ()))
        })
        .await
    }

    /// Gives a workspace a schedule of its own.
    pub async fn schedule_workspace<E: Failure>(
        &self,
        id: &str,
        command: &SetSchedule,
        permit: impl Permit<E>,
    ) -> Result<(), E> {
        let state = self.state();
        self.about(id, Reads::Workspace, async |workspace, _| {
            let context = permit(&workspace)?;
            let template = match &workspace.template_id {
                Some(template) => state.template(template).await?,
                None => None,
            };
            let present = state.workspace_life(id).await?.map(|life| life.schedule).unwrap_or_default();
            let zone = known_zone(Some(&command.schedule));
            let events = command.clone().decide(&workspace, template.as_ref(), &present, zone.as_ref(), context)?;
            Ok((events, ()))
        })
        .await
    }

    /// Puts on record, now and then, that a workspace is used.
    pub async fn use_workspace<E: Failure>(&self, id: &str, permit: impl Permit<E>) -> Result<(), E> {
        self.about(id, Reads::Workspace, async |workspace, _| {
            let context = permit(&workspace)?;
            let last = self.state().workspace_life(id).await?.and_then(|life| life.last_used_at);
            Ok((workspace.used(last, context)?, ()))
        })
        .await
    }

    /// Puts a workspace to rest, or wakes it.
    pub async fn set_dormant<E: Failure>(
        &self,
        id: &str,
        dormant: bool,
        reason: Option<&str>,
        permit: impl Permit<E>,
    ) -> Result<(), E> {
        self.about(id, Reads::Workspace, async |workspace, last| {
            let context = permit(&workspace)?;
            let events = if dormant {
                workspace.make_dormant(last.as_ref(), reason.map(str::to_owned), context)?
            } else {
                workspace.wake(context)?
            };
            Ok((events, ()))
        })
        .await
    }
}

/// The zone that a schedule names, if there is one of that name.
fn known_zone(schedule: Option<&ScheduleSet>) -> Option<TimeZone> {
    TimeZone::get(schedule?.time_zone.as_deref()?).ok()
}
