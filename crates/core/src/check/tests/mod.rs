//! Files as Terraform and the AWS CLI write them (tests/check), and what is found in them.

mod destruction;
mod files;
mod formats;
mod never_panics;
mod plans;
mod templates;
mod unknown;

use std::path::PathBuf;

use jiff::Timestamp;

use super::{CheckError, CheckOptions, CheckedFile, check};
use crate::config::Config;

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("an instant")
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/check").join(name)
}

#[allow(clippy::disallowed_methods, reason = "fixtures")]
fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).expect("a fixture")
}

/// Evaluates a text as the file `name`.
fn evaluate(name: &str, text: &[u8], workload: Option<&str>) -> Result<CheckedFile, CheckError> {
    let options = CheckOptions { workload, allowed: &[] };
    check(name, text, options, &Config::default(), now())
}

/// Evaluates a fixture. Only the rules that this version of the tests knows are looked at.
fn fixture(name: &str, workload: Option<&str>) -> CheckedFile {
    evaluate(name, &bytes(name), workload).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The rules that these tests are about; others may speak too.
const ABOUT: &[&str] = &[
    "rds-public-access",
    "rds-open-ingress",
    "rds-short-backup-retention",
    "secret-malformed-url",
    "secret-wrong-database",
    "ecs-missing-database-secret",
    "ecs-ephemeral-storage",
    "ecs-secret-reference-mismatch",
];

/// One line for each finding: `verdict workload rule kind id`.
fn told(checked: &CheckedFile) -> Vec<String> {
    let mut lines: Vec<String> = checked
        .evaluation
        .findings
        .iter()
        .filter(|f| ABOUT.contains(&f.rule.as_str()))
        .map(|f| {
            format!(
                "{} {} {} {} {}",
                f.verdict.name(),
                f.workload,
                f.rule,
                f.resource.kind.name(),
                f.resource.id
            )
        })
        .collect();
    lines.sort();
    lines
}

fn message<'c>(checked: &'c CheckedFile, rule: &str) -> &'c str {
    let found = checked.evaluation.findings.iter().find(|f| f.rule == rule);
    found.map(|f| f.message.as_str()).unwrap_or_default()
}
