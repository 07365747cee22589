//! Templates: made, pushed, promoted, given, taken, removed; over HTTP and on the command line.

mod access;
mod archives;
mod command_line;
mod life;
mod promotion;

use chancery_tests::{Answer, Api, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

const MAIN: &str =
    "variable \"region\" {\n  type = string\n}\n\nresource \"coder_metadata\" \"x\" {\n  daily_cost = 7\n}\n";

/// A server with the organizations acme and beta.
async fn start() -> Server {
    let server = Server::start().await;
    for name in ["acme", "beta"] {
        server.post("/api/v1/organizations", &json!({"name": name})).await.expect(StatusCode::CREATED);
    }
    server
}

/// The path of a new template in acme.
async fn template(api: &Api, name: &str, settings: Value) -> String {
    let order = json!({"name": name, "organization": "acme", "settings": settings});
    format!("/api/v1/templates/{}", api.post("/api/v1/templates", &order).await.made())
}

/// A tar archive of entries whose names are taken as they are.
fn tar(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn files(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<(&str, EntryType, &[u8])> =
        entries.iter().map(|(name, content)| (*name, EntryType::Regular, content.as_bytes())).collect();
    tar(&entries)
}

/// Pushes an archive with the admin token.
async fn push(api: &Api, template: &str, query: &str, archive: Vec<u8>) -> Answer {
    let path = format!("{template}/versions{query}");
    let request = api.request(Method::POST, &path).header("content-type", "application/x-tar").body(archive);
    Answer::of(format!("POST {path}"), request.send().await.unwrap()).await
}

/// A version of `MAIN`, by its name.
async fn version(api: &Api, template: &str, name: &str) {
    let content = format!("# {name}\n{MAIN}");
    let archive = files(&[("main.tf", &content)]);
    push(api, template, &format!("?name={name}"), archive).await.expect(StatusCode::CREATED);
}

/// Types of the events about a template, in the order they happened.
async fn told(api: &Api, template: &str) -> Vec<String> {
    let id = template.rsplit('/').next().unwrap();
    let events = api.events(&format!("resource.id:{id} type:template.*")).await;
    events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

/// Someone with a token of their own.
struct Person<'a> {
    api: &'a Api,
    id: String,
    token: String,
}

impl<'a> Person<'a> {
    /// A member of an organization, with another role perhaps.
    async fn new(api: &'a Api, name: &str, organization: &str, role: Option<&str>) -> Self {
        let roles: Vec<Value> = role
            .into_iter()
            .chain(["member"])
            .map(|role| json!({"role": role, "organization": organization}))
            .collect();
        let user = json!({"username": name, "organization": organization, "roles": roles});
        let id = api.post("/api/v1/users", &user).await.made();
        Self::of(api, id).await
    }

    /// A user that is there.
    async fn of(api: &'a Api, id: String) -> Self {
        let order = json!({"name": "own", "scopes": ["admin"], "owner": {"kind": "user", "id": id}});
        let made = api.post("/api/v1/tokens", &order).await.expect(StatusCode::CREATED);
        Self { api, id, token: made["token"].as_str().unwrap().to_owned() }
    }

    async fn asks(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.api.anonymous(method.clone(), path).bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.json(&body) };
        Answer::of(format!("{method} {path} {body}"), request.send().await.unwrap()).await
    }

    async fn gets(&self, path: &str) -> Answer {
        self.asks(Method::GET, path, Value::Null).await
    }

    async fn promotes(&self, template: &str, version: &str) -> Answer {
        self.asks(Method::POST, &format!("{template}/versions/{version}/promote"), json!({"reason": "tested"})).await
    }

    /// Ids of the templates they see.
    async fn sees(&self) -> Vec<String> {
        let list = self.gets("/api/v1/templates").await.expect(StatusCode::OK);
        let items = list["items"].as_array().unwrap();
        items.iter().map(|template| format!("/api/v1/templates/{}", template["id"].as_str().unwrap())).collect()
    }
}
