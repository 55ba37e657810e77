//! The resource that a result is about.

use std::borrow::Cow;

use super::key::Scope;
use super::resource_ref::{Kind, ResourceRef};
use crate::model::resources::{DbCluster, DbInstance, Secret, SecurityGroup, Service, revision_name};

/// A resource as the snapshot holds it. Most results are passes whose name nobody asks for, so [`ResultSubject::named`]
/// writes it only where it is shown.
#[derive(Debug, Clone, Copy)]
pub enum ResultSubject<'a> {
    /// An RDS instance.
    Instance(&'a DbInstance),
    /// An RDS cluster.
    Cluster(&'a DbCluster),
    /// A security group.
    Group(&'a SecurityGroup),
    /// A secret.
    Secret(&'a Secret),
    /// An ECS service.
    Service(&'a Service),
    /// A revision of a task definition, by its ARN.
    Revision(&'a str),
    /// The workload as a whole, by its name.
    Workload(&'a str),
    /// A resource that was named before, and may be gone since.
    Named(&'a ResourceRef),
}

impl PartialEq for ResultSubject<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.kind(), self.key()) == (other.kind(), other.key())
    }
}

impl<'a> ResultSubject<'a> {
    /// Identifies it among others of its kind in one scope.
    fn key(self) -> &'a str {
        match self {
            Self::Instance(i) => &i.arn,
            Self::Cluster(c) => &c.arn,
            Self::Group(g) => &g.id,
            Self::Secret(s) => &s.arn,
            Self::Service(s) => &s.arn,
            Self::Revision(arn) => arn,
            Self::Workload(name) => name,
            Self::Named(resource) => &resource.arn,
        }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Instance(_) => Kind::RdsDbInstance,
            Self::Cluster(_) => Kind::RdsDbCluster,
            Self::Group(_) => Kind::Ec2SecurityGroup,
            Self::Secret(_) => Kind::SecretsmanagerSecret,
            Self::Service(_) => Kind::EcsService,
            Self::Revision(_) => Kind::EcsTaskDefinition,
            Self::Workload(_) => Kind::Workload,
            Self::Named(resource) => resource.kind,
        }
    }

    /// Its name or id, as [`ResourceRef::id`] has it.
    #[must_use]
    pub fn id(self) -> Cow<'a, str> {
        match self {
            Self::Instance(i) => Cow::Borrowed(&i.id),
            Self::Cluster(c) => Cow::Borrowed(&c.id),
            Self::Group(g) => Cow::Borrowed(&g.id),
            Self::Secret(s) => Cow::Borrowed(&s.name),
            Self::Service(s) => Cow::Owned(format!("{}/{}", s.cluster, s.name)),
            Self::Revision(arn) => Cow::Borrowed(revision_name(arn)),
            Self::Workload(name) => Cow::Borrowed(name),
            Self::Named(resource) => Cow::Borrowed(&resource.id),
        }
    }

    /// Its name in a finding about `scope`.
    #[must_use]
    pub fn named(self, scope: &Scope) -> ResourceRef {
        let arn = match self {
            Self::Workload(name) => return ResourceRef::workload(name, scope),
            Self::Named(resource) => return resource.clone(),
            Self::Group(g) => scope.arn("ec2", &format!("security-group/{}", g.id)),
            _ => self.key().to_owned(),
        };
        ResourceRef::new(self.kind(), self.id(), arn, scope)
    }
}
