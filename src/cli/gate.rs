//! `holdfast gate`

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use holdfast_core::config::{format_duration, parse_duration};
use holdfast_core::evaluate::evaluate;
use holdfast_core::gate::{GateRequest, GateVerdict, Reason, decide, describe_run, redact};
use holdfast_core::model::image::Image;
use holdfast_core::model::policy::Severity;
use holdfast_core::model::resources::{TaskDefinition, TaskRun};
use holdfast_core::refresh::RefreshSet;
use indicatif::ProgressBar;
use tokio::time::{Instant, sleep};

use super::failure::Failure;
use super::output::print;
use super::selection::Selection;
use super::session::{EvaluatedScope, Session};
use crate::exit::Exit;

/// How often the workload is read while a migration runs.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How often a line about it is printed off a terminal.
const PRINT_INTERVAL: Duration = Duration::from_secs(30);

/// Arguments of `gate`.
#[derive(Debug, Args)]
#[command(after_help = "\
The gate is open if no finding of the workload at or above --fail-on is open, no revision that a rollback would choose \
loses data, and the last task of each family tagged `holdfast:role=migration` exited with 0. With `migrations: required` \
such a family must exist, and its newest revision must have run. ECS forgets a stopped task after about an hour; the ledger \
keeps how it ended, if `holdfast run` or any command that reads AWS saw it.

In a pipeline that builds an image, migrates with it, and then asks the gate while the old image still runs, name the new \
one: `holdfast gate WORKLOAD --image REPOSITORY:TAG@DIGEST`. Images are compared by digest where both digests are known \
(ECS tells those of images in ECR), else as written.

Of a migration that failed, the end of its log is printed, with what looks like a password masked.")]
pub(super) struct GateArgs {
    /// The workload that is to be deployed.
    #[arg(value_name = "WORKLOAD")]
    workload: String,
    /// The least severity of an open finding that shuts the gate: low, medium, high or critical.
    #[arg(long, default_value = "low")]
    fail_on: Severity,
    /// How long to wait for a running migration.
    #[arg(long, default_value = "15m", value_parser = parse_duration, value_name = "DURATION")]
    timeout: Duration,
    /// The only family of migrations that counts.
    #[arg(long, value_name = "NAME")]
    family: Option<String>,
    /// The image that is about to be deployed, as TAG, DIGEST or TAG@DIGEST: the migration must have run with it. Without it,
    /// the migration is compared with what the services run now.
    #[arg(long, value_parser = parse_image, value_name = "REF")]
    image: Option<Image>,
    /// The revision that is about to be deployed, as FAMILY:REVISION or ARN. One of a migration family must be what ran last;
    /// of another family, the migration must have run with one of its images.
    #[arg(long, value_name = "TD")]
    revision: Option<String>,
    /// Do not wait: a migration that is still running shuts the gate.
    #[arg(long)]
    no_wait: bool,
}

pub(super) async fn run(session: &Session, args: &GateArgs) -> Result<Exit, Failure> {
    let mut scopes = session.sweep(&Selection::one(&args.workload)).await?;
    let revisions = revisions(session, args, &scopes).await?;
    let mut progress = Progress::new(args.timeout);
    let deadline = Instant::now() + args.timeout;
    loop {
        let verdicts: Vec<GateVerdict> = scopes
            .iter()
            .zip(&revisions)
            .map(|(s, revision)| verdict(session, args, s, revision.as_deref()))
            .collect();
        let running: Vec<String> = verdicts.iter().flat_map(running_migrations).map(describe_run).collect();
        let shut = verdicts.iter().any(|v| matches!(v, GateVerdict::Shut(_)));
        let left = deadline.saturating_duration_since(Instant::now());
        if shut || running.is_empty() || args.no_wait || left.is_zero() {
            drop(progress);
            return conclude(session, args, scopes.iter().zip(verdicts).collect()).await;
        }
        progress.show(&running);
        sleep(POLL_INTERVAL.min(left)).await;
        refresh(session, args, &mut scopes).await;
    }
}

fn running_migrations(verdict: &GateVerdict) -> &[TaskRun] {
    match verdict {
        GateVerdict::Wait(runs) => runs,
        _ => &[],
    }
}

fn parse_image(text: &str) -> Result<Image, String> {
    Image::parse(text)
        .ok_or_else(|| "not an image: it is written as REPOSITORY:TAG, REPOSITORY@DIGEST or both".to_owned())
}

/// The revision of `--revision` in each account and region that has the workload.
async fn revisions(
    session: &Session,
    args: &GateArgs,
    scopes: &[EvaluatedScope],
) -> Result<Vec<Option<Arc<TaskDefinition>>>, Failure> {
    let mut found = vec![];
    let mut errors = vec![];
    for scope in scopes {
        let mut read = None;
        if let Some(name) = &args.revision
            && scope.evaluation.workloads.contains_key(&args.workload)
        {
            match session.collector(&scope.aws).revision(name).await {
                Ok(revision) => read = Some(revision),
                Err(e) => errors.push(e.to_string()),
            }
        }
        found.push(read);
    }
    if args.revision.is_some() && found.iter().all(Option::is_none) {
        return Err(Failure(errors.join("\n")));
    }
    Ok(found)
}

fn verdict(
    session: &Session,
    args: &GateArgs,
    scope: &EvaluatedScope,
    revision: Option<&TaskDefinition>,
) -> GateVerdict {
    let request = GateRequest {
        workload: &args.workload,
        fail_on: args.fail_on,
        family: args.family.as_deref(),
        image: args.image.as_ref(),
        revision,
    };
    decide(
        &scope.snapshot,
        &scope.evaluation,
        &request,
        &session.config,
        session.clock.now(),
    )
}

/// Reads all of the workload again: a running migration may change more than its own state.
async fn refresh(session: &Session, args: &GateArgs, scopes: &mut [EvaluatedScope]) {
    let only = Some(BTreeSet::from([args.workload.clone()]));
    for scope in scopes
        .iter_mut()
        .filter(|s| s.evaluation.workloads.contains_key(&args.workload))
    {
        let now = session.clock.now();
        let set = RefreshSet::of(&scope.snapshot, &session.config, &args.workload, now);
        let collector = session.collector(&scope.aws);
        let mut snapshot = collector.refresh(&scope.snapshot, &set, now).await;
        session.remember(&mut snapshot).await;
        scope.evaluation = evaluate(&snapshot, &session.config, session.clock.now(), only.as_ref());
        scope.snapshot = snapshot;
    }
}

/// Shows what the gate waits for: one line that changes on a terminal, elsewhere a line at each interval.
struct Progress {
    bar: ProgressBar,
    started: Instant,
    timeout: Duration,
    last_printed: Option<Instant>,
}

impl Progress {
    fn new(timeout: Duration) -> Self {
        Self {
            bar: ProgressBar::new_spinner(),
            started: Instant::now(),
            timeout,
            last_printed: None,
        }
    }

    fn show(&mut self, running: &[String]) {
        let text = format!(
            "waiting for the migration {}: {} of at most {}",
            running.join(", "),
            format_duration(Duration::from_secs(self.started.elapsed().as_secs())),
            format_duration(self.timeout)
        );
        if !self.bar.is_hidden() {
            self.bar.set_message(text);
            self.bar.tick();
        } else if self.last_printed.is_none_or(|at| at.elapsed() >= PRINT_INTERVAL) {
            self.last_printed = Some(Instant::now());
            eprintln!("holdfast: {text}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Prints the worst verdict of all accounts and regions.
async fn conclude(
    session: &Session,
    args: &GateArgs,
    verdicts: Vec<(&EvaluatedScope, GateVerdict)>,
) -> Result<Exit, Failure> {
    let mut shut: Vec<(&EvaluatedScope, Reason)> = vec![];
    let mut unknown: Vec<String> = session.unreachable.iter().map(ToString::to_string).collect();
    let mut passed: Vec<String> = vec![];
    for (scope, verdict) in verdicts {
        match verdict {
            GateVerdict::Open(checks) => passed.extend(checks),
            GateVerdict::Shut(reasons) => shut.extend(reasons.into_iter().map(|r| (scope, r))),
            GateVerdict::Unknown(why) => unknown.extend(why),
            GateVerdict::Wait(runs) => shut.extend(runs.iter().map(|run| {
                let how_long = if args.no_wait {
                    "and --no-wait was given".to_owned()
                } else {
                    format!("after {}", format_duration(args.timeout))
                };
                let text = format!("the migration {} is still running, {how_long}", describe_run(run));
                (scope, Reason { text, log: None })
            })),
        }
    }
    let name = &args.workload;
    let mut out = String::new();
    let exit = if !shut.is_empty() {
        let _ = writeln!(out, "The gate is shut for {name}:");
        for (scope, reason) in &shut {
            let _ = writeln!(out, "  {}", reason.text);
            if let Some((run, containers)) = &reason.log {
                write_log_tails(session, scope, run, containers, &mut out).await;
            }
        }
        for why in &unknown {
            let _ = writeln!(out, "  unknown: {why}");
        }
        Exit::Findings
    } else if !unknown.is_empty() {
        let _ = writeln!(out, "Whether {name} may be deployed is unknown:");
        for why in &unknown {
            let _ = writeln!(out, "  {why}");
        }
        Exit::Unknown
    } else {
        let _ = writeln!(
            out,
            "The gate is open for {name}: nothing at or above {} is open",
            args.fail_on
        );
        for check in &passed {
            let _ = writeln!(out, "  {check}");
        }
        Exit::Clean
    };
    print(&out)?;
    Ok(exit)
}

/// Writes the end of the log of each container that failed. The verdict does not depend on it.
async fn write_log_tails(
    session: &Session,
    scope: &EvaluatedScope,
    run: &TaskRun,
    containers: &[String],
    out: &mut String,
) {
    let collector = session.collector(&scope.aws);
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
