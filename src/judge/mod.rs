//! Snapshot, policy and waivers in; findings out. Pure.

mod causes;
mod fleet;
mod horizon;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::finding::{Finding, Kind, Passed, Remediation, ResourceRef, Verdict, finding_id};
use crate::model::policy::{Mode, Risk, Severity};
use crate::model::snapshot::Snapshot;
use crate::model::tags::{Tags, Waiver};
use crate::rules::wants::Viewer;
use crate::rules::{Judgement, Meta, Outcome, REGISTRY, Remedy, Rule, Workload};
pub use fleet::{Fleet, Tally};
pub use horizon::next_changes;

/// Stands for the workloads of a scope that can't be known because nothing that would name them could be read.
pub const UNKNOWN_WORKLOADS: &str = "*";

/// The verdicts on one scope, or on some workloads of it.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    /// Verdicts other than pass, sorted: severity, workload, rule, resource.
    pub findings: Vec<Finding>,
    /// Verdicts that are a pass, in the order in which they were given.
    pub passed: Vec<Passed>,
    /// Workloads judged.
    pub workloads: BTreeSet<String>,
    /// Tagged resources by kind.
    pub resources: BTreeMap<Kind, usize>,
    /// For each rule, in how many workloads it judged something, and in how many it failed.
    pub failing: BTreeMap<&'static str, (usize, usize)>,
    /// The same by workload.
    pub tallies: BTreeMap<String, Tally>,
    /// Findings, by id and workload, on whose resources a tag lowers the mode to `audit`.
    pub restrained: BTreeSet<(String, String)>,
}

/// Judges `snapshot` at `now`: all of its workloads, or those of `only`.
#[must_use]
pub fn judge(snapshot: &Snapshot, config: &Config, now: Timestamp, only: Option<&BTreeSet<String>>) -> Judged {
    let mut names = workload_names(snapshot, &config.tag_prefix);
    let blind = snapshot.instances.is_err()
        || snapshot.clusters.is_err()
        || snapshot.services.is_err()
        || snapshot.secrets.is_err();
    match only {
        // What is asked for and can't be seen is unknown, not absent, while something that might name it is unread.
        Some(only) if blind => names.clone_from(only),
        Some(only) => names.retain(|n| only.contains(n)),
        None if blind && names.is_empty() => {
            names.insert(UNKNOWN_WORKLOADS.to_owned());
        }
        None => {}
    }
    let mut judged = Judged {
        resources: count_resources(snapshot, config, &names),
        ..Judged::default()
    };
    let viewer = Viewer::new(snapshot, config, now);
    let active = active(config);
    for name in &names {
        judge_workload(&viewer.view(name), &active, &mut judged);
    }
    judged.workloads = names;
    sort(&mut judged.findings);
    judged
}

/// Sorts findings: severity, workload, rule, resource.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (b.severity, &a.workload, &a.rule, &a.resource).cmp(&(a.severity, &b.workload, &b.rule, &b.resource))
    });
}

/// A rule that is judged, and what the configuration says of it.
struct Active {
    rule: &'static dyn Rule,
    meta: &'static Meta,
    severity: Option<Severity>,
    corrects: bool,
}

fn active(config: &Config) -> Vec<Active> {
    let metas = REGISTRY.iter().map(|rule| (*rule, rule.meta()));
    let judged = metas.filter(|(_, meta)| config.judges(meta));
    judged
        .map(|(rule, meta)| Active {
            rule,
            meta,
            severity: config.rule(meta.id).severity,
            corrects: config.corrects(meta),
        })
        .collect()
}

fn judge_workload(workload: &Workload<'_>, active: &[Active], judged: &mut Judged) {
    let first = judged.findings.len();
    let name: Arc<str> = workload.name.into();
    let mut resources: Vec<Arc<ResourceRef>> = vec![];
    let mut related = vec![];
    let mut tally = Tally::default();
    for Active {
        rule,
        meta,
        severity,
        corrects,
    } in active
    {
        let judgements = rule.judge(workload);
        let failed = judgements.iter().any(|j| matches!(j.outcome, Outcome::Fail(_)));
        if !judgements.is_empty() {
            let (all, failing) = judged.failing.entry(meta.id).or_default();
            *all += 1;
            *failing += usize::from(failed);
            tally.judged.push(meta.id);
            if failed {
                tally.failed.push(meta.id);
            }
        }
        for mut judgement in judgements {
            if matches!(judgement.outcome, Outcome::Pass) {
                judged.passed.push(Passed {
                    rule: meta.id,
                    workload: Arc::clone(&name),
                    resource: shared(&mut resources, judgement.resource),
                });
                continue;
            }
            let rests_on = std::mem::take(&mut judgement.related);
            if let Some((mut finding, restrained)) = finding(workload, meta, *severity, judgement) {
                if !corrects && let Some(r) = finding.remediation.as_mut().filter(|r| !r.actions.is_empty()) {
                    let only = || format!("it is corrected only where rules.{}.correct is true", meta.id);
                    r.blocked_by.get_or_insert_with(only);
                }
                if restrained {
                    judged.restrained.insert((finding.id.clone(), finding.workload.clone()));
                }
                judged.findings.push(finding);
                related.push(rests_on);
            }
        }
    }
    judged.tallies.insert(workload.name.to_owned(), tally);
    causes::link(&mut judged.findings[first..], &related);
}

/// The one of `known` that says the same, or else `resource`, to be known from now on.
fn shared(known: &mut Vec<Arc<ResourceRef>>, resource: ResourceRef) -> Arc<ResourceRef> {
    if let Some(same) = known.iter().find(|r| ***r == resource) {
        return Arc::clone(same);
    }
    let resource = Arc::new(resource);
    known.push(Arc::clone(&resource));
    resource
}

/// The finding, and whether a tag restrains its correction. `None` for a pass.
fn finding(w: &Workload<'_>, meta: &Meta, severity: Option<Severity>, j: Judgement) -> Option<(Finding, bool)> {
    let id = finding_id(meta.id, &j.resource);
    let restrained = j.tags.iter().any(|t| t.mode(w.prefix) == Some(Mode::Audit));
    let mut found = Finding {
        id,
        rule: meta.id.to_owned(),
        severity: severity.unwrap_or(meta.severity),
        verdict: Verdict::Unknown,
        workload: w.name.to_owned(),
        phase: j.phase.to_owned(),
        resource: j.resource,
        message: String::new(),
        evidence: vec![],
        observed_at: w.snapshot.started_at,
        first_seen: w.snapshot.started_at,
        remediation: None,
        controls: meta.controls.iter().map(|c| (*c).to_owned()).collect(),
        waiver: None,
        caused_by: None,
    };
    match j.outcome {
        Outcome::Pass => return None,
        Outcome::Unknown(error) => {
            found.message = format!("{} can't be judged: {error}", found.resource.id);
            found.evidence = vec![crate::model::finding::Evidence::new(
                format!("{}:{}", error.service, error.operation),
                error.code.clone(),
                "an answer",
            )];
        }
        Outcome::Fail(failure) => {
            found.severity = severity.or(failure.severity).unwrap_or(meta.severity);
            found.waiver = waiver(&j.tags, w, meta.id);
            found.verdict = if found.waiver.is_some() {
                Verdict::Waived
            } else {
                Verdict::Fail
            };
            found.message = failure.message;
            found.evidence = failure.evidence;
            found.remediation = Some(remediation(failure.remedy));
        }
    }
    Some((found, restrained))
}

/// The waiver that covers a judgement: on the resource itself, or on everything else that it concerns.
fn waiver(tags: &[Tags], w: &Workload<'_>, rule: &str) -> Option<Waiver> {
    let of = |t: &Tags| t.waiver(w.prefix, rule, w.now);
    let (first, rest) = tags.split_first()?;
    if let Some(waiver) = of(first) {
        return Some(waiver);
    }
    let all: Option<Vec<Waiver>> = rest.iter().map(of).collect();
    all?.into_iter().min_by_key(|w| w.until)
}

fn remediation(remedy: Remedy) -> Remediation {
    let risk = remedy
        .actions
        .iter()
        .map(crate::model::remediation::Action::risk)
        .max()
        .unwrap_or(Risk::Manual);
    Remediation {
        summary: remedy.summary,
        risk,
        calls: remedy
            .actions
            .iter()
            .flat_map(crate::model::remediation::Action::calls)
            .collect(),
        blocked_by: remedy.refused,
        actions: remedy.actions,
    }
}

fn tags_of(snapshot: &Snapshot) -> impl Iterator<Item = (Kind, &Tags)> {
    let instances = snapshot
        .instances
        .iter()
        .flat_map(|m| m.values())
        .map(|r| (Kind::RdsDbInstance, &r.tags));
    let clusters = snapshot
        .clusters
        .iter()
        .flat_map(|m| m.values())
        .map(|r| (Kind::RdsDbCluster, &r.tags));
    let services = snapshot
        .services
        .iter()
        .flat_map(|m| m.values())
        .map(|r| (Kind::EcsService, &r.tags));
    let secrets = snapshot
        .secrets
        .iter()
        .flat_map(|m| m.values())
        .map(|r| (Kind::SecretsmanagerSecret, &r.tags));
    let groups = snapshot
        .security_groups
        .iter()
        .flat_map(|m| m.values())
        .map(|r| (Kind::Ec2SecurityGroup, &r.tags));
    let migrations = snapshot
        .migrations
        .iter()
        .flat_map(|m| m.values())
        .map(|r| (Kind::EcsTaskDefinition, &r.tags));
    instances
        .chain(clusters)
        .chain(services)
        .chain(secrets)
        .chain(groups)
        .chain(migrations)
}

/// The workloads that anything in the snapshot is tagged for.
#[must_use]
pub fn workload_names(snapshot: &Snapshot, prefix: &str) -> BTreeSet<String> {
    tags_of(snapshot)
        .filter_map(|(_, tags)| tags.workload(prefix))
        .chain(snapshot.unread_services.values().map(|(w, _)| w.as_str()))
        .map(str::to_owned)
        .collect()
}

fn count_resources(snapshot: &Snapshot, config: &Config, names: &BTreeSet<String>) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for (kind, tags) in tags_of(snapshot) {
        if tags.workload(&config.tag_prefix).is_some_and(|w| names.contains(w)) {
            *counts.entry(kind).or_default() += 1;
        }
    }
    counts
}
