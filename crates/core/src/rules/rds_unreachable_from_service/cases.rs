//! What `rds-unreachable-from-service` says, and of what it says nothing.

use std::sync::Arc;

use crate::finding::Verdict;
use crate::model::cow_map::CowMap;
use crate::model::resources::{DatabaseId, EndpointTarget, Source};
use crate::model::snapshot::{Guarded, Snapshot};
use crate::rules::testing::databases::{
    ELSEWHERE, TWO, add_subnet, apart, endpoint, leads_to, lets_in_only, migrating, net, second, subnet, unread_value,
};
use crate::rules::testing::workload::{
    ALIAS, ago, clean, cluster, db, denied, evaluated_by, guard, ingress, running, service, tags, web,
};
use crate::rules::testing::{Case, Cases, Change, Unread, finding_after, refusal, the_finding};

const PROXY: &str = "shop.proxy-abc.us-east-1.rds.amazonaws.com";
const GLOBAL: &str = "shop.global-abc.global.rds.amazonaws.com";

/// A second service in a group that the database lets nobody of in, without a connection.
fn frontend(s: &mut Snapshot) {
    let mut revision = running(s).clone();
    revision.arn = "arn:frontend:1".into();
    revision.containers[0].secrets.clear();
    let mut front = service(s).clone();
    (front.arn, front.name) = ("arn:frontend".into(), "frontend".into());
    (front.task_definition, front.security_groups) = (revision.arn.clone(), vec!["sg-front".into()]);
    s.task_definitions.insert(revision.arn.clone(), Ok(Arc::new(revision)));
    s.rollback_targets.insert(front.arn.clone(), Ok(vec![]));
    let log = s.logs.values().next().cloned().expect("the service's");
    s.logs.insert(front.arn.clone(), log);
    s.services.as_mut().expect("read").insert(front.arn.clone(), front);
}

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no rule", |s| guard(s).ingress.clear()),
        Case::new("no rule while migrating", |s| { migrating(s, "2026-11-22T00:00:00Z"); guard(s).ingress.clear(); }),
        Case::new("no rule for a cluster's port", |s| { cluster(s).port = Some(5433); leads_to(s, "fleet.cluster-abc.us-east-1.rds.amazonaws.com", 90); }).and_fail(&["secret-wrong-database"]),
        Case::new("a rule for another port", |s| { guard(s).ingress[0].from_port = Some(22); guard(s).ingress[0].to_port = Some(22); }),
        Case::new("a range that ends below the port", |s| { guard(s).ingress[0].from_port = Some(1024); guard(s).ingress[0].to_port = Some(5431); }),
        Case::new("a rule for UDP", |s| guard(s).ingress[0].protocol = "udp".into()),
        Case::new("a rule for another group", |s| lets_in_only(s, "sg-other")).and_fail(&["rds-open-ingress"]),
        Case::new("a foreign account's group of our name", |s| guard(s).ingress[0].source = Source::Group { id: "sg-app".into(), account: Some("999999999999".into()) }).and_fail(&["rds-open-ingress"]),
        Case::new("half of the subnets", |s| { add_subnet(s, "subnet-2", "vpc-1", "10.0.2.0/24", &[]); service(s).subnets.push("subnet-2".into()); lets_in_only(s, "10.0.1.0/24"); }).and_fail(&["rds-open-ingress"]),
        Case::new("half of a subnet", |s| lets_in_only(s, "10.0.1.0/25")).and_fail(&["rds-open-ingress"]),
        Case::new("IPv6 to a database without", |s| { subnet(s).cidrs.push(net("2001:db8:1::/64")); lets_in_only(s, "2001:db8:1::/64"); }).and_fail(&["rds-open-ingress"]),
        Case::new("another VPC", |s| apart(s, false, false)),
        Case::new("another VPC with no way back", |s| apart(s, true, false)),
        Case::new("another VPC with no rule", |s| { apart(s, true, true); guard(s).ingress.clear(); }),
        Case::new("a public database in another VPC, without a public rule", |s| { apart(s, false, false); db(s).publicly_accessible = true; lets_in_only(s, "10.0.0.0/8"); }).and_fail(&["rds-open-ingress", "rds-public-access"]),
        Case::new("the one of two that the secret names", |s| { second(s); leads_to(s, TWO, 24); }),
        Case::new("by a global database's writer", |s| { cluster(s); leads_to(s, GLOBAL, 24); endpoint(s, GLOBAL, vec![EndpointTarget::Here(DatabaseId::Cluster("fleet".into()))]); guard(s).ingress.clear(); }),
    ],
    passing: &[
        Case::new("all protocols", |s| { let r = &mut guard(s).ingress[0]; (r.protocol, r.from_port, r.to_port) = ("-1".into(), None, None); }),
        Case::new("a range of ports", |s| { guard(s).ingress[0].from_port = Some(5000); guard(s).ingress[0].to_port = Some(6000); }),
        Case::new("our own account by number", |s| guard(s).ingress[0].source = Source::Group { id: "sg-app".into(), account: Some("123456789012".into()) }),
        Case::new("the service's subnet", |s| lets_in_only(s, "10.0.1.0/24")).and_fail(&["rds-open-ingress"]),
        Case::new("the whole VPC", |s| lets_in_only(s, "10.0.0.0/16")).and_fail(&["rds-open-ingress"]),
        Case::new("two rules for two subnets", |s| { add_subnet(s, "subnet-2", "vpc-1", "10.0.2.0/24", &[]); service(s).subnets.push("subnet-2".into()); lets_in_only(s, "10.0.1.0/24"); guard(s).ingress.push(ingress("sgr-2", "10.0.2.0/24")); }).and_fail(&["rds-open-ingress"]),
        Case::new("the world, without subnets", |s| { s.subnets = Ok(CowMap::new()); db(s).subnets.clear(); lets_in_only(s, "0.0.0.0/0"); }).and_fail(&["rds-open-ingress"]),
        Case::new("IPv6 to a dual-stack database", |s| { db(s).dual_stack = true; subnet(s).cidrs.push(net("2001:db8:1::/64")); lets_in_only(s, "2001:db8:1::/64"); }).and_fail(&["rds-open-ingress"]),
        Case::new("a second guard", |s| { db(s).security_groups.push("sg-two".into()); let mut two = guard(s).clone(); two.id = "sg-two".into(); guard(s).ingress.clear(); s.security_groups.as_mut().expect("read").insert("sg-two".into(), two); }),
        Case::new("the second of the service's groups", |s| { service(s).security_groups = vec!["sg-x".into(), "sg-app".into()]; }),
        Case::new("a group across a peering", |s| apart(s, true, true)),
        Case::new("addresses across a peering", |s| { apart(s, true, true); lets_in_only(s, "10.0.1.0/24"); }).and_fail(&["rds-open-ingress"]),
        Case::new("a more specific route", |s| { apart(s, false, true); subnet(s).private_routes.push(net("10.1.1.7/32")); }),
        Case::new("around by the internet", |s| { apart(s, false, false); db(s).publicly_accessible = true; lets_in_only(s, "203.0.113.7/32"); }).and_fail(&["rds-open-ingress", "rds-public-access"]),
        Case::new("a prefix list beside the rule", |s| guard(s).ingress.push(ingress("sgr-pl", "pl-1"))).and_fail(&["rds-open-ingress"]),
        Case::new("no awsvpc network", |s| { service(s).security_groups.clear(); service(s).subnets.clear(); guard(s).ingress.clear(); }),
        Case::new("a second database that nobody names", second),
        Case::new("a service without a connection", |s| { web(s).secrets.clear(); guard(s).ingress.clear(); service(s).deployments[0].created_at = Some(ago(1)); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("a frontend beside it that uses no database", frontend).and_unknown(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("a connection to another database", |s| { leads_to(s, ELSEWHERE, 24); guard(s).ingress.clear(); }).and_fail(&["secret-wrong-database"]),
        Case::new("a second database, and no secret", |s| { second(s); web(s).secrets.clear(); service(s).deployments[0].created_at = Some(ago(1)); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
    ],
    unknown: &[
        Case::new("subnets, and a rule by address", |s| { lets_in_only(s, "10.0.1.0/24"); s.subnets = Err(denied("DescribeSubnets")); }).and_fail(&["rds-open-ingress"]).and_unknown(&["rds-public-subnet"]),
        Case::new("subnets, and another VPC", |s| { apart(s, true, true); s.subnets = Err(denied("DescribeSubnets")); }).and_unknown(&["rds-public-subnet"]),
        Case::new("a guard that is not there", |s| { s.security_groups.as_mut().expect("read").remove("sg-db"); }),
        Case::new("a prefix list alone", |s| lets_in_only(s, "pl-1")).and_fail(&["rds-open-ingress"]),
        Case::new("a value, and one of two paths", |s| { second(s); unread_value(s); }).besides(Unread::Value),
        Case::new("by RDS Proxy, whose own groups are not evaluated", |s| { leads_to(s, PROXY, 24); endpoint(s, PROXY, vec![EndpointTarget::Here(DatabaseId::Instance("shop-db".into()))]); guard(s).ingress.clear(); }),
        Case::new("by an alias", |s| { leads_to(s, ALIAS, 24); guard(s).ingress.clear(); }),
        Case::new("by a host that nobody knows", |s| { leads_to(s, "db.shop.internal", 24); guard(s).ingress.clear(); }).and_unknown(&["secret-wrong-database"]),
        Case::new("RDS Proxy", |s| { leads_to(s, "shop.proxy-abc.us-east-1.rds.amazonaws.com", 72); guard(s).ingress.clear(); }).and_unknown(&["rds-abandoned", "secret-wrong-database"]),
    ],
    unread: &[Unread::Instances, Unread::Clusters, Unread::Groups, Unread::Services, Unread::OneService, Unread::AnotherService],
};

/// What would do harm, or is not ours, is not done, and the reason is told.
#[test]
fn refused() {
    let allow = |change: Change| refusal(change, "rds-unreachable-from-service");
    assert_eq!(allow(|s| guard(s).ingress.clear()), "");
    assert!(
        allow(|s| {
            guard(s).ingress.clear();
            guard(s).tags = tags(&[]);
        })
        .contains("does not carry holdfast:workload=shop")
    );
    assert!(
        allow(|s| {
            guard(s).ingress.clear();
            let others = vec!["eni-1 (lambda)".to_owned()];
            s.guarded.insert("sg-db".into(), Ok(Guarded { others }));
        })
        .contains("sg-db also guards eni-1")
    );
    assert!(
        allow(|s| {
            guard(s).ingress.clear();
            let mut bank = service(s).clone();
            (bank.arn, bank.name, bank.tags) = ("arn:bank".into(), "bank".into(), tags(&[("workload", "bank")]));
            s.services.as_mut().expect("read").insert("arn:bank".into(), bank);
        })
        .contains("sg-app is the group of main/bank too")
    );
}

/// Between VPCs no call of ours can help.
#[test]
fn a_path_between_networks_needs_a_person() {
    for change in [(|s| apart(s, false, false)) as Change, |s| {
        apart(s, true, true);
        guard(s).ingress.clear();
    }] {
        let remediation = finding_after(change, "rds-unreachable-from-service")
            .remediation
            .expect("a remedy");
        assert_eq!((remediation.actions, remediation.blocked_by), (vec![], None));
    }
}

/// Whether a service needs a path is unknown as long as where it leads is.
#[test]
fn whether_it_needs_a_path_must_be_known() {
    let mut s = clean();
    unread_value(&mut s);
    guard(&mut s).ingress.clear();
    let evaluation = evaluated_by(&s, &["rds-unreachable-from-service"]);
    assert_eq!(
        the_finding(&evaluation, "rds-unreachable-from-service").verdict,
        Verdict::Unknown
    );
}
