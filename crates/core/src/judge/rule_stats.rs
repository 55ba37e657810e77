//! How much of a scope fails each rule: what tells one bad workload from a bad rule.

use std::collections::BTreeMap;

use super::evaluation::Judged;
use super::workload_verdicts::Tally;
use crate::rules::REGISTRY;

/// The tallies of every workload of a scope, kept up to date workload by workload.
#[derive(Debug, Clone)]
pub struct Fleet {
    tallies: BTreeMap<String, Tally>,
    /// By place in the registry: how many workloads were judged, and how many failed.
    sums: [(usize, usize); REGISTRY.len()],
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            tallies: BTreeMap::new(),
            sums: [(0, 0); REGISTRY.len()],
        }
    }
}

impl Fleet {
    /// Takes over what was judged: of all workloads, or of some.
    pub fn update(&mut self, judged: &Judged, all: bool) {
        if all {
            *self = Self::default();
        }
        for (workload, tally) in &judged.workloads {
            if let Some(old) = self.tallies.insert(workload.clone(), *tally) {
                self.count(&old, |n| n.saturating_sub(1));
            }
            self.add(tally);
        }
    }

    /// Counts a workload in.
    pub(super) fn add(&mut self, tally: &Tally) {
        self.count(tally, |n| n + 1);
    }

    fn count(&mut self, tally: &Tally, change: impl Fn(usize) -> usize) {
        for rank in tally.judged.ranks() {
            self.sums[rank].0 = change(self.sums[rank].0);
        }
        for rank in tally.failed.ranks() {
            self.sums[rank].1 = change(self.sums[rank].1);
        }
    }

    /// For each rule that judged something, how many workloads it judged, and how many of them failed.
    #[must_use]
    pub fn failing(&self) -> BTreeMap<&'static str, (usize, usize)> {
        let sums = REGISTRY.iter().map(|rule| rule.meta().id).zip(self.sums);
        sums.filter(|(_, (judged, _))| *judged > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::workload_verdicts::RuleSet;

    fn rules(ids: &[&str]) -> RuleSet {
        let mut set = RuleSet::default();
        for id in ids {
            set.insert(REGISTRY.iter().position(|r| r.meta().id == *id).expect("a rule"));
        }
        set
    }

    fn judged(workload: &str, failed: &[&str]) -> Judged {
        let tally = Tally {
            judged: rules(&["rds-public-access", "rds-single-az"]),
            failed: rules(failed),
        };
        Judged {
            workloads: BTreeMap::from([(workload.to_owned(), tally)]),
            ..Judged::default()
        }
    }

    #[test]
    fn a_second_look_replaces_the_first() {
        let mut fleet = Fleet::default();
        fleet.update(&judged("a", &["rds-public-access"]), true);
        fleet.update(&judged("b", &["rds-public-access"]), false);
        assert_eq!(fleet.failing()["rds-public-access"], (2, 2));
        fleet.update(&judged("a", &[]), false);
        assert_eq!(fleet.failing()["rds-public-access"], (2, 1));
        assert_eq!(fleet.failing()["rds-single-az"], (2, 0));
        fleet.update(&judged("b", &[]), true);
        assert_eq!(fleet.failing()["rds-single-az"], (1, 0));
        assert_eq!(fleet.failing().get("rds-abandoned"), None, "it judged nothing");
    }
}
