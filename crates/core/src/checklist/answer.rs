//! The result of one item.

use jiff::Timestamp;

use super::item::ItemVerdict;
use crate::diagnose::{Fact, Hop, Status};
use crate::finding::{Finding, Verdict};
use crate::model::snapshot::ReadError;

/// The result of one item, before it has a name.
pub(super) struct Answer {
    pub(super) verdict: ItemVerdict,
    pub(super) summary: String,
    pub(super) evidence: Vec<Fact>,
    pub(super) at: Option<Timestamp>,
    pub(super) todo: Option<String>,
}

impl Answer {
    pub(super) fn proved(summary: impl Into<String>) -> Self {
        Self {
            verdict: ItemVerdict::Proved,
            summary: summary.into(),
            evidence: vec![],
            at: None,
            todo: None,
        }
    }

    pub(super) fn disproved(summary: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            verdict: ItemVerdict::Disproved,
            todo: Some(todo.into()),
            ..Self::proved(summary)
        }
    }

    pub(super) fn unknown(summary: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            verdict: ItemVerdict::Unknown,
            todo: Some(todo.into()),
            ..Self::proved(summary)
        }
    }

    /// A read that failed: its message names the cure.
    pub(super) fn unread(error: &ReadError) -> Self {
        Self::unknown(
            format!("{}:{} on {} failed", error.service, error.operation, error.resource),
            error.message.clone(),
        )
    }

    pub(super) fn fact(mut self, field: impl Into<String>, observed: impl Into<serde_json::Value>) -> Self {
        self.evidence.push(Fact {
            field: field.into(),
            observed: observed.into(),
            expected: None,
        });
        self
    }

    pub(super) fn at(mut self, at: Option<Timestamp>) -> Self {
        self.at = at;
        self
    }

    /// What a hop of the path found.
    pub(super) fn of_hop(hop: &Hop) -> Self {
        let todo = match &hop.fix {
            Some(fix) => fix.summary.clone(),
            None => hop
                .not_checked
                .first()
                .cloned()
                .unwrap_or_else(|| format!("see `holdfast diagnose`: {}", hop.name)),
        };
        let mut answer = match hop.status {
            Status::Proved => Self::proved(&hop.summary),
            Status::Broken => Self::disproved(&hop.summary, todo),
            Status::Unknown | Status::NotReached => Self::unknown(&hop.summary, todo),
        };
        answer.evidence.clone_from(&hop.evidence);
        answer
    }

    /// What a rule found.
    pub(super) fn of_finding(finding: &Finding) -> Self {
        let todo = finding.remediation.as_ref().map(|r| r.summary.clone());
        let mut answer = match (finding.verdict, &finding.waiver) {
            (Verdict::Fail, _) => Self::disproved(
                &finding.message,
                todo.unwrap_or_else(|| format!("see `holdfast rules {}`", finding.rule)),
            ),
            (_, Some(waiver)) => Self::unknown(
                format!("{}; waived until {}: {}", finding.message, waiver.until, waiver.reason),
                todo.unwrap_or_default(),
            ),
            _ => Self::unknown(&finding.message, "make the evidence readable, then run this again"),
        };
        for e in &finding.evidence {
            answer.evidence.push(Fact {
                field: e.field.clone(),
                observed: e.observed.clone(),
                expected: Some(e.expected.clone()),
            });
        }
        answer
    }
}
