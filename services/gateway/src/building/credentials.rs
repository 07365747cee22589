//! The credentials of a job: name and password of it alone, that follow from the deployment's secret and are good while
//! the job is its runner's. Nothing of them is kept.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery_domain::workspaces::builds::BuildRecord;
use chancery_domain::{Actor, ActorKind};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Who may be a job.
#[derive(Debug)]
pub(crate) struct JobCaller {
    /// The build that it carries out, as it was a moment ago.
    pub(crate) build: BuildRecord,
    /// Its runner, as it is named in events.
    pub(crate) caller: Caller,
}

/// The password of the job that carries out a build; none without a secret, or where no runner has it.
pub(super) fn password(gateway: &Gateway, build: &BuildRecord) -> Result<Option<String>, ApiError> {
    gateway.settings.states.key.as_deref().map_or(Ok(None), |secret| derive(secret, build))
}

fn derive(secret: &[u8], build: &BuildRecord) -> Result<Option<String>, ApiError> {
    let (Some(job), Some(runner)) = (&build.job_id, &build.runner_id) else { return Ok(None) };
    let unusable = |_| ApiError::Internal("the secret of states cannot be used".to_owned());
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(unusable)?;
    for part in ["chancery job", job, runner] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    Ok(Some(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

/// The name and the password in the header of a request.
fn basic(request: &HttpRequest) -> Option<(String, String)> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// Whether a request brings the credentials of a job, good or not.
pub(crate) fn are_presented(request: &HttpRequest) -> bool {
    basic(request).is_some()
}

/// The job whose credentials a request brings, if it builds this workspace.
pub(crate) async fn job(
    gateway: &Gateway,
    anonymous: &Caller,
    request: &HttpRequest,
    workspace: &str,
) -> Result<JobCaller, ApiError> {
    let wrong = || ApiError::Unauthenticated("these are not the credentials of a job of this workspace".to_owned());
    let (name, presented) = basic(request).ok_or_else(|| {
        ApiError::Forbidden(
            "a state is for the job that builds its workspace: present its name and password".to_owned(),
        )
    })?;
    let found = gateway.state.build_of_job(&name).await?;
    let build = found.filter(|build| build.workspace_id == workspace).ok_or_else(wrong)?;
    let states = &gateway.settings.states;
    let mut is_known = false;
    for secret in states.key.iter().chain(&states.old_keys) {
        let password = derive(secret, &build)?;
        is_known |= password.is_some_and(|password| password.as_bytes().ct_eq(presented.as_bytes()).into());
    }
    if !is_known {
        return Err(wrong());
    }
    let runner = build.runner_id.clone().ok_or_else(wrong)?;
    let registered = gateway.state.runner(&runner).await?;
    let kind = if registered.is_some() { ActorKind::Runner } else { ActorKind::Service };
    let called = registered.map(|runner| runner.name.clone());
    let actor = Actor { id: runner, kind, name: called, session: Some(name), ..anonymous.actor.clone() };
    Ok(JobCaller { build, caller: Caller { actor, ..anonymous.clone() } })
}

impl JobCaller {
    /// Lets a decision be taken for the job, if its runner has it still.
    pub(crate) fn permit<'a>(
        &'a self,
        gateway: &'a Gateway,
    ) -> impl Fn(&BuildRecord) -> Result<chancery_domain::decision::Context, ApiError> + 'a {
        |build| {
            if build.runner_id != self.build.runner_id || build.job_id != self.build.job_id {
                return Err(ApiError::Forbidden("another runner has the job now".to_owned()));
            }
            Ok(gateway.context(&self.caller))
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_name_and_a_password_are_read_from_the_header() {
        let read = |value: &str| basic(&TestRequest::default().insert_header((AUTHORIZATION, value)).to_http_request());
        let presented = format!("Basic {}", STANDARD.encode("job:pass:word"));
        assert_eq!(read(&presented), Some(("job".to_owned(), "pass:word".to_owned())));
        for other in ["Bearer chy_a_b", "Basic", "Basic ???", &format!("Basic {}", STANDARD.encode("job"))] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
