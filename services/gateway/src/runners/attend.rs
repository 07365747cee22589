//! Who was heard of when; and what is done about those who are silent.
//!
//! Runners say every few seconds that their jobs go on. That is kept in memory and written to a table now and then, never to
//! the log. One node looks for what has lapsed, and gives everyone time when it begins: nobody may have been able to reach
//! any node before.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chancery_domain::Timestamp;
use chancery_domain::decision::{Context, Refusal};
use chancery_domain::runners::RunnerStatus;
use chancery_domain::workspaces::builds::BuildRecord;
use chancery_domain::{Actor, ActorKind};
use tokio_util::sync::CancellationToken;

use super::key;
use super::signature::REMEMBERED;
use crate::error::ApiError;
use crate::gateway::Gateway;

/// How often what was heard is written down, and silence looked for, at most.
const TURN: Duration = Duration::from_secs(2);
/// How often what nobody asks for any more is forgotten.
const FORGET: Duration = Duration::from_mins(5);
const DAY: i64 = 86_400_000_000;

/// When runners and jobs were heard of by this node.
#[derive(Debug, Default)]
pub(crate) struct Beats {
    all: Mutex<HashMap<String, Timestamp>>,
    unwritten: Mutex<BTreeMap<String, Timestamp>>,
}

impl Beats {
    /// Notes that `runner/<id>` or `job/<id>` was heard of.
    pub(crate) fn note(&self, what: String, now: Timestamp) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).insert(what.clone(), now);
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).insert(what, now);
    }

    fn of(&self, what: &str) -> Option<Timestamp> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).get(what).copied()
    }

    fn forget(&self, before: Timestamp) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, at| *at >= before);
    }

    fn unwritten(&self) -> BTreeMap<String, Timestamp> {
        std::mem::take(&mut *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// They are still to be written, unless newer ones came.
    fn put_back(&self, beats: BTreeMap<String, Timestamp>) {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, at) in beats {
            unwritten.entry(what).or_insert(at);
        }
    }
}

/// Looks after runners until cancelled.
pub async fn attend(gateway: Arc<Gateway>, cancel: CancellationToken) {
    let lease = Duration::from_micros(gateway.settings.runners.leases.lease.unsigned_abs());
    let turn = TURN.min(lease / 4).max(Duration::from_millis(50));
    let (mut leads_since, mut forgotten): (Option<Instant>, Option<Instant>) = (None, None);
    while cancel.run_until_cancelled(tokio::time::sleep(turn)).await.is_some() {
        let looked = async {
            gateway.write_beats().await?;
            if !gateway.log.leads("runners").await? {
                leads_since = None;
                return Ok(());
            }
            let since = *leads_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= lease {
                gateway.look_after_jobs().await?;
            }
            if since.elapsed() >= gateway.settings.runners.lost {
                gateway.look_after_runners().await?;
            }
            if forgotten.is_none_or(|at| at.elapsed() >= FORGET) {
                forgotten = Some(Instant::now());
                gateway.forget_what_is_old().await?;
            }
            Ok::<_, ApiError>(())
        };
        if let Err(error) = looked.await {
            tracing::warn!(%error, "runners could not be looked after; trying again");
        }
    }
    if let Err(error) = gateway.write_beats().await {
        tracing::warn!(%error, "who was heard of could not be written down");
    }
}

impl Gateway {
    /// When everyone was last heard of, by any node.
    pub(crate) async fn heard(&self) -> Result<HashMap<String, Timestamp>, ApiError> {
        let mut heard = self.state.runner_beats().await?;
        for (what, at) in self.beats.all.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let known = heard.entry(what.clone()).or_insert(*at);
            *known = (*known).max(*at);
        }
        Ok(heard)
    }

    async fn write_beats(&self) -> Result<(), ApiError> {
        let beats = self.beats.unwritten();
        if beats.is_empty() {
            return Ok(());
        }
        let written = self.state.note_runner_beats(&beats).await;
        if written.is_err() {
            self.beats.put_back(beats);
        }
        Ok(written?)
    }

    /// Jobs whose leases have run out wait again, or are given up.
    async fn look_after_jobs(&self) -> Result<(), ApiError> {
        let written = self.state.runner_beats().await?;
        let heard = |build: &BuildRecord| {
            let job = format!("job/{}", build.job_id.as_deref().unwrap_or_default());
            let known = written.get(&job).copied().max(self.beats.of(&job)).max(build.started_at);
            known.unwrap_or(Timestamp::EPOCH)
        };
        let reaped = self.decisions.reap_jobs(&self.settings.runners.leases, heard, || self.clock_context()).await?;
        if reaped.requeued > 0 {
            self.queue.distrust().await;
        }
        if reaped.requeued + reaped.ended > 0 {
            tracing::info!(requeued = reaped.requeued, ended = reaped.ended, "leases have run out");
        }
        Ok(())
    }

    /// Runners that are silent are lost.
    async fn look_after_runners(&self) -> Result<(), ApiError> {
        let lost = i64::try_from(self.settings.runners.lost.as_micros()).unwrap_or(i64::MAX);
        let before = self.now().saturating_add_micros(-lost);
        let heard = self.heard().await?;
        for runner in self.state.all_runners().await? {
            let seen = heard.get(&format!("runner/{}", runner.id)).copied().max(runner.connected_at);
            if runner.status != RunnerStatus::Connected || seen.is_some_and(|seen| seen > before) {
                continue;
            }
            self.decisions
                .decide(&[key(&runner.id)], async || {
                    let present = self.state.stored_runner(&runner.id).await?.ok_or(Refusal::Unknown("runner"))?;
                    let reason = format!("it was not heard of for {} seconds", lost / 1_000_000);
                    Ok::<_, ApiError>((present.lose(reason, self.clock_context()), ()))
                })
                .await?;
        }
        Ok(())
    }

    async fn forget_what_is_old(&self) -> Result<(), ApiError> {
        let now = self.now();
        let beats = now.saturating_add_micros(-DAY);
        self.beats.forget(beats);
        self.nonces.forget(now);
        Ok(self.state.forget_runner_beats(beats, now.saturating_add_micros(-REMEMBERED)).await?)
    }

    /// What a decision may know that nobody has asked for.
    fn clock_context(&self) -> Context {
        let name = Some("clock".to_owned());
        let actor = Actor { id: "clock".to_owned(), kind: ActorKind::System, name, ..Actor::default() };
        Context { actor, ..self.own_context() }
    }
}
