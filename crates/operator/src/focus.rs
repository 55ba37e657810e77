//! Reading one workload again: only what it is known to consist of.

use std::collections::BTreeSet;

use jiff::Timestamp;

use holdfast_core::model::key::{Scope, Subject};
use holdfast_core::model::shared::Shared;
use holdfast_core::model::snapshot::{Seen, Snapshot};
use holdfast_core::rules::wants::view;

/// What one workload is known to consist of, from the last sweep and from the event that drew attention to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Focus {
    /// The workload; absent where only an event's resource is known, whose tag will tell.
    pub workload: Option<String>,
    /// Identifiers of RDS instances.
    pub instances: BTreeSet<String>,
    /// Identifiers of RDS clusters.
    pub clusters: BTreeSet<String>,
    /// Service ARNs.
    pub services: BTreeSet<String>,
    /// Ids of security groups.
    pub groups: BTreeSet<String>,
    /// Families that run migrations, by name.
    pub families: BTreeSet<String>,
    /// A secret that an event named, by ARN or name.
    pub secret: Option<String>,
    /// Whether services are looked for that the last sweep did not find: before a path is cut, which one of those may use.
    pub discovers: bool,
}

impl Focus {
    /// The parts of `workload` that `snapshot` knows.
    #[must_use]
    pub fn of(snapshot: &Snapshot, config: &holdfast_core::config::Config, workload: &str, now: Timestamp) -> Self {
        let w = view(workload, snapshot, config, now);
        let mut focus = Self {
            workload: Some(workload.to_owned()),
            ..Self::default()
        };
        for instance in w.instances().unwrap_or_default() {
            focus.instances.insert(instance.id.clone());
            focus.clusters.extend(instance.cluster.clone());
            focus.groups.extend(instance.security_groups.iter().cloned());
        }
        for cluster in w.clusters().unwrap_or_default() {
            focus.clusters.insert(cluster.id.clone());
            focus.instances.extend(cluster.members.iter().cloned());
            focus.groups.extend(cluster.security_groups.iter().cloned());
        }
        for service in w.services().unwrap_or_default() {
            focus.services.insert(service.arn.clone());
            focus.groups.extend(service.security_groups.iter().cloned());
        }
        let families = w.migrations().unwrap_or_default();
        focus.families.extend(families.iter().map(|f| f.family.clone()));
        focus
            .services
            .extend(w.unread_services().iter().map(|(arn, _)| (*arn).to_owned()));
        focus
    }

    /// Adds the resource of an event.
    pub fn add(&mut self, subject: &Subject, scope: &Scope) {
        match subject {
            Subject::DbInstance(id) => {
                self.instances.insert(id.clone());
            }
            Subject::DbCluster(id) => {
                self.clusters.insert(id.clone());
            }
            Subject::Service { cluster, service } => {
                if !self
                    .services
                    .iter()
                    .any(|s| s.ends_with(&format!(":service/{cluster}/{service}")))
                {
                    self.services
                        .insert(scope.arn("ecs", &format!("service/{cluster}/{service}")));
                }
            }
            Subject::SecurityGroup(id) => {
                self.groups.insert(id.clone());
            }
            Subject::Secret(id) => self.secret = Some(id.clone()),
            Subject::TaskFamily(name) => {
                self.families.insert(name.clone());
            }
            Subject::Workload(_) | Subject::Everything => {}
        }
    }

    /// Takes what was read of these parts over into `base`.
    pub fn absorb(&self, base: &mut Snapshot, fresh: &Snapshot) {
        replace(&mut base.instances, &fresh.instances, &self.instances);
        replace(&mut base.clusters, &fresh.clusters, &self.clusters);
        replace(&mut base.security_groups, &fresh.security_groups, &self.groups);
        let services: BTreeSet<String> = self
            .services
            .iter()
            .cloned()
            .chain(fresh.services.iter().flat_map(|m| m.keys().cloned()))
            .collect();
        replace(&mut base.services, &fresh.services, &services);
        base.unread_services.retain(|arn, _| !services.contains(arn));
        base.unread_services.take_all(&fresh.unread_services);
        let secrets: BTreeSet<String> = fresh.secrets.iter().flat_map(|m| m.keys().cloned()).collect();
        replace(&mut base.secrets, &fresh.secrets, &secrets);
        base.task_definitions.take_all(&fresh.task_definitions);
        base.lookups.take_all(&fresh.lookups);
        base.values.take_all(&fresh.values);
        base.guarded.take_all(&fresh.guarded);
        base.durable_revisions.take_all(&fresh.durable_revisions);
        base.parameters.take_all(&fresh.parameters);
        base.policies.take_all(&fresh.policies);
        base.access.take_all(&fresh.access);
        base.parameter_groups.take_all(&fresh.parameter_groups);
        base.rollback_targets.take_all(&fresh.rollback_targets);
        base.logs.take_all(&fresh.logs);
        base.fights.clone_from(&fresh.fights);
        replace(&mut base.migrations, &fresh.migrations, &self.families);
    }
}

fn replace<T>(base: &mut Seen<Shared<String, T>>, fresh: &Seen<Shared<String, T>>, ids: &BTreeSet<String>) {
    let (Ok(base), Ok(fresh)) = (base, fresh) else { return };
    for id in ids {
        base.take(id, fresh);
    }
}
