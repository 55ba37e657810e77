//! The checklist of a migration, for a terminal.

use std::fmt::Write as _;

use holdfast_core::checklist::{Checklist, Item, ItemVerdict};

use crate::report::phrases::checklist_summary;
use crate::report::style::{Colour, Style};

/// The checklists of one workload, one for each account and region that it is in.
#[must_use]
pub fn checklist_table(lists: &[Checklist], style: Style) -> String {
    let mut out = String::new();
    for list in lists {
        let _ = writeln!(
            out,
            "{}  {} {}  as of {}",
            style.bold(&list.workload),
            list.account,
            list.region,
            list.observed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        );
        let mut section = "";
        for item in &list.items {
            if item.section != section {
                section = item.section;
                let _ = writeln!(out, "  {}", style.bold(section));
            }
            write_item(&mut out, item, style);
        }
        out.push('\n');
        out.push_str(&style.bold(style.indented(&checklist_summary(list), "", "").trim_end()));
        out.push('\n');
    }
    out
}

fn write_item(out: &mut String, item: &Item, style: Style) {
    let (word, colour) = match item.verdict {
        ItemVerdict::Proved => ("proved", Colour::White),
        ItemVerdict::Disproved => ("DISPROVED", Colour::Red),
        ItemVerdict::Unknown => ("unknown", Colour::Magenta),
    };
    let start = format!("    {} ", style.paint(&format!("{word:<9}"), Some(colour)));
    let rest = " ".repeat(14);
    out.push_str(&style.indented(&item.title, &start, &rest));
    let answer = format!("{} ({})", item.summary, item.at.strftime("%Y-%m-%d %H:%M"));
    out.push_str(&style.indented(&answer, &format!("{rest}  "), &format!("{rest}  ")));
    let facts = item.facts();
    if !facts.is_empty() {
        out.push_str(&style.indented(&facts, &format!("{rest}  "), &format!("{rest}  ")));
    }
    if let Some(todo) = &item.todo {
        out.push_str(&style.indented(todo, &format!("{rest}  → "), &format!("{rest}    ")));
    }
}
