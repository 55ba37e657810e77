//! The path from a service to its database.

use serde::Serialize;

use super::hop::{Hop, Status};
use crate::model::resources::Service;
use crate::model::value_from::Selector;

/// Where the value that a container receives is stored, so that the caller can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueSource {
    /// A version of a secret, with the key to take from it.
    Secret {
        /// Full ARN.
        arn: String,
        /// Key, stage and version.
        selector: Selector,
    },
    /// A parameter of Parameter Store, by the reference as written.
    Parameter(String),
}

/// The path from one database variable of one service to the database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Path {
    /// `cluster/service`.
    pub service: String,
    /// `family:revision` of the revision that it runs.
    pub revision: Option<String>,
    /// The container.
    pub container: Option<String>,
    /// The variable.
    pub variable: Option<String>,
    /// Name of the secret, or of the parameter, that it is filled from.
    pub secret: Option<String>,
    /// The database that it leads to.
    pub database: Option<String>,
    /// What is known of the whole path.
    pub status: Status,
    /// The hops, in order.
    pub hops: Vec<Hop>,
    /// Where the connection string is, if all hops up to `url` are proved and none is broken.
    #[serde(skip)]
    pub source: Option<ValueSource>,
}

impl Path {
    /// The hop of this name.
    #[must_use]
    pub fn hop(&self, name: &str) -> Option<&Hop> {
        self.hops.iter().find(|h| h.name == name)
    }

    /// The first hop that is broken.
    #[must_use]
    pub fn broken(&self) -> Option<&Hop> {
        self.hops.iter().find(|h| h.status == Status::Broken)
    }

    /// Goes on with more hops.
    pub fn extend(&mut self, hops: Vec<Hop>) {
        self.hops.extend(hops);
        self.status = Status::of(self.hops.iter().map(|h| h.status));
    }
}

/// `cluster/service`.
pub(super) fn id(service: &Service) -> String {
    format!("{}/{}", service.cluster, service.name)
}
