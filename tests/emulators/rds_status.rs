//! What AWS says of a database's state: `rds-unavailable`, `rds-expiring-certificate`, `rds-stale-restore-point`.

use serde_json::json;

use crate::on_both;
use crate::test_env::{DATABASES, Kind, TestEnv, list, text};
use crate::world::{World, tags};

on_both!(what_no_emulator_shows, stopped);

const STALE: &str = "rds-stale-restore-point";
const DOWN: &str = "rds-unavailable";

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
        "db_instances": {"fleet-1": {"cluster": "fleet", "tags": tags("fleet")}},
        "db_clusters": {"fleet": {"subnet_group": "private", "tags": tags("fleet")}},
    }));
    let mut env = TestEnv::new(kind, &world);
    env.about(DATABASES);
    env.expect(&[]);
    let at = |hours: f64| crate::test_env::in_hours(hours);
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
    let gateway = env.gateway(&options);
    let (report, code) = env.audit_at(&gateway.endpoint, &[]);
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
    assert_eq!(env.told(&report), expected, "{:#}", report["findings"]);
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
    let mut env = TestEnv::new(kind, &world);
    env.about(DATABASES);
    let report = env.expect(&["fail high off rds-unavailable off-db"]);
    assert!(text(&report["findings"][0]["remediation"]["summary"]).contains("start-db-instance"));
    env.call("rds", "start_db_instance", json!({"DBInstanceIdentifier": "off-db"}));
    env.expect(&[]);
}
