//! Everything that was read of one scope. A part that could not be read holds the error in its place.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::connection::SecretShape;
use super::cow_map::CowMap;
use super::key::Scope;
pub use super::read_error::{Read, ReadError};
use super::resources::{
    Access, AccessTarget, DbCluster, DbInstance, DeploymentHistory, Fight, LogEvidence, MigrationFamily,
    ParameterGroup, RdsEndpoint, Secret, SecurityGroup, Service, Subnet, TaskDefinition, TaskRun, TaskStart,
    VersionDates, VpcEndpoint,
};
use super::tags::Tags;
use super::value_from::Selector;

/// Where a reference to a secret leads.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// It leads to the secret with this ARN.
    Found(String),
    /// No such secret in that account and region.
    Missing,
}

/// Identifies one value: the secret's full ARN and the version asked for (its JSON key is not part of it).
pub type ValueKey = (String, Selector);

/// What was read of a secret's value.
#[allow(clippy::large_enum_variant, reason = "nearly all of them are shapes")]
#[derive(Debug, Clone)]
pub enum SecretValue {
    /// Facts about the value.
    Shape(SecretShape),
    /// The version asked for does not exist.
    NoSuchVersion,
    /// `secrets.inspect` does not allow reading it.
    NotInspected,
}

/// What a security group guards, according to the network interfaces in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guarded {
    /// Interfaces that are neither RDS's nor of an ECS task of a known service: their ids and descriptions.
    pub others: Vec<String>,
}

/// Everything that was read of one scope.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Where.
    pub scope: Scope,
    /// When reading began: no fact is older.
    pub started_at: Timestamp,
    /// RDS instances by identifier, tagged or not: an untagged one may share a group with a tagged one.
    pub instances: Read<CowMap<String, DbInstance>>,
    /// RDS clusters by identifier.
    pub clusters: Read<CowMap<String, DbCluster>>,
    /// Where host names of RDS lead that a connection names and that are no instance's or cluster's own, by the host in
    /// lower case; `None`: this account and region have no such endpoint.
    pub endpoints: CowMap<String, Read<Option<RdsEndpoint>>>,
    /// Tagged services by ARN.
    pub services: Read<CowMap<String, Service>>,
    /// Tagged services that could not be described, by ARN, with the workload that their tag names.
    pub unread_services: CowMap<String, (String, Arc<ReadError>)>,
    /// Revisions that services run, by ARN.
    pub task_definitions: CowMap<String, Read<Arc<TaskDefinition>>>,
    /// Earlier revisions that would keep data, by ARN of the running one that does not.
    pub durable_revisions: CowMap<String, Arc<TaskDefinition>>,
    /// Security groups by id.
    pub security_groups: Read<CowMap<String, SecurityGroup>>,
    /// What groups with an offending rule guard.
    pub guarded: CowMap<String, Read<Guarded>>,
    /// Subnets by id.
    pub subnets: Read<CowMap<String, Subnet>>,
    /// Tagged and referenced secrets by full ARN.
    pub secrets: Read<CowMap<String, Secret>>,
    /// References as written (without selector) and where they lead.
    pub lookups: CowMap<String, Read<Lookup>>,
    /// Values by secret and version.
    pub values: CowMap<ValueKey, Read<SecretValue>>,
    /// Parameters of Parameter Store that containers refer to, by the reference as written; `None`: there is none such.
    pub parameters: CowMap<String, Read<Option<SecretValue>>>,
    /// Who, besides the secret's own account, the resource policy of a secret lets in: principals as written, by the
    /// secret's full ARN. Empty for one without a policy, or with one that names nobody else.
    pub policies: CowMap<String, Read<Vec<String>>>,
    /// Whether a role may do what a task needs, by the role's ARN.
    pub access: CowMap<(String, AccessTarget), Read<Access>>,
    /// When versions were created of secrets that changed after a service was deployed, by ARN.
    pub versions: CowMap<String, Read<VersionDates>>,
    /// When the running tasks of services started, the earliest first, by the service's ARN. Read only where one of its
    /// secrets has a newer version than its oldest deployment.
    pub task_starts: CowMap<String, Read<Vec<TaskStart>>>,
    /// Endpoints of VPCs in which a service's tasks do not get steady, by the VPC's id.
    pub vpc_endpoints: CowMap<String, Read<Vec<VpcEndpoint>>>,
    /// Parameter groups by whether they are clusters' and by name. AWS's own (`default.*`) are not read.
    pub parameter_groups: CowMap<(bool, String), Read<ParameterGroup>>,
    /// For services by ARN: revisions that a rollback would choose, the likeliest first, the running one left out.
    pub rollback_targets: CowMap<String, Read<Vec<String>>>,
    /// What ECS remembers of the newest deployment of services, by the service's ARN.
    pub deployments: CowMap<String, Read<DeploymentHistory>>,
    /// What the logs of services say, by the service's ARN.
    pub logs: CowMap<String, Read<LogEvidence>>,
    /// Families that run schema migrations, by name.
    pub migrations: Read<CowMap<String, MigrationFamily>>,
    /// Corrections that something keeps undoing. Only `run` knows them.
    pub fights: Vec<Fight>,
    /// Every failed read, for the report.
    pub errors: BTreeSet<Arc<ReadError>>,
}

impl Snapshot {
    /// A snapshot of nothing.
    #[must_use]
    pub fn empty(scope: Scope, started_at: Timestamp) -> Self {
        Self {
            scope,
            started_at,
            instances: Ok(CowMap::new()),
            clusters: Ok(CowMap::new()),
            endpoints: CowMap::new(),
            services: Ok(CowMap::new()),
            unread_services: CowMap::new(),
            task_definitions: CowMap::new(),
            durable_revisions: CowMap::new(),
            security_groups: Ok(CowMap::new()),
            guarded: CowMap::new(),
            subnets: Ok(CowMap::new()),
            secrets: Ok(CowMap::new()),
            lookups: CowMap::new(),
            values: CowMap::new(),
            parameters: CowMap::new(),
            policies: CowMap::new(),
            access: CowMap::new(),
            versions: CowMap::new(),
            task_starts: CowMap::new(),
            vpc_endpoints: CowMap::new(),
            parameter_groups: CowMap::new(),
            rollback_targets: CowMap::new(),
            deployments: CowMap::new(),
            logs: CowMap::new(),
            migrations: Ok(CowMap::new()),
            fights: vec![],
            errors: BTreeSet::new(),
        }
    }

    /// A scope of which nothing could be read.
    #[must_use]
    pub fn unread(scope: Scope, started_at: Timestamp, error: &Arc<ReadError>) -> Self {
        // Each part by name: a list that was forgotten here would seem to have been read and to be empty.
        Self {
            scope,
            started_at,
            instances: Err(Arc::clone(error)),
            clusters: Err(Arc::clone(error)),
            endpoints: CowMap::new(),
            services: Err(Arc::clone(error)),
            unread_services: CowMap::new(),
            task_definitions: CowMap::new(),
            durable_revisions: CowMap::new(),
            security_groups: Err(Arc::clone(error)),
            guarded: CowMap::new(),
            subnets: Err(Arc::clone(error)),
            secrets: Err(Arc::clone(error)),
            lookups: CowMap::new(),
            values: CowMap::new(),
            parameters: CowMap::new(),
            policies: CowMap::new(),
            access: CowMap::new(),
            versions: CowMap::new(),
            task_starts: CowMap::new(),
            vpc_endpoints: CowMap::new(),
            parameter_groups: CowMap::new(),
            rollback_targets: CowMap::new(),
            deployments: CowMap::new(),
            logs: CowMap::new(),
            migrations: Err(Arc::clone(error)),
            fights: vec![],
            errors: BTreeSet::from([Arc::clone(error)]),
        }
    }

    /// Every failed read that a part of this holds, once.
    #[must_use]
    pub fn failed_reads(&self) -> BTreeSet<Arc<ReadError>> {
        let Self {
            scope: _,
            started_at: _,
            instances,
            clusters,
            endpoints,
            services,
            unread_services,
            task_definitions,
            durable_revisions: _,
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
            fights: _,
            errors: _,
        } = self;
        let mut all = BTreeSet::new();
        let mut add = |error: Option<&Arc<ReadError>>| all.extend(error.cloned());
        add(instances.as_ref().err());
        add(clusters.as_ref().err());
        add(services.as_ref().err());
        add(security_groups.as_ref().err());
        add(subnets.as_ref().err());
        add(secrets.as_ref().err());
        add(migrations.as_ref().err());
        for service in services.iter().flat_map(|m| m.values()) {
            add(service.unread_tasks.as_ref());
            add(service.unread_progress.as_ref());
        }
        for family in migrations.iter().flat_map(|m| m.values()) {
            add(family.unread.as_ref());
            add(family.last_run().and_then(|r| r.unread_groups.as_ref()));
        }
        unread_services.values().for_each(|(_, error)| add(Some(error)));
        task_definitions.values().for_each(|r| add(r.as_ref().err()));
        endpoints.values().for_each(|r| add(r.as_ref().err()));
        guarded.values().for_each(|r| add(r.as_ref().err()));
        lookups.values().for_each(|r| add(r.as_ref().err()));
        values.values().for_each(|r| add(r.as_ref().err()));
        parameters.values().for_each(|r| add(r.as_ref().err()));
        policies.values().for_each(|r| add(r.as_ref().err()));
        access.values().for_each(|r| add(r.as_ref().err()));
        versions.values().for_each(|r| add(r.as_ref().err()));
        task_starts.values().for_each(|r| add(r.as_ref().err()));
        vpc_endpoints.values().for_each(|r| add(r.as_ref().err()));
        parameter_groups.values().for_each(|r| add(r.as_ref().err()));
        rollback_targets.values().for_each(|r| add(r.as_ref().err()));
        for history in deployments.values() {
            add(history.as_ref().err());
            add(history.as_ref().ok().and_then(|h| h.unread_stopped.as_ref()));
        }
        logs.values().for_each(|r| add(r.as_ref().err()));
        all
    }

    /// The tags of every resource that can carry a workload's.
    pub fn tags(&self) -> impl Iterator<Item = &Tags> {
        let Self {
            scope: _,
            started_at: _,
            instances,
            clusters,
            endpoints: _,
            services,
            unread_services: _,
            task_definitions: _,
            durable_revisions: _,
            security_groups,
            guarded: _,
            subnets: _,
            secrets,
            lookups: _,
            values: _,
            parameters: _,
            policies: _,
            access: _,
            versions: _,
            task_starts: _,
            vpc_endpoints: _,
            parameter_groups: _,
            rollback_targets: _,
            deployments: _,
            logs: _,
            migrations,
            fights: _,
            errors: _,
        } = self;
        let instances = instances.iter().flat_map(|m| m.values()).map(|r| &r.tags);
        let clusters = clusters.iter().flat_map(|m| m.values()).map(|r| &r.tags);
        let services = services.iter().flat_map(|m| m.values()).map(|r| &r.tags);
        let secrets = secrets.iter().flat_map(|m| m.values()).map(|r| &r.tags);
        let groups = security_groups.iter().flat_map(|m| m.values()).map(|r| &r.tags);
        let migrations = migrations.iter().flat_map(|m| m.values()).map(|r| &r.tags);
        instances
            .chain(clusters)
            .chain(services)
            .chain(secrets)
            .chain(groups)
            .chain(migrations)
    }

    /// Takes over the runs of migrations that `before` knew and this does not: ECS forgets a stopped task after about an
    /// hour, and its network interfaces sooner, but what it did to the schema stays done.
    pub fn keep_runs_of(&mut self, before: &Self) {
        let Ok(before) = &before.migrations else {
            return;
        };
        for (name, family) in before {
            self.remember_runs(name, &family.runs);
        }
    }

    /// Takes in runs of a family that are known from elsewhere than ECS. A family that is none here is left out.
    pub fn remember_runs<'r>(&mut self, family: &str, runs: impl IntoIterator<Item = &'r TaskRun>) {
        let Ok(families) = &mut self.migrations else { return };
        if let Some(family) = families.get_mut(family) {
            for run in runs {
                family.observe(TaskRun {
                    remembered: true,
                    ..run.clone()
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(runs: Vec<TaskRun>) -> Snapshot {
        let scope = Scope {
            account: "123456789012".into(),
            region: "us-east-1".into(),
        };
        let mut s = Snapshot::empty(scope, Timestamp::UNIX_EPOCH);
        let family = MigrationFamily {
            family: "shop-migrate".into(),
            runs,
            ..MigrationFamily::default()
        };
        s.migrations = Ok(CowMap::from([("shop-migrate".to_owned(), family)]));
        s
    }

    fn run(arn: &str, hour: i64, groups: &[&str]) -> TaskRun {
        TaskRun {
            arn: arn.into(),
            started_at: Timestamp::new(hour * 3600, 0).ok(),
            security_groups: groups.iter().map(|g| (*g).to_owned()).collect(),
            ..TaskRun::default()
        }
    }

    fn kept(fresh: &[&TaskRun], before: &[&TaskRun]) -> Vec<TaskRun> {
        let all = |runs: &[&TaskRun]| runs.iter().map(|r| (*r).clone()).collect();
        let mut s = snapshot(all(fresh));
        s.keep_runs_of(&snapshot(all(before)));
        s.migrations
            .expect("read")
            .remove("shop-migrate")
            .expect("there")
            .runs
            .clone()
    }

    #[test]
    fn a_run_that_ecs_forgot_is_remembered() {
        let (old, new) = (run("task/1", 1, &["sg-1"]), run("task/2", 2, &[]));
        let remembered = |run: &TaskRun| TaskRun {
            remembered: true,
            ..run.clone()
        };
        assert_eq!(kept(&[], &[&old]), [remembered(&old)]);
        assert_eq!(kept(&[], &[]), []);
        assert_eq!(
            kept(&[&new], &[&old]),
            [new.clone(), remembered(&old)],
            "a newer run comes first"
        );
        assert_eq!(kept(&[&old], &[&new]), [remembered(&new), old.clone()]);
        assert_eq!(
            kept(&[&run("task/1", 1, &[])], &[&old]),
            [old],
            "with its groups, and as ECS still lists it"
        );
    }

    #[test]
    fn a_family_that_is_gone_stays_gone() {
        let mut s = snapshot(vec![]);
        s.migrations = Ok(CowMap::new());
        s.keep_runs_of(&snapshot(vec![run("task/1", 1, &[])]));
        assert!(s.migrations.expect("read").is_empty());
    }
}
