//! Reading one workload again: only what it is known to consist of.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Collector, Reuse, ec2, ecs, migrations, rds, secrets};
use crate::model::key::{Scope, Subject};
use crate::model::shared::Shared;
use crate::model::snapshot::{Seen, Snapshot};
use crate::rules::wants::view;

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
    pub fn of(snapshot: &Snapshot, config: &crate::config::Config, workload: &str, now: Timestamp) -> Self {
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

impl Collector<'_> {
    /// Reads the parts of `focus` afresh. What belongs to others is taken over from `base`, so that a shared group is
    /// still known to be shared; with `all_databases`, even that is read afresh. A list that the sweep behind `base` could not
    /// read is read now.
    pub async fn look_again(&self, base: &Snapshot, focus: &Focus, all_databases: bool, now: Timestamp) -> Snapshot {
        let mut snapshot = Snapshot::empty(self.aws.scope.clone(), now);
        // Not of AWS but of what was done here: known, not read.
        snapshot.fights.clone_from(&base.fights);
        let ids = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        let (instances, clusters, groups) = (ids(&focus.instances), ids(&focus.clusters), ids(&focus.groups));
        // What a list would have named that could not be read is not known: without the list, it would seem not to be there.
        let unread_databases = base.instances.is_err() || base.clusters.is_err();
        let all_databases = all_databases || unread_databases;
        let all_groups = unread_databases || base.services.is_err() || base.security_groups.is_err();
        let only = |list: &'_ [String], all: bool| (!all).then(|| list.to_vec());
        let (only_instances, only_clusters) = (only(&instances, all_databases), only(&clusters, all_databases));
        let only_groups = only(&groups, all_groups);
        let named = focus
            .services
            .iter()
            .filter_map(|arn| ecs::named(arn, focus.workload.clone()))
            .collect();
        let (instances, clusters, groups, subnets, (services, definitions), secrets, migrations) = tokio::join!(
            Box::pin(rds::instances(self, only_instances.as_deref())),
            Box::pin(rds::clusters(self, only_clusters.as_deref())),
            Box::pin(ec2::groups(self, only_groups.as_deref())),
            Box::pin(async {
                // Subnets hardly ever move, and their events ask for a whole sweep.
                match &base.subnets {
                    Ok(known) => Ok(known.clone()),
                    Err(_) => ec2::subnets(self).await.map(Shared::from),
                }
            }),
            Box::pin(async {
                match (&base.services, &focus.workload) {
                    (Err(_), Some(_)) => ecs::services(self).await,
                    (Ok(_), Some(workload)) if focus.discovers => ecs::of_workload(self, named, workload).await,
                    _ => ecs::describe(self, named).await,
                }
            }),
            Box::pin(async {
                // For the owner of something else no secret needs to be known.
                match (&focus.workload, &focus.secret) {
                    (None, None) => Ok(BTreeMap::new()),
                    (workload, _) => secrets::list(self, workload.as_deref()).await,
                }
            }),
            Box::pin(migrations::again(self, &focus.families, &base.migrations)),
        );
        snapshot.instances =
            instances.map(|fresh| others(&base.instances, &focus.instances, fresh.into(), all_databases));
        snapshot.clusters = clusters.map(|fresh| others(&base.clusters, &focus.clusters, fresh.into(), all_databases));
        snapshot.security_groups =
            groups.map(|fresh| others(&base.security_groups, &focus.groups, fresh.into(), all_groups));
        snapshot.subnets = subnets;
        snapshot.services = services
            .found
            .map(|fresh| others(&base.services, &focus.services, fresh.into(), false));
        snapshot.unread_services = services.unread.into();
        // Without their revisions, the references of others are not followed.
        snapshot.task_definitions = definitions.into();
        snapshot.secrets = secrets.map(Shared::from);
        snapshot.migrations = migrations.families.map(Shared::from);
        snapshot.task_definitions.extend(migrations.definitions);
        if focus.workload.is_none() {
            // Only the owner is asked for.
            if let (Some(id), Ok(all)) = (&focus.secret, &mut snapshot.secrets) {
                all.extend(secrets::by_id(self, id).await.into_iter().map(|s| (s.arn.clone(), s)));
            }
            return snapshot;
        }
        Box::pin(migrations::runs(self, &mut snapshot)).await;
        snapshot.keep_runs_of(base);
        snapshot.migrations = snapshot
            .migrations
            .map(|fresh| others(&base.migrations, &focus.families, fresh, false));
        Box::pin(self.finish(snapshot, now, Reuse::Never)).await
    }
}

fn replace<T>(base: &mut Seen<Shared<String, T>>, fresh: &Seen<Shared<String, T>>, ids: &BTreeSet<String>) {
    let (Ok(base), Ok(fresh)) = (base, fresh) else { return };
    for id in ids {
        base.take(id, fresh);
    }
}

/// What was read, and of what was not asked for, what was known before.
fn others<T>(
    base: &Seen<Shared<String, T>>,
    asked: &BTreeSet<String>,
    fresh: Shared<String, T>,
    complete: bool,
) -> Shared<String, T> {
    let (false, Ok(known)) = (complete, base) else {
        return fresh;
    };
    let mut all = known.clone();
    for id in asked {
        all.remove(id);
    }
    all.take_all(&fresh);
    all
}
