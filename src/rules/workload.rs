//! One workload as the rules see it: the tagged resources of one scope and what they refer to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Failure, Judgement, Outcome};
use crate::config::WorkloadParams;
use crate::model::finding::{Kind, ResourceRef};
use crate::model::remediation::{Action, Database, revision_name};
use crate::model::resources::{DbCluster, DbInstance, MigrationFamily, Secret, SecurityGroup, Service, TaskDefinition};
use crate::model::snapshot::{ReadError, Seen, Snapshot};
use crate::model::tags::{PhaseReading, Tags};

/// Which tagged resources belong to which workload: made once for a snapshot, so that judging is linear in its size.
#[derive(Default)]
pub struct Index<'a> {
    instances: HashMap<&'a str, Vec<&'a DbInstance>>,
    /// Instances without a workload's tag, by the cluster that they are members of.
    untagged_members: HashMap<&'a str, Vec<&'a DbInstance>>,
    clusters: HashMap<&'a str, Vec<&'a DbCluster>>,
    services: HashMap<&'a str, Vec<&'a Service>>,
    secrets: HashMap<&'a str, Vec<&'a Secret>>,
    groups: HashMap<&'a str, Vec<&'a SecurityGroup>>,
    migrations: HashMap<&'a str, Vec<&'a MigrationFamily>>,
}

impl<'a> Index<'a> {
    /// Reads every tag once. What is being deleted or drained away is left out.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, prefix: &str) -> Self {
        let mut index = Self::default();
        let instances = snapshot.instances.iter().flat_map(|m| m.values());
        for instance in instances.filter(|i| i.status != "deleting") {
            match (instance.tags.workload(prefix), instance.cluster.as_deref()) {
                (Some(name), _) => index.instances.entry(name).or_default().push(instance),
                (None, Some(cluster)) => index.untagged_members.entry(cluster).or_default().push(instance),
                (None, None) => {}
            }
        }
        let clusters = snapshot.clusters.iter().flat_map(|m| m.values());
        for cluster in clusters.filter(|c| c.status != "deleting") {
            if let Some(name) = cluster.tags.workload(prefix) {
                index.clusters.entry(name).or_default().push(cluster);
            }
        }
        let services = snapshot.services.iter().flat_map(|m| m.values());
        for service in services.filter(|s| s.status == "ACTIVE") {
            if let Some(name) = service.tags.workload(prefix) {
                index.services.entry(name).or_default().push(service);
            }
        }
        for secret in snapshot.secrets.iter().flat_map(|m| m.values()) {
            if let Some(name) = secret.tags.workload(prefix) {
                index.secrets.entry(name).or_default().push(secret);
            }
        }
        for group in snapshot.security_groups.iter().flat_map(|m| m.values()) {
            if let Some(name) = group.tags.workload(prefix) {
                index.groups.entry(name).or_default().push(group);
            }
        }
        for family in snapshot.migrations.iter().flat_map(|m| m.values()) {
            if let Some(name) = family.tags.workload(prefix) {
                index.migrations.entry(name).or_default().push(family);
            }
        }
        index
    }
}

fn of<'a, T>(index: &HashMap<&'a str, Vec<&'a T>>, name: &str) -> Vec<&'a T> {
    index.get(name).cloned().unwrap_or_default()
}

/// One workload of one scope.
pub struct Workload<'a> {
    /// The value of its tag.
    pub name: &'a str,
    /// All that was read of the scope.
    pub snapshot: &'a Snapshot,
    /// `tag_prefix` of the configuration.
    pub prefix: &'a str,
    /// The instant to judge at.
    pub now: Timestamp,
    /// `migration.max_window` of the configuration.
    pub max_window: Duration,
    /// The workload's parameters.
    pub params: WorkloadParams,
    /// Who belongs to whom.
    pub index: Arc<Index<'a>>,
}

impl<'a> Workload<'a> {
    /// Instances that carry the tag, and members of clusters that do, unless they are being deleted.
    ///
    /// # Errors
    /// What kept the instances or the clusters from being read.
    pub fn instances(&self) -> Seen<Vec<&'a DbInstance>> {
        let clusters = self.clusters()?;
        self.snapshot.instances.as_ref().map_err(Arc::clone)?;
        let mut found = of(&self.index.instances, self.name);
        found.extend(clusters.iter().flat_map(|c| of(&self.index.untagged_members, &c.id)));
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    /// Clusters that carry the tag, unless they are being deleted.
    ///
    /// # Errors
    /// What kept the clusters from being read.
    pub fn clusters(&self) -> Seen<Vec<&'a DbCluster>> {
        self.snapshot.clusters.as_ref().map_err(Arc::clone)?;
        Ok(of(&self.index.clusters, self.name))
    }

    /// Clusters of the workload: those that carry the tag and those with a member that does.
    ///
    /// # Errors
    /// What kept the instances or the clusters from being read.
    pub fn clusters_with_members(&self) -> Seen<Vec<&'a DbCluster>> {
        let all = self.snapshot.clusters.as_ref().map_err(Arc::clone)?;
        let mut found = self.clusters()?;
        let above = self
            .instances()?
            .into_iter()
            .filter_map(|i| all.get(i.cluster.as_deref()?));
        found.extend(above.filter(|c| c.status != "deleting"));
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
    }

    /// Services that carry the tag and are not being drained away.
    ///
    /// # Errors
    /// What kept the services from being read.
    pub fn services(&self) -> Seen<Vec<&'a Service>> {
        self.snapshot.services.as_ref().map_err(Arc::clone)?;
        Ok(of(&self.index.services, self.name))
    }

    /// Tagged services that could not be described.
    pub fn unread_services(&self) -> impl Iterator<Item = (&'a str, &'a Arc<ReadError>)> {
        let (snapshot, name) = (self.snapshot, self.name);
        snapshot
            .unread_services
            .iter()
            .filter(move |(_, (w, _))| w == name)
            .map(|(arn, (_, e))| (arn.as_str(), e))
    }

    /// The first error that keeps services of this workload from being known.
    #[must_use]
    pub fn services_error(&self) -> Option<Arc<ReadError>> {
        match &self.snapshot.services {
            Err(e) => Some(Arc::clone(e)),
            Ok(_) => self.unread_services().next().map(|(_, e)| Arc::clone(e)),
        }
    }

    /// Secrets that carry the tag.
    ///
    /// # Errors
    /// What kept the secrets from being listed.
    pub fn secrets(&self) -> Seen<Vec<&'a Secret>> {
        self.snapshot.secrets.as_ref().map_err(Arc::clone)?;
        Ok(of(&self.index.secrets, self.name))
    }

    /// Security groups that carry the tag.
    ///
    /// # Errors
    /// What kept the groups from being read.
    pub fn groups(&self) -> Seen<Vec<&'a SecurityGroup>> {
        self.snapshot.security_groups.as_ref().map_err(Arc::clone)?;
        Ok(of(&self.index.groups, self.name))
    }

    /// Families that run the workload's schema migrations.
    ///
    /// # Errors
    /// What kept the families from being found.
    pub fn migrations(&self) -> Seen<Vec<&'a MigrationFamily>> {
        self.snapshot.migrations.as_ref().map_err(Arc::clone)?;
        Ok(of(&self.index.migrations, self.name))
    }

    /// The revision that a service runs.
    ///
    /// # Errors
    /// What kept it from being read.
    pub fn running(&self, service: &Service) -> Seen<&'a TaskDefinition> {
        match self.snapshot.task_definitions.get(&service.task_definition) {
            Some(Ok(found)) => Ok(found),
            Some(Err(e)) => Err(Arc::clone(e)),
            None => Err(Arc::new(ReadError {
                service: "ecs".into(),
                operation: "DescribeTaskDefinition".into(),
                resource: service.task_definition.clone(),
                code: "NotRead".into(),
                message: "the running revision was not read in this sweep; the next one reads it".into(),
            })),
        }
    }

    /// A security group.
    ///
    /// # Errors
    /// What kept the groups from being read.
    pub fn group(&self, id: &str) -> Seen<Option<&'a SecurityGroup>> {
        Ok(self.snapshot.security_groups.as_ref().map_err(Arc::clone)?.get(id))
    }

    /// The phase of an instance: its own, or that of the cluster it is a member of.
    #[must_use]
    pub fn instance_phase(&self, instance: &DbInstance) -> PhaseReading {
        let own = self.phase(&instance.tags);
        let declared = instance.tags.get(self.prefix, "phase").is_some();
        match (&instance.cluster, declared, &self.snapshot.clusters) {
            (Some(id), false, Ok(clusters)) => clusters.get(id).map_or(own, |c| self.phase(&c.tags)),
            _ => own,
        }
    }

    /// The phase that tags declare.
    #[must_use]
    pub fn phase(&self, tags: &Tags) -> PhaseReading {
        tags.phase(self.prefix, self.now, self.max_window)
    }

    /// Names an instance in a finding.
    #[must_use]
    pub fn instance_ref(&self, instance: &DbInstance) -> ResourceRef {
        ResourceRef::new(Kind::RdsDbInstance, &instance.id, &instance.arn, &self.snapshot.scope)
    }

    /// Names a cluster in a finding.
    #[must_use]
    pub fn cluster_ref(&self, cluster: &DbCluster) -> ResourceRef {
        ResourceRef::new(Kind::RdsDbCluster, &cluster.id, &cluster.arn, &self.snapshot.scope)
    }

    /// Names a service in a finding.
    #[must_use]
    pub fn service_ref(&self, service: &Service) -> ResourceRef {
        let id = format!("{}/{}", service.cluster, service.name);
        ResourceRef::new(Kind::EcsService, id, &service.arn, &self.snapshot.scope)
    }

    /// Names a secret in a finding.
    #[must_use]
    pub fn secret_ref(&self, secret: &Secret) -> ResourceRef {
        ResourceRef::new(
            Kind::SecretsmanagerSecret,
            &secret.name,
            &secret.arn,
            &self.snapshot.scope,
        )
    }

    /// Names a revision of a task definition in a finding.
    #[must_use]
    pub fn revision_ref(&self, arn: &str) -> ResourceRef {
        ResourceRef::new(Kind::EcsTaskDefinition, revision_name(arn), arn, &self.snapshot.scope)
    }

    /// Names a security group in a finding.
    #[must_use]
    pub fn group_ref(&self, group: &SecurityGroup) -> ResourceRef {
        let scope = &self.snapshot.scope;
        let arn = scope.arn("ec2", &format!("security-group/{}", group.id));
        ResourceRef::new(Kind::Ec2SecurityGroup, &group.id, arn, scope)
    }

    /// The workload as a whole, where evidence is missing for all of it.
    #[must_use]
    pub fn unknown(&self, error: &Arc<ReadError>) -> Vec<Judgement> {
        vec![Judgement {
            resource: ResourceRef::workload(self.name, &self.snapshot.scope),
            outcome: Outcome::Unknown(Arc::clone(error)),
            tags: vec![],
            phase: "migrated",
            related: vec![],
        }]
    }
}

impl Judgement {
    /// The invariant holds: nothing that a tag could waive or restrain.
    #[must_use]
    pub fn pass(resource: ResourceRef) -> Self {
        Self {
            resource,
            outcome: Outcome::Pass,
            tags: vec![],
            phase: "migrated",
            related: vec![],
        }
    }

    /// It does not.
    #[must_use]
    pub fn fail(resource: ResourceRef, tags: &Tags, failure: Failure) -> Self {
        let outcome = Outcome::Fail(Box::new(failure));
        Self {
            resource,
            outcome,
            tags: vec![tags.clone()],
            phase: "migrated",
            related: vec![],
        }
    }

    /// Evidence is missing.
    #[must_use]
    pub fn unknown(resource: ResourceRef, tags: &Tags, error: &Arc<ReadError>) -> Self {
        Self {
            resource,
            outcome: Outcome::Unknown(Arc::clone(error)),
            tags: vec![tags.clone()],
            phase: "migrated",
            related: vec![],
        }
    }

    /// The corrections of a failure; none of any other outcome.
    #[must_use]
    pub fn actions(self) -> Vec<Action> {
        match self.outcome {
            Outcome::Fail(failure) => failure.remedy.actions,
            Outcome::Pass | Outcome::Unknown(_) => vec![],
        }
    }

    /// Notes another resource that it rests on, by its ARN.
    #[must_use]
    pub fn relating(mut self, arns: impl IntoIterator<Item = String>) -> Self {
        self.related.extend(arns);
        self
    }

    /// Notes the phase.
    #[must_use]
    pub fn in_phase(mut self, reading: PhaseReading) -> Self {
        self.phase = reading.phase.name();
        self
    }
}

/// One database of a workload: an instance that stands alone, or a cluster with its members.
#[derive(Debug, Clone)]
pub struct DatabaseView<'a> {
    /// Its identity in calls.
    pub database: Database,
    /// Its identifier.
    pub id: &'a str,
    /// Its ARN.
    pub arn: &'a str,
    /// The instance itself, or the members of the cluster that belong to the workload.
    pub members: Vec<&'a DbInstance>,
    /// Host names that lead to it. Empty while it is being created.
    pub hosts: Vec<&'a str>,
    /// Its port.
    pub port: Option<u16>,
    /// The database that was created with it.
    pub name: Option<&'a str>,
    /// Its security groups.
    pub security_groups: &'a [String],
    /// Its VPC, where known.
    pub vpc: Option<&'a str>,
    /// Its phase.
    pub phase: PhaseReading,
    /// Its tags.
    pub tags: &'a Tags,
}

impl DatabaseView<'_> {
    /// Names it in a finding.
    #[must_use]
    pub fn resource(&self, w: &Workload<'_>) -> ResourceRef {
        let kind = match self.database {
            Database::Instance(_) => Kind::RdsDbInstance,
            Database::Cluster(_) => Kind::RdsDbCluster,
        };
        ResourceRef::new(kind, self.id, self.arn, &w.snapshot.scope)
    }

    /// Whether it has IPv6 addresses.
    #[must_use]
    pub fn dual_stack(&self) -> bool {
        self.members.iter().any(|i| i.dual_stack)
    }
}

impl<'a> Workload<'a> {
    /// The databases of the workload.
    ///
    /// # Errors
    /// What kept the instances or the clusters from being read.
    pub fn databases(&self) -> Seen<Vec<DatabaseView<'a>>> {
        let instances = self.instances()?;
        let clusters = self.clusters_with_members()?;
        let mut views: Vec<DatabaseView<'a>> = clusters
            .iter()
            .map(|c| {
                let members: Vec<&DbInstance> = instances
                    .iter()
                    .copied()
                    .filter(|i| i.cluster.as_deref() == Some(&c.id))
                    .collect();
                let mut hosts: Vec<&str> = c.hosts.iter().map(String::as_str).collect();
                hosts.extend(
                    members
                        .iter()
                        .filter_map(|i| i.endpoint.as_ref())
                        .map(|e| e.host.as_str()),
                );
                DatabaseView {
                    database: Database::Cluster(c.id.clone()),
                    id: &c.id,
                    arn: &c.arn,
                    hosts,
                    port: c.port.or_else(|| {
                        members
                            .iter()
                            .find_map(|i| i.endpoint.as_ref().map(|e| e.port).or(i.port))
                    }),
                    name: c.database.as_deref(),
                    security_groups: &c.security_groups,
                    vpc: members.iter().find_map(|i| i.vpc.as_deref()),
                    phase: self.phase(&c.tags),
                    tags: &c.tags,
                    members,
                }
            })
            .collect();
        // A member whose cluster is not in the list stands for itself.
        let alone = |i: &&DbInstance| !clusters.iter().any(|c| i.cluster.as_deref() == Some(&c.id));
        views.extend(instances.iter().copied().filter(alone).map(|i| DatabaseView {
            database: Database::Instance(i.id.clone()),
            id: &i.id,
            arn: &i.arn,
            members: vec![i],
            hosts: i.endpoint.iter().map(|e| e.host.as_str()).collect(),
            port: i.endpoint.as_ref().map(|e| e.port).or(i.port),
            name: i.database.as_deref(),
            security_groups: &i.security_groups,
            vpc: i.vpc.as_deref(),
            phase: self.instance_phase(i),
            tags: &i.tags,
        }));
        Ok(views)
    }
}
