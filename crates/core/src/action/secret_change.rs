//! A change of one reference in a task definition.

use serde::{Deserialize, Serialize};

/// One variable of one container, and its new reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretChange {
    /// The container.
    pub container: String,
    /// The variable.
    pub variable: String,
    /// The reference now; absent if the variable is to be added.
    pub before: Option<String>,
    /// The new reference.
    pub after: String,
}

/// The changes of both, in order: where they differ about a variable, the one of `first`.
pub(super) fn union(first: &[SecretChange], second: &[SecretChange]) -> Vec<SecretChange> {
    let mut all = first.to_vec();
    for change in second {
        let is_same = |c: &SecretChange| c.container == change.container && c.variable == change.variable;
        if !all.iter().any(is_same) {
            all.push(change.clone());
        }
    }
    all.sort();
    all
}
