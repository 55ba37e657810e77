//! Counts how many workloads of a scope fail each rule. This tells one bad workload from a bad rule.

use std::collections::BTreeMap;

use super::evaluation::Evaluation;
use super::workload_verdicts::WorkloadVerdicts;
use crate::rules::REGISTRY;

/// How often each rule failed in a scope, kept up to date workload by workload.
#[derive(Debug, Clone)]
pub struct RuleStats {
    workloads: BTreeMap<String, WorkloadVerdicts>,
    /// By place in the registry: how many workloads were evaluated, and how many failed.
    sums: [(usize, usize); REGISTRY.len()],
}

impl Default for RuleStats {
    fn default() -> Self {
        Self {
            workloads: BTreeMap::new(),
            sums: [(0, 0); REGISTRY.len()],
        }
    }
}

impl RuleStats {
    /// Takes over what was evaluated: of all workloads, or of some.
    pub fn update(&mut self, evaluation: &Evaluation, all: bool) {
        if all {
            *self = Self::default();
        }
        for (workload, verdicts) in &evaluation.workloads {
            if let Some(old) = self.workloads.insert(workload.clone(), *verdicts) {
                self.count(&old, |n| n.saturating_sub(1));
            }
            self.add(verdicts);
        }
    }

    /// Counts a workload in.
    pub(super) fn add(&mut self, verdicts: &WorkloadVerdicts) {
        self.count(verdicts, |n| n + 1);
    }

    fn count(&mut self, verdicts: &WorkloadVerdicts, change: impl Fn(usize) -> usize) {
        for index in verdicts.evaluated.indices() {
            self.sums[index].0 = change(self.sums[index].0);
        }
        for index in verdicts.failed.indices() {
            self.sums[index].1 = change(self.sums[index].1);
        }
    }

    /// For each rule that evaluated something, how many workloads it evaluated, and how many of them failed.
    #[must_use]
    pub fn failing(&self) -> BTreeMap<&'static str, (usize, usize)> {
        let sums = REGISTRY.iter().map(|rule| rule.meta().id).zip(self.sums);
        sums.filter(|(_, (evaluated, _))| *evaluated > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::workload_verdicts::RuleSet;

    fn rules(ids: &[&str]) -> RuleSet {
        let mut set = RuleSet::default();
        for id in ids {
            set.insert(REGISTRY.iter().position(|r| r.meta().id == *id).expect("a rule"));
        }
        set
    }

    fn evaluation(workload: &str, failed: &[&str]) -> Evaluation {
        let verdicts = WorkloadVerdicts {
            evaluated: rules(&["rds-public-access", "rds-single-az"]),
            passed: RuleSet::default(),
            failed: rules(failed),
        };
        Evaluation {
            workloads: BTreeMap::from([(workload.to_owned(), verdicts)]),
            ..Evaluation::default()
        }
    }

    #[test]
    fn a_second_look_replaces_the_first() {
        let mut stats = RuleStats::default();
        stats.update(&evaluation("a", &["rds-public-access"]), true);
        stats.update(&evaluation("b", &["rds-public-access"]), false);
        assert_eq!(stats.failing()["rds-public-access"], (2, 2));
        stats.update(&evaluation("a", &[]), false);
        assert_eq!(stats.failing()["rds-public-access"], (2, 1));
        assert_eq!(stats.failing()["rds-single-az"], (2, 0));
        stats.update(&evaluation("b", &[]), true);
        assert_eq!(stats.failing()["rds-single-az"], (1, 0));
        assert_eq!(stats.failing().get("rds-abandoned"), None, "it judged nothing");
    }
}
