//! The rest of the rules about databases: each fault planted alone, near misses beside it, and corrections carried out.

use std::time::Duration;

use serde_json::{Value, json};

use crate::lies::Lie;
use crate::on_both;
use crate::stage::{Kind, Stage, list, run, text};
use crate::world::{PASSWORD, World};

on_both!(
    public_subnets,
    paths,
    paths_between_networks,
    settings,
    minor_versions,
    encryption,
    tls,
    tls_of_clusters,
    unread_parameter_groups,
    what_no_emulator_shows,
    stopped,
    restore_points_that_stand_still,
    abandoned,
    off_by_default,
);

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

/// All that are on by default: a case names every one that speaks, so that one which speaks out of turn fails it too.
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
];

fn tagged(workload: &str) -> Value {
    json!({"holdfast:workload": workload})
}

/// The reasons for which findings are held, by workload.
fn held(plan: &Value, workload: &str) -> String {
    let of = list(plan, "held").iter().find(|h| h["workload"] == workload);
    text(&of.unwrap_or_else(|| panic!("{workload} is held: {plan:#}"))["reason"])
}

fn acting(plan: &Value) -> Vec<String> {
    list(plan, "actions").iter().map(|a| text(&a["workload"])).collect()
}

fn apply(stage: &Stage) {
    let answer = stage.holdfast(&["apply", "--yes"]);
    assert_eq!(answer.code, 0, "{answer:?}");
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
    world.patch(json!({"db_clusters": {"fleet": {"subnet_group": "half", "security_groups": ["half-db"], "tags": tagged("fleet")}},
        "db_instances": {"fleet-1": {"cluster": "fleet", "tags": tagged("fleet")}, "fleet-2": {"cluster": "fleet", "tags": tagged("fleet")},
                         "stray": {"subnet_group": "half"}}}));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[SUBNET]);
    let mut expected = vec![
        "fail high fleet rds-public-subnet fleet",
        "fail high half rds-public-subnet half-db",
        "fail high late rds-public-subnet late-db",
        "fail high main rds-public-subnet main-db",
    ];
    if !Lie::Ipv6RouteLost.on(kind) {
        expected.push("fail high six rds-public-subnet six-db");
    }
    let report = stage.expect(&expected);
    let half = list(&report, "findings")
        .iter()
        .find(|f| f["workload"] == "half")
        .expect("half");
    assert!(
        text(&half["message"]).contains(&stage.id("subnets", "open-a")),
        "{half:#}"
    );
    let gateway = stage.gateway(&["--deny", "ec2:DescribeSubnets"]);
    let (report, code) = stage.audit_at(&gateway.endpoint, &[]);
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
    let mut stage = Stage::new(kind, &world);
    stage.about(ALL);
    let failing = [
        "shut", "port", "below", "udp", "stranger", "itself", "half", "six", "lent",
    ];
    let expected: Vec<String> = failing
        .iter()
        .map(|name| format!("fail high {name} rds-unreachable-from-service {name}-db"))
        .collect();
    let report = stage.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let half = list(&report, "findings")
        .iter()
        .find(|f| f["workload"] == "half")
        .expect("half");
    let message = text(&half["message"]);
    assert!(
        message.contains("main/half") && message.contains(&stage.id("subnets", "private-b")),
        "{message}"
    );
    // Off unless enabled for the rule.
    let safety = "safety: {max_failing_percent: 100}\n";
    stage.configure(safety);
    assert!(held(&stage.plan(), "shut").contains("rules.rds-unreachable-from-service.correct"));
    let rules: Vec<String> = holdfast_core::rules::ids()
        .iter()
        .map(|id| format!("{id}: {{enabled: {}, correct: true}}", *id == UNREACHABLE))
        .collect();
    stage.configure(&format!("{safety}rules: {{{}}}\n", rules.join(", ")));
    let plan = stage.plan();
    let wanted: Vec<&str> = failing.iter().copied().filter(|n| *n != "lent").collect();
    let mut sorted = wanted.clone();
    sorted.sort_unstable();
    assert_eq!(acting(&plan), sorted, "{plan:#}");
    assert!(
        held(&plan, "lent").contains("is the group of main/twin too"),
        "{}",
        held(&plan, "lent")
    );
    let gateway = stage.gateway(&[]);
    let answer = run(stage.command(&gateway.endpoint, &["apply", "--yes"]));
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(
        gateway.mutations(),
        vec!["ec2:AuthorizeSecurityGroupIngress"; wanted.len()]
    );
    stage.about(ALL);
    stage.expect(&["fail high lent rds-unreachable-from-service lent-db"]);
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
    let mut stage = Stage::new(kind, &world);
    stage.about(&[UNREACHABLE]);
    let expected = ["fail high far rds-unreachable-from-service far-db"];
    let report = stage.expect(&expected);
    let finding = &report["findings"][0];
    assert!(text(&finding["message"]).contains("no route leads"), "{finding:#}");
    assert_eq!(
        (&finding["remediation"]["risk"], &finding["remediation"]["calls"]),
        (&json!("manual"), &json!([]))
    );
    let (here, there) = (stage.id("vpcs", "main"), stage.id("vpcs", "far"));
    let made = stage.call(
        "ec2",
        "create_vpc_peering_connection",
        json!({"VpcId": here, "PeerVpcId": there}),
    );
    let peering = text(&made["VpcPeeringConnection"]["VpcPeeringConnectionId"]);
    stage.call(
        "ec2",
        "accept_vpc_peering_connection",
        json!({"VpcPeeringConnectionId": peering}),
    );
    let mut route = |subnet: &str, to: &str| {
        let table = stage.id("route_tables", subnet);
        let parameters = json!({"RouteTableId": table, "DestinationCidrBlock": to, "VpcPeeringConnectionId": peering});
        stage.call("ec2", "create_route", parameters);
    };
    route("private-a", "10.1.0.0/16");
    route("private-b", "10.1.0.0/16");
    route("far-a", "10.0.0.0/16");
    // One of two ways back is missing.
    stage.expect(&expected);
    let table = stage.id("route_tables", "far-b");
    let parameters =
        json!({"RouteTableId": table, "DestinationCidrBlock": "10.0.0.0/16", "VpcPeeringConnectionId": peering});
    stage.call("ec2", "create_route", parameters);
    stage.expect(&[]);
}

/// What one harmless call corrects: deletion protection and the ceiling of storage, on instances, replicas and clusters.
fn settings(kind: Kind) {
    let mut world = World::new();
    world
        .stack("bare", json!({"db": {"deletion_protection": false}}))
        .stack("full", json!({"db": {"max_storage": null, "storage": 50}}))
        .stack("low", json!({"db": {"storage": 60, "max_storage": 119}}))
        .stack("tight", json!({"db": {"storage": 60, "max_storage": 70}}))
        .stack(
            "off",
            json!({"db": {"deletion_protection": false, "status": "stopped"}}),
        )
        // What must stay unmentioned.
        .stack("exact", json!({"db": {"storage": 60, "max_storage": 120}}))
        .stack("origin", json!({}));
    // RFC 7396 removes what is null: this is how to leave the field out.
    world.patch(json!({
        "db_instances": {
            "full-db": {"with": {}}, "stray": {"deletion_protection": false, "subnet_group": "private"},
            "fleet-1": {"cluster": "fleet", "tags": tagged("fleet")}, "guarded-1": {"cluster": "guarded", "tags": tagged("guarded")},
            "origin-copy": {"replica_of": "origin-db", "subnet_group": "private", "deletion_protection": false,
                            "max_storage": 100, "tags": tagged("origin")},
        },
        "db_clusters": {
            "fleet": {"deletion_protection": false, "subnet_group": "private", "tags": tagged("fleet")},
            "guarded": {"subnet_group": "private", "tags": tagged("guarded")},
        },
    }));
    let mut stage = Stage::new(kind, &world);
    stage.call(
        "rds",
        "modify_db_instance",
        json!({"DBInstanceIdentifier": "full-db", "MaxAllocatedStorage": 50, "ApplyImmediately": true}),
    );
    // ministack drops the flag where a replica is created with it.
    stage.call(
        "rds",
        "modify_db_instance",
        json!({"DBInstanceIdentifier": "origin-copy", "DeletionProtection": false, "ApplyImmediately": true}),
    );
    stage.about(&[DELETION, CEILING]);
    stage.configure("safety: {max_failing_percent: 100}\nworkloads: {tight: {storage_headroom: 1}}\n");
    let mut expected = vec![
        "fail low full rds-storage-ceiling full-db",
        "fail low low rds-storage-ceiling low-db",
        "fail medium bare rds-deletion-unprotected bare-db",
        "fail medium fleet rds-deletion-unprotected fleet",
        "fail medium off rds-deletion-unprotected off-db",
        "fail medium origin rds-deletion-unprotected origin-copy",
    ];
    stage.expect(&expected);
    let plan = stage.plan();
    let low = list(&plan, "actions")
        .iter()
        .find(|a| a["workload"] == "low")
        .expect("low");
    assert_eq!(low["calls"][0]["parameters"]["MaxAllocatedStorage"], 120, "{low:#}");
    assert!(
        held(&plan, "off").contains("off-db is stopped"),
        "{}",
        held(&plan, "off")
    );
    let before = stage.state();
    apply(&stage);
    expected.retain(|e| e.contains(" off "));
    stage.expect(&expected);
    let after = stage.state();
    let stray = |state: &Value| state["us-east-1"]["db_instances"]["stray"].clone();
    assert_eq!(stray(&before), stray(&after), "untagged means untouched");
}

fn minor_versions(kind: Kind) {
    let mut world = World::new();
    world
        .stack("old", json!({"db": {"minor_upgrades": false}}))
        .stack("origin", json!({}))
        .stack("twin", json!({}));
    world.patch(json!({
        "db_instances": {
            "fleet-1": {"cluster": "fleet", "minor_upgrades": false, "tags": tagged("fleet")},
            "fleet-2": {"cluster": "fleet", "tags": tagged("fleet")},
            "origin-copy": {"replica_of": "origin-db", "subnet_group": "private", "minor_upgrades": false, "tags": tagged("origin")},
        },
        "db_clusters": {"fleet": {"subnet_group": "private", "tags": tagged("fleet")}},
    }));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[MINOR]);
    let mut expected = vec![
        "fail low fleet rds-no-minor-upgrades fleet-1",
        "fail low old rds-no-minor-upgrades old-db",
    ];
    let mut workloads = vec!["fleet", "old"];
    if !Lie::FlagsOfReplicasLost.on(kind) {
        expected.push("fail low origin rds-no-minor-upgrades origin-copy");
        workloads.push("origin");
    }
    stage.expect(&expected);
    assert_eq!(acting(&stage.plan()), workloads);
    if Lie::MinorVersionUpgradesStay.on(kind) {
        return;
    }
    apply(&stage);
    stage.expect(&[]);
}

/// No call corrects it.
fn encryption(kind: Kind) {
    let mut world = World::new();
    world
        .stack("plain", json!({"db": {"encrypted": false}}))
        .stack("twin", json!({}));
    world.patch(json!({
        "db_instances": {"fleet-1": {"cluster": "fleet", "tags": tagged("fleet")}, "calm-1": {"cluster": "calm", "tags": tagged("calm")}},
        "db_clusters": {
            "fleet": {"encrypted": false, "subnet_group": "private", "tags": tagged("fleet")},
            "calm": {"subnet_group": "private", "tags": tagged("calm")},
        },
    }));
    let mut stage = Stage::new(kind, &world);
    stage.about(ALL);
    // Nobody refers to these clusters, which are too young to be abandoned.
    stage.expect(&[
        "fail high fleet rds-unencrypted-storage fleet",
        "fail high plain rds-unencrypted-storage plain-db",
    ]);
    assert!(held(&stage.plan(), "plain").contains("no call can do it"));
}

/// The engine's default, and what groups of one's own say; corrected only in a group that is ours alone.
fn tls(kind: Kind) {
    let group = |workload: Option<&str>, force: Option<u8>, family: &str| {
        let parameters = force.map_or_else(|| json!({"log_connections": 1}), |v| json!({"rds.force_ssl": v}));
        json!({"family": family, "parameters": parameters, "tags": workload.map_or_else(|| json!({}), tagged)})
    };
    let with = |version: &str, group: Option<&str>| {
        let mut db = json!({"version": version});
        if let Some(group) = group {
            db["parameter_group"] = json!(group);
        }
        json!({"db": db})
    };
    let mut world = World::new();
    world.patch(json!({"db_parameter_groups": {
        "open14": group(Some("left"), None, "postgres14"), "on14": group(Some("on"), Some(1), "postgres14"),
        "off17": group(Some("off"), Some(0), "postgres17"), "nobodys": group(None, Some(0), "postgres17"),
        "shared": group(Some("sharer"), Some(0), "postgres17"), "disabled": group(Some("disabled"), Some(0), "postgres17"),
        "silent17": group(Some("silent"), None, "postgres17"),
    }}));
    world
        .stack("default14", with("14.9", None))
        .stack("left", with("14.9", Some("open14")))
        .stack("off", with("17.2", Some("off17")))
        .stack("nobodys", with("17.2", Some("nobodys")))
        .stack("sharer", with("17.2", Some("shared")))
        .stack("disabled", {
            let mut stack = with("17.2", Some("disabled"));
            stack["secret"] = json!(format!(
                "postgres://app:{PASSWORD}@{{{{endpoint:disabled-db}}}}:{{{{port:disabled-db}}}}/app?sslmode=disable"
            ));
            stack
        })
        // What must stay unmentioned.
        .stack("default15", with("15.4", None))
        .stack("on", with("14.9", Some("on14")))
        .stack("silent", with("17.2", Some("silent17")));
    world.patch(
        json!({"db_instances": {"stray": {"subnet_group": "private", "version": "17.2", "parameter_group": "shared"}}}),
    );
    let mut stage = Stage::new(kind, &world);
    stage.about(ALL);
    let failing = ["default14", "left", "off", "nobodys", "sharer", "disabled"];
    let expected = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .map(|n| format!("fail medium {n} rds-unenforced-tls {n}-db"))
            .collect()
    };
    let told = expected(&failing);
    stage.expect(&told.iter().map(String::as_str).collect::<Vec<_>>());
    let plan = stage.plan();
    assert_eq!(acting(&plan), ["left", "off"], "{plan:#}");
    for (workload, why) in [
        ("default14", "no call can do it"),
        ("nobodys", "nobodys does not carry holdfast:workload=nobodys"),
        ("sharer", "shared is also the parameter group of stray"),
        ("disabled", "main/disabled connects with sslmode=disable"),
    ] {
        assert!(held(&plan, workload).contains(why), "{}", held(&plan, workload));
    }
    let gateway = stage.gateway(&[]);
    let answer = run(stage.command(&gateway.endpoint, &["apply", "--yes"]));
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(gateway.mutations(), ["rds:ModifyDBParameterGroup"; 2]);
    let left = expected(&["default14", "nobodys", "sharer", "disabled"]);
    stage.expect(&left.iter().map(String::as_str).collect::<Vec<_>>());
    // What AWS's own groups hold is never asked for.
    assert!(!gateway.calls().contains(&"rds:DescribeDBParameterGroups".to_owned()));
}

/// Of a cluster the cluster's group decides, whatever its members' groups say.
fn tls_of_clusters(kind: Kind) {
    let mut world = World::new();
    world.patch(json!({
        "db_parameter_groups": {"member": {"family": "aurora-postgresql17", "parameters": {"rds.force_ssl": 0}}},
        "db_clusters": {
            "old": {"version": "16.8", "subnet_group": "private", "tags": tagged("old")},
            "off": {"subnet_group": "private", "tags": tagged("off")},
            "calm": {"subnet_group": "private", "tags": tagged("calm")},
        },
        "db_instances": {
            "off-1": {"cluster": "off", "tags": tagged("off")},
            "calm-1": {"cluster": "calm", "parameter_group": "member", "tags": tagged("calm")},
        },
    }));
    let mut stage = Stage::new(kind, &world);
    let tags = json!([{"Key": "holdfast:workload", "Value": "off"}]);
    stage.call(
        "rds",
        "create_db_cluster_parameter_group",
        json!({"DBClusterParameterGroupName": "off-pg", "DBParameterGroupFamily": "aurora-postgresql17", "Description": "off", "Tags": tags}),
    );
    stage.call(
        "rds",
        "modify_db_cluster_parameter_group",
        json!({"DBClusterParameterGroupName": "off-pg", "Parameters": [{"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"}]}),
    );
    stage.call(
        "rds",
        "modify_db_cluster",
        json!({"DBClusterIdentifier": "off", "DBClusterParameterGroupName": "off-pg", "ApplyImmediately": true}),
    );
    stage.about(&[TLS]);
    let old = "fail medium old rds-unenforced-tls old";
    stage.expect(&["fail medium off rds-unenforced-tls off", old]);
    assert_eq!(
        stage.plan()["actions"][0]["calls"][0]["operation"],
        "ModifyDBClusterParameterGroup"
    );
    apply(&stage);
    stage.expect(&[old]);
}

fn unread_parameter_groups(kind: Kind) {
    let mut world = World::new();
    world.patch(json!({"db_parameter_groups": {
        "off": {"parameters": {"rds.force_ssl": 0}, "tags": tagged("off")}, "on": {"parameters": {"rds.force_ssl": 1}},
    }}));
    world
        .stack("off", json!({"db": {"parameter_group": "off"}}))
        .stack("on", json!({"db": {"parameter_group": "on"}}))
        .stack("old", json!({"db": {"version": "14.9"}}))
        .stack("twin", json!({}));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[TLS]);
    for (denied, unknown) in [
        ("rds:DescribeDBParameters", &["off", "on"][..]),
        ("rds:ListTagsForResource", &["off"]),
    ] {
        let gateway = stage.gateway(&["--deny", denied]);
        let (report, _) = stage.audit_at(&gateway.endpoint, &[]);
        let mut expected: Vec<String> = unknown
            .iter()
            .map(|n| format!("unknown medium {n} rds-unenforced-tls {n}-db"))
            .collect();
        expected.insert(0, "fail medium old rds-unenforced-tls old-db".to_owned());
        assert_eq!(stage.told(&report), expected, "{denied}");
        assert!(report["errors"].to_string().contains(denied), "{}", report["errors"]);
        assert_eq!(list(&report, "errors").len(), 1, "{}", report["errors"]);
    }
}

/// Statuses, restore points and certificates as AWS gives them: replayed on the wire, since neither emulator has them.
fn what_no_emulator_shows(kind: Kind) {
    let mut world = World::new();
    let names = [
        "full", "failed", "params", "key", "later", "growing", "stale", "fresh", "none", "first", "ends", "ended",
        "good", "twin",
    ];
    for name in names {
        world.stack(name, json!({}));
    }
    world.patch(json!({
        "db_instances": {"fleet-1": {"cluster": "fleet", "tags": tagged("fleet")}},
        "db_clusters": {"fleet": {"subnet_group": "private", "tags": tagged("fleet")}},
    }));
    let mut stage = Stage::new(kind, &world);
    stage.about(ALL);
    stage.expect(&[]);
    let at = |hours: f64| crate::stage::in_hours(hours);
    let certificate = |hours: f64| {
        format!(
            "<CAIdentifier>rds-ca-2019</CAIdentifier><ValidTill>{}</ValidTill>",
            at(hours)
        )
    };
    let said: &[(&str, &str, String)] = &[
        ("full-db", "DBInstanceStatus", "storage-full".into()),
        ("full-db", "LatestRestorableTime", at(-3.0)),
        ("failed-db", "DBInstanceStatus", "failed".into()),
        ("params-db", "DBInstanceStatus", "incompatible-parameters".into()),
        (
            "key-db",
            "DBInstanceStatus",
            "inaccessible-encryption-credentials-recoverable".into(),
        ),
        ("later-db", "DBInstanceStatus", "modifying".into()),
        ("growing-db", "DBInstanceStatus", "storage-optimization".into()),
        ("stale-db", "LatestRestorableTime", at(-0.6)),
        ("fresh-db", "LatestRestorableTime", at(-0.4)),
        ("none-db", "LatestRestorableTime", String::new()),
        ("none-db", "InstanceCreateTime", at(-25.0)),
        // A day has not passed.
        ("first-db", "LatestRestorableTime", String::new()),
        ("ends-db", "CertificateDetails", certificate(59.0 * 24.0)),
        ("ended-db", "CertificateDetails", certificate(-1.0)),
        ("good-db", "CertificateDetails", certificate(61.0 * 24.0)),
        ("fleet-1", "DBInstanceStatus", "stopped".into()),
    ];
    let mut options: Vec<&str> = vec!["--say", "rds:DescribeDBClusters", "fleet", "Status", "stopped"];
    for (id, field, value) in said {
        options.extend(["--say", "rds:DescribeDBInstances", id, field, value]);
    }
    let gateway = stage.gateway(&options);
    let (report, code) = stage.audit_at(&gateway.endpoint, &[]);
    assert_eq!(code, 1);
    let mut expected = vec![
        "fail high ended rds-expiring-certificate ended-db",
        "fail high failed rds-unavailable failed-db",
        "fail high fleet rds-unavailable fleet",
        "fail high full rds-stale-restore-point full-db",
        "fail high full rds-unavailable full-db",
        "fail high key rds-unavailable key-db",
        "fail high none rds-stale-restore-point none-db",
        "fail high params rds-unavailable params-db",
        "fail high stale rds-stale-restore-point stale-db",
        "fail medium ends rds-expiring-certificate ends-db",
    ];
    expected.sort_unstable();
    assert_eq!(stage.told(&report), expected, "{:#}", report["findings"]);
    let of = |rule: &str| {
        list(&report, "findings")
            .iter()
            .find(|f| f["workload"] == "full" && f["rule"] == rule)
            .expect("full")
    };
    assert_eq!(of(STALE)["caused_by"], of(DOWN)["id"]);
}

fn stopped(kind: Kind) {
    let mut world = World::new();
    world
        .stack("off", json!({"db": {"status": "stopped"}}))
        .stack("twin", json!({}));
    let mut stage = Stage::new(kind, &world);
    stage.about(ALL);
    let report = stage.expect(&["fail high off rds-unavailable off-db"]);
    assert!(text(&report["findings"][0]["remediation"]["summary"]).contains("start-db-instance"));
    stage.call("rds", "start_db_instance", json!({"DBInstanceIdentifier": "off-db"}));
    stage.expect(&[]);
}

/// A restore point that an emulator itself lets grow old.
fn restore_points_that_stand_still(kind: Kind) {
    let mut world = World::new();
    world
        .stack("strict", json!({}))
        .stack("unbacked", json!({"db": {"retention": 0}}))
        .stack("twin", json!({}));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[STALE]);
    stage.configure("workloads: {strict: {restore_point_age: 1s}, unbacked: {restore_point_age: 1s}}\n");
    std::thread::sleep(Duration::from_millis(2500));
    if Lie::RestorePointIsNow.on(kind) {
        stage.expect(&[]);
    } else {
        stage.expect(&["fail high strict rds-stale-restore-point strict-db"]);
    }
}

/// Unused for longer than `abandoned_after`; in use, young, moving, and what can't be told beside it.
fn abandoned(kind: Kind) {
    let elsewhere = |host: &str| json!({"secret": format!("postgres://app:{PASSWORD}@{host}:5432/app")});
    let mut world = World::new();
    world
        .stack("unused", json!({"web": {"secrets": null}}))
        .stack("moved", elsewhere("old-db.abc123.us-east-1.rds.amazonaws.com"))
        .stack("lone", json!({}))
        // What must stay unmentioned.
        .stack("young", json!({"web": {"secrets": null}}))
        .stack("moving", json!({"web": {"secrets": null}, "db": {"tags": {"holdfast:phase": "migrating", "holdfast:migration-until": "{{now+1d}}"}}}))
        .stack("plain", json!({"web": {"secrets": null, "environment": {"DB_URL": "postgres://app:pw12345678@{{endpoint:plain-db}}:5432/app"}}}))
        .stack("reader", json!({}))
        .stack("twin", json!({}))
        // What can't be told.
        .stack("alias", elsewhere("db.shop.internal"));
    world.patch(json!({
        "services": {"main/lone": null},
        "db_instances": {"reader-copy": {"replica_of": "reader-db", "subnet_group": "private", "max_storage": 100, "tags": tagged("reader")}},
        "secrets": {"reader-url": {"string": format!("postgres://app:{PASSWORD}@{{{{endpoint:reader-copy}}}}:{{{{port:reader-copy}}}}/app")}},
    }));
    let mut stage = Stage::new(kind, &world);
    stage.about(&[ABANDONED, "ecs-missing-database-secret", "secret-wrong-database"]);
    stage.configure("defaults: {abandoned_after: 1s}\nworkloads: {young: {abandoned_after: 48h}}\n");
    std::thread::sleep(Duration::from_millis(2500));
    let (report, _) = stage.audit(&[]);
    let told: Vec<String> = stage
        .told(&report)
        .into_iter()
        .filter(|t| t.contains(ABANDONED))
        .collect();
    assert_eq!(
        told,
        [
            "fail low lone rds-abandoned lone-db",
            "fail low moved rds-abandoned moved-db",
            "fail low unused rds-abandoned unused-db",
            "unknown low alias rds-abandoned alias-db",
        ],
        "{:#}",
        report["findings"]
    );
    let of = |workload: &str, rule: &str| {
        let mut all = list(&report, "findings").iter();
        all.find(|f| f["workload"] == workload && f["rule"] == rule)
            .expect(workload)
            .clone()
    };
    assert_eq!(
        of("unused", ABANDONED)["caused_by"],
        of("unused", "ecs-missing-database-secret")["id"]
    );
    assert_eq!(
        of("moved", ABANDONED)["caused_by"],
        of("moved", "secret-wrong-database")["id"]
    );
    assert!(text(&of("lone", ABANDONED)["message"]).contains("has no service"));
    // By default all of this is far too young.
    stage.about(&[ABANDONED]);
    stage.expect(&[]);
}

fn off_by_default(kind: Kind) {
    let names = ["rds-single-az", "rds-no-iam-authentication", "rds-default-master-name"];
    let sound = json!({"multi_az": true, "iam_auth": true, "username": "shop_admin"});
    let mut world = World::new();
    let mut but = |name: &str, field: &str, value: Value| {
        let mut db = sound.clone();
        db[field] = value;
        world.stack(name, json!({"db": db}));
    };
    but("zone", "multi_az", json!(false));
    but("iam", "iam_auth", json!(false));
    but("master", "username", json!("postgres"));
    but("twin", "port", json!(5432));
    let mut stage = Stage::new(kind, &world);
    let on: Vec<&str> = holdfast_core::rules::ids()
        .into_iter()
        .filter(|id| names.contains(id))
        .collect();
    assert_eq!(on.len(), 3);
    assert!(
        holdfast_core::rules::REGISTRY
            .iter()
            .map(|r| r.meta())
            .filter(|m| names.contains(&m.id))
            .all(|m| !m.enabled)
    );
    stage.about(&names);
    stage.expect(&[
        "fail low iam rds-no-iam-authentication iam-db",
        "fail low master rds-default-master-name master-db",
        "fail low zone rds-single-az zone-db",
    ]);
}
