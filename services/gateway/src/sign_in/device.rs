//! Signing in on a device without a browser (RFC 8628). The device keeps the handle; no node has to.

use actix_web::{HttpResponse, web};
use chancery_oidc::{DevicePoll, OidcError, Secret};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::account::arrive;
use super::failure::Attempt;
use super::seal::Purpose;
use super::session::Session;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::middleware::Caller;

/// Longest that a sign-in on a device may take, in seconds, whatever the provider says.
const LONGEST: u64 = 3600;

/// With whom to sign in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceRequest {
    /// Name of the provider.
    provider: String,
}

/// How far a sign-in is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PollRequest {
    /// As it was given.
    handle: String,
}

/// What a handle says to those who can open it.
#[derive(Serialize, Deserialize)]
struct Handle {
    provider: String,
    device_code: Secret,
}

/// Begins a sign-in on a device: what to show, and what to ask with.
#[utoipa::path(post, path = "/api/v1/sign-in/device", tag = "sign-in", request_body = DeviceRequest,
    responses((status = 200), (status = 400), (status = 404), (status = 429), (status = 503)))]
pub(crate) async fn begin_device(
    gateway: web::Data<Gateway>,
    request: web::Json<DeviceRequest>,
) -> Result<HttpResponse, ApiError> {
    let provider = gateway.sign_in.provider(&request.provider)?;
    gateway.sign_in.moderate()?;
    let begun = gateway.sign_in.party.begin_device(provider).await.map_err(|error| {
        tracing::warn!(provider = provider.name, %error, "a sign-in on a device cannot begin");
        ApiError::Unavailable(error.client_message().to_owned())
    })?;
    let seconds = begun.expires_in.min(LONGEST);
    let handle = Handle { provider: provider.name.clone(), device_code: begun.device_code.clone() };
    let until = gateway.now().saturating_add_micros(seconds.cast_signed().saturating_mul(1_000_000));
    Ok(HttpResponse::Ok().json(json!({
        "user_code": begun.user_code,
        "verification_uri": begun.verification_uri,
        "verification_uri_complete": begun.verification_uri_complete,
        "handle": gateway.sign_in.seal.close(Purpose::Device, &handle, until)?,
        "interval": begun.interval().as_secs(),
        "expires_in": seconds,
    })))
}

/// Asks whether the person has signed in: `status` is `pending`, `slow_down`, or `signed_in` with a session.
#[utoipa::path(post, path = "/api/v1/sign-in/device/poll", tag = "sign-in", request_body = PollRequest,
    responses((status = 200), (status = 400), (status = 403), (status = 429), (status = 503)))]
pub(crate) async fn poll_device(
    gateway: web::Data<Gateway>,
    caller: web::ReqData<Caller>,
    request: web::Json<PollRequest>,
) -> Result<HttpResponse, ApiError> {
    let opened = gateway.sign_in.seal.open(Purpose::Device, &request.handle, gateway.now());
    let handle: Handle = opened.ok_or_else(|| ApiError::bad_request("the handle is not valid any more"))?;
    let provider = gateway.sign_in.provider(&handle.provider)?;
    gateway.sign_in.moderate()?;
    let denial = match gateway.sign_in.party.poll_device(provider, &handle.device_code).await {
        Ok(DevicePoll::Pending) => return Ok(HttpResponse::Ok().json(json!({ "status": "pending" }))),
        Ok(DevicePoll::SlowDown) => return Ok(HttpResponse::Ok().json(json!({ "status": "slow_down" }))),
        Ok(DevicePoll::SignedIn(identity)) => {
            let session = Session::on_device(&gateway);
            let person = arrive(&gateway, &caller, provider, &identity, Some(&session)).await?;
            let mut shown = session.shown(&person);
            shown["status"] = "signed_in".into();
            return Ok(HttpResponse::Ok().json(shown));
        }
        Ok(DevicePoll::Denied) => {
            let description = "the person refused on the device's behalf".to_owned();
            OidcError::Refused { code: "access_denied".to_owned(), description }
        }
        Ok(DevicePoll::Expired) => OidcError::Late,
        Err(error) => error,
    };
    let attempt = Attempt { gateway: &gateway, caller: &caller, provider: &provider.name };
    Err(attempt.failed(None, denial.into()).await)
}
