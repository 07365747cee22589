//! `chancery login` and `chancery logout`.

mod listener;

use std::io::IsTerminal;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cli::LoginArguments;
use crate::client::Client;
use crate::configuration::Configuration;
use crate::failure::{Doing, Failure};
use crate::{session, terminal};
use listener::Listener;

/// What RFC 8628 asks of whoever is told to slow down.
const SLOWER: Duration = Duration::from_secs(5);

/// Signs in and keeps the session.
pub(crate) async fn login(arguments: &LoginArguments, configuration: &Configuration) -> Result<(), Failure> {
    let client = Client::with_token(configuration, None)?;
    let provider = match &arguments.provider {
        Some(name) => name.clone(),
        None => only_provider(&client).await?,
    };
    let made =
        if arguments.device { on_device(&client, &provider).await? } else { in_browser(&client, &provider).await? };
    let token = text(&made, "token")?;
    session::keep(client.server(), token)?;
    let username = made.pointer("/user/username").and_then(Value::as_str).unwrap_or_default();
    terminal::line(&format!("signed in as {username} until {}", text(&made, "expires_at")?));
    Ok(())
}

/// Ends the session and forgets it.
pub(crate) async fn logout(configuration: &Configuration) -> Result<(), Failure> {
    let server = &configuration.client_server;
    let Some(token) = session::find(server)? else {
        return Err(Failure::not_found(format!("nobody is signed in to {server}")));
    };
    let client = Client::with_token(configuration, Some(token))?;
    let ended = client.send(client.request(Method::POST, "/api/v1/sign-out")).await;
    match ended {
        // It has ended before.
        Err(failure) if !failure.is_unauthorized() => return Err(failure),
        _ => session::forget(server)?,
    }
    terminal::line("signed out");
    Ok(())
}

async fn only_provider(client: &Client) -> Result<String, Failure> {
    let providers = client.get("/api/v1/sign-in/providers", &[]).await?;
    let items = providers.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<&str> = items.iter().filter_map(|item| item.get("name")?.as_str()).collect();
    match names.as_slice() {
        [] => Err(Failure::failed("the server has no identity provider to sign in with")),
        [name] => Ok((*name).to_owned()),
        names => Err(Failure::usage(format!("choose a provider with --provider: {}", names.join(", ")))),
    }
}

/// Authorization code with PKCE: the browser comes back to a port of this machine (RFC 8252).
async fn in_browser(client: &Client, provider: &str) -> Result<Value, Failure> {
    let listener = Listener::bind().await?;
    let verifier = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let mut url = url::Url::parse(client.server()).doing("reading the server's address")?;
    url.path_segments_mut()
        .map_err(|()| Failure::usage("the server's address has no path"))?
        .pop_if_empty()
        .extend(["auth", provider, "start"]);
    url.query_pairs_mut().append_pair("cli", &listener.url()).append_pair("challenge", &challenge);
    terminal::line(&format!("Sign in with a browser of this machine:\n\n    {url}\n"));
    show(url.as_str());
    let code = listener.code().await?;
    client.post("/api/v1/sign-in/exchange", &json!({ "code": code, "verifier": verifier })).await
}

/// Device authorization: the person types a code into a browser anywhere.
async fn on_device(client: &Client, provider: &str) -> Result<Value, Failure> {
    let begun = client.post("/api/v1/sign-in/device", &json!({ "provider": provider })).await?;
    let (address, code) = (text(&begun, "verification_uri")?, text(&begun, "user_code")?);
    terminal::line(&format!("Open {address} in any browser and enter the code\n\n    {code}\n"));
    let mut interval = Duration::from_secs(begun.get("interval").and_then(Value::as_u64).unwrap_or(5));
    let handle = json!({ "handle": text(&begun, "handle")? });
    loop {
        tokio::time::sleep(interval).await;
        let answer = client.post("/api/v1/sign-in/device/poll", &handle).await?;
        match text(&answer, "status")? {
            "signed_in" => return Ok(answer),
            "slow_down" => interval += SLOWER,
            _ => {}
        }
    }
}

/// Opens a browser for a person at a terminal, if there is one to open.
fn show(url: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    if std::io::stdout().is_terminal() {
        Command::new(opener).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok();
    }
}

fn text<'a>(answer: &'a Value, name: &str) -> Result<&'a str, Failure> {
    let text = answer.get(name).and_then(Value::as_str);
    text.ok_or_else(|| Failure::failed(format!("the server's answer has no `{name}`")))
}
