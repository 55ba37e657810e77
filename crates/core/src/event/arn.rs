//! Parses ARNs, as far as is needed to find the resources that rules evaluate.
//!
//! Formats: <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>

use super::fields::name;
use crate::model::key::Subject;

/// The parts of `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arn {
    pub(super) service: String,
    pub(super) region: String,
    pub(super) account: String,
    pub(super) resource: String,
    full: String,
}

impl Arn {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let full = name(text)?;
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        let _partition = parts.next()?;
        let mut part = || parts.next().map(str::to_owned);
        let (service, region, account, resource) = (part()?, part()?, part()?, part()?);
        (!resource.is_empty()).then_some(Self {
            service,
            region,
            account,
            resource,
            full,
        })
    }

    /// The watched thing that this names, if it is one.
    pub(super) fn subject(&self) -> Option<Subject> {
        let (kind, id) = self.resource.split_once([':', '/']).filter(|(_, id)| !id.is_empty())?;
        Some(match (self.service.as_str(), kind) {
            ("rds", "db") => Subject::DbInstance(id.to_owned()),
            ("rds", "cluster") => Subject::DbCluster(id.to_owned()),
            // Without a cluster's name there is no key for a service; a look at everything finds it.
            ("ecs", "service") => match self.service()? {
                (Some(cluster), service) => Subject::Service { cluster, service },
                (None, _) => Subject::Everything,
            },
            // Which services run a task definition is for the collector to find out.
            ("ecs", "task-definition") => Subject::Everything,
            ("ec2", "security-group") => Subject::SecurityGroup(id.to_owned()),
            ("secretsmanager", "secret") => Subject::Secret(self.full.clone()),
            _ => return None,
        })
    }

    /// The name in `cluster/NAME`.
    pub(super) fn cluster(&self) -> Option<String> {
        self.resource
            .strip_prefix("cluster/")
            .filter(|n| !n.is_empty())
            .map(str::to_owned)
    }

    /// The family in `task-definition/FAMILY:REVISION`.
    pub(super) fn family(&self) -> Option<String> {
        let (family, _) = self.resource.strip_prefix("task-definition/")?.split_once(':')?;
        (!family.is_empty()).then(|| family.to_owned())
    }

    /// Cluster and service of `service/CLUSTER/NAME`, or no cluster of the old `service/NAME`.
    pub(super) fn service(&self) -> Option<(Option<String>, String)> {
        let rest = self.resource.strip_prefix("service/")?;
        let (cluster, service) = match rest.split_once('/') {
            Some((cluster, service)) => (Some(cluster), service),
            None => (None, rest),
        };
        let is_whole = !service.is_empty() && cluster.is_none_or(|c| !c.is_empty());
        is_whole.then(|| (cluster.map(str::to_owned), service.to_owned()))
    }
}

/// Twelve digits.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Like `us-east-1`, `us-gov-west-1`, `us-isob-east-1`.
pub(super) fn is_region(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (4..=32).contains(&text.len()) && text.contains('-') && text.bytes().all(is_plain)
}
