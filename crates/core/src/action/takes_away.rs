//! The access that a correction takes away.

use crate::model::resources::{DatabaseId, IngressRule};

/// The access that a correction takes away, and that somebody may use now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakesAway<'a> {
    /// Nothing that anybody can use.
    Nothing,
    /// The path of some clients to a database.
    Access(Clients<'a>),
    /// Every open connection: the database restarts.
    Connections(&'a DatabaseId),
    /// The running tasks of a service: others replace them.
    RunningTasks {
        /// The cluster's name.
        cluster: &'a str,
        /// The service's name.
        service: &'a str,
    },
    /// A revision that a deployment could have started: its ARN.
    Revision(&'a str),
}

/// Whose access it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients<'a> {
    /// Those that reach this instance by its public address.
    Public(&'a str),
    /// Those that only this rule lets in.
    Of(&'a IngressRule),
    /// Those that connect without TLS to a database with this parameter group.
    WithoutTls(&'a str),
}
