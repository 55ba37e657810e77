//! Where a workload's database connections are kept, and what running containers use of it: secrets, and the parameters
//! of Parameter Store that services refer to.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::database::Database;
use super::secrets::{Leads, Reference, leads, parameter, references, resolve, shape};
use super::workload::Workload;
use crate::model::connection::{Connection, Fault, SecretShape};
use crate::model::judgement::Judgement;
use crate::model::resources::{Secret, Service};
use crate::model::snapshot::{ReadError, Seen};
use crate::model::subject::Subject;
use crate::model::tags::Tags;
use crate::model::value_from::{self, Selector, ValueFrom};

/// A secret, or the parameters of one service. Findings know no kind for a parameter, so the service stands for it.
pub struct Holder<'a> {
    /// The secret, or the service.
    pub subject: Subject<'a>,
    /// Its tags.
    pub tags: &'a Tags,
    /// The secret; absent for parameters.
    pub secret: Option<&'a Secret>,
    /// Whether a database variable of a running container refers to it.
    pub referenced: bool,
    /// What is used of it.
    pub values: Vec<Held<'a>>,
}

/// One value, as it is used.
pub struct Held<'a> {
    /// Name of the secret or parameter.
    pub name: &'a str,
    /// The key that is used of a JSON value.
    pub key: Option<String>,
    /// Facts about it; absent: it is not there, of which `ecs-secret-reference-mismatch` speaks.
    pub shape: Seen<Option<&'a SecretShape>>,
}

impl Holder<'_> {
    /// For messages: the secret's name, or the names of the parameters.
    #[must_use]
    pub fn name(&self) -> String {
        let names: BTreeSet<&str> = self.values.iter().map(|v| v.name).collect();
        match self.secret {
            Some(secret) => secret.name.clone(),
            None => names.into_iter().collect::<Vec<_>>().join(", "),
        }
    }

    /// What is told of one value: of a secret just that, of parameters with the parameter's name before it.
    #[must_use]
    pub fn told(&self, held: &Held<'_>, what: &str) -> String {
        match self.secret {
            Some(_) => what.to_owned(),
            None => format!("{}: {what}", held.name),
        }
    }

    /// AWS's name for the field that holds a value.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self.secret {
            Some(_) => "SecretString",
            None => "Parameter.Value",
        }
    }

    /// How a person writes the value anew.
    #[must_use]
    pub fn rewrite(&self, how: &str) -> String {
        match self.secret {
            Some(secret) => format!(
                "write the value of {} anew {how}, then restart the services that use it",
                secret.name
            ),
            None => format!(
                "write {} anew {how} (aws ssm put-parameter --overwrite), then restart {}",
                self.name(),
                self.subject.id()
            ),
        }
    }
}

/// The holders of a workload: tagged secrets, secrets that are referred to, and services with parameters. With the first
/// error that hides one.
#[must_use]
pub fn holders<'w, 'a>(w: &'w Workload<'a>) -> (&'w [Holder<'a>], Option<Arc<ReadError>>) {
    let (found, error) = w.answers.holders.get_or_init(|| find_holders(w));
    (found, error.clone())
}

fn find_holders<'a>(w: &Workload<'a>) -> (Vec<Holder<'a>>, Option<Arc<ReadError>>) {
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
    let held = secrets.filter_map(|used| of_secret(w, used));
    (
        held.chain(parameters.filter_map(|used| of_service(w, used))).collect(),
        error,
    )
}

/// What `judge` says of each holder, and that something is unknown where one may be hidden.
#[must_use]
pub fn each_holder<'a>(
    w: &Workload<'a>,
    judge: impl FnMut(&Holder<'a>) -> Option<Judgement<'a>>,
) -> Vec<Judgement<'a>> {
    let (holders, error) = holders(w);
    let mut out: Vec<Judgement> = holders.iter().filter_map(judge).collect();
    out.extend(error.iter().flat_map(|e| w.unknown(e)));
    out
}

/// A secret with its uses; without any it is held for what it is by itself.
fn of_secret<'a>(w: &Workload<'a>, used: &[(&'a Secret, Option<&Selector>)]) -> Option<Holder<'a>> {
    let (secret, _) = *used.first()?;
    let whole = Selector::default();
    let mut selectors: Vec<&Selector> = used.iter().filter_map(|(_, selector)| *selector).collect();
    let referenced = !selectors.is_empty();
    if !referenced {
        selectors.push(&whole);
    }
    let held = |selector: &Selector| Held {
        name: &secret.name,
        shape: shape(w, secret, selector),
        key: selector.json_key.clone(),
    };
    Some(Holder {
        subject: Subject::Secret(secret),
        tags: &secret.tags,
        secret: Some(secret),
        referenced,
        values: selectors.into_iter().map(held).collect(),
    })
}

/// A service with the parameters that it refers to.
fn of_service<'a>(w: &Workload<'a>, used: &[(&'a Service, &'a str)]) -> Option<Holder<'a>> {
    let (service, _) = *used.first()?;
    let held = |name: &'a str| Held {
        name,
        shape: parameter(w, name),
        key: None,
    };
    Some(Holder {
        subject: Subject::Service(service),
        tags: &service.tags,
        secret: None,
        referenced: true,
        values: used.iter().map(|(_, name)| held(name)).collect(),
    })
}

/// The connections of one shape that count: those referred to, or else those meant as one. The key is absent where
/// the connection is the whole value.
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

/// Schemes of relational databases, which a person may have taken for PostgreSQL's.
const DATABASE_SCHEMES: &[&str] = &[
    "cockroachdb",
    "db2",
    "jdbc",
    "mariadb",
    "mssql",
    "mysql",
    "odbc",
    "oracle",
    "prisma",
    "redshift",
    "sqlite",
    "sqlite3",
    "sqlserver",
];

/// Whether something that no database variable refers to was meant as a database's address all the same: a web hook or
/// the address of a queue is a URL too, and no fault of a rule about databases.
fn is_meant(connection: &Connection) -> bool {
    let of_another_kind = connection
        .faults
        .iter()
        .any(|f| matches!(f, Fault::WrongScheme { found: Some(s) } if !DATABASE_SCHEMES.contains(&s.as_str())));
    connection.looks_intended() && !of_another_kind
}

/// The well-formed connections of one value whose details are worth judging: those that a container uses, and of a
/// secret that none refers to those that lead to one of `databases`, which a container could use tomorrow.
#[must_use]
pub fn in_use<'s>(
    holder: &Holder<'_>,
    held: &Held<'_>,
    shape: &'s SecretShape,
    databases: &[Database<'_>],
) -> Vec<(Option<&'s str>, &'s Connection)> {
    connections(shape, held.key.as_deref(), holder.referenced)
        .into_iter()
        .filter(|(_, c)| c.is_well_formed() && (holder.referenced || leads(c, databases) == Leads::Home))
        .collect()
}
