//! A plan: what Holdfast would change, and what it would not, with the reason.

use std::fmt::Write as _;

use holdfast_core::finding::Verdict;
use holdfast_core::plan::{Held, Plan, PlannedAction};

use crate::report::phrases::count;
use crate::report::style::{Colour, Style};

/// A plan: each call with before → after, and why the other findings are held.
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
        // One failed read may leave many rules without a verdict: say it once.
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
            held_back(&mut out, held, rules, style);
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
        style.paint(&severity, Some(Colour::of(action.severity))),
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

fn held_back(out: &mut String, held: &Held, rules: &[&str], style: Style) {
    let (text, colour) = match held.verdict {
        Verdict::Unknown => ("unknown".to_owned(), Colour::Magenta),
        Verdict::Waived => ("waived".to_owned(), Colour::White),
        Verdict::Fail => (held.severity.as_str().to_uppercase(), Colour::of(held.severity)),
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
