//! Who a runner is: a key pair that it makes at its first start and registers with a runner key. It is kept in its data
//! directory, readable by its user alone, and signs every request from then on.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chancery_signatures::{CONTENT_DIGEST, KeyPair, SIGNATURE, SIGNATURE_INPUT, possession, sign};
use reqwest::Request;
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::http::{Connection, HttpServer, jitter};
use crate::server::ServerError;

/// What the runner keys of servers begin with.
const RUNNER_KEY: &str = "chr_";
const FILE: &str = "identity.json";
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// A registered runner.
#[derive(Debug)]
pub struct Identity {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Name of its organization.
    pub organization: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    pair: KeyPair,
}

impl Identity {
    /// A runner with this id and key pair.
    pub fn new(id: String, name: String, organization: String, tags: BTreeMap<String, String>, pair: KeyPair) -> Self {
        Self { id, name, organization, tags, pair }
    }

    /// Signs a request with a nonce of its own, at `now` seconds since 1970.
    pub(crate) fn sign(&self, request: &mut Request, now: i64) -> Result<(), String> {
        let body = match request.body() {
            None => &[][..],
            Some(body) => body.as_bytes().ok_or("a request that is not in memory cannot be signed")?,
        };
        let url = request.url();
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let method = request.method().as_str().to_owned();
        let nonce = format!("{:032x}", rand::random::<u128>());
        let signed = sign(&self.pair, &self.id, &chancery_signatures::Request::new(&method, &path, body), now, &nonce);
        for (name, value) in [
            (CONTENT_DIGEST, signed.content_digest),
            (SIGNATURE_INPUT, signed.signature_input),
            (SIGNATURE, signed.signature),
        ] {
            let value = HeaderValue::from_str(&value).map_err(|error| error.to_string())?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        Ok(())
    }
}

/// What is kept of it.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The server that knows it.
    server: String,
    /// Id of the runner key that it was registered with.
    runner_key: String,
    /// The bytes of its key pair, in base64.
    seed: String,
    /// What the server calls it, once it has registered.
    runner: Option<Registered>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Registered {
    id: String,
    name: String,
    organization: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// The identity of this runner: the one that is kept, or a new one that `key` registers; none where `key` is a token that is
/// presented as it is. A key other than the one that it was registered with makes it another runner.
///
/// # Errors
/// When it cannot be kept, or the server does not register it; in words.
pub(crate) async fn identity(
    connection: &Connection,
    directory: &Path,
    key: Option<&str>,
    name: Option<&str>,
) -> Result<Option<Arc<Identity>>, String> {
    if key.is_some_and(|key| !key.starts_with(RUNNER_KEY)) {
        return Ok(None);
    }
    let file = directory.join(FILE);
    let told = |error: io::Error| format!("the identity of the runner in {}: {error}", file.display());
    let id = key.and_then(|key| key.strip_prefix(RUNNER_KEY)?.split_once('_')).map(|(id, _)| id.to_owned());
    let kept = read(&file)
        .map_err(told)?
        .filter(|kept| kept.server == connection.server && id.as_ref().is_none_or(|id| *id == kept.runner_key));
    let kept = match (kept, key, id) {
        (Some(kept), ..) => kept,
        (None, Some(_), Some(id)) => {
            let seed = STANDARD.encode(rand::random::<[u8; 32]>());
            let kept = Kept { server: connection.server.clone(), runner_key: id, seed, runner: None };
            // Before it is registered: a runner that does not hear the answer asks again with the same key pair.
            write(directory, &file, &kept).map_err(told)?;
            kept
        }
        _ => {
            return Err("a runner needs a runner key to register: $CHANCERY_RUNNER_KEY, --key-file or --key".to_owned());
        }
    };
    let seed = STANDARD.decode(&kept.seed).ok().and_then(|seed| <[u8; 32]>::try_from(seed).ok());
    let pair = seed.and_then(|seed| KeyPair::from_seed(seed).ok());
    let pair = pair.ok_or_else(|| format!("the identity of the runner in {} holds no key pair", file.display()))?;
    let runner = match (&kept.runner, key) {
        (Some(runner), _) => runner.clone(),
        (None, Some(key)) => {
            let runner = register(connection, key, &kept.runner_key, &pair, name).await?;
            write(directory, &file, &Kept { runner: Some(runner.clone()), ..kept }).map_err(told)?;
            tracing::info!(runner.id = runner.id, organization = runner.organization, "the runner is registered");
            runner
        }
        (None, None) => return Err("the runner has not registered yet, and needs its runner key for that".to_owned()),
    };
    let Registered { id, name, organization, tags } = runner;
    Ok(Some(Arc::new(Identity::new(id, name, organization, tags, pair))))
}

/// Registers, as often as it takes to reach the server.
async fn register(
    connection: &Connection,
    key: &str,
    key_id: &str,
    pair: &KeyPair,
    name: Option<&str>,
) -> Result<Registered, String> {
    let server = HttpServer::new(Connection { key: key.to_owned(), identity: None, ..connection.clone() })?;
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let hostname = Some(hostname.trim()).filter(|name| !name.is_empty());
    let public_key = pair.public_key();
    let proof = pair.sign_text(&possession(key_id, &public_key));
    let request = serde_json::json!({
        "name": name.or(hostname).unwrap_or("runner"), "public_key": public_key, "proof": proof, "hostname": hostname,
        "version": env!("CARGO_PKG_VERSION"),
    });
    let mut pause = FIRST_PAUSE;
    loop {
        match server.register(&request).await {
            Err(ServerError::Unreachable(reason)) => {
                tracing::warn!(reason, pause_ms = pause.as_millis(), "the runner cannot register yet");
                tokio::time::sleep(pause + jitter(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            registered => return registered.map_err(|error| format!("the runner cannot register: {error}")),
        }
    }
}

impl HttpServer {
    async fn register(&self, request: &serde_json::Value) -> Result<Registered, ServerError> {
        self.ask("/api/v1/runners/register", request).await
    }
}

fn read(file: &Path) -> io::Result<Option<Kept>> {
    match fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes it all or not at all, for this user alone.
fn write(directory: &Path, file: &Path, kept: &Kept) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let beside = file.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    out.write_all(serde_json::to_string_pretty(kept)?.as_bytes())?;
    out.sync_all()?;
    fs::rename(&beside, file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn connection() -> Connection {
        Connection { server: "http://127.0.0.1:9".to_owned(), ..Connection::default() }
    }

    #[tokio::test]
    async fn an_identity_is_kept_for_its_server_and_key_and_for_its_user_alone() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let file = data.join(FILE);
        let runner = Registered {
            id: "r".to_owned(),
            name: "lab".to_owned(),
            organization: "acme".to_owned(),
            tags: BTreeMap::new(),
        };
        let (server, seed) = (connection().server, STANDARD.encode([7; 32]));
        write(&data, &file, &Kept { server, runner_key: "one".to_owned(), seed, runner: Some(runner) }).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        for key in [None, Some("chr_one_secret")] {
            let identity = identity(&connection(), &data, key, None).await.unwrap().unwrap();
            assert_eq!((identity.id.as_str(), identity.organization.as_str()), ("r", "acme"));
        }
        assert!(identity(&connection(), &data, Some("chy_some_token"), None).await.unwrap().is_none());
        let elsewhere = Connection { server: "http://127.0.0.1:10".to_owned(), ..connection() };
        assert!(identity(&elsewhere, &data, None, None).await.unwrap_err().contains("needs a runner key"));
        fs::write(&file, "{}").unwrap();
        assert!(identity(&connection(), &data, None, None).await.unwrap_err().contains("identity of the runner"));
    }
}
