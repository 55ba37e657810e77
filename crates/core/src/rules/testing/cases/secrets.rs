//! What secrets hold beyond their form; who may read them; secrets that stand in plain text; parameters.

mod parameters;
mod remedies;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{
    HOST, REVISION, ROLE, SECRET, SERVICE, ago, connection, db, denied, holds, refer, running, service, tags, web,
};
use super::{Area, Change};
use crate::model::connection::{Connection, ConnectionForm, Fault, SecretShape};
use crate::model::resources::{Access, Container, PlainDatabase, Rotation, Secret, SecretVariable};
use crate::model::shared::Shared;
use crate::model::snapshot::{Snapshot, Value};
use crate::model::value_from::Selector;

const MALFORMED: &str = "secret-malformed-url";
const WRONG: &str = "secret-wrong-database";
const MISMATCH: &str = "ecs-secret-reference-mismatch";
const MASTER: &str = "secret-uses-master-user";
const TLS: &str = "secret-no-tls";
const DELETION: &str = "secret-deletion-scheduled";
const BROAD: &str = "secret-broad-access";
const UNROTATED: &str = "secret-unrotated";
const UNREADABLE: &str = "ecs-secret-unreadable";
const PLAINTEXT: &str = "ecs-plaintext-database-url";

const PARAMETER: &str = "/shop/url";
const PARAMETER_ARN: &str = "arn:aws:ssm:us-east-1:123456789012:parameter/shop/url";
const OTHER: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-api-Xyz789";

/// A connection that nobody would complain about.
fn good() -> Connection {
    Connection {
        sslmode: Some("require".into()),
        ..connection(HOST, "app", vec![])
    }
}

fn as_master() -> Connection {
    Connection {
        user: Some("shop_admin".into()),
        ..good()
    }
}

fn in_mode(mode: Option<&str>) -> Connection {
    Connection {
        sslmode: mode.map(str::to_owned),
        ..good()
    }
}

fn plain(s: &mut Snapshot, connection: Connection) {
    holds(s, SecretShape::Plain(connection));
}

/// JSON with a good key `url` and `other` under the key `admin`.
fn json(s: &mut Snapshot, other: Connection) {
    let keys = BTreeMap::from([("url".to_owned(), Some(good())), ("admin".to_owned(), Some(other))]);
    holds(s, SecretShape::Json { keys, parts: None });
}

fn secret<'s>(s: &'s mut Snapshot, arn: &str) -> &'s mut Secret {
    s.secrets.as_mut().expect("read").get_mut(arn).expect("the secret")
}

/// A second tagged secret, which holds no connection; readable, closed, rotated.
fn other(s: &mut Snapshot) -> &mut Secret {
    let mut copy = secret(s, SECRET).clone();
    (copy.arn, copy.name) = (OTHER.into(), "shop-api".into());
    s.secrets.as_mut().expect("read").insert(OTHER.into(), copy);
    s.policies.insert(OTHER.into(), Ok(vec![]));
    let nothing = connection("", "", vec![Fault::NotAConnectionString]);
    holds_at(s, OTHER, SecretShape::Plain(nothing));
    secret(s, OTHER)
}

fn holds_at(s: &mut Snapshot, arn: &str, shape: SecretShape) {
    s.values
        .insert((arn.into(), Selector::default()), Ok(Value::Shape(shape)));
}

/// Takes the database variable from a parameter, which holds `shape`; `None`: there is none such.
fn parameter(s: &mut Snapshot, shape: Option<SecretShape>) {
    web(s).secrets[0].value_from = PARAMETER.into();
    s.parameters.insert(PARAMETER.into(), Ok(shape.map(Value::Shape)));
    s.access
        .insert((ROLE.into(), PARAMETER_ARN.into()), Ok(Access::Allowed));
}

fn may(s: &mut Snapshot, access: Access) {
    s.access.insert((ROLE.into(), SECRET.into()), Ok(access));
}

fn lacks(action: &str) -> Access {
    Access::Denied {
        missing: vec![format!("{action} on {SECRET}")],
    }
}

/// The database variable in plain text, in place of the secret.
fn plain_url(s: &mut Snapshot, connection: Connection) {
    let moved = web(s).secrets.remove(0);
    plain_beside(s, &moved.name, connection);
}

fn plain_beside(s: &mut Snapshot, variable: &str, connection: Connection) {
    web(s).plain_databases.push(PlainDatabase {
        variable: variable.into(),
        external: true,
        connection: Some(connection),
    });
}

fn plain_password(s: &mut Snapshot, container: &str, variable: &str) {
    let containers = &mut running(s).containers;
    if !containers.iter().any(|c| c.name == container) {
        containers.push(Container {
            name: container.into(),
            ..Container::default()
        });
    }
    let found = containers.iter_mut().find(|c| c.name == container).expect("there");
    found.plain_passwords.push(variable.into());
}

/// What fails, and the rules that say so.
#[rustfmt::skip]
const FAILING: &[(&str, Change, &[&str])] = &[
    ("the master user", |s| plain(s, as_master()), &[MASTER]),
    ("the master user under the key in use", |s| { json(s, as_master()); refer(s, &format!("{SECRET}:admin::"), Some(SECRET)); }, &[MASTER]),
    ("the master user in one of two keys in use", |s| {
        json(s, as_master());
        refer(s, &format!("{SECRET}:url::"), Some(SECRET));
        let second = SecretVariable { name: "CODER_POSTGRES_URL".into(), value_from: format!("{SECRET}:admin::") };
        web(s).secrets.push(second);
    }, &[MASTER]),
    ("the master user in a secret that nobody refers to yet", |s| { other(s); holds_at(s, OTHER, SecretShape::Plain(as_master())); }, &[MASTER]),
    ("the master user of a cluster", |s| {
        let host = super::super::cluster(s).hosts[0].clone();
        plain(s, Connection { hosts: connection(&host, "app", vec![]).hosts, ..as_master() });
    }, &[MASTER]),
    ("the master user of the second of two databases", |s| {
        let mut second = db(s).clone();
        second.id = "shop-old".into();
        second.master_user = Some("admin".into());
        second.endpoint.as_mut().expect("an endpoint").host = "shop-old.example.com".into();
        s.instances.as_mut().expect("read").insert(second.id.clone(), second);
        plain(s, Connection { user: Some("admin".into()), hosts: connection("shop-old.example.com", "app", vec![]).hosts, ..good() });
    }, &[MASTER]),
    ("no sslmode", |s| plain(s, in_mode(None)), &[TLS]),
    ("sslmode disable", |s| plain(s, in_mode(Some("disable"))), &[TLS]),
    ("sslmode prefer", |s| plain(s, in_mode(Some("prefer"))), &[TLS]),
    ("no sslmode under the key in use", |s| { json(s, in_mode(None)); refer(s, &format!("{SECRET}:admin::"), Some(SECRET)); }, &[TLS]),
    ("no sslmode and astray", |s| plain(s, Connection { sslmode: None, ..connection("old.example.com", "app", vec![]) }), &[TLS]),
    ("deletion", |s| secret(s, SECRET).deleted_at = Some(ago(-24)), &[DELETION]),
    ("deletion of what another variable holds", |s| {
        other(s).deleted_at = Some(ago(-24));
        web(s).secrets.push(SecretVariable { name: "API_KEY".into(), value_from: format!("{OTHER}:key::") });
    }, &[DELETION]),
    ("deletion of an untagged secret", |s| { let found = secret(s, SECRET); found.tags = tags(&[]); found.deleted_at = Some(ago(-24)); }, &[DELETION]),
    ("everyone", |s| { s.policies.insert(SECRET.into(), Ok(vec!["*".into()])); }, &[BROAD]),
    ("another account", |s| { other(s); s.policies.insert(OTHER.into(), Ok(vec!["arn:aws:iam::999999999999:root".into()])); }, &[BROAD]),
    ("not rotated", |s| secret(s, SECRET).rotation = Rotation::default(), &[UNROTATED]),
    ("rotated by hand, once", |s| secret(s, SECRET).rotation.enabled = false, &[UNROTATED]),
    ("rotated long ago", |s| secret(s, SECRET).rotation.last = Some(ago(91 * 24)), &[UNROTATED]),
    ("rotated never", |s| secret(s, SECRET).rotation.last = None, &[UNROTATED]),
    ("no permission", |s| may(s, lacks("secretsmanager:GetSecretValue")), &[UNREADABLE]),
    ("no permission for the key", |s| may(s, lacks("kms:Decrypt")), &[UNREADABLE]),
    ("a role that is gone", |s| may(s, Access::NoRole), &[UNREADABLE]),
    ("no execution role", |s| running(s).execution_role = None, &[UNREADABLE]),
    ("no permission for the second of two services", |s| {
        let mut second = service(s).clone();
        second.arn = format!("{SERVICE}-worker");
        second.name = "worker".into();
        second.task_definition = format!("{REVISION}9");
        let mut definition = running(s).clone();
        definition.execution_role = Some("arn:aws:iam::123456789012:role/worker".into());
        s.services.as_mut().expect("read").insert(second.arn.clone(), second.clone());
        s.task_definitions.insert(second.task_definition, Ok(Arc::new(definition)));
        s.access.insert(("arn:aws:iam::123456789012:role/worker".into(), SECRET.into()), Ok(lacks("secretsmanager:GetSecretValue")));
    }, &[UNREADABLE]),
    ("a plain URL like the secret", |s| plain_url(s, good()), &[PLAINTEXT]),
    ("a plain URL beside the secret", |s| plain_beside(s, "REPORT_URL", good()), &[PLAINTEXT]),
    ("a plain URL elsewhere", |s| plain_url(s, connection("db.example.com", "app", vec![])), &[PLAINTEXT]),
    ("a plain URL in a sidecar", |s| {
        let url = PlainDatabase { variable: "DATABASE_URL".into(), external: false, connection: Some(connection("localhost", "app", vec![])) };
        running(s).containers.push(Container { name: "migrator".into(), plain_databases: vec![url], ..Container::default() });
    }, &[PLAINTEXT]),
    ("a plain password", |s| plain_password(s, "web", "PGPASSWORD"), &[PLAINTEXT]),
    ("a plain password in a sidecar", |s| plain_password(s, "postgres", "POSTGRES_PASSWORD"), &[PLAINTEXT]),
    ("a parameter that may not be read", |s| {
        parameter(s, Some(SecretShape::Plain(good())));
        let missing = vec![format!("ssm:GetParameters on {PARAMETER_ARN}")];
        s.access.insert((ROLE.into(), PARAMETER_ARN.into()), Ok(Access::Denied { missing }));
    }, &[UNREADABLE]),
];

/// What passes.
#[rustfmt::skip]
const PASSING: &[(&str, Change)] = &[
    ("as it should be", |_| {}),
    ("another user", |s| plain(s, Connection { user: Some("Postgres".into()), ..good() })),
    ("the master user of a database elsewhere", |s| { other(s); holds_at(s, OTHER, SecretShape::Plain(Connection { hosts: connection("old.example.com", "app", vec![]).hosts, faults: vec![Fault::NotAConnectionString], ..as_master() })); }),
    ("the master user under a key that nobody uses", |s| { json(s, as_master()); refer(s, &format!("{SECRET}:url::"), Some(SECRET)); }),
    ("a master user that is not known", |s| { db(s).master_user = None; plain(s, as_master()); }),
    ("verify-full", |s| plain(s, in_mode(Some("verify-full")))),
    ("no-verify", |s| plain(s, in_mode(Some("no-verify")))),
    ("parts without sslmode, for a script", |s| {
        other(s);
        let parts = Connection { form: ConnectionForm::Parts, ..in_mode(None) };
        let keys = BTreeMap::from([("host".to_owned(), Some(connection("", "", vec![Fault::NotAConnectionString])))]);
        holds_at(s, OTHER, SecretShape::Json { keys, parts: Some(parts) });
    }),
    ("deletion of a secret that nothing refers to", |s| other(s).deleted_at = Some(ago(-24))),
    ("deletion of what a drained service had", |s| {
        secret(s, SECRET).deleted_at = Some(ago(-24));
        service(s).status = "DRAINING".into();
    }),
    ("the policy of a secret that is to be deleted", |s| { other(s).deleted_at = Some(ago(-24)); s.policies.remove(OTHER); }),
    ("rotated by hand of late, and by itself", |s| secret(s, SECRET).rotation = Rotation { enabled: true, last: Some(ago(89 * 24)) }),
    ("rotated by a clock ahead of ours", |s| secret(s, SECRET).rotation.last = Some(ago(-1))),
    ("a replica", |s| { let found = secret(s, SECRET); found.rotation = Rotation::default(); found.primary_region = Some("eu-west-1".into()); }),
    ("a role that may not read what no container refers to", |s| { other(s); s.access.insert((ROLE.into(), OTHER.into()), Ok(lacks("x"))); }),
    ("a service without a database", |s| { web(s).secrets.clear(); running(s).execution_role = None; s.access.clear(); }),
    ("a plain URL without a password", |s| plain_beside(s, "REPORT_URL", Connection { has_password: false, ..good() })),
    ("a plain host", |s| web(s).plain_databases.push(PlainDatabase { variable: "PGHOST".into(), external: true, connection: None })),
    ("a good parameter", |s| parameter(s, Some(SecretShape::Plain(good())))),
    ("a good parameter by ARN", |s| {
        parameter(s, Some(SecretShape::Plain(good())));
        let held = Arc::unwrap_or_clone(s.parameters.remove(PARAMETER).expect("there"));
        web(s).secrets[0].value_from = PARAMETER_ARN.into();
        s.parameters.insert(PARAMETER_ARN.into(), held);
    }),
    ("a parameter with the name of a secret", |s| {
        web(s).secrets[0].value_from = "shop-url".into();
        s.parameters.insert("shop-url".into(), Ok(Some(Value::Shape(SecretShape::Plain(good())))));
        s.access.insert((ROLE.into(), PARAMETER_ARN.replace("shop/url", "shop-url")), Ok(Access::Allowed));
    }),
    ("a replica of another region", |s| {
        let abroad = SECRET.replace("us-east-1", "eu-west-1");
        let mut replica = secret(s, SECRET).clone();
        replica.arn.clone_from(&abroad);
        replica.primary_region = Some("us-east-1".into());
        s.secrets.as_mut().expect("read").insert(abroad.clone(), replica);
        s.policies.insert(abroad.clone(), Ok(vec![]));
        s.access.insert((ROLE.into(), abroad.clone()), Ok(Access::Allowed));
        holds_at(s, &abroad, SecretShape::Plain(good()));
        refer(s, &abroad.clone(), Some(&abroad));
    }),
    ("untagged and all wrong", |s| {
        service(s).tags = tags(&[]);
        other(s).deleted_at = Some(ago(-24));
        plain_password(s, "web", "PGPASSWORD");
        may(s, Access::NoRole);
    }),
];

fn unread(s: &mut Snapshot) {
    s.values
        .insert((SECRET.into(), Selector::default()), Ok(Value::NotInspected));
}

/// As `secrets.inspect: off` leaves it.
fn off(s: &mut Snapshot) {
    s.secrets = Ok(Shared::new());
    s.lookups.clear();
    s.values.clear();
    s.policies.clear();
    s.access.clear();
}

/// What can't be told, and the rules that say so.
#[rustfmt::skip]
const UNKNOWN: &[(&str, Change, &[&str])] = &[
    ("instances", |s| s.instances = Err(denied("DescribeDBInstances")), &[MASTER]),
    ("instances, and a secret that nobody refers to", |s| { other(s); s.instances = Err(denied("DescribeDBInstances")); }, &[MASTER, TLS]),
    ("services", |s| s.services = Err(denied("DescribeServices")), &[MASTER, TLS, DELETION, BROAD, UNROTATED, PLAINTEXT, UNREADABLE]),
    ("the revision", |s| { s.task_definitions.insert(REVISION.into(), Err(denied("DescribeTaskDefinition"))); }, &[MASTER, TLS, DELETION, BROAD, UNROTATED, PLAINTEXT, UNREADABLE]),
    ("secrets", |s| { s.secrets = Err(denied("ListSecrets")); s.lookups.insert(SECRET.into(), Err(denied("DescribeSecret"))); }, &[MASTER, TLS, DELETION, BROAD, UNROTATED, UNREADABLE]),
    ("the value", |s| { s.values.insert((SECRET.into(), Selector::default()), Err(denied("GetSecretValue"))); }, &[MASTER, TLS]),
    ("a value that may not be read", unread, &[MASTER, TLS]),
    ("secrets that may not be looked at", off, &[MASTER, TLS, DELETION, BROAD, UNROTATED, UNREADABLE]),
    ("a policy", |s| { s.policies.insert(SECRET.into(), Err(denied("GetResourcePolicy"))); }, &[BROAD]),
    ("a policy that was not asked for", |s| s.policies.clear(), &[BROAD]),
    ("the simulation", |s| { s.access.insert((ROLE.into(), SECRET.into()), Err(denied("SimulatePrincipalPolicy"))); }, &[UNREADABLE]),
    ("no simulation", |s| s.access.clear(), &[UNREADABLE]),
    ("a parameter", |s| { parameter(s, None); s.parameters.insert(PARAMETER.into(), Err(denied("GetParameters"))); }, &[MASTER, TLS, UNREADABLE]),
    ("a parameter that may not be read", |s| { parameter(s, None); s.parameters.insert(PARAMETER.into(), Ok(Some(Value::NotInspected))); }, &[MASTER, TLS, UNREADABLE]),
];

/// The area.
pub(super) const AREA: Area = Area {
    rules: &[MASTER, TLS, DELETION, BROAD, UNROTATED, UNREADABLE, PLAINTEXT],
    failing: FAILING,
    passing: PASSING,
    unknown: UNKNOWN,
};
