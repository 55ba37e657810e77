//! `holdfast apply`

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use futures::stream::{self, StreamExt};
use holdfast_aws::cloud::AwsCloud;
use holdfast_core::config::parse_duration;
use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::key::Scope;
use holdfast_core::plan::{Plan, PlannedAction};
use holdfast_operator::attempt::Attempt;
use holdfast_operator::clock::passed;
use holdfast_operator::execute::{Executor, Outcome, SoleActor, Timeouts};
use holdfast_operator::ports::{Ledger, LedgerError};

use super::failure::Failure;
use super::output::print;
use super::plan::{plan_of, print_read_errors};
use super::selection::Selection;
use super::session::{EvaluatedScope, Session};
use crate::exit::Exit;
use crate::report::{Style, plan_table};

/// A process updates the attempt that it executes several times a minute. After this time without an update it is gone.
const ABANDONED_AFTER: Duration = Duration::from_mins(2);
/// Workloads corrected concurrently. The corrections of one workload are sequential.
const CONCURRENT_WORKLOADS: usize = 8;

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    selection: Selection,
    /// Carry out this plan, made by `plan --format json`. What has changed since is refused.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// How long to wait for each correction to show before it is given up (a rollout: rolled back; one that bakes, or waits
    /// for a person, is left to ECS).
    #[arg(long, default_value = "15m", value_parser = parse_duration, value_name = "DURATION")]
    wait: Duration,
}

impl ApplyArgs {
    /// The plan of `--plan`. It is read before any AWS call, so that an invalid file fails first.
    pub(super) fn read_plan(&self) -> Result<Option<Plan>, Failure> {
        self.plan.as_deref().map(read_plan).transpose()
    }
}

pub(super) async fn run(session: &Session, args: &ApplyArgs, plan: Option<Plan>) -> Result<Exit, Failure> {
    let scopes = session.sweep(&args.selection).await?;
    let plan = match plan {
        Some(plan) => selected(plan, &args.selection),
        None => plan_of(session, &scopes),
    };
    let exit = print_read_errors(session, &scopes);
    print(&plan_table(&plan, Style::of_stdout()))?;
    if plan.actions.is_empty() {
        return Ok(exit);
    }
    confirm(args.yes, &plan)?;
    let ledger = session.ledger().await?;
    let context = Context {
        session,
        ledger: ledger.as_ref(),
        timeouts: Timeouts {
            stabilize: args.wait,
            ..Timeouts::default()
        },
    };
    resume_abandoned(&context, &scopes, &args.selection).await?;
    let outcomes = execute_all(&context, &scopes, &plan).await;
    let verified = outcomes.iter().filter(|o| **o == Outcome::Verified).count();
    print(&format!("\n{verified} of {} corrected and verified\n", outcomes.len()))?;
    Ok(if verified == outcomes.len() {
        exit
    } else {
        Exit::Findings
    })
}

fn read_plan(path: &Path) -> Result<Plan, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure(format!("the plan {} can't be read: {e}", path.display())))?;
    let plan: Plan = serde_json::from_str(&text).map_err(|e| {
        Failure(format!(
            "{}: not a plan of `holdfast plan --format json`: {e}",
            path.display()
        ))
    })?;
    if plan.schema_version != 1 {
        let message = format!(
            "{}: schema_version {} is not known here",
            path.display(),
            plan.schema_version
        );
        return Err(Failure(message));
    }
    Ok(plan)
}

fn selected(mut plan: Plan, selection: &Selection) -> Plan {
    plan.actions.retain(|a| selection.includes(&a.workload));
    plan.held.retain(|h| selection.includes(&h.workload));
    plan
}

fn confirm(yes: bool, plan: &Plan) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure(
            "nothing was changed: without a terminal to ask on, `apply` needs --yes".into(),
        ));
    }
    eprint!("Carry out {} correction(s)? Only `yes` is yes: ", plan.actions.len());
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        Ok(())
    } else {
        Err(Failure("nothing was changed".into()))
    }
}

/// What the executions of one `apply` share.
struct Context<'a> {
    session: &'a Session,
    ledger: &'a dyn Ledger,
    timeouts: Timeouts,
}

impl<'a> Context<'a> {
    fn executor(&self, cloud: &'a AwsCloud) -> Executor<'a> {
        Executor {
            cloud,
            config: &self.session.config,
            clock: self.session.clock.as_ref(),
            ledger: self.ledger,
            guard: &SoleActor,
            replica: "apply",
            timeouts: self.timeouts,
        }
    }
}

async fn execute_all(context: &Context<'_>, scopes: &[EvaluatedScope], plan: &Plan) -> Vec<Outcome> {
    let mut workloads: BTreeMap<(&Scope, &str), Vec<&PlannedAction>> = BTreeMap::new();
    for action in &plan.actions {
        workloads
            .entry((&action.scope, &action.workload))
            .or_default()
            .push(action);
    }
    let outcomes = Mutex::new(vec![]);
    stream::iter(workloads)
        .for_each_concurrent(CONCURRENT_WORKLOADS, |((scope, _), actions)| {
            let outcomes = &outcomes;
            async move {
                for action in actions {
                    let (outcome, detail) = match scopes.iter().find(|s| s.snapshot.scope == *scope) {
                        Some(scope) => Box::pin(execute(context, scope, action)).await,
                        None => (
                            Outcome::Refused,
                            format!("not done: {scope} is not among what was looked at"),
                        ),
                    };
                    // Printed at once: the next one may be a rollout, which takes minutes.
                    print_outcome(action, outcome, &detail);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            }
        })
        .await;
    outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
}

async fn execute(context: &Context<'_>, scope: &EvaluatedScope, action: &PlannedAction) -> (Outcome, String) {
    match attempt_under_way(context, action).await {
        Ok(None) => {
            let cloud = context.session.cloud(&scope.aws);
            context.executor(&cloud).carry_out(&scope.snapshot, action).await
        }
        Ok(Some(reason)) => (Outcome::Refused, reason.to_string()),
        Err(e) => (Outcome::Refused, HoldReason::LedgerUnusable(e.to_string()).to_string()),
    }
}

/// The reason to hold a correction while another attempt changes the same target.
async fn attempt_under_way(context: &Context<'_>, action: &PlannedAction) -> Result<Option<HoldReason>, LedgerError> {
    let now = context.session.clock.now();
    let attempts = context.ledger.attempts(&action.scope, now).await?;
    let target = action.action.target();
    let other = attempts
        .iter()
        .find(|a| a.is_open() && a.action.action.target() == target);
    Ok(other.map(|a| HoldReason::UnderWayElsewhere {
        change: a.action.change.clone(),
        replica: a.replica.clone(),
        at: a.updated_at,
    }))
}

/// Finishes the attempts on the selected workloads whose process is gone.
async fn resume_abandoned(
    context: &Context<'_>,
    scopes: &[EvaluatedScope],
    selection: &Selection,
) -> Result<(), Failure> {
    let now = context.session.clock.now();
    for scope in scopes {
        let cloud = context.session.cloud(&scope.aws);
        let attempts = context.ledger.attempts(&scope.snapshot.scope, now).await?;
        for attempt in attempts.into_iter().filter(Attempt::is_open) {
            let idle = passed(attempt.updated_at, now);
            if !selection.includes(&attempt.action.workload) || idle < ABANDONED_AFTER {
                continue;
            }
            let action = attempt.action.clone();
            let (outcome, detail) = context.executor(&cloud).resume(&scope.snapshot, attempt).await;
            let detail = format!("begun by a process that is gone, finished now: {detail}");
            print_outcome(&action, outcome, &detail);
        }
    }
    Ok(())
}

fn print_outcome(action: &PlannedAction, outcome: Outcome, detail: &str) {
    let line = format!(
        "{:<8}  {}  {}\n          {}\n",
        outcome.as_str(),
        action.workload,
        action.change,
        detail
    );
    if let Err(Failure(why)) = print(&line) {
        eprintln!("holdfast: {why}");
    }
}
