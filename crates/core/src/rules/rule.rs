//! What a rule is, and what one is written with.

pub use crate::facts::workload::Workload;
pub use crate::model::judgement::{Failure, Judgement, Remedy};
pub use crate::model::rule_meta::Meta;
pub use crate::model::subject::Subject;

/// One invariant.
pub trait Rule: Sync {
    /// What is known without running it.
    fn meta(&self) -> &'static Meta;
    /// Judges one workload. Resources that the rule does not apply to are left out.
    fn judge<'a>(&self, workload: &Workload<'a>) -> Vec<Judgement<'a>>;
}
