//! How a correction gives a service a revision.

use super::secret_change::SecretChange;

/// How a correction gives a service a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// The service's name.
    pub service: &'a str,
    /// ARN of the running revision, to which a failed rollout goes back.
    pub before: &'a str,
    /// What it is given.
    pub revision: Revision<'a>,
}

/// The revision that a rollout gives a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision<'a> {
    /// A new one: the running revision with these references, which is registered first.
    Register(&'a [SecretChange]),
    /// An existing one, by its ARN.
    Existing(&'a str),
}
