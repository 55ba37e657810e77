//! An audit as data: what `--format json` prints, and what every other format is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_core::evaluate::{self, Evaluation};
use holdfast_core::finding::{Finding, Passed, Verdict};
use holdfast_core::model::key::Scope;
use holdfast_core::model::policy::{Mode, Severity};
use holdfast_core::model::snapshot::{ReadError, Snapshot};
use jiff::Timestamp;
use serde::Serialize;

/// The program that made the report.
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

/// What the sweep covered.
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

/// The number of verdicts of each kind.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// The invariant holds.
    pub pass: usize,
    /// It is broken.
    pub fail: usize,
    /// It is broken, and a waiver accepts that for a time.
    pub waived: usize,
    /// Evidence is missing.
    pub unknown: usize,
    /// Of those, what no read failed for: nobody told it.
    pub untold: usize,
    /// Failures that another failure causes: `fail` minus this is the number of root causes.
    pub consequences: usize,
    /// Failures by severity. Every severity has an entry.
    pub by_severity: BTreeMap<Severity, usize>,
}

/// What the sweep cost.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stats {
    /// Requests sent, retries included, by `service:operation`.
    pub api_calls: BTreeMap<String, u64>,
    /// The number of them that AWS throttled.
    pub throttled: u64,
    /// Wall time.
    pub duration_ms: u64,
}

/// The result of one sweep over all scopes.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Always 1.
    pub schema_version: u32,
    /// The program that made it.
    pub tool: Tool,
    /// When reading began.
    pub started_at: Timestamp,
    /// When evaluation ended.
    pub finished_at: Timestamp,
    /// `audit` or `enforce`.
    pub mode: Mode,
    /// What the sweep covered.
    pub scope: Coverage,
    /// The number of verdicts of each kind.
    pub summary: Summary,
    /// Verdicts other than pass, sorted: severity, workload, rule, resource.
    pub findings: Vec<Finding>,
    /// Every read that failed.
    pub errors: Vec<Arc<ReadError>>,
    /// What the sweep cost.
    pub stats: Stats,
    /// Verdicts that are a pass. The JSON report has only their number.
    #[serde(skip)]
    pub passed: Vec<Passed>,
    /// Unknown results that leave a question open ([`Evaluation::leaves_open`]).
    #[serde(skip)]
    pub open_questions: usize,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new(mode: Mode, started_at: Timestamp) -> Self {
        Self {
            schema_version: 1,
            tool: Tool::this(),
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
            open_questions: 0,
        }
    }

    /// Adds the snapshot and the findings of one scope.
    pub fn add(&mut self, snapshot: &Snapshot, evaluation: Evaluation) {
        let Scope { account, region } = snapshot.scope.clone();
        self.scope.accounts.insert(account);
        self.scope.regions.insert(region);
        self.scope.workloads += evaluation
            .workloads
            .keys()
            .filter(|w| *w != evaluate::UNKNOWN_WORKLOADS)
            .count();
        self.scope.resources += evaluation.resources.values().sum::<usize>();
        self.summary.pass += evaluation.passes;
        for finding in &evaluation.findings {
            match finding.verdict {
                Verdict::Fail => {
                    self.summary.fail += 1;
                    self.summary.consequences += usize::from(finding.caused_by.is_some());
                    *self.summary.by_severity.entry(finding.severity).or_default() += 1;
                }
                Verdict::Waived => self.summary.waived += 1,
                Verdict::Unknown => {
                    self.summary.unknown += 1;
                    self.summary.untold += usize::from(finding.untold);
                    self.open_questions += usize::from(evaluation.leaves_open(finding));
                }
            }
        }
        self.passed.extend(evaluation.passed);
        self.findings.extend(evaluation.findings);
        self.errors.extend(snapshot.errors.iter().cloned());
        evaluate::sort(&mut self.findings);
    }

    /// Returns whether a failure at or above `severity` is open.
    #[must_use]
    pub fn fails_at(&self, severity: Severity) -> bool {
        self.findings
            .iter()
            .any(|f| f.verdict == Verdict::Fail && f.severity >= severity)
    }

    /// Returns whether a verdict is unknown or a read failed.
    #[must_use]
    pub fn has_gaps(&self) -> bool {
        self.open_questions > 0 || !self.errors.is_empty()
    }
}
