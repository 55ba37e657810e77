//! What is done for one key: read, judge, plan, and, in mode `enforce`, correct.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt};
use serde_json::json;
use tokio::time::Instant;

use super::Operator;
use super::owners::owners;
use super::queue::Priority;
use super::shard::{Changes, Shard};
use crate::act::{Actor, Done, Ended};
use crate::collect::{Collector, Focus, Unwatched};
use crate::judge::judge;
use crate::model::key::{Key, Subject};
use crate::model::policy::Mode;
use crate::model::resources::Fight;
use crate::model::snapshot::Snapshot;
use crate::plan::{PlannedAction, plan};
use crate::telemetry::metrics::FindingLabels;

/// Workloads of one sweep corrected at once.
const WORKLOADS_AT_ONCE: usize = 8;

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
        match (&key.subject, shard.snapshot()) {
            (Subject::Everything, _) => Box::pin(self.sweep_scope(shard)).await,
            // Before the first sweep nothing is known; the sweep will read this too.
            (_, None) => Box::pin(self.first_sweep(shard)).await,
            (subject, Some(base)) => Box::pin(self.look_at(shard, &base, subject)).await,
        }
    }

    fn collector<'a>(&'a self, shard: &'a Shard) -> Collector<'a> {
        Collector {
            aws: &shard.aws,
            config: &self.config,
            memory: &self.memory,
            progress: &Unwatched,
        }
    }

    /// Fights given up in a scope, with whoever events showed to have changed the resource since.
    fn fights(&self, shard: &Shard) -> Vec<Fight> {
        let mut fights = self.gates.fights(&shard.aws.scope, self.clock.now());
        for fight in &mut fights {
            fight.principals = self
                .witnesses
                .of(&fight.resource, fight.since, shard.aws.caller.as_deref());
        }
        fights
    }

    async fn first_sweep(&self, shard: &Shard) -> Result<(), String> {
        let turn = shard.sweeping.lock().await;
        let swept = shard.is_swept();
        drop(turn);
        // Whoever held the lock has read what this key is about, or will: what is read starts after the event.
        if swept { Ok(()) } else { self.sweep_scope(shard).await }
    }

    async fn sweep_scope(&self, shard: &Shard) -> Result<(), String> {
        let turn = shard.sweeping.lock().await;
        let started = Instant::now();
        let now = self.clock.now();
        let scope = &shard.aws.scope;
        let mut snapshot = self.collector(shard).sweep(now).await;
        snapshot.fights = self.fights(shard);
        shard.recall(&mut snapshot);
        let judged = judge(&snapshot, &self.config, self.clock.now(), None);
        let plan = plan(scope, &judged, &self.config, self.clock.now());
        let complete = snapshot.errors.is_empty();
        for error in &snapshot.errors {
            tracing::warn!(%scope, service = error.service, operation = error.operation, code = error.code,
                resource = error.resource, "could not read: {}", error.message);
        }
        let changes = shard.swept(snapshot.clone(), &judged);
        shard.set_plan(&judged.workloads, &plan);
        self.gates.new_sweep(scope, now);
        self.metrics.sweep(
            scope,
            started.elapsed().as_secs_f64(),
            complete.then(|| self.clock.now()),
        );
        self.announce(shard, changes).await;
        drop(turn);
        tracing::info!(%scope, workloads = judged.workloads.len(), findings = judged.findings.len(),
            planned = plan.actions.len(), took_ms = millis(started), "swept");
        self.enforce(shard, &snapshot, plan.actions).await;
        Ok(())
    }

    async fn look_at(&self, shard: &Shard, base: &Snapshot, subject: &Subject) -> Result<(), String> {
        let mut workloads = owners(base, &self.config, subject);
        let scope = &shard.aws.scope;
        if workloads.is_empty() {
            // Not known: untagged, or new. Its own tags tell.
            let mut focus = Focus::default();
            focus.add(subject, scope);
            let alone = self
                .collector(shard)
                .look_again(base, &focus, false, self.clock.now())
                .await;
            workloads = owners(&alone, &self.config, subject);
        }
        for workload in workloads {
            let turn = shard.turn(&workload);
            let turn = turn.lock().await;
            let base = shard.snapshot().map_or_else(|| base.clone(), |s| Snapshot::clone(&s));
            let now = self.clock.now();
            let mut focus = Focus::of(&base, &self.config, &workload, now);
            focus.add(subject, scope);
            let mut snapshot = self.collector(shard).look_again(&base, &focus, false, now).await;
            snapshot.fights = self.fights(shard);
            let only: BTreeSet<String> = std::iter::once(workload.clone()).collect();
            let judged = judge(&snapshot, &self.config, self.clock.now(), Some(&only));
            let plan = plan(scope, &judged, &self.config, self.clock.now());
            let changes = shard.looked(&snapshot, &focus, &judged);
            shard.set_plan(&only, &plan);
            self.announce(shard, changes).await;
            let actions: Vec<_> = plan.actions.into_iter().filter(|a| a.workload == workload).collect();
            if self.mode == Mode::Enforce {
                for action in &actions {
                    self.correct(shard, &snapshot, action).await;
                }
            }
            drop(turn);
            let passing = snapshot
                .errors
                .iter()
                .find(|e| !crate::aws::is_denied(e) && !crate::aws::is_absent(e));
            if let Some(error) = passing {
                return Err(error.to_string());
            }
        }
        Ok(())
    }

    /// Corrects what a sweep planned: workloads side by side, within one workload one thing after the other.
    async fn enforce(&self, shard: &Shard, base: &Snapshot, actions: Vec<PlannedAction>) {
        if self.mode != Mode::Enforce {
            return;
        }
        let mut workloads: BTreeMap<String, Vec<PlannedAction>> = BTreeMap::new();
        for action in actions {
            workloads.entry(action.workload.clone()).or_default().push(action);
        }
        stream::iter(workloads)
            .for_each_concurrent(WORKLOADS_AT_ONCE, |(workload, actions)| async move {
                let turn = shard.turn(&workload);
                let _turn = turn.lock().await;
                for action in &actions {
                    self.correct(shard, base, action).await;
                }
            })
            .await;
    }

    async fn correct(&self, shard: &Shard, base: &Snapshot, action: &PlannedAction) {
        let pulled = self.gates.pause.pulled().await;
        self.metrics.set_paused(pulled.is_some());
        let gate = pulled.map_or_else(|| self.gates.pass(action, self.clock.now()), Err);
        if let Err(why) = gate {
            tracing::info!(
                action = action.id,
                workload = action.workload,
                change = action.change,
                why,
                "not corrected"
            );
            self.hold(shard, action, &why);
            // A fight that was given up just now is a finding: look again, so that it is told at once.
            let known = base.fights.iter().any(|f| f.resource == action.resource);
            let fights = self.gates.fights(&shard.aws.scope, self.clock.now());
            if !known
                && fights
                    .iter()
                    .any(|f| f.resource == action.resource && f.change == action.change)
            {
                let subject = Subject::Workload(action.workload.clone());
                let key = Key {
                    scope: shard.aws.scope.clone(),
                    subject,
                };
                if let Err(e) = self.queue.add(key, Priority::Event, None) {
                    tracing::warn!(error = %e, "the fight is reported by the next sweep");
                }
            }
            return;
        }
        let first_seen = shard.first_seen(&action.workload, &action.findings);
        let actor = Actor {
            collector: self.collector(shard),
            clock: self.clock.as_ref(),
            patience: self.patience,
        };
        let Done { ended, detail, seen } = Box::pin(actor.carry_out(base, action)).await;
        if ended != Ended::Refused {
            self.gates.done(action, self.clock.now());
        }
        self.told(action, ended, &detail);
        if let (Ended::Verified, Some(since)) = (ended, first_seen) {
            let took = self.clock.now().duration_since(since).as_secs_f64().max(0.0);
            action
                .rules
                .iter()
                .for_each(|rule| self.metrics.time_to_correct(rule, took));
        }
        if let Some(bus) = &self.bus {
            bus.action(action, ended.as_str(), &detail).await;
        }
        if let Some((snapshot, focus, judged)) = seen {
            let plan = plan(&shard.aws.scope, &judged, &self.config, self.clock.now());
            let changes = shard.looked(&snapshot, &focus, &judged);
            shard.set_plan(&judged.workloads, &plan);
            self.announce(shard, changes).await;
        }
    }

    /// Shows in the plan that a gate holds an action.
    fn hold(&self, shard: &Shard, action: &PlannedAction, why: &str) {
        self.count(action, Ended::Refused);
        shard.hold(action, why);
        self.publish();
    }

    /// Counts each call of an action under each rule that asked for it.
    fn count(&self, action: &PlannedAction, outcome: Ended) {
        for rule in &action.rules {
            for call in &action.calls {
                self.metrics.action(rule, &call.operation, outcome.as_str());
            }
        }
    }

    fn told(&self, action: &PlannedAction, ended: Ended, detail: &str) {
        // Whatever became of it, calls that AWS accepted were applied.
        let applied = matches!(ended, Ended::Verified | Ended::Reverted).then_some(Ended::Applied);
        for outcome in applied.into_iter().chain([ended]) {
            self.count(action, outcome);
        }
        let outcome = ended.as_str();
        if matches!(ended, Ended::Verified) {
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
            "id": action.id, "at": self.clock.now(), "workload": action.workload, "rules": action.rules,
            "findings": action.findings, "resource": action.resource, "change": action.change,
            "calls": action.calls, "outcome": outcome, "detail": detail,
        }));
    }

    /// Tells metrics, console and bus what a judgement changed.
    async fn announce(&self, shard: &Shard, changes: Changes) {
        let scope = &shard.aws.scope;
        let findings = shard.findings();
        self.metrics.set_findings(
            scope,
            findings.iter().map(|f| FindingLabels {
                rule: &f.rule,
                severity: f.severity.as_str(),
                verdict: f.verdict.name(),
                workload: &f.workload,
            }),
        );
        let (workloads, resources) = shard.inventory();
        self.metrics.set_inventory(scope, workloads, &resources);
        self.publish();
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
        if let Some(bus) = &self.bus {
            bus.findings(&changes.opened, &changes.resolved).await;
        }
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
