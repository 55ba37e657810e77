#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::facts::{DATABASE_READS, Database, RdsResource, each_storage_owner};
use crate::finding::Evidence;
use crate::model::policy::Severity;

/// `rds-no-iam-authentication`
pub struct RdsNoIamAuthentication;

static META: Meta = Meta {
    id: "rds-no-iam-authentication",
    severity: Severity::Low,
    enabled: false,
    summary: "IAM identities can't log in to a database",
    docs: include_str!("doc.md"),
    controls: &[
        "SecurityHub:RDS.10",
        "SecurityHub:RDS.12",
        "Config:rds-instance-iam-authentication-enabled",
    ],
    reads: DATABASE_READS,
    ..Meta::DEFAULT
};

impl Rule for RdsNoIamAuthentication {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_storage_owner(w, |database| Some(evaluate_one(database)))
    }
}

fn evaluate_one<'a>(database: &Database<'a>) -> RuleResult<'a> {
    let enabled = match database.resource {
        RdsResource::Instance(i) => i.iam_authentication,
        RdsResource::Cluster(c) => c.iam_authentication,
    };
    if enabled {
        return database.pass();
    }
    database.fail(Failure {
        severity: None,
        message: format!("IAM identities can't log in to {}", database.id),
        evidence: vec![Evidence::new("IAMDatabaseAuthenticationEnabled", false, true)],
        remedy: Remedy::manual(format!(
            "{} --enable-iam-database-authentication --apply-immediately",
            database.resource.modify()
        )),
    })
}
