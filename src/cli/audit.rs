//! `holdfast audit`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::session::print;
use super::{Failure, Selection, Session, exit, severity};
use crate::report::{self, Report, Style};
use holdfast_core::model::policy::{Mode, Severity};

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    rendering: Rendering,
}

/// How a report is given out.
#[derive(Debug, Args)]
pub(super) struct Rendering {
    /// Form of the report.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the report there instead of to standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The least severity that counts for the exit code: low, medium, high or critical.
    #[arg(long, default_value = "low", value_parser = severity)]
    fail_on: Severity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs: everything, as docs/report.md and docs/report.schema.json describe it.
    Json,
    /// For code scanning (GitHub, Azure DevOps): SARIF 2.1.0.
    Sarif,
    /// For security lakes and SIEMs: an array of OCSF Compliance Findings.
    Ocsf,
    /// For CI systems: JUnit XML, a suite for each workload.
    Junit,
    /// For a comment on a pull request: GitHub-flavoured Markdown.
    Markdown,
    /// For people: one page that needs nothing else.
    Html,
}

pub(super) async fn run(session: &Session, args: &AuditArgs) -> Result<u8, Failure> {
    let started_at = session.clock.now();
    let swept = session.sweep(&args.selection).await?;
    let mut report = session.report(started_at, swept);
    report.mode = Mode::Audit;
    give(&report, &args.rendering)
}

/// Writes a report out, and says with what the process shall end.
pub(super) fn give(report: &Report, how: &Rendering) -> Result<u8, Failure> {
    let style = if how.output.is_some() {
        Style {
            width: None,
            colour: false,
        }
    } else {
        Style::of_stdout()
    };
    let code = exit_code(report, how.fail_on);
    let text = match how.format {
        Format::Table => report::audit_table(report, style),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
        Format::Sarif => report::sarif(report, code),
        Format::Ocsf => report::ocsf(report),
        Format::Junit => report::junit(report)?,
        Format::Markdown => report::markdown(report),
        Format::Html => report::html(report),
    };
    match &how.output {
        None => print(&text)?,
        Some(path) => std::fs::write(path, text)
            .map_err(|e| Failure(format!("the report can't be written to {}: {e}", path.display())))?,
    }
    Ok(code)
}

fn exit_code(report: &Report, fail_on: Severity) -> u8 {
    if report.fails_at(fail_on) {
        exit::FINDINGS
    } else if report.has_gaps() {
        exit::UNKNOWN
    } else {
        exit::CLEAN
    }
}
