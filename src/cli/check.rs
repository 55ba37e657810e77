//! `holdfast check`

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::audit::{Rendering, give};
use super::session::configuration;
use super::{Failure, exit};
use crate::report::Report;
use holdfast_core::check::{CheckError, LARGEST, Unchecked, check};
use holdfast_core::model::policy::Mode;
use holdfast_operator::clock::{Clock as _, SystemClock};

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Takes task definitions (as `aws ecs register-task-definition --cli-input-json` takes them, as `describe-task-definition` \
prints them, or bare lists of containers) and the output of `terraform show -json`, of a plan or of a state. A file is \
known by what is in it.

A task definition that no service in the file runs is judged as if one did. What a file can't tell (whether a secret \
exists, what runs, what is known only after apply) is no verdict: it is summed up in one line on standard error. In \
findings, the ARN is `file:PATH#ADDRESS`.

  holdfast check taskdef.json
  terraform show -json plan.bin | holdfast check --workload coder -")]
pub struct CheckArgs {
    /// Files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The workload of what carries no tag. Without it: a task definition's family; of Terraform, where nothing at all
    /// is tagged, the file's name.
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    #[command(flatten)]
    rendering: Rendering,
}

pub(super) fn run(args: &CheckArgs, config: Option<&Path>) -> Result<u8, Failure> {
    let config = configuration(config)?.config;
    let clock = SystemClock;
    let started_at = clock.now();
    let mut report = Report::new(Mode::Audit, started_at);
    let mut unchecked = Unchecked::default();
    let mut bad = 0;
    for path in &args.files {
        let name = path.to_string_lossy().into_owned();
        let checked = match read(path) {
            Ok(bytes) => check(&name, &bytes, args.workload.as_deref(), &config, clock.now()).map_err(Unusable::from),
            Err(e) => Err(Unusable::from(e)),
        };
        match checked {
            Ok(checked) => {
                report.add(&checked.snapshot, checked.evaluation);
                unchecked.extend(checked.unchecked);
            }
            Err(why) => {
                let name = if name == "-" { "standard input" } else { &name };
                eprintln!("holdfast: {name}: {why}");
                bad += 1;
            }
        }
    }
    report.finished_at = clock.now();
    let took = report.finished_at.duration_since(started_at);
    report.stats.duration_ms = u64::try_from(took.as_millis()).unwrap_or_default();
    if bad == args.files.len() {
        return Ok(exit::CANNOT_RUN);
    }
    let code = give(&report, &args.rendering)?;
    tell(&unchecked);
    Ok(if bad > 0 { exit::CANNOT_RUN } else { code })
}

/// Why a file can't be checked.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it can't be read: {0}")]
    Unread(#[from] std::io::Error),
    #[error(transparent)]
    Unchecked(#[from] CheckError),
}

fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    // Of the right size at once where that is known: a buffer that grows leaves copies behind.
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

/// Names shown of a list before the rest is only counted.
const SHOWN: usize = 6;

/// One line each about what is not told by the report.
fn tell(unchecked: &Unchecked) {
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
            _ => format!("; known only after apply: {}", some(unchecked.gaps.iter())),
        };
        eprintln!("holdfast: not checked offline: {}{after}", rules.join(", "));
    }
    if !unchecked.nameless.is_empty() {
        eprintln!(
            "holdfast: not judged, for want of a workload's tag (--workload names one): {}",
            some(unchecked.nameless.iter())
        );
    }
}

fn some<'n>(names: impl ExactSizeIterator<Item = &'n String>) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<&str> = names.take(SHOWN).map(String::as_str).collect();
    match more {
        0 => shown.join(", "),
        n => format!("{} and {n} more", shown.join(", ")),
    }
}
