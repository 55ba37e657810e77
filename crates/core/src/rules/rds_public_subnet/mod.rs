#[cfg(test)]
pub(super) mod cases;

use std::sync::Arc;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::facts::Database;
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::snapshot::ReadError;

/// `rds-public-subnet`
pub struct RdsPublicSubnet;

static META: Meta = Meta {
    id: "rds-public-subnet",
    severity: Severity::High,
    summary: "the subnet group of a database holds a subnet with a route to an internet gateway",
    docs: include_str!("doc.md"),
    controls: &["SecurityHub:RDS.46", "Config:rds-instance-subnet-igw-check"],
    reads: &[
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
    ],
    ..Meta::DEFAULT
};

impl Rule for RdsPublicSubnet {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        match w.databases() {
            Err(e) => w.unknown(&e),
            Ok(databases) => databases.iter().filter_map(|d| evaluate_one(w, d)).collect(),
        }
    }
}

fn evaluate_one<'a>(w: &Workload<'a>, database: &Database<'a>) -> Option<RuleResult<'a>> {
    let mut listed: Vec<&str> = database
        .members
        .iter()
        .flat_map(|i| &i.subnets)
        .map(String::as_str)
        .collect();
    if listed.is_empty() {
        return None;
    }
    listed.sort_unstable();
    listed.dedup();
    let subject = database.subject();
    if database.phase.phase.is_migrating() {
        return Some(RuleResult::pass(subject));
    }
    let subnets = match &w.snapshot.subnets {
        Ok(subnets) => subnets,
        Err(e) => return Some(RuleResult::unknown(subject, database.tags, e)),
    };
    let public: Vec<(&str, &str)> = listed
        .iter()
        .filter_map(|id| Some((*id, subnets.get(*id)?.internet_gateway.as_deref()?)))
        .collect();
    let missing = listed.iter().find(|id| !subnets.contains_key(**id));
    Some(match (public.as_slice(), missing) {
        ([], None) => RuleResult::pass(subject),
        ([], Some(missing)) => RuleResult::unknown(subject, database.tags, &not_found(missing)),
        (public, _) => RuleResult::fail(subject, database.tags, failure(database, public)).in_phase(database.phase),
    })
}

fn not_found(subnet: &str) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "ec2".into(),
        operation: "DescribeSubnets".into(),
        resource: subnet.into(),
        code: "NotFound".into(),
        message: format!(
            "{subnet} of its subnet group is not among the subnets that can be read, so whether it is public is \
             unknown; the next sweep reads a new one"
        ),
    })
}

fn failure(database: &Database<'_>, public: &[(&str, &str)]) -> Failure {
    let group = database
        .members
        .iter()
        .find_map(|i| i.subnet_group.as_deref())
        .unwrap_or("(unnamed)");
    let told: Vec<String> = public
        .iter()
        .map(|(subnet, gateway)| format!("{subnet}, which routes to the internet by {gateway}"))
        .collect();
    let names: Vec<&str> = public.iter().map(|(subnet, _)| *subnet).collect();
    Failure {
        severity: None,
        message: format!(
            "the subnet group {group} of {} is not private: it holds {}",
            database.id,
            told.join("; ")
        ),
        evidence: public
            .iter()
            .map(|(subnet, gateway)| {
                Evidence::new(
                    format!("{subnet}: route of 0.0.0.0/0 or ::/0"),
                    *gateway,
                    "no internet gateway",
                )
            })
            .collect(),
        remedy: Remedy::manual(format!(
            "take {} out of the subnet group {group}, for private ones, or give it a route table without an internet \
             gateway",
            names.join(", ")
        )),
    }
}
