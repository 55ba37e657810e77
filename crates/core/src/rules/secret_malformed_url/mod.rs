#[cfg(test)]
pub(super) mod cases;

use std::collections::BTreeSet;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::facts::{CredentialSource, Database, SECRET_READS, connections, each_credential_source};
use crate::finding::Evidence;
use crate::model::connection::{Connection, Fault, SecretShape};
use crate::model::policy::{Risk, Severity};

/// `secret-malformed-url`
pub struct SecretMalformedUrl;

static META: Meta = Meta {
    id: "secret-malformed-url",
    severity: Severity::Critical,
    enabled: true,
    summary: "a database secret is not a connection string that a PostgreSQL client can use",
    docs: include_str!("doc.md"),
    controls: &[],
    parameters: &["secret_env"],
    reads: SECRET_READS,
    writes: &[],
    risk: Risk::Manual,
    ..Meta::DEFAULT
};

impl Rule for SecretMalformedUrl {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        // Only for what a scheme is compared with; `secret-wrong-database` is unknown where they can't be read.
        let databases = w.databases().unwrap_or_default();
        each_credential_source(w, |source| evaluate_source(source, databases))
    }
}

/// What makes a connection unusable: also the scheme of another engine that leads to a PostgreSQL database.
fn faults_of(connection: &Connection, databases: &[Database<'_>]) -> Vec<Fault> {
    let mut faults = connection.faults.clone();
    let to_postgres = |host: &str| {
        let mut owners = databases.iter().filter(|d| d.hosts.contains(&host));
        owners.any(|d| d.resource.engine().contains("postgres"))
    };
    if connection.is_other_engine() && connection.hosts.iter().any(|h| to_postgres(&h.host)) {
        let found = connection.scheme.clone();
        faults.push(Fault::WrongScheme { found });
    }
    faults
}

fn evaluate_source<'a>(source: &CredentialSource<'a>, databases: &[Database<'a>]) -> Option<RuleResult<'a>> {
    let subject = source.subject;
    let mut faults: BTreeSet<String> = BTreeSet::new();
    let mut evaluated = false;
    for value in &source.values {
        let shape = match &value.shape {
            Err(e) => return Some(RuleResult::unknown(subject, source.tags, e)),
            Ok(None) => continue,
            Ok(Some(shape)) => shape,
        };
        let found = connections(shape, value.key.as_deref(), source.referenced);
        evaluated |= !found.is_empty();
        // A JSON secret may hold the same connection in several forms; any that works is enough for its reader.
        if value.key.is_none() && found.iter().any(|(_, c)| faults_of(c, databases).is_empty()) {
            continue;
        }
        for (key, connection) in &found {
            for fault in faults_of(connection, databases) {
                let told = key.map_or_else(|| fault.to_string(), |k| format!("under the key `{k}`, {fault}"));
                faults.insert(source.describe(value, &told));
            }
        }
        let nothing_in_json = matches!(shape, SecretShape::Json { .. } | SecretShape::Binary)
            && found.is_empty()
            && source.referenced
            && value.key.is_none();
        if nothing_in_json {
            evaluated = true;
            faults.insert(source.describe(value, &Fault::NotAConnectionString.to_string()));
        }
    }
    if !evaluated {
        return None;
    }
    if faults.is_empty() {
        return Some(RuleResult::pass(subject));
    }
    let list: Vec<String> = faults.into_iter().collect();
    let told = list.join("; ");
    let failure = Failure {
        severity: None,
        message: match source.secret {
            Some(secret) => format!("the database secret {} is malformed: {told}", secret.name),
            None => format!(
                "{} gets a malformed connection from Parameter Store: {told}",
                subject.id()
            ),
        },
        evidence: vec![Evidence::new(source.field(), list, "a well-formed connection string")],
        remedy: Remedy::manual(source.rewrite("(user and password percent-encoded)")),
    };
    Some(RuleResult::fail(subject, source.tags, failure))
}
