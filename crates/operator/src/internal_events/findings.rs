//! Findings.

use std::collections::BTreeMap;

use holdfast_core::finding::Finding;
use holdfast_core::model::key::Scope;

use super::telemetry::{Notification, Telemetry};
use crate::metrics::FindingLabels;
use crate::ports::LedgerError;

/// All that is now known of a scope.
pub struct ScopeObserved<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// Every finding.
    pub findings: &'a [Finding],
    /// How many workloads it has.
    pub workloads: usize,
    /// How many resources of each kind.
    pub resources: &'a BTreeMap<&'static str, usize>,
}

impl ScopeObserved<'_> {
    /// Replaces the gauges of the scope.
    pub fn emit(self, telemetry: &Telemetry) {
        let labels = self.findings.iter().map(|f| FindingLabels {
            rule: &f.rule,
            severity: f.severity.as_str(),
            verdict: f.verdict.name(),
            workload: &f.workload,
        });
        let metrics = &telemetry.metrics.findings;
        metrics.set(self.scope, labels);
        metrics.set_inventory(self.scope, self.workloads, self.resources);
    }
}

/// An evaluation opened or resolved findings.
pub struct FindingsChanged {
    /// Those that opened.
    pub opened: Vec<Finding>,
    /// Those that were resolved.
    pub resolved: Vec<Finding>,
}

impl FindingsChanged {
    /// Logs each, and notifies others.
    pub fn emit(self, telemetry: &Telemetry) {
        for finding in &self.opened {
            tracing::info!(finding = finding.id, rule = finding.rule, severity = %finding.severity,
                verdict = finding.verdict.name(), workload = finding.workload, resource = finding.resource.arn,
                "{}", finding.message);
        }
        for finding in &self.resolved {
            tracing::info!(
                finding = finding.id,
                rule = finding.rule,
                workload = finding.workload,
                resource = finding.resource.arn,
                "resolved"
            );
        }
        telemetry.notify(Notification::Findings(self.opened, self.resolved));
    }
}

/// Findings are not in the ledger yet.
pub struct FindingsNotRecorded<'a> {
    /// How many.
    pub findings: usize,
    /// What the ledger said.
    pub error: &'a LedgerError,
}

impl FindingsNotRecorded<'_> {
    /// Logs it.
    pub fn emit(self) {
        tracing::warn!(error = %self.error, findings = self.findings, "not written down yet");
    }
}
