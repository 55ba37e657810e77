//! What every command that talks to AWS begins with.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::Selection;
use crate::ledger_sqlite::SqliteLedger;
use crate::report::Report;
use holdfast_aws::client::{Aws, CallCounts, CallObserver, Connector, Recorder};
use holdfast_aws::cloud::{AwsCloud, PendingTarget, TargetCredentials};
use holdfast_aws::dynamodb::ledger::DynamoLedger;
use holdfast_aws::inventory::{Collector, NoProgress, Progress, ReadCache};
use holdfast_core::config::{self, Config, Loaded};
use holdfast_core::config::{ConfigErrors, LedgerKind, MAX_BYTES};
use holdfast_core::evaluate::{Evaluation, evaluate_naming_passes};
use holdfast_core::model::snapshot::{ReadError, Snapshot};
use holdfast_core::rules;
use holdfast_operator::clock::{Clock, SystemClock};
use holdfast_operator::metrics::Metrics;
use holdfast_operator::ports::{Cloud, Ledger};

/// Why a command could not run: exit code 2.
#[derive(Debug)]
pub struct Failure(pub String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Runs a command that needs the network.
pub(super) fn block_on(command: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    // One thread: a sweep waits on the network most of the time, and handing each answer to another thread costs more
    // than parsing it. To evaluate thousands of workloads takes so few milliseconds that an event can wait for it, and
    // what one thread has freed another one of glibc's would not use again.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(command)
}

/// Prints JSON to standard output.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<u8, Failure> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))?;
    Ok(super::exit::CLEAN)
}

/// Prints to standard output. A reader that has gone away (`| head`) is no error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}

/// The configuration: of the file, else of the environment, else the defaults.
pub(super) fn configuration(path: Option<&Path>) -> Result<Loaded, Failure> {
    let ids = rules::ids();
    let loaded = match (path, std::env::var("HOLDFAST_CONFIG_YAML")) {
        (Some(path), _) => read_configuration(path, &ids),
        (None, Ok(text)) => config::load_text("HOLDFAST_CONFIG_YAML", &text, &ids),
        (None, Err(_)) => Ok(Loaded::defaults()),
    };
    loaded.map_err(|e| Failure(format!("the configuration is not valid:\n{e}")))
}

/// Reads and checks a file, of which no more is read than a configuration may have.
fn read_configuration(path: &Path, known_rules: &[&str]) -> Result<Loaded, ConfigErrors> {
    use std::io::Read as _;
    let name = path.display().to_string();
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => config::load_bytes(&name, &bytes, known_rules),
        Err(e) => Err(ConfigErrors::unreadable(&name, e)),
    }
}

/// Configuration and clients.
pub struct Session {
    /// The configuration in force.
    pub config: Arc<Config>,
    /// What all clients share.
    pub connector: Arc<Connector>,
    /// The regions that were asked for on the command line.
    pub regions: Vec<String>,
    /// Every account and region that could be entered.
    pub scopes: Vec<Aws>,
    /// Those that could not.
    pub unreachable: Vec<Arc<ReadError>>,
    /// Requests sent.
    pub counts: Arc<CallCounts>,
    /// The metrics, which only `run` serves.
    pub metrics: Arc<Metrics>,
    /// Revisions read.
    pub memory: Arc<ReadCache>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

struct Observed(Arc<Metrics>);

impl CallObserver for Observed {
    fn attempt(&self, service: &str, operation: &str, code: &str, took: std::time::Duration, throttled: bool) {
        self.0.requests.observe(service, operation, code, took.as_secs_f64());
        if throttled {
            self.0.requests.throttled(service, operation);
        }
    }
}

/// One scope, read and evaluated.
pub struct Swept {
    /// Its clients.
    pub aws: Aws,
    /// What was read.
    pub snapshot: Snapshot,
    /// The verdicts.
    pub evaluation: Evaluation,
}

impl Session {
    /// Reads the configuration and enters every target.
    ///
    /// # Errors
    /// If the configuration is not valid, or no target can be entered.
    pub async fn open(path: Option<&Path>, endpoint: Option<&str>, regions: &[String]) -> Result<Self, Failure> {
        let config = configuration(path)?.config;
        let counts = Arc::new(CallCounts::default());
        let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"))?);
        let recorder = Recorder(Arc::new(vec![
            Arc::clone(&counts) as Arc<dyn CallObserver>,
            Arc::new(Observed(Arc::clone(&metrics))),
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
            let told: Vec<String> = unreachable.iter().map(|e| e.message.clone()).collect();
            return Err(Failure(told.join("\n")));
        }
        let (memory, clock) = (Arc::new(ReadCache::default()), Arc::new(SystemClock));
        Ok(Self {
            config: Arc::new(config),
            connector: Arc::new(connector),
            regions: regions.to_vec(),
            scopes,
            unreachable,
            counts,
            metrics,
            memory,
            clock,
        })
    }

    /// One account and region, to be read and changed.
    #[must_use]
    pub fn cloud(&self, aws: &Aws) -> AwsCloud {
        AwsCloud {
            aws: aws.clone(),
            config: Arc::clone(&self.config),
            memory: Arc::clone(&self.memory),
        }
    }

    /// Every account and region of the configuration: those that could not be entered are tried again.
    #[must_use]
    pub fn clouds(&self) -> Vec<Arc<dyn Cloud>> {
        let mut clouds: Vec<Arc<dyn Cloud>> = vec![];
        for aws in &self.scopes {
            clouds.push(Arc::new(self.cloud(aws)));
        }
        for why in &self.unreachable {
            let credentials = Arc::new(TargetCredentials {
                connector: Arc::clone(&self.connector),
                config: Arc::clone(&self.config),
                memory: Arc::clone(&self.memory),
                name: why.resource.clone(),
                regions: self.regions.clone(),
            });
            for scope in self
                .connector
                .scopes_of(&self.config, &credentials.name, &credentials.regions)
            {
                clouds.push(Arc::new(PendingTarget::new(
                    Arc::clone(&credentials),
                    scope,
                    Arc::clone(why),
                )));
            }
        }
        clouds
    }

    /// Opens the ledger that is configured.
    ///
    /// # Errors
    /// If it can't be used.
    pub async fn ledger(&self) -> Result<Arc<dyn Ledger>, Failure> {
        let configured = &self.config.ledger;
        Ok(match configured.kind {
            LedgerKind::Sqlite => Arc::new(SqliteLedger::open(&configured.path, self.clock.now()).await?),
            LedgerKind::Dynamodb => Arc::new(DynamoLedger::configured(configured, &self.connector).await?),
        })
    }

    /// Reads and evaluates every scope at once.
    ///
    /// # Errors
    /// If nothing at all could be read, or a workload that was asked for does not exist.
    pub async fn sweep(&self, selection: &Selection) -> Result<Vec<Swept>, Failure> {
        let bar = Bar::new();
        let progress: &dyn Progress = if bar.0.is_hidden() { &NoProgress } else { &bar };
        let only = (!selection.workloads.is_empty()).then(|| selection.workloads.iter().cloned().collect());
        let swept: Vec<Swept> = stream::iter(&self.scopes)
            .map(|aws| async {
                let alone = aws.alone();
                let collector = Collector {
                    aws: &alone,
                    config: &self.config,
                    memory: &self.memory,
                    progress,
                };
                let snapshot = collector.sweep(self.clock.now()).await;
                let evaluation = evaluate_naming_passes(&snapshot, &self.config, self.clock.now(), only.as_ref());
                Swept {
                    aws: aws.clone(),
                    snapshot,
                    evaluation,
                }
            })
            .buffered(self.scopes.len().max(1))
            .collect()
            .await;
        bar.0.finish_and_clear();
        if swept.iter().all(|s| unreadable(&s.snapshot)) {
            let told: BTreeSet<String> = swept
                .iter()
                .flat_map(|s| s.snapshot.errors.iter().map(|e| e.message.clone()))
                .collect();
            let told: Vec<String> = told.into_iter().collect();
            return Err(Failure(format!("nothing could be read:\n  {}", told.join("\n  "))));
        }
        if let Some(missing) = only
            .iter()
            .flatten()
            .find(|w| !swept.iter().any(|s| s.evaluation.workloads.contains_key(*w)))
        {
            let prefix = &self.config.tag_prefix;
            return Err(Failure(format!(
                "no resource carries {prefix}workload={missing} in what was looked at"
            )));
        }
        Ok(swept)
    }

    /// The report of a sweep.
    #[must_use]
    pub fn report(&self, started_at: Timestamp, swept: Vec<Swept>) -> Report {
        let mut report = Report::new(self.config.mode, started_at);
        for scope in swept {
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

fn unreadable(s: &Snapshot) -> bool {
    s.instances.is_err()
        && s.clusters.is_err()
        && s.services.is_err()
        && s.security_groups.is_err()
        && s.secrets.is_err()
}

/// A progress bar on standard error, if that is a terminal.
struct Bar(indicatif::ProgressBar, Mutex<()>);

impl Bar {
    fn new() -> Self {
        let bar = indicatif::ProgressBar::new(0);
        let style = indicatif::ProgressStyle::with_template("{spinner} reading AWS {bar:30} {pos}/{len} {elapsed}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self(bar, Mutex::new(()))
    }
}

impl Progress for Bar {
    fn more(&self, reads: usize) {
        let _one = self.1.lock();
        self.0.inc_length(u64::try_from(reads).unwrap_or_default());
    }

    fn done(&self, reads: usize) {
        self.0.inc(u64::try_from(reads).unwrap_or_default());
    }
}
