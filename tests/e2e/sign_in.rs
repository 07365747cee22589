//! Signing in with a real `OpenID` provider: people in a browser, on the command line and on devices; machines with tokens
//! of their own.

mod accounts;
mod browser;
mod command_line;
mod machines;

use std::collections::BTreeMap;
use std::path::PathBuf;

use chancery_tests::{Api, OIDC_CLIENT, OpenIdProvider, Server};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Everybody's.
const PASSWORD: &str = "correct horse";

/// A server with providers that one can sign in with.
struct World {
    server: Server,
    directory: TempDir,
}

impl World {
    /// With this file of providers and trusted issuers.
    async fn start(file: &Value) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("oidc.json");
        std::fs::write(&path, file.to_string()).unwrap();
        let environment = [("CHANCERY_OIDC_FILE", path.to_str().unwrap())];
        let server = Server::start_in(&directory.path().join("data"), &environment).await;
        Self { server, directory }
    }

    /// With one provider, `company`, which makes accounts unless these settings say otherwise.
    async fn of(idp: &OpenIdProvider, settings: Value) -> Self {
        Self::start(&json!({ "providers": [provider("company", idp, settings)] })).await
    }

    /// A directory of its own.
    fn directory(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A browser that signs in as this person, and is let in.
    async fn signed_in(&self, idp: &OpenIdProvider, login: &str) -> Visitor {
        let mut visitor = Visitor::new(&self.server);
        let answer = visitor.sign_in(idp, "company", login).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text().await.unwrap());
        visitor
    }

    /// The newest event that a filter finds.
    async fn newest(&self, filter: &str) -> Value {
        let events = self.server.events(filter).await;
        events.last().cloned().unwrap_or_else(|| panic!("there is no event {filter}"))
    }
}

/// A provider's settings, the given ones over what every test needs.
fn provider(name: &str, idp: &OpenIdProvider, settings: Value) -> Value {
    let mut all = json!({
        "name": name, "issuer": idp.issuer(), "client_id": OIDC_CLIENT.0, "client_secret": OIDC_CLIENT.1,
        "scopes": ["openid", "profile", "email", "groups"], "create_users": true,
        "groups": {"auditors": [{"role": "auditor"}], "leads": [{"role": "user-admin", "organization": "acme"}]},
    });
    let (Value::Object(all_settings), Value::Object(settings)) = (&mut all, settings) else { panic!("objects") };
    all_settings.extend(settings);
    all
}

/// A person of a provider, in these groups.
fn person(name: &str, groups: &[&str]) -> Value {
    json!({ "password": PASSWORD, "claims": {
        "preferred_username": name, "name": name.to_uppercase(), "email": format!("{name}@example.com"),
        "email_verified": true, "groups": groups,
    }})
}

/// A browser at Chancery. It keeps cookies and follows nothing.
struct Visitor {
    api: Api,
    http: Client,
    cookies: BTreeMap<String, String>,
}

impl Visitor {
    fn new(api: &Api) -> Self {
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { api: api.clone(), http, cookies: BTreeMap::new() }
    }

    /// A request with the cookies.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.api.url) };
        self.http.request(method, url).header(COOKIE, cookies.join("; "))
    }

    async fn get(&mut self, path: &str) -> Response {
        let response = self.request(Method::GET, path).send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    /// Begins to sign in: where the browser is sent.
    async fn start(&mut self, provider: &str) -> String {
        let answer = self.get(&format!("/auth/{provider}/start?return_to=/console")).await;
        assert_eq!(answer.status(), StatusCode::FOUND);
        location(&answer)
    }

    /// Signs in: what the callback is answered with.
    async fn sign_in(&mut self, idp: &OpenIdProvider, provider: &str, login: &str) -> Response {
        let url = self.start(provider).await;
        let callback = idp.sign_in(&url, login, PASSWORD).await;
        self.get(&callback).await
    }

    /// Who the server takes it for.
    async fn me(&mut self) -> Value {
        let answer = self.get("/api/v1/me").await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Whether the session works.
    async fn is_in(&mut self) -> bool {
        self.get("/api/v1/me").await.status() == StatusCode::OK
    }
}

fn location(answer: &Response) -> String {
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

fn query(url: &str, name: &str) -> Option<String> {
    let url: Url = url.parse().unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Names of the deployment-wide roles somebody has.
fn roles(me: &Value) -> Vec<String> {
    me["roles"].as_array().unwrap().iter().map(|role| role["role"].as_str().unwrap().to_owned()).collect()
}
