//! The result of one hop.

use serde_json::Value;

use super::hop::{Fact, Fix, Hop, Status};
use crate::model::snapshot::ReadError;

/// The result of one hop, before it has a name.
#[derive(Debug, Clone)]
pub(super) struct HopResult {
    pub status: Status,
    pub summary: String,
    pub evidence: Vec<Fact>,
    pub fix: Option<Fix>,
    pub not_checked: Vec<String>,
}

impl HopResult {
    fn new(status: Status, summary: impl Into<String>) -> Self {
        Self {
            status,
            summary: summary.into(),
            evidence: vec![],
            fix: None,
            not_checked: vec![],
        }
    }

    pub(super) fn proved(summary: impl Into<String>) -> Self {
        Self::new(Status::Proved, summary)
    }

    pub(super) fn broken(summary: impl Into<String>, fix: Fix) -> Self {
        Self {
            fix: Some(fix),
            ..Self::new(Status::Broken, summary)
        }
    }

    pub(super) fn unknown(summary: impl Into<String>) -> Self {
        Self::new(Status::Unknown, summary)
    }

    /// The hop depends on something that an earlier hop could not find out.
    pub(super) fn not_reached(why: impl Into<String>) -> Self {
        Self::new(Status::NotReached, why)
    }

    /// Adds a fact.
    pub(super) fn fact(mut self, field: impl Into<String>, observed: impl Into<Value>) -> Self {
        self.evidence.push(Fact {
            field: field.into(),
            observed: observed.into(),
            expected: None,
        });
        self
    }

    /// Adds a fact that is not as it should be.
    pub(super) fn differs(
        mut self,
        field: impl Into<String>,
        observed: impl Into<Value>,
        expected: impl Into<Value>,
    ) -> Self {
        self.evidence.push(Fact {
            field: field.into(),
            observed: observed.into(),
            expected: Some(expected.into()),
        });
        self
    }

    /// Adds something that was not checked.
    pub(super) fn unchecked(mut self, what: impl Into<String>) -> Self {
        self.not_checked.push(what.into());
        self
    }
}

/// A read that failed.
pub(super) fn unread(error: &ReadError) -> HopResult {
    HopResult::unknown(error.to_string()).fact(format!("{}:{}", error.service, error.operation), error.code.clone())
}

impl HopResult {
    /// As a hop of this name.
    pub(super) fn named(self, name: &'static str) -> Hop {
        Hop {
            name,
            status: self.status,
            summary: self.summary,
            evidence: self.evidence,
            fix: self.fix,
            not_checked: self.not_checked,
        }
    }
}

/// A hop behind a broken one.
pub(super) fn past(broken: &str) -> HopResult {
    HopResult::not_reached(format!("the way ends at {broken}"))
}
