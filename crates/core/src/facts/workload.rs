//! One workload as the rules see it: the tagged resources of one scope and what they refer to.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::credential_source::{CredentialSource, Reference};
use super::database::{Database, RdsResource, databases};
use super::index::Index;
use super::service_data::ServiceData;
use crate::config::{Parameters, WorkloadOverrides};
use crate::connection::vocabulary::Vocabulary;
use crate::model::hold::HoldReason;
use crate::model::resources::{DbCluster, DbInstance, MigrationFamily, Secret, SecurityGroup, Service, TaskDefinition};
use crate::model::snapshot::{Read, ReadError, Snapshot};
use crate::model::tags::{PhaseReading, Tags};
use crate::rule_result::RuleResult;

/// One workload of one scope.
pub struct Workload<'a> {
    /// The value of its tag.
    pub name: &'a str,
    /// All that was read of the scope.
    pub snapshot: &'a Snapshot,
    /// `tag_prefix` of the configuration.
    pub prefix: &'a str,
    /// The time of the evaluation.
    pub now: Timestamp,
    /// `migration.max_window` of the configuration.
    pub max_window: Duration,
    /// `migrations.timeout` of the configuration.
    pub migration_timeout: Duration,
    /// The workload's parameters.
    pub params: Arc<Parameters>,
    /// What names of settings and images mean.
    pub vocabulary: Arc<Vocabulary>,
    /// What the configuration says of this workload alone.
    pub(super) own: Option<&'a WorkloadOverrides>,
    /// The index of tagged resources.
    pub(super) index: Arc<Index<'a>>,
    /// Its place in the index.
    pub(super) place: usize,
    /// Cached answers.
    pub(super) memo: Memo<'a>,
}

/// Answers that are costly and that several rules ask for. Each is computed once.
#[derive(Default)]
pub(super) struct Memo<'a> {
    /// For each service, the revision that it runs.
    pub running: OnceCell<Vec<Read<&'a TaskDefinition>>>,
    /// For each service, where the revision that it runs keeps data.
    pub data: OnceCell<Vec<Option<Arc<ServiceData<'a>>>>>,
    pub databases: OnceCell<Vec<Database<'a>>>,
    pub references: OnceCell<(Vec<Reference<'a>>, Option<Arc<ReadError>>)>,
    pub credential_sources: OnceCell<(Vec<CredentialSource<'a>>, Option<Arc<ReadError>>)>,
}

impl<'a> Workload<'a> {
    /// Instances that carry the tag, and members of clusters that do, unless they are being deleted.
    ///
    /// # Errors
    /// What kept the instances or the clusters from being read.
    pub fn instances(&self) -> Read<&[&'a DbInstance]> {
        self.snapshot.clusters.as_ref().map_err(Arc::clone)?;
        self.snapshot.instances.as_ref().map_err(Arc::clone)?;
        Ok(self.index.instances.of(self.place))
    }

    /// Clusters of the workload, unless they are being deleted: those that carry the tag and those with a member that does.
    ///
    /// # Errors
    /// What kept the instances or the clusters from being read.
    pub fn clusters(&self) -> Read<&[&'a DbCluster]> {
        self.instances()?;
        Ok(self.index.clusters.of(self.place))
    }

    /// Services that carry the tag and are not being drained away.
    ///
    /// # Errors
    /// What kept the services from being read.
    pub fn services(&self) -> Read<&[&'a Service]> {
        self.snapshot.services.as_ref().map_err(Arc::clone)?;
        Ok(self.index.services.of(self.place))
    }

    /// Services that carry the tag and could not be described: their ARNs, and why.
    #[must_use]
    pub fn unread_services(&self) -> &[(&'a str, &'a Arc<ReadError>)] {
        self.index.unread_services.of(self.place)
    }

    /// The first error that keeps services of this workload from being known.
    #[must_use]
    pub fn services_error(&self) -> Option<Arc<ReadError>> {
        match &self.snapshot.services {
            Err(e) => Some(Arc::clone(e)),
            Ok(_) => self.unread_services().first().map(|(_, e)| Arc::clone(e)),
        }
    }

    /// Secrets that carry the tag.
    ///
    /// # Errors
    /// What kept the secrets from being listed.
    pub fn secrets(&self) -> Read<&[&'a Secret]> {
        self.snapshot.secrets.as_ref().map_err(Arc::clone)?;
        Ok(self.index.secrets.of(self.place))
    }

    /// Security groups that carry the tag.
    ///
    /// # Errors
    /// What kept the groups from being read.
    pub fn groups(&self) -> Read<&[&'a SecurityGroup]> {
        self.snapshot.security_groups.as_ref().map_err(Arc::clone)?;
        Ok(self.index.groups.of(self.place))
    }

    /// Families that run the workload's schema migrations.
    ///
    /// # Errors
    /// What kept the families from being found.
    pub fn migrations(&self) -> Read<&[&'a MigrationFamily]> {
        self.snapshot.migrations.as_ref().map_err(Arc::clone)?;
        Ok(self.index.migrations.of(self.place))
    }

    /// The revision that a service runs.
    ///
    /// # Errors
    /// What kept it from being read.
    pub fn running(&self, service: &Service) -> Read<&'a TaskDefinition> {
        let services = self.index.services.of(self.place);
        let running = || services.iter().map(|s| self.revision(s)).collect();
        let own = self.memo.running.get_or_init(running);
        let known = services.iter().zip(own).find(|(s, _)| std::ptr::eq(**s, service));
        known.map_or_else(|| self.revision(service), |(_, found)| found.clone())
    }

    fn revision(&self, service: &Service) -> Read<&'a TaskDefinition> {
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

    /// A secret by its ARN, if it was read.
    #[must_use]
    pub fn secret(&self, arn: &str) -> Option<&'a Secret> {
        // Mostly it is one of the workload's own: of those there are few.
        let own = self.index.secrets.of(self.place).iter().find(|s| s.arn == arn);
        own.copied().or_else(|| self.snapshot.secrets.as_ref().ok()?.get(arn))
    }

    /// A security group.
    ///
    /// # Errors
    /// What kept the groups from being read.
    pub fn group(&self, id: &str) -> Read<Option<&'a SecurityGroup>> {
        let all = self.snapshot.security_groups.as_ref().map_err(Arc::clone)?;
        // Mostly it is one of the workload's own: of those there are few.
        let own = self.index.groups.of(self.place).iter().find(|g| g.id == id);
        Ok(own.copied().or_else(|| all.get(id)))
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

    /// The workload as a whole, where evidence is missing for all of it.
    #[must_use]
    pub fn unknown(&self, error: &Arc<ReadError>) -> Vec<RuleResult<'a>> {
        vec![RuleResult::unknown_workload(self.name, error)]
    }
}

impl<'a> Workload<'a> {
    /// The databases of the workload, each once.
    ///
    /// # Errors
    /// What kept the instances or the clusters from being read.
    pub fn databases(&self) -> Read<&[Database<'a>]> {
        let (instances, clusters) = (self.instances()?, self.clusters()?);
        let find = || databases(instances, clusters, |resource| self.phase_of(resource));
        Ok(self.memo.databases.get_or_init(find))
    }

    /// Whether a host is an endpoint of one of the workload's databases.
    #[must_use]
    pub fn has_database_at(&self, host: &str) -> bool {
        let all = self.databases().unwrap_or_default();
        all.iter().any(|d| d.hosts.contains(&host))
    }

    /// The phase of an instance or a cluster.
    #[must_use]
    pub fn phase_of(&self, resource: &RdsResource<'_>) -> PhaseReading {
        match resource {
            RdsResource::Instance(i) => self.instance_phase(i),
            RdsResource::Cluster(c) => self.phase(&c.tags),
        }
    }
}

/// The reason to hold a change of a resource without the workload's tag; `None` if it has the tag.
#[must_use]
pub fn untagged(w: &Workload<'_>, what: &str, tags: &Tags) -> Option<HoldReason> {
    (tags.workload(w.prefix) != Some(w.name)).then(|| HoldReason::Untagged {
        resource: what.to_owned(),
        prefix: w.prefix.to_owned(),
        workload: w.name.to_owned(),
    })
}
