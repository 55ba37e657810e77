//! Reads that are needed only if the first reads show that they matter.

use std::collections::{BTreeMap, BTreeSet};

use super::resources::AccessTarget;

/// Reads that follow the first ones.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FollowUpReads {
    /// Security groups that a correction would change: what else do they guard?
    pub guarded: BTreeSet<String>,
    /// Running revisions that keep data in the container, with no secret to add: was an earlier one durable?
    pub earlier_revisions: BTreeSet<String>,
    /// Custom parameter groups, by whether they are clusters' and by name: do they force TLS?
    pub parameter_groups: BTreeSet<(bool, String)>,
    /// Secrets by ARN: whom does their resource policy let in?
    pub policies: BTreeSet<String>,
    /// Roles by ARN: may they do this?
    pub access: BTreeMap<String, BTreeSet<AccessTarget>>,
    /// Services by ARN: which revisions would a rollback choose?
    pub rollback_targets: BTreeSet<String>,
    /// Services by ARN: how did their newest deployment end?
    pub deployments: BTreeSet<String>,
    /// Services by ARN: what do their logs say?
    pub logs: BTreeSet<String>,
    /// Services by ARN, with ARNs of secrets that changed after they were deployed: did their tasks start before that?
    pub starts: BTreeMap<String, BTreeSet<String>>,
    /// VPCs by id: which endpoints do they have?
    pub vpc_endpoints: BTreeSet<String>,
}

impl FollowUpReads {
    /// Asks whether `role` may do what `target` says.
    pub fn may(&mut self, role: &str, target: AccessTarget) {
        self.access.entry(role.to_owned()).or_default().insert(target);
    }
}
