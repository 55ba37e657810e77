//! `holdfast run`

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use holdfast_aws::bus::Bus;
use holdfast_aws::dynamodb::lease::DynamoStore;
use holdfast_aws::sqs::SqsSource;
use holdfast_aws::ssm::ParameterSwitch;
use holdfast_core::config::LeaseKind;
use holdfast_core::finding::Kind;
use holdfast_core::model::policy::Mode;
use holdfast_operator::consume::{ConsumeOptions, Consumer};
use holdfast_operator::controller::{ChangeActors, Dependencies, EventSink, Operator, Queues, TaskReports};
use holdfast_operator::execute::Timeouts;
use holdfast_operator::internal_events::Telemetry;
use holdfast_operator::lease::{LeaseCoordinator, LeaseOptions};
use holdfast_operator::metrics::RunMode;
use holdfast_operator::ports::NoSwitch;
use holdfast_operator::published::State;
use holdfast_operator::queue::Priority;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::replica::replica_name;
use super::session::Session;
use crate::exit::Exit;
use crate::serve::{DEFAULT_LISTEN, Server};

/// How long work in progress may take to finish after SIGTERM. ECS sends SIGKILL 30 s later by default.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>
const GRACE: Duration = Duration::from_secs(25);

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Report only, or correct too. Without it: `mode` of the configuration.
    #[arg(long)]
    mode: Option<Mode>,
    /// Where /metrics, /livez, /readyz and the API answer.
    #[arg(long, default_value = DEFAULT_LISTEN, value_name = "ADDR")]
    listen: String,
}

pub(super) async fn run(session: Session, args: &RunArgs) -> Result<Exit, Failure> {
    let mode = args.mode.unwrap_or(session.config.mode);
    for target in &session.unreachable {
        tracing::error!(
            target = target.resource,
            "{}; the other targets go on, and it is tried again",
            target.message
        );
    }
    let metrics = Arc::clone(&session.metrics);
    metrics.process.set_mode(if mode == Mode::Enforce {
        RunMode::Enforce
    } else {
        RunMode::Audit
    });
    metrics.process.set_paused(false);
    let state = Arc::new(State::new(Arc::clone(&metrics)));
    let server = Server::bind(&args.listen).await?;
    tracing::info!(address = %server.local_addr(), %mode, scopes = session.scopes.len(), "watching");

    let queues = Queues::new(session.scopes.len(), &metrics);
    let change_actors = Arc::new(ChangeActors::default());
    let task_reports = Arc::new(TaskReports::default());
    let mut dependencies = dependencies(&session, mode, &state, &queues, &change_actors).await?;
    dependencies.task_reports = Arc::clone(&task_reports);
    let leases = dependencies.leases.clone();
    let operator = Arc::new(Operator::new(dependencies));
    state.before_view({
        let operator = Arc::downgrade(&operator);
        move || {
            if let Some(operator) = operator.upgrade() {
                operator.publish();
            }
        }
    });
    metrics.before_render({
        let (operator, metrics) = (Arc::downgrade(&operator), Arc::downgrade(&metrics));
        move || {
            let (Some(operator), Some(metrics)) = (operator.upgrade(), metrics.upgrade()) else {
                return;
            };
            if let Some(age) = operator.evidence_age() {
                for kind in Kind::ALL {
                    metrics.sweeps.evidence_age(kind.name(), age);
                }
            }
        }
    });

    metrics.before_render({
        let (runtime, metrics) = (tokio::runtime::Handle::current(), Arc::downgrade(&metrics));
        move || {
            if let Some(metrics) = metrics.upgrade() {
                metrics.process.set_tasks(runtime.metrics().num_alive_tasks());
            }
        }
    });

    // Three, because they stop in this order: work, then leases, then HTTP.
    let (stop_work, stop_leases, stop_http) = (
        CancellationToken::new(),
        CancellationToken::new(),
        CancellationToken::new(),
    );
    let leasing = tokio::spawn({
        let (leases, queues, stop) = (leases.clone(), queues.clone(), stop_leases.clone());
        async move {
            let deliver = |key| {
                if let Err(e) = queues.add(key, Priority::Event, None) {
                    tracing::warn!(error = %e, "an event that another process received is left to the next sweep");
                }
            };
            leases.run(stop, deliver).await;
        }
    });
    let consumer =
        consumer(&session, &queues, change_actors, task_reports).map(|c| tokio::spawn(c.run(stop_work.clone())));
    let serving = tokio::spawn(server.run(Arc::clone(&state), stop_http.clone()));
    let working = tokio::spawn(operator.run(stop_work.clone(), GRACE));
    let signal = stop_signal().await?;
    tracing::info!(
        signal,
        "stopping: what has begun is finished, the rest stays in the queue"
    );
    state.shutting_down();
    stop_work.cancel();
    working.await?;
    if let Some(consumer) = consumer {
        consumer.await?;
    }
    // No work is in progress any more: other replicas may take over.
    stop_leases.cancel();
    leasing.await?;
    leases.release_all().await;
    stop_http.cancel();
    serving.await??;
    tracing::info!("stopped");
    Ok(Exit::Clean)
}

/// The dependencies of the operator, as configured.
async fn dependencies(
    session: &Session,
    mode: Mode,
    state: &Arc<State>,
    queues: &Queues,
    change_actors: &Arc<ChangeActors>,
) -> Result<Dependencies, Failure> {
    let (connector, config) = (&session.connector, &session.config);
    let replica = replica_name();
    let clouds = session.clouds();
    let scopes = clouds.iter().map(|cloud| cloud.scope().clone()).collect();
    let clock = Arc::clone(&session.clock);
    Ok(Dependencies {
        leases: match (config.lease.kind, &config.lease.table) {
            (LeaseKind::Dynamodb, Some(table)) => {
                let store = DynamoStore::new(connector.own(), connector.recorder(), table, Arc::clone(&clock));
                LeaseCoordinator::shared(Arc::new(store), replica.clone(), scopes, LeaseOptions::default())
            }
            // A configuration with DynamoDB leases and no table is not valid.
            (LeaseKind::None | LeaseKind::Dynamodb, _) => LeaseCoordinator::alone(scopes),
        },
        ledger: session.ledger().await?,
        change_actors: Arc::clone(change_actors),
        task_reports: Arc::default(),
        config: Arc::clone(config),
        mode,
        clock,
        metrics: Arc::clone(&session.metrics),
        state: Arc::clone(state),
        clouds,
        queues: queues.clone(),
        pause: match config.safety.pause.ssm_parameter.clone() {
            None => Arc::new(NoSwitch),
            Some(name) => Arc::new(ParameterSwitch::new(connector, name)),
        },
        replica,
        notifier: match config.report_to.event_bus.clone() {
            None => None,
            Some(name) => Some(Arc::new(Bus::new(connector, name))),
        },
        timeouts: Timeouts::default(),
    })
}

/// The consumer of the event queue, if one is configured.
fn consumer(
    session: &Session,
    queues: &Queues,
    change_actors: Arc<ChangeActors>,
    task_reports: Arc<TaskReports>,
) -> Option<Consumer> {
    let events = &session.config.events;
    let url = events.queue_url.clone()?;
    Some(Consumer {
        source: Arc::new(SqsSource::new(&session.connector, events, url)),
        sink: Arc::new(EventSink {
            queues: queues.clone(),
            change_actors,
            task_reports,
        }),
        telemetry: Arc::new(Telemetry::new(Arc::clone(&session.metrics))),
        clock: Arc::clone(&session.clock),
        options: ConsumeOptions {
            grace: GRACE,
            ..ConsumeOptions::default()
        },
    })
}

/// Waits for SIGTERM or Ctrl-C, and returns its name.
async fn stop_signal() -> Result<&'static str, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
