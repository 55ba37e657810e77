#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Judgement, Meta, Remedy, Rule, Workload};
use crate::facts::{DATABASE_READS, Whole, each_whole};
use crate::model::finding::Evidence;
use crate::model::policy::Severity;

/// `rds-default-master-name`
pub struct RdsDefaultMasterName;

static META: Meta = Meta {
    id: "rds-default-master-name",
    severity: Severity::Low,
    enabled: false,
    summary: "the master user of a database has the name that everybody guesses first",
    docs: include_str!("doc.md"),
    controls: &[
        "SecurityHub:RDS.24",
        "SecurityHub:RDS.25",
        "Config:rds-instance-default-admin-check",
        "Config:rds-cluster-default-admin-check",
    ],
    reads: DATABASE_READS,
    ..Meta::DEFAULT
};

const DEFAULTS: &[&str] = &["postgres", "admin"];

impl Rule for RdsDefaultMasterName {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge<'a>(&self, w: &Workload<'a>) -> Vec<Judgement<'a>> {
        each_whole(w, |whole| {
            let own = whole.replica_of().is_none();
            own.then(|| judge_one(w, whole)).flatten()
        })
    }
}

fn judge_one<'a>(w: &Workload<'a>, whole: &Whole<'a>) -> Option<Judgement<'a>> {
    let name = match whole {
        Whole::Instance(i) => i.master_user.as_deref()?,
        Whole::Cluster(c) => c.master_user.as_deref()?,
    };
    if !DEFAULTS.contains(&name) {
        return Some(whole.pass());
    }
    let id = whole.id();
    Some(whole.fail(
        w,
        Failure {
            severity: None,
            message: format!("the master user of {id} has the default name {name}"),
            evidence: vec![Evidence::new("MasterUsername", name, "a name of your own")],
            remedy: Remedy::manual(format!(
                "make a new database with a master user of another name, move the data of {id}, and point the secret to it"
            )),
        },
    ))
}
