#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::each_service;
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::snapshot::Read;
use crate::model::tags::PhaseReading;

/// `ecs-public-task`
pub struct EcsPublicTask;

static META: Meta = Meta {
    id: "ecs-public-task",
    severity: Severity::Medium,
    summary: "a service's tasks get public addresses outside of a migration",
    docs: include_str!("doc.md"),
    controls: &["SecurityHub:ECS.2"],
    reads: &[
        "ecs:DescribeServices",
        "ecs:ListClusters",
        "ecs:ListServices",
        "rds:DescribeDBClusters",
        "rds:DescribeDBInstances",
        "tag:GetResources",
    ],
    ..Meta::DEFAULT
};

impl Rule for EcsPublicTask {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let phase = phase(w);
        each_service(w, |service| {
            let subject = ResultSubject::Service(service);
            Some(match &phase {
                Ok(phase) if service.assign_public_ip && !phase.phase.is_migrating() => {
                    let name = format!("{}/{}", service.cluster, service.name);
                    let failure = Failure {
                        severity: None,
                        message: format!("tasks of {name} get public addresses, and the workload is not migrating"),
                        evidence: vec![Evidence::new("assignPublicIp", "ENABLED", "DISABLED")],
                        remedy: Remedy::manual(format!(
                            "give the subnets of {name} a private way out, then deploy it with assignPublicIp=DISABLED"
                        )),
                    };
                    RuleResult::fail(subject, &service.tags, failure).in_phase(*phase)
                }
                Err(e) if service.assign_public_ip => RuleResult::unknown(subject, &service.tags, e),
                _ => RuleResult::pass(subject),
            })
        })
    }
}

/// The phase of the workload: that of its databases, of which one that is migrating is enough.
fn phase(w: &Workload<'_>) -> Read<PhaseReading> {
    let databases = w.databases()?;
    let migrating = databases.iter().map(|d| d.phase).find(|p| p.phase.is_migrating());
    Ok(migrating.unwrap_or(PhaseReading::MIGRATED))
}
