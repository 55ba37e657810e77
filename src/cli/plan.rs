//! `holdfast plan`

use clap::{Args, ValueEnum};
use holdfast_core::plan::{Plan, plan};

use super::failure::Failure;
use super::output::{print, print_json};
use super::selection::Selection;
use super::session::{EvaluatedScope, Session};
use crate::exit::Exit;
use crate::report::{Style, plan_table};

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
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

pub(super) async fn run(session: &Session, args: &PlanArgs) -> Result<Exit, Failure> {
    let scopes = session.sweep(&args.selection).await?;
    let plan = plan_of(session, &scopes);
    match args.format {
        Format::Table => print(&plan_table(&plan, Style::of_stdout()))?,
        Format::Json => print_json(&plan)?,
    }
    Ok(print_read_errors(session, &scopes))
}

/// The plan for all scopes of a sweep.
pub(super) fn plan_of(session: &Session, scopes: &[EvaluatedScope]) -> Plan {
    let now = session.clock.now();
    let mut whole = Plan::empty(now);
    for scope in scopes {
        whole.extend(plan(&scope.snapshot.scope, &scope.evaluation, &session.config, now));
    }
    whole
}

/// Prints every failed read to standard error, and returns how a command without findings ends.
pub(super) fn print_read_errors(session: &Session, scopes: &[EvaluatedScope]) -> Exit {
    let errors = scopes.iter().flat_map(|s| &s.snapshot.errors);
    let mut exit = Exit::Clean;
    for error in errors.chain(&session.unreachable) {
        eprintln!("holdfast: could not read {error}");
        exit = Exit::Unknown;
    }
    exit
}
