//! Reading a whole scope.

use holdfast_core::facts::endpoints_to_read;
use holdfast_core::model::cow_map::CowMap;
use holdfast_core::model::resources::Secret;
use holdfast_core::model::snapshot::{Read, Snapshot};
use holdfast_core::rules::follow_up_reads::follow_up_reads;
use jiff::Timestamp;

use super::collector::{Collector, Reuse};
use super::policies::Policies;
use super::{
    access, deployments, ec2, ecs, endpoints, logs, migration_runs, migrations, parameter_groups, policies, rds,
    revisions, secrets, start_references, task_starts,
};

impl Collector<'_> {
    /// Reads the whole scope, with the priority of sweeps. `now` is when reading begins.
    pub async fn sweep(&self, now: Timestamp) -> Snapshot {
        let aws = self.aws.for_sweeps();
        Box::pin(Collector { aws: &aws, ..*self }.read_all(now)).await
    }

    async fn read_all(&self, now: Timestamp) -> Snapshot {
        let mut snapshot = Snapshot::empty(self.aws.scope.clone(), now);
        let (instances, clusters, groups, subnets, (services, definitions), (secrets, policies), migrations) = tokio::join!(
            Box::pin(rds::instances(self, None)),
            Box::pin(rds::clusters(self, None)),
            Box::pin(ec2::groups(self, None)),
            Box::pin(ec2::subnets(self)),
            Box::pin(ecs::services(self)),
            Box::pin(self.secrets_and_policies(now)),
            Box::pin(migrations::discover(self)),
        );
        snapshot.instances = instances.map(CowMap::from);
        snapshot.clusters = clusters.map(CowMap::from);
        snapshot.security_groups = groups.map(CowMap::from);
        snapshot.subnets = subnets.map(CowMap::from);
        snapshot.services = services.found.map(CowMap::from);
        snapshot.unread_services = services.unread.into();
        snapshot.task_definitions = definitions.into();
        snapshot.secrets = secrets;
        snapshot.policies = policies.into();
        snapshot.migrations = migrations.families.map(CowMap::from);
        snapshot.task_definitions.extend(migrations.definitions);
        Box::pin(migration_runs::runs(self, &mut snapshot)).await;
        Box::pin(self.finish(snapshot, now, Reuse::Allowed)).await
    }

    /// Lists all tagged secrets and reads the resource policies that the list alone calls for. AWS counts these calls apart
    /// from those that describe services and revisions, so reading them beside the descriptions saves their whole time.
    ///
    /// Each of them is among the policies that [`follow_up_reads`] names once everything else is read: it names the
    /// tagged secrets whatever else there is, and [`Self::finish`] reads only those that are not read yet.
    async fn secrets_and_policies(&self, now: Timestamp) -> (Read<CowMap<String, Secret>>, Policies) {
        let mut listed = Snapshot::empty(self.aws.scope.clone(), now);
        listed.secrets = secrets::list(self, None).await.map(CowMap::from);
        let asked = follow_up_reads(&listed, self.config, now).policies;
        let policies = Box::pin(policies::read(self, &listed, &asked, now, Reuse::Allowed)).await;
        (listed.secrets, policies)
    }

    /// Reads what the first reads turned out to need: values, what suspicious groups guard, earlier revisions, what a
    /// rollback would choose, what logs say.
    pub(super) async fn finish(&self, mut snapshot: Snapshot, now: Timestamp, reuse: Reuse) -> Snapshot {
        Box::pin(secrets::follow(self, &mut snapshot, now, reuse)).await;
        // Which database a connection leads to decides what else is worth reading.
        snapshot.endpoints = Box::pin(endpoints::read(self, endpoints_to_read(&snapshot)))
            .await
            .into();
        Box::pin(start_references::look_up(self, &mut snapshot, now, reuse)).await;
        let mut reads = follow_up_reads(&snapshot, self.config, now);
        reads.policies.retain(|arn| !snapshot.policies.contains_key(arn));
        let of_deployments = deployments::Asked {
            targets: &reads.rollback_targets,
            histories: &reads.deployments,
        };
        let (guarded, earlier, parameter_groups, rollbacks, logs, policies, access, starts, vpc_endpoints) = tokio::join!(
            Box::pin(ec2::guarded(self, &reads.guarded)),
            Box::pin(revisions::durable_revisions(
                self,
                &snapshot,
                &reads.earlier_revisions,
                now,
                reuse
            )),
            Box::pin(parameter_groups::read(self, &reads.parameter_groups)),
            Box::pin(deployments::read(self, &snapshot, &of_deployments, now, reuse)),
            Box::pin(logs::evidence(self, &snapshot, &reads.logs, now, reuse)),
            Box::pin(policies::read(self, &snapshot, &reads.policies, now, reuse)),
            Box::pin(access::read(self, &snapshot, &reads.access, now, reuse)),
            Box::pin(task_starts::read(self, &snapshot, &reads.starts, now, reuse)),
            Box::pin(ec2::endpoints(self, &reads.vpc_endpoints)),
        );
        snapshot.guarded = guarded.into();
        snapshot.durable_revisions = earlier.into();
        snapshot.parameter_groups = parameter_groups.into();
        snapshot.rollback_targets = rollbacks.targets.into();
        snapshot.deployments = rollbacks.histories.into();
        for definition in rollbacks.definitions {
            snapshot.task_definitions.insert(definition.arn.clone(), Ok(definition));
        }
        snapshot.logs = logs.into();
        snapshot.policies.extend(policies);
        snapshot.access = access.into();
        snapshot.versions = starts.versions.into();
        snapshot.task_starts = starts.tasks.into();
        snapshot.vpc_endpoints = vpc_endpoints.into();
        snapshot.errors = snapshot.failed_reads();
        snapshot
    }
}

#[cfg(test)]
mod tests;
