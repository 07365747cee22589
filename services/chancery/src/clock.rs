//! The clock: one node looks at all workspaces now and then, and asks for what is due.

use std::time::Duration;

use chancery_domain::decision::{Context, EventIds};
use chancery_domain::workspaces::clock::Patience;
use chancery_domain::{Actor, ActorKind, OWN_SOURCE};
use chancery_log::{Log, system_clock};
use chancery_state::Decisions;
use tokio_util::sync::CancellationToken;

/// Goes its rounds until cancelled.
pub(crate) async fn run(
    log: Log,
    decisions: Decisions,
    every: Duration,
    patience: Patience,
    cancel: CancellationToken,
) {
    while cancel.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        let gone = match log.leads("clock").await {
            Ok(true) => decisions.go_round(patience, context).await.map_err(|error| error.to_string()),
            Ok(false) => continue,
            Err(error) => Err(error.to_string()),
        };
        match gone {
            Ok(rounds) if rounds.acted + rounds.warned + rounds.failed == 0 => {}
            Ok(rounds) => {
                tracing::info!(
                    seen = rounds.seen,
                    acted = rounds.acted,
                    warned = rounds.warned,
                    "the clock went round"
                );
            }
            Err(error) => tracing::warn!(error, "the clock could not go round"),
        }
    }
}

/// What a decision of the clock may know. It is an actor of its own.
fn context() -> Context {
    Context {
        now: system_clock()(),
        ids: EventIds::starting_with(uuid::Uuid::now_v7()),
        source: OWN_SOURCE.to_owned(),
        actor: Actor {
            id: "clock".to_owned(),
            kind: ActorKind::System,
            name: Some("clock".to_owned()),
            ..Actor::default()
        },
        correlation: None,
        policies: Vec::new(),
    }
}
