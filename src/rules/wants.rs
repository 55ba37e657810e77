//! What else must be read to decide on a correction, once the first reads show that one may be due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::ecs_exec_disabled::EXEC;
use super::rds_open_ingress::offending;
use super::rds_unenforced_tls::own_groups;
use super::rds_unreachable_from_service::to_open;
use super::support::{is_durable, right_reference};
use super::workload::{DatabaseView, Index};
use super::{Workload, ecs_builtin_database, ecs_unsafe_rollback};
use crate::config::Config;
use crate::judge::workload_names;
use crate::model::snapshot::Snapshot;

/// What a second look should read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Security groups with an offending rule, or without one that should be there: what else do they guard?
    pub guarded: BTreeSet<String>,
    /// Running revisions that keep data in the container, with no secret to add: was an earlier one durable?
    pub earlier: BTreeSet<String>,
    /// Parameter groups of one's own, by whether they are clusters' and by name: do they force TLS?
    pub parameter_groups: BTreeSet<(bool, String)>,
    /// Secrets by ARN: whom does their resource policy let in?
    pub policies: BTreeSet<String>,
    /// Roles by ARN, with what they must be able to read (`*`: do what ECS Exec needs).
    pub access: BTreeMap<String, BTreeSet<String>>,
    /// Services by ARN: which revisions would a rollback choose?
    pub rollback_targets: BTreeSet<String>,
    /// Services by ARN: what do their logs say?
    pub logs: BTreeSet<String>,
}

/// What a second look at `snapshot` should read.
#[must_use]
pub fn wants(snapshot: &Snapshot, config: &Config, now: Timestamp) -> Wants {
    let mut wants = Wants::default();
    let names = workload_names(snapshot, &config.tag_prefix);
    let viewer = Viewer::new(snapshot, config, now);
    let [rollbacks, logs, exec] =
        ["ecs-unsafe-rollback", "ecs-builtin-database", "ecs-exec-disabled"].map(|rule| config.judges_id(rule));
    for name in &names {
        let w = viewer.view(name);
        for database in w.databases().unwrap_or_default() {
            for id in database.security_groups {
                let Ok(Some(group)) = w.group(id) else { continue };
                // Inside a window single addresses are allowed; at its end they are not, and that end may be now.
                let strict = DatabaseView {
                    phase: crate::model::tags::PhaseReading::MIGRATED,
                    ..database.clone()
                };
                if !offending(&w, group, &[&strict]).0.is_empty() {
                    wants.guarded.insert(id.clone());
                }
            }
        }
        if config.judges_id("rds-unreachable-from-service") {
            wants.guarded.extend(to_open(&w));
        }
        if config.judges_id("rds-unenforced-tls") {
            wants.parameter_groups.extend(own_groups(&w));
        }
        for service in w.services().unwrap_or_default() {
            let Ok(definition) = w.running(service) else { continue };
            if rollbacks && ecs_unsafe_rollback::is_concerned(&w, service, definition) {
                wants.rollback_targets.insert(service.arn.clone());
            }
            if logs && ecs_builtin_database::is_concerned(&w, service, definition) {
                wants.logs.insert(service.arn.clone());
            }
            if let (true, Some(role)) = (exec, &definition.task_role) {
                wants.access.entry(role.clone()).or_default().insert(EXEC.to_owned());
            }
            if definition.revision > 1 && !is_durable(&w, definition, service.fargate) && right_reference(&w).is_err() {
                wants.earlier.insert(definition.arn.clone());
            }
        }
    }
    wants
}

/// One workload of a snapshot. To look at many, make a [`Viewer`].
#[must_use]
pub fn view<'a>(name: &'a str, snapshot: &'a Snapshot, config: &'a Config, now: Timestamp) -> Workload<'a> {
    Viewer::new(snapshot, config, now).view(name)
}

/// Looks at one workload after the other.
pub struct Viewer<'a> {
    snapshot: &'a Snapshot,
    config: &'a Config,
    now: Timestamp,
    index: Arc<Index<'a>>,
}

impl<'a> Viewer<'a> {
    /// Reads every tag of the snapshot once.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, config: &'a Config, now: Timestamp) -> Self {
        Self {
            snapshot,
            config,
            now,
            index: Arc::new(Index::new(snapshot, &config.tag_prefix)),
        }
    }

    /// One workload.
    #[must_use]
    pub fn view(&self, name: &'a str) -> Workload<'a> {
        Workload {
            name,
            snapshot: self.snapshot,
            prefix: &self.config.tag_prefix,
            now: self.now,
            max_window: self.config.migration.max_window,
            params: self.config.params(name),
            index: Arc::clone(&self.index),
        }
    }
}
