//! Which services of the scope name which hosts, and which are in which groups: made once, so that a question about one
//! database does not go through all services.

use std::borrow::Cow;
use std::collections::HashMap;

use super::hosts::normal;
use crate::model::resources::Service;

/// The services of a scope, whichever workload they are of.
#[derive(Debug, Default)]
pub struct Users<'a> {
    pub(super) hosts: HashMap<Cow<'a, str>, Vec<&'a Service>>,
    /// By the ARN of a secret that RDS keeps.
    pub(super) secrets: HashMap<&'a str, Vec<&'a Service>>,
    pub(super) groups: HashMap<&'a str, Vec<&'a Service>>,
}

impl<'a> Users<'a> {
    /// Those whose running revision names this host, in any of its variables.
    #[must_use]
    pub fn naming(&self, host: &str) -> &[&'a Service] {
        self.hosts.get(&*normal(host)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Those whose running revision reads this secret, if RDS keeps it.
    #[must_use]
    pub fn reading(&self, secret_arn: &str) -> &[&'a Service] {
        self.secrets.get(secret_arn).map(Vec::as_slice).unwrap_or_default()
    }

    /// Those in this security group.
    #[must_use]
    pub fn in_group(&self, group: &str) -> &[&'a Service] {
        self.groups.get(group).map(Vec::as_slice).unwrap_or_default()
    }
}
