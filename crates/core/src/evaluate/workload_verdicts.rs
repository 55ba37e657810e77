//! Which rules evaluated one workload, and which of them failed.

use crate::rules::REGISTRY;

/// Some of the rules, by their places in the registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleSet(u64);

impl RuleSet {
    /// Takes in the rule at place `index` of the registry.
    pub(super) fn insert(&mut self, index: usize) {
        const { assert!(REGISTRY.len() <= u64::BITS as usize, "a bit for each rule") };
        self.0 |= 1 << index;
    }

    /// Whether the rule at place `index` of the registry is one of them.
    pub(super) const fn contains(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    pub(super) fn indices(self) -> impl Iterator<Item = usize> {
        (0..REGISTRY.len()).filter(move |index| self.0 & (1 << index) != 0)
    }
}

/// The rules that one workload was evaluated by, and those that it failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkloadVerdicts {
    /// Rules that evaluated something.
    pub evaluated: RuleSet,
    /// Those that passed somewhere.
    pub passed: RuleSet,
    /// Those that failed.
    pub failed: RuleSet,
}
