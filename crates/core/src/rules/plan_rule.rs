//! The trait of rules about a plan's changes, which `check` evaluates, and the types that they use.
//!
//! A [`Rule`](super::Rule) looks at a workload as it is or will be. These look at what a plan does to get there, so that
//! no snapshot, tag or waiver has a part in them.

pub use crate::facts::planned::{DataStore, Holds, data_store, gone, kept, lost_guards};
pub use crate::model::planned_change::{PlanFormat, PlannedAction, PlannedChange};
pub use crate::model::rule_meta::Meta;
pub use crate::rule_result::{Failure, Remedy};

/// One invariant of plans.
pub trait PlanRule: Sync {
    /// What is known without running it.
    fn meta(&self) -> &'static Meta;
    /// Evaluates one change; none where the rule does not apply to it.
    fn evaluate(&self, change: &PlannedChange) -> Option<PlanResult>;
}

/// The result of one rule for one change.
#[derive(Debug, Clone)]
pub enum PlanResult {
    /// Nothing is lost.
    Pass,
    /// Something is.
    Fail(Box<Failure>),
    /// The file does not say. This says what is missing, and what would tell.
    Unknown(String),
}

impl PlanResult {
    /// A broken invariant.
    #[must_use]
    pub fn fail(failure: Failure) -> Self {
        Self::Fail(Box::new(failure))
    }
}

/// `the plan` or `the change set`.
#[must_use]
pub fn file(change: &PlannedChange) -> &'static str {
    match change.format {
        PlanFormat::Terraform => "the plan",
        PlanFormat::ChangeSet => "the change set",
    }
}

/// What the change is about: `the database aws_db_instance.main (shop-db)`.
#[must_use]
pub fn subject(change: &PlannedChange, store: &DataStore) -> String {
    let id = match &change.physical_id {
        Some(id) if *id != change.address => format!(" ({id})"),
        _ => String::new(),
    };
    format!("the {} {}{id}", store.noun, change.name())
}
