//! What an event points at.

use super::arn;
use super::parsed::{Ignored, ParseError};
use crate::model::key::Subject;

/// What an event points at, before its scope is known.
pub(super) enum EventTarget {
    Subject(Subject),
    /// Named by an ARN, which may also give the account and region.
    Arn(arn::Arn, Subject),
}

pub(super) type TargetsResult = Result<Vec<EventTarget>, ParseError>;

/// Either targets, or why there are none.
pub(super) enum EventTargets {
    EventTargets(Vec<EventTarget>),
    Ignored(Ignored),
}
