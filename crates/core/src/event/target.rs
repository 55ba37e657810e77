//! What an event points at.

use super::arn;
use super::parsed::{Ignored, ParseError};
use crate::model::key::Subject;

/// What an event points at, before it is known where.
pub(super) enum Target {
    Subject(Subject),
    /// As named by an ARN, which may also tell account and region.
    Arn(arn::Arn, Subject),
}

pub(super) type Targets = Result<Vec<Target>, ParseError>;

/// Either targets, or why there are none.
pub(super) enum Found {
    Targets(Vec<Target>),
    Ignored(Ignored),
}
