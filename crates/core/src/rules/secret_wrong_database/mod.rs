#[cfg(test)]
pub(super) mod cases;

use std::sync::Arc;

use super::rule::{Failure, Judgement, Meta, Remedy, Rule, Workload};
use crate::facts::{Database, Holder, Leads, SECRET_READS, connections, each_holder, leads};
use crate::model::finding::Evidence;
use crate::model::policy::{Risk, Severity};
use crate::model::snapshot::ReadError;

/// `secret-wrong-database`
pub struct SecretWrongDatabase;

static META: Meta = Meta {
    id: "secret-wrong-database",
    severity: Severity::Critical,
    enabled: true,
    summary: "a database secret does not lead to the workload's database",
    docs: include_str!("doc.md"),
    controls: &[],
    parameters: &["secret_env"],
    reads: SECRET_READS,
    writes: &[],
    risk: Risk::Manual,
    ..Meta::DEFAULT
};

impl Rule for SecretWrongDatabase {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge<'a>(&self, w: &Workload<'a>) -> Vec<Judgement<'a>> {
        let databases = match w.databases() {
            Err(e) => return w.unknown(&e),
            // With no database there is nothing to compare with.
            Ok([]) => return vec![],
            Ok(databases) => databases,
        };
        each_holder(w, |holder| judge_holder(w, holder, databases))
    }
}

/// One thing that leads elsewhere: what is told of it, the field, observed, expected.
type Astray = (String, &'static str, String, String);

fn judge_holder<'a>(w: &Workload<'a>, holder: &Holder<'a>, databases: &[Database<'a>]) -> Option<Judgement<'a>> {
    let subject = holder.subject;
    let mut judged = false;
    let mut astray: Vec<Astray> = vec![];
    let mut unclear = None;
    for held in &holder.values {
        let shape = match &held.shape {
            Err(e) => return Some(Judgement::unknown(subject, holder.tags, e)),
            Ok(None) => continue,
            Ok(Some(shape)) => shape,
        };
        for (_, connection) in connections(shape, held.key.as_deref(), holder.referenced) {
            if connection.hosts.is_empty() {
                continue;
            }
            judged = true;
            match leads(connection, databases) {
                Leads::Home => {}
                Leads::Astray(field, observed, expected) => {
                    let told = holder.told(held, &format!("its {field} is {observed}, not {expected}"));
                    let found = (told, field, observed, expected);
                    if !astray.contains(&found) {
                        astray.push(found);
                    }
                }
                Leads::Unclear(why) => unclear = Some(why),
            }
        }
    }
    if !judged {
        return None;
    }
    if let ([], Some(why)) = (astray.as_slice(), unclear) {
        let name = holder.name();
        let error = ReadError {
            service: "rds".into(),
            operation: "DescribeDBInstances".into(),
            resource: name.clone(),
            code: "NotComparable".into(),
            message: format!("where {name} leads is unknown: {why}"),
        };
        return Some(Judgement::unknown(subject, holder.tags, &Arc::new(error)));
    }
    if astray.is_empty() {
        return Some(Judgement::pass(subject));
    }
    let told: Vec<&str> = astray.iter().map(|(told, ..)| told.as_str()).collect();
    let told = told.join("; ");
    let failure = Failure {
        severity: None,
        message: match holder.secret {
            Some(secret) => format!(
                "the secret {} does not lead to the database of {}: {told}",
                secret.name, w.name
            ),
            None => format!(
                "{} gets a connection from Parameter Store that does not lead to the database of {}: {told}",
                subject.id(),
                w.name
            ),
        },
        evidence: astray.into_iter().map(|(_, f, o, e)| Evidence::new(f, o, e)).collect(),
        remedy: Remedy::manual(holder.rewrite("with the right endpoint and database name")),
    };
    Some(Judgement::fail(subject, holder.tags, failure))
}
