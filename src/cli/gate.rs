//! `holdfast gate`

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use tokio::time::{Instant, sleep};

use super::session::{Swept, print};
use super::{Failure, Selection, Session, exit, severity};
use holdfast_aws::client::Aws;
use holdfast_aws::inventory::{Collector, NoProgress};
use holdfast_core::config::{FormError, format_duration, parse_duration};
use holdfast_core::evaluate::evaluate;
use holdfast_core::gate::{GateRequest, GateVerdict, Reason, decide, describe_run, redact};
use holdfast_core::model::policy::Severity;
use holdfast_core::model::resources::TaskRun;
use holdfast_core::refresh::RefreshSet;

/// How often a running migration is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often that is told where no terminal shows it.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Arguments of `gate`.
#[derive(Debug, Args)]
#[command(after_help = "\
The gate is open if no finding of the workload at or above --fail-on is open, no revision that a rollback would choose \
loses data, and the last task of each family tagged `holdfast:role=migration` exited with 0. With `migrations: required` \
such a family must exist, and its newest revision must have run. ECS forgets a stopped task after about an hour: put the \
gate right behind the migration.

Of a migration that failed, the end of its log is printed, with what looks like a password masked.")]
pub struct GateArgs {
    /// The workload that is to be deployed.
    #[arg(value_name = "WORKLOAD")]
    workload: String,
    /// The least severity of an open finding that shuts the gate: low, medium, high or critical.
    #[arg(long, default_value = "low", value_parser = severity)]
    fail_on: Severity,
    /// How long to wait for a running migration.
    #[arg(long, default_value = "15m", value_parser = duration, value_name = "DURATION")]
    timeout: Duration,
    /// The only family of migrations that counts.
    #[arg(long, value_name = "NAME")]
    family: Option<String>,
    /// Do not wait: a migration that is still running shuts the gate.
    #[arg(long)]
    no_wait: bool,
}

fn duration(text: &str) -> Result<Duration, FormError> {
    parse_duration(text)
}

pub(super) async fn run(session: &Session, args: &GateArgs) -> Result<u8, Failure> {
    let selection = Selection {
        workloads: vec![args.workload.clone()],
    };
    let mut swept = session.sweep(&selection).await?;
    let mut progress = Progress::new(args.timeout);
    let deadline = Instant::now() + args.timeout;
    loop {
        let verdicts: Vec<GateVerdict> = swept.iter().map(|s| verdict(session, args, s)).collect();
        let running: Vec<String> = verdicts.iter().flat_map(waits_for).map(describe_run).collect();
        let shut = verdicts.iter().any(|v| matches!(v, GateVerdict::Shut(_)));
        let left = deadline.saturating_duration_since(Instant::now());
        if shut || running.is_empty() || args.no_wait || left.is_zero() {
            drop(progress);
            return conclude(session, args, swept.iter().zip(verdicts).collect()).await;
        }
        progress.tell(&running);
        sleep(LOOK_EVERY.min(left)).await;
        refresh(session, args, &mut swept).await;
    }
}

fn waits_for(verdict: &GateVerdict) -> &[TaskRun] {
    match verdict {
        GateVerdict::Wait(runs) => runs,
        _ => &[],
    }
}

fn verdict(session: &Session, args: &GateArgs, swept: &Swept) -> GateVerdict {
    let asked = GateRequest {
        workload: &args.workload,
        fail_on: args.fail_on,
        family: args.family.as_deref(),
    };
    decide(
        &swept.snapshot,
        &swept.evaluation,
        &asked,
        &session.config,
        session.clock.now(),
    )
}

/// Reads the workload, and nothing else, again: what a migration changes while it runs may open or shut the gate too.
async fn refresh(session: &Session, args: &GateArgs, swept: &mut [Swept]) {
    let only = Some(BTreeSet::from([args.workload.clone()]));
    for place in swept
        .iter_mut()
        .filter(|s| s.evaluation.workloads.contains_key(&args.workload))
    {
        let now = session.clock.now();
        let set = RefreshSet::of(&place.snapshot, &session.config, &args.workload, now);
        let collector = collector(session, &place.aws);
        let snapshot = collector.refresh(&place.snapshot, &set, now).await;
        place.evaluation = evaluate(&snapshot, &session.config, session.clock.now(), only.as_ref());
        place.snapshot = snapshot;
    }
}

fn collector<'a>(session: &'a Session, aws: &'a Aws) -> Collector<'a> {
    Collector {
        aws,
        config: &session.config,
        cache: &session.memory,
        progress: &NoProgress,
    }
}

/// What is waited for: one line that changes on a terminal, elsewhere a line now and then.
struct Progress {
    bar: ProgressBar,
    begun: Instant,
    timeout: Duration,
    last: Option<Instant>,
}

impl Progress {
    fn new(timeout: Duration) -> Self {
        Self {
            bar: ProgressBar::new_spinner(),
            begun: Instant::now(),
            timeout,
            last: None,
        }
    }

    fn tell(&mut self, running: &[String]) {
        let text = format!(
            "waiting for the migration {}: {} of at most {}",
            running.join(", "),
            format_duration(Duration::from_secs(self.begun.elapsed().as_secs())),
            format_duration(self.timeout)
        );
        if !self.bar.is_hidden() {
            self.bar.set_message(text);
            self.bar.tick();
        } else if self.last.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            self.last = Some(Instant::now());
            eprintln!("holdfast: {text}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Prints the verdict of all accounts and regions together: the worst of them.
async fn conclude(session: &Session, args: &GateArgs, verdicts: Vec<(&Swept, GateVerdict)>) -> Result<u8, Failure> {
    let mut shut: Vec<(&Swept, Reason)> = vec![];
    let mut unknown: Vec<String> = session.unreachable.iter().map(ToString::to_string).collect();
    let mut well: Vec<String> = vec![];
    for (swept, verdict) in verdicts {
        match verdict {
            GateVerdict::Open(found) => well.extend(found),
            GateVerdict::Shut(reasons) => shut.extend(reasons.into_iter().map(|r| (swept, r))),
            GateVerdict::Unknown(why) => unknown.extend(why),
            GateVerdict::Wait(runs) => shut.extend(runs.iter().map(|run| {
                let how_long = if args.no_wait {
                    "and --no-wait was given".to_owned()
                } else {
                    format!("after {}", format_duration(args.timeout))
                };
                let text = format!("the migration {} is still running, {how_long}", describe_run(run));
                (swept, Reason { text, log: None })
            })),
        }
    }
    let name = &args.workload;
    let mut out = String::new();
    let code = if !shut.is_empty() {
        let _ = writeln!(out, "The gate is shut for {name}:");
        for (swept, reason) in &shut {
            let _ = writeln!(out, "  {}", reason.text);
            if let Some((run, containers)) = &reason.log {
                log(session, swept, run, containers, &mut out).await;
            }
        }
        for why in &unknown {
            let _ = writeln!(out, "  unknown: {why}");
        }
        exit::FINDINGS
    } else if !unknown.is_empty() {
        let _ = writeln!(out, "Whether {name} may be deployed is unknown:");
        for why in &unknown {
            let _ = writeln!(out, "  {why}");
        }
        exit::UNKNOWN
    } else {
        let _ = writeln!(
            out,
            "The gate is open for {name}: nothing at or above {} is open",
            args.fail_on
        );
        for what in &well {
            let _ = writeln!(out, "  {what}");
        }
        exit::CLEAN
    };
    print(&out)?;
    Ok(code)
}

/// The end of the log of each container that failed. Without it the verdict is the same.
async fn log(session: &Session, swept: &Swept, run: &TaskRun, containers: &[String], out: &mut String) {
    let collector = collector(session, &swept.aws);
    for container in containers {
        let _ = match collector.log_tail(run, container).await {
            Err(e) => writeln!(out, "    its log can't be read: {e}"),
            Ok(tail) => match &tail.stream {
                None => writeln!(
                    out,
                    "    {container} has no log in CloudWatch that could be found by its task"
                ),
                Some(stream) if tail.lines.is_empty() => writeln!(out, "    its log is empty: {stream}"),
                Some(stream) => {
                    let lines = tail.lines.iter().map(|l| format!("    | {}\n", redact(l)));
                    writeln!(
                        out,
                        "    the end of its log ({stream}):\n{}",
                        lines.collect::<String>().trim_end()
                    )
                }
            },
        };
    }
}
