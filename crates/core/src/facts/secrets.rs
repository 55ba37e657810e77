//! What several rules ask about secrets: who refers to which, what its value is, where it leads.

use std::borrow::Cow;
use std::sync::Arc;

use super::credential_source::Reference;
use super::database::Database;
use super::resolution::{Resolution, resolves_to};
use super::workload::Workload;
use crate::model::connection::{Connection, ConnectionForm, SecretShape};
use crate::model::follow_up_reads::FollowUpReads;
use crate::model::hold::HoldReason;
use crate::model::resources::{Secret, SecretVariable, Service, TaskDefinition};
use crate::model::snapshot::{Lookup, Read, ReadError, SecretValue};
use crate::model::store::{Dialect, Engine, Role};
use crate::model::value_from::{self, SecretRef, Selector, ValueFrom};

/// The IAM actions that lead from a service to the value of its secret, and to the database that it should lead to.
pub const SECRET_READS: &[&str] = &[
    "rds:DescribeDBInstances",
    "rds:DescribeDBClusters",
    "rds:DescribeDBClusterEndpoints",
    "rds:DescribeDBProxies",
    "rds:DescribeDBProxyEndpoints",
    "rds:DescribeDBProxyTargets",
    "rds:DescribeGlobalClusters",
    "ecs:ListClusters",
    "ecs:ListServices",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "tag:GetResources",
    "secretsmanager:ListSecrets",
    "secretsmanager:DescribeSecret",
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameters",
];

/// A variable that is filled from a secret and belongs to a connection to PostgreSQL, or to a database of an engine that
/// isn't known.
#[derive(Debug, Clone)]
pub struct DatabaseVariable<'a> {
    /// The container's name.
    pub container: &'a str,
    /// The variable.
    pub variable: &'a SecretVariable,
    /// What it holds.
    pub role: Role,
    /// What reads it, where that is known.
    pub dialect: Option<Dialect>,
    /// Which of the revision's connections it belongs to.
    pub connection: usize,
}

/// The database variables of one revision, as `service` or else the workload has them.
#[must_use]
pub fn database_variables<'a>(
    w: &Workload<'a>,
    service: Option<&Service>,
    definition: &'a TaskDefinition,
) -> Vec<DatabaseVariable<'a>> {
    let mut found: Vec<DatabaseVariable<'a>> = vec![];
    let mut number = 0;
    for (container, connections) in w.connections_of(service, definition) {
        for connection in connections.iter() {
            number += 1;
            if !connection.keeps_data() || matches!(connection.engine, Engine::Other(_) | Engine::Builtin(_)) {
                continue;
            }
            found.extend(connection.secrets().map(|(role, variable)| DatabaseVariable {
                container: &container.name,
                variable,
                role,
                dialect: connection.dialect,
                connection: number,
            }));
        }
    }
    found
}

/// Every reference to a database secret that a running revision makes, and the first error that hides one.
#[must_use]
pub fn references<'w, 'a>(w: &'w Workload<'a>) -> (&'w [Reference<'a>], Option<Arc<ReadError>>) {
    let (found, error) = w.memo.references.get_or_init(|| find_references(w));
    (found, error.clone())
}

fn find_references<'a>(w: &Workload<'a>) -> (Vec<Reference<'a>>, Option<Arc<ReadError>>) {
    let mut error = w.services_error();
    let mut found = vec![];
    for &service in w.services().unwrap_or_default() {
        match w.running(service) {
            Err(e) => error = error.or(Some(e)),
            Ok(definition) => found.extend(
                database_variables(w, Some(service), definition)
                    .into_iter()
                    .map(|found| Reference {
                        service,
                        container: found.container,
                        variable: found.variable,
                        role: found.role,
                        dialect: found.dialect,
                        target: value_from::parse(&found.variable.value_from),
                    }),
            ),
        }
    }
    (found, error)
}

/// The secret that a reference leads to.
///
/// # Errors
/// What kept it from being looked up.
pub fn resolve<'a>(w: &Workload<'a>, reference: &SecretRef<'_>) -> Read<Option<&'a Secret>> {
    let not_read = || {
        Arc::new(ReadError {
            service: "secretsmanager".into(),
            operation: "DescribeSecret".into(),
            resource: reference.arn.to_owned(),
            code: "NotRead".into(),
            message: "the secret was not looked up; `secrets.inspect: off` forbids it".into(),
        })
    };
    match w.snapshot.lookups.get(reference.arn) {
        Some(Ok(Lookup::Missing)) => Ok(None),
        Some(Ok(Lookup::Found(arn))) => {
            w.secrets()?;
            w.secret(arn).map(Some).ok_or_else(not_read)
        }
        Some(Err(e)) => Err(Arc::clone(e)),
        None => Err(not_read()),
    }
}

/// The facts about one version of a secret; `None` if the version does not exist.
///
/// # Errors
/// What kept the value from being read: denied, or not allowed by `secrets.inspect`.
pub fn shape<'a>(w: &Workload<'a>, secret: &Secret, selector: &Selector) -> Read<Option<&'a SecretShape>> {
    let version = Selector {
        json_key: None,
        ..selector.clone()
    };
    let version = if version.pins() { version } else { Selector::default() };
    match w.snapshot.values.get(&(secret.arn.clone(), version)) {
        Some(Ok(SecretValue::Shape(shape))) => Ok(Some(shape)),
        Some(Ok(SecretValue::NoSuchVersion)) => Ok(None),
        Some(Err(e)) => Err(Arc::clone(e)),
        None if secret.deleted_at.is_some() => Err(Arc::new(ReadError {
            service: "secretsmanager".into(),
            operation: "GetSecretValue".into(),
            resource: secret.name.clone(),
            code: "Deleted".into(),
            message: format!(
                "{} is scheduled for deletion, and so its value can't be read; aws secretsmanager restore-secret \
                 --secret-id {} cancels that",
                secret.name, secret.arn
            ),
        })),
        Some(Ok(SecretValue::NotInspected)) | None => Err(Arc::new(ReadError {
            service: "secretsmanager".into(),
            operation: "GetSecretValue".into(),
            resource: secret.name.clone(),
            code: "NotInspected".into(),
            message: format!(
                "the value of {} was not read; `secrets.inspect: value` allows it",
                secret.name
            ),
        })),
    }
}

/// The facts about a parameter, by the reference as written; `None` if there is no such parameter.
///
/// # Errors
/// What kept it from being read: denied, or not allowed by `secrets.inspect`.
pub fn parameter<'a>(w: &Workload<'a>, reference: &str) -> Read<Option<&'a SecretShape>> {
    match w.snapshot.parameters.get(reference) {
        Some(Ok(Some(SecretValue::Shape(shape)))) => Ok(Some(shape)),
        Some(Ok(Some(SecretValue::NoSuchVersion) | None)) => Ok(None),
        Some(Err(e)) => Err(Arc::clone(e)),
        Some(Ok(Some(SecretValue::NotInspected))) | None => Err(Arc::new(ReadError {
            service: "ssm".into(),
            operation: "GetParameters".into(),
            resource: reference.to_owned(),
            code: "NotInspected".into(),
            message: format!("the parameter {reference} was not read; `secrets.inspect: value` allows it"),
        })),
    }
}

/// The ARN that a role must be able to read to fetch a reference: of a secret or of a parameter. `None` if the
/// reference leads nowhere, which `ecs-secret-reference-mismatch` reports.
///
/// # Errors
/// What kept the secret or parameter from being looked up.
pub fn readable_as<'r, 'a: 'r>(w: &Workload<'a>, reference: &'r str) -> Read<Option<Cow<'r, str>>> {
    match value_from::parse(reference) {
        ValueFrom::Secret(target) => match resolve(w, &target) {
            // A correction may name a secret that no container refers to yet.
            Err(_)
                if w.snapshot
                    .secrets
                    .as_ref()
                    .is_ok_and(|all| all.contains_key(target.arn)) =>
            {
                Ok(Some(target.arn.into()))
            }
            found => Ok(found?.map(|s| s.arn.as_str().into())),
        },
        ValueFrom::Parameter(name) if value_from::is_parameter(name) => {
            let arn = value_from::parameter_arn(name, &w.snapshot.scope);
            Ok(parameter(w, name)?.map(|_| arn.into()))
        }
        ValueFrom::Parameter(_) => Ok(None),
    }
}

/// Asks whether the execution role of a revision may read what a reference leads to.
pub fn ask_to_read(w: &Workload<'_>, definition: &TaskDefinition, reference: &str, reads: &mut FollowUpReads) {
    if let (Some(role), Ok(Some(resource))) = (&definition.execution_role, readable_as(w, reference)) {
        reads.may(role, resource.into_owned().into());
    }
}

/// The one reference that a database variable of this workload should have: to the only tagged secret whose value
/// is well formed and leads to the workload's database.
///
/// # Errors
/// Why there is not exactly one.
pub fn right_reference(w: &Workload<'_>) -> Result<String, HoldReason> {
    right_connection(w).map(|(reference, _)| reference)
}

/// The same as [`right_reference`], with the connection that it leads to.
///
/// # Errors
/// Why there is not exactly one.
pub fn right_connection<'a>(w: &Workload<'a>) -> Result<(String, &'a Connection), HoldReason> {
    let databases = w.databases().map_err(HoldReason::DatabasesUnknown)?;
    let secrets = w.secrets().map_err(HoldReason::SecretsUnknown)?;
    let mut right = vec![];
    let mut unread = vec![];
    for secret in secrets.iter().filter(|s| s.deleted_at.is_none()) {
        match shape(w, secret, &Selector::default()) {
            Err(e) => unread.push(e),
            Ok(found) => right.extend(found.into_iter().flat_map(|s| usable(w, s, databases)).map(
                |(key, connection)| {
                    let selector = Selector {
                        json_key: key.map(str::to_owned),
                        ..Selector::default()
                    };
                    (value_from::write(&secret.arn, &selector), connection)
                },
            )),
        }
    }
    match (right.as_slice(), unread.first()) {
        ([one], None) => Ok(one.clone()),
        ([], None) => Err(HoldReason::NoRightSecret {
            prefix: w.prefix.to_owned(),
            workload: w.name.to_owned(),
        }),
        (_, Some(e)) => Err(HoldReason::RightSecretUnknown(Arc::clone(e))),
        (several, None) => Err(HoldReason::SeveralReferences(several.len())),
    }
}

/// The keys (`None`: the whole value) under which a shape holds a well-formed connection to one of `databases`.
#[must_use]
pub fn usable_keys<'a>(w: &Workload<'a>, shape: &SecretShape, databases: &[Database<'a>]) -> Vec<Option<String>> {
    let keys = usable(w, shape, databases).into_iter();
    keys.map(|(key, _)| key.map(str::to_owned)).collect()
}

fn usable<'s, 'a>(
    w: &Workload<'a>,
    shape: &'s SecretShape,
    databases: &[Database<'a>],
) -> Vec<(Option<&'s str>, &'s Connection)> {
    let usable = |c: &Connection| c.is_well_formed() && c.form != ConnectionForm::Address && !c.is_other_engine();
    let good = |c: &Connection| usable(c) && resolves_to(w, c, databases) == Resolution::OwnDatabase;
    match shape {
        SecretShape::Plain(c) if good(c) => vec![(None, c)],
        SecretShape::Json { keys, .. } => keys
            .iter()
            .filter_map(|(key, c)| c.as_ref().filter(|c| good(c)).map(|c| (Some(key.as_str()), c)))
            .collect(),
        _ => vec![],
    }
}
