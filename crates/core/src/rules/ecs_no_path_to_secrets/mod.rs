#[cfg(test)]
pub(super) mod cases;

use std::collections::BTreeSet;

use super::rule::{Failure, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::{MissingPath, each_running, runs_steadily, start_paths, start_services, vpcs_of};
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::{Service, TaskDefinition};

/// `ecs-no-path-to-secrets`
pub struct EcsNoPathToSecrets;

static META: Meta = Meta {
    id: "ecs-no-path-to-secrets",
    severity: Severity::High,
    summary: "a task's subnets have no path to a service of AWS that it needs at start",
    docs: include_str!("doc.md"),
    reads: &[
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcEndpoints",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:ListClusters",
        "ecs:ListServices",
        "tag:GetResources",
    ],
    ..Meta::DEFAULT
};

impl Rule for EcsNoPathToSecrets {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_running(w, |service, definition| {
            let subject = ResultSubject::Service(service);
            let services = start_services(w, definition);
            if services.is_empty() || !is_concerned(service) {
                return None;
            }
            if runs_steadily(service) {
                return Some(RuleResult::pass(subject));
            }
            Some(match start_paths(w, service, &services) {
                Err(e) => RuleResult::unknown(subject, &service.tags, &e),
                Ok(paths) if !paths.missing.is_empty() => {
                    RuleResult::fail(subject, &service.tags, failure(service, &paths.missing))
                }
                Ok(paths) => match paths.unknown {
                    Some(e) => RuleResult::unknown(subject, &service.tags, &e),
                    None => RuleResult::pass(subject),
                },
            })
        })
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        for &service in w.services().unwrap_or_default() {
            let asks = |d: &TaskDefinition| !start_services(w, d).is_empty();
            if is_concerned(service) && !runs_steadily(service) && w.running(service).is_ok_and(asks) {
                reads.vpc_endpoints.extend(vpcs_of(w, service).map(str::to_owned));
            }
        }
    }
}

/// Whether tasks are to start, and fetch what they need through interfaces of their own: on EC2, the instance's network
/// does.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-networking.html>
fn is_concerned(service: &Service) -> bool {
    service.fargate && service.desired_count > 0 && !service.subnets.is_empty()
}

fn failure(service: &Service, missing: &[MissingPath]) -> Failure {
    let name = format!("{}/{}", service.cluster, service.name);
    let what: BTreeSet<&str> = missing.iter().map(|m| m.what.as_str()).collect();
    let subnets: BTreeSet<&str> = missing.iter().flat_map(|m| &m.subnets).map(String::as_str).collect();
    let why: BTreeSet<&str> = missing.iter().map(|m| m.why.as_str()).collect();
    let endpoints: BTreeSet<&str> = missing.iter().map(|m| m.endpoint.as_str()).collect();
    let evidence = missing.iter().map(|m| {
        let from: Vec<&str> = m.subnets.iter().map(String::as_str).collect();
        Evidence::new(
            format!("path to {}", m.endpoint),
            format!("none from {}", from.join(", ")),
            "a path",
        )
    });
    Failure {
        severity: None,
        message: format!(
            "tasks of {name} in {} have no path to {}, which they need at start: {}",
            join(&subnets),
            join(&what),
            why.into_iter().collect::<Vec<_>>().join("; ")
        ),
        evidence: evidence.collect(),
        remedy: Remedy::manual(format!(
            "route {} to a NAT gateway, or create these endpoints in their VPC (interfaces with private DNS and a group that \
             lets {} in on port 443; for S3 a gateway in their route tables): {}",
            join(&subnets),
            service.security_groups.join(", "),
            join(&endpoints)
        )),
    }
}

fn join(items: &BTreeSet<&str>) -> String {
    items.iter().copied().collect::<Vec<_>>().join(", ")
}
