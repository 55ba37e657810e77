//! `holdfast history`

use std::path::Path;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use holdfast_aws::client::{Connector, Recorder};
use holdfast_aws::dynamodb::ledger::DynamoLedger;
use holdfast_core::config::LedgerKind;
use holdfast_operator::attempt::{Attempt, FindingRecord};
use holdfast_operator::ports::Ledger;
use serde::Serialize;

use super::failure::Failure;
use super::load_config::load_config;
use super::output::{print, print_json};
use crate::exit::Exit;
use crate::ledger_sqlite::SqliteLedger;
use crate::report::{Style, history_table};

/// Arguments of `history`.
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Only this workload: the value of its tag.
    workload: Option<String>,
    /// At most so many corrections, and so many findings.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
    /// Form of the history.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs: docs/ledger.md.
    Json,
}

/// `history --format json`.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    attempts: &'a [Attempt],
    findings: &'a [FindingRecord],
}

pub(super) async fn run(
    args: &HistoryArgs,
    path: Option<&Path>,
    endpoint: Option<&str>,
    region: Option<&str>,
) -> Result<Exit, Failure> {
    let config = load_config(path)?.config;
    let ledger: Arc<dyn Ledger> = match config.ledger.kind {
        LedgerKind::Sqlite => Arc::new(SqliteLedger::open_existing(&config.ledger.path).await?),
        LedgerKind::Dynamodb => {
            let connector = Connector::new(&config, endpoint, region, Recorder(Arc::default())).await;
            Arc::new(DynamoLedger::configured(&config.ledger, &connector).await?)
        }
    };
    let history = ledger
        .history(args.workload.as_deref(), usize::from(args.limit))
        .await?;
    if history.attempts.is_empty() && history.records.is_empty() {
        match &args.workload {
            Some(workload) => eprintln!("holdfast: the ledger knows nothing about the workload {workload}"),
            None => eprintln!("holdfast: the ledger is empty: nothing was found or done yet"),
        }
    }
    match args.format {
        Format::Table => print(&history_table(&history, Style::of_stdout()))?,
        Format::Json => print_json(&Document {
            schema_version: 1,
            attempts: &history.attempts,
            findings: &history.records,
        })?,
    }
    Ok(Exit::Clean)
}
