//! The formats of a report: one file for each. Every format is a pure function of [`Report`], or of what another
//! command found, and returns text; `cli` writes that text.

mod groups;
mod html;
mod junit;
mod markdown;
mod model;
mod ocsf;
mod phrases;
#[cfg(test)]
mod sample;
mod sarif;
mod style;
mod table;
mod tasks;

pub use html::html;
pub use junit::junit;
pub use markdown::markdown;
pub use model::{Report, Tool};
pub use ocsf::ocsf;
pub use sarif::sarif;
pub use style::Style;
pub use table::{
    audit_table, checklist_table, diagnosis_table, families_table, history_table, plan_table, rules_table,
};
pub use tasks::checklist_markdown;
