#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Rule, RuleResult, Workload};
use crate::action::DatabaseSetting;
use crate::facts::{DATABASE_READS, RdsResource, configure};
use crate::finding::Evidence;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{DbCluster, DbInstance};

/// `rds-no-minor-upgrades`
pub struct RdsNoMinorUpgrades;

static META: Meta = Meta {
    id: "rds-no-minor-upgrades",
    severity: Severity::Low,
    summary: "minor versions are not installed by themselves",
    docs: include_str!("doc.md"),
    controls: &[
        "SecurityHub:RDS.13",
        "SecurityHub:RDS.35",
        "CIS-AWS-5.0:2.2.2",
        "CIS-AWS-6.0:3.2.2",
        "Config:rds-automatic-minor-version-upgrade-enabled",
    ],
    reads: DATABASE_READS,
    writes: &["rds:ModifyDBInstance", "rds:ModifyDBCluster"],
    risk: Risk::None,
    ..Meta::DEFAULT
};

impl Rule for RdsNoMinorUpgrades {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let (instances, clusters) = match (w.instances(), w.clusters()) {
            (Ok(instances), Ok(clusters)) => (instances, clusters),
            (Err(e), _) | (_, Err(e)) => return w.unknown(&e),
        };
        let of_cluster = |i: &DbInstance| clusters.iter().find(|c| i.cluster.as_deref() == Some(&c.id));
        let evaluates_itself = |i: &DbInstance| of_cluster(i).is_none_or(|c| is_aurora(c));
        let of_clusters = clusters.iter().filter_map(|c| {
            let on = c.auto_minor_upgrade?;
            // An Aurora cluster repeats what its members say: they are evaluated for it.
            let said_below = is_aurora(c)
                && instances
                    .iter()
                    .any(|i| i.cluster.as_deref() == Some(&c.id) && !i.auto_minor_upgrade);
            (!said_below).then(|| evaluate_one(w, &RdsResource::Cluster(c), on))
        });
        let of_instances = instances
            .iter()
            .filter(|i| evaluates_itself(i))
            .map(|i| evaluate_one(w, &RdsResource::Instance(i), i.auto_minor_upgrade));
        of_clusters.chain(of_instances).collect()
    }
}

fn is_aurora(cluster: &DbCluster) -> bool {
    cluster.engine.starts_with("aurora")
}

fn evaluate_one<'a>(w: &Workload<'a>, resource: &RdsResource<'a>, on: bool) -> RuleResult<'a> {
    if on {
        return resource.pass();
    }
    let id = resource.id();
    let summary = format!("set AutoMinorVersionUpgrade=true on {id}");
    resource.fail(
        w.phase_of(resource),
        Failure {
            severity: None,
            message: format!("minor versions are not installed on {id} by themselves"),
            evidence: vec![Evidence::new("AutoMinorVersionUpgrade", false, true)],
            remedy: configure(w, resource, DatabaseSetting::MinorVersionUpgrades, summary),
        },
    )
}
