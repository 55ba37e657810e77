//! What is done for one key: read, evaluate, plan, and, in mode `enforce`, correct.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::Operator;
use super::affected_workloads::affected_workloads;
use super::shard::{Changes, ScopeState};
use crate::clock::passed;
use crate::execute::Observation;
use crate::metrics::FindingLabels;
use crate::queue::Priority;
use holdfast_core::config::change_windows::{self, WindowState};
use holdfast_core::evaluate::{evaluate, next_deadlines};
use holdfast_core::model::key::{Key, Scope, Subject};
use holdfast_core::model::policy::Mode;
use holdfast_core::model::resources::Fight;
use holdfast_core::model::snapshot::Snapshot;
use holdfast_core::plan::plan;
use holdfast_core::refresh::RefreshSet;

/// Findings kept for a ledger that can't be written: past it the oldest are dropped, and only when they were first seen
/// is lost.
const UNWRITTEN_KEPT: usize = 10_000;

/// When to look at a workload again: the earliest of what was asked for.
#[derive(Debug, Default)]
pub(super) struct Requeue(Option<Duration>);

impl Requeue {
    pub fn after(&mut self, delay: Duration) {
        self.0 = Some(self.0.map_or(delay, |known| known.min(delay)));
    }
}

impl Operator {
    /// Handles one key.
    ///
    /// # Errors
    /// Why it should be tried again soon: a read that may well succeed then.
    pub(super) async fn reconcile(&self, key: &Key) -> Result<(), String> {
        let Some(shard) = self.shards.get(&key.scope) else {
            // Anyone who may write to the queue picks the scope.
            tracing::debug!(%key, "an event of a scope that is not a target");
            return Ok(());
        };
        if self.parts.tenure.token(&key.scope).is_none() {
            return self.hand_over(key).await;
        }
        match (&key.subject, shard.snapshot()) {
            (Subject::Everything, _) => Box::pin(self.sweep_scope(shard)).await,
            // Before the first sweep nothing is known; the sweep will read this too.
            (_, None) => Box::pin(self.first_sweep(shard)).await,
            (subject, Some(base)) => Box::pin(self.look_at(shard, &base, subject)).await,
        }
    }

    /// An event reached this process although another one looks after its scope.
    async fn hand_over(&self, key: &Key) -> Result<(), String> {
        if key.subject == Subject::Everything {
            return Ok(());
        }
        match self.parts.tenure.hand_over(key).await {
            Ok(true) => tracing::debug!(%key, "handed over to the process that looks after it"),
            Ok(false) => tracing::debug!(%key, "nobody looks after it now; whoever does next begins with a sweep"),
            Err(e) => return Err(e.to_string()),
        }
        Ok(())
    }

    /// Fights given up in a scope, with whoever events showed to have changed the resource since.
    pub(super) fn fights(&self, shard: &ScopeState) -> Vec<Fight> {
        let now = self.parts.clock.now();
        let past = shard.past();
        let mut fights = past
            .as_ref()
            .map(|p| p.fights(&self.parts.config.safety, now))
            .unwrap_or_default();
        drop(past);
        for fight in &mut fights {
            let caller = shard.cloud.caller();
            fight.principals = self.parts.witnesses.of(&fight.resource, fight.since, caller);
        }
        fights
    }

    async fn first_sweep(&self, shard: &ScopeState) -> Result<(), String> {
        let turn = shard.sweeping.lock().await;
        let swept = shard.is_swept();
        drop(turn);
        // Whoever held the lock has read what this key is about, or will: what is read starts after the event.
        if swept { Ok(()) } else { self.sweep_scope(shard).await }
    }

    async fn sweep_scope(&self, shard: &ScopeState) -> Result<(), String> {
        let config = &self.parts.config;
        let turn = shard.sweeping.lock().await;
        let started = Instant::now();
        let now = self.parts.clock.now();
        let scope = shard.scope();
        if let Err(why) = self.recall(shard).await {
            tracing::error!(%scope, why, "nothing is corrected here until the ledger can be read");
        }
        self.save_again(shard).await;
        let before = shard.cloud.sweep_calls();
        let mut snapshot = shard.cloud.sweep(now).await;
        let calls = shard.cloud.sweep_calls().saturating_sub(before);
        snapshot.fights = self.fights(shard);
        shard.recall(&mut snapshot);
        let evaluation = evaluate(&snapshot, config, self.parts.clock.now(), None);
        let plan = plan(scope, &evaluation, config, self.parts.clock.now());
        let complete = snapshot.errors.is_empty();
        for error in &snapshot.errors {
            tracing::warn!(%scope, service = error.service, operation = error.operation, code = error.code,
                resource = error.resource, "could not read: {}", error.message);
        }
        let timers = next_deadlines(&snapshot, config, self.parts.clock.now());
        if self.parts.tenure.token(scope).is_none() {
            // Lost meanwhile: another process reports it.
            return Ok(());
        }
        let changes = shard.swept(snapshot, &evaluation);
        shard.set_plan(&evaluation, &plan);
        if let Some(past) = shard.past().as_mut() {
            past.forget(&config.safety, config.sweep.interval, now);
        }
        self.parts.metrics.sweep(
            scope,
            started.elapsed().as_secs_f64(),
            complete.then(|| self.parts.clock.now()),
        );
        self.parts.metrics.sweep_calls(scope, calls);
        self.announce(shard, changes, true).await;
        drop(turn);
        self.ready_if_swept();
        self.covered(scope, started);
        tracing::info!(%scope, workloads = evaluation.workloads.len(), findings = evaluation.findings.len(),
            planned = plan.actions.len(), calls, took_ms = millis(started), "swept");
        self.follow_up(shard, plan.actions.iter().map(|a| a.workload.clone()), timers);
        // From the start of one sweep to the start of the next, half of the jitter before and half after.
        let share = config.sweep.jitter.fraction() * (fastrand::f64() - 0.5);
        let interval = config.sweep.interval.mul_f64((1.0 + share).max(0.0));
        self.sweep_after(
            scope,
            interval.saturating_sub(started.elapsed()).max(Duration::from_millis(1)),
        );
        Ok(())
    }

    /// Notes that a scope was swept; tells how long it took until all were.
    fn covered(&self, scope: &Scope, started: Instant) {
        let mut round = self.round.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let since = *round.since.get_or_insert(started);
        round.swept.insert(scope.clone());
        let held = |s: &&Scope| self.parts.tenure.token(s).is_some();
        if self.shards.keys().filter(held).all(|s| round.swept.contains(s)) {
            let took = since.elapsed();
            self.parts.metrics.full_coverage(took.as_secs_f64());
            if round.swept.len() > 1 {
                tracing::info!(
                    scopes = round.swept.len(),
                    took_s = took.as_secs(),
                    "all accounts and regions were swept"
                );
            }
            *round = super::Round::default();
        }
    }

    /// Asks for what a sweep found to be needed: corrections, worst first, what is under way, and timers.
    fn follow_up(
        &self,
        shard: &ScopeState,
        planned: impl Iterator<Item = String>,
        timers: BTreeMap<String, jiff::Timestamp>,
    ) {
        for (workload, at) in timers {
            self.look_after(shard, &workload, passed(self.parts.clock.now(), at));
        }
        if self.parts.mode != Mode::Enforce {
            return;
        }
        let open: Vec<String> = {
            let past = shard.past();
            past.iter()
                .flat_map(super::AttemptHistory::open)
                .map(|a| a.action.workload.clone())
                .collect()
        };
        let mut asked = BTreeSet::new();
        for workload in planned.chain(open) {
            if asked.insert(workload.clone()) {
                let key = workload_key(shard, &workload);
                if let Err(e) = self.parts.queues.add(key, Priority::Sweep, None) {
                    tracing::warn!(workload, error = %e, "left to the next sweep");
                }
            }
        }
    }

    fn look_after(&self, shard: &ScopeState, workload: &str, delay: Duration) {
        let key = workload_key(shard, workload);
        if let Err(e) = self.parts.queues.add_after(key, delay, Priority::Event) {
            tracing::warn!(workload, error = %e, "left to the next sweep");
        }
    }

    async fn look_at(&self, shard: &ScopeState, base: &Snapshot, subject: &Subject) -> Result<(), String> {
        let mut workloads = affected_workloads(base, &self.parts.config, subject);
        if workloads.is_empty() {
            // Not known: untagged, or new. Its own tags tell.
            let mut set = RefreshSet::default();
            set.add(subject, shard.scope());
            let now = self.parts.clock.now();
            let alone = shard.cloud.refresh(base, &set, now).await;
            workloads = affected_workloads(&alone, &self.parts.config, subject);
        }
        let mut result = Ok(());
        for workload in workloads {
            let one = Box::pin(self.workload(shard, &workload, subject)).await;
            result = result.and(one);
        }
        result
    }

    /// Takes what is under way in a workload further, looks at it, and corrects what is wrong.
    async fn workload(&self, shard: &ScopeState, workload: &str, about: &Subject) -> Result<(), String> {
        let turn = shard.turn(workload);
        let _turn = turn.lock().await;
        let mut requeue = Requeue::default();
        let is_enforcing = self.parts.mode == Mode::Enforce;
        let _busy = self.parts.tenure.busy(shard.scope());
        let actor = self.actor(shard);
        if is_enforcing {
            if let Err(why) = self.recall(shard).await {
                tracing::debug!(why, "nothing is corrected until the ledger can be read");
            }
            self.save_again(shard).await;
            for attempt in shard.open_attempts(workload) {
                self.advance(shard, &actor, attempt, &mut requeue).await;
            }
        }
        shard.set_fights(self.fights(shard));
        let Some(base) = shard.snapshot() else {
            // Lost to another process meanwhile.
            return Ok(());
        };
        let mut look = actor.observe(&base, workload, Some(about)).await;
        drop(base);
        self.take_in(shard, &mut look).await;
        let passing = look
            .snapshot
            .errors
            .iter()
            .find(|e| {
                !holdfast_core::model::read_error::is_denied(e) && !holdfast_core::model::read_error::is_absent(e)
            })
            .map(ToString::to_string);
        let now = self.parts.clock.now();
        if let Some(at) = next_deadlines(&look.snapshot, &self.parts.config, now).remove(workload) {
            requeue.after(passed(now, at));
        }
        if is_enforcing {
            let waits = look.plan.held.iter().any(|h| h.workload == workload);
            if let (true, WindowState::Closed(Some(at))) = (
                waits,
                change_windows::state_at(&self.parts.config.safety.change_windows, now),
            ) {
                requeue.after(passed(now, at));
            }
            self.correct(shard, &actor, look, workload, &mut requeue).await;
        }
        if let Some(delay) = requeue.0 {
            self.look_after(shard, workload, delay.max(Duration::from_millis(1)));
        }
        passing.map_or(Ok(()), Err)
    }

    /// Takes over a look at one workload, and plans it as one of its fleet.
    pub(super) async fn take_in(&self, shard: &ScopeState, look: &mut Observation) {
        look.evaluation.failing = shard.fleet(&look.evaluation);
        let now = self.parts.clock.now();
        look.plan = plan(shard.scope(), &look.evaluation, &self.parts.config, now);
        let changes = shard.looked(&look.snapshot, &look.set, &look.evaluation);
        shard.set_plan(&look.evaluation, &look.plan);
        self.announce(shard, changes, false).await;
    }

    /// Tells log, metrics, ledger, console and bus what a result changed.
    async fn announce(&self, shard: &ScopeState, changes: Changes, all: bool) {
        self.is_news();
        if changes.is_empty() && !all {
            return;
        }
        let scope = shard.scope();
        let findings = shard.findings();
        self.parts.metrics.set_findings(
            scope,
            findings.iter().map(|f| FindingLabels {
                rule: &f.rule,
                severity: f.severity.as_str(),
                verdict: f.verdict.name(),
                workload: &f.workload,
            }),
        );
        let (workloads, resources) = shard.inventory();
        self.parts.metrics.set_inventory(scope, workloads, &resources);
        for finding in &changes.opened {
            tracing::info!(finding = finding.id, rule = finding.rule, severity = %finding.severity,
                verdict = finding.verdict.name(), workload = finding.workload, resource = finding.resource.arn,
                "{}", finding.message);
        }
        for finding in &changes.resolved {
            tracing::info!(
                finding = finding.id,
                rule = finding.rule,
                workload = finding.workload,
                resource = finding.resource.arn,
                "resolved"
            );
        }
        self.write_down(shard, &changes).await;
        self.tell_bus(super::correct::Notification::Findings(changes.opened, changes.resolved));
    }

    /// Writes to the ledger what opened and what was resolved; what can't be written now is kept for the next time.
    async fn write_down(&self, shard: &ScopeState, changes: &Changes) {
        let mut records = std::mem::take(&mut *shard.unwritten());
        records.extend(changes.records(shard.scope(), self.parts.clock.now()));
        if records.is_empty() || shard.past().is_none() {
            *shard.unwritten() = records;
            return;
        }
        if let Err(e) = self.parts.ledger.sighted(&records).await {
            tracing::warn!(error = %e, findings = records.len(), "not written down yet");
            let excess = records.len().saturating_sub(UNWRITTEN_KEPT);
            records.drain(..excess);
            let mut kept = shard.unwritten();
            records.append(&mut kept);
            *kept = records;
        }
    }
}

pub(super) fn workload_key(shard: &ScopeState, workload: &str) -> Key {
    Key {
        scope: shard.scope().clone(),
        subject: Subject::Workload(workload.to_owned()),
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
