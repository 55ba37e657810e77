//! `rds-unenforced-tls`: engine versions and parameter groups.

use serde_json::json;

use crate::on_both;
use crate::test_env::{DATABASES, Kind, TestEnv, acting, list, reason, run};
use crate::world::{PASSWORD, World, tags};

on_both!(tls, tls_of_clusters, unread_parameter_groups);

const TLS: &str = "rds-unenforced-tls";

/// The engine's default, and what groups of one's own say; corrected only in a group that is ours alone.
fn tls(kind: Kind) {
    let group = |workload: Option<&str>, force: Option<u8>, family: &str| {
        let parameters = force.map_or_else(|| json!({"log_connections": 1}), |v| json!({"rds.force_ssl": v}));
        json!({"family": family, "parameters": parameters, "tags": workload.map_or_else(|| json!({}), tags)})
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
    let mut env = TestEnv::new(kind, &world);
    env.about(DATABASES);
    let failing = ["default14", "left", "off", "nobodys", "sharer", "disabled"];
    let expected = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .map(|n| format!("fail medium {n} rds-unenforced-tls {n}-db"))
            .collect()
    };
    let told = expected(&failing);
    env.expect(&told.iter().map(String::as_str).collect::<Vec<_>>());
    let plan = env.plan();
    assert_eq!(acting(&plan), ["left", "off"], "{plan:#}");
    for (workload, why) in [
        ("default14", "no call can do it"),
        ("nobodys", "nobodys does not carry holdfast:workload=nobodys"),
        ("sharer", "shared is also the parameter group of stray"),
        ("disabled", "main/disabled connects with sslmode=disable"),
    ] {
        assert!(reason(&plan, workload).contains(why), "{}", reason(&plan, workload));
    }
    let gateway = env.gateway(&[]);
    let answer = run(env.command(&gateway.endpoint, &["apply", "--yes"]));
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(gateway.mutations(), ["rds:ModifyDBParameterGroup"; 2]);
    let left = expected(&["default14", "nobodys", "sharer", "disabled"]);
    env.expect(&left.iter().map(String::as_str).collect::<Vec<_>>());
    // What AWS's own groups hold is never asked for.
    assert!(!gateway.calls().contains(&"rds:DescribeDBParameterGroups".to_owned()));
}

/// Of a cluster the cluster's group decides, whatever its members' groups say.
fn tls_of_clusters(kind: Kind) {
    let mut world = World::new();
    world.patch(json!({
        "db_parameter_groups": {"member": {"family": "aurora-postgresql17", "parameters": {"rds.force_ssl": 0}}},
        "db_clusters": {
            "old": {"version": "16.8", "subnet_group": "private", "tags": tags("old")},
            "off": {"subnet_group": "private", "tags": tags("off")},
            "calm": {"subnet_group": "private", "tags": tags("calm")},
        },
        "db_instances": {
            "off-1": {"cluster": "off", "tags": tags("off")},
            "calm-1": {"cluster": "calm", "parameter_group": "member", "tags": tags("calm")},
        },
    }));
    let mut env = TestEnv::new(kind, &world);
    let tags = json!([{"Key": "holdfast:workload", "Value": "off"}]);
    env.call(
        "rds",
        "create_db_cluster_parameter_group",
        json!({"DBClusterParameterGroupName": "off-pg", "DBParameterGroupFamily": "aurora-postgresql17", "Description": "off", "Tags": tags}),
    );
    env.call(
        "rds",
        "modify_db_cluster_parameter_group",
        json!({"DBClusterParameterGroupName": "off-pg", "Parameters": [{"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"}]}),
    );
    env.call(
        "rds",
        "modify_db_cluster",
        json!({"DBClusterIdentifier": "off", "DBClusterParameterGroupName": "off-pg", "ApplyImmediately": true}),
    );
    env.about(&[TLS]);
    let old = "fail medium old rds-unenforced-tls old";
    env.expect(&["fail medium off rds-unenforced-tls off", old]);
    assert_eq!(
        env.plan()["actions"][0]["calls"][0]["operation"],
        "ModifyDBClusterParameterGroup"
    );
    env.apply();
    env.expect(&[old]);
}

fn unread_parameter_groups(kind: Kind) {
    let mut world = World::new();
    world.patch(json!({"db_parameter_groups": {
        "off": {"parameters": {"rds.force_ssl": 0}, "tags": tags("off")}, "on": {"parameters": {"rds.force_ssl": 1}},
    }}));
    world
        .stack("off", json!({"db": {"parameter_group": "off"}}))
        .stack("on", json!({"db": {"parameter_group": "on"}}))
        .stack("old", json!({"db": {"version": "14.9"}}))
        .stack("twin", json!({}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[TLS]);
    for (denied, unknown) in [
        ("rds:DescribeDBParameters", &["off", "on"][..]),
        ("rds:ListTagsForResource", &["off"]),
    ] {
        let gateway = env.gateway(&["--deny", denied]);
        let (report, _) = env.audit_at(&gateway.endpoint, &[]);
        let mut expected: Vec<String> = unknown
            .iter()
            .map(|n| format!("unknown medium {n} rds-unenforced-tls {n}-db"))
            .collect();
        expected.insert(0, "fail medium old rds-unenforced-tls old-db".to_owned());
        assert_eq!(env.told(&report), expected, "{denied}");
        assert!(report["errors"].to_string().contains(denied), "{}", report["errors"]);
        assert_eq!(list(&report, "errors").len(), 1, "{}", report["errors"]);
    }
}
