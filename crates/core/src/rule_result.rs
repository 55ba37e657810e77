//! What a rule says about one resource.

use std::borrow::Cow;
use std::sync::Arc;

use crate::action::Action;
use crate::finding::Evidence;
use crate::model::hold::HoldReason;
use crate::model::policy::Severity;
use crate::model::read_error::ReadError;
use crate::model::subject::Subject;
use crate::model::tags::{PhaseReading, Tags};

/// What a rule says about one resource.
#[derive(Debug, Clone)]
pub struct RuleResult<'a> {
    /// The resource.
    pub subject: Subject<'a>,
    /// What the rule found.
    pub outcome: Outcome,
    /// Tags of the resource, and of others that a person would put a waiver or a mode on. A mode on any of them
    /// restrains; a waiver must be on the first or on all of the rest.
    pub tags: Vec<&'a Tags>,
    /// `migrating` or `migrated`.
    pub phase: &'static str,
    /// ARNs of other resources that it rests on: where one of them fails a rule that can cause this one, that is the
    /// root.
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
    /// What it rests on.
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
    /// Why they may not be carried out, if they may not.
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

    /// A correction that would do harm as things stand.
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
    fn new(subject: Subject<'a>, outcome: Outcome) -> Self {
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
    pub fn pass(subject: Subject<'a>) -> Self {
        Self::new(subject, Outcome::Pass)
    }

    /// It does not.
    #[must_use]
    pub fn fail(subject: Subject<'a>, tags: &'a Tags, failure: Failure) -> Self {
        Self::new(subject, Outcome::Fail(Box::new(failure))).bearing([tags])
    }

    /// Evidence is missing.
    #[must_use]
    pub fn unknown(subject: Subject<'a>, tags: &'a Tags, error: &Arc<ReadError>) -> Self {
        Self::new(subject, Outcome::Unknown(Arc::clone(error))).bearing([tags])
    }

    /// Evidence is missing for the workload as a whole: there is nothing that a tag could waive or restrain.
    #[must_use]
    pub fn unknown_workload(name: &'a str, error: &Arc<ReadError>) -> Self {
        Self::new(Subject::Workload(name), Outcome::Unknown(Arc::clone(error)))
    }

    /// Notes tags that a person may put a waiver or a mode on. A pass needs none.
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

    /// Notes another resource that it rests on, by its ARN.
    #[must_use]
    pub fn relating(mut self, arns: impl IntoIterator<Item = impl Into<Cow<'a, str>>>) -> Self {
        if !matches!(self.outcome, Outcome::Pass) {
            self.related.extend(arns.into_iter().map(Into::into));
        }
        self
    }

    /// Notes the phase.
    #[must_use]
    pub fn in_phase(mut self, reading: PhaseReading) -> Self {
        self.phase = reading.phase.name();
        self
    }
}
