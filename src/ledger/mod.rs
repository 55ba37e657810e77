//! What must be remembered from one process to the next: when findings were first seen, and every correction that was
//! begun, with how far it came. AWS stays the only source of what *is*; the ledger tells what *was done*.

mod attempt;
mod dynamodb;
mod memory;
mod sqlite;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::aws::Connector;
use crate::config::{self, LedgerKind};
use crate::model::key::Scope;
pub use attempt::{Attempt, Ended, Sighting, Step};
pub use dynamodb::DynamoLedger;
pub use memory::MemoryLedger;
pub use sqlite::SqliteLedger;

/// How long what has ended is kept: a year, so that "when was this last touched?" has an answer after an annual audit, and
/// a month for whoever asks late. What is open is kept as long as it is open.
pub const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Characters kept of [`Attempt::detail`]. A sentence has a few hundred; an error that a library puts together may have any
/// number, and an item of DynamoDB no more than 400 KB.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
pub const LONGEST_DETAIL: usize = 4000;

/// The part of an attempt's detail that is kept.
fn kept(detail: &str) -> &str {
    detail
        .char_indices()
        .nth(LONGEST_DETAIL)
        .map_or(detail, |(end, _)| &detail[..end])
}

/// An instant with all of its digits: unlike RFC 3339's shortest form, sorted as text it is sorted by time.
fn sortable(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()
}

/// Why the ledger can't be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Another process wrote this attempt under a later lease: this process must not act in that scope any more.
    #[error("{attempt} was written under a later lease; this process has lost the scope")]
    Fenced {
        /// The attempt's id.
        attempt: String,
    },
    /// Anything else: one sentence that names the file or table and what to do.
    #[error("{0}")]
    Unusable(String),
}

/// What `holdfast history` shows, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Corrections.
    pub attempts: Vec<Attempt>,
    /// Findings, open and resolved.
    pub sightings: Vec<Sighting>,
}

/// The memory of all processes that look after the same scopes. Nothing is ever overwritten but an attempt by its own
/// progress and a sighting by its resolution.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Findings that are open in `scope`, in a fixed order.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`]
    async fn open_findings(&self, scope: &Scope) -> Result<Vec<Sighting>, LedgerError>;

    /// Writes sightings: new ones, and old ones with `resolved_at` set. A sighting is identified by its scope, workload,
    /// finding and `first_seen`; writing it again changes nothing but `resolved_at`, and that only from absent to the first
    /// instant given: what is resolved stays so, however late a write of another process comes.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`]
    async fn sighted(&self, sightings: &[Sighting]) -> Result<(), LedgerError>;

    /// Writes an attempt: a new one, or what became of it (of one id, the action and `begun_at` never change). Of its
    /// detail no more than [`LONGEST_DETAIL`] characters are kept.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`] if the stored one was written under a later lease: nothing is changed then.
    async fn put(&self, attempt: &Attempt) -> Result<(), LedgerError>;

    /// Attempts in `scope` that are open, or were begun at or after `since`; in the order in which they were begun.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`]
    async fn attempts(&self, scope: &Scope, since: Timestamp) -> Result<Vec<Attempt>, LedgerError>;

    /// The latest `limit` attempts and the latest `limit` sightings, of one workload or of all, newest first. Those
    /// of the same instant come in a fixed order.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`]
    async fn history(&self, workload: Option<&str>, limit: usize) -> Result<History, LedgerError>;
}

/// Opens the ledger that the configuration names, with the process's own credentials and region. `now` tells what is old
/// enough to be forgotten.
///
/// # Errors
/// [`LedgerError::Unusable`]
pub async fn open(
    config: &config::Ledger,
    connector: &Connector,
    now: Timestamp,
) -> Result<Arc<dyn Ledger>, LedgerError> {
    match config.kind {
        LedgerKind::Sqlite => Ok(Arc::new(SqliteLedger::open(&config.path, now).await?)),
        LedgerKind::Dynamodb => Ok(Arc::new(open_table(config, connector).await?)),
    }
}

/// Opens the configured table.
///
/// # Errors
/// [`LedgerError::Unusable`]
pub async fn open_table(config: &config::Ledger, connector: &Connector) -> Result<DynamoLedger, LedgerError> {
    let unnamed = || LedgerError::Unusable("ledger.kind: dynamodb needs ledger.table, the table's name".into());
    let table = config.table.as_deref().ok_or_else(unnamed)?;
    let sdk = aws_sdk_dynamodb::config::Builder::from(connector.own())
        .interceptor(connector.recorder())
        .build();
    DynamoLedger::open(aws_sdk_dynamodb::Client::from_conf(sdk), table).await
}
