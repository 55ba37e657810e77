#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Judgement, Meta, Remedy, Rule, Workload};
use crate::facts::{Database, Holder, SECRET_READS, holders, in_use};
use crate::model::connection::ConnectionForm;
use crate::model::finding::Evidence;
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

    fn judge<'a>(&self, w: &Workload<'a>) -> Vec<Judgement<'a>> {
        let (holders, mut error) = holders(w);
        // Whether a secret that nobody refers to is right for the database can't be told without databases.
        let (databases, blind) = match w.databases() {
            Ok(databases) => (databases, false),
            Err(e) => {
                if holders.iter().any(|s| !s.referenced) {
                    error = error.or(Some(e));
                }
                (&[][..], true)
            }
        };
        let mut out: Vec<Judgement> = holders
            .iter()
            .filter(|s| s.referenced || !blind)
            .filter_map(|holder| judge_holder(holder, databases))
            .collect();
        if let Some(error) = error {
            out.extend(w.unknown(&error));
        }
        out
    }
}

fn judge_holder<'a>(holder: &Holder<'a>, databases: &[Database<'a>]) -> Option<Judgement<'a>> {
    let mut judged = false;
    let mut found: Vec<(String, String)> = vec![];
    for held in &holder.values {
        let shape = match &held.shape {
            Err(e) => return Some(Judgement::unknown(holder.subject, holder.tags, e)),
            Ok(None) => continue,
            Ok(Some(shape)) => shape,
        };
        for (key, connection) in in_use(holder, held, shape, databases) {
            if connection.form == ConnectionForm::Parts {
                continue;
            }
            judged = true;
            let observed = match connection.sslmode.as_deref() {
                None => "no sslmode".to_owned(),
                Some(mode) if PLAIN.contains(&mode) => format!("sslmode {mode}"),
                Some(_) => continue,
            };
            let told = key.map_or_else(
                || format!("it has {observed}"),
                |k| format!("its key `{k}` has {observed}"),
            );
            let entry = (holder.told(held, &told), observed);
            if !found.contains(&entry) {
                found.push(entry);
            }
        }
    }
    if !judged {
        return None;
    }
    if found.is_empty() {
        return Some(Judgement::pass(holder.subject));
    }
    let told: Vec<&str> = found.iter().map(|(told, _)| told.as_str()).collect();
    let told = told.join("; ");
    let failure = Failure {
        severity: None,
        message: match holder.secret {
            Some(secret) => format!("the secret {} does not insist on TLS: {told}", secret.name),
            None => format!(
                "{} gets a connection from Parameter Store that does not insist on TLS: {told}",
                holder.subject.id()
            ),
        },
        evidence: found
            .into_iter()
            .map(|(_, observed)| Evidence::new("sslmode", observed, "require, verify-ca or verify-full"))
            .collect(),
        remedy: Remedy::manual(holder.rewrite("with sslmode=require")),
    };
    Some(Judgement::fail(holder.subject, holder.tags, failure))
}
