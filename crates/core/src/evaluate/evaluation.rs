//! What the rules say about one scope.

use std::collections::{BTreeMap, BTreeSet};

use super::workload_verdicts::WorkloadVerdicts;
use crate::finding::{Finding, Kind, Passed, Verdict};
use crate::rules::REGISTRY;

/// The results for one scope, or for some of its workloads.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    /// Verdicts other than pass, sorted: severity, workload, rule, resource.
    pub findings: Vec<Finding>,
    /// How many verdicts are a pass.
    pub passes: usize,
    /// Those passes, in the order in which they were given, if they were asked for
    /// ([`evaluate_naming_passes`](super::evaluate_naming_passes)).
    pub passed: Vec<Passed>,
    /// Workloads evaluated, with the rules that evaluated them.
    pub workloads: BTreeMap<String, WorkloadVerdicts>,
    /// Tagged resources by kind.
    pub resources: BTreeMap<Kind, usize>,
    /// For each rule, in how many workloads it evaluated something, and in how many it failed.
    pub failing: BTreeMap<&'static str, (usize, usize)>,
    /// Findings, by id and workload, on whose resources a tag lowers the mode to `audit`.
    pub audit_only: BTreeSet<(String, String)>,
}

impl Evaluation {
    /// Whether a finding leaves a question open. What nobody told of one service leaves none where the same rule said
    /// something of another service of the workload: a frontend needs no store.
    #[must_use]
    pub fn leaves_open(&self, finding: &Finding) -> bool {
        if finding.verdict != Verdict::Unknown {
            return false;
        }
        let said = || {
            let verdicts = self.workloads.get(&finding.workload)?;
            let index = REGISTRY.iter().position(|r| r.meta().id == finding.rule)?;
            Some(verdicts.passed.contains(index) || verdicts.failed.contains(index))
        };
        !finding.untold || !said().unwrap_or_default()
    }
}
