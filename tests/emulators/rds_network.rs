//! Who reaches a database, and who should: `rds-public-access`, `rds-public-subnet`, `rds-open-ingress`,
//! `rds-unreachable-from-service`.

use serde_json::json;

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{DATABASES, Kind, TestEnv, acting, list, reason, run, text};
use crate::world::{World, tags};

on_both!(
    public_access,
    open_ingress,
    prefix_lists,
    shared_groups,
    public_subnets,
    paths,
    paths_between_networks
);

const SUBNET: &str = "rds-public-subnet";
const UNREACHABLE: &str = "rds-unreachable-from-service";

fn public_access(kind: Kind) {
    let mut world = World::new();
    world
        .stack("open", json!({"db": {"public": true}}))
        .stack("stopped", json!({"db": {"public": true, "status": "stopped"}}))
        .stack("twin", json!({}));
    let env = TestEnv::new(kind, &world);
    env.expect(&[
        "fail critical open rds-public-access open-db",
        "fail critical stopped rds-public-access stopped-db",
    ]);
    let plan = env.plan();
    assert_eq!(list(&plan, "actions").len(), 1, "{plan:#}");
    assert_eq!(plan["actions"][0]["calls"][0]["operation"], "ModifyDBInstance");
    assert!(text(&plan["held"][0]["reason"]).contains("stopped"), "{plan:#}");
}

/// Every way to write "too many may come in", and every way to write "only those who should".
fn open_ingress(kind: Kind) {
    let mut world = World::new();
    world
        .stack("world4", json!({"ingress": [{"cidr": "0.0.0.0/0"}]}))
        .stack("world6", json!({"ingress": [{"cidr6": "::/0"}]}))
        .stack("slash8", json!({"ingress": [{"cidr": "10.0.0.0/8"}]}))
        .stack("net6", json!({"ingress": [{"cidr6": "2001:db8::/32"}]}))
        .stack("single", json!({"ingress": [{"cidr": "203.0.113.7/32"}]}))
        .stack(
            "range",
            json!({"ingress": [{"cidr": "0.0.0.0/0", "ports": [5000, 6000]}]}),
        )
        .stack(
            "allports",
            json!({"ingress": [{"cidr": "198.51.100.0/24", "ports": [0, 65535]}]}),
        )
        .stack(
            "allproto",
            json!({"ingress": [{"cidr": "0.0.0.0/0", "protocol": "all"}]}),
        )
        .stack("allproto6", json!({"ingress": [{"cidr6": "::/0", "protocol": "all"}]}))
        .stack("stranger", json!({"ingress": [{"group": "bastion"}]}))
        .stack(
            "otherport",
            json!({"db": {"port": 5433}, "ingress": [{"cidr": "0.0.0.0/0", "port": 5433}]}),
        )
        // What must stay unmentioned.
        .stack("twin", json!({}))
        .stack(
            "below",
            json!({"ingress": [{"cidr": "0.0.0.0/0", "ports": [1024, 5431]}]}),
        )
        .stack("above", json!({"ingress": [{"cidr6": "::/0", "ports": [5433, 65535]}]}))
        .stack("udp", json!({"ingress": [{"cidr": "0.0.0.0/0", "protocol": "udp"}]}))
        .stack(
            "itself",
            json!({"ingress": [{"group": "itself-db", "protocol": "all"}]}),
        )
        .stack("sibling", json!({"ingress": [{"group": "sibling-tools"}]}))
        .stack("blessed", json!({"ingress": [{"cidr": "192.0.2.0/25"}]}));
    world.patch(json!({"security_groups": {
        "bastion": {},
        "sibling-tools": {"tags": {"holdfast:workload": "sibling"}},
        // Open to the world, but guards no database of ours.
        "unused": {"ingress": [{"cidr": "0.0.0.0/0"}]},
    }}));
    let mut env = TestEnv::new(kind, &world);
    env.configure("workloads: {blessed: {allowed_ingress: {cidrs: [192.0.2.0/24]}}}\n");
    let report = env.expect(&[
        "fail critical allproto rds-open-ingress allproto-db",
        "fail critical allproto6 rds-open-ingress allproto6-db",
        "fail critical otherport rds-open-ingress otherport-db",
        "fail critical range rds-open-ingress range-db",
        "fail critical world4 rds-open-ingress world4-db",
        "fail critical world6 rds-open-ingress world6-db",
        "fail high allports rds-open-ingress allports-db",
        "fail high net6 rds-open-ingress net6-db",
        "fail high single rds-open-ingress single-db",
        "fail high slash8 rds-open-ingress slash8-db",
        "fail high stranger rds-open-ingress stranger-db",
    ]);
    let of = |name: &str| {
        list(&report, "findings")
            .iter()
            .find(|f| f["workload"] == name)
            .expect(name)
            .clone()
    };
    assert!(
        of("range")["message"]
            .as_str()
            .unwrap()
            .contains("5000-6000 from 0.0.0.0/0")
    );
    let rules = env.made["us-east-1"]["security_group_rules"]["world6-db"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(
        of("world6")["remediation"]["calls"][0]["parameters"]["SecurityGroupRuleIds"],
        json!([rules[1]])
    );
    assert_eq!(
        list(&of("world6"), "evidence").len(),
        1,
        "the service's own rule is no evidence"
    );
}

fn prefix_lists(kind: Kind) {
    let mut world = World::new();
    world.patch(json!({"prefix_lists": {"office": ["203.0.113.0/24"]}}));
    world
        .stack("office", json!({"ingress": [{"prefix_list": "office"}]}))
        .stack("twin", json!({}));
    let env = TestEnv::new(kind, &world);
    if Quirk::PrefixListSourceLost.on(kind) {
        // A rule without a source: it must at least not be taken for harmless, nor break the sweep.
        let (report, code) = env.audit(&[]);
        assert!(
            env.told(&report)
                .iter()
                .all(|f| f == "fail high office rds-open-ingress office-db")
        );
        assert!(code == 0 || code == 1);
        return;
    }
    env.expect(&["fail high office rds-open-ingress office-db"]);
}

/// A group that guards something else too is reported, and left alone.
fn shared_groups(kind: Kind) {
    let open = json!([{"cidr": "0.0.0.0/0"}]);
    let mut world = World::new();
    world
        .stack(
            "lender",
            json!({"ingress": open, "service": {"security_groups": ["lender-app"]}}),
        )
        .stack("guest", json!({"db": {"security_groups": ["guest-db", "lender-db"]}}))
        .stack("host", json!({"ingress": open}))
        .stack("carrier", json!({"ingress": open}))
        .stack("plain", json!({"ingress": open}));
    world.patch(json!({
        "db_instances": {"stray": {"subnet_group": "private", "security_groups": ["host-db"]}},
        // A service of another workload in the database's group.
        "services": {"main/guest": {"security_groups": ["guest-app", "carrier-db"]}},
    }));
    let mut env = TestEnv::new(kind, &world);
    env.configure("safety: {max_failing_percent: 100}\n");
    env.expect(&[
        "fail critical carrier rds-open-ingress carrier-db",
        "fail critical guest rds-open-ingress lender-db",
        "fail critical host rds-open-ingress host-db",
        "fail critical lender rds-open-ingress lender-db",
        "fail critical plain rds-open-ingress plain-db",
    ]);
    let plan = env.plan();
    let acting: Vec<String> = list(&plan, "actions").iter().map(|a| text(&a["workload"])).collect();
    assert_eq!(acting, ["plain"], "{plan:#}");
    let reason = |workload: &str| {
        let held = list(&plan, "held").iter().find(|h| h["workload"] == workload);
        text(&held.unwrap_or_else(|| panic!("{workload} is held: {plan:#}"))["reason"])
    };
    assert!(
        reason("host").contains("also guards RDS instance stray"),
        "{}",
        reason("host")
    );
    assert!(
        reason("lender").contains("also guards RDS instance guest-db"),
        "{}",
        reason("lender")
    );
    assert!(reason("guest").contains("holdfast:workload"), "{}", reason("guest"));
    assert!(
        reason("carrier").contains("also guards ECS service main/guest"),
        "{}",
        reason("carrier")
    );
}

/// Explicit and main route tables; NAT, egress-only and local ones are not the internet.
fn public_subnets(kind: Kind) {
    let mut world = World::new();
    world.patch(json!({
        "vpcs": {"main": {"main_route": "igw", "subnets": {
            "open-a": {"cidr": "10.0.3.0/24", "az": "a", "route": "igw"},
            "follows": {"cidr": "10.0.4.0/24", "az": "b", "route": "main"},
            "nat-a": {"cidr": "10.0.5.0/24", "az": "a", "route": "nat"},
            "egress": {"cidr": "10.0.6.0/24", "cidr6": null, "az": "b", "route": "egress6"},
            "open6": {"cidr": "10.0.7.0/24", "az": "b", "route": "igw6"},
        }}},
        "db_subnet_groups": {
            "half": ["private-a", "open-a"], "main": ["private-a", "follows"], "out": ["nat-a", "egress"], "six": ["private-a", "open6"],
        },
    }));
    let window = |until: &str| json!({"db": {"subnet_group": "half", "tags": {"holdfast:phase": "migrating", "holdfast:migration-until": until}}});
    world
        .stack("half", json!({"db": {"subnet_group": "half"}}))
        .stack("main", json!({"db": {"subnet_group": "main"}}))
        .stack("six", json!({"db": {"subnet_group": "six"}}))
        .stack("late", window("{{now-1h}}"))
        // What must stay unmentioned.
        .stack("moving", window("{{now+1d}}"))
        .stack("out", json!({"db": {"subnet_group": "out"}}))
        .stack("outside", json!({"service": {"subnets": ["open-a"]}}))
        .stack("twin", json!({}));
    world.patch(json!({"db_clusters": {"fleet": {"subnet_group": "half", "security_groups": ["half-db"], "tags": tags("fleet")}},
        "db_instances": {"fleet-1": {"cluster": "fleet", "tags": tags("fleet")}, "fleet-2": {"cluster": "fleet", "tags": tags("fleet")},
                         "stray": {"subnet_group": "half"}}}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[SUBNET]);
    let mut expected = vec![
        "fail high fleet rds-public-subnet fleet",
        "fail high half rds-public-subnet half-db",
        "fail high late rds-public-subnet late-db",
        "fail high main rds-public-subnet main-db",
    ];
    if !Quirk::Ipv6RouteLost.on(kind) {
        expected.push("fail high six rds-public-subnet six-db");
    }
    let report = env.expect(&expected);
    let half = list(&report, "findings")
        .iter()
        .find(|f| f["workload"] == "half")
        .expect("half");
    assert!(
        text(&half["message"]).contains(&env.id("subnets", "open-a")),
        "{half:#}"
    );
    let gateway = env.gateway(&["--deny", "ec2:DescribeSubnets"]);
    let (report, code) = env.audit_at(&gateway.endpoint, &[]);
    assert_eq!(code, 3, "{report:#}");
    assert!(
        list(&report, "findings")
            .iter()
            .all(|f| f["verdict"] == "unknown" && f["workload"] != "moving")
    );
}

/// Every way to be let in, and every way to be left out; then a rule for those who asked for one.
fn paths(kind: Kind) {
    let mut world = World::new();
    let stacks = [
        ("shut", json!([])),
        ("port", json!([{"group": "port-app", "port": 22}])),
        ("below", json!([{"group": "below-app", "ports": [1024, 5431]}])),
        ("udp", json!([{"group": "udp-app", "protocol": "udp"}])),
        ("stranger", json!([{"group": "bastion"}])),
        ("itself", json!([{"group": "itself-db", "protocol": "all"}])),
        ("half", json!([{"cidr": "10.0.1.0/24"}])),
        ("six", json!([{"cidr6": "2001:db8::/32"}])),
        // What must stay unmentioned.
        ("all", json!([{"group": "all-app", "protocol": "all"}])),
        ("range", json!([{"group": "range-app", "ports": [5000, 6000]}])),
        ("net", json!([{"cidr": "10.0.0.0/16"}])),
        ("nets", json!([{"cidr": "10.0.1.0/24"}, {"cidr": "10.0.2.0/24"}])),
        ("world", json!([{"cidr": "0.0.0.0/0"}])),
    ];
    for (name, ingress) in &stacks {
        world.stack(name, json!({}));
        world.patch(json!({"security_groups": {format!("{name}-db"): {"ingress": ingress}}}));
    }
    world.stack("other", json!({"db": {"port": 5433}}));
    world.patch(
        json!({"security_groups": {"bastion": {}, "other-db": {"ingress": [{"group": "other-app", "port": 5433}]}}}),
    );
    // A service of two groups, and one whose group is another's too.
    world.stack("two", json!({"service": {"security_groups": ["bastion", "two-app"]}}));
    world
        .stack("lent", json!({"service": {"security_groups": ["twin-app"]}}))
        .stack("twin", json!({}));
    let mut env = TestEnv::new(kind, &world);
    env.about(DATABASES);
    let failing = [
        "shut", "port", "below", "udp", "stranger", "itself", "half", "six", "lent",
    ];
    let expected: Vec<String> = failing
        .iter()
        .map(|name| format!("fail high {name} rds-unreachable-from-service {name}-db"))
        .collect();
    let report = env.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let half = list(&report, "findings")
        .iter()
        .find(|f| f["workload"] == "half")
        .expect("half");
    let message = text(&half["message"]);
    assert!(
        message.contains("main/half") && message.contains(&env.id("subnets", "private-b")),
        "{message}"
    );
    // Off unless enabled for the rule.
    let safety = "safety: {max_failing_percent: 100}\n";
    env.configure(safety);
    assert!(reason(&env.plan(), "shut").contains("rules.rds-unreachable-from-service.correct"));
    let rules: Vec<String> = holdfast_core::rules::ids()
        .iter()
        .map(|id| format!("{id}: {{enabled: {}, correct: true}}", *id == UNREACHABLE))
        .collect();
    env.configure(&format!("{safety}rules: {{{}}}\n", rules.join(", ")));
    let plan = env.plan();
    let wanted: Vec<&str> = failing.iter().copied().filter(|n| *n != "lent").collect();
    let mut sorted = wanted.clone();
    sorted.sort_unstable();
    assert_eq!(acting(&plan), sorted, "{plan:#}");
    assert!(
        reason(&plan, "lent").contains("is the group of main/twin too"),
        "{}",
        reason(&plan, "lent")
    );
    let gateway = env.gateway(&[]);
    let answer = run(env.command(&gateway.endpoint, &["apply", "--yes"]));
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(
        gateway.mutations(),
        vec!["ec2:AuthorizeSecurityGroupIngress"; wanted.len()]
    );
    env.about(DATABASES);
    env.expect(&["fail high lent rds-unreachable-from-service lent-db"]);
}

/// Two VPCs without, then with, a peering and its routes.
fn paths_between_networks(kind: Kind) {
    let mut world = World::new();
    world
        .stack("far", json!({"db": {"subnet_group": "far"}}))
        .stack("near", json!({}));
    world.patch(json!({
        "vpcs": {"far": {"cidr": "10.1.0.0/16", "subnets": {
            "far-a": {"cidr": "10.1.1.0/24", "az": "a"}, "far-b": {"cidr": "10.1.2.0/24", "az": "b"},
        }}},
        "db_subnet_groups": {"far": ["far-a", "far-b"]},
        "security_groups": {
            "far-app": {"vpc": "main"}, "near-app": {"vpc": "main"}, "near-db": {"vpc": "main"},
            "far-db": {"vpc": "far", "ingress": [{"cidr": "10.0.0.0/16"}]},
        },
    }));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[UNREACHABLE]);
    let expected = ["fail high far rds-unreachable-from-service far-db"];
    let report = env.expect(&expected);
    let finding = &report["findings"][0];
    assert!(text(&finding["message"]).contains("no route leads"), "{finding:#}");
    assert_eq!(
        (&finding["remediation"]["risk"], &finding["remediation"]["calls"]),
        (&json!("manual"), &json!([]))
    );
    let (here, there) = (env.id("vpcs", "main"), env.id("vpcs", "far"));
    let made = env.call(
        "ec2",
        "create_vpc_peering_connection",
        json!({"VpcId": here, "PeerVpcId": there}),
    );
    let peering = text(&made["VpcPeeringConnection"]["VpcPeeringConnectionId"]);
    env.call(
        "ec2",
        "accept_vpc_peering_connection",
        json!({"VpcPeeringConnectionId": peering}),
    );
    let mut route = |subnet: &str, to: &str| {
        let table = env.id("route_tables", subnet);
        let parameters = json!({"RouteTableId": table, "DestinationCidrBlock": to, "VpcPeeringConnectionId": peering});
        env.call("ec2", "create_route", parameters);
    };
    route("private-a", "10.1.0.0/16");
    route("private-b", "10.1.0.0/16");
    route("far-a", "10.0.0.0/16");
    // One of two ways back is missing.
    env.expect(&expected);
    let table = env.id("route_tables", "far-b");
    let parameters =
        json!({"RouteTableId": table, "DestinationCidrBlock": "10.0.0.0/16", "VpcPeeringConnectionId": peering});
    env.call("ec2", "create_route", parameters);
    env.expect(&[]);
}
