//! Many events at once, and events under load.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::chaos::{Made, assert_each_once, launch, seeded, until, watched};
use crate::operator::{Operator, configure, is_open, modified, open};
use crate::test_env::{Gateway, Kind, TestEnv};
use crate::world::World;

const MESSAGES: usize = 10_000;
/// Of ten messages, nine say what another one says too.
const DIFFERENT: usize = MESSAGES / 10;
const STACKS: usize = 30;
/// Resident, of a debug build; a release build takes less.
const MEMORY_MB: u64 = 200;

/// A sample of crates/core/tests/events as it would be told of this stack.
fn sample(name: &str, stack: &str) -> String {
    let path = format!("{}/crates/core/tests/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("a sample");
    let text = text
        .replace("us-west-2", "us-east-1")
        .replace("stacktracker-migration-db", &format!("{stack}-db"));
    text.replace("111122223333", "123456789012")
        .replace("servicetest", stack)
}

/// A field of /proc/PID/status in MB.
fn memory(operator: &Operator, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", operator.pid())).expect("a process");
    let line = status.lines().find(|l| l.starts_with(field)).expect("the field");
    line.split_whitespace()
        .nth(1)
        .and_then(|n| n.parse::<u64>().ok())
        .expect("a number")
        / 1024
}

fn left(env: &mut TestEnv, queue: &str) -> usize {
    let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
    let answer = env.call(
        "sqs",
        "get_queue_attributes",
        json!({"QueueUrl": queue, "AttributeNames": names}),
    );
    let count = |name: &str| {
        answer["Attributes"][name]
            .as_str()
            .and_then(|n| n.parse::<usize>().ok())
    };
    names.iter().map(|n| count(n).expect("a count")).sum()
}

fn closings(gateway: &Gateway) -> Vec<Made> {
    gateway
        .made()
        .into_iter()
        .filter(|m| m.what.ends_with("PubliclyAccessible=false"))
        .collect()
}

#[test]
fn ten_thousand_events() {
    let mut random = seeded("event_burst");
    let mut world = World::new();
    let name = |i: usize| format!("shop-{i:02}");
    for i in 0..STACKS {
        world.stack(&name(i), json!({}));
    }
    world.patch(json!({"queues": {"signals": {}}}));
    let mut env = TestEnv::new(Kind::Ministack, &world);
    configure(&mut env, "mode: enforce\nsafety: {max_failing_percent: 100}");
    let queue = env.id("queues", "signals");
    // Of what is there, of what is not, of what is no one's business, and of other accounts.
    let mut bodies: Vec<String> = (0..DIFFERENT)
        .map(|i| match i % 5 {
            0 => modified(&format!("{}-db", name(i % STACKS))),
            1 => sample("rds-db-instance", &name(i % STACKS)),
            2 => sample("ecs-service-action", &name(i % STACKS)),
            3 => modified(&format!("nobody-{}", i % 50)),
            _ => sample("rds-db-instance", &name(i % STACKS)).replace("123456789012", "999999999999"),
        })
        .enumerate()
        .map(|(i, body)| {
            body.replace(
                "7bf73129-1428-4cd3-a780-95db273d1602",
                &format!("7bf73129-1428-4cd3-a780-{i:012}"),
            )
        })
        .flat_map(|body| std::iter::repeat_n(body, MESSAGES / DIFFERENT))
        .collect();
    random.shuffle(&mut bodies);
    let mut opened: Vec<String> = vec![];
    let gateway = watched(&env, &[]);
    let operator = Operator::start_at(&gateway.endpoint, &env, &[]);
    let before = memory(&operator, "VmRSS");
    let started = Instant::now();
    for (n, batch) in bodies.chunks(10).enumerate() {
        if [100, 400, 800].contains(&n) {
            let id = format!("{}-db", name(opened.len() * 10));
            open(&mut env, &id);
            opened.push(id.clone());
            env.call(
                "sqs",
                "send_message",
                json!({"QueueUrl": queue, "MessageBody": modified(&id)}),
            );
        }
        let entry = |(i, body): (usize, &String)| json!({"Id": i.to_string(), "MessageBody": body});
        let entries: Vec<_> = batch.iter().enumerate().map(entry).collect();
        env.call(
            "sqs",
            "send_message_batch",
            json!({"QueueUrl": queue, "Entries": entries}),
        );
    }
    let sent = started.elapsed();
    let last = operator.metric("holdfast_events_received_total", &[]);
    until(
        "an empty queue",
        Duration::from_secs(90),
        || left(&mut env, &queue) == 0,
        || operator.logged(),
    );
    let drained = started.elapsed();
    for id in &opened {
        until(
            "closed",
            Duration::from_secs(20),
            || !is_open(&mut env, id),
            || operator.logged(),
        );
    }
    let received = operator.metric("holdfast_events_received_total", &[]);
    let looks = operator.metric("holdfast_reconcile_total", &[]);
    let (peak, after) = (memory(&operator, "VmHWM"), memory(&operator, "VmRSS"));
    eprintln!(
        "figures: {received} messages ({last} while they were sent) in {:.1} s, sent in {:.1} s: {:.0} a second; {looks} look-ups; \
         resident {before} MB before, {peak} MB at most, {after} MB after",
        drained.as_secs_f64(),
        sent.as_secs_f64(),
        received / drained.as_secs_f64(),
    );
    let made = closings(&gateway);
    assert_each_once(&gateway.made());
    assert_eq!(made.len(), opened.len(), "{made:#?}");
    assert!(received >= 10_003.0, "{received}");
    assert!(
        looks < received / 5.0,
        "duplicates are merged: {looks} look-ups for {received} messages"
    );
    assert!(peak < MEMORY_MB, "{peak} MB resident");
    assert_eq!(operator.stop(), 0);
}

/// From an event that is sent to the call that corrects, while sweeps follow each other without a pause.
#[test]
#[allow(clippy::disallowed_methods, reason = "the gateway logs by the wall clock")]
fn events_are_not_held_up_by_sweeps() {
    const MANY: usize = 200;
    const ROUNDS: usize = 7;
    let mut world = World::new();
    for i in 0..MANY {
        world.stack(&format!("shop-{i:03}"), json!({}));
    }
    world.patch(json!({"queues": {"signals": {}}}));
    let mut env = TestEnv::new(Kind::Ministack, &world);
    configure(&mut env, "mode: enforce\nsafety: {max_actions_per_sweep: 100}");
    let queue = env.id("queues", "signals");
    let text = std::fs::read_to_string(env.dir.path().join("holdfast.yaml")).expect("a configuration");
    std::fs::write(
        env.dir.path().join("holdfast.yaml"),
        text.replace("interval: 1h", "interval: 1s, jitter: 0%"),
    )
    .expect("written");
    let gateway = watched(&env, &[]);
    let operator = launch(&env, &gateway.endpoint);
    let ready = || operator.get("/readyz").0 == 200;
    until("ready", Duration::from_mins(1), ready, || operator.logged());
    let mut latencies: Vec<f64> = vec![];
    for round in 0..ROUNDS {
        let id = format!("shop-{:03}-db", round * 17);
        open(&mut env, &id);
        let sent = jiff::Timestamp::now().as_nanosecond();
        env.call(
            "sqs",
            "send_message",
            json!({"QueueUrl": queue, "MessageBody": modified(&id)}),
        );
        let closed = || closings(&gateway).into_iter().find(|m| m.what.starts_with(&id));
        until(
            "closed",
            Duration::from_secs(30),
            || closed().is_some(),
            || operator.logged(),
        );
        #[allow(clippy::cast_precision_loss, reason = "microseconds are enough")]
        latencies.push(closed().expect("closed").at - sent as f64 / 1e9);
    }
    latencies.sort_by(f64::total_cmp);
    let median = latencies[ROUNDS / 2];
    let sweeps = operator.metric("holdfast_sweep_duration_seconds_count", &[]);
    let took = operator.metric("holdfast_sweep_duration_seconds_sum", &[]) / sweeps;
    let lag = operator.metric("holdfast_event_lag_seconds_sum", &[])
        / operator.metric("holdfast_event_lag_seconds_count", &[]);
    eprintln!(
        "figures: from event to call {median:.3} s at the median, {:.3} s at most; event lag {lag:.3} s on average; {sweeps} sweeps of \
         {took:.2} s; resident {} MB at most",
        latencies[ROUNDS - 1],
        memory(&operator, "VmHWM"),
    );
    assert_each_once(&gateway.made());
    // The second without which a dozen events of one change would be a dozen looks, and a debug build on a busy machine.
    assert!(median < 5.0, "{latencies:?}");
    assert_eq!(operator.stop(), 0);
}
