//! The results for one file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::allow::AllowedChange;
use super::case::UNREADABLE;
use crate::evaluate::Evaluation;
use crate::model::read_error::ReadError;
use crate::model::snapshot::Snapshot;

/// The results for one file.
#[derive(Debug)]
pub struct CheckedFile {
    /// The file as a snapshot, for a report.
    pub snapshot: Snapshot,
    /// The verdicts.
    pub evaluation: Evaluation,
    /// What the file can't answer.
    pub unchecked: Unchecked,
    /// The changes that were found and are allowed.
    pub allowed: BTreeSet<AllowedChange>,
    /// Whether there was something that a rule could have evaluated.
    pub(super) held: bool,
}

/// What a file can't answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unchecked {
    /// Rules that gave no verdict on a resource, with the resources.
    pub rules: BTreeMap<String, BTreeSet<String>>,
    /// What is known only after apply or deployment: `ADDRESS (ATTRIBUTE)`.
    pub gaps: BTreeSet<String>,
    /// Resources that carry no workload's tag.
    pub nameless: BTreeSet<String>,
    /// Parameters of a template whose defaults were taken.
    pub defaults: BTreeSet<String>,
    /// Nested stacks, whose changes are in change sets of their own.
    pub elsewhere: BTreeSet<String>,
}

impl Unchecked {
    /// Adds what another file can't answer.
    pub fn extend(&mut self, other: Self) {
        for (rule, resources) in other.rules {
            self.rules.entry(rule).or_default().extend(resources);
        }
        self.gaps.extend(other.gaps);
        self.nameless.extend(other.nameless);
        self.defaults.extend(other.defaults);
        self.elsewhere.extend(other.elsewhere);
    }
}

impl CheckedFile {
    pub(super) fn merge(&mut self, more: Self) {
        self.evaluation.findings.extend(more.evaluation.findings);
        crate::evaluate::sort(&mut self.evaluation.findings);
        self.evaluation.passed.extend(more.evaluation.passed);
        self.evaluation.passes += more.evaluation.passes;
        self.evaluation.workloads.extend(more.evaluation.workloads);
        for (kind, n) in more.evaluation.resources {
            *self.evaluation.resources.entry(kind).or_default() += n;
        }
        self.snapshot.errors.extend(more.snapshot.errors);
        self.unchecked.extend(more.unchecked);
        self.allowed.extend(more.allowed);
        self.held |= more.held;
    }

    /// A file that held something to evaluate, of which nothing could be, did not pass.
    pub(super) fn note_if_nothing_was_evaluated(&mut self, path: &str) {
        let results = self.evaluation.passes + self.evaluation.findings.len();
        if !self.held || results > 0 || !self.snapshot.errors.is_empty() {
            return;
        }
        let cure = if self.unchecked.nameless.is_empty() {
            "what decides is known only after it is applied"
        } else {
            "its resources carry no workload's tag: name one with --workload"
        };
        self.snapshot.errors.insert(Arc::new(ReadError {
            service: "file".into(),
            operation: "Check".into(),
            resource: path.to_owned(),
            code: UNREADABLE.into(),
            message: format!("nothing in it could be evaluated: {cure}"),
        }));
    }
}
