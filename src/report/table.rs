//! Tables for a person at 3 a.m.: by workload, worst first, one line of what is wrong, one of what to do.

mod checklist;
mod diagnosis;
mod history;

use std::fmt::Write as _;

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

use super::Report;
use super::groups::{Node, by_workload};
pub use checklist::checklist_table;
pub(super) use checklist::summary as checklist_summary;
pub use diagnosis::diagnosis_table;
pub use history::history_table;
use holdfast_core::finding::{Finding, Verdict};
use holdfast_core::model::policy::Severity;
use holdfast_core::plan::{Held, Plan, PlannedAction};
use holdfast_core::rules::Rule;

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
            return Self {
                width: None,
                colour: false,
            };
        }
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self {
            width: Some(term.size().1.max(60)),
            colour: !no_colour,
        }
    }

    fn table(self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        match self.width {
            Some(width) => table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        if self.colour {
            table.enforce_styling()
        } else {
            table.force_no_tty()
        };
        table
    }

    /// Text with its lines indented, broken between words where there is a width. A name is never broken: it would not
    /// survive being copied.
    fn indented(self, text: &str, first: &str, rest: &str) -> String {
        let width = self.width.map_or(usize::MAX, usize::from);
        let options = textwrap::Options::new(width)
            .initial_indent(first)
            .subsequent_indent(rest)
            .break_words(false)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
        format!("{}\n", textwrap::fill(text, options))
    }

    fn paint(self, text: &str, colour: Option<Color>) -> String {
        let code = match colour.filter(|_| self.colour) {
            None => return text.to_owned(),
            Some(Color::Red) => "1;31",
            Some(Color::Yellow) => "1;33",
            Some(Color::Blue) => "1;34",
            Some(Color::Magenta) => "1;35",
            Some(_) => "1;37",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    fn bold(self, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[1m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
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
pub(super) fn rank(finding: &Finding) -> (u8, std::cmp::Reverse<Severity>) {
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
    for group in by_workload(report) {
        let _ = writeln!(
            out,
            "{}  {} {}",
            style.bold(group.workload),
            group.account,
            group.region
        );
        for root in &group.roots {
            let finding = root.finding;
            let (text, colour) = label(finding);
            let _ = writeln!(out, "  {} {}", style.paint(&format!("{text:<8}"), colour), finding.rule);
            out.push_str(&style.indented(&finding.message, "    ", "    "));
            out.push_str(&style.indented(&advice(finding), "    → ", "      "));
            consequences(&mut out, &root.consequences, style);
        }
        out.push('\n');
    }
    for error in &report.errors {
        out.push_str(&style.indented(&format!("could not read {error}"), "", "  "));
    }
    if !report.errors.is_empty() {
        out.push('\n');
    }
    out.push_str(&style.bold(style.indented(&summary(report), "", "").trim_end()));
    out.push('\n');
    out
}

/// What follows from a finding, near or far: told, but no second thing to do.
fn consequences(out: &mut String, nodes: &[Node<'_>], style: Style) {
    for Node {
        finding,
        consequences: further,
    } in nodes
    {
        let (text, _) = label(finding);
        let told = format!("{text} {}: {}", finding.rule, finding.message);
        out.push_str(&style.indented(&told, "    hence ", "          "));
        consequences(out, further, style);
    }
}

/// What to do about a finding.
pub(super) fn advice(finding: &Finding) -> String {
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
    let calls: u64 = report.stats.api_calls.values().sum();
    format!(
        "{failed}, {} passed, {} waived, {} unknown: {}, {}, {}, {}; {} in {:.1} s",
        s.pass,
        s.waived,
        s.unknown,
        count(report.scope.workloads, "workload"),
        count(report.scope.resources, "resource"),
        count(report.scope.regions.len(), "region"),
        count(report.scope.accounts.len(), "account"),
        count(usize::try_from(calls).unwrap_or(usize::MAX), "AWS call"),
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
        let _ = writeln!(
            out,
            "{}",
            style.bold(&format!("{} to correct:", count(plan.actions.len(), "thing")))
        );
        for action in &plan.actions {
            planned(&mut out, action, style);
        }
        let note = "Just before each of them the workload is read and planned again; what does not come out the same is \
                    not done. `plan --format json` has the preconditions.";
        let _ = writeln!(out, "\n{}", style.indented(note, "", ""));
    }
    if !plan.held.is_empty() {
        let _ = writeln!(
            out,
            "{}",
            style.bold(&format!("{} not corrected:", count(plan.held.len(), "finding")))
        );
        // One unreadable thing may keep many rules from evaluating: say it once.
        let mut groups: Vec<(&Held, Vec<&str>)> = vec![];
        for held in &plan.held {
            match groups
                .iter_mut()
                .find(|(h, _)| h.verdict == Verdict::Unknown && same_cause(h, held))
            {
                Some((_, rules)) => rules.push(&held.rule),
                None => groups.push((held, vec![&held.rule])),
            }
        }
        for (held, rules) in &groups {
            left(&mut out, held, rules, style);
        }
    }
    out
}

fn same_cause(one: &Held, other: &Held) -> bool {
    one.verdict == other.verdict && one.resource == other.resource && one.reason == other.reason
}

fn planned(out: &mut String, action: &PlannedAction, style: Style) {
    let calls: Vec<String> = action
        .calls
        .iter()
        .map(|c| format!("{}:{}", c.service, c.operation))
        .collect();
    let severity = format!("{:<8}", action.severity.as_str().to_uppercase());
    let _ = writeln!(
        out,
        "  {} {}  {} {}",
        style.paint(&severity, Some(colour(action.severity))),
        style.bold(&action.workload),
        action.scope.account,
        action.scope.region
    );
    out.push_str(&style.indented(&action.change, "    ", "      "));
    let why = format!(
        "{} (risk: {}) for {}",
        calls.join(", then "),
        action.risk,
        action.rules.join(", ")
    );
    out.push_str(&style.indented(&why, "    by ", "      "));
}

fn left(out: &mut String, held: &Held, rules: &[&str], style: Style) {
    let (text, colour) = match held.verdict {
        Verdict::Unknown => ("unknown".to_owned(), Color::Magenta),
        Verdict::Waived => ("waived".to_owned(), Color::Grey),
        Verdict::Fail => (held.severity.as_str().to_uppercase(), colour(held.severity)),
    };
    let _ = writeln!(
        out,
        "  {} {}  {} {}  {}",
        style.paint(&format!("{text:<8}"), Some(colour)),
        style.bold(&held.workload),
        held.resource.account,
        held.resource.region,
        rules.join(", "),
    );
    if !held.summary.is_empty() {
        out.push_str(&style.indented(&held.summary, "    ", "      "));
    }
    out.push_str(&style.indented(&held.reason, "    because ", "      "));
}

/// The catalogue.
#[must_use]
pub fn rules_table(rules: &[&dyn Rule], style: Style) -> String {
    let mut table = style.table();
    table.set_header(vec!["RULE", "SEVERITY", "ON", "ACTS", "RISK", "FAILS WHEN"]);
    for meta in rules.iter().map(|r| r.meta()) {
        let acts = match (meta.writes.is_empty(), meta.corrects) {
            (true, _) => "no",
            (false, true) => "yes",
            (false, false) => "if asked",
        };
        table.add_row(vec![
            Cell::new(meta.id),
            style.cell(meta.severity.as_str(), Some(colour(meta.severity))),
            Cell::new(if meta.enabled { "yes" } else { "no" }),
            Cell::new(acts),
            Cell::new(meta.risk.as_str()),
            Cell::new(meta.summary),
        ]);
    }
    format!("{}\n", trim_lines(&table.to_string()))
}

pub(super) fn count(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

/// Tables fill their lines with spaces, which pipes and mails do not want.
fn trim_lines(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
