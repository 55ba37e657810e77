//! How much of a scope fails each rule: what tells one bad workload from a bad rule.

use std::collections::BTreeMap;

use super::Judged;

/// The rules that one workload was judged by, and those that it failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Ids of rules that judged something.
    pub judged: Vec<&'static str>,
    /// Ids of those that failed.
    pub failed: Vec<&'static str>,
}

/// The tallies of every workload of a scope, kept up to date workload by workload.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    tallies: BTreeMap<String, Tally>,
    sums: BTreeMap<&'static str, (usize, usize)>,
}

impl Fleet {
    /// Takes over what was judged: of all workloads, or of some.
    pub fn update(&mut self, judged: &Judged, all: bool) {
        if all {
            *self = Self::default();
        }
        for workload in &judged.workloads {
            let tally = judged.tallies.get(workload).cloned().unwrap_or_default();
            if let Some(old) = self.tallies.insert(workload.clone(), tally.clone()) {
                self.count(&old, |n| n.saturating_sub(1));
            }
            self.count(&tally, |n| n + 1);
        }
    }

    fn count(&mut self, tally: &Tally, change: impl Fn(usize) -> usize) {
        for rule in &tally.judged {
            let sums = self.sums.entry(rule).or_default();
            sums.0 = change(sums.0);
        }
        for rule in &tally.failed {
            let sums = self.sums.entry(rule).or_default();
            sums.1 = change(sums.1);
        }
    }

    /// For each rule, how many workloads it judged, and how many of them failed.
    #[must_use]
    pub fn failing(&self) -> BTreeMap<&'static str, (usize, usize)> {
        self.sums.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(workload: &str, failed: &[&'static str]) -> Judged {
        let tally = Tally {
            judged: vec!["rds-public-access", "rds-single-az"],
            failed: failed.to_vec(),
        };
        Judged {
            workloads: std::iter::once(workload.to_owned()).collect(),
            tallies: BTreeMap::from([(workload.to_owned(), tally)]),
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
    }
}
