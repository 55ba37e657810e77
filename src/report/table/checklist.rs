//! The checklist of a migration, for a terminal.

use std::fmt::Write as _;

use comfy_table::Color;

use super::Style;
use holdfast_core::checklist::{Checklist, Item, ItemVerdict};

/// One workload, in every account and region in which it was found.
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
            one(&mut out, item, style);
        }
        out.push('\n');
        out.push_str(&style.bold(style.indented(&summary(list), "", "").trim_end()));
        out.push('\n');
    }
    out
}

/// `12 proved, 1 disproved, 2 unknown`.
pub(in crate::report) fn summary(list: &Checklist) -> String {
    let with = |verdict| list.items.iter().filter(|i| i.verdict == verdict).count();
    format!(
        "{} proved, {} disproved, {} unknown",
        with(ItemVerdict::Proved),
        with(ItemVerdict::Disproved),
        with(ItemVerdict::Unknown)
    )
}

fn one(out: &mut String, item: &Item, style: Style) {
    let (word, colour) = match item.verdict {
        ItemVerdict::Proved => ("proved", Color::Grey),
        ItemVerdict::Disproved => ("DISPROVED", Color::Red),
        ItemVerdict::Unknown => ("unknown", Color::Magenta),
    };
    let start = format!("    {} ", style.paint(&format!("{word:<9}"), Some(colour)));
    let rest = " ".repeat(14);
    out.push_str(&style.indented(&item.title, &start, &rest));
    let why = format!("{} ({})", item.summary, item.at.strftime("%Y-%m-%d %H:%M"));
    out.push_str(&style.indented(&why, &format!("{rest}  "), &format!("{rest}  ")));
    let facts = item.facts();
    if !facts.is_empty() {
        out.push_str(&style.indented(&facts, &format!("{rest}  "), &format!("{rest}  ")));
    }
    if let Some(todo) = &item.todo {
        out.push_str(&style.indented(todo, &format!("{rest}  → "), &format!("{rest}    ")));
    }
}
