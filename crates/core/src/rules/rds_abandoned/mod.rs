#[cfg(test)]
pub(super) mod cases;
mod consumers;

use std::cell::OnceCell;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use self::consumers::Others;
use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::config::format_duration;
use crate::facts::{Database, DatabaseUsage, database_usage};
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::Service;
use crate::model::snapshot::ReadError;

/// `rds-abandoned`
pub struct RdsAbandoned;

static META: Meta = Meta {
    id: "rds-abandoned",
    severity: Severity::Low,
    summary: "no service of the workload has referred to a database for `abandoned_after`",
    docs: include_str!("doc.md"),
    parameters: &["secret_env", "database_aliases", "abandoned_after"],
    reads: READS,
    caused_by: &["ecs-missing-database-secret", "secret-wrong-database"],
    ..Meta::DEFAULT
};

/// Databases, and all that leads from a service to the value of its secret.
const READS: &[&str] = &[
    "rds:DescribeDBInstances",
    "rds:DescribeDBClusters",
    "rds:DescribeDBProxies",
    "rds:DescribeDBProxyEndpoints",
    "rds:DescribeDBProxyTargets",
    "rds:DescribeDBClusterEndpoints",
    "rds:DescribeGlobalClusters",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSecurityGroupRules",
    "ecs:ListClusters",
    "ecs:ListServices",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "tag:GetResources",
    "secretsmanager:ListSecrets",
    "secretsmanager:DescribeSecret",
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue",
];

impl Rule for RdsAbandoned {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let databases = match w.databases() {
            Ok(databases) => databases,
            Err(e) => return w.unknown(&e),
        };
        let settled = |database: &Database<'a>| {
            let is_old = database.resource.created_at().is_some_and(|at| at <= since(w));
            is_old && !database.phase.phase.is_migrating()
        };
        let used = OnceCell::new();
        // Services use a cluster by its own endpoints: whether an orphaned member is of use can't be seen from here.
        let own = |d: &&Database<'_>| d.resource.replica_of().is_none() && !d.is_orphaned_member();
        let evaluate = |database: &Database<'a>| {
            if !settled(database) || databases.iter().any(|other| database.is_staged_for(other)) {
                return database.pass();
            }
            let used = used.get_or_init(|| all_uses(w));
            evaluate_one(w, database, used)
        };
        databases.iter().filter(own).map(evaluate).collect()
    }
}

/// A database that was of use after this is not abandoned.
fn since(w: &Workload<'_>) -> Timestamp {
    w.now - w.params.abandoned_after
}

fn all_uses<'a>(w: &Workload<'a>) -> Vec<Used<'a>> {
    let services = w.services().unwrap_or_default().iter().copied();
    services
        .map(|service| Used {
            service,
            uses: database_usage(w, service),
        })
        .collect()
}

/// A service, and what its running revision says.
struct Used<'a> {
    service: &'a Service,
    uses: Result<DatabaseUsage<'a>, Arc<ReadError>>,
}

fn evaluate_one<'a>(w: &Workload<'a>, database: &Database<'a>, used: &[Used<'a>]) -> RuleResult<'a> {
    let before = since(w);
    let leads = |u: &Used<'a>| u.uses.as_ref().is_ok_and(|uses| uses.includes_copy_of(w, database));
    if used.iter().any(leads) {
        return database.pass();
    }
    let moved_lately = used.iter().any(|u| {
        let deployed = u.service.deployments.first().and_then(|d| d.created_at);
        let secrets = u.uses.iter().flat_map(|uses| &uses.secrets);
        deployed.is_some_and(|at| at > before) || secrets.filter_map(|s| s.changed_at).any(|at| at > before)
    });
    if moved_lately {
        return database.pass();
    }
    let doubt = used.iter().find_map(|u| match &u.uses {
        Err(e) => Some(Arc::clone(e)),
        Ok(uses) => uses.doubt(w),
    });
    let others = consumers::others(w, database, before);
    let doubt = match others {
        Others::Use => return database.pass(),
        Others::Unclear(e) => doubt.or(Some(e)),
        Others::None => doubt,
    };
    if let Some(e) = w.services_error().or(doubt).or_else(|| undated(used)) {
        return database.unknown(&e);
    }
    let secrets = used.iter().flat_map(|u| u.uses.iter()).flat_map(|uses| &uses.secrets);
    let related = used.iter().map(|u| &u.service.arn).chain(secrets.map(|s| &s.arn));
    database.fail(failure(w, database, used)).relating(related)
}

/// A service that another program deploys may have no deployment here, and so no age.
fn undated(used: &[Used<'_>]) -> Option<Arc<ReadError>> {
    let u = used
        .iter()
        .find(|u| u.service.deployments.first().and_then(|d| d.created_at).is_none())?;
    Some(Arc::new(ReadError {
        service: "ecs".into(),
        operation: "DescribeServices".into(),
        resource: u.service.arn.clone(),
        code: "NoDeployment".into(),
        message: format!("since when {} runs what it runs is not known", u.service.name),
    }))
}

fn failure(w: &Workload<'_>, database: &Database<'_>, used: &[Used<'_>]) -> Failure {
    let (id, after) = (database.id, format_duration(w.params.abandoned_after));
    let names: Vec<String> = used
        .iter()
        .map(|u| format!("{}/{}", u.service.cluster, u.service.name))
        .collect();
    let days = database.resource.created_at().map_or(0, |at| {
        w.now.duration_since(at).max(SignedDuration::ZERO).as_hours() / 24
    });
    let what = if names.is_empty() {
        format!(
            "{id} is {days} days old, and {} has no service that could use it",
            w.name
        )
    } else {
        format!(
            "no service of {} has referred to {id} for {after} ({} runs without it)",
            w.name,
            names.join(", ")
        )
    };
    let former = w.databases().unwrap_or_default().iter().find(|d| database.is_former(d));
    let former = former.map_or_else(String::new, |current| {
        format!("; it is what a blue/green switchover left of {}", current.id)
    });
    Failure {
        severity: None,
        message: format!("{what}{former}"),
        evidence: vec![Evidence::new(
            "references of services",
            0,
            format!("at least one within {after}"),
        )],
        remedy: Remedy::manual(format!(
            "if {} should use {id}, correct its services; else make sure that nothing but services (a Lambda function, a person) \
             uses it, take a final snapshot, then delete it",
            w.name
        )),
    }
}
