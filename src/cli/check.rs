//! `holdfast check`

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_core::check::{AllowedChange, CheckError, CheckOptions, LARGEST, Unchecked, check};
use holdfast_core::model::policy::Mode;
use holdfast_operator::clock::{Clock as _, SystemClock};
use zeroize::Zeroizing;

use super::failure::Failure;
use super::load_config::load_config;
use super::write_report::{ReportArgs, write_report};
use crate::exit::Exit;
use crate::report::Report;

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Takes task definitions (as `aws ecs register-task-definition --cli-input-json` takes them, as `describe-task-definition` \
prints them, lists of them, and bare containers), the output of `terraform show -json`, of a plan or of a state, \
CloudFormation templates (JSON or YAML; CDK: cdk.out/*.template.json), and the output of `aws cloudformation \
describe-change-set`. A file is known by what is in it.

Of a plan and a change set, what they do to what exists is judged, too: plan-destroys-data, plan-loses-restore-points. \
A change that is meant is allowed by the argument that its finding prints; another change of the same resource is not.

A task definition that no service in the file runs is judged as if one did. What a file can't tell (whether a secret \
exists, what runs, what is known only after apply) is no verdict: it is summed up in one line on standard error. In \
findings, the ARN is `file:PATH#ADDRESS`.

  holdfast check taskdef.json
  terraform show -json plan.bin | holdfast check --workload coder -
  aws cloudformation describe-change-set --change-set-name NAME --stack-name STACK --include-property-values > changes.json
  holdfast check changes.json template.yaml")]
pub(super) struct CheckArgs {
    /// Files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The workload of what carries no tag. Without it: a task definition's family; of Terraform, where nothing at all
    /// is tagged, the file's name.
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    /// Allows one change that destroys data or restore points: the address and hash that the finding prints. The hash is
    /// that of this very change. May be repeated; there is no wildcard.
    #[arg(long, value_name = "ADDRESS@HASH")]
    allow_destroy: Vec<AllowedChange>,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) fn run(args: &CheckArgs, config: Option<&Path>) -> Result<Exit, Failure> {
    let config = load_config(config)?.config;
    let clock = SystemClock;
    let started_at = clock.now();
    let mut report = Report::new(Mode::Audit, started_at);
    let mut unchecked = Unchecked::default();
    let mut allowed = BTreeSet::new();
    let options = CheckOptions {
        workload: args.workload.as_deref(),
        allowed: &args.allow_destroy,
    };
    let mut failed = 0;
    for path in &args.files {
        let name = path.to_string_lossy().into_owned();
        let checked = match read(path) {
            Ok(bytes) => check(&name, &bytes, options, &config, clock.now()).map_err(FileError::from),
            Err(e) => Err(FileError::from(e)),
        };
        match checked {
            Ok(checked) => {
                report.add(&checked.snapshot, checked.evaluation);
                unchecked.extend(checked.unchecked);
                allowed.extend(checked.allowed);
            }
            Err(why) => {
                let name = if name == "-" { "standard input" } else { &name };
                eprintln!("holdfast: {name}: {why}");
                failed += 1;
            }
        }
    }
    report.finished_at = clock.now();
    let took = report.finished_at.duration_since(started_at);
    report.stats.duration_ms = u64::try_from(took.as_millis()).unwrap_or_default();
    if failed == args.files.len() {
        return Ok(Exit::CannotRun);
    }
    let exit = write_report(&report, &args.report)?;
    print_unchecked(&unchecked);
    print_allowed(&args.allow_destroy, &allowed);
    Ok(if failed > 0 { Exit::CannotRun } else { exit })
}

/// Why a file can't be checked.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("it can't be read: {0}")]
    Read(#[from] std::io::Error),
    #[error(transparent)]
    Check(#[from] CheckError),
}

fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    // Allocated once where the size is known: a buffer that grows leaves copies of secrets behind.
    let size = std::fs::metadata(path).map_or(0, |m| m.len());
    let size = usize::try_from(size).unwrap_or(LARGEST).min(LARGEST) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX) + 1;
    let from: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path)?)
    };
    from.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The names of a list that are printed; the others are counted.
const SHOWN: usize = 6;

/// Prints to standard error what the report leaves out, one line for each reason.
fn print_unchecked(unchecked: &Unchecked) {
    if !unchecked.rules.is_empty() {
        let rules: Vec<String> = unchecked
            .rules
            .iter()
            .map(|(rule, resources)| match resources.len() {
                0 | 1 => rule.clone(),
                n => format!("{rule} ({n})"),
            })
            .collect();
        let after = match unchecked.gaps.len() {
            0 => String::new(),
            _ => format!("; known only after apply: {}", first_few(unchecked.gaps.iter())),
        };
        eprintln!("holdfast: not checked offline: {}{after}", rules.join(", "));
    }
    if !unchecked.defaults.is_empty() {
        eprintln!(
            "holdfast: judged with the defaults of these parameters: {}",
            first_few(unchecked.defaults.iter())
        );
    }
    if !unchecked.elsewhere.is_empty() {
        eprintln!(
            "holdfast: nested stacks have change sets of their own, to be checked too: {}",
            first_few(unchecked.elsewhere.iter())
        );
    }
    if !unchecked.nameless.is_empty() {
        eprintln!(
            "holdfast: not judged, for want of a workload's tag (--workload names one): {}",
            first_few(unchecked.nameless.iter())
        );
    }
}

/// Says what was allowed, and what was allowed in vain.
fn print_allowed(asked: &[AllowedChange], used: &BTreeSet<AllowedChange>) {
    for change in used {
        eprintln!("holdfast: allowed by --allow-destroy: {change}");
    }
    for change in asked.iter().filter(|c| !used.contains(c)) {
        eprintln!("holdfast: --allow-destroy '{change}' matches no change in these files");
    }
}

fn first_few<'n>(names: impl ExactSizeIterator<Item = &'n String>) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<&str> = names.take(SHOWN).map(String::as_str).collect();
    match more {
        0 => shown.join(", "),
        n => format!("{} and {n} more", shown.join(", ")),
    }
}
