//! How far an attempt, or a rollout, has come.

use std::time::Duration;

use holdfast_core::model::hold::HoldReason;

use crate::attempt::Outcome;

/// How far an attempt has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is over: how, and one sentence.
    Ended(Outcome, String),
    /// It was not begun: why.
    Held(HoldReason),
    /// Look again after that long; what is waited for.
    Waits(Duration, String),
}

/// How far a rollout is.
pub(super) enum Rolled {
    /// Tasks run steadily with the revision.
    Steady,
    /// The service has the revision, and no task shows whether it runs: why.
    Unproved(String),
    /// Anything else.
    Goes(Progress),
}

impl From<Progress> for Rolled {
    fn from(progress: Progress) -> Self {
        Self::Goes(progress)
    }
}

impl Rolled {
    /// For a rollout that was begun just now: what has come to its end is looked at again at once.
    pub(super) fn into_progress(self) -> Progress {
        match self {
            Self::Goes(progress) => progress,
            Self::Steady => Progress::Waits(Duration::ZERO, "the service is steady".into()),
            Self::Unproved(why) => Progress::Waits(Duration::ZERO, why),
        }
    }
}
