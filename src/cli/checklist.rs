//! `holdfast checklist`

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use holdfast_aws::inventory::{alarms, backups};
use holdfast_core::checklist::{Checklist, Extras, ItemVerdict, checklist, thorough};
use holdfast_core::facts::one_workload;
use holdfast_core::model::resources::DatabaseId;
use holdfast_core::model::snapshot::ReadError;
use serde::Serialize;

use super::failure::Failure;
use super::output::{print, print_json};
use super::session::Session;
use super::workload::read_workload;
use crate::exit::Exit;
use crate::report::{Style, Tool, checklist_markdown, checklist_table};

/// Arguments of `checklist`.
#[derive(Debug, Args)]
pub(super) struct ChecklistArgs {
    /// The workload: the value of its tag.
    workload: String,
    /// Form of the checklist.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs: docs/report.md.
    Json,
    /// A task list, to be pasted into a pull request.
    Markdown,
}

/// `checklist --format json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema_version: u32,
    tool: Tool,
    workload: &'a str,
    verdict: ItemVerdict,
    checklists: &'a [Checklist],
    errors: Vec<Arc<ReadError>>,
}

pub(super) async fn run(mut session: Session, args: &ChecklistArgs) -> Result<Exit, Failure> {
    let config = thorough(&session.config);
    let read = read_workload(&mut session, &args.workload, &config).await?;
    let mut lists = vec![];
    let mut errors: BTreeSet<Arc<ReadError>> = BTreeSet::new();
    for (aws, snapshot) in &read {
        let now = session.clock.now();
        let collector = session.collector(aws);
        let facts = one_workload(&args.workload, snapshot, &session.config, now);
        let databases: Vec<DatabaseId> = facts
            .databases()
            .unwrap_or_default()
            .iter()
            .map(|d| d.resource.identity())
            .collect();
        let (backups, alarms) = tokio::join!(Box::pin(backups(&collector, &databases)), Box::pin(alarms(&collector)));
        let extras = Extras { backups, alarms };
        errors.extend(snapshot.errors.iter().cloned());
        errors.extend(extras.backups.as_ref().err().cloned());
        errors.extend(extras.alarms.as_ref().err().cloned());
        lists.push(checklist(snapshot, &extras, &session.config, now, &args.workload));
    }
    errors.extend(session.unreachable.iter().cloned());
    let verdict = ItemVerdict::of(lists.iter().map(|l| l.verdict));
    match args.format {
        Format::Table => print(&checklist_table(&lists, Style::of_stdout()))?,
        Format::Markdown => print(&checklist_markdown(&lists))?,
        Format::Json => {
            print_json(&Report {
                schema_version: 1,
                tool: Tool::this(),
                workload: &args.workload,
                verdict,
                checklists: &lists,
                errors: errors.iter().cloned().collect(),
            })?;
        }
    }
    if args.format != Format::Json {
        for error in &errors {
            eprintln!("holdfast: could not read {error}");
        }
    }
    Ok(match verdict {
        ItemVerdict::Disproved => Exit::Findings,
        ItemVerdict::Proved if session.unreachable.is_empty() => Exit::Clean,
        _ => Exit::Unknown,
    })
}
