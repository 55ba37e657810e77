//! Everything that the operator asks of the world outside: each is a trait, with AWS behind it (`holdfast-aws`), a file,
//! or in tests a model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use holdfast_core::action::{Action, SecretChange};
use holdfast_core::finding::Finding;
use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::key::{Key, Scope};
use holdfast_core::model::resources::{MigrationRun, Service, TaskDefinition};
use holdfast_core::model::snapshot::{Read, Snapshot};
use holdfast_core::plan::PlannedAction;
use jiff::Timestamp;

use crate::attempt::{Attempt, FindingRecord, History, Outcome};
use holdfast_core::refresh::RefreshSet;

// ---- one account and region ------------------------------------------------------------------------------------

/// One call that changes something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Write<'a> {
    /// The call of an action that is one call.
    Correct(&'a Action),
    /// `RegisterTaskDefinition`: `base` with other references, under a tag that names the attempt.
    Register {
        /// ARN of the running revision.
        base: &'a str,
        /// What differs.
        changes: &'a [SecretChange],
        /// The workload.
        workload: &'a str,
        /// The attempt's id.
        attempt: &'a str,
    },
    /// `RegisterTaskDefinition`: `base` as it is, under a tag that names the attempt. A service can't be given `base`
    /// itself any more.
    RegisterTwin {
        /// ARN of the revision.
        base: &'a str,
        /// The workload.
        workload: &'a str,
        /// What the tag says.
        attempt: &'a str,
    },
    /// `StopServiceDeployment` with rollback.
    Stop {
        /// ARN of the service deployment.
        deployment: &'a str,
    },
    /// `DeregisterTaskDefinition` of a revision that Holdfast registered.
    Deregister {
        /// ARN of the revision.
        revision: &'a str,
    },
    /// `UpdateService` to a revision.
    Update {
        /// The cluster's name.
        cluster: &'a str,
        /// The service's name.
        service: &'a str,
        /// ARN of the revision.
        revision: &'a str,
    },
}

/// One account and region.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Which.
    fn scope(&self) -> &Scope;

    /// ARN of the identity that calls are made with.
    fn caller(&self) -> Option<&str>;

    /// Reads everything that is tagged.
    async fn sweep(&self, now: Timestamp) -> Snapshot;

    /// Reads the parts of `focus` afresh, as far as they are its parts.
    async fn refresh(&self, base: &Snapshot, set: &RefreshSet, now: Timestamp) -> Snapshot;

    /// One service as it is now; `None` if there is none such.
    async fn service(&self, cluster: &str, service: &str) -> Read<Option<Service>>;

    /// One revision as it is now; `None` if it was deleted.
    async fn definition(&self, revision: &str) -> Read<Option<Arc<TaskDefinition>>>;

    /// ARN of the revision of `base`'s family that was registered for `attempt`, if one was.
    async fn registered(&self, base: &str, attempt: &str) -> Read<Option<String>>;

    /// Makes one call, once. `Some`: the ARN that AWS gave to what was registered.
    ///
    /// # Errors
    /// The call's failure; [`is_uncertain`](holdfast_core::model::read_error::is_uncertain) tells whether it may have taken effect all the same.
    async fn write(&self, write: Write<'_>) -> Read<Option<String>>;

    /// Calls that sweeps made so far, repeated attempts included.
    fn sweep_calls(&self) -> u64 {
        0
    }
}

// ---- what was done ---------------------------------------------------------------------------------------------

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

/// The memory of all processes that look after the same scopes. Nothing is ever overwritten but an attempt by its own
/// progress and a sighting by its resolution.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Findings that are open in `scope`, in a fixed order.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`]
    async fn open_findings(&self, scope: &Scope) -> Result<Vec<FindingRecord>, LedgerError>;

    /// Writes sightings: new ones, and old ones with `resolved_at` set. A sighting is identified by its scope, workload,
    /// finding and `first_seen`; writing it again changes nothing but `resolved_at`, and that only from absent to the first
    /// instant given: what is resolved stays so, however late a write of another process comes.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`]
    async fn record_findings(&self, records: &[FindingRecord]) -> Result<(), LedgerError>;

    /// Writes an attempt: a new one, or what became of it (of one id, the action and `begun_at` never change). Of its
    /// detail no more than [`crate::ledger::LONGEST_DETAIL`] characters are kept.
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

    /// Writes runs of migrations. A run is identified by its scope and the ARN of its task; writing it again only adds what
    /// was not known ([`MigrationRun::merge`]). Of a family the newest [`holdfast_core::model::resources::RUNS_KEPT`] are kept.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`]
    async fn record_runs(&self, runs: &[MigrationRun]) -> Result<(), LedgerError>;

    /// The runs of one family in `scope`, or of all; by family, the newest first.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`]
    async fn runs(&self, scope: &Scope, family: Option<&str>) -> Result<Vec<MigrationRun>, LedgerError>;
}

// ---- who may act -----------------------------------------------------------------------------------------------

/// Why a lease store can't be used: one sentence that names the table and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LeaseError(pub String);

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Where it lets its owner act.
    pub scope: Scope,
    /// The process that holds it; absent after it was given back.
    pub owner: Option<String>,
    /// The fencing token: grows by one each time the lease is taken, also by the one that had it before, never otherwise.
    pub token: u64,
    /// Grows with each write, so that no state of a lease comes twice: what is true of a lease that was read is still true
    /// if a write on that condition succeeds.
    pub heartbeat: u64,
}

/// Where leases are kept. Every write is conditional on what was read.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Says that `replica` is alive, under a `heartbeat` that is greater than any before. A write that was overtaken by a later
    /// one must not undo it.
    ///
    /// # Errors
    /// [`LeaseError`], also if another process has announced itself under this name and a greater number.
    async fn announce(&self, replica: &str, heartbeat: u64) -> Result<(), LeaseError>;

    /// Says that `replica` is about to end, so that nobody leaves it a share of the scopes.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn withdraw(&self, replica: &str) -> Result<(), LeaseError>;

    /// Replicas and their beats, read consistently. Those that are long gone may be among them.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn replicas(&self) -> Result<BTreeMap<String, u64>, LeaseError>;

    /// Every lease there is, read consistently.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn leases(&self) -> Result<BTreeMap<Scope, Lease>, LeaseError>;

    /// Puts `next` in the place of `seen` (of no lease at all, where that is absent); `false` if it has changed since.
    /// `next` was never tried before. If it is what is there although the condition fails, an earlier try of this very call
    /// took effect, and the answer is `true`.
    ///
    /// # Errors
    /// [`LeaseError`]; the write may have taken effect or may do so later.
    async fn swap(&self, seen: Option<&Lease>, next: &Lease) -> Result<bool, LeaseError>;

    /// The lease of `scope`, read consistently.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn read(&self, scope: &Scope) -> Result<Option<Lease>, LeaseError>;

    /// Leaves `key` for `replica` to look at.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn post(&self, replica: &str, key: &Key) -> Result<(), LeaseError>;

    /// Takes what was left for `replica`. A key that is lost here is found again by the next sweep.
    ///
    /// # Errors
    /// [`LeaseError`]
    async fn fetch(&self, replica: &str) -> Result<Vec<Key>, LeaseError>;
}

// ---- the kill switch -------------------------------------------------------------------------------------------

/// What can hold back every correction at once. Read before each.
#[async_trait]
pub trait PauseSwitch: Send + Sync {
    /// Why corrections are paused, if they are.
    async fn pulled(&self) -> Option<HoldReason>;
}

/// None is configured.
pub struct NoSwitch;

#[async_trait]
impl PauseSwitch for NoSwitch {
    async fn pulled(&self) -> Option<HoldReason> {
        None
    }
}

// ---- events ----------------------------------------------------------------------------------------------------

/// Most messages that one call of SQS receives, deletes or changes.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub const BATCH: usize = 10;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// SQS's id, for logs.
    pub id: String,
    /// What deletes it; new at each delivery.
    pub receipt_handle: String,
    /// The event.
    pub body: String,
    /// When it came into the queue.
    pub sent_at: Option<Timestamp>,
}

/// A call to the queue failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action} failed: {message}{hint}")]
pub struct SourceError {
    /// The IAM action behind the call, for instance `sqs:ReceiveMessage`.
    pub action: &'static str,
    /// What AWS or the transport said.
    pub message: String,
    /// What to do about it, with its punctuation; may be empty.
    pub hint: String,
}

/// A queue of events, so that the loop runs against a fake too.
#[async_trait]
pub trait EventSource: Send + Sync {
    /// Waits for up to [`BATCH`] messages; none is a normal answer. Dropping the future aborts the poll.
    ///
    /// # Errors
    /// [`SourceError`]; the caller backs off.
    async fn receive(&self) -> Result<Vec<Message>, SourceError>;

    /// Deletes up to [`BATCH`] messages by their receipt handles, and returns those worth trying again.
    ///
    /// # Errors
    /// [`SourceError`] if none was deleted.
    async fn delete(&self, handles: Vec<String>) -> Result<Vec<String>, SourceError>;

    /// Lets up to [`BATCH`] messages come back after `visibility` from now; zero means at once.
    ///
    /// # Errors
    /// [`SourceError`] if the call failed; messages that are gone are no error.
    async fn set_visibility(&self, handles: Vec<String>, visibility: Duration) -> Result<(), SourceError>;

    /// For how long a received message stays hidden.
    fn visibility(&self) -> Duration;
}

// ---- who is told -----------------------------------------------------------------------------------------------

/// Other programs that are told of findings and corrections. Telling is best effort: nothing waits for it long.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Announces what an evaluation changed.
    async fn findings(&self, opened: &[Finding], resolved: &[Finding]);

    /// Announces what became of a correction.
    async fn action(&self, action: &PlannedAction, outcome: Outcome, detail: &str);
}
