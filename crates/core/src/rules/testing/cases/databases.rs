//! Databases: subnets, paths, backups, encryption, protection, storage, TLS, upgrades, certificates, status, use.

mod changes;
mod remedies;

use super::super::{HOST, REVISION, ago, cluster, connection, db, denied, guard, holds, ingress, service, tags, web};
use super::{Area, Case, Change};
use crate::model::connection::SecretShape;
use crate::model::resources::{DbInstance, PlainDatabase, Source};
use crate::model::shared::Shared;
use changes::{
    ELSEWHERE, TWO, add_subnet, apart, in_days, leads_to, lets_in_only, migrating, minutes_ago, multi_az_cluster, net,
    own_group, parameter, plain_url, replica, second, secret, status, subnet, unread_value, version,
};

const SUBNET: &str = "rds-public-subnet";
const UNREACHABLE: &str = "rds-unreachable-from-service";
const STALE: &str = "rds-stale-restore-point";
const PLAIN: &str = "rds-unencrypted-storage";
const DELETION: &str = "rds-deletion-unprotected";
const CEILING: &str = "rds-storage-ceiling";
const TLS: &str = "rds-unenforced-tls";
const MINOR: &str = "rds-no-minor-upgrades";
const CERTIFICATE: &str = "rds-expiring-certificate";
const DOWN: &str = "rds-unavailable";
const ABANDONED: &str = "rds-abandoned";
const ZONE: &str = "rds-single-az";
const IAM: &str = "rds-no-iam-authentication";
const MASTER: &str = "rds-default-master-name";

/// What fails, and the rules that say so.
#[rustfmt::skip]
const FAILING: &[Case] = &[
    // Subnets.
    ("a route to the internet", |s| subnet(s).internet_gateway = Some("igw-1".into()), &[SUBNET]),
    ("a cluster's route to the internet", |s| { cluster(s); subnet(s).internet_gateway = Some("igw-1".into()); }, &[SUBNET]),
    ("a replica's route to the internet", |s| { replica(s).subnets = vec!["subnet-2".into()]; add_subnet(s, "subnet-2", "vpc-1", "10.0.2.0/24", &[]); s.subnets.as_mut().expect("read").get_mut("subnet-2").expect("there").internet_gateway = Some("igw-1".into()); }, &[SUBNET]),
    ("a public subnet after the window", |s| { migrating(s, "2026-11-21T11:00:00Z"); subnet(s).internet_gateway = Some("igw-1".into()); }, &[SUBNET]),
    ("a public subnet beside one that is not found", |s| { db(s).subnets.push("subnet-9".into()); subnet(s).internet_gateway = Some("igw-1".into()); }, &[SUBNET]),
    // Paths.
    ("no rule", |s| guard(s).ingress.clear(), &[UNREACHABLE]),
    ("no rule while migrating", |s| { migrating(s, "2026-11-22T00:00:00Z"); guard(s).ingress.clear(); }, &[UNREACHABLE]),
    ("no rule for a cluster's port", |s| { cluster(s).port = Some(5433); leads_to(s, "fleet.cluster-abc.us-east-1.rds.amazonaws.com", 90); }, &[UNREACHABLE]),
    ("a rule for another port", |s| { guard(s).ingress[0].from_port = Some(22); guard(s).ingress[0].to_port = Some(22); }, &[UNREACHABLE]),
    ("a range that ends below the port", |s| { guard(s).ingress[0].from_port = Some(1024); guard(s).ingress[0].to_port = Some(5431); }, &[UNREACHABLE]),
    ("a rule for UDP", |s| guard(s).ingress[0].protocol = "udp".into(), &[UNREACHABLE]),
    ("a rule for another group", |s| lets_in_only(s, "sg-other"), &[UNREACHABLE]),
    ("a foreign account's group of our name", |s| guard(s).ingress[0].source = Source::Group { id: "sg-app".into(), account: Some("999999999999".into()) }, &[UNREACHABLE]),
    ("half of the subnets", |s| { add_subnet(s, "subnet-2", "vpc-1", "10.0.2.0/24", &[]); service(s).subnets.push("subnet-2".into()); lets_in_only(s, "10.0.1.0/24"); }, &[UNREACHABLE]),
    ("half of a subnet", |s| lets_in_only(s, "10.0.1.0/25"), &[UNREACHABLE]),
    ("IPv6 to a database without", |s| { subnet(s).cidrs.push(net("2001:db8:1::/64")); lets_in_only(s, "2001:db8:1::/64"); }, &[UNREACHABLE]),
    ("another VPC", |s| apart(s, false, false), &[UNREACHABLE]),
    ("another VPC with no way back", |s| apart(s, true, false), &[UNREACHABLE]),
    ("another VPC with no rule", |s| { apart(s, true, true); guard(s).ingress.clear(); }, &[UNREACHABLE]),
    ("a public database in another VPC, without a public rule", |s| { apart(s, false, false); db(s).publicly_accessible = true; lets_in_only(s, "10.0.0.0/8"); }, &[UNREACHABLE]),
    ("the one of two that the secret names", |s| { second(s); leads_to(s, TWO, 24); }, &[UNREACHABLE]),
    ("no path, and no secret either", |s| { web(s).secrets.clear(); guard(s).ingress.clear(); service(s).deployments[0].created_at = Some(ago(1)); }, &[UNREACHABLE]),
    // Restore points.
    ("a restore point of 31 minutes ago", |s| db(s).restorable_until = Some(minutes_ago(31)), &[STALE]),
    ("no restore point in a month", |s| db(s).restorable_until = None, &[STALE]),
    ("a cluster's old restore point", |s| cluster(s).restorable_until = Some(ago(5)), &[STALE]),
    ("an old restore point while full", |s| { status(s, "storage-full"); db(s).restorable_until = Some(ago(5)); }, &[DOWN, STALE]),
    // Encryption and protection.
    ("unencrypted", |s| db(s).storage_encrypted = false, &[PLAIN]),
    ("an unencrypted cluster", |s| cluster(s).storage_encrypted = false, &[PLAIN]),
    ("an unencrypted replica", |s| replica(s).storage_encrypted = false, &[PLAIN]),
    ("unencrypted while migrating", |s| { migrating(s, "2026-11-22T00:00:00Z"); db(s).storage_encrypted = false; }, &[PLAIN]),
    ("unprotected", |s| db(s).deletion_protection = false, &[DELETION]),
    ("an unprotected cluster", |s| cluster(s).deletion_protection = false, &[DELETION]),
    ("an unprotected replica", |s| replica(s).deletion_protection = false, &[DELETION]),
    // Storage.
    ("no ceiling", |s| db(s).max_allocated_storage = None, &[CEILING]),
    ("a low ceiling", |s| db(s).max_allocated_storage = Some(39), &[CEILING]),
    ("a ceiling that has been reached", |s| { db(s).allocated_storage = 100; db(s).max_allocated_storage = Some(100); }, &[CEILING]),
    ("a replica without a ceiling", |s| replica(s).max_allocated_storage = None, &[CEILING]),
    // TLS.
    ("version 14", |s| version(s, "14.9", "default.postgres14"), &[TLS]),
    ("version 14, left open by a group", |s| { version(s, "14.9", "x"); own_group(s, false, None); }, &[TLS]),
    ("version 17, switched off", |s| own_group(s, false, Some("0")), &[TLS]),
    ("Aurora 16", |s| { cluster(s).engine_version = "16.8".into(); cluster(s).parameter_group = Some("default.aurora-postgresql16".into()); }, &[TLS]),
    ("Aurora 17, switched off", |s| { cluster(s); own_group(s, true, Some("0")); }, &[TLS]),
    ("a Multi-AZ DB cluster of version 14", |s| { multi_az_cluster(s); cluster(s).engine_version = "14.9".into(); }, &[TLS]),
    ("a replica without TLS", |s| { own_group(s, false, Some("0")); db(s).parameter_groups = vec!["default.postgres17".into()]; replica(s).parameter_groups = vec!["shop-pg".into()]; }, &[TLS]),
    // Minor versions.
    ("no minor versions", |s| db(s).auto_minor_upgrade = false, &[MINOR]),
    ("no minor versions on a member", |s| { cluster(s); db(s).auto_minor_upgrade = false; }, &[MINOR]),
    ("no minor versions on a replica", |s| replica(s).auto_minor_upgrade = false, &[MINOR]),
    ("members say yes and their cluster no", |s| cluster(s).auto_minor_upgrade = Some(false), &[MINOR]),
    ("no minor versions on a Multi-AZ DB cluster", |s| { multi_az_cluster(s); cluster(s).auto_minor_upgrade = Some(false); }, &[MINOR]),
    // Certificates.
    ("a certificate of 60 days", |s| db(s).certificate_until = Some(in_days(60)), &[CERTIFICATE]),
    ("a certificate of yesterday", |s| db(s).certificate_until = Some(in_days(-1)), &[CERTIFICATE]),
    ("a member's certificate", |s| { cluster(s); db(s).certificate_until = Some(in_days(9)); }, &[CERTIFICATE]),
    ("a replica's certificate", |s| replica(s).certificate_until = Some(in_days(9)), &[CERTIFICATE]),
    // Status.
    ("stopped", |s| { status(s, "stopped"); db(s).restorable_until = Some(ago(50)); }, &[DOWN]),
    ("failed", |s| status(s, "failed"), &[DOWN]),
    ("full", |s| status(s, "storage-full"), &[DOWN]),
    ("wrong parameters", |s| status(s, "incompatible-parameters"), &[DOWN]),
    ("no network", |s| status(s, "incompatible-network"), &[DOWN]),
    ("a lost key", |s| status(s, "inaccessible-encryption-credentials"), &[DOWN]),
    ("a key switched off", |s| status(s, "inaccessible-encryption-credentials-recoverable"), &[DOWN]),
    ("not restored", |s| status(s, "restore-error"), &[DOWN]),
    ("no capacity", |s| { status(s, "insufficient-capacity"); db(s).endpoint = None; db(s).restorable_until = None; }, &[DOWN]),
    ("a stopped cluster", |s| { cluster(s).status = "stopped".into(); status(s, "stopped"); }, &[DOWN]),
    ("a failed member", |s| { cluster(s); status(s, "failed"); }, &[DOWN]),
    ("a stopped replica", |s| replica(s).status = "stopped".into(), &[DOWN]),
    // Use.
    ("nobody refers to it", |s| web(s).secrets.clear(), &[ABANDONED]),
    ("everybody refers to another", |s| leads_to(s, ELSEWHERE, 72), &[ABANDONED]),
    ("a plain URL to another", |s| plain_url(s, ELSEWHERE), &[ABANDONED]),
    ("a parameter that leads to another", |s| parameter(s, ELSEWHERE), &[ABANDONED]),
    ("no service", |s| s.services = Ok(Shared::new()), &[ABANDONED]),
    ("a cluster that nobody refers to", |s| { cluster(s); web(s).secrets.clear(); }, &[ABANDONED]),
    ("stopped, and nobody refers to it", |s| { status(s, "stopped"); web(s).secrets.clear(); }, &[DOWN, ABANDONED]),
    // Off by default.
    ("one zone", |s| db(s).multi_az = false, &[ZONE]),
    ("a cluster in one zone", |s| cluster(s).multi_az = false, &[ZONE]),
    ("no IAM", |s| db(s).iam_authentication = false, &[IAM]),
    ("no IAM on a cluster", |s| cluster(s).iam_authentication = false, &[IAM]),
    ("postgres", |s| db(s).master_user = Some("postgres".into()), &[MASTER]),
    ("a cluster's postgres", |s| cluster(s).master_user = Some("postgres".into()), &[MASTER]),
];

/// Everything that a rule here could complain about.
fn wreck(i: &mut DbInstance) {
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

/// What passes.
#[rustfmt::skip]
const PASSING: &[(&str, Change)] = &[
    ("as it should be", |_| {}),
    ("a cluster as it should be", |s| { cluster(s); }),
    ("a replica as it should be", |s| { replica(s); }),
    ("being deleted", |s| { wreck(db(s)); status(s, "deleting"); subnet(s).internet_gateway = Some("igw-1".into()); }),
    ("nobody's", |s| { wreck(db(s)); db(s).tags = tags(&[]); status(s, "failed"); subnet(s).internet_gateway = Some("igw-1".into()); }),
    ("being created", |s| {
        let i = db(s);
        (i.status, i.endpoint, i.restorable_until, i.created_at, i.certificate_until) = ("creating".into(), None, None, None, None);
        i.subnets.clear();
        guard(s).ingress.clear();
    }),
    // Subnets.
    ("a public subnet while migrating", |s| { migrating(s, "2026-11-22T00:00:00Z"); subnet(s).internet_gateway = Some("igw-1".into()); }),
    ("a public subnet of the service alone", |s| { add_subnet(s, "subnet-2", "vpc-1", "10.0.2.0/24", &[]); service(s).subnets = vec!["subnet-1".into()]; db(s).subnets = vec!["subnet-2".into()]; subnet(s).internet_gateway = Some("igw-1".into()); }),
    // Paths.
    ("all protocols", |s| { let r = &mut guard(s).ingress[0]; (r.protocol, r.from_port, r.to_port) = ("-1".into(), None, None); }),
    ("a range of ports", |s| { guard(s).ingress[0].from_port = Some(5000); guard(s).ingress[0].to_port = Some(6000); }),
    ("our own account by number", |s| guard(s).ingress[0].source = Source::Group { id: "sg-app".into(), account: Some("123456789012".into()) }),
    ("the service's subnet", |s| lets_in_only(s, "10.0.1.0/24")),
    ("the whole VPC", |s| lets_in_only(s, "10.0.0.0/16")),
    ("two rules for two subnets", |s| { add_subnet(s, "subnet-2", "vpc-1", "10.0.2.0/24", &[]); service(s).subnets.push("subnet-2".into()); lets_in_only(s, "10.0.1.0/24"); guard(s).ingress.push(ingress("sgr-2", "10.0.2.0/24")); }),
    ("the world, without subnets", |s| { s.subnets = Ok(Shared::new()); db(s).subnets.clear(); lets_in_only(s, "0.0.0.0/0"); }),
    ("IPv6 to a dual-stack database", |s| { db(s).dual_stack = true; subnet(s).cidrs.push(net("2001:db8:1::/64")); lets_in_only(s, "2001:db8:1::/64"); }),
    ("a second guard", |s| { db(s).security_groups.push("sg-two".into()); let mut two = guard(s).clone(); two.id = "sg-two".into(); guard(s).ingress.clear(); s.security_groups.as_mut().expect("read").insert("sg-two".into(), two); }),
    ("the second of the service's groups", |s| { service(s).security_groups = vec!["sg-x".into(), "sg-app".into()]; }),
    ("a group across a peering", |s| apart(s, true, true)),
    ("addresses across a peering", |s| { apart(s, true, true); lets_in_only(s, "10.0.1.0/24"); }),
    ("a more specific route", |s| { apart(s, false, true); subnet(s).private_routes.push(net("10.1.1.7/32")); }),
    ("around by the internet", |s| { apart(s, false, false); db(s).publicly_accessible = true; lets_in_only(s, "203.0.113.7/32"); }),
    ("a prefix list beside the rule", |s| guard(s).ingress.push(ingress("sgr-pl", "pl-1"))),
    ("no awsvpc network", |s| { service(s).security_groups.clear(); service(s).subnets.clear(); guard(s).ingress.clear(); }),
    ("a second database that nobody names", |s| second(s)),
    ("a second database, and no secret", |s| { second(s); web(s).secrets.clear(); service(s).deployments[0].created_at = Some(ago(1)); }),
    // Restore points.
    ("a restore point of 29 minutes ago", |s| db(s).restorable_until = Some(minutes_ago(29))),
    ("no restore point in 23 hours", |s| { db(s).restorable_until = None; db(s).created_at = Some(ago(23)); }),
    ("a first backup under way", |s| { db(s).restorable_until = None; status(s, "backing-up"); }),
    ("no backups wanted", |s| { db(s).backup_retention_days = 0; db(s).restorable_until = None; }),
    ("a replica's restore point", |s| { replica(s).backup_retention_days = 7; }),
    ("a member's restore point", |s| { cluster(s); db(s).restorable_until = None; }),
    ("upgrading for an hour", |s| { status(s, "upgrading"); db(s).restorable_until = Some(ago(1)); }),
    // What a cluster owns.
    ("a member's own flags", |s| { cluster(s); let i = db(s); i.storage_encrypted = false; i.deletion_protection = false; i.max_allocated_storage = None; i.multi_az = false; i.iam_authentication = false; i.master_user = Some("postgres".into()); i.engine_version = "12.1".into(); }),
    ("a Multi-AZ DB cluster's members", |s| { multi_az_cluster(s); db(s).auto_minor_upgrade = false; db(s).max_allocated_storage = None; }),
    ("a cluster that says yes", |s| cluster(s).auto_minor_upgrade = Some(true)),
    // Storage.
    ("just enough", |s| db(s).max_allocated_storage = Some(40)),
    ("as large as it gets", |s| { db(s).allocated_storage = 40_000; db(s).max_allocated_storage = Some(65_536); }),
    ("no room to grow", |s| { db(s).allocated_storage = 65_000; db(s).max_allocated_storage = None; }),
    // TLS.
    ("version 15", |s| version(s, "15.2", "default.postgres15")),
    ("version 14, switched on", |s| { version(s, "14.9", "x"); own_group(s, false, Some("1")); }),
    ("version 17, left as it is", |s| own_group(s, false, None)),
    ("Aurora 16, switched on", |s| { cluster(s).engine_version = "16.8".into(); own_group(s, true, Some("1")); }),
    ("a member's own parameter group", |s| { cluster(s); own_group(s, false, Some("0")); }),
    ("another engine", |s| { db(s).engine = "mysql".into(); version(s, "8.0.40", "default.mysql8.0"); }),
    // Certificates.
    ("a certificate of 61 days", |s| db(s).certificate_until = Some(in_days(61))),
    ("no certificate yet", |s| db(s).certificate_until = None),
    // Status.
    ("modifying", |s| status(s, "modifying")),
    ("growing", |s| status(s, "storage-optimization")),
    ("starting", |s| status(s, "starting")),
    // Use.
    ("young", |s| { web(s).secrets.clear(); db(s).created_at = Some(ago(47)); }),
    ("deployed lately", |s| { web(s).secrets.clear(); service(s).deployments[0].created_at = Some(ago(47)); }),
    ("a secret that was changed lately", |s| leads_to(s, ELSEWHERE, 47)),
    ("nobody refers to it yet", |s| { web(s).secrets.clear(); migrating(s, "2026-11-22T00:00:00Z"); }),
    ("a plain URL to it", |s| plain_url(s, HOST)),
    ("a parameter that leads to it", |s| parameter(s, HOST)),
    ("one that reads from its replica", |s| { replica(s); leads_to(s, TWO, 72); }),
    ("a replica that nobody refers to", |s| { replica(s).created_at = Some(ago(900)); }),
    ("by the cluster's reader", |s| { cluster(s).hosts.push("fleet.cluster-ro-abc.us-east-1.rds.amazonaws.com".into()); leads_to(s, "fleet.cluster-ro-abc.us-east-1.rds.amazonaws.com", 72); }),
    ("another database name", |s| { secret(s).changed_at = Some(ago(72)); holds(s, SecretShape::Plain(connection(HOST, "archive", vec![]))); }),
    ("another master", |s| db(s).master_user = Some("root_of_shop".into())),
    ("a replica in one zone", |s| replica(s).multi_az = false),
];

const ALL: &[&str] = &[
    SUBNET,
    UNREACHABLE,
    STALE,
    PLAIN,
    DELETION,
    CEILING,
    TLS,
    MINOR,
    CERTIFICATE,
    DOWN,
    ABANDONED,
    ZONE,
    IAM,
    MASTER,
];

/// What can't be told, and the rules that say so.
#[rustfmt::skip]
const UNKNOWN: &[Case] = &[
    ("instances", |s| s.instances = Err(denied("DescribeDBInstances")), ALL),
    ("clusters", |s| s.clusters = Err(denied("DescribeDBClusters")), ALL),
    ("subnets", |s| s.subnets = Err(denied("DescribeSubnets")), &[SUBNET]),
    ("subnets, and a rule by address", |s| { lets_in_only(s, "10.0.1.0/24"); s.subnets = Err(denied("DescribeSubnets")); }, &[SUBNET, UNREACHABLE]),
    ("subnets, and another VPC", |s| { apart(s, true, true); s.subnets = Err(denied("DescribeSubnets")); }, &[SUBNET, UNREACHABLE]),
    ("a subnet that is not there", |s| db(s).subnets.push("subnet-9".into()), &[SUBNET]),
    ("groups", |s| s.security_groups = Err(denied("DescribeSecurityGroups")), &[UNREACHABLE]),
    ("a guard that is not there", |s| { s.security_groups.as_mut().expect("read").remove("sg-db"); }, &[UNREACHABLE]),
    ("a prefix list alone", |s| lets_in_only(s, "pl-1"), &[UNREACHABLE]),
    ("services", |s| s.services = Err(denied("DescribeServices")), &[UNREACHABLE, ABANDONED]),
    ("one service", |s| {
        let unread = ("shop".to_owned(), denied("DescribeServices"));
        s.unread_services.insert("arn:aws:ecs:us-east-1:123456789012:service/main/other".into(), unread);
    }, &[UNREACHABLE]),
    ("the revision", |s| { s.task_definitions.insert(REVISION.into(), Err(denied("DescribeTaskDefinition"))); }, &[ABANDONED]),
    ("the value", |s| { unread_value(s); secret(s).changed_at = Some(ago(72)); }, &[ABANDONED]),
    ("a value, and one of two paths", |s| { second(s); unread_value(s); }, &[UNREACHABLE]),
    ("RDS Proxy", |s| { leads_to(s, "shop.proxy-abc.us-east-1.rds.amazonaws.com", 72); guard(s).ingress.clear(); }, &[UNREACHABLE, ABANDONED]),
    ("an alias", |s| leads_to(s, "db.shop.internal", 72), &[ABANDONED]),
    ("a host in plain text", |s| { web(s).secrets.clear(); web(s).plain_databases.push(PlainDatabase { variable: "PGHOST".into(), external: true, connection: None }); }, &[ABANDONED]),
    ("a parameter that was not read", |s| { parameter(s, HOST); s.parameters.clear(); }, &[ABANDONED]),
    ("a service that another program deploys", |s| { web(s).secrets.clear(); service(s).deployments.clear(); }, &[ABANDONED]),
    ("a parameter group", |s| { own_group(s, false, None); s.parameter_groups.insert((false, "shop-pg".into()), Err(denied("DescribeDBParameters"))); }, &[TLS]),
    ("a parameter group that was not read", |s| db(s).parameter_groups = vec!["shop-pg".into()], &[TLS]),
    ("no version", |s| db(s).engine_version = String::new(), &[TLS]),
];

/// The area.
pub(super) const AREA: Area = Area {
    rules: ALL,
    failing: FAILING,
    passing: PASSING,
    unknown: UNKNOWN,
};
