//! The rules about databases: each fault planted alone, with a clean twin beside it.

use serde_json::json;

use crate::lies::Lie;
use crate::on_both;
use crate::stage::{Kind, Stage, list, text};
use crate::world::World;

on_both!(
    public_access,
    open_ingress,
    prefix_lists,
    shared_groups,
    short_retention,
    aurora_and_replicas,
    migration_windows,
    retention_after_an_outage_only_if_allowed,
);

fn public_access(kind: Kind) {
    let mut world = World::new();
    world
        .stack("open", json!({"db": {"public": true}}))
        .stack("stopped", json!({"db": {"public": true, "status": "stopped"}}))
        .stack("twin", json!({}));
    let stage = Stage::new(kind, &world);
    stage.expect(&[
        "fail critical open rds-public-access open-db",
        "fail critical stopped rds-public-access stopped-db",
    ]);
    let plan = stage.plan();
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
    let mut stage = Stage::new(kind, &world);
    stage.configure("workloads: {blessed: {allowed_ingress: {cidrs: [192.0.2.0/24]}}}\n");
    let report = stage.expect(&[
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
    let rules = stage.made["us-east-1"]["security_group_rules"]["world6-db"]
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
    let stage = Stage::new(kind, &world);
    if Lie::PrefixListSourceLost.on(kind) {
        // A rule without a source: it must at least not be taken for harmless, nor break the sweep.
        let (report, code) = stage.audit(&[]);
        assert!(
            stage
                .told(&report)
                .iter()
                .all(|f| f == "fail high office rds-open-ingress office-db")
        );
        assert!(code == 0 || code == 1);
        return;
    }
    stage.expect(&["fail high office rds-open-ingress office-db"]);
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
    let mut stage = Stage::new(kind, &world);
    stage.configure("safety: {max_failing_percent: 100}\n");
    stage.expect(&[
        "fail critical carrier rds-open-ingress carrier-db",
        "fail critical guest rds-open-ingress lender-db",
        "fail critical host rds-open-ingress host-db",
        "fail critical lender rds-open-ingress lender-db",
        "fail critical plain rds-open-ingress plain-db",
    ]);
    let plan = stage.plan();
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

fn short_retention(kind: Kind) {
    let mut world = World::new();
    world
        .stack("one", json!({"db": {"retention": 1}}))
        .stack("six", json!({"db": {"retention": 6}}))
        .stack("seven", json!({"db": {"retention": 7}}))
        .stack("more", json!({"db": {"retention": 30}}))
        .stack("strict", json!({"db": {"retention": 13}}))
        .stack("lax", json!({"db": {"retention": 1}}));
    let mut stage = Stage::new(kind, &world);
    stage.configure("workloads: {strict: {backup_retention_days: 14}, lax: {backup_retention_days: 1}}\n");
    stage.expect(&[
        "fail high one rds-short-backup-retention one-db",
        "fail high six rds-short-backup-retention six-db",
        "fail high strict rds-short-backup-retention strict-db",
    ]);
    let plan = stage.plan();
    let to = |w: &str| {
        list(&plan, "actions").iter().find(|a| a["workload"] == w).unwrap()["calls"][0]["parameters"]["BackupRetentionPeriod"]
            .as_i64()
    };
    assert_eq!((to("one"), to("six"), to("strict")), (Some(7), Some(7), Some(14)));
}

/// A cluster owns the backups of its members, and each member its own public flag. A replica has no backups.
fn aurora_and_replicas(kind: Kind) {
    let tags = |w: &str| json!({"holdfast:workload": w});
    let mut world = World::new();
    world.patch(json!({
        "security_groups": {"fleet-db": {"tags": tags("fleet"), "ingress": [{"cidr": "0.0.0.0/0"}]}, "calm-db": {"tags": tags("calm")}},
        "db_clusters": {
            "fleet": {"retention": 1, "subnet_group": "private", "security_groups": ["fleet-db"], "tags": tags("fleet")},
            "calm": {"subnet_group": "private", "security_groups": ["calm-db"], "tags": tags("calm")},
        },
        "db_instances": {
            "fleet-1": {"cluster": "fleet", "public": true, "tags": tags("fleet")},
            "fleet-2": {"cluster": "fleet", "tags": tags("fleet")},
            "calm-1": {"cluster": "calm", "tags": tags("calm")},
            "calm-2": {"cluster": "calm", "public": true},
        },
    }));
    world.stack("origin", json!({}));
    world.patch(json!({"db_instances": {
        "origin-replica": {"replica_of": "origin-db", "subnet_group": "private", "tags": tags("origin")},
        "origin-mirror": {"replica_of": "origin-db", "subnet_group": "private", "tags": tags("origin")},
    }}));
    let mut stage = Stage::new(kind, &world);
    // ministack drops the flag where a replica is created with it.
    let public = json!({"DBInstanceIdentifier": "origin-mirror", "PubliclyAccessible": true, "ApplyImmediately": true});
    stage.call("rds", "modify_db_instance", public);
    stage.expect(&[
        "fail critical calm rds-public-access calm-2",
        "fail critical fleet rds-open-ingress fleet-db",
        "fail critical fleet rds-public-access fleet-1",
        "fail critical origin rds-public-access origin-mirror",
        "fail high fleet rds-short-backup-retention fleet",
    ]);
    let plan = stage.plan();
    let operations: Vec<String> = list(&plan, "actions")
        .iter()
        .map(|a| text(&a["calls"][0]["operation"]))
        .collect();
    assert!(operations.contains(&"ModifyDBCluster".to_owned()), "{plan:#}");
    let held = list(&plan, "held")
        .iter()
        .find(|h| h["resource"]["id"] == "calm-2")
        .expect("the untagged member");
    assert!(
        text(&held["reason"]).contains("does not carry holdfast:workload=calm"),
        "{held:#}"
    );
}

fn migration_windows(kind: Kind) {
    let with = |name: &str, until: Option<&str>, ingress: &str| {
        let mut tags = json!({"holdfast:workload": name, "holdfast:phase": "migrating"});
        if let Some(until) = until {
            tags["holdfast:migration-until"] = json!(until);
        }
        json!({"db": {"public": true, "tags": tags}, "ingress": [{"cidr": ingress}]})
    };
    let single = "203.0.113.7/32";
    let mut world = World::new();
    world
        .stack("inside", with("inside", Some("{{now+2d}}"), single))
        .stack("worldly", with("worldly", Some("{{now+1d}}"), "0.0.0.0/0"))
        .stack("wide", with("wide", Some("{{now+1d}}"), "203.0.113.0/24"))
        .stack("ended", with("ended", Some("{{now-1h}}"), single))
        .stack("endless", with("endless", None, single))
        .stack("garbled", with("garbled", Some("next tuesday"), single))
        .stack("distant", with("distant", Some("{{now+30d}}"), single))
        .stack(
            "tidied",
            json!({"db": {"tags": {"holdfast:workload": "tidied", "holdfast:phase": "migrating", "holdfast:migration-until": "{{now-9d}}"}}}),
        )
        .stack("shouting", json!({"db": {"public": true, "tags": {"holdfast:workload": "shouting", "holdfast:phase": "Migrating", "holdfast:migration-until": "{{now+1d}}"}}}));
    let stage = Stage::new(kind, &world);
    let mut expected = vec![
        "fail critical worldly rds-open-ingress worldly-db".to_owned(),
        "fail high wide rds-open-ingress wide-db".to_owned(),
        "fail critical shouting rds-public-access shouting-db".to_owned(),
    ];
    for name in ["ended", "endless", "garbled", "distant"] {
        expected.push(format!("fail critical {name} rds-public-access {name}-db"));
        expected.push(format!("fail high {name} rds-open-ingress {name}-db"));
        expected.push(format!("fail high {name} rds-migration-overdue {name}-db"));
    }
    let report = stage.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    for f in list(&report, "findings") {
        let inside = ["worldly", "wide"].contains(&f["workload"].as_str().unwrap());
        assert_eq!(f["phase"], if inside { "migrating" } else { "migrated" }, "{f:#}");
    }
}

/// Switching backups on restarts the instance: only if the configuration names that risk.
fn retention_after_an_outage_only_if_allowed(kind: Kind) {
    let mut world = World::new();
    world.stack("bare", json!({"db": {"retention": 0}}));
    let mut stage = Stage::new(kind, &world);
    stage.expect(&["fail high bare rds-short-backup-retention bare-db"]);
    let plan = stage.plan();
    assert_eq!(plan["actions"], json!([]));
    assert!(text(&plan["held"][0]["reason"]).contains("outage"), "{plan:#}");
    let answer = stage.holdfast(&["apply", "--yes"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    stage.configure("safety: {allow_risk: [none, brief, outage]}\n");
    assert_eq!(stage.plan()["actions"][0]["risk"], "outage");
    let answer = stage.holdfast(&["apply", "--yes"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    stage.expect(&[]);
}
