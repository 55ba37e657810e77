#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::facts::{DATABASE_READS, RdsResource};
use crate::finding::Evidence;
use crate::model::policy::Severity;

/// `rds-unavailable`
pub struct RdsUnavailable;

static META: Meta = Meta {
    id: "rds-unavailable",
    severity: Severity::High,
    summary: "a database is stopped, full, or in a state that it does not leave by itself",
    docs: include_str!("doc.md"),
    reads: DATABASE_READS,
    ..Meta::DEFAULT
};

impl Rule for RdsUnavailable {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let (instances, clusters) = match (w.instances(), w.clusters()) {
            (Ok(instances), Ok(clusters)) => (instances, clusters),
            (Err(e), _) | (_, Err(e)) => return w.unknown(&e),
        };
        let told = |id: &Option<String>| {
            clusters
                .iter()
                .any(|c| id.as_deref() == Some(&c.id) && is_broken(&c.status))
        };
        let below = instances.iter().filter(|i| !told(&i.cluster));
        clusters
            .iter()
            .map(|c| evaluate_one(w, &RdsResource::Cluster(c)))
            .chain(below.map(|i| evaluate_one(w, &RdsResource::Instance(i))))
            .collect()
    }
}

/// Whether a database of this status serves nobody until a person acts.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html#Overview.DBInstance.Status>,
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/accessing-monitoring.html#Aurora.Status>
fn is_broken(status: &str) -> bool {
    matches!(
        status,
        "failed"
            | "storage-full"
            | "stopped"
            | "restore-error"
            | "insufficient-capacity"
            | "cloning-failed"
            | "migration-failed"
    ) || status.starts_with("incompatible-")
        || status.starts_with("inaccessible-encryption-credentials")
}

fn evaluate_one<'a>(w: &Workload<'a>, resource: &RdsResource<'a>) -> RuleResult<'a> {
    let (id, status) = (resource.id(), resource.status());
    if !is_broken(status) {
        return resource.pass();
    }
    resource.fail(
        w.phase_of(resource),
        Failure {
            severity: None,
            message: format!("{id} is {status}: {}", meaning(status)),
            evidence: vec![Evidence::new("Status", status, "available")],
            remedy: Remedy::manual(cure(resource)),
        },
    )
}

fn meaning(status: &str) -> &'static str {
    match status {
        "stopped" => "it serves nobody until it is started; AWS starts it by itself after seven days",
        "storage-full" => "nothing can be written until it has more storage",
        "failed" => "AWS can't recover it",
        "restore-error" | "cloning-failed" | "migration-failed" => "what should have filled it failed",
        "insufficient-capacity" => "AWS has no capacity of its class in its zone",
        "incompatible-parameters" => "it can't start with the values in its parameter group",
        "incompatible-network" => "its VPC keeps AWS from bringing it up",
        "inaccessible-encryption-credentials-recoverable" => {
            "its KMS key can't be used; once it can, a start brings it back"
        }
        _ if status.starts_with("inaccessible-encryption-credentials") => "its KMS key can't be used, and it is lost",
        _ => "it does not leave that state by itself",
    }
}

fn cure(resource: &RdsResource<'_>) -> String {
    let (id, status) = (resource.id(), resource.status());
    let (start, kind) = match resource {
        RdsResource::Instance(i) if i.cluster.is_none() => (
            format!("aws rds start-db-instance --db-instance-identifier {id}"),
            "db-instance",
        ),
        RdsResource::Instance(i) => (
            format!(
                "aws rds start-db-cluster --db-cluster-identifier {}",
                i.cluster.as_deref().unwrap_or_default()
            ),
            "db-instance",
        ),
        RdsResource::Cluster(_) => (
            format!("aws rds start-db-cluster --db-cluster-identifier {id}"),
            "db-cluster",
        ),
    };
    match status {
        "stopped" => format!("start it: {start}"),
        "storage-full" => format!(
            "give it storage: {} --allocated-storage GIB --apply-immediately",
            resource.modify()
        ),
        "inaccessible-encryption-credentials-recoverable" => format!("enable its KMS key, then start it: {start}"),
        "failed" | "inaccessible-encryption-credentials" => {
            format!("restore {id} to its latest restorable time under another name, and swap the names")
        }
        "insufficient-capacity" => format!("delete {id} and create it with another class or zone"),
        _ => format!(
            "see what happened and mend it: aws rds describe-events --source-identifier {id} --source-type {kind} \
             --duration 1440"
        ),
    }
}
