//! Where a workload's database connections are kept, and what running containers use of it: secrets, and the parameters
//! of Parameter Store that services refer to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::credential_source::{CredentialSource, CredentialValue};
use super::database::Database;
use super::resolution::resolves_to;
use super::secrets::{parameter, references, resolve, shape};
use super::workload::Workload;
use crate::model::connection::{Connection, Fault, SecretShape};
use crate::model::resources::{Secret, Service};
use crate::model::snapshot::ReadError;
use crate::model::store::{Dialect, Role};
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

/// One use of a secret or parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    selector: Selector,
    role: Role,
    dialect: Option<Dialect>,
}

/// A parameter's name, what it holds, and what reads it.
type UsedParameter<'a> = (&'a str, Role, Option<Dialect>);

fn find_sources<'a>(w: &Workload<'a>) -> (Vec<CredentialSource<'a>>, Option<Arc<ReadError>>) {
    let (references, mut error) = references(w);
    let mut secrets: BTreeMap<&'a str, (&'a Secret, BTreeSet<Use>)> = BTreeMap::new();
    match w.secrets() {
        Err(e) => error = error.or(Some(e)),
        // What is thrown away and used by nobody is no longer of interest.
        Ok(tagged) => {
            let live = tagged.iter().filter(|s| s.deleted_at.is_none());
            secrets.extend(live.map(|s| (s.arn.as_str(), (*s, BTreeSet::new()))));
        }
    }
    let mut parameters: BTreeMap<&'a str, (&'a Service, BTreeSet<UsedParameter<'a>>)> = BTreeMap::new();
    for reference in references {
        let (service, role, dialect) = (reference.service, reference.role, reference.dialect);
        match &reference.target {
            ValueFrom::Parameter(name) if value_from::is_parameter(name) => {
                let (_, used) = parameters
                    .entry(&service.arn)
                    .or_insert_with(|| (service, BTreeSet::new()));
                used.insert((name, role, dialect));
            }
            // `ecs-secret-reference-mismatch` speaks of what is neither, and of what does not exist.
            ValueFrom::Parameter(_) => {}
            ValueFrom::Secret(target) => match resolve(w, target) {
                Err(e) => error = error.or(Some(e)),
                Ok(None) => {}
                Ok(Some(secret)) => {
                    let (_, used) = secrets.entry(&secret.arn).or_insert_with(|| (secret, BTreeSet::new()));
                    used.insert(Use {
                        selector: target.selector.clone(),
                        role,
                        dialect,
                    });
                }
            },
        }
    }
    let of_secrets = secrets.into_values().map(|(secret, used)| of_secret(w, secret, &used));
    let of_services = parameters
        .into_values()
        .map(|(service, used)| of_service(w, service, used));
    (of_secrets.chain(of_services).collect(), error)
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
fn of_secret<'a>(w: &Workload<'a>, secret: &'a Secret, used: &BTreeSet<Use>) -> CredentialSource<'a> {
    let referenced = !used.is_empty();
    let value = |selector: &Selector, role, dialect| CredentialValue {
        name: &secret.name,
        shape: shape(w, secret, selector),
        key: selector.json_key.clone(),
        role,
        dialect,
    };
    CredentialSource {
        subject: ResultSubject::Secret(secret),
        tags: &secret.tags,
        secret: Some(secret),
        referenced,
        values: if referenced {
            used.iter()
                .map(|u| value(&u.selector, Some(u.role), u.dialect))
                .collect()
        } else {
            vec![value(&Selector::default(), None, None)]
        },
    }
}

/// A service with the parameters that it refers to.
fn of_service<'a>(w: &Workload<'a>, service: &'a Service, used: BTreeSet<UsedParameter<'a>>) -> CredentialSource<'a> {
    let value = |(name, role, dialect)| CredentialValue {
        name,
        shape: parameter(w, name),
        key: None,
        role: Some(role),
        dialect,
    };
    CredentialSource {
        subject: ResultSubject::Service(service),
        tags: &service.tags,
        secret: None,
        referenced: true,
        values: used.into_iter().map(value).collect(),
    }
}

impl CredentialValue<'_> {
    /// The connections in its value that count for its role: none in a password or a user's name.
    #[must_use]
    pub fn connections<'s>(&self, shape: &'s SecretShape, referenced: bool) -> Vec<(Option<&'s str>, &'s Connection)> {
        match self.role {
            None | Some(Role::Url | Role::Host) => {
                let found = connections(shape, self.key.as_deref(), referenced);
                let other = |c: &Connection| c.is_other_engine();
                found.into_iter().filter(|(_, c)| !other(c)).collect()
            }
            Some(_) => vec![],
        }
    }
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
pub fn connections_in_use<'s, 'a>(
    w: &Workload<'a>,
    source: &CredentialSource<'_>,
    value: &CredentialValue<'_>,
    shape: &'s SecretShape,
    databases: &[Database<'a>],
) -> Vec<(Option<&'s str>, &'s Connection)> {
    value
        .connections(shape, source.referenced)
        .into_iter()
        .filter(|(_, c)| {
            let usable = c.is_well_formed() && !c.is_other_engine();
            usable && (source.referenced || resolves_to(w, c, databases).leads_home())
        })
        .collect()
}
