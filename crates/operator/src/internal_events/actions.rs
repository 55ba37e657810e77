//! Corrections.

use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::resources::revision_name;
use holdfast_core::plan::PlannedAction;
use jiff::Timestamp;
use serde_json::json;

use super::telemetry::{Notification, Telemetry};
use crate::attempt::{Attempt, Outcome};
use crate::clock::passed;
use crate::ports::LedgerError;

/// The first call of a correction is about to be made.
pub struct ActionStarted<'a>(pub &'a PlannedAction);

impl ActionStarted<'_> {
    /// Logs it.
    pub fn emit(self) {
        let action = self.0;
        tracing::info!(
            action = action.id,
            workload = action.workload,
            change = action.change,
            "correcting"
        );
    }
}

/// A correction is planned and not made now.
pub struct ActionHeld<'a> {
    /// The correction.
    pub action: &'a PlannedAction,
    /// Why.
    pub reason: &'a HoldReason,
}

impl ActionHeld<'_> {
    /// Logs and counts it.
    pub fn emit(self, telemetry: &Telemetry) {
        let action = self.action;
        tracing::info!(
            action = action.id,
            workload = action.workload,
            change = action.change,
            why = %self.reason,
            code = self.reason.code().as_str(),
            "not corrected"
        );
        count(telemetry, action, Outcome::Refused);
        telemetry.mark_stale();
    }
}

/// A correction waits for AWS.
pub struct ActionPending<'a> {
    /// The correction.
    pub attempt: &'a Attempt,
    /// What it waits for.
    pub why: &'a str,
}

impl ActionPending<'_> {
    /// Logs it.
    pub fn emit(self) {
        tracing::debug!(attempt = self.attempt.id, why = self.why, "under way");
    }
}

/// A correction that was begun is over.
pub struct ActionEnded<'a> {
    /// The correction.
    pub action: &'a PlannedAction,
    /// How it ended.
    pub outcome: Outcome,
    /// One sentence about that.
    pub detail: &'a str,
    /// When.
    pub at: Timestamp,
    /// When the first of its findings was first seen.
    pub first_seen: Option<Timestamp>,
}

impl ActionEnded<'_> {
    /// Logs and counts it, keeps it for the API, and notifies others.
    pub fn emit(self, telemetry: &Telemetry) {
        let (action, outcome, detail) = (self.action, self.outcome, self.detail);
        // Whatever became of it, calls that AWS accepted were applied.
        let applied = matches!(outcome, Outcome::Verified | Outcome::Reverted).then_some(Outcome::Applied);
        for outcome in applied.into_iter().chain([outcome]) {
            count(telemetry, action, outcome);
        }
        if outcome == Outcome::Verified {
            tracing::info!(
                action = action.id,
                workload = action.workload,
                change = action.change,
                outcome = outcome.as_str(),
                detail,
                "corrected"
            );
            if let Some(since) = self.first_seen {
                let took = passed(since, self.at).as_secs_f64();
                for rule in &action.rules {
                    telemetry.metrics.actions.corrected(rule, took);
                }
            }
        } else {
            tracing::warn!(
                action = action.id,
                workload = action.workload,
                change = action.change,
                outcome = outcome.as_str(),
                detail,
                "not corrected"
            );
        }
        telemetry.keep_action(json!({
            "id": action.id, "at": self.at, "workload": action.workload, "rules": action.rules,
            "findings": action.findings, "resource": action.resource, "change": action.change,
            "calls": action.calls, "outcome": outcome.as_str(), "detail": detail,
        }));
        telemetry.mark_stale();
        telemetry.notify(Notification::Action(
            Box::new(action.clone()),
            outcome,
            detail.to_owned(),
        ));
    }
}

/// A rollout failed: its service is given the revision before again.
pub struct RolloutReverting<'a> {
    /// Cluster and name of the service.
    pub service: &'a str,
    /// ARN of the revision that failed.
    pub revision: &'a str,
    /// Why.
    pub why: &'a str,
}

impl RolloutReverting<'_> {
    /// Logs it.
    pub fn emit(self) {
        tracing::warn!(
            service = self.service,
            revision = revision_name(self.revision),
            why = self.why,
            "the rollout failed, going back"
        );
    }
}

/// The service of a failed rollout could not be given the revision before yet.
pub struct RevertFailed<'a> {
    /// Cluster and name of the service.
    pub service: &'a str,
    /// What AWS said.
    pub error: &'a str,
}

impl RevertFailed<'_> {
    /// Logs it.
    pub fn emit(self) {
        tracing::warn!(
            service = self.service,
            error = self.error,
            "the service could not be set back yet"
        );
    }
}

/// How far a correction has come is not in the ledger.
pub struct AttemptNotRecorded<'a> {
    /// The correction.
    pub attempt: &'a Attempt,
    /// What the ledger said.
    pub error: &'a LedgerError,
}

impl AttemptNotRecorded<'_> {
    /// Logs it.
    pub fn emit(self) {
        tracing::warn!(
            attempt = self.attempt.id,
            error = %self.error,
            "how far a correction has come could not be written down"
        );
    }
}

/// The end of an earlier correction still can't be written to the ledger.
pub struct OutcomeStillNotRecorded<'a> {
    /// The correction.
    pub attempt: &'a Attempt,
    /// What the ledger said.
    pub why: &'a str,
}

impl OutcomeStillNotRecorded<'_> {
    /// Logs it.
    pub fn emit(self) {
        tracing::debug!(attempt = self.attempt.id, why = self.why, "still not written down");
    }
}

/// Counts each call of an action under each rule that asked for it.
fn count(telemetry: &Telemetry, action: &PlannedAction, outcome: Outcome) {
    for rule in &action.rules {
        for call in &action.calls {
            telemetry.metrics.actions.ended(rule, &call.operation, outcome.as_str());
        }
    }
}
