//! What `run` stands on is gone for a while: its queue, its ledger.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::chaos::{assert_each_once, assert_told, history, launch, on_both_at_once, pass, until, watched};
use crate::operator::{Operator, RUN, configure, is_open, modified, open, send};
use crate::test_env::{Gateway, Kind, TestEnv, run};
use crate::world::World;

#[test]
fn sweeps_go_on_without_the_queue() {
    on_both_at_once(no_queue);
}

#[test]
fn nothing_is_done_that_cannot_be_written_down() {
    on_both_at_once(no_ledger);
}

#[test]
fn a_window_and_a_waiver_end_on_the_second() {
    on_both_at_once(timers);
}

const SOON: Duration = Duration::from_secs(45);

fn world() -> World {
    let mut world = World::new();
    world.stack("shop", json!({})).stack("till", json!({}));
    world.patch(json!({"queues": {"signals": {}}}));
    world
}

/// Sweeps so often instead.
fn sweep_each(env: &TestEnv, interval: &str) {
    let path = env.dir.path().join("holdfast.yaml");
    let text = std::fs::read_to_string(&path).expect("a configuration");
    std::fs::write(
        &path,
        text.replace("interval: 1h", &format!("interval: {interval}, jitter: 0%")),
    )
    .expect("written");
}

pub fn create_table(env: &mut TestEnv, name: &str) {
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let attributes = ["pk", "sk"].map(attribute);
    env.call(
        "dynamodb",
        "create_table",
        json!({"TableName": name, "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": attributes,
               "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")]}),
    );
}

fn closings(gateway: &Gateway, id: &str) -> Vec<f64> {
    let made = gateway.made();
    let of = made
        .iter()
        .filter(|m| m.what == format!("{id} PubliclyAccessible=false"));
    of.map(|m| m.at).collect()
}

fn no_queue(kind: Kind) {
    let mut env = TestEnv::new(kind, &world());
    configure(
        &mut env,
        "mode: enforce\nsafety: {max_failing_percent: 100, cooldown: 1s}",
    );
    sweep_each(&env, "2s");
    let gateway = watched(&env, &[]);
    gateway.set(json!({"cut": ["sqs:*"]}));
    let operator = launch(&env, &gateway.endpoint);
    let started = Instant::now();
    until("ready", SOON, || operator.get("/readyz").0 == 200, || operator.logged());
    open(&mut env, "shop-db");
    until(
        "a sweep's correction",
        SOON,
        || !is_open(&mut env, "shop-db"),
        || operator.logged(),
    );
    // Long enough to see whether it spins.
    pass(Duration::from_secs(8).saturating_sub(started.elapsed()));
    let (tried, took) = (gateway.count("sqs:ReceiveMessage"), started.elapsed());
    let warned = operator
        .logged()
        .lines()
        .filter(|l| l.contains("WARN") && l.contains("sqs:ReceiveMessage"))
        .count();
    eprintln!(
        "figures: {tried} tries to receive and {warned} warnings in {:.1} s without a queue",
        took.as_secs_f64()
    );
    assert!(
        tried >= 2 && warned >= 1,
        "{tried} tries, {warned} warnings\n{}",
        operator.logged()
    );
    #[allow(clippy::cast_precision_loss, reason = "small")]
    let rate = tried as f64 / took.as_secs_f64();
    assert!(rate < 6.0, "{tried} tries in {took:?}");
    gateway.set(json!({"cut": []}));
    open(&mut env, "till-db");
    send(&mut env, &modified("till-db"));
    let flows = || operator.metric("holdfast_events_received_total", &["result=\"queued\""]) >= 1.0;
    until("events", SOON, flows, || operator.logged());
    until(
        "the other correction",
        SOON,
        || !is_open(&mut env, "till-db"),
        || operator.logged(),
    );
    assert_each_once(&gateway.made());
    assert_eq!(operator.stop(), 0);
}

fn no_ledger(kind: Kind) {
    let mut env = TestEnv::new(kind, &world());
    create_table(&mut env, "ledger");
    configure(
        &mut env,
        "mode: enforce\nledger: {kind: dynamodb, table: ledger}\nsafety: {max_failing_percent: 100, cooldown: 1s}",
    );
    sweep_each(&env, "3s");
    let gateway = watched(&env, &[]);
    let operator = Operator::start_at(&gateway.endpoint, &env, &[]);
    open(&mut env, "shop-db");
    until(
        "a correction",
        SOON,
        || !is_open(&mut env, "shop-db"),
        || operator.logged(),
    );
    gateway.set(json!({"fail": ["dynamodb:*"]}));
    open(&mut env, "till-db");
    send(&mut env, &modified("till-db"));
    // It says so where one looks: in the plan, and in the log.
    let planned = || operator.get("/api/v1/plan").1;
    let said = || planned().contains("not begun: ") && operator.logged().contains("not begun: ");
    until("the reason", SOON, said, || {
        format!("{}\n{}", planned(), operator.logged())
    });
    assert!(planned().contains("dynamodb:"), "and what failed: {}", planned());
    assert!(is_open(&mut env, "till-db"));
    assert_eq!(closings(&gateway, "till-db").len(), 0);
    gateway.set(json!({"fail": []}));
    until(
        "the correction",
        SOON,
        || !is_open(&mut env, "till-db"),
        || operator.logged(),
    );
    let verified = ["rule=\"rds-public-access\"", "outcome=\"verified\""];
    let proved = || operator.metric("holdfast_actions_total", &verified) >= 2.0;
    until("its proof", SOON, proved, || operator.logged());
    assert_each_once(&gateway.made());
    assert_eq!(operator.stop(), 0);
    assert_told(&history(&env, &env.endpoint), 2);
}

/// A ledger that another process holds is told at once, and left as it is.
#[test]
fn a_locked_ledger_is_refused() {
    let mut env = TestEnv::new(Kind::Ministack, &world());
    configure(&mut env, "mode: enforce");
    assert_eq!(Operator::start(&env, &[]).stop(), 0);
    let lock = rusqlite::Connection::open(env.dir.path().join("holdfast.db")).expect("the ledger");
    lock.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE held (x); DROP TABLE held;")
        .expect("locked");
    let answer = run(env.command(&env.endpoint, RUN));
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(
        answer.stderr.contains("holdfast.db") && answer.stderr.contains("locked"),
        "{answer:?}"
    );
    lock.execute_batch("ROLLBACK").expect("unlocked");
    drop(lock);
    assert_eq!(Operator::start(&env, &[]).stop(), 0);
}

/// Nothing but a timer says when: a sweep an hour, no event.
#[allow(clippy::disallowed_methods, reason = "the gateway logs by the wall clock")]
fn timers(kind: Kind) {
    let mut world = World::new();
    world
        .stack("shop", json!({"db": {"public": true}}))
        .stack("till", json!({"db": {"public": true}}));
    let mut env = TestEnv::new(kind, &world);
    env.configure("mode: enforce\nsweep: {interval: 1h}\nsafety: {max_failing_percent: 100}");
    let in_seconds = |seconds: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        at.round(jiff::Unit::Second).expect("an instant")
    };
    let (window, waiver) = (in_seconds(18), in_seconds(20));
    let tag = |env: &mut TestEnv, id: &str, tags: serde_json::Value| {
        let arn = format!("arn:aws:rds:us-east-1:123456789012:db:{id}");
        env.call(
            "rds",
            "add_tags_to_resource",
            json!({"ResourceName": arn, "Tags": tags}),
        );
    };
    let one = |key: &str, value: String| json!({"Key": format!("holdfast:{key}"), "Value": value});
    let migrating = [
        one("phase", "migrating".into()),
        one("migration-until", window.to_string()),
    ];
    tag(&mut env, "shop-db", json!(migrating));
    let waived = [
        one("waive", format!("rds-public-access@{waiver}")),
        one("waive-reason", "a test".into()),
    ];
    tag(&mut env, "till-db", json!(waived));
    let gateway = watched(&env, &[]);
    let operator = Operator::start_at(&gateway.endpoint, &env, &[]);
    assert!(
        jiff::Timestamp::now() < window,
        "the machine was too slow to be ready before the window's end"
    );
    for (id, end) in [("shop-db", window), ("till-db", waiver)] {
        let closed = || !closings(&gateway, id).is_empty();
        until("closed", SOON, closed, || operator.logged());
        #[allow(clippy::cast_precision_loss, reason = "seconds since 1970")]
        let late = closings(&gateway, id)[0] - end.as_second() as f64;
        eprintln!("figures: {id} closed {late:.3} s after its end");
        assert!((0.0..1.0).contains(&late), "{id}: {late} s late\n{}", operator.logged());
    }
    assert_each_once(&gateway.made());
    assert_eq!(operator.stop(), 0);
}
