//! The seam between what decides and AWS: one account and region, as it is read and changed. The simulation has a
//! model in its place, so nothing behind this seam decides anything.

mod late;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::act;
use crate::aws::Aws;
use crate::collect::{Collector, Focus, Memory, Unwatched};
use crate::config::Config;
use crate::model::key::Scope;
use crate::model::remediation::{Action, SecretChange};
use crate::model::resources::Service;
use crate::model::snapshot::{ReadError, Seen, Snapshot};
pub use late::{Door, LateCloud};

/// How long a call that changes something may take, repetitions by the SDK included. No longer than a lease holds on
/// after it was checked, so that nothing is still on its way when another process has the scope.
const WRITE_WITHIN: Duration = Duration::from_secs(8);

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

    /// Reads the parts of `focus` afresh, see [`Collector::look_again`].
    async fn look_again(&self, base: &Snapshot, focus: &Focus, all_databases: bool, now: Timestamp) -> Snapshot;

    /// One service as it is now; `None` if there is none such.
    async fn service(&self, cluster: &str, service: &str) -> Seen<Option<Service>>;

    /// ARN of the revision of `base`'s family that was registered for `attempt`, if one was.
    async fn registered(&self, base: &str, attempt: &str) -> Seen<Option<String>>;

    /// Makes one call, once. `Some`: the ARN that AWS gave to what was registered.
    ///
    /// # Errors
    /// The call's failure; [`crate::aws::is_uncertain`] tells whether it may have taken effect all the same.
    async fn write(&self, write: Write<'_>) -> Seen<Option<String>>;

    /// Calls that sweeps made so far, repeated attempts included.
    fn sweep_calls(&self) -> u64 {
        0
    }
}

/// The real one.
#[derive(Clone)]
pub struct AwsCloud {
    /// The clients.
    pub aws: Aws,
    /// What may be read.
    pub config: Arc<Config>,
    /// What was read before.
    pub memory: Arc<Memory>,
}

impl AwsCloud {
    fn collector(&self) -> Collector<'_> {
        Collector {
            aws: &self.aws,
            config: &self.config,
            memory: &self.memory,
            progress: &Unwatched,
        }
    }
}

#[async_trait]
impl Cloud for AwsCloud {
    fn scope(&self) -> &Scope {
        &self.aws.scope
    }

    fn caller(&self) -> Option<&str> {
        self.aws.caller.as_deref()
    }

    async fn sweep(&self, now: Timestamp) -> Snapshot {
        Box::pin(self.collector().sweep(now)).await
    }

    fn sweep_calls(&self) -> u64 {
        self.aws.sweep_calls()
    }

    async fn look_again(&self, base: &Snapshot, focus: &Focus, all_databases: bool, now: Timestamp) -> Snapshot {
        Box::pin(self.collector().look_again(base, focus, all_databases, now)).await
    }

    async fn service(&self, cluster: &str, service: &str) -> Seen<Option<Service>> {
        Box::pin(self.collector().service(cluster, service)).await
    }

    async fn registered(&self, base: &str, attempt: &str) -> Seen<Option<String>> {
        Box::pin(act::registered(&self.collector(), base, attempt)).await
    }

    async fn write(&self, write: Write<'_>) -> Seen<Option<String>> {
        let collector = self.collector();
        let sent = Box::pin(act::write(&collector, write));
        tokio::time::timeout(WRITE_WITHIN, sent).await.unwrap_or_else(|_| {
            let scope = self.scope();
            Err(Arc::new(ReadError {
                service: "aws".into(),
                operation: "write".into(),
                resource: scope.to_string(),
                code: "Timeout".into(),
                message: format!("a call in {scope} had no answer within {} s", WRITE_WITHIN.as_secs()),
            }))
        })
    }
}
