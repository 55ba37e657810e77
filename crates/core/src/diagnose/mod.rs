//! Says why a service does not reach its database: walks the path between them, hop by hop, to the first broken one.
//!
//! If a rule evaluates a hop, its finding is the hop's result, with the same message and remedy, so that `diagnose` and
//! `audit` always agree. Hops add only what no rule says: the facts that prove a hop, and what was not read.

pub mod connection;
mod database;
mod debug_access;
mod hop;
mod hop_result;
mod network;
mod path;
mod secret;
mod service;
mod steps;
mod walk;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::config::Config;
use crate::evaluate::evaluate;
use crate::facts::{Database, DatabaseVariable, Workload, database_variables, one_workload};
use crate::finding::Finding;
use crate::model::resources::{SecretVariable, Service, TaskDefinition, revision_name};
use crate::model::snapshot::Snapshot;
use crate::model::store::Role;
pub use database::arns;
pub use debug_access::DebugAccess;
pub use hop::{Fact, Fix, Hop, Status};
use hop_result::{HopResult, unread};
use path::id;
pub use path::{Path, ValueSource};
use steps::Until;
use walk::Walk;

/// Rules that evaluate a hop of the path. They run whether or not the configuration enables them.
pub const RULES: &[&str] = &[
    "ecs-missing-database-secret",
    "ecs-secret-reference-mismatch",
    "secret-deletion-scheduled",
    "secret-malformed-url",
    "secret-wrong-database",
    "workload-without-database",
    "rds-unavailable",
    "rds-unreachable-from-service",
    "ecs-secret-unreadable",
    "ecs-no-path-to-secrets",
    "ecs-stale-secret",
    "ecs-failed-deployment",
    "ecs-builtin-database",
    "ecs-exec-disabled",
];

/// Returns `config` with every rule of the path enabled.
#[must_use]
pub fn thorough(config: &Config) -> Config {
    let mut config = config.clone();
    for rule in RULES {
        config.rules.entry((*rule).to_owned()).or_default().enabled = Some(true);
    }
    config
}

/// All paths of one workload in one account and region.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The workload.
    pub workload: String,
    /// Twelve digits.
    pub account: String,
    /// For instance `us-east-1`.
    pub region: String,
    /// When reading began: no fact is older.
    pub observed_at: Timestamp,
    /// Broken if one path is, else unknown unless all are proved.
    pub status: Status,
    /// One for each service and database variable.
    #[serde(rename = "ways")]
    pub paths: Vec<Path>,
    /// Ways to look further: a shell in the container, its log, its log level. They do not affect the status.
    #[serde(rename = "aids")]
    pub debug_access: Vec<DebugAccess>,
}

impl Diagnosis {
    /// Recomputes the status after hops were added.
    pub fn sum_up(&mut self) {
        self.status = Status::of(self.paths.iter().map(|w| w.status));
    }
}

/// Walks every path of `workload`, or those of the services that `wanted` picks by `cluster/service`.
#[must_use]
pub fn diagnose(
    snapshot: &Snapshot,
    config: &Config,
    now: Timestamp,
    workload: &str,
    wanted: &dyn Fn(&str) -> bool,
) -> Diagnosis {
    walk_all(snapshot, config, now, workload, wanted, Until::Broken)
}

/// Walks every path of every service to its end, past broken hops: hops that do not depend on a broken one still have a
/// result.
#[must_use]
pub fn diagnose_every_hop(snapshot: &Snapshot, config: &Config, now: Timestamp, workload: &str) -> Diagnosis {
    walk_all(snapshot, config, now, workload, &|_| true, Until::TheEnd)
}

/// The hop `database` alone: whether one database accepts connections.
#[must_use]
pub fn condition(database: &Database<'_>) -> Hop {
    database::state(database).named("database")
}

fn walk_all(
    snapshot: &Snapshot,
    config: &Config,
    now: Timestamp,
    workload: &str,
    wanted: &dyn Fn(&str) -> bool,
    until: Until,
) -> Diagnosis {
    let config = thorough(config);
    let w = one_workload(workload, snapshot, &config, now);
    let mut paths = vec![];
    let mut debug_access = vec![];
    match w.services() {
        Err(e) => paths.push(without_service(workload, &unread(&e))),
        Ok(services) => {
            for service in services.iter().copied().filter(|s| wanted(&id(s))) {
                paths.extend(paths_of(snapshot, &config, &w, service, until));
                debug_access.extend(debug_access::of(&w, service));
            }
            for (arn, error) in w.unread_services() {
                let name = arn.rsplit(":service/").next().unwrap_or(arn);
                if wanted(name) {
                    paths.push(without_service(name, &unread(error)));
                }
            }
        }
    }
    if paths.is_empty() {
        let tag = format!("{}workload={workload}", config.tag_prefix);
        let fix = Fix::by_hand(
            format!("tag the service with {tag}"),
            vec![format!(
                "aws ecs tag-resource --resource-arn SERVICE_ARN --tags key={}workload,value={workload}",
                config.tag_prefix
            )],
        );
        paths.push(without_service(
            workload,
            &HopResult::broken(format!("no ECS service carries {tag}"), fix),
        ));
    }
    let mut diagnosis = Diagnosis {
        workload: workload.to_owned(),
        account: snapshot.scope.account.clone(),
        region: snapshot.scope.region.clone(),
        observed_at: snapshot.started_at,
        status: Status::Unknown,
        paths,
        debug_access,
    };
    diagnosis.sum_up();
    diagnosis
}

fn without_service(name: &str, found: &HopResult) -> Path {
    let hops = vec![found.clone().named("service")];
    Path {
        service: name.to_owned(),
        revision: None,
        container: None,
        variable: None,
        secret: None,
        database: None,
        status: Status::of(hops.iter().map(|h| h.status)),
        hops,
        source: None,
    }
}

/// One path for each connection of a service, or the one that ends where there is none.
fn paths_of(snapshot: &Snapshot, config: &Config, w: &Workload<'_>, service: &Service, until: Until) -> Vec<Path> {
    let definition = w.running(service);
    let variables = definition
        .as_ref()
        .map(|d| database_variables(w, Some(service), d))
        .unwrap_or_default();
    if variables.is_empty() {
        return vec![path(snapshot, config, w, service, None, until)];
    }
    variables
        .chunk_by(|a, b| a.connection == b.connection)
        .filter_map(|connection| {
            // The variable that leads there tells the most.
            let rank = |role| match role {
                Role::Url => 0,
                Role::Host => 1,
                Role::Password => 2,
                _ => 3,
            };
            let main = connection.iter().min_by_key(|v| rank(v.role))?;
            let alone = alone(snapshot, w, service, definition.as_deref().ok(), &variables, connection);
            let variable = (main.container.to_owned(), main.variable.clone());
            Some(path(&alone, config, w, service, Some(&variable), until))
        })
        .collect()
}

/// The snapshot as it would be if the workload had this service alone, with the secrets of one connection alone: so that
/// what the rules say is about this path and no other.
fn alone(
    snapshot: &Snapshot,
    w: &Workload<'_>,
    service: &Service,
    definition: Option<&TaskDefinition>,
    all: &[DatabaseVariable<'_>],
    connection: &[DatabaseVariable<'_>],
) -> Snapshot {
    let mut alone = snapshot.clone();
    if let Ok(services) = &mut alone.services {
        services.retain(|arn, s| *arn == service.arn || s.tags.workload(w.prefix) != Some(w.name));
    }
    alone.unread_services.retain(|_, (workload, _)| workload != w.name);
    if let Some(definition) = definition {
        let mut trimmed = definition.clone();
        for c in &mut trimmed.containers {
            let is = |list: &[DatabaseVariable<'_>], s: &SecretVariable| {
                list.iter().any(|v| v.container == c.name && v.variable == s)
            };
            c.secrets.retain(|s| !is(all, s) || is(connection, s));
        }
        alone
            .task_definitions
            .insert(definition.arn.clone(), Ok(Arc::new(trimmed)));
    }
    alone
}

/// `snapshot` is the one of this path alone; `whole` the workload as it is.
fn path(
    snapshot: &Snapshot,
    config: &Config,
    whole: &Workload<'_>,
    service: &Service,
    variable: Option<&(String, SecretVariable)>,
    until: Until,
) -> Path {
    let only = std::iter::once(whole.name.to_owned()).collect();
    let findings: Vec<Finding> = evaluate(snapshot, config, whole.now, Some(&only)).findings;
    let w = one_workload(whole.name, snapshot, config, whole.now);
    let mut walk = Walk::new(&w, config, &findings, service, variable);
    let hops = steps::hops(&mut walk, until);
    let status = Status::of(hops.iter().map(|h| h.status));
    let ready = status != Status::Broken
        && ["variable", "secret", "url"]
            .iter()
            .all(|name| hops.iter().any(|h| h.name == *name && h.status == Status::Proved));
    Path {
        service: id(service),
        revision: walk.definition.map(|d| revision_name(&d.arn).to_owned()),
        container: variable.map(|(container, _)| container.clone()),
        variable: variable.map(|(_, v)| v.name.clone()),
        secret: walk.secret_name(),
        database: walk.database.as_ref().map(|d| d.id.to_owned()),
        status,
        hops,
        source: walk.source().filter(|_| ready),
    }
}
