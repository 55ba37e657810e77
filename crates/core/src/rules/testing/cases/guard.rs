//! The guard itself: waivers, untagged parts, workloads without a database, fights.

use super::super::{SERVICE, clean, cluster, db, denied, guard, holds, service, shop, tags, web};
use super::{Area, Case, Change};
use crate::model::connection::SecretShape;
use crate::model::finding::{Kind, ResourceRef};
use crate::model::resources::Fight;
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;

const REVERTED: &str = "correction-reverted";
const WAIVER: &str = "waiver-invalid";
const UNTAGGED: &str = "workload-untagged-part";
const WITHOUT: &str = "workload-without-database";

fn waive(s: &mut Snapshot, text: &str, reason: Option<&str>) {
    let reason = reason.map(|r| ("waive-reason", r));
    db(s).tags = shop(&[&[("waive", text)][..], reason.as_slice()].concat());
}

fn fight(s: &mut Snapshot, workload: &str, principals: &[&str]) {
    let arn = "arn:aws:rds:us-east-1:123456789012:db:shop-db";
    let resource = ResourceRef::new(Kind::RdsDbInstance, "shop-db", arn, &s.scope);
    s.fights.push(Fight {
        workload: workload.into(),
        resource,
        rules: vec!["rds-public-access".into()],
        change: "shop-db: PubliclyAccessible true → false".into(),
        times: 3,
        since: super::super::ago(5),
        principals: principals.iter().map(|p| (*p).to_owned()).collect(),
    });
}

fn without_database(s: &mut Snapshot) {
    s.instances = Ok(Shared::new());
}

#[rustfmt::skip]
const FAILING: &[Case] = &[
    ("a waiver without a reason", |s| waive(s, "rds-public-access@2027-01-01T00:00:00Z", None), &[WAIVER]),
    ("an empty reason", |s| waive(s, "rds-public-access@2027-01-01T00:00:00Z", Some("  ")), &[WAIVER]),
    ("an expired waiver", |s| waive(s, "rds-public-access@2026-11-21T12:00:00Z", Some("x")), &[WAIVER]),
    ("a waiver of nothing", |s| waive(s, " ", Some("x")), &[WAIVER]),
    ("a waiver without an end", |s| waive(s, "rds-public-access", Some("x")), &[WAIVER]),
    ("a waiver until some day", |s| waive(s, "rds-public-access@soon", Some("x")), &[WAIVER]),
    ("a date without a time", |s| waive(s, "rds-public-access@2027-01-01", Some("x")), &[WAIVER]),
    ("a waiver of a longer id", |s| waive(s, "rds-public-access-x@2027-01-01T00:00:00Z", Some("x")), &[WAIVER]),
    ("a waiver in capitals", |s| waive(s, "RDS-Public-Access@2027-01-01T00:00:00Z", Some("x")), &[WAIVER]),
    ("commas instead of spaces", |s| waive(s, "rds-public-access@2027-01-01T00:00:00Z,rds-open-ingress@2027-01-01T00:00:00Z", Some("x")), &[WAIVER]),
    ("one of two expired", |s| waive(s, "rds-public-access@2027-01-01T00:00:00Z rds-open-ingress@2026-01-01T00:00:00Z", Some("x")), &[WAIVER]),
    ("a fight", |s| fight(s, "shop", &["arn:aws:iam::123456789012:role/terraform"]), &[REVERTED]),
    ("a fight with nobody known", |s| fight(s, "shop", &[]), &[REVERTED]),
    ("an untagged group", |s| guard(s).tags = tags(&[]), &[UNTAGGED]),
    ("another workload's group", |s| guard(s).tags = tags(&[("workload", "bank")]), &[UNTAGGED]),
    ("an untagged member", |s| { cluster(s); db(s).tags = tags(&[]); }, &[UNTAGGED]),
    ("an untagged cluster", |s| cluster(s).tags = tags(&[]), &[UNTAGGED]),
    ("an untagged secret", |s| for secret in s.secrets.as_mut().expect("read").values_mut() { secret.tags = tags(&[]); }, &[UNTAGGED]),
    ("an untagged database that the secret leads to", |s| db(s).tags = tags(&[]), &[UNTAGGED, WITHOUT]),
    ("no database", without_database, &[WITHOUT]),
    ("a database that is being deleted", |s| db(s).status = "deleting".into(), &[WITHOUT]),
];

#[rustfmt::skip]
const PASSING: &[(&str, Change)] = &[
    ("a waiver in force", |s| waive(s, "rds-public-access@2027-01-01T00:00:00Z", Some("until the move is over"))),
    ("two waivers and spare spaces", |s| waive(s, " rds-public-access@2027-01-01T00:00:00Z  rds-open-ingress@2027-01-01T00:00:00Z ", Some("x"))),
    ("a waiver renewed beside the old one", |s| waive(s, "rds-public-access@2026-01-01T00:00:00Z rds-public-access@2027-01-01T00:00:00Z", Some("x"))),
    ("a reason without a waiver", |s| db(s).tags = shop(&[("waive-reason", "x")])),
    ("another's fight", |s| fight(s, "bank", &[])),
    ("no database and no service", |s| { without_database(s); s.services = Ok(Shared::new()); }),
    ("a cluster alone", |s| { cluster(s).members.clear(); db(s).cluster = None; }),
    ("the service's own group untagged", |s| { s.security_groups.as_mut().expect("read").get_mut("sg-app").expect("there").tags = tags(&[]); }),
    ("a stranger's database elsewhere", |s| {
        let mut stray = db(s).clone();
        (stray.id, stray.tags) = ("stray".into(), tags(&[]));
        stray.endpoint.as_mut().expect("there").host = "stray.example.com".into();
        s.instances.as_mut().expect("read").insert("stray".into(), stray);
    }),
    ("a secret that leads to another host", |s| holds(s, SecretShape::Plain(super::super::connection("old.example.com", "app", vec![])))),
    ("no secret at all", |s| web(s).secrets.clear()),
    ("a service on its way out", |s| { without_database(s); service(s).status = "DRAINING".into(); }),
];

#[rustfmt::skip]
const UNKNOWN: &[Case] = &[
    ("instances", |s| s.instances = Err(denied("DescribeDBInstances")), &[WAIVER, UNTAGGED, WITHOUT]),
    ("groups", |s| s.security_groups = Err(denied("DescribeSecurityGroups")), &[WAIVER, UNTAGGED]),
    ("services", |s| s.services = Err(denied("DescribeServices")), &[WAIVER, UNTAGGED, WITHOUT]),
    ("one service", |s| {
        s.services = Ok(Shared::new());
        s.unread_services.insert(SERVICE.into(), ("shop".into(), denied("DescribeServices")));
    }, &[WAIVER, UNTAGGED]),
];

/// The area.
pub(super) const AREA: Area = Area {
    rules: &[REVERTED, WAIVER, UNTAGGED, WITHOUT],
    failing: FAILING,
    passing: PASSING,
    unknown: UNKNOWN,
};

/// Who undid a correction is named.
#[test]
fn a_fight_names_its_principal() {
    let mut s = clean();
    fight(&mut s, "shop", &["arn:aws:iam::123456789012:role/terraform"]);
    let judged = super::super::judged_by(&s, &[REVERTED]);
    assert!(
        judged.findings[0].message.contains("role/terraform"),
        "{:#?}",
        judged.findings
    );
}
