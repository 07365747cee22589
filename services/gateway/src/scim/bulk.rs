//! `/Bulk` (RFC 7644, 3.7): each operation a decision of its own; references to what others create are known before the
//! first is carried out, so that they may be circular.

use chancery_scim::bulk::{BulkRequest, BulkResponse, BulkResult, Method, Step};
use chancery_scim::{ListQuery, ScimError};
use serde_json::Value;

use super::answer::{Answer, Preconditions, etag};
use super::change::{self, Change, Wish};
use super::discovery::bulk_limits;
use super::failure::Failure;
use super::push::Push;

/// Answers a bulk request.
pub(super) async fn answer(push: &Push, body: Value) -> Result<Answer, Failure> {
    let request = BulkRequest::parse(body, &bulk_limits(&push.gateway), &push.profile)?;
    let plan = request.plan(&push.gateway.scim, |_| change::new_id());
    let asked = ListQuery::from_parameters(Vec::<(String, String)>::new())?;
    let mut response = BulkResponse::new();
    for step in &plan.steps {
        if response.is_over(plan.fail_on_errors) {
            break;
        }
        let broken = response.broken_reference(step);
        let result = match broken {
            Some(error) => Err(Failure::from(error)),
            None => perform(push, step, &asked).await,
        };
        let result = result.unwrap_or_else(|failure| failed(push, step, &failure.error()));
        response.record(step, result);
    }
    Ok(Answer::ok(response.body().to_string()))
}

async fn perform(push: &Push, step: &Step<'_>, asked: &ListQuery) -> Result<BulkResult, Failure> {
    let target = step.target.as_ref().map_err(|error| Failure::from(error.clone()))?;
    let data = step.data.clone();
    let change = match step.method {
        Method::Post => Change::Create(data),
        Method::Put => Change::Replace(data),
        Method::Patch => Change::Patch(data),
        Method::Delete => Change::Delete,
    };
    let preconditions = Preconditions::version(step.version.clone());
    let wish = Wish { resource_type: target.resource_type, id: target.id.clone(), change, preconditions };
    let answer = change::perform(push, wish, asked).await?;
    let location = answer.location.unwrap_or_else(|| push.location(target.resource_type, &target.id));
    Ok(BulkResult {
        status: answer.status.as_u16(),
        location: Some(location),
        version: answer.version.map(etag),
        response: None,
    })
}

fn failed(push: &Push, step: &Step<'_>, error: &ScimError) -> BulkResult {
    let target = step.target.as_ref().ok().filter(|_| step.method != Method::Post);
    BulkResult::failed(error, target.map(|target| push.location(target.resource_type, &target.id)))
}
