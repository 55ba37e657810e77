//! Snapshots of databases, and alarms about them: what `checklist` alone asks for.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::DatabaseId;

/// A snapshot of an RDS instance or cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its identifier.
    pub id: String,
    /// The database that it was made from.
    pub database: DatabaseId,
    /// Whether a person (or AWS Backup) asked for it: those of RDS itself go with the instance.
    pub manual: bool,
    /// `available`, `creating`, `failed`, ...
    pub status: String,
    /// When it was taken.
    pub created_at: Option<Timestamp>,
}

/// A CloudWatch alarm that names a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// `DBInstanceIdentifier` and `DBClusterIdentifier` among its dimensions.
    pub databases: BTreeSet<String>,
    /// The metric; absent where it is computed from several.
    pub metric: Option<String>,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: String,
    /// When that changed last.
    pub state_since: Option<Timestamp>,
    /// Whether it notifies anyone: it has actions, and they are enabled.
    pub tells: bool,
}
