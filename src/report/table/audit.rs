//! The findings of an audit, for a person at 3 a.m.: by workload, worst first, one line of what is wrong, one of what
//! to do.

use std::fmt::Write as _;

use holdfast_core::finding::{Finding, Verdict};

use crate::report::groups::{Node, by_workload};
use crate::report::model::Report;
use crate::report::phrases::{advice, summary};
use crate::report::style::{Colour, Style};

fn label(finding: &Finding) -> (String, Option<Colour>) {
    match finding.verdict {
        Verdict::Fail => (
            finding.severity.as_str().to_uppercase(),
            Some(Colour::of(finding.severity)),
        ),
        Verdict::Waived => ("waived".into(), Some(Colour::White)),
        Verdict::Unknown => ("unknown".into(), Some(Colour::Magenta)),
    }
}

/// The findings of a sweep, by workload.
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

/// The findings that a finding causes, at any depth. They need no action of their own.
fn consequences(out: &mut String, nodes: &[Node<'_>], style: Style) {
    for Node {
        finding,
        consequences: further,
    } in nodes
    {
        let (text, _) = label(finding);
        let line = format!("{text} {}: {}", finding.rule, finding.message);
        out.push_str(&style.indented(&line, "    hence ", "          "));
        consequences(out, further, style);
    }
}
