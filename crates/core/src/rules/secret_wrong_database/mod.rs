#[cfg(test)]
pub(super) mod cases;

use std::sync::Arc;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::facts::{CredentialSource, Database, Resolution, SECRET_READS, each_credential_source, resolves_to};
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
    parameters: &["secret_env", "database_aliases"],
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

/// What is wrong with one value.
#[derive(PartialEq, Eq)]
struct Astray {
    severity: Severity,
    /// For a message.
    told: String,
    field: &'static str,
    observed: String,
    expected: String,
}

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
            let found = match resolves_to(w, connection, databases) {
                Resolution::OwnDatabase => None,
                Resolution::Elsewhere(field, observed, expected) => Some(Astray {
                    severity: Severity::Critical,
                    told: source.describe(value, &format!("its {field} is {observed}, not {expected}")),
                    field,
                    observed,
                    expected,
                }),
                Resolution::OtherName(observed, expected) => Some(Astray {
                    severity: Severity::Low,
                    told: source.describe(
                        value,
                        &format!("its database is {observed}, not {expected}, which RDS created with the server"),
                    ),
                    field: "database",
                    observed,
                    expected,
                }),
                // What is malformed may name any host; `secret-malformed-url` speaks of it.
                Resolution::Unclear(_) if !connection.is_well_formed() => continue,
                Resolution::Unclear(e) => {
                    unclear = Some(e);
                    None
                }
            };
            evaluated = true;
            astray.extend(found.filter(|f| !astray.contains(f)));
        }
    }
    if !evaluated {
        return None;
    }
    match (astray.is_empty(), unclear) {
        (false, _) => Some(RuleResult::fail(subject, source.tags, failure(w, source, astray))),
        (true, None) => Some(RuleResult::pass(subject)),
        (true, Some(e)) => Some(RuleResult::unknown(subject, source.tags, &unknown(source, &e))),
    }
}

/// A failed read as it is; where nothing tells, with the name of what leads there.
fn unknown(source: &CredentialSource<'_>, error: &Arc<ReadError>) -> Arc<ReadError> {
    if error.code != "NotComparable" {
        return Arc::clone(error);
    }
    let name = source.name();
    Arc::new(ReadError {
        message: format!("where {name} leads is unknown: {}", error.message),
        resource: name,
        ..ReadError::clone(error)
    })
}

fn failure(w: &Workload<'_>, source: &CredentialSource<'_>, astray: Vec<Astray>) -> Failure {
    let told: Vec<&str> = astray.iter().map(|a| a.told.as_str()).collect();
    let told = told.join("; ");
    let severity = astray.iter().map(|a| a.severity).max();
    Failure {
        severity,
        message: match source.secret {
            Some(secret) => format!(
                "the secret {} does not lead to the database of {}: {told}",
                secret.name, w.name
            ),
            None => format!(
                "{} gets a connection from Parameter Store that does not lead to the database of {}: {told}",
                source.subject.id(),
                w.name
            ),
        },
        evidence: astray
            .into_iter()
            .map(|a| Evidence::new(a.field, a.observed, a.expected))
            .collect(),
        remedy: Remedy::manual(source.rewrite("with the right endpoint and database name")),
    }
}
