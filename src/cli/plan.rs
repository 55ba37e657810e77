//! `holdfast plan`

use clap::{Args, ValueEnum};

use super::session::{Swept, print, print_json};
use super::{Failure, Selection, Session, exit};
use crate::report::{Style, plan_table};
use holdfast_core::plan::{Plan, plan};

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    selection: Selection,
    /// Form of the plan. `json` is what `apply --plan` reads.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For `apply --plan`.
    Json,
}

pub(super) async fn run(session: &Session, args: &PlanArgs) -> Result<u8, Failure> {
    let swept = session.sweep(&args.selection).await?;
    let plan = plan_of(session, &swept);
    match args.format {
        Format::Table => print(&plan_table(&plan, Style::of_stdout()))?,
        Format::Json => {
            print_json(&plan)?;
        }
    }
    for error in gaps(session, &swept) {
        eprintln!("holdfast: could not read {error}");
    }
    Ok(if gaps(session, &swept).is_empty() {
        exit::CLEAN
    } else {
        exit::UNKNOWN
    })
}

/// The plan of a whole sweep.
pub(super) fn plan_of(session: &Session, swept: &[Swept]) -> Plan {
    let now = session.clock.now();
    let mut whole = Plan::empty(now);
    for scope in swept {
        whole.extend(plan(&scope.snapshot.scope, &scope.evaluation, &session.config, now));
    }
    whole
}

/// Everything that could not be read.
pub(super) fn gaps(session: &Session, swept: &[Swept]) -> Vec<String> {
    let read = swept.iter().flat_map(|s| s.snapshot.errors.iter());
    read.chain(&session.unreachable).map(ToString::to_string).collect()
}
