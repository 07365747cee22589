//! Changes as decisions: planned on the state, appended if nothing they depend on has moved, and answered from the state
//! that resulted. What changes nothing, and what is refused, is on record too.

use actix_web::http::StatusCode;
use chancery_domain::decision::Refusal;
use chancery_domain::events::directory::{DirectoryConflict, RequestRefused, RequestUnchanged};
use chancery_domain::{Event, Resource};
use chancery_evidence::Sealed;
use chancery_scim::{ListQuery, ResourceType};
use chancery_state::DecisionError;
use serde_json::Value;
use uuid::Uuid;

use super::answer::{Answer, Preconditions};
use super::failure::Failure;
use super::push::Push;
use super::stored::Kind;
use super::{custom, groups, show, users};

/// What is to become of a resource.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Create(Value),
    Replace(Value),
    Patch(Value),
    Delete,
}

impl Change {
    /// The HTTP method that asks for it.
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::Create(_) => "POST",
            Self::Replace(_) => "PUT",
            Self::Patch(_) => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A change that a connection asks for.
#[derive(Debug, Clone)]
pub(super) struct Wish<'a> {
    pub(super) resource_type: &'a ResourceType,
    /// Of a resource to be created: the id it gets.
    pub(super) id: String,
    pub(super) change: Change,
    pub(super) preconditions: Preconditions,
}

impl Wish<'_> {
    /// Path below the base, as it is put on record.
    pub(super) fn path(&self) -> String {
        match self.change {
            Change::Create(_) => self.resource_type.endpoint().to_owned(),
            _ => format!("{}/{}", self.resource_type.endpoint(), self.id),
        }
    }

    fn resource(&self) -> Resource {
        Resource::new(self.resource_type.name().to_lowercase(), &self.id)
    }
}

/// What a change comes to.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What it depends on.
    pub(super) keys: Vec<String>,
    /// Its events; none when it changes nothing.
    pub(super) events: Vec<Event>,
    /// The resource it is about: another than the wish names where an inactive namesake is reactivated.
    pub(super) id: String,
}

/// Draws an id for a new resource.
pub(super) fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// Works out what a change comes to, on the state as it is.
pub(super) async fn plan(push: &Push, wish: &Wish<'_>) -> Result<Plan, Failure> {
    match Kind::of(wish.resource_type) {
        Kind::Users => users::plan(push, wish).await,
        Kind::Groups => groups::plan(push, wish).await,
        Kind::Custom => custom::plan(push, wish).await,
    }
}

/// What a decision about this wish depends on, for all that its words say.
fn likely_keys(wish: &Wish<'_>) -> Vec<String> {
    let named = |attribute: &str| match &wish.change {
        Change::Create(body) => body.get(attribute).and_then(Value::as_str),
        _ => None,
    };
    match Kind::of(wish.resource_type) {
        Kind::Users => {
            let name = named("userName").map(users::name_key);
            std::iter::once(users::user_key(&wish.id)).chain(name).collect()
        }
        Kind::Groups => {
            let name = named("displayName").map(groups::name_key);
            std::iter::once(groups::group_key(&wish.id)).chain(name).collect()
        }
        Kind::Custom => vec![custom::key(wish.resource_type, &wish.id)],
    }
}

/// Takes the decision; says which resource it was about, and how many events it has.
pub(super) async fn decide(push: &Push, wish: &Wish<'_>) -> Result<(String, usize), Failure> {
    // Most decisions depend on what the wish names. Where one depends on more, a first look tells.
    let mut keys = likely_keys(wish);
    loop {
        let decided = push.gateway.decisions.decide(&keys, async || {
            let plan = plan(push, wish).await?;
            if !plan.keys.iter().all(|key| keys.contains(key)) {
                return Ok::<_, Failure>((Vec::new(), Err(plan.keys)));
            }
            let count = plan.events.len();
            Ok((plan.events, Ok((plan.id, count))))
        });
        match decided.await? {
            Ok((id, count)) => {
                // Tokens that a suspension took may be believed a moment longer by other nodes.
                if count > 1 && Kind::of(wish.resource_type) == Kind::Users {
                    push.gateway.decisions.disbelieved().await;
                }
                return Ok((id, count));
            }
            // It depends on other things by now: look again.
            Err(others) => keys = others,
        }
    }
}

/// Does what a connection asks for, and answers with what there is then.
pub(super) async fn perform(push: &Push, wish: Wish<'_>, asked: &ListQuery) -> Result<Answer, Failure> {
    let done = attempt(push, &wish).await;
    if let Err(failure) = &done {
        record_refusal(push, &wish, failure).await;
    }
    let (id, _) = done?;
    answer(push, &wish, &id, asked).await
}

/// Does it, or only finds out what it would do.
async fn attempt(push: &Push, wish: &Wish<'_>) -> Result<(String, usize), Failure> {
    if push.connection.settings.dry_run {
        let plan = plan(push, wish).await?;
        let reason = format!("the connection is on dry run: {}", super::dry_run::summary(&plan.events));
        record_unchanged(push, wish, &plan.id, reason).await?;
        return Ok((plan.id, plan.events.len()));
    }
    let (id, count) = decide(push, wish).await?;
    if count == 0 {
        record_unchanged(push, wish, &id, "everything was so already".to_owned()).await?;
    }
    Ok((id, count))
}

async fn answer(push: &Push, wish: &Wish<'_>, id: &str, asked: &ListQuery) -> Result<Answer, Failure> {
    let Wish { resource_type, change, .. } = wish;
    if matches!(change, Change::Delete) {
        return Ok(Answer { status: StatusCode::NO_CONTENT, ..Answer::default() });
    }
    let Some(stored) = super::stored::find(push, resource_type, id).await? else {
        // On dry run nothing was made.
        return show::as_sent(push, resource_type, id, change);
    };
    let quiet = matches!(change, Change::Patch(_)) && !asked.projection.is_explicit();
    if quiet && show::has_many_members(push, &stored).await? {
        let version = Some(stored.version());
        return Ok(Answer { status: StatusCode::NO_CONTENT, version, ..Answer::default() });
    }
    let mut answer = show::resource(push, resource_type, &stored, asked).await?;
    if matches!(change, Change::Create(_)) {
        answer.status = StatusCode::CREATED;
    }
    Ok(answer)
}

async fn record_unchanged(push: &Push, wish: &Wish<'_>, id: &str, reason: String) -> Result<(), Failure> {
    let request = RequestUnchanged {
        method: wish.change.method().to_owned(),
        path: wish.path(),
        reason: Some(reason),
        resource_type: Some(wish.resource_type.name().to_owned()),
    };
    let resource = Resource::new(wish.resource_type.name().to_lowercase(), id);
    append(push, vec![push.connection.unchanged(resource, &request, push.context())]).await
}

/// Puts a refused change on record. A flood is counted but does not fill the log.
pub(super) async fn record_refusal(push: &Push, wish: &Wish<'_>, failure: &Failure) {
    if failure.is_ours() || !push.gateway.refusals.admit() {
        return;
    }
    let error = failure.error();
    let request = RequestRefused {
        detail: Some(error.detail.chars().take(1000).collect()),
        method: wish.change.method().to_owned(),
        path: wish.path(),
        scim_type: error.scim_type.map(|scim_type| scim_type.as_str().to_owned()),
        status: error.status,
    };
    let mut events = vec![push.connection.refused(wish.resource(), &request, push.context())];
    if let Failure::Refused(Refusal::Taken { field, value, by, connection }) = failure
        && connection.as_deref() != Some(push.id())
    {
        let conflict = DirectoryConflict {
            attribute: (*field).to_owned(),
            other_connection: connection.clone(),
            other_id: by.clone(),
            value: value.clone(),
        };
        events.push(push.connection.conflict(&conflict, push.context()));
    }
    if let Err(failure) = append(push, events).await {
        tracing::warn!(?failure, "a refused request could not be put on record");
    }
}

async fn append(push: &Push, events: Vec<Event>) -> Result<(), Failure> {
    let sealed: Result<Vec<Sealed>, _> = events.iter().map(Sealed::new).collect();
    push.gateway.log.append(sealed.map_err(DecisionError::from)?).await?;
    Ok(())
}
