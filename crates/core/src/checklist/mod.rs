//! Says whether a migration to a database is finished. Each item is proved, disproved or unknown, and carries its
//! evidence and the time of that evidence.
//!
//! If a rule evaluates the same question, its finding is the answer. Other items use the same facts as the rules.

mod answer;
mod cleanup;
mod database;
mod item;
mod list;
mod schema;
mod service;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::Serialize;

use crate::config::Config;
use crate::diagnose;
use crate::evaluate::evaluate;
use crate::facts::one_workload;
use crate::model::snapshot::Snapshot;
use answer::Answer;
pub use item::{Item, ItemVerdict};
pub use list::Extras;
use list::List;

/// Rules that answer items, in addition to those of the path from the service to its database.
const RULES: &[&str] = &[
    "rds-public-access",
    "rds-public-subnet",
    "rds-open-ingress",
    "rds-migration-overdue",
    "rds-short-backup-retention",
    "rds-stale-restore-point",
    "rds-unencrypted-storage",
    "rds-deletion-unprotected",
    "rds-abandoned",
    "ecs-ephemeral-storage",
    "ecs-unsafe-rollback",
    "migration-failed",
    "migration-drift",
];

/// `config` with every rule that answers an item enabled.
#[must_use]
pub fn thorough(config: &Config) -> Config {
    let mut config = diagnose::thorough(config);
    for rule in RULES {
        config.rules.entry((*rule).to_owned()).or_default().enabled = Some(true);
    }
    config
}

/// The checklist of one workload in one account and region.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checklist {
    /// The workload.
    pub workload: String,
    /// Twelve digits.
    pub account: String,
    /// For instance `us-east-1`.
    pub region: String,
    /// When reading began: no fact is older.
    pub observed_at: Timestamp,
    /// Disproved if one item is, else unknown unless all are proved.
    pub verdict: ItemVerdict,
    /// The items, in order.
    pub items: Vec<Item>,
}

/// Answers every item for one workload.
#[must_use]
pub fn checklist(snapshot: &Snapshot, extras: &Extras, config: &Config, now: Timestamp, workload: &str) -> Checklist {
    let config = thorough(config);
    let w = one_workload(workload, snapshot, &config, now);
    let only = std::iter::once(workload.to_owned()).collect();
    let findings = evaluate(snapshot, &config, now, Some(&only)).findings;
    let diagnosis = diagnose::diagnose_every_hop(snapshot, &config, now, workload);
    let list = List {
        w: &w,
        findings: &findings,
        diagnosis: &diagnosis,
        extras,
    };
    let mut items = vec![];
    match list.databases() {
        Ok(databases) => {
            for database in &databases {
                items.extend(database::backup(&list, database));
            }
            for database in &databases {
                items.extend(database::specified(&list, database));
            }
            items.extend(service::items(&list));
            items.extend(schema::items(&list));
            for database in &databases {
                items.extend(database::window(&list, database));
            }
            for database in &databases {
                items.extend(cleanup::monitoring(&list, database));
            }
            items.extend(cleanup::items(&list, &databases));
            if databases.is_empty() {
                items.insert(0, list.no_database());
            }
        }
        Err(e) => {
            items.push(list.item(
                "database",
                "database-known",
                workload,
                "The database is known",
                Answer::unread(&e),
            ));
            items.extend(service::items(&list));
            items.extend(schema::items(&list));
        }
    }
    Checklist {
        workload: workload.to_owned(),
        account: snapshot.scope.account.clone(),
        region: snapshot.scope.region.clone(),
        observed_at: snapshot.started_at,
        verdict: ItemVerdict::of(items.iter().map(|i| i.verdict)),
        items,
    }
}
