#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::each_service;
use crate::finding::Evidence;
use crate::model::policy::Severity;

/// `ecs-no-load-balancer`
pub struct EcsNoLoadBalancer;

static META: Meta = Meta {
    id: "ecs-no-load-balancer",
    severity: Severity::Low,
    enabled: false,
    summary: "a public service has no load balancer, so its address changes with each task",
    docs: include_str!("doc.md"),
    reads: &[
        "ecs:DescribeServices",
        "ecs:ListClusters",
        "ecs:ListServices",
        "tag:GetResources",
    ],
    ..Meta::DEFAULT
};

impl Rule for EcsNoLoadBalancer {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_service(w, |service| {
            if !service.assign_public_ip {
                return None;
            }
            let subject = ResultSubject::Service(service);
            if service.load_balanced {
                return Some(RuleResult::pass(subject));
            }
            let name = format!("{}/{}", service.cluster, service.name);
            let failure = Failure {
                severity: None,
                message: format!("{name} is public without a load balancer: its address changes with each task"),
                evidence: vec![Evidence::new("loadBalancers", Vec::<String>::new(), "one")],
                remedy: Remedy::manual(format!("put a load balancer in front of {name}")),
            };
            Some(RuleResult::fail(subject, &service.tags, failure))
        })
    }
}
