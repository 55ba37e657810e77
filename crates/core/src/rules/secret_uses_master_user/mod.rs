#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, Rule, RuleResult, Workload};
use crate::facts::{CredentialSource, Database, SECRET_READS, connections_in_use, each_credential_source, resolves_to};
use crate::finding::Evidence;
use crate::model::connection::Connection;
use crate::model::policy::Severity;

/// `secret-uses-master-user`
pub struct SecretUsesMasterUser;

static META: Meta = Meta {
    id: "secret-uses-master-user",
    severity: Severity::Medium,
    summary: "a database secret logs in as the database's master user",
    docs: include_str!("doc.md"),
    parameters: &["secret_env"],
    reads: SECRET_READS,
    ..Meta::DEFAULT
};

impl Rule for SecretUsesMasterUser {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        let databases = match w.databases() {
            Err(e) => return w.unknown(&e),
            // With no database there is no master user.
            Ok([]) => return vec![],
            Ok(databases) => databases,
        };
        each_credential_source(w, |source| evaluate_source(w, source, databases))
    }
}

fn evaluate_source<'a>(
    w: &Workload<'a>,
    source: &CredentialSource<'a>,
    databases: &[Database<'a>],
) -> Option<RuleResult<'a>> {
    let mut evaluated = false;
    let mut found: Vec<(String, &str, &str)> = vec![];
    for value in &source.values {
        let shape = match &value.shape {
            Err(e) => return Some(RuleResult::unknown(source.subject, source.tags, e)),
            Ok(None) => continue,
            Ok(Some(shape)) => shape,
        };
        for (_, connection) in connections_in_use(w, source, value, shape, databases) {
            let (Some(user), Some((database, master))) = (&connection.user, master_of(w, connection, databases)) else {
                continue;
            };
            evaluated = true;
            if user == master {
                let told = source.describe(value, &format!("it logs in as {user}, the master user of {database}"));
                if !found.iter().any(|(known, ..)| *known == told) {
                    found.push((told, database, master));
                }
            }
        }
    }
    if !evaluated {
        return None;
    }
    if found.is_empty() {
        return Some(RuleResult::pass(source.subject));
    }
    let told: Vec<&str> = found.iter().map(|(told, ..)| told.as_str()).collect();
    let told = told.join("; ");
    let failure = Failure {
        severity: None,
        message: match source.secret {
            Some(secret) => format!(
                "the secret {} has more rights than an application needs: {told}",
                secret.name
            ),
            None => format!(
                "{} gets more rights than an application needs from Parameter Store: {told}",
                source.subject.id()
            ),
        },
        evidence: found
            .iter()
            .map(|(_, database, master)| {
                Evidence::new("user", *master, format!("a user other than the master of {database}"))
            })
            .collect(),
        remedy: Remedy::manual(format!(
            "make a user for the application in the database, and {}",
            source.rewrite("with it")
        )),
    };
    Some(RuleResult::fail(source.subject, source.tags, failure))
}

/// The database that a connection leads to, with its master user.
fn master_of<'d>(w: &Workload<'d>, connection: &Connection, databases: &[Database<'d>]) -> Option<(&'d str, &'d str)> {
    let home = databases
        .iter()
        .find(|d| resolves_to(w, connection, std::slice::from_ref(d)).leads_home())?;
    Some((home.id, home.resource.master_user()?))
}
