//! What a rule is, and what one is written with.

pub use crate::facts::Workload;
pub use crate::judgement::{Failure, Judgement, Remedy};
pub use crate::model::follow_up_reads::FollowUpReads;
pub use crate::model::rule_meta::{FollowUp, Meta};
pub use crate::model::subject::Subject;

/// One invariant.
pub trait Rule: Sync {
    /// What is known without running it.
    fn meta(&self) -> &'static Meta;
    /// Judges one workload. Resources that the rule does not apply to are left out.
    fn judge<'a>(&self, workload: &Workload<'a>) -> Vec<Judgement<'a>>;
    /// Adds what else must be read before the rule can judge, or before its correction can be carried out. Most rules need
    /// nothing but the first reads. [`Meta::follow_up`] says when this is asked.
    fn follow_up_reads(&self, _workload: &Workload<'_>, _reads: &mut FollowUpReads) {}
}
