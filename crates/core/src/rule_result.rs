//! The result of one rule for one resource.

use std::borrow::Cow;
use std::sync::Arc;

use crate::action::Action;
use crate::finding::Evidence;
use crate::model::hold::HoldReason;
use crate::model::policy::Severity;
use crate::model::read_error::ReadError;
use crate::model::subject::ResultSubject;
use crate::model::tags::{PhaseReading, Tags};

/// The result of one rule for one resource.
#[derive(Debug, Clone)]
pub struct RuleResult<'a> {
    /// The resource.
    pub subject: ResultSubject<'a>,
    /// What the rule found.
    pub outcome: Outcome,
    /// Tags of the resource, and of others where a person may put a waiver or a mode. A mode on any of them applies; a
    /// waiver must be on the first or on all of the rest.
    pub tags: Vec<&'a Tags>,
    /// `migrating` or `migrated`.
    pub phase: &'static str,
    /// ARNs of other resources that the result depends on. If one of them fails a rule that can cause this failure,
    /// that finding is the root cause.
    pub related: Vec<Cow<'a, str>>,
}

/// The outcome for one resource.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The invariant holds.
    Pass,
    /// It does not.
    Fail(Box<Failure>),
    /// Evidence is missing.
    Unknown(Arc<ReadError>),
}

/// A broken invariant.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Where it differs from the rule's own.
    pub severity: Option<Severity>,
    /// One sentence.
    pub message: String,
    /// The evidence for it.
    pub evidence: Vec<Evidence>,
    /// What would correct it.
    pub remedy: Remedy,
}

/// What would correct a failure.
#[derive(Debug, Clone)]
pub struct Remedy {
    /// One line: what to do.
    pub summary: String,
    /// The corrections; empty if a person must do it.
    pub actions: Vec<Action>,
    /// The reason to hold them, if there is one.
    pub refused: Option<HoldReason>,
}

impl Remedy {
    /// A correction that Holdfast can carry out.
    pub fn act(summary: impl Into<String>, actions: Vec<Action>) -> Self {
        Self {
            summary: summary.into(),
            actions,
            refused: None,
        }
    }

    /// A correction that would do harm now.
    pub fn refuse(summary: impl Into<String>, actions: Vec<Action>, why: HoldReason) -> Self {
        Self {
            summary: summary.into(),
            actions,
            refused: Some(why),
        }
    }

    /// Something that a person must do.
    pub fn manual(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            actions: vec![],
            refused: None,
        }
    }
}

impl<'a> RuleResult<'a> {
    fn new(subject: ResultSubject<'a>, outcome: Outcome) -> Self {
        Self {
            subject,
            outcome,
            tags: vec![],
            phase: "migrated",
            related: vec![],
        }
    }

    /// The invariant holds: nothing that a tag could waive or restrain.
    #[must_use]
    pub fn pass(subject: ResultSubject<'a>) -> Self {
        Self::new(subject, Outcome::Pass)
    }

    /// It does not.
    #[must_use]
    pub fn fail(subject: ResultSubject<'a>, tags: &'a Tags, failure: Failure) -> Self {
        Self::new(subject, Outcome::Fail(Box::new(failure))).bearing([tags])
    }

    /// Evidence is missing.
    #[must_use]
    pub fn unknown(subject: ResultSubject<'a>, tags: &'a Tags, error: &Arc<ReadError>) -> Self {
        Self::new(subject, Outcome::Unknown(Arc::clone(error))).bearing([tags])
    }

    /// Evidence is missing for the workload as a whole: there is nothing that a tag could waive or restrain.
    #[must_use]
    pub fn unknown_workload(name: &'a str, error: &Arc<ReadError>) -> Self {
        Self::new(ResultSubject::Workload(name), Outcome::Unknown(Arc::clone(error)))
    }

    /// Adds tags where a person may put a waiver or a mode. A pass needs none.
    #[must_use]
    pub fn bearing(mut self, tags: impl IntoIterator<Item = &'a Tags>) -> Self {
        if !matches!(self.outcome, Outcome::Pass) {
            self.tags.extend(tags);
        }
        self
    }

    /// The corrections of a failure; none of any other outcome.
    #[must_use]
    pub fn actions(self) -> Vec<Action> {
        match self.outcome {
            Outcome::Fail(failure) => failure.remedy.actions,
            Outcome::Pass | Outcome::Unknown(_) => vec![],
        }
    }

    /// Adds other resources that the result depends on, by their ARNs.
    #[must_use]
    pub fn relating(mut self, arns: impl IntoIterator<Item = impl Into<Cow<'a, str>>>) -> Self {
        if !matches!(self.outcome, Outcome::Pass) {
            self.related.extend(arns.into_iter().map(Into::into));
        }
        self
    }

    /// Sets the phase.
    #[must_use]
    pub fn in_phase(mut self, reading: PhaseReading) -> Self {
        self.phase = reading.phase.name();
        self
    }
}
