//! `holdfast audit`

use clap::Args;
use holdfast_core::model::policy::Mode;

use super::failure::Failure;
use super::selection::Selection;
use super::session::Session;
use super::write_report::{ReportArgs, write_report};
use crate::exit::Exit;

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) async fn run(session: &Session, args: &AuditArgs) -> Result<Exit, Failure> {
    let started_at = session.clock.now();
    let scopes = session.sweep(&args.selection).await?;
    let mut report = session.report(started_at, scopes);
    report.mode = Mode::Audit;
    write_report(&report, &args.report)
}
