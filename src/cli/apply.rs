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
use crate::act::{Actor, Done, Ended, Patience};
use crate::collect::{Collector, Unwatched};
use crate::config::parse_duration;
use crate::plan::{Plan, PlannedAction};
use crate::report::{Style, plan_table};

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

fn duration(text: &str) -> Result<Duration, String> {
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
    let outcomes = carry_out(session, &swept, &plan, args.wait).await;
    let verified = outcomes.iter().filter(|e| **e == Ended::Verified).count();
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

async fn carry_out(session: &Session, swept: &[Swept], plan: &Plan, wait: Duration) -> Vec<Ended> {
    let mut workloads: BTreeMap<(&crate::model::key::Scope, &str), Vec<&PlannedAction>> = BTreeMap::new();
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
                    let outcome = match swept.iter().find(|s| s.snapshot.scope == *scope) {
                        Some(place) => one(session, place, action, wait).await,
                        None => Done {
                            ended: Ended::Refused,
                            detail: format!("not done: {scope} is not among what was looked at"),
                            seen: None,
                        },
                    };
                    // Told at once: the next one may be a rollout, which takes minutes.
                    tell(action, &outcome);
                    ended
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .push(outcome.ended);
                }
            }
        })
        .await;
    ended.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn tell(action: &PlannedAction, outcome: &Done) {
    let line = format!(
        "{:<8}  {}  {}\n          {}\n",
        outcome.ended.as_str(),
        action.workload,
        action.change,
        outcome.detail
    );
    if let Err(Failure(why)) = print(&line) {
        eprintln!("holdfast: {why}");
    }
}

async fn one(session: &Session, place: &Swept, action: &PlannedAction, wait: Duration) -> Done {
    let collector = Collector {
        aws: &place.aws,
        config: &session.config,
        memory: &session.memory,
        progress: &Unwatched,
    };
    let patience = Patience {
        settle: wait,
        ..Patience::default()
    };
    let actor = Actor {
        collector,
        clock: session.clock.as_ref(),
        patience,
    };
    actor.carry_out(&place.snapshot, action).await
}
