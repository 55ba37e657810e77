//! Where a workload's database connections are kept, and what running containers use of it: secrets, and the parameters
//! of Parameter Store that services refer to.

use std::sync::Arc;

use super::credential_source::{CredentialSource, CredentialValue, Reference};
use super::database::Database;
use super::resolution::{Resolution, resolves_to};
use super::secrets::{parameter, references, resolve, shape};
use super::workload::Workload;
use crate::model::connection::{Connection, Fault, SecretShape};
use crate::model::resources::{Secret, Service};
use crate::model::snapshot::ReadError;
use crate::model::subject::ResultSubject;
use crate::model::value_from::{self, Selector, ValueFrom};
use crate::rule_result::RuleResult;

/// Where a workload's connections come from: tagged secrets, secrets that are referred to, and services with parameters. With the first
/// error that hides one.
#[must_use]
pub fn credential_sources<'w, 'a>(w: &'w Workload<'a>) -> (&'w [CredentialSource<'a>], Option<Arc<ReadError>>) {
    let (found, error) = w.memo.credential_sources.get_or_init(|| find_sources(w));
    (found, error.clone())
}

fn find_sources<'a>(w: &Workload<'a>) -> (Vec<CredentialSource<'a>>, Option<Arc<ReadError>>) {
    let (references, mut error) = references(w);
    let mut secrets: Vec<(&'a Secret, Option<&Selector>)> = vec![];
    match w.secrets() {
        Err(e) => error = error.or(Some(e)),
        // What is thrown away and used by nobody is no longer of interest.
        Ok(tagged) => secrets.extend(tagged.iter().filter(|s| s.deleted_at.is_none()).map(|s| (*s, None))),
    }
    let mut parameters: Vec<(&'a Service, &'a str)> = vec![];
    for Reference { service, target, .. } in references {
        match target {
            ValueFrom::Parameter(name) if value_from::is_parameter(name) => parameters.push((service, name)),
            // `ecs-secret-reference-mismatch` speaks of what is neither, and of what does not exist.
            ValueFrom::Parameter(_) => {}
            ValueFrom::Secret(target) => match resolve(w, target) {
                Err(e) => error = error.or(Some(e)),
                Ok(None) => {}
                Ok(Some(secret)) => secrets.push((secret, Some(&target.selector))),
            },
        }
    }
    secrets.sort_by(|(a, x), (b, y)| (&a.arn, x).cmp(&(&b.arn, y)));
    secrets.dedup_by(|(a, x), (b, y)| a.arn == b.arn && x == y);
    parameters.sort_by(|(a, x), (b, y)| (&a.arn, x).cmp(&(&b.arn, y)));
    parameters.dedup_by(|(a, x), (b, y)| a.arn == b.arn && x == y);
    let secrets = secrets.chunk_by(|(a, _), (b, _)| a.arn == b.arn);
    let parameters = parameters.chunk_by(|(a, _), (b, _)| a.arn == b.arn);
    let of_secrets = secrets.filter_map(|used| of_secret(w, used));
    (
        of_secrets
            .chain(parameters.filter_map(|used| of_service(w, used)))
            .collect(),
        error,
    )
}

/// Applies `evaluate` to each of them, and adds an unknown result if a failed read may hide one.
#[must_use]
pub fn each_credential_source<'a>(
    w: &Workload<'a>,
    evaluate: impl FnMut(&CredentialSource<'a>) -> Option<RuleResult<'a>>,
) -> Vec<RuleResult<'a>> {
    let (sources, error) = credential_sources(w);
    let mut out: Vec<RuleResult> = sources.iter().filter_map(evaluate).collect();
    out.extend(error.iter().flat_map(|e| w.unknown(e)));
    out
}

/// A secret with its uses. One without uses is evaluated on its own.
fn of_secret<'a>(w: &Workload<'a>, used: &[(&'a Secret, Option<&Selector>)]) -> Option<CredentialSource<'a>> {
    let (secret, _) = *used.first()?;
    let whole = Selector::default();
    let mut selectors: Vec<&Selector> = used.iter().filter_map(|(_, selector)| *selector).collect();
    let referenced = !selectors.is_empty();
    if !referenced {
        selectors.push(&whole);
    }
    let value = |selector: &Selector| CredentialValue {
        name: &secret.name,
        shape: shape(w, secret, selector),
        key: selector.json_key.clone(),
    };
    Some(CredentialSource {
        subject: ResultSubject::Secret(secret),
        tags: &secret.tags,
        secret: Some(secret),
        referenced,
        values: selectors.into_iter().map(value).collect(),
    })
}

/// A service with the parameters that it refers to.
fn of_service<'a>(w: &Workload<'a>, used: &[(&'a Service, &'a str)]) -> Option<CredentialSource<'a>> {
    let (service, _) = *used.first()?;
    let value = |name: &'a str| CredentialValue {
        name,
        shape: parameter(w, name),
        key: None,
    };
    Some(CredentialSource {
        subject: ResultSubject::Service(service),
        tags: &service.tags,
        secret: None,
        referenced: true,
        values: used.iter().map(|(_, name)| value(name)).collect(),
    })
}

/// The connections of one shape that count: those that a container uses, or else those meant as one. The key is absent
/// if the connection is the whole value.
#[must_use]
pub fn connections<'s>(
    shape: &'s SecretShape,
    key: Option<&str>,
    referenced: bool,
) -> Vec<(Option<&'s str>, &'s Connection)> {
    match (shape, key) {
        (SecretShape::Plain(c), _) => {
            if referenced || is_meant(c) {
                vec![(None, c)]
            } else {
                vec![]
            }
        }
        (SecretShape::Json { keys, .. }, Some(key)) => keys
            .get_key_value(key)
            .and_then(|(k, c)| c.as_ref().map(|c| (Some(k.as_str()), c)))
            .into_iter()
            .collect(),
        (SecretShape::Json { keys, parts }, None) => keys
            .iter()
            .filter_map(|(k, c)| c.as_ref().filter(|c| is_meant(c)).map(|c| (Some(k.as_str()), c)))
            .chain(parts.iter().map(|c| (None, c)))
            .collect(),
        (SecretShape::Binary, _) => vec![],
    }
}

/// Whether something that no database variable refers to was meant as a database's address all the same: a web hook or
/// the address of a queue or cache is a URL too, and no fault of a rule about databases.
fn is_meant(connection: &Connection) -> bool {
    let of_no_database = connection
        .faults
        .iter()
        .any(|f| matches!(f, Fault::WrongScheme { found: Some(s) } if !s.starts_with("jdbc:")));
    connection.looks_intended() && !connection.is_other_engine() && !of_no_database
}

/// The well-formed connections of one value whose details are worth evaluating: those that a container uses, and of a
/// secret that none refers to those that lead to one of `databases`, which a container could use tomorrow.
#[must_use]
pub fn connections_in_use<'s>(
    source: &CredentialSource<'_>,
    value: &CredentialValue<'_>,
    shape: &'s SecretShape,
    databases: &[Database<'_>],
) -> Vec<(Option<&'s str>, &'s Connection)> {
    connections(shape, value.key.as_deref(), source.referenced)
        .into_iter()
        .filter(|(_, c)| {
            c.is_well_formed()
                && !c.is_other_engine()
                && (source.referenced || resolves_to(c, databases) == Resolution::OwnDatabase)
        })
        .collect()
}
