//! `chancery templates`.

mod arguments;
mod directory;
mod settings;

use std::path::Path;

use chancery_terraform::{Limits, Packing, digest};
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::Client;
use crate::failure::{Doing, Failure};
use crate::terminal::{self, Output};

pub(crate) use self::arguments::TemplatesCommand;
use self::arguments::{AccessCommand, Attributes, Reasoned, SubjectArguments, VersionArguments};

/// Rows of a page.
const PAGE: &str = "500";

pub(crate) async fn run(command: &TemplatesCommand, client: &Client) -> Result<(), Failure> {
    match command {
        TemplatesCommand::List { organization, deleted, output } => {
            list(client, organization.as_ref(), *deleted, *output).await
        }
        TemplatesCommand::Show { template, version } => {
            let mut path = path(client, template).await?;
            if let Some(version) = version {
                path = format!("{path}/versions/{version}");
            }
            let shown = client.get(&path, &[]).await?;
            terminal::line(&serde_json::to_string_pretty(&shown).doing("printing")?);
            Ok(())
        }
        TemplatesCommand::Create { name, organization, attributes } => {
            let Attributes { display_name, description, set } = attributes;
            let request = json!({
                "name": name, "organization": organization, "display_name": display_name, "description": description,
                "settings": settings::patch(set, &[])?,
            });
            let made = client.post("/api/v1/templates", &request).await?;
            terminal::line(text(&made, "id"));
            Ok(())
        }
        TemplatesCommand::Edit { template, attributes, unset, if_version } => {
            edit(client, template, attributes, unset, *if_version).await
        }
        TemplatesCommand::Push { template, directory, name, message, promote } => {
            push(client, template, directory, (name.as_ref(), message.as_ref()), *promote).await
        }
        TemplatesCommand::Pull { template, directory, version } => {
            pull(client, template, directory, version.as_deref()).await
        }
        TemplatesCommand::Versions { template, output } => {
            let versions = client.get(&format!("{}/versions", path(client, template).await?), &[]).await?;
            let columns =
                ["name", "active", "archived", "message", "pushed_by", "pushed_at", "size_bytes", "sha256", "id"];
            print(&items(&versions), &columns, *output);
            Ok(())
        }
        TemplatesCommand::Promote(VersionArguments { template, version, reason }) => {
            promote(client, &path(client, template).await?, version, reason.as_ref()).await
        }
        TemplatesCommand::Withdraw(Reasoned { template, reason }) => {
            act(client, Method::DELETE, &format!("{}/promotion", path(client, template).await?), reason.as_ref())
                .await?;
            done("withdrawn")
        }
        TemplatesCommand::Archive(arguments) => put_away(client, arguments, "archive").await,
        TemplatesCommand::Unarchive(arguments) => put_away(client, arguments, "unarchive").await,
        TemplatesCommand::Deprecate { template, message } => {
            let path = format!("{}/deprecate", path(client, template).await?);
            client.post(&path, &json!({"message": message})).await?;
            done("deprecated")
        }
        TemplatesCommand::Undeprecate(Reasoned { template, reason }) => {
            act(client, Method::POST, &format!("{}/undeprecate", path(client, template).await?), reason.as_ref())
                .await?;
            done("undeprecated")
        }
        TemplatesCommand::Access(command) => access(client, command).await,
        TemplatesCommand::Delete(Reasoned { template, reason }) => {
            act(client, Method::DELETE, &path(client, template).await?, reason.as_ref()).await?;
            done("deleted")
        }
    }
}

async fn list(
    client: &Client,
    organization: Option<&String>,
    deleted: bool,
    output: Option<Output>,
) -> Result<(), Failure> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("limit", PAGE.to_owned()), ("deleted", deleted.to_string())];
        query.extend(organization.map(|name| ("organization", name.clone())));
        query.extend(after.take().map(|after| ("after", after)));
        let page = client.get("/api/v1/templates", &query).await?;
        all.extend(items(&page));
        after = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    let columns = [
        "name",
        "organization",
        "display_name",
        "status",
        "deprecation",
        "active_version",
        "versions",
        "updated_at",
        "id",
    ];
    print(&all, &columns, output);
    Ok(())
}

async fn edit(
    client: &Client,
    template: &str,
    attributes: &Attributes,
    unset: &[String],
    if_version: Option<u64>,
) -> Result<(), Failure> {
    let mut change = json!({});
    for (member, text) in [("display_name", &attributes.display_name), ("description", &attributes.description)] {
        if let Some(text) = text {
            change[member] = text.as_str().into();
        }
    }
    if !attributes.set.is_empty() || !unset.is_empty() {
        change["settings"] = settings::patch(&attributes.set, unset)?;
    }
    let mut request = client.request(Method::PATCH, &path(client, template).await?).json(&change);
    if let Some(version) = if_version {
        request = request.header(IF_MATCH, format!("\"{version}\""));
    }
    let changed: Value = client.send(request).await?.json().await.doing("reading the answer")?;
    terminal::line(&format!("version {}", changed.get("version").unwrap_or(&Value::Null)));
    Ok(())
}

async fn push(
    client: &Client,
    template: &str,
    directory: &Path,
    (name, message): (Option<&String>, Option<&String>),
    and_promote: bool,
) -> Result<(), Failure> {
    let archive = directory::read(directory)?.pack().doing("packing the files")?;
    let path = path(client, template).await?;
    let mut query = Vec::new();
    query.extend(name.map(|name| ("name", name)));
    query.extend(message.map(|message| ("message", message)));
    let compressed = chancery_terraform::compress(&archive).doing("packing the files")?;
    let request = client.request(Method::POST, &format!("{path}/versions")).query(&query);
    let request = request.header(CONTENT_TYPE, "application/gzip").body(compressed);
    let response = client.send(request).await?;
    let was_there = response.status() == StatusCode::OK;
    let version: Value = response.json().await.doing("reading the answer")?;
    let sha256 = text(&version, "sha256");
    if sha256 != digest(&archive) {
        return Err(Failure::failed("the server has other files than were sent"));
    }
    if was_there {
        eprintln!("chancery: it was there already");
    }
    terminal::line(&format!("{} {sha256}", text(&version, "name")));
    if and_promote {
        promote(client, &path, text(&version, "id"), None).await?;
    }
    Ok(())
}

async fn pull(client: &Client, template: &str, directory: &Path, version: Option<&str>) -> Result<(), Failure> {
    let path = path(client, template).await?;
    let version = if let Some(version) = version {
        version.to_owned()
    } else {
        let template = client.get(&path, &[]).await?;
        let active = template.get("active_version").and_then(Value::as_str).map(str::to_owned);
        active.ok_or_else(|| Failure::not_found("the template has no active version: name one"))?
    };
    let version = client.get(&format!("{path}/versions/{version}"), &[]).await?;
    let files = client.request(Method::GET, &format!("{path}/versions/{}/files", text(&version, "id")));
    let archive = client.send(files).await?.bytes().await.doing("reading the files")?;
    if digest(&archive) != text(&version, "sha256") {
        return Err(Failure::failed("the files are not those of the version: their digest is another"));
    }
    let files = chancery_terraform::read(&archive, Packing::Tar, &Limits::default()).doing("unpacking the files")?;
    directory::write(&files, directory)?;
    terminal::line(&format!("{}: {} files", text(&version, "name"), files.len()));
    Ok(())
}

async fn promote(client: &Client, path: &str, version: &str, reason: Option<&String>) -> Result<(), Failure> {
    let promote = format!("{path}/versions/{version}/promote");
    let response = client.send(client.request(Method::POST, &promote).json(&json!({"reason": reason}))).await?;
    match response.status() {
        StatusCode::ACCEPTED => done("asked for; another person has to promote it, too"),
        _ => done("promoted"),
    }
}

async fn put_away(client: &Client, arguments: &VersionArguments, action: &str) -> Result<(), Failure> {
    let VersionArguments { template, version, reason } = arguments;
    let path = format!("{}/versions/{version}/{action}", path(client, template).await?);
    act(client, Method::POST, &path, reason.as_ref()).await?;
    done(&format!("{action}d"))
}

async fn access(client: &Client, command: &AccessCommand) -> Result<(), Failure> {
    match command {
        AccessCommand::List { template, output } => {
            let access = client.get(&format!("{}/access", path(client, template).await?), &[]).await?;
            let columns = ["subject_kind", "subject_id", "subject_name", "permission", "granted_at"];
            print(&items(&access), &columns, *output);
            Ok(())
        }
        AccessCommand::Grant { template, subject, permission, reason } => {
            let path = format!("{}/access", path(client, template).await?);
            let mut request = subject_of(subject, reason.as_ref());
            request["permission"] = permission.as_str().into();
            client.send(client.request(Method::PUT, &path).json(&request)).await?;
            done("granted")
        }
        AccessCommand::Revoke { template, subject, reason } => {
            let path = format!("{}/access", path(client, template).await?);
            let request = subject_of(subject, reason.as_ref());
            client.send(client.request(Method::DELETE, &path).json(&request)).await?;
            done("revoked")
        }
    }
}

fn subject_of(subject: &SubjectArguments, reason: Option<&String>) -> Value {
    let (kind, id) = match (&subject.user, &subject.group) {
        (Some(user), _) => ("user", Some(user)),
        (None, Some(group)) => ("group", Some(group)),
        (None, None) => ("everyone", None),
    };
    json!({"subject_kind": kind, "subject_id": id, "reason": reason})
}

async fn act(client: &Client, method: Method, path: &str, reason: Option<&String>) -> Result<(), Failure> {
    client.send(client.request(method, path).json(&json!({"reason": reason}))).await.map(drop)
}

/// The path of a template that is called by its id, its name, or organization/name.
async fn path(client: &Client, template: &str) -> Result<String, Failure> {
    let of = |id: &str| format!("/api/v1/templates/{id}");
    if uuid::Uuid::try_parse(template).is_ok() {
        return Ok(of(template));
    }
    let (organization, name) = match template.split_once('/') {
        Some((organization, name)) => (Some(organization), name),
        None => (None, template),
    };
    let mut query = vec![("name", name.to_owned())];
    query.extend(organization.map(|organization| ("organization", organization.to_owned())));
    let found = items(&client.get("/api/v1/templates", &query).await?);
    match found.as_slice() {
        [one] => Ok(of(text(one, "id"))),
        [] if organization.is_none() => Ok(of(name)),
        [] => Err(Failure::not_found(format!("there is no template `{template}`"))),
        several => {
            let organizations: Vec<&str> = several.iter().map(|template| text(template, "organization")).collect();
            let reason = format!("`{name}` is in {}: name it as organization/{name}", organizations.join(" and "));
            Err(Failure::usage(reason))
        }
    }
}

fn items(page: &Value) -> Vec<Value> {
    page.get("items").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn print(items: &[Value], columns: &[&str], output: Option<Output>) {
    let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
    let row = |item: &Value| columns.iter().map(|column| item.get(column).cloned().unwrap_or_default()).collect();
    let rows: Vec<Vec<Value>> = items.iter().map(row).collect();
    terminal::rows(&columns, &rows, Output::or_default(output));
}

#[expect(clippy::unnecessary_wraps, reason = "the end of a command")]
fn done(text: &str) -> Result<(), Failure> {
    terminal::line(text);
    Ok(())
}
