//! What `secret-no-tls` says, and of what it says nothing.

use std::collections::BTreeMap;

use crate::model::connection::{Connection, ConnectionForm, Fault, SecretShape};
use crate::model::resources::{Access, SecretVariable};
use crate::model::snapshot::SecretValue;
use crate::rules::testing::secrets::{OTHER, PARAMETER_ARN, holds_at, in_mode, json, other, parameter, plain};
use crate::rules::testing::workload::{ROLE, SECRET, SERVICE, connection, denied, refer, web};
use crate::rules::testing::{Case, Cases, Unread, finding_by};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no sslmode", |s| plain(s, in_mode(None))),
        Case::new("sslmode disable", |s| plain(s, in_mode(Some("disable")))),
        Case::new("sslmode prefer", |s| plain(s, in_mode(Some("prefer")))),
        Case::new("no sslmode under the key in use", |s| { json(s, in_mode(None)); refer(s, &format!("{SECRET}:admin::"), Some(SECRET)); }),
        Case::new("no sslmode and astray", |s| plain(s, Connection { sslmode: None, ..connection("old-db.abc.us-east-1.rds.amazonaws.com", "app", vec![]) })).and_fail(&["secret-wrong-database"]),
        Case::new("a parameter without sslmode", |s| parameter(s, Some(SecretShape::Plain(in_mode(None))))).about(SERVICE),
    ],
    passing: &[
        Case::new("verify-full", |s| plain(s, in_mode(Some("verify-full")))),
        Case::new("no-verify", |s| plain(s, in_mode(Some("no-verify")))),
        Case::new("parts without sslmode, for a script", |s| {
            other(s);
            let parts = Connection { form: ConnectionForm::Parts, ..in_mode(None) };
            let keys = BTreeMap::from([("host".to_owned(), Some(connection("", "", vec![Fault::NotAConnectionString])))]);
            holds_at(s, OTHER, SecretShape::Json { keys, parts: Some(parts) });
        }),
    ],
    unknown: &[
        Case::new("instances, and a secret that nobody refers to", |s| { other(s); s.instances = Err(denied("DescribeDBInstances")); }).besides(Unread::Instances),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff, Unread::Value, Unread::UninspectedValue],
};

/// Two parameters of one service are one finding, in which each is named.
#[test]
fn two_parameters() {
    let finding = finding_by(
        |s| {
            parameter(s, Some(SecretShape::Plain(in_mode(None))));
            let second = SecretVariable {
                name: "CODER_POSTGRES_URL".into(),
                value_from: "shop-second".into(),
            };
            web(s).secrets.push(second);
            s.parameters.insert(
                "shop-second".into(),
                Ok(Some(SecretValue::Shape(SecretShape::Plain(in_mode(Some("allow")))))),
            );
            s.access.insert(
                (ROLE.into(), PARAMETER_ARN.replace("shop/url", "shop-second").into()),
                Ok(Access::Allowed),
            );
        },
        "secret-no-tls",
    );
    assert!(
        finding
            .message
            .contains("/shop/url: it has no sslmode; shop-second: it has sslmode allow"),
        "{}",
        finding.message
    );
}
