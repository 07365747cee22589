//! `chancery serve`: opens log, state and lake, does what the roles of this node say, and shuts down in order.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chancery_domain::decision::{Context, EventIds};
use chancery_domain::events::tokens::TokenKind;
use chancery_domain::tokens::{CreateToken, Scope};
use chancery_domain::{Actor, ActorKind, OWN_SOURCE};
use chancery_gateway::{
    Gateway, PrometheusHandle, SessionSettings, Settings, StateSettings, attend, guard, metrics_recorder, new_token,
    upkeep,
};
use chancery_intake::Inbound;
use chancery_lake::{Blobs, Lake, LakeOptions};
use chancery_log::{KafkaLogOptions, Log, LogOptions, Role, consume, system_clock};
use chancery_scim::schema::{Definitions, Registry};
use chancery_state::{Decisions, Projector, State};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::configuration::{Configuration, LogEngine, sign_in};
use crate::failure::{Doing, Failure};
use crate::{clock, demo, telemetry, terminal};

/// How often it is looked for users that are to be deleted, and for memberships that are over.
const DELETIONS: Duration = Duration::from_mins(1);

/// Longest that shutting down may take after the requests are drained.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves until a signal.
pub(crate) async fn serve(configuration: Configuration, demo: Option<demo::Demo>) -> Result<(), Failure> {
    telemetry::start(&configuration);
    let directory = &configuration.data_directory;
    let _owner = match configuration.log {
        LogEngine::Sqlite => Some(own(directory)?),
        LogEngine::Kafka(_) => None,
    };
    let listener =
        TcpListener::bind(&configuration.address).doing(&format!("listening on {}", configuration.address))?;
    let metrics = metrics_recorder().doing("starting the metrics")?;

    let log = open_log(&configuration, configuration.roles.clone()).await?;
    let state = open_state(&configuration, &log).await?;
    let (lake, blobs) = open_lake(&configuration, &log).await?;
    let consumers = CancellationToken::new();
    let mut working = work(&configuration, &log, &state, &lake, &consumers)?;
    let parts = (log.clone(), state.clone(), lake, blobs);
    let served = stay_open(&configuration, demo, (listener, metrics), parts, &mut working, &consumers).await;
    // Also after a failure: what works in the background ends before the runtime does.
    let orderly = async {
        consumers.cancel();
        for task in working {
            task.await.ok();
        }
        log.close().await;
        state.close().await;
    };
    if tokio::time::timeout(PATIENCE, orderly).await.is_err() {
        tracing::warn!("shutting down took too long; what is left is done at the next start");
    }
    served
}

/// Catches up, serves requests until a signal, and drains them.
async fn stay_open(
    configuration: &Configuration,
    demo: Option<demo::Demo>,
    (listener, metrics): (TcpListener, PrometheusHandle),
    parts: (Log, State, Lake, Blobs),
    working: &mut Vec<JoinHandle<()>>,
    consumers: &CancellationToken,
) -> Result<(), Failure> {
    let address = listener.local_addr().doing("listening")?;
    let (log, state) = (parts.0.clone(), parts.1.clone());
    let decisions = Decisions::new(log.clone(), state.clone());
    let caught_up = async || decisions.catch_up(&log.heads()).await.doing("folding the log into the state");
    caught_up().await?;
    let demo_token = match &demo {
        Some(demo) => {
            demo.fill(&log).await?;
            caught_up().await?;
            Some(demo.token(&configuration.data_directory, &decisions).await?)
        }
        None => None,
    };
    let setup = first_admin(configuration, &state, &decisions, demo.is_none()).await?;

    let gateway = gateway(configuration, parts, metrics, setup.as_deref())?;
    if configuration.roles.contains(&Role::Gateway) {
        working.push(end_sessions(gateway.clone(), consumers.clone()));
        working.push(look_after_builds(gateway.clone(), consumers.clone()));
        working.push(look_after_runners(gateway.clone(), consumers.clone()));
    }
    let http = CancellationToken::new();
    let inbound = follow_kafka(configuration, &log, &http).await?;
    let draining = gateway.draining.clone();
    let server = tokio::spawn(chancery_gateway::serve(listener, gateway, http.clone()));
    tracing::info!(%address, node = configuration.node, head = log.heads().total(), "serving");
    greet(&address.to_string(), setup.as_deref(), demo_token.as_deref());
    let building = match (demo.and_then(|demo| demo.terraform), demo_token) {
        (Some(terraform), Some(token)) => {
            let at = Configuration { address: address.to_string(), ..configuration.clone() };
            Some(tokio::spawn(demo::build_workspace(at, token, terraform, draining.clone())))
        }
        _ => None,
    };

    wait_for_signal().await?;
    tracing::info!("shutting down");
    draining.cancel();
    if let Some(building) = building {
        building.await.ok();
    }
    tokio::time::sleep(configuration.drain).await;
    http.cancel();
    server.await.doing("stopping the server")?.doing("serving")?;
    if let Some(inbound) = inbound {
        inbound.await.ok();
    }
    Ok(())
}

/// What requests are served with.
fn gateway(
    configuration: &Configuration,
    parts: (Log, State, Lake, Blobs),
    metrics: PrometheusHandle,
    setup: Option<&str>,
) -> Result<Arc<Gateway>, Failure> {
    Ok(Gateway::new(
        parts,
        scim_registry(configuration.scim_definitions.as_deref())?,
        sign_in(configuration, |name| std::env::var(name).ok())?,
        Settings {
            max_body_bytes: configuration.max_body_bytes,
            max_batch_events: configuration.max_batch_events,
            query_timeout: configuration.query_timeout,
            max_rows: configuration.max_rows,
            trusted_proxies: configuration.trusted_proxies.clone(),
            serves_api: configuration.roles.contains(&Role::Gateway),
            max_scim_body_bytes: configuration.max_scim_body_bytes,
            public_url: configuration.public_url.clone(),
            states: states(configuration)?,
            sessions: sessions(configuration)?,
            price: configuration.price.clone(),
            runners: configuration.runners,
        },
        metrics,
        system_clock(),
        setup.map(|token| format!("{:x}", Sha256::digest(token.as_bytes()))),
    ))
}

/// Ends sessions that may not go on. Decisions stay on one thread, as for the deletions.
fn end_sessions(gateway: Arc<Gateway>, cancel: CancellationToken) -> JoinHandle<()> {
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(guard(gateway, cancel)))
}

/// Takes jobs from runners that are lost. Decisions stay on one thread, as for the deletions.
fn look_after_runners(gateway: Arc<Gateway>, cancel: CancellationToken) -> JoinHandle<()> {
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(attend(gateway, cancel)))
}

/// Looks after what builds leave behind.
fn look_after_builds(gateway: Arc<Gateway>, cancel: CancellationToken) -> JoinHandle<()> {
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(upkeep(gateway, cancel)))
}

/// Opens the log, for a node with these roles.
pub(crate) async fn open_log(configuration: &Configuration, roles: BTreeSet<Role>) -> Result<Log, Failure> {
    let opened = match &configuration.log {
        LogEngine::Sqlite => {
            let options = LogOptions { queue_events: configuration.queue_events, ..LogOptions::default() };
            Log::open(&configuration.data_directory.join("log"), options).await
        }
        LogEngine::Kafka(options) => Log::open_kafka(KafkaLogOptions { roles, ..(**options).clone() }).await,
    };
    opened.doing("opening the log")
}

/// Opens the lake, and the store of what is kept beside it.
async fn open_lake(configuration: &Configuration, log: &Log) -> Result<(Lake, Blobs), Failure> {
    let options = lake_options(configuration);
    let lake = Lake::open(&configuration.lake, log.clone(), options).await.doing("opening the lake")?;
    let blobs = Blobs::open(&configuration.blobs()).doing("opening the store of templates")?;
    Ok((lake, blobs))
}

/// Starts what the roles of this node say.
fn work(
    configuration: &Configuration,
    log: &Log,
    state: &State,
    lake: &Lake,
    cancel: &CancellationToken,
) -> Result<Vec<JoinHandle<()>>, Failure> {
    let roles = &configuration.roles;
    let mut working = Vec::new();
    if roles.contains(&Role::Projector) {
        let assignment = log.assignment(Role::Projector).doing("joining the projectors")?;
        let (projector, dead_letters) = (Projector::new(state.clone()), Arc::new(state.clone()));
        working.push(tokio::spawn(consume(log.clone(), projector, dead_letters, assignment, cancel.clone())));
    }
    if roles.contains(&Role::Archiver) || roles.contains(&Role::Gateway) {
        let (lake, cancel) = (lake.clone(), cancel.clone());
        working.push(tokio::spawn(async move { lake.run(cancel).await }));
    }
    if roles.contains(&Role::Projector) {
        let (clock, decisions) =
            (Decisions::new(log.clone(), state.clone()), Decisions::new(log.clone(), state.clone()));
        let (every, patience) = (configuration.clock, configuration.patience);
        let (timed, stopped, runtime) = (log.clone(), cancel.clone(), Handle::current());
        working.push(tokio::task::spawn_blocking(move || {
            runtime.block_on(clock::run(timed, clock, every, patience, stopped));
        }));
        // Decisions borrow across threads in a way that the compiler cannot see through: they stay on one.
        let (log, cancel, runtime) = (log.clone(), cancel.clone(), Handle::current());
        working.push(tokio::task::spawn_blocking(move || runtime.block_on(do_what_is_due(log, decisions, cancel))));
    }
    Ok(working)
}

/// Deletes users whose connection keeps them for some days after they were removed, and ends memberships that are over.
/// One node does.
async fn do_what_is_due(log: Log, decisions: Decisions, cancel: CancellationToken) {
    while cancel.run_until_cancelled(tokio::time::sleep(DELETIONS)).await.is_some() {
        match log.leads("deletions").await {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => {
                tracing::warn!(%error, "finding out which node does what is due");
                continue;
            }
        }
        match decisions.delete_due_users(own_context).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "deleted users whose time was over"),
            Err(error) => tracing::warn!(%error, "deleting users whose time is over"),
        }
        match decisions.end_due_memberships(clock_context).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "ended memberships whose time was over"),
            Err(error) => tracing::warn!(%error, "ending memberships whose time is over"),
        }
    }
}

/// What a decision of the clock's may know.
fn clock_context() -> Context {
    let actor = Actor { id: "clock".to_owned(), kind: ActorKind::System, ..Actor::default() };
    Context { actor, ..own_context() }
}

/// What a decision of Chancery's own may know.
fn own_context() -> Context {
    Context {
        now: system_clock()(),
        ids: EventIds::starting_with(uuid::Uuid::now_v7()),
        source: OWN_SOURCE.to_owned(),
        actor: Actor { id: "chancery".to_owned(), kind: ActorKind::System, ..Actor::default() },
        correlation: None,
        policies: Vec::new(),
    }
}

async fn open_state(configuration: &Configuration, log: &Log) -> Result<State, Failure> {
    let state = State::open(&configuration.database, log, system_clock()).await.doing("opening the state")?;
    let (applied, heads) = (state.applied(), log.barrier().await.doing("opening the log")?);
    if !heads.reaches(&applied) {
        return Err(Failure::failed(format!(
            "the state has seen position {applied} and the log ends at {heads}: it is another log's; \
             `chancery state rebuild` makes it this one's"
        )));
    }
    configuration.database.remove_older().doing("removing the state of the version before")?;
    Ok(state)
}

/// Takes events from Kafka, if there is one, until cancelled.
async fn follow_kafka(
    configuration: &Configuration,
    log: &Log,
    cancel: &CancellationToken,
) -> Result<Option<JoinHandle<()>>, Failure> {
    let Some(kafka) = &configuration.kafka else { return Ok(None) };
    let inbound = Inbound::open(kafka.clone(), log.clone(), system_clock()).await.doing("following Kafka")?;
    Ok(Some(tokio::spawn(inbound.run(cancel.clone()))))
}

fn lake_options(configuration: &Configuration) -> LakeOptions {
    LakeOptions {
        batch_events: configuration.batch_events,
        batch_age: configuration.batch_age,
        tail_events: configuration.batch_events * 3,
        query_memory: configuration.query_memory,
        query_timeout: configuration.query_timeout,
        file_retention: configuration.query_timeout.max(Duration::from_hours(1)),
        ..LakeOptions::default()
    }
}

/// Makes this process the only owner of the data directory, for as long as the file is held.
pub(crate) fn own(directory: &Path) -> Result<File, Failure> {
    let name = directory.display();
    std::fs::create_dir_all(directory).doing(&format!("making the data directory {name}"))?;
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(directory.join("owner"))
        .doing(&format!("opening the data directory {name}"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            file.read_to_string(&mut owner).ok();
            return Err(Failure::failed(format!("the data directory {name} is in use by process {}", owner.trim())));
        }
        Err(TryLockError::Error(error)) => return Err(error).doing(&format!("locking the data directory {name}")),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .doing("locking")?;
    Ok(file)
}

/// How sessions are allowed, with the secret of this deployment: the configured one, or one that is drawn and kept beside
/// the log. Nodes of a cluster share no directory: theirs is configured.
fn sessions(configuration: &Configuration) -> Result<SessionSettings, Failure> {
    let mut settings = configuration.sessions.clone();
    if settings.secret.is_none() && matches!(configuration.log, LogEngine::Sqlite) {
        let file = configuration.data_directory.join("sessions.key");
        let doing = format!("reading {}", file.display());
        let drawn = format!("{:032x}{:032x}\n", rand::random::<u128>(), rand::random::<u128>());
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file) {
            Ok(mut made) => made.write_all(drawn.as_bytes()).and_then(|()| made.sync_all()).doing(&doing)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).doing(&doing),
        }
        let secret = std::fs::read_to_string(&file).doing(&doing)?;
        if secret.trim().len() < 32 {
            return Err(Failure::failed(format!("{} is too short to be a secret", file.display())));
        }
        settings.secret = Some(secret.trim().as_bytes().to_vec());
    }
    Ok(settings)
}

/// How states are kept: encrypted with a secret of its own, or with that of sessions.
fn states(configuration: &Configuration) -> Result<StateSettings, Failure> {
    let mut settings = configuration.states.clone();
    let sessions = sessions(configuration)?.secret;
    if settings.key.is_none() {
        settings.key = sessions;
    } else {
        // What was encrypted before there was one of its own.
        settings.old_keys.extend(sessions);
    }
    Ok(settings)
}

/// Makes the configured admin token if there is one, or draws a set-up token if nobody is admin yet.
async fn first_admin(
    configuration: &Configuration,
    state: &State,
    decisions: &Decisions,
    draw: bool,
) -> Result<Option<String>, Failure> {
    if let Some(token) = &configuration.setup_token {
        let parts = token.strip_prefix("chy_").and_then(|rest| rest.split_once('_'));
        let (id, secret) = parts.ok_or_else(|| Failure::usage("`setup.token` must be `chy_<id>_<secret>`"))?;
        if state.token(id).await.doing("reading tokens")?.is_none() {
            let secret_sha256 = format!("{:x}", Sha256::digest(secret.as_bytes()));
            let made = create_admin(decisions, id.to_owned(), secret_sha256, "configured").await;
            if made.is_err() && !appears(state, id).await {
                made?;
            }
        }
        return Ok(None);
    }
    let needed = draw && !decisions.has_admin(system_clock()()).await.doing("reading tokens")?;
    Ok(needed.then(|| new_token().text.replacen("chy_", "setup_", 1)))
}

/// Whether a token is there before long: another node that starts now may have made it.
async fn appears(state: &State, id: &str) -> bool {
    for _ in 0..150 {
        if state.token(id).await.is_ok_and(|token| token.is_some()) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

/// The schemas and resource types of SCIM: the standard ones, and those of a file.
fn scim_registry(definitions: Option<&Path>) -> Result<Registry, Failure> {
    let standard = Registry::standard().doing("reading the standard SCIM schemas")?;
    let Some(path) = definitions else { return Ok(standard) };
    let doing = format!("reading {}", path.display());
    let text = std::fs::read_to_string(path).doing(&doing)?;
    let definitions: Definitions = serde_json::from_str(&text).doing(&doing)?;
    standard.with(definitions).doing(&doing)
}

/// Makes an admin token.
pub(crate) async fn create_admin(
    decisions: &Decisions,
    id: String,
    secret_sha256: String,
    name: &str,
) -> Result<(), Failure> {
    let command = CreateToken {
        id,
        name: name.to_owned(),
        secret_sha256,
        scopes: [Scope::Admin].into(),
        expires_at: None,
        kind: TokenKind::Api,
        owner: None,
    };
    decisions.create_token(command, own_context()).await.doing("making the first admin token")
}

fn greet(address: &str, setup: Option<&str>, demo_token: Option<&str>) {
    if let Some(token) = demo_token {
        demo::greet(address, token);
    } else if let Some(token) = setup {
        terminal::line(&format!(
            "\nNobody is admin yet. This one-time set-up token makes the first admin token:\n\n    {token}\n\n    \
             curl -s http://{address}/api/v1/setup --json '{{\"setup_token\":\"{token}\"}}'\n"
        ));
    }
}

async fn wait_for_signal() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).doing("waiting for signals")?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.doing("waiting for signals")?,
    }
    Ok(())
}
