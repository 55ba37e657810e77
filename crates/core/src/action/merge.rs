//! How a plan makes one correction of several: a service is given one revision, whatever is wrong with the running one.

use super::{Action, RollBack, RollOut};

/// How a correction is planned with others of the same target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge<'a> {
    /// Only with the very same correction.
    Identical,
    /// It gives its service a new revision, which takes over the changes of others.
    Forward(&'a RollOut),
    /// It gives its service an earlier revision, unless another correction leads forward.
    Back(&'a RollBack),
}

/// What makes two corrections one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MergeKey {
    /// That they give the same service (cluster, name) a revision.
    Service(String, String),
    /// That they are the same.
    Action(Action),
}

impl Action {
    /// Corrections with the same key are planned as one.
    #[must_use]
    pub fn merge_key(&self) -> MergeKey {
        let service = |cluster: &str, service: &str| MergeKey::Service(cluster.to_owned(), service.to_owned());
        match self.correction().merge() {
            Merge::Identical => MergeKey::Action(self.clone()),
            Merge::Forward(r) => service(&r.cluster, &r.service),
            Merge::Back(r) => service(&r.cluster, &r.service),
        }
    }

    /// One correction for this and another one of the same key.
    #[must_use]
    pub fn merged_with(&self, other: &Self) -> Self {
        match (self.correction().merge(), other.correction().merge()) {
            (Merge::Forward(one), Merge::Forward(other)) => Self::RollOut(one.with_changes_of(other)),
            // Never a step back where a step forward does.
            (Merge::Back(_), Merge::Forward(other)) => Self::RollOut(other.clone()),
            (Merge::Forward(_) | Merge::Back(_), Merge::Back(_) | Merge::Identical) | (Merge::Identical, _) => {
                self.clone()
            }
        }
    }
}
