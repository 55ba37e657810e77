//! `holdfast apply`

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use futures::stream::{self, StreamExt};

use super::plan::{gaps, plan_of};
use super::session::{Swept, print};
use super::{Failure, Selection, Session, exit};
use crate::report::{Style, plan_table};
use holdfast_aws::cloud::AwsCloud;
use holdfast_core::config::{FormError, parse_duration};
use holdfast_core::model::hold::HoldReason;
use holdfast_core::plan::{Plan, PlannedAction};
use holdfast_operator::attempt::Attempt;
use holdfast_operator::clock::passed;
use holdfast_operator::execute::{Executor, Outcome, SoleActor, Timeouts};
use holdfast_operator::ports::{Ledger, LedgerError};

/// A process that works at a correction writes it down several times a minute; one that was silent for so long is gone.
const GONE_AFTER: Duration = Duration::from_mins(2);
/// Workloads corrected at once. Within one workload, one correction at a time.
const AT_ONCE: usize = 8;

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    selection: Selection,
    /// Carry out this plan, made by `plan --format json`. What has changed since is refused.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// How long to wait for each correction to show before it is given up (a rollout: taken back).
    #[arg(long, default_value = "15m", value_parser = duration, value_name = "DURATION")]
    wait: Duration,
}

fn duration(text: &str) -> Result<Duration, FormError> {
    parse_duration(text)
}

impl ApplyArgs {
    /// The plan given, if one is: read before anything is asked of AWS, so that a bad file is told first.
    pub(super) fn given(&self) -> Result<Option<Plan>, Failure> {
        self.plan.as_deref().map(read_plan).transpose()
    }
}

pub(super) async fn run(session: &Session, args: &ApplyArgs, given: Option<Plan>) -> Result<u8, Failure> {
    let swept = session.sweep(&args.selection).await?;
    let plan = match given {
        Some(plan) => only_selected(plan, &args.selection),
        None => plan_of(session, &swept),
    };
    for error in gaps(session, &swept) {
        eprintln!("holdfast: could not read {error}");
    }
    print(&plan_table(&plan, Style::of_stdout()))?;
    let unknown = if gaps(session, &swept).is_empty() {
        exit::CLEAN
    } else {
        exit::UNKNOWN
    };
    if plan.actions.is_empty() {
        return Ok(unknown);
    }
    confirm(args.yes, &plan)?;
    let ledger = session.ledger().await?;
    let doer = Doer {
        session,
        ledger: ledger.as_ref(),
        timeouts: Timeouts {
            stabilize: args.wait,
            ..Timeouts::default()
        },
    };
    doer.finish(&swept, &args.selection).await?;
    let outcomes = carry_out(&doer, &swept, &plan).await;
    let verified = outcomes.iter().filter(|e| **e == Outcome::Verified).count();
    print(&format!("\n{verified} of {} corrected and verified\n", outcomes.len()))?;
    Ok(if verified == outcomes.len() {
        unknown
    } else {
        exit::FINDINGS
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

fn only_selected(mut plan: Plan, selection: &Selection) -> Plan {
    if !selection.workloads.is_empty() {
        plan.actions.retain(|a| selection.workloads.contains(&a.workload));
        plan.held.retain(|h| selection.workloads.contains(&h.workload));
    }
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

async fn carry_out(doer: &Doer<'_>, swept: &[Swept], plan: &Plan) -> Vec<Outcome> {
    let mut workloads: BTreeMap<(&holdfast_core::model::key::Scope, &str), Vec<&PlannedAction>> = BTreeMap::new();
    for action in &plan.actions {
        workloads
            .entry((&action.scope, &action.workload))
            .or_default()
            .push(action);
    }
    let ended = std::sync::Mutex::new(vec![]);
    stream::iter(workloads)
        .for_each_concurrent(AT_ONCE, |((scope, _), actions)| {
            let ended = &ended;
            async move {
                for action in actions {
                    let (outcome, detail) = match swept.iter().find(|s| s.snapshot.scope == *scope) {
                        Some(place) => Box::pin(doer.carry_out(place, action)).await,
                        None => (
                            Outcome::Refused,
                            format!("not done: {scope} is not among what was looked at"),
                        ),
                    };
                    // Told at once: the next one may be a rollout, which takes minutes.
                    tell(action, outcome, &detail);
                    ended
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .push(outcome);
                }
            }
        })
        .await;
    ended.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn tell(action: &PlannedAction, ended: Outcome, detail: &str) {
    let line = format!(
        "{:<8}  {}  {}\n          {}\n",
        ended.as_str(),
        action.workload,
        action.change,
        detail
    );
    if let Err(Failure(why)) = print(&line) {
        eprintln!("holdfast: {why}");
    }
}

/// Whom a correction is written down for, and where.
struct Doer<'a> {
    session: &'a Session,
    ledger: &'a dyn Ledger,
    timeouts: Timeouts,
}

impl Doer<'_> {
    async fn carry_out(&self, place: &Swept, action: &PlannedAction) -> (Outcome, String) {
        let cloud = self.session.cloud(&place.aws);
        let actor = self.actor(&cloud);
        match self.under_way(action).await {
            Ok(None) => actor.carry_out(&place.snapshot, action).await,
            Ok(Some(why)) => (Outcome::Refused, why.to_string()),
            Err(e) => (Outcome::Refused, HoldReason::LedgerUnusable(e.to_string()).to_string()),
        }
    }

    fn actor<'a>(&'a self, cloud: &'a AwsCloud) -> Executor<'a> {
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

    /// Why a correction must wait for another one of the same thing, if it must.
    async fn under_way(&self, action: &PlannedAction) -> Result<Option<HoldReason>, LedgerError> {
        let now = self.session.clock.now();
        let attempts = self.ledger.attempts(&action.scope, now).await?;
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

    /// Finishes what a process that is gone had begun in the workloads of `plan`.
    async fn finish(&self, swept: &[Swept], selection: &Selection) -> Result<(), Failure> {
        let now = self.session.clock.now();
        for place in swept {
            let cloud = self.session.cloud(&place.aws);
            let left = self.ledger.attempts(&place.snapshot.scope, now).await?;
            for attempt in left.into_iter().filter(Attempt::is_open) {
                let silent = passed(attempt.updated_at, now);
                let selected = selection.workloads.is_empty() || selection.workloads.contains(&attempt.action.workload);
                if !selected || silent < GONE_AFTER {
                    continue;
                }
                let action = attempt.action.clone();
                let (ended, detail) = self.actor(&cloud).resume(&place.snapshot, attempt).await;
                tell(
                    &action,
                    ended,
                    &format!("begun by a process that is gone, finished now: {detail}"),
                );
            }
        }
        Ok(())
    }
}
