//! The report of `audit` and `check`: the options that both have, and where it goes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use holdfast_core::model::policy::Severity;

use super::failure::Failure;
use super::output::print;
use crate::exit::Exit;
use crate::report::{self, Report, Style};

/// Options of a report.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Form of the report.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the report there instead of to standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The least severity that counts for the exit code: low, medium, high or critical.
    #[arg(long, default_value = "low")]
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

/// Writes a report to the file or to standard output, and returns how the process ends.
pub(super) fn write_report(report: &Report, args: &ReportArgs) -> Result<Exit, Failure> {
    let exit = exit_of(report, args.fail_on);
    let text = match args.format {
        Format::Table if args.output.is_some() => report::audit_table(report, Style::PLAIN),
        Format::Table => report::audit_table(report, Style::of_stdout()),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
        Format::Sarif => report::sarif(report, exit),
        Format::Ocsf => report::ocsf(report),
        Format::Junit => report::junit(report)?,
        Format::Markdown => report::markdown(report),
        Format::Html => report::html(report),
    };
    match &args.output {
        None => print(&text)?,
        Some(path) => std::fs::write(path, text)
            .map_err(|e| Failure(format!("the report can't be written to {}: {e}", path.display())))?,
    }
    Ok(exit)
}

fn exit_of(report: &Report, fail_on: Severity) -> Exit {
    if report.fails_at(fail_on) {
        Exit::Findings
    } else if report.has_gaps() {
        Exit::Unknown
    } else {
        Exit::Clean
    }
}
