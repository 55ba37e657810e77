//! The report as programs read it: INTERFACE.md, section 4, and the exit codes.

use serde_json::{Value, json};

use crate::on_both;
use crate::test_env::{Kind, TestEnv, list, text};
use crate::world::World;

on_both!(json_report, exit_codes, table_and_files);

fn keys(value: &Value) -> Vec<String> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("an object: {value}"))
        .keys()
        .cloned()
        .collect()
}

fn world() -> World {
    let mut world = World::new();
    world
        .stack("alpha", json!({"db": {"retention": 1}}))
        .stack(
            "beta",
            json!({"db": {"public": true, "retention": 1}, "ingress": [{"cidr": "0.0.0.0/0"}]}),
        )
        .stack("gamma", json!({}));
    world
}

fn json_report(kind: Kind) {
    let env = TestEnv::new(kind, &world());
    let (report, code) = env.audit(&[]);
    assert_eq!(code, 1);
    assert_eq!(
        keys(&report),
        [
            "schema_version",
            "tool",
            "started_at",
            "finished_at",
            "mode",
            "scope",
            "summary",
            "findings",
            "errors",
            "stats"
        ]
    );
    assert_eq!(
        (&report["schema_version"], &report["mode"]),
        (&json!(1), &json!("audit"))
    );
    assert_eq!(
        report["tool"],
        json!({"name": "holdfast", "version": env!("CARGO_PKG_VERSION")})
    );
    let scope = json!({"accounts": ["123456789012"], "regions": ["us-east-1"], "workloads": 3, "resources": 15});
    assert_eq!(report["scope"], scope);
    assert_eq!(
        keys(&report["summary"]),
        [
            "pass",
            "fail",
            "waived",
            "unknown",
            "untold",
            "consequences",
            "by_severity"
        ]
    );
    assert_eq!(
        report["summary"]["by_severity"],
        json!({"low": 0, "medium": 0, "high": 2, "critical": 2})
    );
    assert!(report["summary"]["pass"].as_u64().unwrap() > 10);
    assert_eq!(keys(&report["stats"]), ["api_calls", "throttled", "duration_ms"]);
    assert!(
        report["stats"]["api_calls"]["rds:DescribeDBInstances"]
            .as_u64()
            .unwrap()
            >= 1
    );
    for f in list(&report, "findings") {
        assert_eq!(
            keys(f),
            [
                "id",
                "rule",
                "severity",
                "verdict",
                "workload",
                "phase",
                "resource",
                "message",
                "evidence",
                "observed_at",
                "first_seen",
                "remediation",
                "controls",
                "waiver",
                "caused_by"
            ]
        );
        assert_eq!(keys(&f["resource"]), ["kind", "id", "arn", "account", "region"]);
        assert_eq!(keys(&f["evidence"][0]), ["field", "observed", "expected"]);
        assert_eq!(keys(&f["remediation"]), ["summary", "risk", "calls", "blocked_by"]);
        assert_eq!(
            keys(&f["remediation"]["calls"][0]),
            ["service", "operation", "parameters"]
        );
        assert!(text(&f["resource"]["arn"]).starts_with("arn:aws:"), "{f:#}");
        assert!(text(&f["observed_at"]).ends_with('Z') && text(&f["first_seen"]).ends_with('Z'));
    }
    let order: Vec<(String, String)> = list(&report, "findings")
        .iter()
        .map(|f| (text(&f["workload"]), text(&f["rule"])))
        .collect();
    let expected = [
        ("beta", "rds-open-ingress"),
        ("beta", "rds-public-access"),
        ("alpha", "rds-short-backup-retention"),
        ("beta", "rds-short-backup-retention"),
    ];
    assert_eq!(
        order,
        expected.map(|(w, r)| (w.to_owned(), r.to_owned())),
        "severity, workload, rule, resource"
    );
    // Ids are stable from sweep to sweep.
    let ids = |r: &Value| list(r, "findings").iter().map(|f| text(&f["id"])).collect::<Vec<_>>();
    assert_eq!(ids(&env.audit(&[]).0), ids(&report));
}

fn exit_codes(kind: Kind) {
    let env = TestEnv::new(kind, &world());
    let code = |arguments: &[&str]| env.audit(arguments).1;
    assert_eq!(code(&["--workload", "gamma"]), 0);
    assert_eq!(code(&["--workload", "alpha"]), 1);
    assert_eq!(code(&["--workload", "alpha", "--fail-on", "high"]), 1);
    assert_eq!(code(&["--workload", "alpha", "--fail-on", "critical"]), 0);
    assert_eq!(
        code(&["--workload", "alpha", "--workload", "beta", "--fail-on", "critical"]),
        1
    );
    let gateway = env.gateway(&["--deny", "rds:DescribeDBClusters"]);
    assert_eq!(
        env.audit_at(&gateway.endpoint, &[]).1,
        3,
        "nothing fails, and not everything is known"
    );
}

fn table_and_files(kind: Kind) {
    let env = TestEnv::new(kind, &world());
    let table = env.holdfast(&["audit"]);
    assert_eq!(table.code, 1);
    assert!(!table.stdout.contains('\u{1b}'), "no colour off a terminal");
    assert_eq!(table.stderr, "", "no progress bar off a terminal");
    let at = |word: &str| {
        table
            .stdout
            .find(word)
            .unwrap_or_else(|| panic!("no {word} in {}", table.stdout))
    };
    assert!(at("beta") < at("alpha"), "worst first: {}", table.stdout);
    let path = env.dir.path().join("report.json");
    let answer = env.holdfast(&["audit", "--format", "json", "--output", path.to_str().unwrap()]);
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""));
    let report: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(report["summary"]["fail"], 4);
}
