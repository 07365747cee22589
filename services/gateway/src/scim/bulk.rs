//! `/Bulk` (RFC 7644, 3.7): each operation a decision of its own, in order; references to what others create are known
//! before the first is carried out, so that they may be circular.

use chancery_scim::bulk::{BulkRequest, BulkResponse, Outcome};
use chancery_scim::query::Query;
use chancery_scim::{ScimError, ScimType};
use serde_json::Value;

use super::answer::{Answer, Preconditions, etag};
use super::change::{self, Change, Wish};
use super::discovery::BULK_OPERATIONS;
use super::failure::Failure;
use super::push::Push;

/// Answers a bulk request.
pub(super) async fn answer(push: &Push, body: &Value) -> Result<Answer, Failure> {
    let mut request = BulkRequest::parse(body, BULK_OPERATIONS)?;
    request.plan(change::new_id);
    let mut response = BulkResponse::default();
    for operation in &request.operations {
        if request.fail_on_errors.is_some_and(|most| response.errors() >= most) {
            break;
        }
        let outcome = match perform(push, operation).await {
            Ok(outcome) => outcome,
            Err(failure) => Outcome::refused(&failure.error()),
        };
        response.push(operation, outcome);
    }
    Ok(Answer::ok(response.body().to_string()))
}

async fn perform(push: &Push, operation: &chancery_scim::bulk::Operation) -> Result<Outcome, Failure> {
    if let Some(error) = &operation.broken {
        return Err(error.clone().into());
    }
    let resource_type = push.resource_type(&operation.endpoint)?;
    let data = || operation.data.clone().ok_or_else(|| ScimError::new(ScimType::InvalidSyntax, "`data` is missing"));
    let change = match operation.method.as_str() {
        "POST" => Change::Create(data()?),
        "PUT" => Change::Replace(data()?),
        "PATCH" => Change::Patch(data()?),
        "DELETE" => Change::Delete,
        other => return Err(ScimError::new(ScimType::InvalidValue, format!("`{other}` is no method of a bulk")).into()),
    };
    let wish = Wish {
        resource_type,
        id: operation.id.clone(),
        change,
        preconditions: Preconditions::version(operation.version.clone()),
    };
    let answer = change::perform(push, wish, &Query::default()).await?;
    Ok(Outcome {
        status: answer.status.as_u16(),
        location: answer.location.or_else(|| {
            (operation.method != "POST").then(|| push.location(resource_type, &operation.id))
        }),
        version: answer.version.map(etag),
        response: None,
    })
}
