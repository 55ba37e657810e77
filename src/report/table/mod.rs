//! Tables for people: one file for each command that prints one.

mod audit;
mod checklist;
mod diagnosis;
mod families;
mod history;
mod plan;
mod rules;

pub use audit::audit_table;
pub use checklist::checklist_table;
pub use diagnosis::diagnosis_table;
pub use families::families_table;
pub use history::history_table;
pub use plan::plan_table;
pub use rules::rules_table;
