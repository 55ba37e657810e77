#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::facts::{DATABASE_READS, Database, RdsResource, each_storage_owner};
use crate::finding::Evidence;
use crate::model::policy::Severity;

/// `rds-single-az`
pub struct RdsSingleAz;

static META: Meta = Meta {
    id: "rds-single-az",
    severity: Severity::Low,
    enabled: false,
    summary: "a database has no standby in another availability zone",
    docs: include_str!("doc.md"),
    controls: &["SecurityHub:RDS.5", "SecurityHub:RDS.15", "Config:rds-multi-az-support"],
    reads: DATABASE_READS,
    ..Meta::DEFAULT
};

impl Rule for RdsSingleAz {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_storage_owner(w, |database| {
            let own = database.resource.replica_of().is_none();
            own.then(|| evaluate_one(database))
        })
    }
}

fn evaluate_one<'a>(database: &Database<'a>) -> RuleResult<'a> {
    let (multi_az, remedy) = match database.resource {
        RdsResource::Instance(i) => (
            i.multi_az,
            format!("give it a standby: {} --multi-az", database.resource.modify()),
        ),
        RdsResource::Cluster(c) => (c.multi_az, format!("add a member of {} in another zone", c.id)),
    };
    if multi_az {
        return database.pass();
    }
    database.fail(Failure {
        severity: None,
        message: format!("{} has no standby in another availability zone", database.id),
        evidence: vec![Evidence::new("MultiAZ", false, true)],
        remedy: Remedy::manual(remedy),
    })
}
