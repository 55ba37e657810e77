//! Sentences that several formats share.

use std::time::Duration;

use holdfast_core::checklist::{self, Checklist};
use holdfast_core::finding::Finding;

use super::model::Report;

/// What to do about a finding.
pub(super) fn advice(finding: &Finding) -> String {
    if let Some(waiver) = &finding.waiver {
        return format!("waived until {}: {}", waiver.until, waiver.reason);
    }
    match &finding.remediation {
        None if finding.untold => "tell it, as the message says".into(),
        None if finding.resource.arn.starts_with("file:") => {
            "give a file that says it, then run `holdfast check` again".into()
        }
        None => "make the evidence readable, then run `holdfast audit` again".into(),
        Some(r) => match &r.blocked_by {
            Some(why) => format!("{}; Holdfast will not: {why}", r.summary),
            None if r.actions.is_empty() => format!("by hand: {}", r.summary),
            None => format!("`holdfast apply` would {} (risk: {})", r.summary, r.risk),
        },
    }
}

/// The last line of a report: verdicts, coverage and cost.
pub(super) fn summary(report: &Report) -> String {
    let s = &report.summary;
    let severities: Vec<String> = s
        .by_severity
        .iter()
        .rev()
        .filter(|(_, n)| **n > 0)
        .map(|(severity, n)| format!("{n} {severity}"))
        .collect();
    let failed = match s.fail {
        0 => "nothing failed".to_owned(),
        n if s.consequences > 0 => format!(
            "{n} failed ({}; {} of them consequences of others)",
            severities.join(", "),
            s.consequences
        ),
        n => format!("{n} failed ({})", severities.join(", ")),
    };
    let unknown = match s.untold {
        0 => format!("{} unknown", s.unknown),
        n => format!("{} unknown ({n} of them untold)", s.unknown),
    };
    let calls: u64 = report.stats.api_calls.values().sum();
    format!(
        "{failed}, {} passed, {} waived, {unknown}: {}, {}, {}, {}; {} in {:.1} s",
        s.pass,
        s.waived,
        count(report.scope.workloads, "workload"),
        count(report.scope.resources, "resource"),
        count(report.scope.regions.len(), "region"),
        count(report.scope.accounts.len(), "account"),
        count(usize::try_from(calls).unwrap_or(usize::MAX), "AWS call"),
        Duration::from_millis(report.stats.duration_ms).as_secs_f64(),
    )
}

/// `12 proved, 1 disproved, 2 unknown`.
pub(super) fn checklist_summary(list: &Checklist) -> String {
    use checklist::ItemVerdict::{Disproved, Proved, Unknown};
    let with = |verdict| list.items.iter().filter(|i| i.verdict == verdict).count();
    format!(
        "{} proved, {} disproved, {} unknown",
        with(Proved),
        with(Disproved),
        with(Unknown)
    )
}

/// `1 workload`, `2 workloads`.
pub(super) fn count(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}
