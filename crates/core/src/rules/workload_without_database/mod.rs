#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::config::Datastore;
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::tags::Tags;

/// `workload-without-database`
pub struct WorkloadWithoutDatabase;

static META: Meta = Meta {
    id: "workload-without-database",
    severity: Severity::High,
    summary: "the workload wants PostgreSQL and has a service, but no database",
    docs: include_str!("doc.md"),
    parameters: &["datastore"],
    reads: &[
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "ecs:DescribeServices",
    ],
    ..Meta::DEFAULT
};

impl Rule for WorkloadWithoutDatabase {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let services = match w.services() {
            Ok(services) => services,
            Err(e) if w.params.datastore == Datastore::Postgres => return w.unknown(&e),
            Err(_) => return vec![],
        };
        let declared = services
            .iter()
            .filter_map(|s| Some(w.declared(s, w.running(s).ok()?).datastore))
            .any(|d| d == Datastore::Postgres);
        if w.params.datastore != Datastore::Postgres && !declared {
            return vec![];
        }
        if services.is_empty() && w.unread_services().is_empty() {
            return vec![];
        }
        let subject = ResultSubject::Workload(w.name);
        match w.databases() {
            Err(e) => w.unknown(&e),
            Ok(found) if !found.is_empty() => vec![RuleResult::pass(subject)],
            Ok(_) => {
                let names: Vec<String> = services.iter().map(|s| format!("{}/{}", s.cluster, s.name)).collect();
                let failure = Failure {
                    severity: None,
                    message: format!(
                        "{} has the service {} but no RDS instance or cluster tagged {}workload={}",
                        w.name,
                        names.join(", "),
                        w.prefix,
                        w.name
                    ),
                    evidence: vec![Evidence::new("databases", 0, "one or more")],
                    remedy: Remedy::manual(format!(
                        "tag the workload's database {}workload={}, or set workloads.{}.datastore: volume if it needs none",
                        w.prefix, w.name, w.name
                    )),
                };
                let tags = services.iter().map(|s| &s.tags);
                // A waiver on every one of its services waives it.
                vec![RuleResult::fail(subject, Tags::NONE, failure).bearing(tags)]
            }
        }
    }
}
