//! Parts of a snapshot that could not be read.

use std::collections::BTreeSet;

use super::Change;
use super::workload::{REVISION, SECRET, SERVICE, denied};
use crate::model::cow_map::CowMap;
use crate::model::snapshot::{SecretValue, Snapshot};
use crate::model::value_from::Selector;
use crate::rules::{CASES, REGISTRY};

/// A part of the clean workload's snapshot that could not be read. Each rule's cases say which of them leave it without an
/// answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The instances.
    Instances,
    /// The clusters.
    Clusters,
    /// The security groups.
    Groups,
    /// The services.
    Services,
    /// The only service, though services were listed.
    OneService,
    /// A service of the workload beside the one that was read.
    AnotherService,
    /// The revision that the service runs.
    Revision,
    /// The secrets, and what the references lead to.
    Secrets,
    /// All about secrets, as `secrets.inspect: off` leaves it.
    SecretsOff,
    /// The secret's value.
    Value,
    /// The secret's value, which `secrets.inspect` does not allow reading.
    UninspectedValue,
}

impl Unread {
    /// Each of them.
    pub(crate) const ALL: &[Self] = &[
        Self::Instances,
        Self::Clusters,
        Self::Groups,
        Self::Services,
        Self::OneService,
        Self::AnotherService,
        Self::Revision,
        Self::Secrets,
        Self::SecretsOff,
        Self::Value,
        Self::UninspectedValue,
    ];

    /// The ids of the rules whose cases name it.
    pub(crate) fn rules(self) -> BTreeSet<&'static str> {
        let all = REGISTRY.iter().zip(CASES);
        let naming = all.filter(|(_, (_, cases))| cases.unread.contains(&self));
        naming.map(|(rule, _)| rule.meta().id).collect()
    }

    /// Makes it unread.
    pub(crate) fn change(self) -> Change {
        match self {
            Self::Instances => |s| s.instances = Err(denied("DescribeDBInstances")),
            Self::Clusters => |s| s.clusters = Err(denied("DescribeDBClusters")),
            Self::Groups => |s| s.security_groups = Err(denied("DescribeSecurityGroupRules")),
            Self::Services => |s| s.services = Err(denied("DescribeServices")),
            Self::OneService => |s| {
                let gone = s.services.as_mut().expect("read").remove(SERVICE).expect("there");
                s.unread_services
                    .insert(gone.arn.clone(), ("shop".into(), denied("DescribeServices")));
            },
            Self::AnotherService => |s| {
                let unread = ("shop".to_owned(), denied("DescribeServices"));
                let arn = "arn:aws:ecs:us-east-1:123456789012:service/main/other";
                s.unread_services.insert(arn.into(), unread);
            },
            Self::Revision => |s| {
                s.task_definitions
                    .insert(REVISION.into(), Err(denied("DescribeTaskDefinition")));
            },
            Self::Secrets => |s| {
                s.secrets = Err(denied("ListSecrets"));
                s.lookups.insert(SECRET.into(), Err(denied("DescribeSecret")));
            },
            Self::SecretsOff => |s| {
                s.secrets = Ok(CowMap::new());
                s.lookups.clear();
                s.values.clear();
                s.policies.clear();
                s.access.clear();
            },
            Self::Value => |s| value(s, Err(denied("GetSecretValue"))),
            Self::UninspectedValue => |s| value(s, Ok(SecretValue::NotInspected)),
        }
    }
}

fn value(s: &mut Snapshot, value: crate::model::snapshot::Read<SecretValue>) {
    s.values.insert((SECRET.into(), Selector::default()), value);
}
