//! What was found, for people and for programs: one file for each form.

mod groups;
mod html;
mod junit;
mod markdown;
mod ocsf;
#[cfg(test)]
mod sample;
mod sarif;
mod table;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use holdfast_core::evaluate::Evaluation;
use holdfast_core::finding::{Finding, Passed, Verdict};
use holdfast_core::model::key::Scope;
use holdfast_core::model::policy::{Mode, Severity};
use holdfast_core::model::snapshot::{ReadError, Snapshot};
pub use html::html;
pub use junit::junit;
pub use markdown::markdown;
pub use ocsf::ocsf;
pub use sarif::sarif;
pub use table::{Style, audit_table, checklist_table, diagnosis_table, history_table, plan_table, rules_table};
pub use tasks::checklist_markdown;

/// Who made the report.
#[derive(Debug, Clone, Serialize)]
pub struct Tool {
    /// `holdfast`
    pub name: &'static str,
    /// For instance `0.1.0`.
    pub version: &'static str,
}

impl Tool {
    /// This program.
    #[must_use]
    pub fn this() -> Self {
        Self {
            name: "holdfast",
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// What was looked at.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Coverage {
    /// Twelve digits each.
    pub accounts: BTreeSet<String>,
    /// For instance `us-east-1`.
    pub regions: BTreeSet<String>,
    /// Workloads evaluated.
    pub workloads: usize,
    /// Tagged resources.
    pub resources: usize,
}

/// How many verdicts of each kind.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// The invariant holds.
    pub pass: usize,
    /// It is broken.
    pub fail: usize,
    /// It is broken, and that is accepted for a time.
    pub waived: usize,
    /// Evidence is missing.
    pub unknown: usize,
    /// Failures that are the consequence of another one: `fail` less this is how many things are broken.
    pub consequences: usize,
    /// Failures by severity, every severity named.
    pub by_severity: BTreeMap<Severity, usize>,
}

/// What the sweep cost.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stats {
    /// Requests sent, retries included, by `service:operation`.
    pub api_calls: BTreeMap<String, u64>,
    /// How many of them were throttled.
    pub throttled: u64,
    /// Wall time.
    pub duration_ms: u64,
}

/// One sweep over all scopes.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// 1.
    pub schema_version: u32,
    /// Who made it.
    pub tool: Tool,
    /// When reading began.
    pub started_at: Timestamp,
    /// When evaluating ended.
    pub finished_at: Timestamp,
    /// `audit` or `enforce`.
    pub mode: Mode,
    /// What was looked at.
    pub scope: Coverage,
    /// How many verdicts of each kind.
    pub summary: Summary,
    /// Verdicts other than pass, sorted: severity, workload, rule, resource.
    pub findings: Vec<Finding>,
    /// Every read that failed.
    pub errors: Vec<Arc<ReadError>>,
    /// What it cost.
    pub stats: Stats,
    /// Verdicts that are a pass. The JSON has their number only: nobody reads it to learn what is well.
    #[serde(skip)]
    pub passed: Vec<Passed>,
}

impl Report {
    /// A report of nothing yet.
    #[must_use]
    pub fn new(mode: Mode, started_at: Timestamp) -> Self {
        Self {
            schema_version: 1,
            tool: Tool {
                name: "holdfast",
                version: env!("CARGO_PKG_VERSION"),
            },
            started_at,
            finished_at: started_at,
            mode,
            scope: Coverage::default(),
            summary: Summary {
                by_severity: Severity::ALL.iter().map(|s| (*s, 0)).collect(),
                ..Summary::default()
            },
            findings: vec![],
            errors: vec![],
            stats: Stats::default(),
            passed: vec![],
        }
    }

    /// Adds one scope.
    pub fn add(&mut self, snapshot: &Snapshot, evaluation: Evaluation) {
        let Scope { account, region } = snapshot.scope.clone();
        self.scope.accounts.insert(account);
        self.scope.regions.insert(region);
        self.scope.workloads += evaluation
            .workloads
            .keys()
            .filter(|w| *w != holdfast_core::evaluate::UNKNOWN_WORKLOADS)
            .count();
        self.scope.resources += evaluation.resources.values().sum::<usize>();
        self.summary.pass += evaluation.passes;
        self.passed.extend(evaluation.passed);
        for finding in &evaluation.findings {
            match finding.verdict {
                Verdict::Fail => {
                    self.summary.fail += 1;
                    self.summary.consequences += usize::from(finding.caused_by.is_some());
                    *self.summary.by_severity.entry(finding.severity).or_default() += 1;
                }
                Verdict::Waived => self.summary.waived += 1,
                Verdict::Unknown => self.summary.unknown += 1,
            }
        }
        self.findings.extend(evaluation.findings);
        self.errors.extend(snapshot.errors.iter().cloned());
        holdfast_core::evaluate::sort(&mut self.findings);
    }

    /// Whether a failure at or above `severity` is open.
    #[must_use]
    pub fn fails_at(&self, severity: Severity) -> bool {
        self.findings
            .iter()
            .any(|f| f.verdict == Verdict::Fail && f.severity >= severity)
    }

    /// Whether anything that should be known is not.
    #[must_use]
    pub fn has_gaps(&self) -> bool {
        self.summary.unknown > 0 || !self.errors.is_empty()
    }
}
