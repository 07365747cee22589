//! An identity provider: a connection of a server, and the SCIM requests sent with a token of it.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::Api;

/// The schema of users.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of groups.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The enterprise extension of users.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The schema of PATCH requests.
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// The schema of errors.
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
/// The schema of lists.
pub const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// An identity provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Id of its connection.
    pub connection: String,
    /// Id of its token.
    pub token_id: String,
    /// The token.
    pub token: String,
    /// `http://address/scim/v2`.
    pub base: String,
    http: Client,
}

/// What a SCIM request was answered with.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The request, for messages.
    pub request: String,
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body; null where it is empty or no JSON.
    pub body: Value,
}

impl Provider {
    /// Makes a connection with these settings, and a token of it. A name and an organization are filled in.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn connect(api: &Api, settings: Value) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let mut all =
            json!({"name": format!("idp-{}", NUMBER.fetch_add(1, Ordering::Relaxed)), "organizations": ["acme"]});
        extend(&mut all, settings);
        let made = api.post("/api/v1/connections", &all).await;
        let made = made.expect(StatusCode::CREATED);
        let connection = made["id"].as_str().expect("the connection's id").to_owned();
        Self::of_connection(api, connection).await
    }

    /// A new token of a connection that is there.
    pub async fn of_connection(api: &Api, connection: String) -> Self {
        let made = api.post(&format!("/api/v1/connections/{connection}/tokens"), &json!({"name": "push"})).await;
        Self::with_token(api, connection, &made.expect(StatusCode::CREATED))
    }

    /// A provider that has a token from the answer it was made with.
    #[expect(clippy::expect_used, reason = "tests")]
    pub fn with_token(api: &Api, connection: String, made: &Value) -> Self {
        let text = |member: &str| made[member].as_str().expect("a token is shown when it is made").to_owned();
        let base = format!("{}/scim/v2", api.url);
        Self { connection, token_id: text("id"), token: text("token"), base, http: Client::new() }
    }

    /// The same provider with another token.
    #[must_use]
    pub fn knowing(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// The same provider at another URL.
    #[must_use]
    pub fn at(&self, base: String) -> Self {
        Self { base, ..self.clone() }
    }

    /// A request with its token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Sends a body, or none when it is null.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send_with(method, path, body, HeaderMap::new()).await
    }

    /// The same with more headers, which replace those that are sent anyway.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn send_with(&self, method: Method, path: &str, body: &Value, headers: HeaderMap) -> Answer {
        let mut request = self.request(method.clone(), path);
        if !body.is_null() {
            request = request.header(CONTENT_TYPE, "application/scim+json").body(body.to_string());
        }
        let response = request.headers(headers).send().await.expect("an answer");
        Answer::of(format!("{method} {path} {body}"), response).await
    }

    /// Gets.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &Value::Null).await
    }

    /// Posts.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    /// Puts.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, body).await
    }

    /// Patches with these operations.
    pub async fn patch(&self, path: &str, operations: Value) -> Answer {
        let mut body = json!({"schemas": [PATCH]});
        body["Operations"] = operations;
        self.send(Method::PATCH, path, &body).await
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &Value::Null).await
    }

    /// What a filter finds at an endpoint such as `/Users`; all of it on one page.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn find(&self, endpoint: &str, filter: &str) -> Vec<Value> {
        let request = self.request(Method::GET, endpoint).query(&[("filter", filter), ("count", "1000")]);
        let response = request.send().await.expect("an answer");
        let answer = Answer::of(format!("GET {endpoint}?filter={filter}"), response).await;
        let list = answer.expect(StatusCode::OK);
        list["Resources"].as_array().cloned().unwrap_or_default()
    }

    /// Makes a user with this name and these attributes; gives back its id.
    pub async fn user(&self, name: &str, attributes: Value) -> String {
        let mut user = json!({"schemas": [USER], "userName": name});
        extend(&mut user, attributes);
        self.post("/Users", &user).await.made()
    }

    /// Makes a group with these members; gives back its id.
    pub async fn group(&self, name: &str, members: &[String]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let group = json!({"schemas": [GROUP], "displayName": name, "members": members});
        self.post("/Groups", &group).await.made()
    }

    /// Ids of a group's members, sorted.
    pub async fn members(&self, group: &str) -> Vec<String> {
        let group = self.get(&format!("/Groups/{group}")).await.expect(StatusCode::OK);
        let members = group["members"].as_array().cloned().unwrap_or_default();
        let mut ids: Vec<String> =
            members.iter().filter_map(|member| member["value"].as_str().map(str::to_owned)).collect();
        ids.sort();
        ids
    }
}

/// Sets members of an object.
fn extend(object: &mut Value, members: Value) {
    if let (Value::Object(object), Value::Object(members)) = (object, members) {
        object.extend(members);
    }
}

impl Answer {
    /// Reads a response.
    #[expect(clippy::expect_used, reason = "tests")]
    pub async fn of(request: String, response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { request, status, headers, text, body }
    }

    /// The body of an answer that must have this status.
    ///
    /// # Panics
    /// When it has another one.
    pub fn expect(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text);
        self.body
    }

    /// The id of what was made.
    #[expect(clippy::expect_used, reason = "tests")]
    pub fn made(self) -> String {
        self.expect(StatusCode::CREATED)["id"].as_str().expect("an id").to_owned()
    }

    /// Expects a SCIM error (RFC 7644 section 3.12) of this kind; gives back its detail.
    ///
    /// # Panics
    /// When it is another answer, or no complete SCIM error.
    #[expect(clippy::expect_used, reason = "tests")]
    pub fn refused(self, status: StatusCode, scim_type: Option<&str>) -> String {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text);
        assert_eq!(self.header("content-type"), "application/scim+json", "{}", self.request);
        assert_eq!(self.body["schemas"], json!([ERROR]), "{}: {}", self.request, self.text);
        assert_eq!(self.body["status"], json!(status.as_str()), "{}: {}", self.request, self.text);
        assert_eq!(self.body["scimType"].as_str(), scim_type, "{}: {}", self.request, self.text);
        self.body["detail"].as_str().expect("a detail: it is what an administrator is shown").to_owned()
    }

    /// A header without its parameters; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }
}
