//! A correction that was begun: what is remembered of it, so that another process can finish it and nobody begins it twice.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use holdfast_core::finding::ResourceRef;
use holdfast_core::model::key::Scope;
use holdfast_core::plan::PlannedAction;

/// How a correction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Done, and a fresh read no longer shows what it corrects.
    Verified,
    /// Done, but not seen to have taken effect in time.
    Applied,
    /// Not begun: what it rests on no longer holds, or something forbids it.
    Refused,
    /// A call failed.
    Failed,
    /// It did not work, and what was there before is back.
    Reverted,
}

impl Outcome {
    /// The name used in metrics and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Reverted => "reverted",
        }
    }
}

/// How far a correction has come. Written down before the call that leads to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The first call is about to be made, or was: whether it took effect must be read.
    Begun,
    /// A rollout's revision exists; the service is about to be given it, or was.
    Registered,
    /// Every call was accepted: what remains is that AWS carries it out.
    Called,
    /// A rollout failed: the service is about to be set back, or was.
    GoingBack,
    /// AWS accepted that the service is set back: what remains is to see it.
    SetBack,
}

impl Step {
    /// The name used in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Registered => "registered",
            Self::Called => "called",
            Self::GoingBack => "going back",
            Self::SetBack => "set back",
        }
    }
}

/// One correction, from its first call to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Unique: the action's id and the instant at which it was begun.
    pub id: String,
    /// What is done, where, and for which findings.
    pub action: PlannedAction,
    /// The process that wrote this last, as `host:pid` or the ECS task's id.
    pub replica: String,
    /// Fencing token of the lease under which it was written last; 0 where there are no leases.
    pub fence: u64,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// When it was written last.
    pub updated_at: Timestamp,
    /// How far it has come.
    pub step: Step,
    /// When it got there, or its call was last about to be made: until some time after, a read may be older.
    pub step_at: Timestamp,
    /// ARN of the revision that a rollout registered.
    pub revision: Option<String>,
    /// How it ended; absent while it is under way.
    pub outcome: Option<Outcome>,
    /// One sentence about the outcome, or about what is waited for.
    pub detail: String,
}

impl Attempt {
    /// An attempt at `action` that begins at `now`.
    #[must_use]
    pub fn new(action: PlannedAction, replica: &str, fence: u64, now: Timestamp) -> Self {
        Self {
            id: format!("{}-{}", action.id, now.as_millisecond()),
            action,
            replica: replica.to_owned(),
            fence,
            begun_at: now,
            updated_at: now,
            step: Step::Begun,
            step_at: now,
            revision: None,
            outcome: None,
            detail: String::new(),
        }
    }

    /// Whether it is still under way.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    /// Where.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.action.scope
    }
}

/// A finding as the ledger remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRecord {
    /// Where.
    pub scope: Scope,
    /// The workload.
    pub workload: String,
    /// The finding's id.
    pub finding: String,
    /// Its rule.
    pub rule: String,
    /// Its resource.
    pub resource: ResourceRef,
    /// Its sentence when it was first seen.
    pub message: String,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was seen to be gone; absent while it is open.
    pub resolved_at: Option<Timestamp>,
}

/// What `holdfast history` shows, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Corrections.
    pub attempts: Vec<Attempt>,
    /// Findings, open and resolved.
    pub records: Vec<FindingRecord>,
}
