//! `run` ended by SIGKILL at any moment and started again: everything is corrected, and nothing twice.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::chaos::{
    assert_each_once, assert_told, history, launch, neighbours, on_both_at_once, pass, seeded, until, watched,
};
use crate::operator::Operator;
use crate::quirks::Quirk;
use crate::test_env::{Gateway, Kind, TestEnv, list};
use crate::world::World;

/// Longer than an attempt may be in doubt (30 s), on a busy machine.
const CONVERGES: Duration = Duration::from_secs(100);
const KILLS: usize = 14;

/// Ten stacks with twelve things to correct, and one with all of them that is not tagged.
fn broken(kind: Kind) -> World {
    let mut world = World::new();
    let wide = json!([{"cidr": "0.0.0.0/0"}, {"cidr6": "::/0"}]);
    world
        .stack("open-a", json!({"db": {"public": true}}))
        .stack("open-b", json!({"db": {"public": true}}))
        .stack("both", json!({"db": {"public": true, "retention": 1}}))
        .stack("short", json!({"db": {"retention": 1}}))
        .stack("wide", json!({"ingress": wide}))
        .stack(
            "stray",
            json!({"tags": {}, "db": {"public": true, "retention": 1}, "ingress": wide, "web": {"secrets": null}}),
        );
    let secretless = [("bare-a", true), ("bare-b", true), ("bare-c", true), ("moved", false)];
    for (name, bare) in secretless {
        // Moto never finishes a rollout.
        let fault = match (Quirk::EcsNeverSteady.on(kind), bare) {
            (true, _) => json!({}),
            (false, true) => json!({"web": {"secrets": null}}),
            (false, false) => json!({"web": {"secrets": {"DATABASE_URL": "{{secret:moved-url}}:url::"}}}),
        };
        world.stack(name, fault);
    }
    world.stack("sound", json!({}));
    world
}

/// How many changes mend it.
fn changes(kind: Kind) -> usize {
    if Quirk::EcsNeverSteady.on(kind) { 7 } else { 11 }
}

const SAFETY: &str = "mode: enforce\nsafety: {cooldown: 1s, max_failing_percent: 100, max_actions_per_sweep: 4}\n\
                      sweep: {interval: 2s, jitter: 0%}\n";

/// Waits until nothing is wrong any more, stops it, and looks at all that was done.
fn converges(kind: Kind, env: &mut TestEnv, gateway: &Gateway, operator: Operator, before: &serde_json::Value) {
    let clean = || operator.get("/readyz").0 == 200 && operator.get("/api/v1/findings").1.contains("\"findings\":[]");
    until("convergence", CONVERGES, clean, || {
        format!("{}\n{:#?}", operator.logged(), gateway.made())
    });
    let settled = || {
        list(&history(env, &env.endpoint), "attempts")
            .iter()
            .all(|a| !a["outcome"].is_null())
    };
    until("the end of every attempt", CONVERGES, settled, || operator.logged());
    assert_eq!(operator.stop(), 0);
    let made = gateway.made();
    assert_each_once(&made);
    let of = |call: &str| made.iter().filter(|m| m.call == call && m.status == 200).count();
    assert_eq!(of("rds:ModifyDBInstance"), 5, "{made:#?}");
    assert_eq!(of("ec2:RevokeSecurityGroupIngress"), 2, "{made:#?}");
    let rollouts = changes(kind) - 7;
    assert_eq!(
        [of("ecs:RegisterTaskDefinition"), of("ecs:UpdateService")],
        [rollouts; 2],
        "{made:#?}"
    );
    assert_told(&history(env, &env.endpoint), changes(kind));
    assert_eq!(neighbours(env, "stray"), *before, "the untagged are as they were");
    for (name, service) in env.state()["us-east-1"]["services"].as_object().expect("services") {
        let deployments = list(service, "deployments").len();
        assert!(
            Quirk::EcsNeverSteady.on(kind) || deployments == 1,
            "{name}: {service:#}"
        );
    }
}

#[test]
fn killed_at_any_moment_it_goes_on_where_it_was() {
    let kind = Kind::Ministack;
    let mut random = seeded("kills");
    let mut env = TestEnv::new(kind, &broken(kind));
    env.configure(SAFETY);
    let before = neighbours(&mut env, "stray");
    // Calls take long enough for a kill to fall between any two of them.
    let gateway = watched(&env, &["--latency-ms", "10"]);
    for round in 0..KILLS {
        let operator = launch(&env, &gateway.endpoint);
        let so_far = gateway.made().len();
        if random.bool() {
            pass(Duration::from_millis(random.u64(0..1_500)));
        } else {
            // Right after the next correction, or in the midst of the one after it.
            let end = Instant::now() + Duration::from_secs(3);
            while gateway.made().len() == so_far && Instant::now() < end {
                pass(Duration::from_millis(2));
            }
            pass(Duration::from_millis(random.u64(0..60)));
        }
        operator.kill();
        eprintln!("kill {round}: {} of {} changes made", gateway.made().len(), 15);
    }
    let operator = launch(&env, &gateway.endpoint);
    converges(kind, &mut env, &gateway, operator, &before);
}

/// The worst moment: AWS has carried out the call, and nobody has read its answer.
fn unanswered(kind: Kind) {
    let mut env = TestEnv::new(kind, &broken(kind));
    env.configure(&SAFETY.replace("max_actions_per_sweep: 4", "max_actions_per_sweep: 100"));
    let before = neighbours(&mut env, "stray");
    let gateway = watched(&env, &[]);
    let rollouts = changes(kind) - 7;
    // A workload's second correction waits for its first: `both` and `wide` have two.
    let mut rounds = vec![(json!(["rds:Modify*", "ec2:Revoke*", "ecs:Register*"]), 5 + rollouts)];
    rounds.push((json!(["rds:Modify*", "ec2:Revoke*", "ecs:UpdateService"]), 2 + rollouts));
    for (held, count) in rounds {
        gateway.set(json!({"hold": held}));
        let operator = launch(&env, &gateway.endpoint);
        let all = || gateway.held() == count as u64;
        until("held answers", Duration::from_mins(1), all, || {
            format!("{} held\n{}", gateway.held(), operator.logged())
        });
        operator.kill();
        gateway.set(json!({"hold": []}));
    }
    let operator = launch(&env, &gateway.endpoint);
    converges(kind, &mut env, &gateway, operator, &before);
}

#[test]
fn killed_before_it_reads_the_answer() {
    on_both_at_once(unanswered);
}

/// `apply` dies in the midst of a rollout; `run` takes it further without a second revision.
#[test]
fn what_apply_left_run_finishes() {
    let mut world = World::new();
    world
        .stack("bare-a", json!({"web": {"secrets": null}}))
        .stack("sound", json!({}))
        .stack("bare-b", json!({"web": {"secrets": null}}));
    let mut env = TestEnv::new(Kind::Ministack, &world);
    env.configure(SAFETY);
    let gateway = watched(&env, &[]);
    for (workload, held) in [
        ("bare-a", "ecs:RegisterTaskDefinition"),
        ("bare-b", "ecs:UpdateService"),
    ] {
        gateway.set(json!({"hold": [held]}));
        let arguments = ["apply", "--yes", "--workload", workload];
        let mut apply = env.command(&gateway.endpoint, &arguments);
        let quiet = std::process::Stdio::null;
        let mut apply = apply
            .stdin(quiet())
            .stdout(quiet())
            .stderr(quiet())
            .spawn()
            .expect("apply");
        until(
            "a held answer",
            Duration::from_mins(1),
            || gateway.held() == 1,
            String::new,
        );
        apply.kill().expect("killed");
        apply.wait().expect("ended");
        gateway.set(json!({"hold": []}));
    }
    let open = |env: &TestEnv| {
        let told = history(env, &env.endpoint);
        list(&told, "attempts")
            .iter()
            .filter(|a| a["outcome"].is_null())
            .count()
    };
    assert_eq!(open(&env), 2);
    let operator = launch(&env, &gateway.endpoint);
    let done = || open(&env) == 0;
    until("the end of both", CONVERGES, done, || operator.logged());
    let clean = || operator.get("/api/v1/findings").1.contains("\"findings\":[]");
    until("nothing left to correct", CONVERGES, clean, || operator.logged());
    assert_eq!(operator.stop(), 0);
    let made = gateway.made();
    assert_each_once(&made);
    assert_eq!(made.len(), 4, "{made:#?}");
    assert_told(&history(&env, &env.endpoint), 2);
    for name in ["bare-a", "bare-b"] {
        let services = env.state()["us-east-1"]["services"].clone();
        let runs = crate::test_env::text(&services[format!("main/{name}")]["taskDefinition"]);
        assert!(runs.ends_with(&format!("{name}:2")), "{runs}");
    }
}
