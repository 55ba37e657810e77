//! Selects the rules that a file can answer, and removes the results that it can't support.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, UNREADABLE};
use crate::config::Config;
use crate::evaluate::{Evaluation, evaluate, evaluate_naming_passes};
use crate::finding::{Finding, Verdict};
use crate::rules::REGISTRY;

/// Rules about events, or about resources outside of a file: no file can answer them. All others are evaluated; where
/// one of them lacks evidence, one line says so instead of a result.
pub(super) const NEVER: &[&str] = &[
    // Of a database that runs.
    "rds-stale-restore-point",
    "rds-expiring-certificate",
    "rds-unavailable",
    "rds-abandoned",
    // Of a secret that exists.
    "secret-deletion-scheduled",
    "secret-broad-access",
    "secret-unrotated",
    // Of a service that runs.
    "ecs-builtin-database",
    "ecs-unsafe-rollback",
    "ecs-failed-deployment",
    "ecs-stale-secret",
    // Endpoints of its VPC may be defined elsewhere.
    "ecs-no-path-to-secrets",
    // Of tasks that ran, or are defined elsewhere.
    "migration-failed",
    "migration-drift",
    "migration-missing",
    // Of what Holdfast did.
    "correction-reverted",
    // A file seldom has the whole of a workload.
    "workload-without-database",
];

/// Rules about a task definition alone, which need no service: evaluated where none is in the file.
pub(super) const OF_DEFINITIONS: &[&str] = &[
    "ecs-missing-database-secret",
    "ecs-plaintext-database-url",
    "ecs-ephemeral-storage",
    "ecs-secret-reference-mismatch",
    "ecs-secret-unreadable",
];

/// Why a rule was not evaluated, or gave no verdict: by rule, the resources.
pub(super) type UncheckedRules = BTreeMap<String, BTreeSet<String>>;

/// The configuration with the rules off that can't be evaluated.
fn answerable(config: &Config, definitions_only: bool) -> Config {
    let mut config = config.clone();
    for meta in REGISTRY.iter().map(|r| r.meta()) {
        let evaluation = if definitions_only {
            OF_DEFINITIONS.contains(&meta.id)
        } else {
            !NEVER.contains(&meta.id)
        };
        if !evaluation {
            config.rules.entry(meta.id.to_owned()).or_default().enabled = Some(false);
        }
    }
    config
}

/// Evaluates one case in both worlds, or in one if there is no other. Only a result that both worlds give is kept: one that depends on a value that is
/// not known yet, or on evidence that no file has, is dropped.
pub(super) fn verdicts(
    best: Option<&Case>,
    worst: &Case,
    config: &Config,
    now: jiff::Timestamp,
) -> (Evaluation, UncheckedRules) {
    let config = answerable(config, worst.definitions_only);
    let mut evaluation = evaluate_naming_passes(&worst.snapshot, &config, now, None);
    let at_best = match best {
        Some(best) => evaluate(&best.snapshot, &config, now, None).findings,
        None => evaluation.findings.clone(),
    };
    let mut unchecked = UncheckedRules::new();
    let key = |f: &Finding| (f.id.clone(), f.workload.clone());
    let certain: BTreeMap<_, Finding> = at_best.into_iter().map(|f| (key(&f), f)).collect();
    let mut findings = vec![];
    for finding in std::mem::take(&mut evaluation.findings) {
        // What is said is what is certain: in the best world a finding names nothing that is not known.
        match certain.get(&key(&finding)) {
            Some(sure)
                if sure.verdict == finding.verdict
                    && (sure.verdict != Verdict::Unknown || sure.untold || is_unreadable(sure)) =>
            {
                findings.push(sure.clone());
            }
            _ => {
                unchecked.entry(finding.rule).or_default().insert(finding.resource.arn);
            }
        }
    }
    // Some rules ask for a path rather than forbid one: what they miss in the best world, they miss for good.
    let told: BTreeSet<_> = findings.iter().map(key).collect();
    for ((id, workload), finding) in certain {
        if !told.contains(&(id, workload)) {
            unchecked.entry(finding.rule).or_default().insert(finding.resource.arn);
        }
    }
    evaluation.findings = findings;
    crate::evaluate::sort(&mut evaluation.findings);
    (evaluation, unchecked)
}

/// Whether something in the file itself could not be read.
fn is_unreadable(finding: &Finding) -> bool {
    finding.evidence.iter().any(|e| e.observed == UNREADABLE)
}
