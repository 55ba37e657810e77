//! An account and region that could be entered.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use holdfast_core::config::Config;
use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::{Service, TaskDefinition};
use holdfast_core::model::snapshot::{Read, ReadError, Snapshot};
use holdfast_core::refresh::RefreshSet;
use holdfast_operator::ports::{Cloud, Write};
use jiff::Timestamp;

use crate::client::Aws;
use crate::inventory::{Collector, NoProgress, ReadCache};
use crate::mutate;

/// How long a call that changes something may take, repetitions by the SDK included. No longer than a lease holds on
/// after it was checked, so that nothing is still on its way when another process has the scope.
const WRITE_WITHIN: Duration = Duration::from_secs(8);

/// [`Cloud`] by the AWS SDK.
#[derive(Clone)]
pub struct AwsCloud {
    /// The clients.
    pub aws: Aws,
    /// What may be read.
    pub config: Arc<Config>,
    /// What was read before.
    pub cache: Arc<ReadCache>,
}

impl AwsCloud {
    fn collector(&self) -> Collector<'_> {
        Collector {
            aws: &self.aws,
            config: &self.config,
            cache: &self.cache,
            progress: &NoProgress,
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

    async fn refresh(&self, base: &Snapshot, set: &RefreshSet, now: Timestamp) -> Snapshot {
        Box::pin(self.collector().refresh(base, set, now)).await
    }

    async fn service(&self, cluster: &str, service: &str) -> Read<Option<Service>> {
        Box::pin(self.collector().service(cluster, service)).await
    }

    async fn definition(&self, revision: &str) -> Read<Option<Arc<TaskDefinition>>> {
        Box::pin(self.collector().definition_if_any(revision)).await
    }

    async fn registered(&self, base: &str, attempt: &str) -> Read<Option<String>> {
        Box::pin(mutate::registered(&self.collector(), base, attempt)).await
    }

    async fn write(&self, write: Write<'_>) -> Read<Option<String>> {
        let collector = self.collector();
        let sent = Box::pin(mutate::write(&collector, write));
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
