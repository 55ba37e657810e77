//! Faults of the network and of AWS between the binary and an emulator, made by microburst in AWS's own words: what is not
//! read is unknown, what is not answered is found out, and nothing is done twice.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chaos::{Microburst, assert_told, history, launch, on_both_at_once, until, watched};
use crate::quirks::Quirk;
use crate::test_env::{Kind, TestEnv, list, run, text};
use crate::world::World;

#[test]
fn answers_lost_after_the_effect() {
    on_both_at_once(lost_answers);
}

fn on(service: &str, operation: &str, fault: Value) -> Value {
    let mut rule = json!({"service": service, "operation": operation});
    crate::world::merge(&mut rule, fault);
    rule
}

#[test]
fn what_is_not_read_is_never_a_pass() {
    on_both_at_once(unread);
}

fn unread(kind: Kind) {
    let mut world = World::new();
    world
        .stack("shop", json!({}))
        .stack("open", json!({"db": {"public": true}}));
    let env = TestEnv::new(kind, &world);
    let (healthy, code) = env.audit(&[]);
    assert_eq!(code, 1, "{healthy:#}");
    let burst = Microburst::start(&env.endpoint, &json!([]));
    let faults = [
        json!({"error": {"code": "Throttling"}}),
        json!({"error": {"code": "InternalFailure", "status": 500}}),
        json!({"reset": true}),
        json!({"response": {"truncate_frac": 0.5}}),
        json!({"response": {"abort_frac": 0.5}}),
    ];
    for fault in faults {
        burst.rules(&json!([on("rds", "DescribeDBInstances", fault.clone())]));
        let (report, code) = env.audit_at(&burst.endpoint, &[]);
        let said = || format!("{fault}: exit {code}: {report:#}\n{:?}", burst.fired());
        assert_eq!(code, 3, "{}", said());
        let all = list(&report, "findings");
        assert!(
            !all.is_empty() && all.iter().all(|f| f["verdict"] == "unknown"),
            "{}",
            said()
        );
        assert!(!list(&report, "errors").is_empty(), "{}", said());
        let passed = |r: &Value| r["summary"]["pass"].as_u64().expect("a number");
        assert!(passed(&report) < passed(&healthy), "{}", said());
        if fault["response"].is_null() {
            continue;
        }
        let answer = run(env.command(&burst.endpoint, &["plan", "--format", "json"]));
        let plan: Value = serde_json::from_str(&answer.stdout).unwrap_or_else(|e| panic!("{e}: {answer:?}"));
        assert_eq!(list(&plan, "actions").len(), 0, "unknown never acts: {plan:#}");
    }
}

/// Every call of a correction is cut off once after AWS carried it out, and refused or cut off before that too; reads fail
/// every other time.
fn lost_answers(kind: Kind) {
    let rollouts = !Quirk::EcsNeverSteady.on(kind);
    let mut world = World::new();
    let bare = if rollouts {
        json!({"web": {"secrets": null}})
    } else {
        json!({})
    };
    world
        .stack("open", json!({"db": {"public": true}}))
        .stack("short", json!({"db": {"retention": 1}}))
        .stack("wide", json!({"ingress": [{"cidr": "0.0.0.0/0"}]}))
        .stack("bare-a", bare.clone())
        .stack("bare-b", bare)
        .stack("sound", json!({}));
    let mut env = TestEnv::new(kind, &world);
    env.configure(
        "mode: enforce\nsweep: {interval: 3s, jitter: 0%}\nsafety: {cooldown: 1s, max_failing_percent: 100, max_actions_per_sweep: 100}\n",
    );
    let gateway = watched(&env, &[]);
    let cut = || json!({"times": 1, "response": {"abort_frac": 0.3}});
    let burst = Microburst::start(
        &gateway.endpoint,
        &json!([
            on("rds", "ModifyDBInstance", cut()),
            on(
                "rds",
                "ModifyDBInstance",
                json!({"times": 1, "error": {"code": "Throttling"}})
            ),
            on("rds", "ModifyDBInstance", json!({"times": 1, "reset": true})),
            on("ec2", "RevokeSecurityGroupIngress", cut()),
            on(
                "ec2",
                "RevokeSecurityGroupIngress",
                json!({"times": 1, "error": {"code": "InternalError", "status": 500}})
            ),
            on("ecs", "RegisterTaskDefinition", cut()),
            on(
                "ecs",
                "RegisterTaskDefinition",
                json!({"times": 1, "error": {"code": "ThrottlingException"}})
            ),
            on("ecs", "UpdateService", cut()),
            on(
                "ecs",
                "UpdateService",
                json!({"times": 1, "error": {"code": "ServerException", "status": 500}})
            ),
            on(
                "rds",
                "DescribeDBInstances",
                json!({"sequence": {"fail": 1, "pass": 2}, "error": {"code": "Throttling"}})
            ),
            on(
                "ec2",
                "DescribeSecurityGroupRules",
                json!({"sequence": {"fail": 1, "pass": 2}, "reset": true})
            ),
            on(
                "ecs",
                "DescribeServices",
                json!({"sequence": {"fail": 1, "pass": 2}, "response": {"truncate_frac": 0.4}})
            ),
            on(
                "secretsmanager",
                "BatchGetSecretValue",
                json!({"sequence": {"fail": 1, "pass": 3}, "response": {"abort_frac": 0.4}})
            ),
        ]),
    );
    let operator = launch(&env, &burst.endpoint);
    let clean = || operator.get("/readyz").0 == 200 && operator.get("/api/v1/findings").1.contains("\"findings\":[]");
    let ended = |env: &TestEnv| {
        list(&history(env, &env.endpoint), "attempts")
            .iter()
            .all(|a| !a["outcome"].is_null())
    };
    let told = || format!("{}\n{:#?}\n{:#?}", operator.logged(), gateway.made(), burst.fired());
    let done = || clean() && ended(&env);
    until("convergence", Duration::from_secs(100), done, told);
    // Each change took effect once: what the SDK repeats asks for what is there already.
    let mut passed: BTreeMap<String, usize> = BTreeMap::new();
    for made in gateway.made().iter().filter(|m| m.status == 200) {
        *passed.entry(made.call.clone()).or_default() += 1;
    }
    let expected = if rollouts { 2 } else { 0 };
    assert_eq!(
        passed.get("ecs:RegisterTaskDefinition").copied().unwrap_or(0),
        expected,
        "{}",
        told()
    );
    for (service, family) in [("main/bare-a", "bare-a"), ("main/bare-b", "bare-b")]
        .into_iter()
        .filter(|_| rollouts)
    {
        let state = env.state()["us-east-1"].clone();
        let revisions = state["task_definitions"].as_object().expect("revisions").keys();
        let revisions: Vec<&String> = revisions.filter(|r| r.starts_with(family)).collect();
        assert_eq!(revisions.len(), 2, "one new revision: {revisions:?}\n{}", told());
        let runs = text(&state["services"][service]["taskDefinition"]);
        assert!(runs.ends_with(":2"), "{service} runs {runs}");
    }
    let history = history(&env, &env.endpoint);
    assert_told(&history, 3 + expected);
    // None of these faults makes a correction fail, which would put it off by safety.cooldown.
    let failed = |a: &&Value| a["outcome"] != "verified";
    assert_eq!(list(&history, "attempts").iter().find(failed), None);
    let fired = burst.fired().join("\n");
    for operation in [
        "rds:ModifyDBInstance",
        "ec2:RevokeSecurityGroupIngress",
        "rds:DescribeDBInstances",
    ] {
        assert!(fired.contains(operation), "{operation} in {fired}");
    }
    assert_eq!(operator.stop(), 0);
}
