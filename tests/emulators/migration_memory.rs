//! Runs of migrations that ECS has forgotten: what the ledger and events know of them.

use serde_json::{Value, json};

use crate::on_both;
use crate::operator::{Operator, configure, send};
use crate::test_env::{Answer, CORE, Gateway, Kind, TestEnv, run, text};
use crate::world::World;

on_both!(
    a_failure_outlives_ecs,
    a_good_run_opens_the_gate_for_its_image,
    an_event_alone_is_enough,
    an_event_alone_is_enough_for_a_table,
    without_a_ledger,
    runs_of_other_clusters_count,
    a_family_that_would_start_the_application,
);

/// What a ledger can be kept in.
const LEDGERS: [&str; 2] = ["{kind: sqlite, path: runs.db}", "{kind: dynamodb, table: runs}"];
/// ECS has forgotten every task.
const FORGOTTEN: &str = "ecs:ListTasks={\"taskArns\": []}";

/// The stack `shop`, whose service runs `web:1.0`, with a migration of another image that was run in `cluster`.
fn migrated(image: &str, cluster: &str) -> World {
    let mut world = World::new();
    world.stack("shop", json!({}));
    let revision = json!({
        "tags": {"holdfast:workload": "shop", "holdfast:role": "migration"},
        "containers": {"migrate": {"image": image, "command": ["migrate"],
            "secrets": {"DATABASE_URL": "{{secret:shop-url}}"}}},
    });
    world.patch(
        json!({"task_definitions": {"shop-migrate": [revision]}, "clusters": {cluster: {}}, "queues": {"signals": {}}}),
    );
    world.patch(
        json!({"tasks": {"run": {"cluster": cluster, "task_definition": "shop-migrate:1",
        "subnets": ["private-a"], "security_groups": ["shop-app"]}}}),
    );
    world
}

fn staged(kind: Kind, world: &World) -> TestEnv {
    let mut env = TestEnv::new(kind, world);
    env.about(&[CORE, &["migration-failed", "migration-drift"]].concat());
    let table = json!({
        "TableName": "runs", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    });
    env.call("dynamodb", "create_table", table);
    env
}

/// A gateway behind which every task ended by itself with this code: no emulator shows another than 0.
fn ended(env: &TestEnv, image: &str, code: i32) -> Gateway {
    let rewrites = [
        ("lastStatus", json!("STOPPED")),
        ("stopCode", json!("EssentialContainerExited")),
        ("stoppedReason", json!("Essential container in task exited")),
        (
            "containers",
            json!([{"name": "migrate", "image": image, "exitCode": code}]),
        ),
    ];
    let rewrites = rewrites.map(|(field, value)| format!("ecs:DescribeTasks:tasks.*.{field}={value}"));
    let options: Vec<&str> = rewrites.iter().flat_map(|r| ["--rewrite", r]).collect();
    env.gateway(&options)
}

fn ask(env: &TestEnv, gateway: &Gateway, arguments: &[&str]) -> Answer {
    run(env.command(&gateway.endpoint, arguments))
}

#[track_caller]
fn says(answer: &Answer, code: i32, words: &[&str]) {
    assert_eq!(answer.code, code, "{}{}", answer.stdout, answer.stderr);
    for word in words {
        assert!(
            answer.stdout.contains(word),
            "{word}: {}{}",
            answer.stdout,
            answer.stderr
        );
    }
}

const CRITICAL: [&str; 1] = ["fail critical shop migration-failed shop-migrate:1"];

/// Exit code 1 yesterday is critical today, until a later run succeeds; on either ledger, each command a process of its own.
fn a_failure_outlives_ecs(kind: Kind) {
    let mut env = staged(kind, &migrated("example.com/web:1.0", "main"));
    for ledger in LEDGERS {
        env.configure(&format!("ledger: {ledger}\n"));
        let failed = ended(&env, "example.com/web:1.0", 1);
        let (report, code) = env.audit_at(&failed.endpoint, &[]);
        assert_eq!(
            (env.told(&report), code),
            (CRITICAL.map(str::to_owned).to_vec(), 1),
            "{ledger}"
        );
        // An hour later.
        let forgotten = env.gateway(&["--answer", FORGOTTEN]);
        let (report, code) = env.audit_at(&forgotten.endpoint, &[]);
        assert_eq!(
            (env.told(&report), code),
            (CRITICAL.map(str::to_owned).to_vec(), 1),
            "{ledger}"
        );
        let message = text(&report["findings"][0]["message"]);
        assert!(message.contains("its container migrate exited with 1"), "{message}");
        let gate = ask(&env, &forgotten, &["gate", "shop"]);
        says(
            &gate,
            1,
            &["The gate is shut for shop", "its container migrate exited with 1"],
        );
        let list = ask(&env, &forgotten, &["checklist", "shop", "--format", "markdown"]);
        says(&list, 1, &["**disproved:** the migration shop-migrate:1 failed"]);
        // A command that only plans remembers too, and changes nothing else.
        let plan = ask(&env, &forgotten, &["plan"]);
        assert_eq!(plan.code, 0, "{}{}", plan.stdout, plan.stderr);
    }
    // The ledger that is read as a file says which container decided, and when.
    let file = rusqlite::Connection::open(env.dir.path().join("runs.db")).expect("a ledger");
    let row: (String, String, i64, String) = file
        .query_row(
            "SELECT result, container, exit_code, image FROM migration_runs",
            [],
            |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)),
        )
        .expect("one run");
    assert_eq!(
        row,
        ("failed".into(), "migrate".into(), 1, "example.com/web:1.0".into())
    );
}

/// Build, migrate with the new image, then the gate while the old one still runs: at once, and the day after.
fn a_good_run_opens_the_gate_for_its_image(kind: Kind) {
    let (old, new) = ("example.com/web:1.0", "example.com/web:2.0");
    let mut env = staged(kind, &migrated(new, "main"));
    for ledger in LEDGERS {
        env.configure(&format!("ledger: {ledger}\n"));
        let well = ended(&env, new, 0);
        says(
            &ask(&env, &well, &["gate", "shop"]),
            1,
            &[
                "HIGH migration-drift",
                "has another image than main/shop",
                "name that: --image REF",
            ],
        );
        let forgotten = env.gateway(&["--answer", FORGOTTEN]);
        for gateway in [&well, &forgotten] {
            let gate = ask(&env, gateway, &["gate", "shop", "--image", new]);
            says(
                &gate,
                0,
                &[
                    "The gate is open for shop",
                    "with the image example.com/web:2.0, as written",
                ],
            );
            let gate = ask(&env, gateway, &["gate", "shop", "--image", old]);
            says(
                &gate,
                1,
                &["ran with example.com/web:2.0, and what is about to be deployed is the image example.com/web:1.0"],
            );
            let gate = ask(
                &env,
                gateway,
                &["gate", "shop", "--revision", "shop-migrate:1", "--image", new],
            );
            says(&gate, 0, &["The gate is open"]);
            // What the service runs now is of the old image.
            let gate = ask(&env, gateway, &["gate", "shop", "--revision", "shop:1"]);
            says(&gate, 1, &["is an image of shop:1, example.com/web:1.0"]);
        }
    }
    let wrong = env.holdfast(&["gate", "shop", "--image", "not an image"]);
    assert_eq!(wrong.code, 2, "{}{}", wrong.stdout, wrong.stderr);
    let absent = env.holdfast(&["gate", "shop", "--revision", "no-such:1"]);
    assert_eq!(absent.code, 2, "{}{}", absent.stdout, absent.stderr);
}

/// As ECS tells of a task that ended.
fn event(task: &str, at: &str, code: i32) -> String {
    json!({
        "version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602", "detail-type": "ECS Task State Change",
        "source": "aws.ecs", "account": "123456789012", "time": at, "region": "us-east-1",
        "resources": [format!("arn:aws:ecs:us-east-1:123456789012:task/main/{task}")],
        "detail": {
            "taskArn": format!("arn:aws:ecs:us-east-1:123456789012:task/main/{task}"),
            "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/main", "group": "family:shop-migrate",
            "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "version": 5, "createdAt": at, "stoppedAt": at,
            "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited",
            "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/shop-migrate:1",
            "containers": [{"name": "migrate", "image": "example.com/web:1.0", "exitCode": code, "lastStatus": "STOPPED"}],
        },
    })
    .to_string()
}

fn an_event_alone_is_enough(kind: Kind) {
    event_alone(kind, LEDGERS[0]);
}

fn an_event_alone_is_enough_for_a_table(kind: Kind) {
    event_alone(kind, LEDGERS[1]);
}

/// ECS has forgotten the task before anybody asked: the event is all that is left, also after a restart.
fn event_alone(kind: Kind, ledger: &str) {
    let mut env = staged(kind, &migrated("example.com/web:1.0", "main"));
    configure(&mut env, &format!("ledger: {ledger}\n"));
    let gateway = env.gateway(&["--answer", FORGOTTEN]);
    let open = |operator: &Operator, verdict: &str| {
        let verdict = format!("verdict=\"{verdict}\"");
        operator.metric("holdfast_findings", &["rule=\"migration-failed\"", &verdict]) >= 1.0
    };
    let operator = Operator::start_at(&gateway.endpoint, &env, &[]);
    assert!(open(&operator, "unknown"), "no record at all is unknown");
    send(&mut env, &event("failed", "2026-11-21T10:00:00Z", 1));
    operator.until("the failure", || open(&operator, "fail"));
    send(&mut env, &event("good", "2026-11-21T11:00:00Z", 0));
    operator.until("the success", || {
        !open(&operator, "fail") && !open(&operator, "unknown")
    });
    says(
        &ask(&env, &gateway, &["gate", "shop"]),
        0,
        &["the migration shop-migrate:1 (task good) succeeded"],
    );
    // An earlier one that is told late changes nothing.
    let handled = || operator.metric("holdfast_event_lag_seconds_count", &[]);
    operator.until("both", || handled() >= 2.0);
    send(&mut env, &event("late", "2026-11-21T09:00:00Z", 2));
    operator.until("that too", || handled() >= 3.0);
    assert!(!open(&operator, "fail"));
    send(&mut env, &event("again", "2026-11-21T12:00:00Z", 1));
    operator.until("the second failure", || open(&operator, "fail"));
    let (_, workloads) = operator.get("/api/v1/workloads");
    let last = "\"result\":\"failed\"";
    assert!(
        workloads.contains(last) && workloads.contains("task/main/again"),
        "{workloads}"
    );
    let _ = operator.kill();
    // Another process, which no event reaches.
    let operator = Operator::start_at(&gateway.endpoint, &env, &[]);
    assert!(open(&operator, "fail"), "also after a restart");
    says(
        &ask(&env, &gateway, &["gate", "shop"]),
        1,
        &["its container migrate exited with 1"],
    );
    assert_eq!(operator.stop(), 0);
}

/// What can't be remembered is said once, and the rest is as useful as ever.
fn without_a_ledger(kind: Kind) {
    let mut env = staged(kind, &migrated("example.com/web:1.0", "main"));
    env.configure("ledger: {kind: sqlite, path: no/such/place.db}\n");
    let failed = ended(&env, "example.com/web:1.0", 1);
    let audit = ask(&env, &failed, &["audit"]);
    says(&audit, 1, &["its container migrate exited with 1"]);
    assert_eq!(
        audit.stderr.matches("will not be remembered").count(),
        1,
        "{}",
        audit.stderr
    );
    // And nothing is made where there is nothing to remember.
    env.configure("ledger: {kind: sqlite, path: untouched.db}\n");
    let forgotten = env.gateway(&["--answer", FORGOTTEN]);
    let audit = ask(&env, &forgotten, &["audit"]);
    says(&audit, 3, &["no run of it is known"]);
    assert!(!env.dir.path().join("untouched.db").exists());
    env.configure("ledger: {kind: dynamodb, table: no-such-table}\n");
    let audit = ask(&env, &forgotten, &["audit", "--format", "json"]);
    assert_eq!(audit.code, 3, "{}", audit.stderr);
    assert!(audit.stderr.contains("no-such-table"), "{}", audit.stderr);
    let report: Value = serde_json::from_str(&audit.stdout).expect("JSON");
    assert!(
        text(&report["findings"][0]["message"]).contains("the ledger can't be asked"),
        "{report:#}"
    );
}

/// A family that is run in a cluster without a service of its workload.
fn runs_of_other_clusters_count(kind: Kind) {
    let env = staged(kind, &migrated("example.com/web:1.0", "jobs"));
    let failed = ended(&env, "example.com/web:1.0", 1);
    let (report, _) = env.audit_at(&failed.endpoint, &[]);
    assert_eq!(env.told(&report), CRITICAL, "{report:#}");
}

fn a_family_that_would_start_the_application(kind: Kind) {
    let mut world = migrated("example.com/web:1.0", "main");
    world.patch(json!({"task_definitions": {"shop-migrate": [{
        "tags": {"holdfast:workload": "shop", "holdfast:role": "migration"},
        "containers": {"migrate": {"image": "example.com/web:1.0", "secrets": {"DATABASE_URL": "{{secret:shop-url}}"}}},
    }]}}));
    let env = staged(kind, &world);
    let well = ended(&env, "example.com/web:1.0", 0);
    let (report, _) = env.audit_at(&well.endpoint, &[]);
    assert_eq!(
        env.told(&report),
        ["fail high shop migration-drift shop-migrate:1"],
        "{report:#}"
    );
    let message = text(&report["findings"][0]["message"]);
    assert!(
        message.contains("would start the application of main/shop"),
        "{message}"
    );
}
