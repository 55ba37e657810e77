//! What secrets hold beyond their form; who may read them; secrets that stand in plain text; parameters.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{
    HOST, REVISION, ROLE, SECRET, SERVICE, ago, clean, connection, db, denied, holds, judged_by, refer, rules_with,
    running, service, tags, web,
};
use super::{Area, Change};
use crate::config::Config;
use crate::model::connection::{Connection, ConnectionForm, Fault, SecretShape};
use crate::model::finding::Verdict;
use crate::model::remediation::Action;
use crate::model::resources::{Access, Container, PlainDatabase, Rotation, Secret, SecretVariable};
use crate::model::snapshot::{Snapshot, Value};
use crate::model::value_from::Selector;
use crate::rules::wants::wants;

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
        let held = s.parameters.remove(PARAMETER).expect("there");
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
    s.secrets = Ok(BTreeMap::new());
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

/// What rules of another area say of parameters, too.
#[rustfmt::skip]
const PARAMETERS: &[(&str, Change, &[&str])] = &[
    ("a malformed parameter", |s| parameter(s, Some(SecretShape::Plain(Connection { faults: vec![Fault::PortTwice], ..good() }))), &[MALFORMED]),
    ("an empty parameter", |s| { let mut c = connection("", "", vec![Fault::Empty]); c.hosts.clear(); parameter(s, Some(SecretShape::Plain(c))); }, &[MALFORMED]),
    ("a parameter that leads elsewhere", |s| parameter(s, Some(SecretShape::Plain(Connection { hosts: connection("old.example.com", "app", vec![]).hosts, ..good() }))), &[WRONG]),
    ("a parameter with the master user", |s| parameter(s, Some(SecretShape::Plain(as_master()))), &[MASTER]),
    ("a parameter without sslmode", |s| parameter(s, Some(SecretShape::Plain(in_mode(None)))), &[TLS]),
    ("no such parameter", |s| parameter(s, None), &[MISMATCH]),
    ("a parameter of another region that is not there", |s| {
        let abroad = PARAMETER_ARN.replace("us-east-1", "eu-west-1");
        web(s).secrets[0].value_from.clone_from(&abroad);
        s.parameters.insert(abroad, Ok(None));
    }, &[MISMATCH]),
    ("an ARN of something else", |s| web(s).secrets[0].value_from = "arn:aws:s3:::shop".into(), &[MISMATCH]),
    ("a parameter that is JSON", |s| {
        let keys = BTreeMap::from([("url".to_owned(), Some(good()))]);
        parameter(s, Some(SecretShape::Json { keys, parts: None }));
    }, &[MISMATCH]),
];

#[test]
fn parameters() {
    let rules = [MALFORMED, WRONG, MISMATCH, MASTER, TLS, UNREADABLE];
    let judged = |change: Change| {
        let mut s = clean();
        change(&mut s);
        judged_by(&s, &rules)
    };
    for (name, change, expected) in PARAMETERS {
        let judged = judged(*change);
        assert_eq!(
            rules_with(&judged, Verdict::Fail),
            super::set(expected),
            "{name}: {:#?}",
            judged.findings
        );
        assert!(
            rules_with(&judged, Verdict::Unknown).is_empty(),
            "{name}: {:#?}",
            judged.findings
        );
        for finding in &judged.findings {
            assert_eq!(
                finding.resource.arn, SERVICE,
                "{name}: parameters have no kind of their own"
            );
        }
    }
    // Two parameters of one service are one finding, in which each is named.
    let two = judged(|s| {
        parameter(s, Some(SecretShape::Plain(in_mode(None))));
        let second = SecretVariable {
            name: "CODER_POSTGRES_URL".into(),
            value_from: "shop-second".into(),
        };
        web(s).secrets.push(second);
        s.parameters.insert(
            "shop-second".into(),
            Ok(Some(Value::Shape(SecretShape::Plain(in_mode(Some("allow")))))),
        );
        s.access.insert(
            (ROLE.into(), PARAMETER_ARN.replace("shop/url", "shop-second")),
            Ok(Access::Allowed),
        );
    });
    let [finding] = two.findings.as_slice() else {
        panic!("{:#?}", two.findings)
    };
    assert!(
        finding
            .message
            .contains("/shop/url: it has no sslmode; shop-second: it has sslmode allow"),
        "{}",
        finding.message
    );
}

fn finding(change: Change, rule: &str) -> crate::model::finding::Finding {
    let mut s = clean();
    change(&mut s);
    let judged = judged_by(&s, &[rule]);
    let [finding] = judged.findings.as_slice() else {
        panic!("{:#?}", judged.findings)
    };
    finding.clone()
}

fn refusal(change: Change, rule: &str) -> String {
    let remediation = finding(change, rule).remediation.expect("a remedy");
    remediation.blocked_by.unwrap_or_default()
}

/// A plain URL is moved only where an application could not tell the difference.
#[test]
fn moving_to_the_secret() {
    let move_it = |s: &mut Snapshot| {
        plain(s, good());
        plain_url(s, good());
    };
    let moved = finding(move_it, PLAINTEXT).remediation.expect("a remedy");
    assert_eq!(moved.blocked_by, None);
    let [Action::RollOut { changes, .. }] = moved.actions.as_slice() else {
        panic!("{moved:#?}")
    };
    let change = &changes[0];
    assert_eq!(
        (change.container.as_str(), change.variable.as_str()),
        ("web", "DATABASE_URL")
    );
    assert_eq!((&change.before, change.after.as_str()), (&None, SECRET));
    for (change, word) in [
        (
            (|s| plain_url(s, connection("old.example.com", "app", vec![]))) as Change,
            "host",
        ),
        (|s| plain_url(s, connection(HOST, "archive", vec![])), "database"),
        (
            |s| {
                plain_url(
                    s,
                    Connection {
                        user: Some("root".into()),
                        ..good()
                    },
                )
            },
            "user",
        ),
        (
            |s| plain_url(s, connection(HOST, "app", vec![Fault::PortTwice])),
            "malformed itself",
        ),
        (
            |s| {
                plain_url(s, good());
                secret(s, SECRET).tags = tags(&[]);
            },
            "no secret tagged",
        ),
        (
            |s| {
                plain_url(s, good());
                other(s);
                holds_at(s, OTHER, SecretShape::Plain(good()));
            },
            "does not choose",
        ),
        (
            |s| {
                plain_url(s, good());
                unread(s);
            },
            "unknown",
        ),
        (
            |s| {
                plain_url(s, good());
                running(s).execution_role = None;
            },
            "no execution role",
        ),
        (
            |s| {
                plain_url(s, good());
                may(s, lacks("secretsmanager:GetSecretValue"));
            },
            "may not secretsmanager:GetSecretValue",
        ),
    ] {
        let why = refusal(change, PLAINTEXT);
        assert!(why.contains(word), "{word}: {why}");
    }
    // A denial must be proved to hold a rollout.
    for change in [
        (|s| {
            plain_url(s, good());
            may(s, Access::NoRole);
        }) as Change,
        |s| {
            plain_url(s, good());
            s.access.clear();
        },
        |s| {
            plain_url(s, good());
            s.access
                .insert((ROLE.into(), SECRET.into()), Err(denied("SimulatePrincipalPolicy")));
        },
    ] {
        assert_eq!(refusal(change, PLAINTEXT), "");
    }
    // What can be moved is, beside a password that can't.
    let both = finding(
        |s| {
            plain_url(s, good());
            plain_password(s, "web", "PGPASSWORD");
        },
        PLAINTEXT,
    );
    let remedy = both.remediation.expect("a remedy");
    assert!(
        remedy.actions.len() == 1 && remedy.summary.contains("PGPASSWORD"),
        "{remedy:#?}"
    );
    let alone = finding(|s| plain_password(s, "web", "PGPASSWORD"), PLAINTEXT);
    assert!(alone.remediation.expect("a remedy").actions.is_empty());
}

#[test]
fn restoring_a_secret() {
    let gone: Change = |s| secret(s, SECRET).deleted_at = Some(ago(-24));
    assert_eq!(refusal(gone, DELETION), "");
    for (change, word) in [
        (
            (|s| {
                let found = secret(s, SECRET);
                found.deleted_at = Some(ago(-24));
                found.tags = tags(&[]);
            }) as Change,
            "does not carry",
        ),
        (
            |s| {
                let found = secret(s, SECRET);
                found.deleted_at = Some(ago(-24));
                found.primary_region = Some("eu-west-1".into());
            },
            "replica",
        ),
        (
            |s| {
                let abroad = SECRET.replace("us-east-1", "eu-west-1");
                let mut far = secret(s, SECRET).clone();
                (far.arn, far.deleted_at) = (abroad.clone(), Some(ago(-24)));
                s.secrets.as_mut().expect("read").insert(abroad.clone(), far);
                refer(s, &abroad.clone(), Some(&abroad));
            },
            "region eu-west-1",
        ),
    ] {
        let why = refusal(change, DELETION);
        assert!(why.contains(word), "{word}: {why}");
    }
}

/// What a person pastes is there, whole.
#[test]
fn the_missing_statement_is_printed() {
    let missing = || {
        let key = "kms:Decrypt on arn:aws:kms:us-east-1:123456789012:key/1".to_owned();
        vec![format!("secretsmanager:GetSecretValue on {SECRET}"), key]
    };
    let mut s = clean();
    may(&mut s, Access::Denied { missing: missing() });
    let judged = judged_by(&s, &[UNREADABLE]);
    let remedy = judged.findings[0].remediation.clone().expect("a remedy");
    for statement in [
        format!(r#"{{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":["{SECRET}"]}}"#),
        r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":["arn:aws:kms:us-east-1:123456789012:key/1"]}"#
            .to_owned(),
    ] {
        assert!(remedy.summary.contains(&statement), "{}", remedy.summary);
    }
    for lacking in missing() {
        assert!(judged.findings[0].evidence[0].observed.to_string().contains(&lacking));
    }
}

/// What a look at the first reads asks for: the policies of all secrets that count, and for each role what it reads, or
/// would after a rollout.
#[test]
fn what_else_is_read() {
    let wanted = |change: Change| {
        let mut s = clean();
        change(&mut s);
        wants(&s, &Config::default(), super::super::now())
    };
    let pair = |resources: &[&str]| BTreeMap::from([(ROLE.to_owned(), super::set(resources))]);
    let all = wanted(|s| {
        other(s);
    });
    assert_eq!(all.policies, super::set(&[SECRET, OTHER]));
    assert_eq!(all.access, pair(&[SECRET]));
    assert_eq!(
        wanted(|s| parameter(s, Some(SecretShape::Plain(good())))).access,
        pair(&[PARAMETER_ARN])
    );
    for change in [
        (|s| web(s).secrets.clear()) as Change,
        |s| plain_url(s, good()),
        |s| refer(s, "shop-url", None),
        |s| refer(s, SECRET.strip_suffix("-AbC123").expect("a suffix"), None),
    ] {
        assert_eq!(wanted(change).access, pair(&[SECRET]));
    }
    let mut config = Config::default();
    for rule in [BROAD, UNREADABLE] {
        config.rules.entry(rule.to_owned()).or_default().enabled = Some(false);
    }
    let none = wants(&clean(), &config, super::super::now());
    assert!(none.policies.is_empty() && none.access.is_empty());
}
