//! Answers: media type, location, version, preconditions.

use actix_web::http::header::{ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use chancery_scim::ScimError;

use super::failure::{Failure, status};

/// Media type of everything (RFC 7644, 8.1).
const MEDIA_TYPE: &str = "application/scim+json";

/// An answer that is not an error.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(super) status: StatusCode,
    /// JSON text; none for 204 and 304.
    pub(super) body: Option<String>,
    pub(super) location: Option<String>,
    pub(super) version: Option<u64>,
    /// Whether the address is told although nothing was made.
    pub(super) shows_location: bool,
}

impl Answer {
    /// 200 with a body.
    pub(super) fn ok(body: String) -> Self {
        Self { status: StatusCode::OK, body: Some(body), ..Self::default() }
    }

    pub(super) fn response(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(version) = self.version {
            response.insert_header((ETAG, etag(version)));
        }
        if let Some(location) = &self.location
            && (self.status == StatusCode::CREATED || self.shows_location)
        {
            response.insert_header((LOCATION, location.as_str()));
        }
        match self.body {
            Some(body) => response.content_type(MEDIA_TYPE).body(body),
            None => response.finish(),
        }
    }
}

/// The version of a resource as an entity tag; a weak one, since answers show parts of resources.
pub(super) fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

/// An error as an answer.
pub(crate) fn error_response(error: &ScimError) -> HttpResponse {
    let mut response = HttpResponse::build(status(error));
    if error.status == 401 {
        response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"chancery\"")));
    }
    response.content_type(MEDIA_TYPE).body(error.body().to_string())
}

/// 405, with what is allowed.
pub(super) fn not_allowed(allowed: &[Method]) -> Failure {
    Failure::Method(allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", "))
}

/// What `If-Match` and `If-None-Match` ask of a version (RFC 7644, 3.14).
#[derive(Debug, Clone, Default)]
pub(crate) struct Preconditions {
    matches: Option<String>,
    none_matches: Option<String>,
}

impl Preconditions {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self { matches: header(IF_MATCH), none_matches: header(IF_NONE_MATCH) }
    }

    /// That a bulk operation names a version.
    pub(super) fn version(version: Option<String>) -> Self {
        Self { matches: version, none_matches: None }
    }

    /// 412 where another version is asked for than there is.
    pub(super) fn check(&self, version: u64) -> Result<(), ScimError> {
        match &self.matches {
            Some(tags) if !names(tags, version) => {
                let detail = format!("the resource has the version {}", etag(version));
                Err(ScimError::precondition_failed(detail))
            }
            _ => Ok(()),
        }
    }

    /// Whether the client has this version already.
    pub(super) fn is_known(&self, version: u64) -> bool {
        self.none_matches.as_ref().is_some_and(|tags| names(tags, version))
    }
}

/// Whether a list of entity tags names a version.
fn names(tags: &str, version: u64) -> bool {
    let version = format!("\"{version}\"");
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preconditions_compare_entity_tags() {
        let matching = |tags: &str| Preconditions { matches: Some(tags.into()), none_matches: Some(tags.into()) };
        for tags in ["*", "W/\"3\"", "\"3\"", "\"1\", W/\"3\""] {
            assert!(matching(tags).check(3).is_ok() && matching(tags).is_known(3), "{tags}");
        }
        for tags in ["", "3", "\"33\"", "\"1\""] {
            assert_eq!(matching(tags).check(3).unwrap_err().status, 412, "{tags}");
        }
        assert!(Preconditions::default().check(3).is_ok() && !Preconditions::default().is_known(3));
    }
}
