#[cfg(test)]
pub(super) mod cases;

use std::sync::Arc;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::facts::{
    CredentialSource, Database, Resolution, SECRET_READS, each_credential_source, resolves_to,
};
use crate::finding::Evidence;
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

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let databases = match w.databases() {
            Err(e) => return w.unknown(&e),
            // With no database there is nothing to compare with.
            Ok([]) => return vec![],
            Ok(databases) => databases,
        };
        each_credential_source(w, |source| evaluate_source(w, source, databases))
    }
}

/// One value that leads elsewhere: its description, the field, observed, expected.
type Astray = (String, &'static str, String, String);

fn evaluate_source<'a>(
    w: &Workload<'a>,
    source: &CredentialSource<'a>,
    databases: &[Database<'a>],
) -> Option<RuleResult<'a>> {
    let subject = source.subject;
    let mut evaluated = false;
    let mut astray: Vec<Astray> = vec![];
    let mut unclear = None;
    for value in &source.values {
        let shape = match &value.shape {
            Err(e) => return Some(RuleResult::unknown(subject, source.tags, e)),
            Ok(None) => continue,
            Ok(Some(shape)) => shape,
        };
        for (_, connection) in value.connections(shape, source.referenced) {
            if connection.hosts.is_empty() {
                continue;
            }
            evaluated = true;
            match resolves_to(connection, databases) {
                Resolution::OwnDatabase => {}
                Resolution::Elsewhere(field, observed, expected) => {
                    let told = source.describe(value, &format!("its {field} is {observed}, not {expected}"));
                    let found = (told, field, observed, expected);
                    if !astray.contains(&found) {
                        astray.push(found);
                    }
                }
                Resolution::Unclear(why) => unclear = Some(why),
            }
        }
    }
    if !evaluated {
        return None;
    }
    if let ([], Some(why)) = (astray.as_slice(), unclear) {
        let name = source.name();
        let error = ReadError {
            service: "rds".into(),
            operation: "DescribeDBInstances".into(),
            resource: name.clone(),
            code: "NotComparable".into(),
            message: format!("where {name} leads is unknown: {why}"),
        };
        return Some(RuleResult::unknown(subject, source.tags, &Arc::new(error)));
    }
    if astray.is_empty() {
        return Some(RuleResult::pass(subject));
    }
    let told: Vec<&str> = astray.iter().map(|(told, ..)| told.as_str()).collect();
    let told = told.join("; ");
    let failure = Failure {
        severity: None,
        message: match source.secret {
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
        remedy: Remedy::manual(source.rewrite("with the right endpoint and database name")),
    };
    Some(RuleResult::fail(subject, source.tags, failure))
}
