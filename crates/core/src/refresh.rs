//! Selects the resources of one workload to read again, and merges what was read into the snapshot.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::action::RefreshBeforeCall;
use crate::config::Config;
use crate::facts::one_workload;
use crate::model::cow_map::CowMap;
use crate::model::key::{Scope, Subject};
use crate::model::snapshot::{Read, Snapshot};

/// What one workload is known to consist of, from the last sweep and from the event that drew attention to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefreshSet {
    /// The workload; absent if only an event's resource is known. The read of its tag finds it.
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
    /// Further reads for a correction that is about to be made.
    pub before_call: RefreshBeforeCall,
}

impl RefreshSet {
    /// The parts of `workload` that `snapshot` knows.
    #[must_use]
    pub fn of(snapshot: &Snapshot, config: &Config, workload: &str, now: Timestamp) -> Self {
        let w = one_workload(workload, snapshot, config, now);
        let mut set = Self {
            workload: Some(workload.to_owned()),
            ..Self::default()
        };
        for instance in w.instances().unwrap_or_default() {
            set.instances.insert(instance.id.clone());
            set.clusters.extend(instance.cluster.clone());
            set.groups.extend(instance.security_groups.iter().cloned());
        }
        for cluster in w.clusters().unwrap_or_default() {
            set.clusters.insert(cluster.id.clone());
            set.instances.extend(cluster.members.iter().cloned());
            set.groups.extend(cluster.security_groups.iter().cloned());
        }
        for service in w.services().unwrap_or_default() {
            set.services.insert(service.arn.clone());
            set.groups.extend(service.security_groups.iter().cloned());
        }
        let families = w.migrations().unwrap_or_default();
        set.families.extend(families.iter().map(|f| f.family.clone()));
        let unread = w.unread_services();
        set.services.extend(unread.iter().map(|(arn, _)| (*arn).to_owned()));
        set
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
                let end = format!(":service/{cluster}/{service}");
                if !self.services.iter().any(|arn| arn.ends_with(&end)) {
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

    /// Merges what was read of this set into `base`. Of a list it takes the resources of the set; if `base` could not
    /// read the list, it takes the whole list, which the second read then has.
    pub fn merge_into(&self, base: &mut Snapshot, fresh: &Snapshot) {
        // Each part by name, so that a new one can't be forgotten.
        let Snapshot {
            scope: _,
            // No fact of either is older than the base's.
            started_at: _,
            instances,
            clusters,
            endpoints,
            services,
            unread_services,
            task_definitions,
            durable_revisions,
            security_groups,
            guarded,
            subnets,
            secrets,
            lookups,
            values,
            parameters,
            policies,
            access,
            versions,
            task_starts,
            vpc_endpoints,
            parameter_groups,
            rollback_targets,
            deployments,
            logs,
            migrations,
            fights,
            // Those of the base are told again below: what was read now may have failed before.
            errors: _,
        } = fresh;
        recover(&mut base.instances, instances);
        recover(&mut base.clusters, clusters);
        recover(&mut base.security_groups, security_groups);
        recover(&mut base.subnets, subnets);
        if self.workload.is_some() {
            recover(&mut base.services, services);
        }
        replace(&mut base.instances, instances, &self.instances);
        replace(&mut base.clusters, clusters, &self.clusters);
        replace(&mut base.security_groups, security_groups, &self.groups);
        replace(&mut base.migrations, migrations, &self.families);
        let found = services.iter().flat_map(|m| m.keys().cloned());
        let own_services: BTreeSet<String> = self.services.iter().cloned().chain(found).collect();
        replace(&mut base.services, services, &own_services);
        base.unread_services.retain(|arn, _| !own_services.contains(arn));
        base.unread_services.take_all(unread_services);
        let own_secrets: BTreeSet<String> = secrets.iter().flat_map(|m| m.keys().cloned()).collect();
        replace(&mut base.secrets, secrets, &own_secrets);
        base.task_definitions.take_all(task_definitions);
        base.durable_revisions.take_all(durable_revisions);
        base.endpoints.take_all(endpoints);
        base.guarded.take_all(guarded);
        base.lookups.take_all(lookups);
        base.values.take_all(values);
        base.parameters.take_all(parameters);
        base.policies.take_all(policies);
        base.access.take_all(access);
        base.versions.take_all(versions);
        base.task_starts.take_all(task_starts);
        base.vpc_endpoints.take_all(vpc_endpoints);
        base.parameter_groups.take_all(parameter_groups);
        base.rollback_targets.take_all(rollback_targets);
        base.deployments.take_all(deployments);
        base.logs.take_all(logs);
        base.fights.clone_from(fights);
        base.errors = base.failed_reads();
    }
}

/// Takes over a list that could not be read before.
fn recover<T>(base: &mut Read<CowMap<String, T>>, fresh: &Read<CowMap<String, T>>) {
    if let (Err(_), Ok(all)) = (&base, fresh) {
        *base = Ok(all.clone());
    }
}

/// Takes over these resources from `fresh`, and removes those that are gone.
fn replace<T>(base: &mut Read<CowMap<String, T>>, fresh: &Read<CowMap<String, T>>, ids: &BTreeSet<String>) {
    let (Ok(base), Ok(fresh)) = (base, fresh) else { return };
    for id in ids {
        base.take(id, fresh);
    }
}

#[cfg(test)]
mod tests;
