//! What is known of one scope between two looks at it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::collect::Focus;
use crate::judge::Judged;
use crate::model::finding::{Finding, Kind};
use crate::model::snapshot::Snapshot;
use crate::plan::{Plan, PlannedAction, hold};

/// One account and region.
pub(super) struct Shard {
    pub aws: Aws,
    /// Held while the whole scope is being read, so that two sweeps never run at once.
    pub sweeping: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
    workloads: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

#[derive(Default)]
struct Known {
    snapshot: Option<Arc<Snapshot>>,
    findings: BTreeMap<String, Vec<Finding>>,
    judged: BTreeSet<String>,
    resources: BTreeMap<Kind, usize>,
    first_seen: BTreeMap<(String, String), Timestamp>,
    plans: BTreeMap<String, Plan>,
}

/// What of a shard is published.
pub(super) struct ShardView {
    pub findings: Vec<Finding>,
    pub workloads: Vec<Value>,
    pub plan: Plan,
}

/// What changed by a new judgement.
#[derive(Default)]
pub(super) struct Changes {
    pub opened: Vec<Finding>,
    pub resolved: Vec<Finding>,
}

impl Shard {
    pub fn new(aws: Aws) -> Self {
        Self {
            aws,
            sweeping: tokio::sync::Mutex::default(),
            known: Mutex::default(),
            workloads: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read last, of all of the scope.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.known().snapshot.clone()
    }

    pub fn is_swept(&self) -> bool {
        self.known().snapshot.is_some()
    }

    pub fn evidence_from(&self) -> Option<Timestamp> {
        self.known().snapshot.as_ref().map(|s| s.started_at)
    }

    /// One reconcile of a workload at a time.
    pub fn turn(&self, workload: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.workloads.lock().unwrap_or_else(PoisonError::into_inner);
        // Names come from tags, which anyone may write: forget those that nobody waits for.
        if turns.len() > 10_000 {
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        Arc::clone(turns.entry(workload.to_owned()).or_default())
    }

    /// Takes over into a new sweep what was known before and AWS no longer tells.
    pub fn recall(&self, fresh: &mut Snapshot) {
        if let Some(before) = &self.known().snapshot {
            fresh.keep_runs_of(before);
        }
    }

    /// Takes over a whole sweep.
    pub fn swept(&self, snapshot: Snapshot, judged: &Judged) -> Changes {
        let mut known = self.known();
        known.snapshot = Some(Arc::new(snapshot));
        known.resources.clone_from(&judged.resources);
        let all: BTreeSet<String> = known.judged.union(&judged.workloads).cloned().collect();
        let changes = known.replace(&all, judged);
        known.judged.clone_from(&judged.workloads);
        changes
    }

    /// Takes over a second look at one workload.
    pub fn looked(&self, snapshot: &Snapshot, focus: &Focus, judged: &Judged) -> Changes {
        let mut known = self.known();
        if let Some(base) = &known.snapshot {
            let mut merged = Snapshot::clone(base);
            focus.absorb(&mut merged, snapshot);
            known.snapshot = Some(Arc::new(merged));
        }
        known.judged.extend(judged.workloads.iter().cloned());
        known.replace(&judged.workloads, judged)
    }

    pub fn set_plan(&self, workloads: &BTreeSet<String>, plan: &Plan) {
        let mut known = self.known();
        for workload in workloads {
            let mut own = Plan::empty(plan.made_at);
            own.actions
                .extend(plan.actions.iter().filter(|a| a.workload == *workload).cloned());
            own.held
                .extend(plan.held.iter().filter(|h| h.workload == *workload).cloned());
            known.plans.insert(workload.clone(), own);
        }
    }

    /// Moves an action of a plan to what is held.
    pub fn hold(&self, action: &PlannedAction, why: &str) {
        let mut known = self.known();
        let Known { findings, plans, .. } = &mut *known;
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
        plan.held.extend(concerned.map(|f| hold(f, why.to_owned())));
    }

    pub fn first_seen(&self, workload: &str, findings: &[String]) -> Option<Timestamp> {
        let known = self.known();
        findings
            .iter()
            .filter_map(|f| known.first_seen.get(&(workload.to_owned(), f.clone())))
            .min()
            .copied()
    }

    /// Every finding now known.
    pub fn findings(&self) -> Vec<Finding> {
        self.known().findings.values().flatten().cloned().collect()
    }

    /// Workloads and resources by kind.
    pub fn inventory(&self) -> (usize, BTreeMap<&'static str, usize>) {
        let known = self.known();
        (
            known.judged.len(),
            known.resources.iter().map(|(k, n)| (k.name(), *n)).collect(),
        )
    }

    pub fn view(&self) -> ShardView {
        let known = self.known();
        let scope = &self.aws.scope;
        let mut plan = Plan::empty(Timestamp::UNIX_EPOCH);
        for own in known.plans.values() {
            plan.extend(own.clone());
        }
        let workloads = known.judged.iter().map(|name| {
            let open = known.findings.get(name).map(Vec::len).unwrap_or_default();
            json!({"name": name, "account": scope.account, "region": scope.region, "findings": open})
        });
        ShardView {
            findings: known.findings.values().flatten().cloned().collect(),
            workloads: workloads.collect(),
            plan,
        }
    }
}

impl Known {
    /// Replaces the findings of `workloads`, keeping when each was first seen.
    fn replace(&mut self, workloads: &BTreeSet<String>, judged: &Judged) -> Changes {
        let mut changes = Changes::default();
        let mut fresh: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
        for finding in &judged.findings {
            let mut finding = finding.clone();
            let id = (finding.workload.clone(), finding.id.clone());
            if let Some(at) = self.first_seen.get(&id) {
                finding.first_seen = *at;
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
            if now.is_empty() {
                self.plans.remove(workload);
            } else {
                self.findings.insert(workload.clone(), now);
            }
        }
        changes
    }
}
