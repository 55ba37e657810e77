//! A target that could not be entered when the process began: its role not there yet, STS out of reach. It is looked
//! after from the start, as one of which nothing can be read, and entered as soon as that works.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;

use holdfast_core::refresh::RefreshSet;
use holdfast_operator::ports::{Cloud, Write};

use super::aws_cloud::AwsCloud;
use crate::client::Connector;
use crate::inventory::ReadCache;
use holdfast_core::config::Config;
use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::{Service, TaskDefinition};
use holdfast_core::model::snapshot::{Read, ReadError, Snapshot};

/// First pause between two tries; it doubles.
const FIRST: Duration = Duration::from_secs(10);
/// Longest pause between two tries.
const LONGEST: Duration = Duration::from_mins(5);

/// What is needed to enter a target.
pub struct TargetCredentials {
    /// Enters.
    pub connector: Arc<Connector>,
    /// The configuration.
    pub config: Arc<Config>,
    /// What was read before.
    pub cache: Arc<ReadCache>,
    /// The target's name, see [`Connector::connect_one`].
    pub name: String,
    /// `--region`.
    pub regions: Vec<String>,
}

/// One account and region of a target that is still to be entered.
pub struct PendingTarget {
    credentials: Arc<TargetCredentials>,
    scope: Scope,
    entered: OnceLock<AwsCloud>,
    tries: Mutex<Tries>,
}

struct Tries {
    next: Instant,
    pause: Duration,
    last: Arc<ReadError>,
}

impl PendingTarget {
    /// A scope that could not be entered just now, because of `why`.
    #[must_use]
    pub fn new(credentials: Arc<TargetCredentials>, scope: Scope, why: Arc<ReadError>) -> Self {
        let tries = Tries {
            next: Instant::now() + FIRST,
            pause: FIRST,
            last: why,
        };
        Self {
            credentials,
            scope,
            entered: OnceLock::new(),
            tries: Mutex::new(tries),
        }
    }

    async fn enter(&self) -> Read<&AwsCloud> {
        if let Some(cloud) = self.entered.get() {
            return Ok(cloud);
        }
        let mut tries = self.tries.lock().await;
        if let Some(cloud) = self.entered.get() {
            return Ok(cloud);
        }
        if Instant::now() < tries.next {
            return Err(Arc::clone(&tries.last));
        }
        let credentials = &self.credentials;
        let message = match credentials
            .connector
            .connect_one(&credentials.config, &credentials.name, &credentials.regions)
            .await
        {
            Ok(entered) => match entered.into_iter().find(|aws| aws.scope == self.scope) {
                Some(aws) => {
                    tracing::info!(scope = %self.scope, "entered at last");
                    let cloud = AwsCloud {
                        aws,
                        config: Arc::clone(&credentials.config),
                        cache: Arc::clone(&credentials.cache),
                    };
                    return Ok(self.entered.get_or_init(|| cloud));
                }
                None => format!("target {}: no clients for {}", credentials.name, self.scope),
            },
            Err(e) => e.to_string(),
        };
        tries.pause = (tries.pause * 2).min(LONGEST);
        tries.next = Instant::now() + tries.pause;
        tries.last = Arc::new(ReadError {
            message,
            ..ReadError::clone(&tries.last)
        });
        Err(Arc::clone(&tries.last))
    }
}

#[async_trait]
impl Cloud for PendingTarget {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn caller(&self) -> Option<&str> {
        self.entered.get().and_then(|cloud| cloud.caller())
    }

    async fn sweep(&self, now: Timestamp) -> Snapshot {
        match self.enter().await {
            Ok(cloud) => cloud.sweep(now).await,
            Err(e) => Snapshot::unread(self.scope.clone(), now, &e),
        }
    }

    async fn refresh(&self, base: &Snapshot, set: &RefreshSet, now: Timestamp) -> Snapshot {
        match self.enter().await {
            Ok(cloud) => cloud.refresh(base, set, now).await,
            Err(e) => Snapshot::unread(self.scope.clone(), now, &e),
        }
    }

    async fn service(&self, cluster: &str, service: &str) -> Read<Option<Service>> {
        self.enter().await?.service(cluster, service).await
    }

    async fn definition(&self, revision: &str) -> Read<Option<Arc<TaskDefinition>>> {
        self.enter().await?.definition(revision).await
    }

    async fn registered(&self, base: &str, attempt: &str) -> Read<Option<String>> {
        self.enter().await?.registered(base, attempt).await
    }

    async fn write(&self, write: Write<'_>) -> Read<Option<String>> {
        self.enter().await?.write(write).await
    }

    fn sweep_calls(&self) -> u64 {
        self.entered.get().map_or(0, Cloud::sweep_calls)
    }
}
