//! What `secret-wrong-database` says, and of what it says nothing.

use crate::model::connection::{Connection, HostPort, SecretShape};
use crate::model::policy::Severity;
use crate::model::resources::{DatabaseId, EndpointTarget};
use crate::rules::testing::databases::{ELSEWHERE, endpoint, former, replica, second};
use crate::rules::testing::secrets::{good, parameter};
use crate::rules::testing::workload::{
    HOST, POOLER, SERVICE, clean, cluster, connection, db, denied, evaluation, holds, tags,
};
use crate::rules::testing::{Case, Cases, Unread, finding_after, the_finding};

const PROXY: &str = "shop-pooler.proxy-abc.us-east-1.rds.amazonaws.com";
const READER: &str = "shop-ro.endpoint.proxy-abc.us-east-1.rds.amazonaws.com";
const GLOBAL: &str = "shop.global-abc.global.rds.amazonaws.com";
const CUSTOM: &str = "bi.cluster-custom-abc.us-east-1.rds.amazonaws.com";
const WRITER: &str = "fleet.cluster-abc.us-east-1.rds.amazonaws.com";

/// The secret leads to `host`, on the usual port.
fn leads(s: &mut crate::model::snapshot::Snapshot, host: &str) {
    holds(s, SecretShape::Plain(connection(host, "app", vec![])));
}

fn instance(id: &str) -> Vec<EndpointTarget> {
    vec![EndpointTarget::Here(DatabaseId::Instance(id.into()))]
}

fn fleet() -> Vec<EndpointTarget> {
    vec![EndpointTarget::Here(DatabaseId::Cluster("fleet".into()))]
}

fn afar(region: &str) -> EndpointTarget {
    EndpointTarget::Elsewhere(format!("arn:aws:rds:{region}:123456789012:cluster:fleet-afar"))
}

/// Another workload's database.
fn bank(s: &mut crate::model::snapshot::Snapshot) {
    second(s);
    s.instances
        .as_mut()
        .expect("read")
        .get_mut("shop-two")
        .expect("there")
        .tags = tags(&[("workload", "bank")]);
}

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("another host", |s| leads(s, ELSEWHERE)),
        Case::new("another database", |s| holds(s, SecretShape::Plain(connection(HOST, "archive", vec![])))),
        Case::new("another port", |s| db(s).endpoint.as_mut().expect("an endpoint").port = 5433).and_fail(&["rds-unreachable-from-service"]),
        Case::new("a parameter that leads elsewhere", |s| parameter(s, Some(SecretShape::Plain(Connection { hosts: connection(ELSEWHERE, "app", vec![]).hosts, ..good() })))).about(SERVICE).and_fail(&["rds-abandoned"]),
        Case::new("one of two hosts", |s| { let hosts = [HOST, ELSEWHERE].map(|h| HostPort { host: h.into(), port: 5432 }).to_vec(); holds(s, SecretShape::Plain(Connection { hosts, ..good() })); }),
        Case::new("an unknown host beside a wrong one", |s| { let hosts = ["db.shop.internal", ELSEWHERE].map(|h| HostPort { host: h.into(), port: 5432 }).to_vec(); holds(s, SecretShape::Plain(Connection { hosts, ..good() })); }),
        Case::new("another workload's database", |s| { bank(s); leads(s, "shop-two.abc.us-east-1.rds.amazonaws.com"); }).and_fail(&["workload-untagged-part"]),
        Case::new("a proxy of another database", |s| { bank(s); leads(s, PROXY); endpoint(s, PROXY, instance("shop-two")); }).and_fail(&["workload-untagged-part"]),
        Case::new("a proxy of a database that is gone", |s| { leads(s, PROXY); endpoint(s, PROXY, instance("gone")); }),
        Case::new("a global database of others", |s| { cluster(s); leads(s, GLOBAL); endpoint(s, GLOBAL, vec![afar("eu-west-1")]); }),
        Case::new("a custom endpoint that nobody has", |s| { cluster(s); leads(s, CUSTOM); s.endpoints.insert(CUSTOM.into(), Ok(None)); }),
        Case::new("a cluster of another name", |s| { cluster(s); leads(s, "flee.cluster-abc.us-east-1.rds.amazonaws.com"); }),
        Case::new("an endpoint in another region", |s| leads(s, "shop-db.abc.eu-west-1.rds.amazonaws.com")),
        Case::new("what a blue/green switchover left", |s| { let host = former(s); leads(s, host); }),
        Case::new("another database through a proxy", |s| { holds(s, SecretShape::Plain(connection(PROXY, "archive", vec![]))); endpoint(s, PROXY, instance("shop-db")); }),
    ],
    passing: &[
        Case::new("a database in another that is tagged too", |s| {
            let mut old = db(s).clone();
            old.id = "shop-old".into();
            old.endpoint.as_mut().expect("there").host = "shop-old.abc.us-east-1.rds.amazonaws.com".into();
            s.instances.as_mut().expect("read").insert("shop-old".into(), old);
        }),
        Case::new("in capitals, with the dot of the root", |s| leads(s, "Shop-DB.abc.us-east-1.RDS.amazonaws.com.")),
        Case::new("the current side after a switchover", |s| { former(s); leads(s, HOST); }),
        Case::new("RDS Proxy", |s| { leads(s, PROXY); endpoint(s, PROXY, instance("shop-db")); }),
        Case::new("a proxy on its own port", |s| { db(s).endpoint.as_mut().expect("there").port = 5433; leads(s, PROXY); endpoint(s, PROXY, instance("shop-db")); }).and_unknown(&["rds-unreachable-from-service"]),
        Case::new("a reader of RDS Proxy", |s| { cluster(s); leads(s, READER); endpoint(s, READER, fleet()); }),
        Case::new("a proxy of the cluster's member", |s| { cluster(s); leads(s, PROXY); endpoint(s, PROXY, instance("shop-db")); }),
        Case::new("the writer", |s| { cluster(s); leads(s, WRITER); }),
        Case::new("the reader", |s| { cluster(s).hosts.push("fleet.cluster-ro-abc.us-east-1.rds.amazonaws.com".into()); leads(s, "fleet.cluster-ro-abc.us-east-1.rds.amazonaws.com"); }),
        Case::new("a member", |s| { cluster(s); leads(s, HOST); }),
        Case::new("a custom endpoint that the cluster lists", |s| { cluster(s).hosts.push(CUSTOM.into()); leads(s, CUSTOM); }),
        Case::new("a custom endpoint that its own list has", |s| { cluster(s); leads(s, CUSTOM); endpoint(s, CUSTOM, fleet()); }),
        Case::new("a global database whose writer is here", |s| { cluster(s); leads(s, GLOBAL); endpoint(s, GLOBAL, [fleet(), vec![afar("eu-west-1")]].concat()); }),
        Case::new("an untagged replica", |s| { let copy = replica(s); copy.tags = tags(&[]); copy.endpoint.as_mut().expect("there").host = ELSEWHERE.into(); leads(s, ELSEWHERE); }),
        Case::new("primary and replica", |s| { replica(s); let hosts = [HOST, "shop-two.abc.us-east-1.rds.amazonaws.com"].map(|h| HostPort { host: h.into(), port: 5432 }).to_vec(); holds(s, SecretShape::Plain(Connection { hosts, ..good() })); }),
        Case::new("an alias that is declared", |s| leads(s, "DB.declared.internal.")),
        Case::new("a pooler that is declared, with names and ports of its own", |s| { let mut c = connection(POOLER, "pooled", vec![]); c.hosts[0].port = 6432; holds(s, SecretShape::Plain(c)); }),
    ],
    unknown: &[
        Case::new("a CNAME", |s| leads(s, "db.shop.internal")),
        Case::new("a private address", |s| leads(s, "10.0.1.17")),
        Case::new("a pooler", |s| leads(s, "pgbouncer.shop.local")),
        Case::new("RDS Proxy that was not looked up", |s| leads(s, PROXY)),
        Case::new("RDS Proxy of no account of ours", |s| { leads(s, PROXY); s.endpoints.insert(PROXY.into(), Ok(None)); }),
        Case::new("a reader of RDS Proxy", |s| { leads(s, READER); s.endpoints.insert(READER.into(), Ok(None)); }),
        Case::new("proxies that may not be read", |s| { leads(s, PROXY); s.endpoints.insert(PROXY.into(), Err(denied("DescribeDBProxies"))); }),
        Case::new("RDS Proxy without a target", |s| { leads(s, PROXY); endpoint(s, PROXY, vec![]); }),
        Case::new("a global database", |s| { cluster(s); leads(s, GLOBAL); s.endpoints.insert(GLOBAL.into(), Ok(None)); }),
        Case::new("a shard group", |s| { cluster(s); leads(s, "shop.shardgrp-abc.us-east-1.rds.amazonaws.com"); }),
        Case::new("a replica in another region", |s| { db(s).replicas.push("arn:aws:rds:eu-west-1:123456789012:db:shop-copy".into()); leads(s, "shop-copy.abc.eu-west-1.rds.amazonaws.com"); }),
        Case::new("a secondary cluster of a global database", |s| { cluster(s).global_cluster = Some("shop".into()); leads(s, "fleet.cluster-ro-abc.eu-west-1.rds.amazonaws.com"); }),
        Case::new("elsewhere while a database is being created", |s| { second(s); s.instances.as_mut().expect("read").get_mut("shop-two").expect("there").endpoint = None; leads(s, ELSEWHERE); }),
    ],
    unread: &[Unread::Instances, Unread::Clusters, Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff, Unread::Value, Unread::UninspectedValue],
};

/// How bad it is depends on what is wrong, and an unknown host names the key that would tell.
#[test]
fn severities_and_the_key_that_tells() {
    let severity = |change| finding_after(change, "secret-wrong-database").severity;
    assert_eq!(severity(|s| leads(s, ELSEWHERE)), Severity::Critical);
    assert_eq!(
        severity(|s| db(s).endpoint.as_mut().expect("an endpoint").port = 5433),
        Severity::Critical
    );
    assert_eq!(
        severity(|s| holds(s, SecretShape::Plain(connection(HOST, "archive", vec![])))),
        Severity::Low
    );
    for (host, told) in [
        ("db.shop.internal", "db.shop.internal is no endpoint of RDS"),
        (GLOBAL, "is an endpoint of RDS that this account and region don't have"),
    ] {
        let mut s = clean();
        leads(&mut s, host);
        s.endpoints.insert(GLOBAL.into(), Ok(None));
        let message = the_finding(&evaluation(&s), "secret-wrong-database").message;
        assert!(message.contains(told), "{message}");
        assert!(message.contains("`workloads.shop.database_aliases`"), "{message}");
    }
    let denied = finding_after(
        |s| {
            leads(s, PROXY);
            s.endpoints.insert(PROXY.into(), Err(denied("DescribeDBProxies")));
        },
        "secret-wrong-database",
    );
    assert!(denied.message.contains("grant DescribeDBProxies"), "{}", denied.message);
}

/// Where a proxy leads instead is said.
#[test]
fn the_target_of_a_proxy_is_named() {
    let finding = finding_after(
        |s| {
            bank(s);
            leads(s, PROXY);
            endpoint(s, PROXY, instance("shop-two"));
        },
        "secret-wrong-database",
    );
    assert!(
        finding.message.contains(&format!("{PROXY} (shop-two)")),
        "{}",
        finding.message
    );
}
