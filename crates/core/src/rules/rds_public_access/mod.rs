#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::close_public_access;
use crate::finding::Evidence;
use crate::model::policy::{Risk, Severity};

/// `rds-public-access`
pub struct RdsPublicAccess;

static META: Meta = Meta {
    id: "rds-public-access",
    severity: Severity::Critical,
    enabled: true,
    summary: "`PubliclyAccessible` is set and no migration window is open",
    docs: include_str!("doc.md"),
    controls: &[
        "SecurityHub:RDS.2",
        "CIS-AWS-5.0:2.2.3",
        "CIS-AWS-6.0:3.2.3",
        "Config:rds-instance-public-access-check",
    ],
    parameters: &[],
    reads: &["rds:DescribeDBInstances", "rds:DescribeDBClusters"],
    writes: &["rds:ModifyDBInstance"],
    risk: Risk::Brief,
    caused_by: &["rds-migration-overdue"],
    ..Meta::DEFAULT
};

impl Rule for RdsPublicAccess {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let (instances, clusters) = match (w.instances(), w.clusters()) {
            (Ok(instances), Ok(clusters)) => (instances, clusters),
            (Err(e), _) | (_, Err(e)) => return w.unknown(&e),
        };
        let mut out = vec![];
        for &cluster in clusters.iter().filter(|c| !c.engine.starts_with("aurora")) {
            let Some(public) = cluster.publicly_accessible else {
                continue;
            };
            let (reading, subject) = (w.phase(&cluster.tags), ResultSubject::Cluster(cluster));
            out.push(if public && !reading.phase.is_migrating() {
                let remedy = Remedy::manual(format!(
                    "AWS can't clear the flag of a Multi-AZ DB cluster: restore a snapshot of {} as a private one, \
                     and switch over",
                    cluster.id
                ));
                RuleResult::fail(subject, &cluster.tags, failure(&cluster.id, remedy)).in_phase(reading)
            } else {
                RuleResult::pass(subject)
            });
        }
        let evaluated_above = |id: &Option<String>| {
            clusters
                .iter()
                .any(|c| id.as_deref() == Some(&c.id) && !c.engine.starts_with("aurora"))
        };
        for &instance in instances.iter().filter(|i| !evaluated_above(&i.cluster)) {
            let (reading, subject) = (w.instance_phase(instance), ResultSubject::Instance(instance));
            out.push(if instance.publicly_accessible && !reading.phase.is_migrating() {
                let failure = failure(&instance.id, close_public_access(w, instance));
                let above = clusters.iter().filter(|c| instance.cluster.as_deref() == Some(&c.id));
                RuleResult::fail(subject, &instance.tags, failure)
                    .in_phase(reading)
                    .relating(above.map(|c| &c.arn))
            } else {
                RuleResult::pass(subject)
            });
        }
        out
    }
}

fn failure(id: &str, remedy: Remedy) -> Failure {
    Failure {
        severity: None,
        message: format!("{id} is publicly accessible, and no migration window is open"),
        evidence: vec![Evidence::new("PubliclyAccessible", true, false)],
        remedy,
    }
}
