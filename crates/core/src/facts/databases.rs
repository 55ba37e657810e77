//! Evaluates each database of a workload, and builds the corrections of its settings.

use super::database::{Database, RdsResource, not_available};
use super::workload::{Workload, untagged};
use crate::action::{Action, ConfigureDatabase, DatabaseSetting};
use crate::rule_result::{Remedy, RuleResult};

/// Applies `evaluate` to each database that owns its storage, backups and settings. An orphaned member does not own
/// them: its cluster does, and nothing is known of that.
#[must_use]
pub fn each_storage_owner<'a>(
    w: &Workload<'a>,
    evaluate: impl FnMut(&Database<'a>) -> Option<RuleResult<'a>>,
) -> Vec<RuleResult<'a>> {
    match w.databases() {
        Err(e) => w.unknown(&e),
        Ok(databases) => databases
            .iter()
            .filter(|d| !d.is_orphaned_member())
            .filter_map(evaluate)
            .collect(),
    }
}

/// The correction that changes one field without an effect on clients.
#[must_use]
pub fn configure(w: &Workload<'_>, resource: &RdsResource<'_>, setting: DatabaseSetting, summary: String) -> Remedy {
    let action = Action::ConfigureDatabase(ConfigureDatabase {
        database: resource.identity(),
        setting,
    });
    let refused =
        untagged(w, resource.id(), resource.tags()).or_else(|| not_available(resource.id(), resource.status()));
    Remedy {
        summary,
        actions: vec![action],
        refused,
    }
}
