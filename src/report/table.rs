//! Tables for a person at 3 a.m.: by workload, worst first, one line of what is wrong, one of what to do.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

use super::Report;
use crate::model::finding::{Finding, Verdict};
use crate::model::policy::Severity;
use crate::plan::Plan;
use crate::rules::Rule;

/// How a table is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Columns to fit in; `None` where nobody looks at a terminal: lines are then as long as they are.
    pub width: Option<u16>,
    /// Whether to use colour.
    pub colour: bool,
}

impl Style {
    /// What standard output can show. `NO_COLOR` is honoured.
    #[must_use]
    pub fn of_stdout() -> Self {
        let term = console::Term::stdout();
        if !term.is_term() {
            return Self { width: None, colour: false };
        }
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self { width: Some(term.size().1.max(60)), colour: !no_colour }
    }

    fn table(self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        match self.width {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        if self.colour { table.enforce_styling() } else { table.force_no_tty() };
        table
    }

    fn bold(self, text: &str) -> String {
        if self.colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn cell(self, text: &str, colour: Option<Color>) -> Cell {
        let cell = Cell::new(text);
        match colour.filter(|_| self.colour) {
            Some(colour) => cell.fg(colour).add_attribute(Attribute::Bold),
            None => cell,
        }
    }
}

fn colour(severity: Severity) -> Color {
    match severity {
        Severity::Critical => Color::Red,
        Severity::High => Color::Yellow,
        Severity::Medium => Color::Blue,
        Severity::Low => Color::Grey,
    }
}

fn label(finding: &Finding) -> (String, Option<Color>) {
    match finding.verdict {
        Verdict::Fail => (finding.severity.as_str().to_uppercase(), Some(colour(finding.severity))),
        Verdict::Waived => ("waived".into(), Some(Color::Grey)),
        Verdict::Unknown => ("unknown".into(), Some(Color::Magenta)),
    }
}

/// Fails before unknowns before waived ones; among those, the worst first.
fn rank(finding: &Finding) -> (u8, std::cmp::Reverse<Severity>) {
    let verdict = match finding.verdict {
        Verdict::Fail => 0,
        Verdict::Unknown => 1,
        Verdict::Waived => 2,
    };
    (verdict, std::cmp::Reverse(finding.severity))
}

/// The findings of a sweep.
#[must_use]
pub fn audit_table(report: &Report, style: Style) -> String {
    let mut out = String::new();
    let mut workloads: BTreeMap<(&str, &str, &str), Vec<&Finding>> = BTreeMap::new();
    for f in &report.findings {
        workloads.entry((&f.workload, &f.resource.account, &f.resource.region)).or_default().push(f);
    }
    let mut workloads: Vec<_> = workloads.into_iter().collect();
    workloads.sort_by_key(|(name, findings)| (findings.iter().map(|f| rank(f)).min(), *name));
    for ((name, account, region), mut findings) in workloads {
        findings.sort_by_key(|f| rank(f));
        let _ = writeln!(out, "{}  {account} {region}", style.bold(name));
        let mut table = style.table();
        for finding in findings {
            let (text, colour) = label(finding);
            table.add_row(vec![style.cell(&text, colour), Cell::new(&finding.rule), Cell::new(&finding.message)]);
            table.add_row(vec![Cell::new(""), Cell::new(""), Cell::new(format!("→ {}", advice(finding)))]);
        }
        let _ = writeln!(out, "{}\n", trim_lines(&table.to_string()));
    }
    for error in &report.errors {
        let _ = writeln!(out, "could not read {error}");
    }
    if !report.errors.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "{}", style.bold(&summary(report)));
    out
}

/// What to do about a finding.
fn advice(finding: &Finding) -> String {
    if let Some(waiver) = &finding.waiver {
        return format!("waived until {}: {}", waiver.until, waiver.reason);
    }
    match &finding.remediation {
        None => "make the evidence readable, then run `holdfast audit` again".into(),
        Some(r) => match &r.blocked_by {
            Some(why) => format!("{}; Holdfast will not: {why}", r.summary),
            None if r.actions.is_empty() => format!("by hand: {}", r.summary),
            None => format!("`holdfast apply` would {} (risk: {})", r.summary, r.risk),
        },
    }
}

fn summary(report: &Report) -> String {
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
        n => format!("{n} failed ({})", severities.join(", ")),
    };
    let calls: u64 = report.stats.api_calls.values().sum();
    format!(
        "{failed}, {} passed, {} waived, {} unknown: {} workloads, {} resources, {} region(s) of {} account(s); \
         {calls} AWS calls in {:.1} s",
        s.pass,
        s.waived,
        s.unknown,
        report.scope.workloads,
        report.scope.resources,
        report.scope.regions.len(),
        report.scope.accounts.len(),
        std::time::Duration::from_millis(report.stats.duration_ms).as_secs_f64(),
    )
}

/// A plan: each call with before → after, and why the rest is left.
#[must_use]
pub fn plan_table(plan: &Plan, style: Style) -> String {
    let mut out = String::new();
    if plan.actions.is_empty() {
        out.push_str("Nothing to correct.\n\n");
    } else {
        let _ = writeln!(out, "{}", style.bold(&format!("{} to correct:", count(plan.actions.len(), "thing"))));
        out.push_str(&actions_table(plan, style));
        out.push('\n');
    }
    if !plan.held.is_empty() {
        let _ = writeln!(out, "{}", style.bold(&format!("{} not corrected:", count(plan.held.len(), "finding"))));
        let mut table = style.table();
        for held in &plan.held {
            table.add_row(vec![
                style.cell(&held.severity.as_str().to_uppercase(), Some(colour(held.severity))),
                Cell::new(format!("{}\n{}", held.workload, held.resource.region)),
                Cell::new(format!("{}\n{}", held.rule, held.resource.id)),
                Cell::new(if held.summary.is_empty() {
                    held.reason.clone()
                } else {
                    format!("{}\nbut: {}", held.summary, held.reason)
                }),
            ]);
        }
        let _ = writeln!(out, "{}", trim_lines(&table.to_string()));
    }
    out
}

/// The corrections of a plan, in the order in which they are carried out.
#[must_use]
fn actions_table(plan: &Plan, style: Style) -> String {
    let mut table = style.table();
    for action in &plan.actions {
        let calls: Vec<String> = action.calls.iter().map(|c| format!("{}:{}", c.service, c.operation)).collect();
        table.add_row(vec![
            style.cell(&action.severity.as_str().to_uppercase(), Some(colour(action.severity))),
            Cell::new(format!("{}\n{} {}", action.workload, action.scope.account, action.scope.region)),
            Cell::new(format!(
                "{}\ncalls {} (risk: {}) for {}\nif {}",
                action.change,
                calls.join(", then "),
                action.risk,
                action.rules.join(", "),
                action.preconditions.join("; and ")
            )),
        ]);
    }
    format!("{}\n", trim_lines(&table.to_string()))
}

/// The catalogue.
#[must_use]
pub fn rules_table(rules: &[&dyn Rule], style: Style) -> String {
    let mut table = style.table();
    table.set_header(vec!["RULE", "SEVERITY", "ACTS", "RISK", "FAILS WHEN"]);
    for meta in rules.iter().map(|r| r.meta()) {
        let acts = if meta.writes.is_empty() { "no" } else { "yes" };
        table.add_row(vec![
            Cell::new(meta.id),
            style.cell(meta.severity.as_str(), Some(colour(meta.severity))),
            Cell::new(acts),
            Cell::new(meta.risk.as_str()),
            Cell::new(meta.summary),
        ]);
    }
    format!("{}\n", trim_lines(&table.to_string()))
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Tables fill their lines with spaces, which pipes and mails do not want.
fn trim_lines(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
