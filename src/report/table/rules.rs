//! The catalogue of rules.

use comfy_table::Cell;
use holdfast_core::model::rule_meta::Meta;

use crate::report::style::{Colour, Style, table_text};

/// The catalogue, one line for each rule.
#[must_use]
pub fn rules_table(rules: impl Iterator<Item = &'static Meta>, style: Style) -> String {
    let mut table = style.table();
    table.set_header(vec!["RULE", "SEVERITY", "ON", "ACTS", "RISK", "FAILS WHEN"]);
    for meta in rules {
        let acts = match (meta.writes.is_empty(), meta.corrects) {
            (true, _) => "no",
            (false, true) => "yes",
            (false, false) => "if asked",
        };
        table.add_row(vec![
            Cell::new(meta.id),
            style.cell(meta.severity.as_str(), Some(Colour::of(meta.severity))),
            Cell::new(if meta.enabled { "yes" } else { "no" }),
            Cell::new(acts),
            Cell::new(meta.risk.as_str()),
            Cell::new(meta.summary),
        ]);
    }
    table_text(&table)
}
