//! The hops from the container's variable to the connection string.

use super::hop_result::{HopResult, unread};
use super::walk::Walk;
use crate::config::Datastore;
use crate::facts::{parameter as parameter_shape, resolve, shape};
use crate::model::connection::{Connection, SecretShape};
use crate::model::resources::{Secret, revision_name};
use crate::model::value_from::{SecretRef, ValueFrom};

/// A container gets one of `secret_env` from a secret.
pub(super) fn variable(t: &mut Walk<'_>) -> HopResult {
    let Some(definition) = t.definition else {
        return HopResult::not_reached("the running revision is unknown");
    };
    if let Some(found) = t.finding_about(&["ecs-missing-database-secret"], &[&t.service.arn]) {
        return found;
    }
    let name = revision_name(&definition.arn);
    let Some((container, variable)) = t.variable else {
        let declared = t.w.declared(t.service, definition).datastore;
        return match declared {
            Datastore::Volume | Datastore::Other | Datastore::None => HopResult::unknown(format!(
                "the datastore of {} is declared as {declared}, and no container of {name} gets a database variable",
                t.name()
            ))
            .unchecked("there is no path to a PostgreSQL database to follow"),
            Datastore::Auto | Datastore::Postgres => {
                HopResult::unknown(format!("no container of {name} gets a database secret"))
            }
        };
    };
    HopResult::proved(format!("the container {container} of {name} gets {}", variable.name)).fact(
        format!("containerDefinitions[{container}].secrets[{}].valueFrom", variable.name),
        variable.value_from.as_str(),
    )
}

/// The reference leads to a secret, and fits what that holds.
pub(super) fn secret(t: &mut Walk<'_>) -> HopResult {
    let target = match t.reference() {
        None => return HopResult::not_reached("there is no variable to follow"),
        Some(ValueFrom::Parameter(name)) => return parameter(t, name),
        Some(ValueFrom::Secret(target)) => target,
    };
    let resolved = resolve(t.w, &target);
    if let Ok(Some(secret)) = &resolved {
        t.secret = Some(secret);
        // What waits for its deletion can't be read, so the rules about its value know nothing.
        if let Some(found) = t.finding_about(&["secret-deletion-scheduled"], &[&secret.arn]) {
            return found;
        }
    }
    if let Some(found) = t.finding_about(&["ecs-secret-reference-mismatch"], &[&t.service.arn]) {
        return found;
    }
    match resolved {
        Err(e) => unread(&e),
        // The rule above speaks of it.
        Ok(None) => HopResult::unknown(format!("the secret {} was not found", target.resource)),
        Ok(Some(secret)) => fits(secret, &target),
    }
}

fn fits(secret: &Secret, target: &SecretRef<'_>) -> HopResult {
    let s = &target.selector;
    let what = match (&s.json_key, s.pins()) {
        (Some(key), false) => format!("the key `{key}` of the secret {}", secret.name),
        (Some(key), true) => format!("the key `{key}` of a pinned version of the secret {}", secret.name),
        (None, true) => format!("a pinned version of the secret {}", secret.name),
        (None, false) => format!("the secret {}", secret.name),
    };
    let current: Vec<&str> = secret
        .versions
        .iter()
        .filter(|(_, stages)| stages.iter().any(|s| s == "AWSCURRENT"))
        .map(|(id, _)| id.as_str())
        .collect();
    let mut found = HopResult::proved(format!("its ARN is whole and leads to {what}")).fact("ARN", secret.arn.as_str());
    if let [current] = current.as_slice() {
        found = found.fact("AWSCURRENT", *current);
    }
    if let Some(at) = secret.changed_at {
        found = found.fact("LastChangedDate", at.to_string());
    }
    found
}

fn parameter(t: &Walk<'_>, name: &str) -> HopResult {
    if let Some(found) = t.finding_about(&["ecs-secret-reference-mismatch"], &[&t.service.arn]) {
        return found;
    }
    match parameter_shape(t.w, name) {
        Err(e) => unread(&e),
        // The rule above speaks of it.
        Ok(None) => HopResult::unknown(format!("the parameter {name} was not found")),
        Ok(Some(_)) => HopResult::proved(format!("the parameter {name} exists")).fact("Name", name),
    }
}

/// The value is a connection string that a PostgreSQL client can use.
pub(super) fn url(t: &mut Walk<'_>) -> HopResult {
    let (name, key, found) = match t.reference() {
        None => return HopResult::not_reached("there is no variable to follow"),
        Some(ValueFrom::Parameter(name)) => {
            let found = parameter_shape(t.w, name);
            (name.to_owned(), None, found)
        }
        Some(ValueFrom::Secret(target)) => {
            let Some(secret) = t.secret else {
                return HopResult::not_reached("the secret is not known");
            };
            let found = shape(t.w, secret, &target.selector);
            (secret.name.clone(), target.selector.json_key, found)
        }
    };
    if let Some(found) = t.finding_about(&["secret-malformed-url"], &[t.holder()]) {
        return found;
    }
    let found = match found {
        Err(e) => return unread(&e),
        Ok(None) => return HopResult::not_reached("what it refers to does not exist"),
        Ok(Some(shape)) => connection_in(shape, key.as_deref()),
    };
    let Some(connection) = found.filter(|c| c.is_well_formed()) else {
        // The rule above speaks of it.
        return HopResult::unknown(format!("{name} holds no well-formed connection string there"));
    };
    t.connection = Some(connection);
    let hosts: Vec<String> = connection
        .hosts
        .iter()
        .map(|h| format!("{}:{}", h.host, h.port))
        .collect();
    let text = |o: &Option<String>| o.clone().unwrap_or_else(|| "(none)".to_owned());
    HopResult::proved(format!(
        "the value of {name} is a connection string that a PostgreSQL client can use"
    ))
    .fact("host", hosts.join(","))
    .fact("database", text(&connection.database))
    .fact("user", text(&connection.user))
    .fact(
        "password",
        if connection.has_password {
            "given, and well encoded"
        } else {
            "(none)"
        },
    )
    .fact("sslmode", text(&connection.sslmode))
}

fn connection_in<'s>(shape: &'s SecretShape, key: Option<&str>) -> Option<&'s Connection> {
    match (shape, key) {
        (SecretShape::Plain(connection), _) => Some(connection),
        (SecretShape::Json { keys, .. }, Some(key)) => keys.get(key)?.as_ref(),
        _ => None,
    }
}
