//! Corrections in the unattended loop: through the gates, begun, taken further, told.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::Operator;
use super::gates::Deferral;
use super::reconcile::{Requeue, workload_key};
use super::shard::ScopeState;
use crate::attempt::Attempt;
use crate::clock::passed;
use crate::execute::{Executor, Observation, Outcome, Progress, StepResult, WriteGuard};
use crate::ports::LedgerError;
use crate::queue::Priority;
use holdfast_core::finding::Finding;
use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::key::Scope;
use holdfast_core::plan::PlannedAction;

/// How soon the ledger is tried again where a correction waits for it.
const SAVE_AGAIN: Duration = Duration::from_secs(10);

/// What the bus is told.
pub(super) enum Notification {
    /// Findings that opened, and those that were resolved.
    Findings(Vec<Finding>, Vec<Finding>),
    /// What became of a correction.
    Action(Box<PlannedAction>, Outcome, String),
}

#[async_trait]
impl WriteGuard for Operator {
    async fn may_write(&self, scope: &Scope, new: bool) -> Result<u64, HoldReason> {
        if new {
            let pulled = self.parts.pause.pulled().await;
            self.parts.metrics.set_paused(pulled.is_some());
            if let Some(why) = pulled {
                return Err(why);
            }
        }
        let tenure = &self.parts.tenure;
        let token = tenure
            .token(scope)
            .ok_or_else(|| HoldReason::LeaseOfAnother(scope.clone()))?;
        tenure
            .check(scope, token)
            .await
            .map_err(|e| HoldReason::LeaseUnconfirmed(e.to_string()))?;
        Ok(token)
    }

    fn token(&self, scope: &Scope) -> Option<u64> {
        self.parts.tenure.token(scope)
    }
}

impl Operator {
    pub(super) fn actor<'a>(&'a self, shard: &'a ScopeState) -> Executor<'a> {
        Executor {
            cloud: shard.cloud.as_ref(),
            config: &self.parts.config,
            clock: self.parts.clock.as_ref(),
            ledger: self.parts.ledger.as_ref(),
            guard: self,
            replica: &self.parts.replica,
            timeouts: self.parts.timeouts,
        }
    }

    /// Corrects what `look` shows to be wrong with a workload: one thing after the other, each on a fresh look.
    pub(super) async fn correct(
        &self,
        shard: &ScopeState,
        actor: &Executor<'_>,
        look: Observation,
        workload: &str,
        requeue: &mut Requeue,
    ) {
        let mut tried = BTreeSet::new();
        let mut planned = of_workload(&look, workload);
        let mut fresh = Some(look);
        while let Some(action) = planned.iter().find(|a| !tried.contains(&a.id)).cloned() {
            tried.insert(action.id.clone());
            if let Err(shut) = self.gate(shard, &action) {
                if let Some(delay) = shut.after {
                    requeue.after(delay);
                }
                self.hold(shard, &action, &shut.why);
                self.tell_of_fight(shard, &action);
                continue;
            }
            let Some(base) = shard.snapshot() else { return };
            let stepped = Box::pin(actor.begin(&base, fresh.take(), &action)).await;
            drop(base);
            shard.keep_unsaved(stepped.unsaved);
            match (stepped.attempt, stepped.progress, stepped.look) {
                (Some(attempt), progress, _) => {
                    // What was read before the call is no longer how things are.
                    let after = self.stepped(shard, actor, attempt, progress, None, requeue).await;
                    if let Some(look) = after {
                        planned = of_workload(&look, workload);
                        fresh = Some(look);
                    }
                }
                (None, progress, look) => {
                    let Progress::Held(why) = progress else {
                        // Only what was begun ends or waits.
                        continue;
                    };
                    if let Some(past) = shard.past().as_mut() {
                        past.not_begun(&action);
                    }
                    if let Some(mut look) = look {
                        self.take_in(shard, &mut look).await;
                        fresh = Some(look);
                    }
                    self.hold(shard, &action, &why);
                }
            }
        }
    }

    /// Takes an attempt further that this or another process began.
    pub(super) async fn advance(
        &self,
        shard: &ScopeState,
        actor: &Executor<'_>,
        attempt: Attempt,
        requeue: &mut Requeue,
    ) {
        let Some(base) = shard.snapshot() else { return };
        let StepResult {
            attempt: Some(attempt),
            progress,
            look,
            unsaved,
        } = Box::pin(actor.advance(&base, attempt)).await
        else {
            return;
        };
        drop(base);
        shard.keep_unsaved(unsaved);
        self.stepped(shard, actor, attempt, progress, look, requeue).await;
    }

    /// Writes down the ends of attempts that could not be written down when they came: whoever reads the ledger would take
    /// those attempts up again.
    pub(super) async fn save_again(&self, shard: &ScopeState) {
        for mut attempt in shard.unsaved() {
            let Some(token) = self.parts.tenure.token(shard.scope()) else {
                return;
            };
            attempt.fence = attempt.fence.max(token);
            match self.parts.ledger.put(&attempt).await {
                Err(LedgerError::Unusable(why)) => {
                    tracing::debug!(attempt = attempt.id, why, "still not written down");
                    return;
                }
                // Another process has taken it over, or it is written.
                Ok(()) | Err(LedgerError::Fenced { .. }) => shard.saved(&attempt.id),
            }
        }
    }

    /// Takes over how far an attempt has come; what shows at once is seen at once. The last look at the workload, if
    /// there was one after the attempt's last call.
    async fn stepped(
        &self,
        shard: &ScopeState,
        actor: &Executor<'_>,
        mut attempt: Attempt,
        mut progress: Progress,
        mut look: Option<Observation>,
        requeue: &mut Requeue,
    ) -> Option<Observation> {
        if let Progress::Waits(Duration::ZERO, _) = progress
            && let Some(base) = shard.snapshot()
        {
            let next = Box::pin(actor.advance(&base, attempt.clone())).await;
            shard.keep_unsaved(next.unsaved);
            (progress, look) = (next.progress, next.look);
            attempt = next.attempt.unwrap_or(attempt);
        }
        if let Some(past) = shard.past().as_mut() {
            past.put(attempt.clone());
        }
        match progress {
            Progress::Waits(delay, why) => {
                tracing::debug!(attempt = attempt.id, why, "under way");
                requeue.after(delay);
            }
            Progress::Held(why) => {
                self.told(&attempt.action, Outcome::Refused, &why.to_string());
                self.tell_bus(Notification::Action(
                    Box::new(attempt.action),
                    Outcome::Refused,
                    why.to_string(),
                ));
            }
            Progress::Ended(ended, detail) => {
                let first_seen = shard.first_seen(&attempt.action.workload, &attempt.action.findings);
                self.told(&attempt.action, ended, &detail);
                if let (Outcome::Verified, Some(since)) = (ended, first_seen) {
                    let took = passed(since, self.parts.clock.now()).as_secs_f64();
                    let rules = attempt.action.rules.iter();
                    rules.for_each(|rule| self.parts.metrics.time_to_correct(rule, took));
                }
                self.tell_bus(Notification::Action(Box::new(attempt.action), ended, detail));
            }
        }
        if let Some(look) = &mut look {
            self.take_in(shard, look).await;
        }
        look
    }

    fn gate(&self, shard: &ScopeState, action: &PlannedAction) -> Result<(), Deferral> {
        let config = &self.parts.config;
        let target = action.action.target();
        if shard.unsaved().iter().any(|a| a.action.action.target() == target) {
            return Err(Deferral {
                why: HoldReason::EndUnsaved,
                after: Some(SAVE_AGAIN),
            });
        }
        match shard.past().as_mut() {
            Some(past) => past.pass(action, &config.safety, config.sweep.interval, self.parts.clock.now()),
            None => Err(Deferral {
                why: HoldReason::PastUnknown,
                after: None,
            }),
        }
    }

    /// A fight that was given up just now is a finding: look again, so that it is told at once.
    fn tell_of_fight(&self, shard: &ScopeState, action: &PlannedAction) {
        if !shard.set_fights(self.fights(shard)) {
            return;
        }
        let key = workload_key(shard, &action.workload);
        if let Err(e) = self.parts.queues.add(key, Priority::Event, None) {
            tracing::warn!(error = %e, "the fight is reported by the next sweep");
        }
    }

    /// Shows in plan, metrics and log that something holds an action.
    fn hold(&self, shard: &ScopeState, action: &PlannedAction, why: &HoldReason) {
        tracing::info!(
            action = action.id,
            workload = action.workload,
            change = action.change,
            %why,
            code = why.code().as_str(),
            "not corrected"
        );
        self.count(action, Outcome::Refused);
        shard.hold(action, why);
        self.is_news();
    }

    /// Counts each call of an action under each rule that asked for it.
    fn count(&self, action: &PlannedAction, outcome: Outcome) {
        for rule in &action.rules {
            for call in &action.calls {
                self.parts.metrics.action(rule, &call.operation, outcome.as_str());
            }
        }
    }

    fn told(&self, action: &PlannedAction, ended: Outcome, detail: &str) {
        // Whatever became of it, calls that AWS accepted were applied.
        let applied = matches!(ended, Outcome::Verified | Outcome::Reverted).then_some(Outcome::Applied);
        for outcome in applied.into_iter().chain([ended]) {
            self.count(action, outcome);
        }
        let outcome = ended.as_str();
        if matches!(ended, Outcome::Verified) {
            tracing::info!(
                action = action.id,
                workload = action.workload,
                change = action.change,
                outcome,
                detail,
                "corrected"
            );
        } else {
            tracing::warn!(
                action = action.id,
                workload = action.workload,
                change = action.change,
                outcome,
                detail,
                "not corrected"
            );
        }
        self.remember(json!({
            "id": action.id, "at": self.parts.clock.now(), "workload": action.workload, "rules": action.rules,
            "findings": action.findings, "resource": action.resource, "change": action.change,
            "calls": action.calls, "outcome": outcome, "detail": detail,
        }));
        self.is_news();
    }
}

fn of_workload(look: &Observation, workload: &str) -> Vec<PlannedAction> {
    let actions = look.plan.actions.iter();
    actions.filter(|a| a.workload == workload).cloned().collect()
}
