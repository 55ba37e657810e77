#[cfg(test)]
pub(super) mod cases;

use std::collections::BTreeMap;

use super::rule::{Failure, FollowUp, FollowUpReads, Meta, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::{Database, offending, revoke};
use crate::finding::Evidence;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{IngressRule, SecurityGroup};
use crate::model::tags::PhaseReading;

/// `rds-open-ingress`
pub struct RdsOpenIngress;

static META: Meta = Meta {
    id: "rds-open-ingress",
    severity: Severity::High,
    enabled: true,
    summary: "a security group of the database lets in something other than the workload's services",
    docs: include_str!("doc.md"),
    controls: &["SecurityHub:EC2.18", "SecurityHub:EC2.19"],
    parameters: &["allowed_ingress"],
    reads: &[
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        "ec2:DescribeNetworkInterfaces",
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "tag:GetResources",
    ],
    writes: &["ec2:RevokeSecurityGroupIngress"],
    risk: Risk::None,
    caused_by: &["rds-migration-overdue"],
    follow_up: FollowUp::Always,
    ..Meta::DEFAULT
};

impl Rule for RdsOpenIngress {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let databases = match w.databases() {
            Ok(databases) => databases,
            Err(e) => return w.unknown(&e),
        };
        let mut guarded: BTreeMap<&str, Vec<&Database<'_>>> = BTreeMap::new();
        for database in databases {
            for id in database.security_groups {
                guarded.entry(id).or_default().push(database);
            }
        }
        let mut out = vec![];
        for (id, databases) in guarded {
            match w.group(id) {
                Err(e) => return w.unknown(&e),
                Ok(None) => {}
                Ok(Some(group)) => out.push(evaluate_group(w, group, &databases)),
            }
        }
        out
    }

    /// Asked for `rds-migration-overdue`, too, which closes the same groups.
    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        for database in w.databases().unwrap_or_default() {
            for id in database.security_groups {
                let Ok(Some(group)) = w.group(id) else { continue };
                // Inside a window single addresses are allowed; at its end they are not, and that end may be now.
                let strict = Database {
                    phase: PhaseReading::MIGRATED,
                    ..database.clone()
                };
                if !offending(w, group, &[&strict]).0.is_empty() {
                    reads.guarded.insert(id.clone());
                }
            }
        }
    }
}

fn evaluate_group<'a>(w: &Workload<'a>, group: &'a SecurityGroup, databases: &[&Database<'a>]) -> RuleResult<'a> {
    let subject = ResultSubject::Group(group);
    let (offending, undetermined) = offending(w, group, databases);
    let mut result = match (offending.as_slice(), undetermined.then(|| w.services_error()).flatten()) {
        ([], None) => RuleResult::pass(subject),
        ([], Some(error)) => RuleResult::unknown(subject, &group.tags, &error),
        (rules, _) => RuleResult::fail(subject, &group.tags, failure(w, group, databases, rules)),
    };
    // A person may waive or restrain the correction at the database as well as at its group.
    result = result.bearing(databases.iter().map(|d| d.tags));
    // A window lets in single addresses: what else is open is no consequence of one that nobody closed.
    if offending.iter().all(|r| r.is_single_address()) {
        result = result.relating(databases.iter().map(|d| d.arn));
    }
    if databases.iter().all(|d| d.phase.phase.is_migrating()) {
        result.phase = "migrating";
    }
    result
}

fn failure(w: &Workload<'_>, group: &SecurityGroup, databases: &[&Database<'_>], rules: &[&IngressRule]) -> Failure {
    let world = rules.iter().any(|r| r.is_world());
    let names: Vec<&str> = databases.iter().map(|d| d.id).collect();
    let sources: Vec<String> = rules.iter().map(|r| r.describe()).collect();
    Failure {
        severity: world.then_some(Severity::Critical),
        message: format!(
            "{} ({}) lets {} reach the database {}",
            group.id,
            if world {
                "open to the world"
            } else {
                "open to others than the workload's services"
            },
            sources.join(", "),
            names.join(", "),
        ),
        evidence: rules
            .iter()
            .map(|r| Evidence::new(format!("SecurityGroupRules[{}]", r.id), r.describe(), "absent"))
            .collect(),
        remedy: revoke(w, group, databases, rules),
    }
}
