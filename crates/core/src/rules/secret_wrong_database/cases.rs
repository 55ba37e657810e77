//! What `secret-wrong-database` says, and of what it says nothing.

use crate::model::connection::{Connection, SecretShape};
use crate::rules::testing::secrets::{good, parameter};
use crate::rules::testing::workload::{HOST, SERVICE, connection, db, holds};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("another host", |s| holds(s, SecretShape::Plain(connection("old.example.com", "app", vec![])))),
        Case::new("another database", |s| holds(s, SecretShape::Plain(connection(HOST, "archive", vec![])))),
        Case::new("another port", |s| db(s).endpoint.as_mut().expect("an endpoint").port = 5433).and_fail(&["rds-unreachable-from-service"]),
        Case::new("a parameter that leads elsewhere", |s| parameter(s, Some(SecretShape::Plain(Connection { hosts: connection("old.example.com", "app", vec![]).hosts, ..good() })))).about(SERVICE).and_unknown(&["rds-abandoned"]),
    ],
    passing: &[
        Case::new("a database in another that is tagged too", |s| {
            let mut old = db(s).clone();
            old.id = "shop-old".into();
            old.endpoint.as_mut().expect("there").host = "shop-old.abc.us-east-1.rds.amazonaws.com".into();
            s.instances.as_mut().expect("read").insert("shop-old".into(), old);
        }),
    ],
    unknown: &[
        Case::new("RDS Proxy", |s| holds(s, SecretShape::Plain(connection("shop.proxy-abc.us-east-1.rds.amazonaws.com", "app", vec![])))),
        Case::new("a reader of RDS Proxy", |s| holds(s, SecretShape::Plain(connection("shop.endpoint.proxy-abc.us-east-1.rds.amazonaws.com", "app", vec![])))),
    ],
    unread: &[Unread::Instances, Unread::Clusters, Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff, Unread::Value, Unread::UninspectedValue],
};
