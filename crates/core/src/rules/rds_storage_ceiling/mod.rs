#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::action::DatabaseSetting;
use crate::facts::{DATABASE_READS, Database, RdsResource, configure, each_storage_owner};
use crate::finding::Evidence;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::DbInstance;

/// `rds-storage-ceiling`
pub struct RdsStorageCeiling;

static META: Meta = Meta {
    id: "rds-storage-ceiling",
    severity: Severity::Low,
    summary: "the storage of an instance can't grow by itself to `storage_headroom` times what is allocated",
    docs: include_str!("doc.md"),
    parameters: &["storage_headroom"],
    reads: DATABASE_READS,
    writes: &["rds:ModifyDBInstance"],
    risk: Risk::None,
    ..Meta::DEFAULT
};

/// GiB that a PostgreSQL instance can have.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html>
const LARGEST: i64 = 65_536;

impl Rule for RdsStorageCeiling {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_storage_owner(w, |database| match database.resource {
            // What a being-created instance was given may not be known yet.
            RdsResource::Instance(i) if i.allocated_storage > 0 => Some(evaluate_one(w, database, i)),
            _ => None,
        })
    }
}

fn evaluate_one<'a>(w: &Workload<'a>, database: &Database<'a>, i: &'a DbInstance) -> RuleResult<'a> {
    let allocated = i64::from(i.allocated_storage);
    let wanted = (allocated * i64::from(w.params.storage_headroom)).min(LARGEST);
    let ceiling = i.max_allocated_storage.map(i64::from);
    // AWS takes nothing less than a tenth above what is allocated.
    // https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
    let least = allocated + (allocated + 9) / 10;
    if least > LARGEST || ceiling.is_some_and(|c| c >= wanted) {
        return database.pass();
    }
    let to = wanted.max(least);
    let message = match ceiling {
        None => format!("the {allocated} GiB of {} do not grow by themselves", i.id),
        Some(c) => format!(
            "the {allocated} GiB of {} grow to {c} GiB at most; {wanted} GiB are wanted",
            i.id
        ),
    };
    let summary = format!("set MaxAllocatedStorage={to} on {}", i.id);
    let remedy = match i32::try_from(to) {
        Err(_) => Remedy::manual(summary),
        Ok(to) => {
            let from = i.max_allocated_storage;
            configure(
                w,
                &database.resource,
                DatabaseSetting::MaxAllocatedStorage { from, to },
                summary,
            )
        }
    };
    database.fail(Failure {
        severity: None,
        message,
        evidence: vec![Evidence::new(
            "MaxAllocatedStorage",
            ceiling,
            format!(
                ">= {wanted} ({} × AllocatedStorage {allocated})",
                w.params.storage_headroom
            ),
        )],
        remedy,
    })
}
