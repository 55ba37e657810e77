//! What is known of one scope between two looks at it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::admission::AttemptHistory;
use crate::attempt::{Attempt, FindingRecord};
use crate::ledger::RunBook;
use crate::ports::Cloud;
use holdfast_core::evaluate::{Evaluation, RuleStats};
use holdfast_core::finding::{Finding, Kind};
use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::key::{Key, Scope, Subject};
use holdfast_core::model::resources::{Fight, MigrationRun};
use holdfast_core::model::snapshot::Snapshot;
use holdfast_core::plan::{Plan, PlannedAction, hold};
use holdfast_core::refresh::RefreshSet;

/// One account and region.
pub(super) struct ScopeState {
    pub cloud: Arc<dyn Cloud>,
    /// Held while the whole scope is being read, so that two sweeps never run at once.
    pub sweeping: tokio::sync::Mutex<()>,
    cache: Mutex<Cache>,
    /// Changed under the lock of what is known.
    generation: AtomicU64,
    /// What was done here; absent until the ledger was read.
    history: Mutex<Option<AttemptHistory>>,
    /// Findings that opened or were resolved and are not in the ledger yet.
    unrecorded_findings: Mutex<Vec<FindingRecord>>,
    /// Attempts that have ended, while the ledger may hold them as open, by id.
    unrecorded_outcomes: Mutex<BTreeMap<String, Attempt>>,
    workloads: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// The runs of migrations that the ledger holds.
    run_book: Mutex<RunBook>,
}

#[derive(Default)]
struct Cache {
    snapshot: Option<Arc<Snapshot>>,
    findings: BTreeMap<String, Vec<Finding>>,
    evaluated: BTreeSet<String>,
    resources: BTreeMap<Kind, usize>,
    first_seen: BTreeMap<(String, String), Timestamp>,
    /// Findings that were open when the ledger was read and have not been evaluated again since.
    remembered: BTreeMap<(String, String), FindingRecord>,
    /// What is planned, for each workload for which anything is.
    plans: BTreeMap<String, Plan>,
    rule_stats: RuleStats,
}

/// What of a shard is published.
pub(super) struct ScopeView {
    pub findings: Vec<Finding>,
    pub workloads: Vec<Value>,
    pub plan: Plan,
}

/// What changed by a new result.
#[derive(Default)]
pub(super) struct Changes {
    /// Those that are new, or have another verdict.
    pub opened: Vec<Finding>,
    pub resolved: Vec<Finding>,
    /// Findings of an earlier process that were never seen by this one.
    pub forgotten: Vec<FindingRecord>,
}

impl Changes {
    /// What the ledger is told.
    pub fn records(&self, scope: &Scope, now: Timestamp) -> Vec<FindingRecord> {
        let of = |f: &Finding, resolved_at| FindingRecord {
            scope: scope.clone(),
            workload: f.workload.clone(),
            finding: f.id.clone(),
            rule: f.rule.clone(),
            resource: f.resource.clone(),
            message: f.message.clone(),
            first_seen: f.first_seen,
            resolved_at,
        };
        let opened = self.opened.iter().map(|f| of(f, None));
        let resolved = self.resolved.iter().map(|f| of(f, Some(now)));
        let forgotten = self.forgotten.iter().map(|s| FindingRecord {
            resolved_at: Some(now),
            ..s.clone()
        });
        opened.chain(resolved).chain(forgotten).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.resolved.is_empty() && self.forgotten.is_empty()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ScopeState {
    pub fn new(cloud: Arc<dyn Cloud>) -> Self {
        Self {
            cloud,
            sweeping: tokio::sync::Mutex::default(),
            cache: Mutex::default(),
            generation: AtomicU64::default(),
            history: Mutex::default(),
            unrecorded_findings: Mutex::default(),
            unrecorded_outcomes: Mutex::default(),
            workloads: Mutex::default(),
            run_book: Mutex::default(),
        }
    }

    pub fn scope(&self) -> &Scope {
        self.cloud.scope()
    }

    /// The key of one of its workloads.
    pub fn key_of(&self, workload: &str) -> Key {
        Key {
            scope: self.scope().clone(),
            subject: Subject::Workload(workload.to_owned()),
        }
    }

    /// How often everything was forgotten.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Takes over what the ledger remembered in `generation`. What is known already is kept: it has the corrections since.
    pub fn restore(&self, history: AttemptHistory, open: Vec<FindingRecord>, generation: u64) {
        let mut cache = self.cache();
        let mut kept = lock(&self.history);
        if kept.is_some() || self.generation() != generation {
            return;
        }
        *kept = Some(history);
        drop(kept);
        for sighting in open {
            cache.first_seen.insert(
                (sighting.workload.clone(), sighting.finding.clone()),
                sighting.first_seen,
            );
            cache
                .remembered
                .insert((sighting.workload.clone(), sighting.finding.clone()), sighting);
        }
    }

    /// Forgets everything: another process looks after the scope now.
    pub fn forget(&self) {
        let mut cache = self.cache();
        *cache = Cache::default();
        *lock(&self.history) = None;
        self.generation.fetch_add(1, Ordering::AcqRel);
        drop(cache);
        *lock(&self.run_book) = RunBook::default();
        lock(&self.unrecorded_findings).clear();
        lock(&self.unrecorded_outcomes).clear();
    }

    /// Keeps an attempt whose end could not be written down.
    pub fn keep_unrecorded(&self, unrecorded_outcomes: Option<Attempt>) {
        lock(&self.unrecorded_outcomes).extend(unrecorded_outcomes.map(|a| (a.id.clone(), a)));
    }

    /// Attempts whose ends could not be written down.
    pub fn unrecorded_outcomes(&self) -> Vec<Attempt> {
        lock(&self.unrecorded_outcomes).values().cloned().collect()
    }

    /// The end of an attempt was written down after all.
    pub fn recorded(&self, id: &str) {
        lock(&self.unrecorded_outcomes).remove(id);
    }

    /// The runs of migrations that the ledger holds.
    pub fn run_book(&self) -> MutexGuard<'_, RunBook> {
        lock(&self.run_book)
    }

    /// What was done here, if the ledger was read.
    pub fn history(&self) -> MutexGuard<'_, Option<AttemptHistory>> {
        lock(&self.history)
    }

    /// Attempts of a workload that are under way.
    pub fn open_attempts(&self, workload: &str) -> Vec<Attempt> {
        self.history().as_ref().map(|p| p.open_of(workload)).unwrap_or_default()
    }

    /// Takes what is to be written to the ledger; what can't be is put back.
    pub fn unrecorded_findings(&self) -> MutexGuard<'_, Vec<FindingRecord>> {
        lock(&self.unrecorded_findings)
    }

    /// Shows in the next results what was given up. True if that is news.
    pub fn set_fights(&self, fights: Vec<Fight>) -> bool {
        let mut cache = self.cache();
        let Some(snapshot) = &mut cache.snapshot else {
            return false;
        };
        if snapshot.fights == fights {
            return false;
        }
        Arc::make_mut(snapshot).fights = fights;
        true
    }

    /// How much of the scope fails each rule, with `evaluation` counted in.
    pub fn rule_stats(&self, evaluation: &Evaluation) -> BTreeMap<&'static str, (usize, usize)> {
        let mut cache = self.cache();
        cache.rule_stats.update(evaluation, false);
        cache.rule_stats.failing()
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        lock(&self.cache)
    }

    /// What was read last, of all of the scope.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.cache().snapshot.clone()
    }

    pub fn is_swept(&self) -> bool {
        self.cache().snapshot.is_some()
    }

    pub fn evidence_from(&self) -> Option<Timestamp> {
        self.cache().snapshot.as_ref().map(|s| s.started_at)
    }

    /// One reconcile of a workload at a time.
    pub fn workload_lock(&self, workload: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = lock(&self.workloads);
        // Names come from tags, which anyone may write: forget those that nobody waits for.
        if locks.len() > 10_000 {
            locks.retain(|_, workload_lock| Arc::strong_count(workload_lock) > 1);
        }
        Arc::clone(locks.entry(workload.to_owned()).or_default())
    }

    /// Takes over into a new sweep what was known before and AWS no longer tells.
    pub fn carry_over_runs(&self, fresh: &mut Snapshot) {
        if let Some(before) = &self.cache().snapshot {
            fresh.keep_runs_of(before);
        }
    }

    /// Takes over a whole sweep.
    pub fn take_sweep(&self, snapshot: Snapshot, evaluation: &Evaluation) -> Changes {
        let mut cache = self.cache();
        cache.snapshot = Some(Arc::new(snapshot));
        cache.rule_stats.update(evaluation, true);
        cache.resources.clone_from(&evaluation.resources);
        let now: BTreeSet<String> = evaluation.workloads.keys().cloned().collect();
        let all = cache.evaluated.union(&now).cloned().collect();
        let changes = cache.replace(&all, evaluation);
        cache.evaluated = now;
        changes
    }

    /// Takes over a second look at one workload.
    pub fn take_observation(&self, snapshot: &Snapshot, focus: &RefreshSet, evaluation: &Evaluation) -> Changes {
        let mut cache = self.cache();
        if let Some(base) = &cache.snapshot {
            let mut merged = Snapshot::clone(base);
            focus.merge_into(&mut merged, snapshot);
            cache.snapshot = Some(Arc::new(merged));
        }
        let take_observation: BTreeSet<String> = evaluation.workloads.keys().cloned().collect();
        cache.evaluated.extend(take_observation.iter().cloned());
        cache.replace(&take_observation, evaluation)
    }

    /// Takes over what is planned for the workloads of `evaluation`.
    pub fn set_plan(&self, evaluation: &Evaluation, plan: &Plan) {
        let mut cache = self.cache();
        for workload in evaluation.workloads.keys() {
            cache.plans.remove(workload);
        }
        let new = || Plan::empty(plan.made_at);
        for action in &plan.actions {
            let own = cache.plans.entry(action.workload.clone()).or_insert_with(new);
            own.actions.push(action.clone());
        }
        for held in &plan.held {
            let own = cache.plans.entry(held.workload.clone()).or_insert_with(new);
            own.held.push(held.clone());
        }
    }

    /// Moves an action of a plan to what is held.
    pub fn hold(&self, action: &PlannedAction, why: &HoldReason) {
        let mut cache = self.cache();
        let Cache { findings, plans, .. } = &mut *cache;
        let Some(plan) = plans.get_mut(&action.workload) else {
            return;
        };
        plan.actions.retain(|a| a.id != action.id);
        plan.held.retain(|h| !action.findings.contains(&h.finding));
        let concerned = findings
            .get(&action.workload)
            .into_iter()
            .flatten()
            .filter(|f| action.findings.contains(&f.id));
        plan.held.extend(concerned.map(|f| hold(f, why)));
    }

    pub fn first_seen(&self, workload: &str, findings: &[String]) -> Option<Timestamp> {
        let cache = self.cache();
        findings
            .iter()
            .filter_map(|f| cache.first_seen.get(&(workload.to_owned(), f.clone())))
            .min()
            .copied()
    }

    /// Every finding now known.
    pub fn findings(&self) -> Vec<Finding> {
        self.cache().findings.values().flatten().cloned().collect()
    }

    /// Workloads and resources by kind.
    pub fn inventory(&self) -> (usize, BTreeMap<&'static str, usize>) {
        let cache = self.cache();
        (
            cache.evaluated.len(),
            cache.resources.iter().map(|(k, n)| (k.name(), *n)).collect(),
        )
    }

    pub fn view(&self) -> ScopeView {
        let cache = self.cache();
        let scope = self.scope();
        let mut plan = Plan::empty(Timestamp::UNIX_EPOCH);
        for own in cache.plans.values() {
            plan.extend(own.clone());
        }
        let book = self.run_book();
        let workloads = cache.evaluated.iter().map(|name| {
            let open = cache.findings.get(name).map(Vec::len).unwrap_or_default();
            let migrations: Vec<Value> = book.latest(name).map(migration).collect();
            json!({"name": name, "account": scope.account, "region": scope.region, "findings": open, "migrations": migrations})
        });
        ScopeView {
            findings: cache.findings.values().flatten().cloned().collect(),
            workloads: workloads.collect(),
            plan,
        }
    }
}

/// The last run of a family of migrations, as the API shows it.
fn migration(run: &MigrationRun) -> Value {
    json!({
        "family": run.family, "task": run.run.arn, "revision": run.run.task_definition, "result": run.result, "why": run.why,
        "container": run.container, "image": run.image, "digest": run.digest, "started_at": run.run.started_at,
        "stopped_at": run.run.stopped_at,
    })
}

impl Cache {
    /// Replaces the findings of `workloads`, keeping when each was first seen.
    fn replace(&mut self, workloads: &BTreeSet<String>, evaluation: &Evaluation) -> Changes {
        let mut changes = Changes::default();
        let mut fresh: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
        for finding in &evaluation.findings {
            let mut finding = finding.clone();
            let id = (finding.workload.clone(), finding.id.clone());
            self.remembered.remove(&id);
            if let Some(at) = self.first_seen.get(&id) {
                finding.first_seen = *at;
                // What was unknown and is known now is news, though it is the same finding.
                let before = self.findings.get(&finding.workload).into_iter().flatten();
                if before
                    .into_iter()
                    .any(|f| f.id == finding.id && f.verdict != finding.verdict)
                {
                    changes.opened.push(finding.clone());
                }
            } else {
                self.first_seen.insert(id, finding.first_seen);
                changes.opened.push(finding.clone());
            }
            fresh.entry(finding.workload.clone()).or_default().push(finding);
        }
        for workload in workloads {
            let now = fresh.remove(workload).unwrap_or_default();
            for old in self.findings.remove(workload).unwrap_or_default() {
                if !now.iter().any(|f| f.id == old.id) {
                    self.first_seen.remove(&(old.workload.clone(), old.id.clone()));
                    changes.resolved.push(old);
                }
            }
            // Open when another process stopped, and gone since.
            let gone: Vec<_> = self.remembered.keys().filter(|(w, _)| w == workload).cloned().collect();
            for id in gone {
                self.first_seen.remove(&id);
                changes.forgotten.extend(self.remembered.remove(&id));
            }
            if now.is_empty() {
                self.plans.remove(workload);
            } else {
                self.findings.insert(workload.clone(), now);
            }
        }
        changes
    }
}
