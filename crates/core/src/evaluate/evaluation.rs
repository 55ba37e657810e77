//! What the rules say about one scope.

use std::collections::{BTreeMap, BTreeSet};

use super::workload_verdicts::WorkloadVerdicts;
use crate::finding::{Finding, Kind, Passed};

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
