//! Which rules evaluated one workload, and which of them failed.

use crate::rules::REGISTRY;

/// Some of the rules, by their places in the registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleSet(u64);

impl RuleSet {
    /// Takes in the rule at place `rank` of the registry.
    pub(super) fn insert(&mut self, rank: usize) {
        const { assert!(REGISTRY.len() <= u64::BITS as usize, "a bit for each rule") };
        self.0 |= 1 << rank;
    }

    pub(super) fn ranks(self) -> impl Iterator<Item = usize> {
        (0..REGISTRY.len()).filter(move |rank| self.0 & (1 << rank) != 0)
    }
}

/// The rules that one workload was judged by, and those that it failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rules that judged something.
    pub judged: RuleSet,
    /// Those that failed.
    pub failed: RuleSet,
}
