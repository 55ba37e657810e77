//! Refreshing one workload: reading only what it is known to consist of.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::model::cow_map::CowMap;
use holdfast_core::model::snapshot::{Read, Snapshot};
use holdfast_core::refresh::RefreshSet;
use jiff::Timestamp;

use super::collector::{Collector, Reuse};
use super::{ec2, ecs, migration_runs, migrations, rds, secrets};

impl Collector<'_> {
    /// Reads the parts of `set` again. What belongs to other workloads is carried over from `base`, so that a shared group
    /// is still known to be shared; where the correction asks for all databases, all of them are read again. A list that
    /// the sweep behind `base` could not read is read now.
    pub async fn refresh(&self, base: &Snapshot, set: &RefreshSet, now: Timestamp) -> Snapshot {
        let mut snapshot = Snapshot::empty(self.aws.scope.clone(), now);
        // Not of AWS but of what was done here: known, not read.
        snapshot.fights.clone_from(&base.fights);
        let ids = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>();
        let (instances, clusters, groups) = (ids(&set.instances), ids(&set.clusters), ids(&set.groups));
        // What a list would have named that could not be read is not known: without the list, it would seem not to be there.
        let unread_databases = base.instances.is_err() || base.clusters.is_err();
        let all_databases = set.before_call.all_databases || unread_databases;
        let all_groups = unread_databases || base.services.is_err() || base.security_groups.is_err();
        let only = |list: &'_ [String], all: bool| (!all).then(|| list.to_vec());
        let (only_instances, only_clusters) = (only(&instances, all_databases), only(&clusters, all_databases));
        let only_groups = only(&groups, all_groups);
        let named = set
            .services
            .iter()
            .filter_map(|arn| ecs::named(arn, set.workload.clone()))
            .collect();
        let (instances, clusters, groups, subnets, (services, definitions), secrets, migrations) = tokio::join!(
            Box::pin(rds::instances(self, only_instances.as_deref())),
            Box::pin(rds::clusters(self, only_clusters.as_deref())),
            Box::pin(ec2::groups(self, only_groups.as_deref())),
            Box::pin(async {
                // Subnets hardly ever move, and their events ask for a whole sweep.
                match &base.subnets {
                    Ok(known) => Ok(known.clone()),
                    Err(_) => ec2::subnets(self).await.map(CowMap::from),
                }
            }),
            Box::pin(async {
                match (&base.services, &set.workload) {
                    (Err(_), Some(_)) => ecs::services(self).await,
                    (Ok(_), Some(workload)) if set.before_call.discover_services => {
                        ecs::of_workload(self, named, workload).await
                    }
                    _ => ecs::describe(self, named).await,
                }
            }),
            Box::pin(async {
                // For the owner of something else no secret needs to be known.
                match (&set.workload, &set.secret) {
                    (None, None) => Ok(BTreeMap::new()),
                    (workload, _) => secrets::list(self, workload.as_deref()).await,
                }
            }),
            Box::pin(migrations::refresh(self, &set.families, &base.migrations)),
        );
        snapshot.instances =
            instances.map(|fresh| carry_over(&base.instances, &set.instances, fresh.into(), all_databases));
        snapshot.clusters =
            clusters.map(|fresh| carry_over(&base.clusters, &set.clusters, fresh.into(), all_databases));
        snapshot.security_groups =
            groups.map(|fresh| carry_over(&base.security_groups, &set.groups, fresh.into(), all_groups));
        snapshot.subnets = subnets;
        snapshot.services = services
            .found
            .map(|fresh| carry_over(&base.services, &set.services, fresh.into(), false));
        snapshot.unread_services = services.unread.into();
        // Without their revisions, the references of others are not followed.
        snapshot.task_definitions = definitions.into();
        snapshot.secrets = secrets.map(CowMap::from);
        snapshot.migrations = migrations.families.map(CowMap::from);
        snapshot.task_definitions.extend(migrations.definitions);
        if set.workload.is_none() {
            // Only the owner is asked for.
            if let (Some(id), Ok(all)) = (&set.secret, &mut snapshot.secrets) {
                all.extend(secrets::by_id(self, id).await.into_iter().map(|s| (s.arn.clone(), s)));
            }
            return snapshot;
        }
        Box::pin(migration_runs::runs(self, &mut snapshot)).await;
        snapshot.keep_runs_of(base);
        snapshot.migrations = snapshot
            .migrations
            .map(|fresh| carry_over(&base.migrations, &set.families, fresh, false));
        Box::pin(self.finish(snapshot, now, Reuse::Never)).await
    }
}

/// What was read, and of what was not asked for, what was known before.
fn carry_over<T>(
    base: &Read<CowMap<String, T>>,
    asked: &BTreeSet<String>,
    fresh: CowMap<String, T>,
    complete: bool,
) -> CowMap<String, T> {
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
