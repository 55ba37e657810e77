//! Changes to the secrets of the clean workload: what they hold, who may read them, what stands in plain text.

use std::collections::BTreeMap;

use super::workload::{HOST, ROLE, SECRET, connection, holds, running, web};
use crate::model::connection::{Connection, Fault, SecretShape};
use crate::model::resources::{Access, Container, PlainValue, PlainVariable, Secret};

use crate::model::snapshot::{SecretValue, Snapshot};
use crate::model::value_from::Selector;

pub(crate) const PARAMETER: &str = "/shop/url";
pub(crate) const PARAMETER_ARN: &str = "arn:aws:ssm:us-east-1:123456789012:parameter/shop/url";
pub(crate) const OTHER: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-api-Xyz789";

/// A connection that nobody would complain about.
pub(crate) fn good() -> Connection {
    Connection {
        sslmode: Some("require".into()),
        ..connection(HOST, "app", vec![])
    }
}

pub(crate) fn as_master() -> Connection {
    Connection {
        user: Some("shop_admin".into()),
        ..good()
    }
}

pub(crate) fn in_mode(mode: Option<&str>) -> Connection {
    Connection {
        sslmode: mode.map(str::to_owned),
        ..good()
    }
}

pub(crate) fn plain(s: &mut Snapshot, connection: Connection) {
    holds(s, SecretShape::Plain(connection));
}

/// JSON with a good key `url` and `other` under the key `admin`.
pub(crate) fn json(s: &mut Snapshot, other: Connection) {
    let keys = BTreeMap::from([("url".to_owned(), Some(good())), ("admin".to_owned(), Some(other))]);
    holds(s, SecretShape::Json { keys, parts: None });
}

pub(crate) fn secret<'s>(s: &'s mut Snapshot, arn: &str) -> &'s mut Secret {
    s.secrets.as_mut().expect("read").get_mut(arn).expect("the secret")
}

/// A second tagged secret, which holds no connection; readable, closed, rotated.
pub(crate) fn other(s: &mut Snapshot) -> &mut Secret {
    let mut copy = secret(s, SECRET).clone();
    (copy.arn, copy.name) = (OTHER.into(), "shop-api".into());
    s.secrets.as_mut().expect("read").insert(OTHER.into(), copy);
    s.policies.insert(OTHER.into(), Ok(vec![]));
    s.versions.insert(OTHER.into(), Ok(super::old_versions()));
    let nothing = connection("", "", vec![Fault::NotAConnectionString]);
    holds_at(s, OTHER, SecretShape::Plain(nothing));
    secret(s, OTHER)
}

pub(crate) fn holds_at(s: &mut Snapshot, arn: &str, shape: SecretShape) {
    s.values
        .insert((arn.into(), Selector::default()), Ok(SecretValue::Shape(shape)));
}

/// Takes the database variable from a parameter, which holds `shape`; `None`: there is none such.
pub(crate) fn parameter(s: &mut Snapshot, shape: Option<SecretShape>) {
    web(s).secrets[0].value_from = PARAMETER.into();
    s.parameters.insert(PARAMETER.into(), Ok(shape.map(SecretValue::Shape)));
    s.access
        .insert((ROLE.into(), PARAMETER_ARN.into()), Ok(Access::Allowed));
}

pub(crate) fn may(s: &mut Snapshot, access: Access) {
    s.access.insert((ROLE.into(), SECRET.into()), Ok(access));
}

pub(crate) fn lacks(action: &str) -> Access {
    Access::Denied {
        missing: vec![format!("{action} on {SECRET}")],
    }
}

/// The database variable in plain text, in place of the secret.
pub(crate) fn plain_url(s: &mut Snapshot, connection: Connection) {
    let moved = web(s).secrets.remove(0);
    plain_beside(s, &moved.name, connection);
}

pub(crate) fn plain_beside(s: &mut Snapshot, variable: &str, connection: Connection) {
    web(s).variables.push(PlainVariable {
        name: variable.into(),
        value: PlainValue {
            connection: Some(connection),
            ..PlainValue::default()
        },
    });
}

pub(crate) fn plain_password(s: &mut Snapshot, container: &str, variable: &str) {
    let containers = &mut running(s).containers;
    if !containers.iter().any(|c| c.name == container) {
        containers.push(Container {
            name: container.into(),
            ..Container::default()
        });
    }
    let found = containers.iter_mut().find(|c| c.name == container).expect("there");
    found.variables.push(super::workload::plain(variable, "Secret-Pw1"));
}

pub(crate) fn unread(s: &mut Snapshot) {
    s.values
        .insert((SECRET.into(), Selector::default()), Ok(SecretValue::NotInspected));
}

/// JSON with the connection under the key `url`, and something else beside it.
pub(crate) fn json_secret(s: &mut Snapshot) {
    let keys = BTreeMap::from([
        ("url".to_owned(), Some(connection(HOST, "app", vec![]))),
        (
            "theme".to_owned(),
            Some(connection("", "", vec![Fault::NotAConnectionString])),
        ),
    ]);
    holds(s, SecretShape::Json { keys, parts: None });
}
