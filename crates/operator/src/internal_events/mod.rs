//! What happens inside the operator: one struct for each thing, whose `emit` feeds log, metrics, API and notifications
//! alike, so that all of them tell the same story with the same field names.
//!
//! An event holds borrowed facts and decides nothing. Its metric is declared in the file of [`crate::metrics`] that has
//! the same name.

mod actions;
mod events;
mod findings;
mod reconciles;
mod scopes;
mod sweeps;
mod telemetry;

pub use actions::{
    ActionEnded, ActionHeld, ActionPending, ActionStarted, AttemptNotRecorded, OutcomeStillNotRecorded, RevertFailed,
    RolloutReverting,
};
pub use events::{EventHandled, EventMalformed, EventReceived, MessagesGivenBack, MessagesNotDeleted, ReceiveFailed};
pub use findings::{FindingsChanged, FindingsNotRecorded, ScopeObserved};
pub use reconciles::{KeyHandedOver, KeyLeftToSweep, KeyOfForeignScope, ReconcileFailed, ReconcileSucceeded};
pub use scopes::{LeadershipChanged, PauseRead, ScopeGained, ScopeLost, WorkUnfinished};
pub use sweeps::{CoverageCompleted, LedgerUnreadable, ReadFailed, RunsNotRecorded, SweepCompleted};
pub use telemetry::{Notification, Telemetry};
