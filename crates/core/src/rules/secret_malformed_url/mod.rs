#[cfg(test)]
pub(super) mod cases;

use std::collections::BTreeSet;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::facts::{CredentialSource, CredentialValue, Database, SECRET_READS, connections, each_credential_source};
use crate::finding::Evidence;
use crate::model::connection::{Connection, Fault, SecretShape, ValueInRole};
use crate::model::policy::{Risk, Severity};
use crate::model::store::Role;

/// `secret-malformed-url`
pub struct SecretMalformedUrl;

static META: Meta = Meta {
    id: "secret-malformed-url",
    severity: Severity::Critical,
    enabled: true,
    summary: "a database secret is not what its reader can use",
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
        let told = match value.role {
            Some(role) => in_role(value, shape, role, databases),
            None => unreferenced(shape, databases),
        };
        let Some(told) = told else { continue };
        evaluated = true;
        faults.extend(told.into_iter().map(|t| source.describe(value, &t)));
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

/// What is wrong with a value for the role that it has; `None` if it can't be judged by it. That a key is not there, or that
/// JSON is handed over whole, `ecs-secret-reference-mismatch` says.
fn in_role(
    value: &CredentialValue<'_>,
    shape: &SecretShape,
    role: Role,
    databases: &[Database<'_>],
) -> Option<BTreeSet<String>> {
    let key = value.key.as_deref();
    let ValueInRole::Text {
        mut faults,
        connection,
        rather,
        ..
    } = shape.value_for(role, key)
    else {
        return None;
    };
    if rather.is_some() {
        return None;
    }
    if let Some(connection) = connection.filter(|c| role == Role::Url && c.faults.is_empty()) {
        faults = faults_of(connection, databases);
        faults.extend(connection.faults_for(value.dialect));
    }
    let what = |fault: &Fault| match role {
        Role::Url => fault.to_string(),
        _ => format!("as {role}, {fault}"),
    };
    let told = |fault: &Fault| key.map_or_else(|| what(fault), |k| format!("under the key `{k}`, {}", what(fault)));
    Some(faults.iter().map(told).collect())
}

/// What is wrong with a secret that nothing refers to, if it was meant for a database.
fn unreferenced(shape: &SecretShape, databases: &[Database<'_>]) -> Option<BTreeSet<String>> {
    let found = connections(shape, None, false);
    if found.is_empty() {
        return None;
    }
    // A JSON secret may hold the same connection in several forms; any that works is enough for its reader.
    if found.iter().any(|(_, c)| faults_of(c, databases).is_empty()) {
        return Some(BTreeSet::new());
    }
    let told = |key: Option<&str>, fault: &Fault| {
        key.map_or_else(|| fault.to_string(), |k| format!("under the key `{k}`, {fault}"))
    };
    let all = found
        .iter()
        .flat_map(|(key, c)| c.faults.iter().map(move |f| (*key, f)));
    Some(all.map(|(key, fault)| told(key, fault)).collect())
}
