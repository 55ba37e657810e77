//! The trait that rules implement, and the types that they use.

pub use crate::facts::Workload;
pub use crate::model::follow_up_reads::FollowUpReads;
pub use crate::model::rule_meta::{FollowUp, Meta};
pub use crate::model::subject::ResultSubject;
pub use crate::rule_result::{Failure, Remedy, RuleResult};

/// One invariant.
pub trait Rule: Sync {
    /// What is known without running it.
    fn meta(&self) -> &'static Meta;
    /// Evaluates one workload. Resources that the rule does not apply to are left out.
    fn evaluate<'a>(&self, workload: &Workload<'a>) -> Vec<RuleResult<'a>>;
    /// Adds what else must be read before the rule can evaluate, or before its correction can be carried out. Most
    /// rules need nothing but the first reads. [`Meta::follow_up`] says when this is asked.
    fn follow_up_reads(&self, _workload: &Workload<'_>, _reads: &mut FollowUpReads) {}
}
