//! What every command that talks to AWS begins with: the configuration, and clients for each account and region.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use holdfast_aws::client::{Aws, CallCounts, CallObserver, Connector, Recorder};
use holdfast_aws::cloud::{AwsCloud, PendingTarget, TargetCredentials};
use holdfast_aws::dynamodb::ledger::DynamoLedger;
use holdfast_aws::inventory::{Collector, NoProgress, ReadCache};
use holdfast_core::config::{Config, LedgerKind};
use holdfast_core::evaluate::{Evaluation, evaluate_naming_passes};
use holdfast_core::model::snapshot::{ReadError, Snapshot};
use holdfast_operator::clock::{Clock, SystemClock};
use holdfast_operator::metrics::Metrics;
use holdfast_operator::ports::{Cloud, Ledger};
use jiff::Timestamp;

use super::failure::Failure;
use super::load_config::load_config;
use super::memory::RunMemory;
use super::progress::ReadProgress;
use super::selection::Selection;
use crate::ledger_sqlite::SqliteLedger;
use crate::report::Report;

/// Configuration and clients.
pub(super) struct Session {
    /// The configuration in force.
    pub(super) config: Arc<Config>,
    /// What all clients share.
    pub(super) connector: Arc<Connector>,
    /// The regions of the command line.
    pub(super) regions: Vec<String>,
    /// The clients of every account and region that could be entered.
    pub(super) scopes: Vec<Aws>,
    /// The accounts that could not be entered.
    pub(super) unreachable: Vec<Arc<ReadError>>,
    /// The number of requests sent.
    pub(super) counts: Arc<CallCounts>,
    /// The metrics, which only `run` serves.
    pub(super) metrics: Arc<Metrics>,
    /// What need not be read twice.
    pub(super) cache: Arc<ReadCache>,
    /// The clock.
    pub(super) clock: Arc<dyn Clock>,
    /// Earlier runs of migrations.
    memory: RunMemory,
}

/// Counts calls in the metrics.
struct CallMetrics(Arc<Metrics>);

impl CallObserver for CallMetrics {
    fn attempt(&self, service: &str, operation: &str, code: &str, took: Duration, throttled: bool) {
        self.0.requests.observe(service, operation, code, took.as_secs_f64());
        if throttled {
            self.0.requests.throttled(service, operation);
        }
    }
}

/// One account and region after a sweep.
pub(super) struct EvaluatedScope {
    /// Its clients.
    pub(super) aws: Aws,
    /// What was read.
    pub(super) snapshot: Snapshot,
    /// The verdicts.
    pub(super) evaluation: Evaluation,
}

impl Session {
    /// Reads the configuration and enters every target. Fails if it can enter none.
    pub(super) async fn open(path: Option<&Path>, endpoint: Option<&str>, regions: &[String]) -> Result<Self, Failure> {
        let config = load_config(path)?.config;
        let counts = Arc::new(CallCounts::default());
        let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"))?);
        let recorder = Recorder(Arc::new(vec![
            Arc::clone(&counts) as Arc<dyn CallObserver>,
            Arc::new(CallMetrics(Arc::clone(&metrics))),
        ]));
        let connector = Connector::new(&config, endpoint, regions.first().map(String::as_str), recorder).await;
        let mut scopes = vec![];
        let mut unreachable = vec![];
        for result in connector.connect(&config, regions).await? {
            match result {
                Ok(aws) => scopes.push(aws),
                Err((target, error)) => unreachable.push(Arc::new(ReadError {
                    service: "sts".into(),
                    operation: "GetCallerIdentity".into(),
                    resource: target,
                    code: "TargetUnreachable".into(),
                    message: error.to_string(),
                })),
            }
        }
        if scopes.is_empty() {
            let messages: Vec<&str> = unreachable.iter().map(|e| e.message.as_str()).collect();
            return Err(Failure(messages.join("\n")));
        }
        Ok(Self {
            config: Arc::new(config),
            connector: Arc::new(connector),
            regions: regions.to_vec(),
            scopes,
            unreachable,
            counts,
            metrics,
            cache: Arc::default(),
            clock: Arc::new(SystemClock),
            memory: RunMemory::new(),
        })
    }

    /// One account and region, to read and change.
    pub(super) fn cloud(&self, aws: &Aws) -> AwsCloud {
        AwsCloud {
            aws: aws.clone(),
            config: Arc::clone(&self.config),
            cache: Arc::clone(&self.cache),
        }
    }

    /// A collector that reports no progress.
    pub(super) fn collector<'a>(&'a self, aws: &'a Aws) -> Collector<'a> {
        Collector {
            aws,
            config: &self.config,
            cache: &self.cache,
            progress: &NoProgress,
        }
    }

    /// Every account and region of the configuration. Those that could not be entered are tried again.
    pub(super) fn clouds(&self) -> Vec<Arc<dyn Cloud>> {
        let mut clouds: Vec<Arc<dyn Cloud>> = vec![];
        for aws in &self.scopes {
            clouds.push(Arc::new(self.cloud(aws)));
        }
        for why in &self.unreachable {
            let credentials = Arc::new(TargetCredentials {
                connector: Arc::clone(&self.connector),
                config: Arc::clone(&self.config),
                cache: Arc::clone(&self.cache),
                name: why.resource.clone(),
                regions: self.regions.clone(),
            });
            let scopes = self
                .connector
                .scopes_of(&self.config, &credentials.name, &credentials.regions);
            for scope in scopes {
                clouds.push(Arc::new(PendingTarget::new(
                    Arc::clone(&credentials),
                    scope,
                    Arc::clone(why),
                )));
            }
        }
        clouds
    }

    /// Opens the configured ledger.
    pub(super) async fn ledger(&self) -> Result<Arc<dyn Ledger>, Failure> {
        let config = &self.config.ledger;
        Ok(match config.kind {
            LedgerKind::Sqlite => Arc::new(SqliteLedger::open(&config.path, self.clock.now()).await?),
            LedgerKind::Dynamodb => Arc::new(DynamoLedger::configured(config, &self.connector).await?),
        })
    }

    /// Adds to a snapshot the runs of migrations that only the ledger knows, and writes to the ledger those that it does not.
    pub(super) async fn remember(&self, snapshot: &mut Snapshot) {
        self.memory
            .remember(snapshot, &self.config, &self.connector, self.clock.now())
            .await;
    }

    /// Reads and evaluates all scopes concurrently. Fails if nothing could be read, or a selected workload does not
    /// exist.
    pub(super) async fn sweep(&self, selection: &Selection) -> Result<Vec<EvaluatedScope>, Failure> {
        let bar = ReadProgress::new();
        let progress = bar.of_collector();
        let only = selection.names();
        let scopes: Vec<EvaluatedScope> = stream::iter(&self.scopes)
            .map(|aws| async {
                let alone = aws.alone();
                let collector = Collector {
                    aws: &alone,
                    config: &self.config,
                    cache: &self.cache,
                    progress,
                };
                let mut snapshot = collector.sweep(self.clock.now()).await;
                self.remember(&mut snapshot).await;
                let evaluation = evaluate_naming_passes(&snapshot, &self.config, self.clock.now(), only.as_ref());
                EvaluatedScope {
                    aws: aws.clone(),
                    snapshot,
                    evaluation,
                }
            })
            .buffered(self.scopes.len().max(1))
            .collect()
            .await;
        if scopes.iter().all(|s| unreadable(&s.snapshot)) {
            let errors = scopes.iter().flat_map(|s| &s.snapshot.errors);
            let messages: BTreeSet<&str> = errors.map(|e| e.message.as_str()).collect();
            let messages: Vec<&str> = messages.into_iter().collect();
            return Err(Failure(format!("nothing could be read:\n  {}", messages.join("\n  "))));
        }
        if let Some(missing) = only
            .iter()
            .flatten()
            .find(|w| !scopes.iter().any(|s| s.evaluation.workloads.contains_key(*w)))
        {
            let prefix = &self.config.tag_prefix;
            return Err(Failure(format!(
                "no resource carries {prefix}workload={missing} in what was looked at"
            )));
        }
        Ok(scopes)
    }

    /// The report of a sweep.
    pub(super) fn report(&self, started_at: Timestamp, scopes: Vec<EvaluatedScope>) -> Report {
        let mut report = Report::new(self.config.mode, started_at);
        for scope in scopes {
            report.add(&scope.snapshot, scope.evaluation);
        }
        report.errors.extend(self.unreachable.iter().cloned());
        report.finished_at = self.clock.now();
        (report.stats.api_calls, report.stats.throttled) = self.counts.get();
        let took = report.finished_at.duration_since(started_at);
        report.stats.duration_ms = u64::try_from(took.as_millis()).unwrap_or_default();
        report
    }
}

/// Returns whether none of the lists that a sweep begins with could be read.
fn unreadable(s: &Snapshot) -> bool {
    s.instances.is_err()
        && s.clusters.is_err()
        && s.services.is_err()
        && s.security_groups.is_err()
        && s.secrets.is_err()
}
