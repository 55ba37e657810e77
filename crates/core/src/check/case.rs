//! One file as a snapshot, and how its resources are named.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Kind;
use crate::model::resources::Secret;
use crate::model::snapshot::Snapshot;
use crate::model::value_from::{SecretRef, without_suffix};

/// Code of a read error about a file that could not be read in part: the only one that leaves a verdict unknown.
pub(super) const UNREADABLE: &str = "Unreadable";

/// In front of the name of a service in the snapshot. Rules write `CLUSTER/NAME`: with an empty cluster, this and the
/// slash are taken out of what they say.
pub(super) const SERVICE: char = '\u{1}';

/// The same for a service that does not exist, by which a task definition is evaluated.
pub(super) const STAND_IN: char = '\u{2}';

/// What is made of values that are not known before a plan is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum World {
    /// They turn out well.
    Best,
    /// They turn out badly.
    Worst,
}

/// One snapshot to be evaluated.
pub(super) struct Case {
    pub(super) snapshot: Snapshot,
    /// Whether its services do not exist, and only what rules say of task definitions counts.
    pub(super) definitions_only: bool,
    /// By the ARN in the snapshot.
    pub(super) subjects: BTreeMap<String, DisplayName>,
    /// What is not known before the plan is applied: address and attribute.
    pub(super) gaps: BTreeSet<(String, String)>,
    /// What carries no workload's tag, and is not evaluated.
    pub(super) nameless: BTreeSet<String>,
    /// Whether the other world has another snapshot.
    pub(super) diverged: bool,
}

/// How a finding names a resource.
#[derive(Debug, Clone)]
pub(super) struct DisplayName {
    pub(super) id: String,
    /// The kind to show, where the snapshot holds a stand-in of another kind.
    pub(super) kind: Option<Kind>,
}

impl DisplayName {
    pub(super) fn of(address: &str) -> Self {
        Self {
            id: address.to_owned(),
            kind: None,
        }
    }

    pub(super) fn of_definition(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind: Some(Kind::EcsTaskDefinition),
        }
    }
}

/// The secret that a reference without the random suffix means. Its ARN follows from the reference, so no read is
/// needed.
pub(super) fn partial_arn(target: &SecretRef<'_>) -> Option<Secret> {
    // A template may hold the suffix.
    if without_suffix(target.resource).is_some() || target.resource.contains(['$', '<', '{', '%', '*']) {
        return None;
    }
    Some(secret(format!("{}-XXXXXX", target.arn), target.resource.to_owned()))
}

/// A secret of which no more is known.
pub(super) fn secret(arn: String, name: String) -> Secret {
    Secret {
        arn,
        name,
        ..Secret::default()
    }
}
