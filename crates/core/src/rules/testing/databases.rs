//! Changes to the databases of the clean workload, and to what leads to them.

use ipnet::IpNet;
use jiff::SignedDuration;

use super::workload::{SECRET, ago, cluster, connection, db, denied, guard, holds, ingress, now, shop, web};
use crate::model::connection::SecretShape;
use crate::model::resources::{
    DbInstance, Egress, EndpointTarget, ParameterGroup, RdsEndpoint, Secret, SecretVariable, Subnet,
};
use crate::model::snapshot::{Guarded, SecretValue, Snapshot};
use crate::model::value_from::Selector;

/// Another database's plain endpoint.
pub(crate) const ELSEWHERE: &str = "old-db.abc.us-east-1.rds.amazonaws.com";
pub(crate) const TWO: &str = "shop-two.abc.us-east-1.rds.amazonaws.com";

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().expect("a net")
}

pub(crate) fn subnet(s: &mut Snapshot) -> &mut Subnet {
    s.subnets.as_mut().expect("read").get_mut("subnet-1").expect("subnet-1")
}

pub(crate) fn add_subnet(s: &mut Snapshot, id: &str, vpc: &str, cidr: &str, routes: &[&str]) {
    let subnet = Subnet {
        id: id.into(),
        vpc: vpc.into(),
        cidrs: vec![net(cidr)],
        internet_gateway: None,
        private_routes: routes.iter().map(|r| net(r)).collect(),
        route_table: Some("rtb-1".into()),
        egress: Egress::Nat,
        ..Subnet::default()
    };
    s.subnets.as_mut().expect("read").insert(id.into(), subnet);
}

pub(crate) fn migrating(s: &mut Snapshot, until: &str) {
    db(s).tags = shop(&[("phase", "migrating"), ("migration-until", until)]);
}

/// The only rule of the database's group lets in `source`.
pub(crate) fn lets_in_only(s: &mut Snapshot, source: &str) {
    guard(s).ingress = vec![ingress("sgr-only", source)];
}

/// Moves the database into a VPC of its own, with routes `there` and `back`.
pub(crate) fn apart(s: &mut Snapshot, there: bool, back: bool) {
    add_subnet(
        s,
        "subnet-2",
        "vpc-2",
        "10.1.1.0/24",
        if back { &["10.0.0.0/16"] } else { &[] },
    );
    if there {
        subnet(s).private_routes.push(net("10.1.0.0/16"));
    }
    db(s).subnets = vec!["subnet-2".into()];
    db(s).vpc = Some("vpc-2".into());
    guard(s).vpc = Some("vpc-2".into());
}

/// A second database of the workload, a day old, in a group that lets nobody in.
pub(crate) fn second(s: &mut Snapshot) {
    let mut two = db(s).clone();
    two.id = "shop-two".into();
    two.arn = "arn:aws:rds:us-east-1:123456789012:db:shop-two".into();
    two.created_at = Some(ago(24));
    two.security_groups = vec!["sg-two".into()];
    two.endpoint.as_mut().expect("there").host = TWO.into();
    let mut group = guard(s).clone();
    (group.id, group.ingress) = ("sg-two".into(), vec![]);
    s.guarded.insert("sg-two".into(), Ok(Guarded::default()));
    s.instances.as_mut().expect("read").insert("shop-two".into(), two);
    s.security_groups.as_mut().expect("read").insert("sg-two".into(), group);
}

pub(crate) fn replica(s: &mut Snapshot) -> &mut DbInstance {
    let mut copy = db(s).clone();
    copy.id = "shop-copy".into();
    copy.arn = "arn:aws:rds:us-east-1:123456789012:db:shop-copy".into();
    copy.replica_of = Some("shop-db".into());
    copy.backup_retention_days = 0;
    copy.restorable_until = None;
    copy.endpoint.as_mut().expect("there").host = TWO.into();
    let all = s.instances.as_mut().expect("read");
    all.insert("shop-copy".into(), copy);
    all.get_mut("shop-copy").expect("there")
}

/// What a blue/green switchover left of the database, which the workload still has; its host.
pub(crate) fn former(s: &mut Snapshot) -> &'static str {
    const FORMER: &str = "shop-db-old1.abc.us-east-1.rds.amazonaws.com";
    let mut old = db(s).clone();
    old.id = "shop-db-old1".into();
    old.arn = "arn:aws:rds:us-east-1:123456789012:db:shop-db-old1".into();
    old.created_at = Some(ago(24));
    old.endpoint.as_mut().expect("there").host = FORMER.into();
    s.instances.as_mut().expect("read").insert(old.id.clone(), old);
    FORMER
}

/// An endpoint that no list of databases has leads there.
pub(crate) fn endpoint(s: &mut Snapshot, host: &str, targets: Vec<EndpointTarget>) {
    let endpoint = RdsEndpoint {
        name: "RDS Proxy shop-pooler".into(),
        read_only: false,
        targets,
    };
    s.endpoints.insert(host.into(), Ok(Some(endpoint)));
}

/// A member of the workload, like its database, whose cluster is not in the list: it was listed before the cluster was there,
/// or the cluster is going.
pub(crate) fn orphan(s: &mut Snapshot) -> &mut DbInstance {
    let mut copy = db(s).clone();
    copy.id = "shop-orphan".into();
    copy.arn = "arn:aws:rds:us-east-1:123456789012:db:shop-orphan".into();
    copy.cluster = Some("gone".into());
    copy.endpoint.as_mut().expect("there").host = "shop-orphan.abc.us-east-1.rds.amazonaws.com".into();
    let all = s.instances.as_mut().expect("read");
    all.insert("shop-orphan".into(), copy);
    all.get_mut("shop-orphan").expect("there")
}

/// Makes the cluster a Multi-AZ DB cluster.
pub(crate) fn multi_az_cluster(s: &mut Snapshot) {
    cluster(s).engine = "postgres".into();
    cluster(s).parameter_group = Some("default.postgres17".into());
    db(s).engine = "postgres".into();
}

pub(crate) fn own_group(s: &mut Snapshot, of_cluster: bool, force_ssl: Option<&str>) {
    let group = ParameterGroup {
        name: "shop-pg".into(),
        of_cluster,
        force_ssl: force_ssl.map(str::to_owned),
        tags: shop(&[]),
    };
    s.parameter_groups.insert((of_cluster, "shop-pg".into()), Ok(group));
    if of_cluster {
        cluster(s).parameter_group = Some("shop-pg".into());
    } else {
        db(s).parameter_groups = vec!["shop-pg".into()];
    }
}

pub(crate) fn version(s: &mut Snapshot, version: &str, group: &str) {
    db(s).engine_version = version.into();
    db(s).parameter_groups = vec![group.into()];
}

pub(crate) fn status(s: &mut Snapshot, status: &str) {
    db(s).status = status.into();
}

pub(crate) fn in_days(days: i64) -> jiff::Timestamp {
    now() + SignedDuration::from_hours(24 * days)
}

pub(crate) fn minutes_ago(minutes: i64) -> jiff::Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

pub(crate) fn secret(s: &mut Snapshot) -> &mut Secret {
    s.secrets.as_mut().expect("read").get_mut(SECRET).expect("the secret")
}

/// The secret has led to `host` for so many hours.
pub(crate) fn leads_to(s: &mut Snapshot, host: &str, hours: i64) {
    secret(s).changed_at = Some(ago(hours));
    holds(s, SecretShape::Plain(connection(host, "app", vec![])));
}

pub(crate) fn unread_value(s: &mut Snapshot) {
    s.values
        .insert((SECRET.into(), Selector::default()), Err(denied("GetSecretValue")));
}

pub(crate) fn plain_url(s: &mut Snapshot, host: &str) {
    web(s).secrets.clear();
    web(s).variables.push(super::workload::plain(
        "DB_URL",
        &format!("postgres://app:Secret-Pw1@{host}:5432/app?sslmode=require"),
    ));
}

pub(crate) fn parameter(s: &mut Snapshot, host: &str) {
    web(s).secrets = vec![SecretVariable {
        name: "DATABASE_URL".into(),
        value_from: "/shop/url".into(),
    }];
    let shape = SecretShape::Plain(connection(host, "app", vec![]));
    s.parameters
        .insert("/shop/url".into(), Ok(Some(SecretValue::Shape(shape))));
}

/// A phase of migration of which nobody said when it ends.
pub(crate) fn migrating_without_end(s: &mut Snapshot) {
    db(s).tags = shop(&[("phase", "migrating")]);
}

/// The database's group lets in `source` too.
pub(crate) fn lets_in(s: &mut Snapshot, source: &str) {
    guard(s).ingress.push(ingress("sgr-extra", source));
}

/// Everything that a rule about databases could complain about.
pub(crate) fn wreck(i: &mut DbInstance) {
    i.storage_encrypted = false;
    i.deletion_protection = false;
    i.max_allocated_storage = None;
    i.auto_minor_upgrade = false;
    i.certificate_until = Some(in_days(-1));
    i.restorable_until = Some(ago(9));
    i.multi_az = false;
    i.iam_authentication = false;
    i.engine_version = "12.1".into();
    i.master_user = Some("postgres".into());
}
