#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::facts::{CredentialSource, Database, SECRET_READS, connections_in_use, credential_sources};
use crate::finding::Evidence;
use crate::model::connection::ConnectionForm;
use crate::model::policy::Severity;

/// `secret-no-tls`
pub struct SecretNoTls;

static META: Meta = Meta {
    id: "secret-no-tls",
    severity: Severity::Low,
    summary: "a database secret does not insist on an encrypted connection",
    docs: include_str!("doc.md"),
    parameters: &["secret_env"],
    reads: SECRET_READS,
    ..Meta::DEFAULT
};

/// Modes in which libpq goes on without encryption.
/// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS>
const PLAIN: &[&str] = &["disable", "allow", "prefer"];

impl Rule for SecretNoTls {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let (sources, mut error) = credential_sources(w);
        // Whether a secret that nobody refers to is right for the database can't be told without databases.
        let (databases, blind) = match w.databases() {
            Ok(databases) => (databases, false),
            Err(e) => {
                if sources.iter().any(|s| !s.referenced) {
                    error = error.or(Some(e));
                }
                (&[][..], true)
            }
        };
        let mut out: Vec<RuleResult> = sources
            .iter()
            .filter(|s| s.referenced || !blind)
            .filter_map(|source| evaluate_source(w, source, databases))
            .collect();
        if let Some(error) = error {
            out.extend(w.unknown(&error));
        }
        out
    }
}

fn evaluate_source<'a>(
    w: &Workload<'a>,
    source: &CredentialSource<'a>,
    databases: &[Database<'a>],
) -> Option<RuleResult<'a>> {
    let mut evaluated = false;
    let mut found: Vec<(String, String)> = vec![];
    for value in &source.values {
        let shape = match &value.shape {
            Err(e) => return Some(RuleResult::unknown(source.subject, source.tags, e)),
            Ok(None) => continue,
            Ok(Some(shape)) => shape,
        };
        for (key, connection) in connections_in_use(w, source, value, shape, databases) {
            if connection.form == ConnectionForm::Parts {
                continue;
            }
            evaluated = true;
            let observed = match connection.sslmode.as_deref() {
                None => "no sslmode".to_owned(),
                Some(mode) if PLAIN.contains(&mode) => format!("sslmode {mode}"),
                Some(_) => continue,
            };
            let told = key.map_or_else(
                || format!("it has {observed}"),
                |k| format!("its key `{k}` has {observed}"),
            );
            let entry = (source.describe(value, &told), observed);
            if !found.contains(&entry) {
                found.push(entry);
            }
        }
    }
    if !evaluated {
        return None;
    }
    if found.is_empty() {
        return Some(RuleResult::pass(source.subject));
    }
    let told: Vec<&str> = found.iter().map(|(told, _)| told.as_str()).collect();
    let told = told.join("; ");
    let failure = Failure {
        severity: None,
        message: match source.secret {
            Some(secret) => format!("the secret {} does not insist on TLS: {told}", secret.name),
            None => format!(
                "{} gets a connection from Parameter Store that does not insist on TLS: {told}",
                source.subject.id()
            ),
        },
        evidence: found
            .into_iter()
            .map(|(_, observed)| Evidence::new("sslmode", observed, "require, verify-ca or verify-full"))
            .collect(),
        remedy: Remedy::manual(source.rewrite("with sslmode=require")),
    };
    Some(RuleResult::fail(source.subject, source.tags, failure))
}
