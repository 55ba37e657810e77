//! The trait that each correction implements.

use super::call::Call;
use super::refresh::RefreshBeforeCall;
use super::rollout::Rollout;
use super::takes_away::TakesAway;
use crate::model::policy::Risk;

/// What must be known of each correction.
pub trait Correction {
    /// The calls, in order.
    fn calls(&self) -> Vec<Call>;

    /// What it costs the workload.
    fn risk(&self) -> Risk;

    /// What somebody may be using that is gone afterwards.
    fn takes_away(&self) -> TakesAway<'_>;

    /// What must hold just before the calls, for a person to read. Holdfast checks it by evaluating and planning again
    /// from fresh reads: the same action must come out.
    fn preconditions(&self) -> Vec<String>;

    /// What is read again right before the first call, besides the workload itself.
    fn refresh(&self) -> RefreshBeforeCall;

    /// How it is carried out.
    fn execution(&self) -> Execution<'_>;

    /// How it is planned with others of the same target.
    fn merge(&self) -> Merge<'_>;

    /// What it changes: two corrections of the same target are never under way at once.
    fn target(&self) -> String;

    /// What it is for, however the target looks now. A correction that was undone and is asked for again has the same
    /// purpose, although a rule that was created again has another id and a service has another revision.
    fn purpose(&self) -> String;

    /// One line: what changes, before → after.
    fn describe(&self) -> String;
}

/// How a correction is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution<'a> {
    /// By one call; a fresh evaluation shows whether it took effect.
    OneCall,
    /// Step by step, until the service is steady, or back.
    Rollout(Rollout<'a>),
}

/// How a correction is planned with others of the same target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge<'a> {
    /// Only with the very same correction.
    Identical,
    /// With every other one that gives the service a revision: it is given one, whatever is wrong with the running one.
    OneRevision(Rollout<'a>),
}
