//! What `secret-uses-master-user` says, and of what it says nothing.

use crate::model::connection::{Connection, Fault, SecretShape};
use crate::model::resources::SecretVariable;
use crate::rules::testing::secrets::{OTHER, as_master, good, holds_at, json, other, parameter, plain};
use crate::rules::testing::workload::{SECRET, SERVICE, cluster, connection, db, refer, web};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("the master user", |s| plain(s, as_master())),
        Case::new("the master user under the key in use", |s| { json(s, as_master()); refer(s, &format!("{SECRET}:admin::"), Some(SECRET)); }),
        Case::new("the master user in one of two keys in use", |s| {
            json(s, as_master());
            refer(s, &format!("{SECRET}:url::"), Some(SECRET));
            let second = SecretVariable { name: "CODER_POSTGRES_URL".into(), value_from: format!("{SECRET}:admin::") };
            web(s).secrets.push(second);
        }),
        Case::new("the master user in a secret that nobody refers to yet", |s| { other(s); holds_at(s, OTHER, SecretShape::Plain(as_master())); }),
        Case::new("the master user of a cluster", |s| {
            let host = cluster(s).hosts[0].clone();
            plain(s, Connection { hosts: connection(&host, "app", vec![]).hosts, ..as_master() });
        }),
        Case::new("the master user of the second of two databases", |s| {
            let mut second = db(s).clone();
            second.id = "shop-old".into();
            second.master_user = Some("admin".into());
            second.endpoint.as_mut().expect("an endpoint").host = "shop-old.example.com".into();
            s.instances.as_mut().expect("read").insert(second.id.clone(), second);
            plain(s, Connection { user: Some("admin".into()), hosts: connection("shop-old.example.com", "app", vec![]).hosts, ..good() });
        }).and_fail(&["rds-default-master-name"]),
        Case::new("a parameter with the master user", |s| parameter(s, Some(SecretShape::Plain(as_master())))).about(SERVICE),
    ],
    passing: &[
        Case::new("another user", |s| plain(s, Connection { user: Some("Postgres".into()), ..good() })),
        Case::new("the master user of a database elsewhere", |s| { other(s); holds_at(s, OTHER, SecretShape::Plain(Connection { hosts: connection("old-db.abc.us-east-1.rds.amazonaws.com", "app", vec![]).hosts, faults: vec![Fault::NotAConnectionString], ..as_master() })); }),
        Case::new("the master user under a key that nobody uses", |s| { json(s, as_master()); refer(s, &format!("{SECRET}:url::"), Some(SECRET)); }),
        Case::new("a master user that is not known", |s| { db(s).master_user = None; plain(s, as_master()); }),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters, Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff, Unread::Value, Unread::UninspectedValue],
};
