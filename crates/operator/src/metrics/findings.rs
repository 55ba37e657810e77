//! What the last look at each scope found.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};

use holdfast_core::model::key::Scope;

use super::series::{Maker, OTHER, ScopedGauge, clamp, lock};

/// Past so many series of findings in one scope, further workloads are counted together as `other`.
pub(super) const MAX_FINDING_SERIES: usize = 20_000;

/// One finding, reduced to what the gauge counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FindingLabels<'a> {
    /// Rule id.
    pub rule: &'a str,
    /// `critical`, `high`, `medium` or `low`.
    pub severity: &'a str,
    /// `fail`, `waived` or `unknown`.
    pub verdict: &'a str,
    /// Value of the workload tag.
    pub workload: &'a str,
}

/// Gauges that describe a scope. They are replaced as a whole: what a sweep no longer found has no series left.
#[derive(Debug)]
pub struct FindingMetrics(Mutex<Gauges>);

#[derive(Debug)]
pub(super) struct Gauges {
    findings: ScopedGauge,
    workloads: ScopedGauge,
    resources: ScopedGauge,
}

impl FindingMetrics {
    pub(super) fn register(make: &Maker<'_>) -> prometheus::Result<Self> {
        let labels = ["rule", "severity", "verdict", "workload", "account", "region"];
        Ok(Self(Mutex::new(Gauges {
            findings: ScopedGauge::new(make.int_gauges("holdfast_findings", "Findings of the last look.", &labels)?),
            workloads: ScopedGauge::new(make.int_gauges(
                "holdfast_workloads",
                "Workloads found.",
                &["account", "region"],
            )?),
            resources: ScopedGauge::new(make.int_gauges(
                "holdfast_resources",
                "Resources of workloads found.",
                &["account", "region", "kind"],
            )?),
        })))
    }

    /// Replaces every finding of `scope`: what is not given any more has no series.
    pub fn set<'a>(&self, scope: &Scope, findings: impl IntoIterator<Item = FindingLabels<'a>>) {
        let mut counts: HashMap<Vec<String>, i64> = HashMap::new();
        let row = |f: &FindingLabels<'_>, workload: &str| {
            [f.rule, f.severity, f.verdict, workload, &scope.account, &scope.region]
                .map(str::to_owned)
                .to_vec()
        };
        for finding in findings {
            let mut labels = row(&finding, finding.workload);
            if counts.len() >= MAX_FINDING_SERIES && !counts.contains_key(&labels) {
                labels = row(&finding, OTHER);
            }
            *counts.entry(labels).or_default() += 1;
        }
        lock(&self.0)
            .findings
            .replace_keeping(scope, counts, MAX_FINDING_SERIES);
    }

    /// Replaces how many workloads and resources (by kind) `scope` holds.
    pub fn set_inventory(&self, scope: &Scope, workloads: usize, resources: &BTreeMap<&str, usize>) {
        let place = vec![scope.account.clone(), scope.region.clone()];
        let kinds = resources.iter().map(|(kind, n)| {
            let labels = [place.as_slice(), &[(*kind).to_owned()]].concat();
            (labels, clamp(*n))
        });
        let mut gauges = lock(&self.0);
        gauges.resources.replace(scope, kinds.collect());
        gauges
            .workloads
            .replace(scope, HashMap::from([(place, clamp(workloads))]));
    }

    /// Removes every series of a scope that this process no longer looks after.
    pub(super) fn forget(&self, scope: &Scope) {
        let mut gauges = lock(&self.0);
        let Gauges {
            findings,
            workloads,
            resources,
        } = &mut *gauges;
        for gauge in [findings, workloads, resources] {
            gauge.replace(scope, HashMap::new());
        }
    }

    /// Held while rendering: a scrape sees a scope before or after its replacement, never between.
    pub(super) fn hold(&self) -> MutexGuard<'_, Gauges> {
        lock(&self.0)
    }
}
