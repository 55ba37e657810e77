//! The trait that each correction implements.

use super::call::Call;
use super::refresh::RefreshBeforeCall;
use super::rollout::Rollout;
use super::takes_away::TakesAway;
use crate::model::policy::Risk;

/// Everything that must be known about a correction.
pub trait Correction {
    /// The calls, in order.
    fn calls(&self) -> Vec<Call>;

    /// What it costs the workload.
    fn risk(&self) -> Risk;

    /// The access that somebody may use now and that the correction takes away.
    fn takes_away(&self) -> TakesAway<'_>;

    /// The conditions that must hold just before the calls, for a person to read. Holdfast checks them by reading,
    /// evaluating and planning again: the result must be the same action.
    fn preconditions(&self) -> Vec<String>;

    /// The reads to repeat just before the first call, besides the workload itself.
    fn refresh(&self) -> RefreshBeforeCall;

    /// How it is carried out.
    fn execution(&self) -> Execution<'_>;

    /// How it is planned with others of the same target.
    fn merge(&self) -> Merge<'_>;

    /// The target that it changes. Holdfast never makes two corrections of one target at once.
    fn target(&self) -> String;

    /// The purpose, independent of the current state of the target. A correction that was undone and is planned again
    /// has the same purpose, even if a re-created security group rule has another id or the service has another
    /// revision.
    fn purpose(&self) -> String;

    /// One line: what changes, before → after.
    fn describe(&self) -> String;
}

/// How a correction is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution<'a> {
    /// By one call. A fresh evaluation shows whether it took effect.
    OneCall,
    /// Step by step, until the service is steady or the change is reverted.
    Rollout(Rollout<'a>),
}

/// How a correction is planned with others of the same target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge<'a> {
    /// Only with the very same correction.
    Identical,
    /// With every other correction that gives the service a revision, so that it gets one new revision for all of them.
    OneRevision(Rollout<'a>),
}
