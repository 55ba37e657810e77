//! `run`: the operator, fed by sweeps and by a queue.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::on_both;
use crate::test_env::{Kind, TestEnv};
use crate::world::World;

on_both!(
    corrects_at_an_event_and_stops_cleanly,
    audits_without_hands,
    leaves_the_untagged_alone,
    keeps_to_its_budget,
    waits_while_paused,
    gives_up_a_fight_and_names_the_other_side,
);

/// Past it, something hangs.
const DEADLINE: Duration = Duration::from_mins(1);

/// Arguments of an operator on a free port, whose log [`Operator`] can read.
pub const RUN: &[&str] = &["--log-format", "json", "run", "--listen", "127.0.0.1:0"];

/// A running operator; killed when dropped.
pub struct Operator {
    child: Child,
    address: String,
    /// What it logged, gathered by a thread.
    pub log: std::sync::Arc<std::sync::Mutex<String>>,
}

impl Operator {
    pub fn start(env: &TestEnv, arguments: &[&str]) -> Self {
        Self::start_at(&env.endpoint, env, arguments)
    }

    /// The same through a gateway.
    pub fn start_at(endpoint: &str, env: &TestEnv, arguments: &[&str]) -> Self {
        let operator = Self::launch(env.command(endpoint, &[RUN, arguments].concat()));
        operator.until("ready", || operator.get("/readyz").0 == 200);
        operator
    }

    /// Starts a command that ends in [`RUN`], and returns as soon as it listens.
    pub fn launch(mut command: std::process::Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let log = std::sync::Arc::<std::sync::Mutex<String>>::default();
        let mut address = None;
        for line in lines.by_ref().map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            if let Some(found) = line["address"].as_str() {
                address = Some(found.to_owned());
                break;
            }
        }
        let sink = std::sync::Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = sink.lock().expect("log");
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self {
            child,
            address: address.expect("it says where it listens"),
            log,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn logged(&self) -> String {
        self.log.lock().expect("log").clone()
    }

    /// SIGKILL; what it had logged.
    pub fn kill(mut self) -> String {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        self.logged()
    }

    pub fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let end = Instant::now() + DEADLINE;
        while !condition() {
            let log = self.log.lock().expect("log");
            assert!(Instant::now() < end, "still waiting for {what}; it logged:\n{log}");
            drop(log);
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        let Ok(mut stream) = TcpStream::connect(&self.address) else {
            return (0, String::new());
        };
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("answered");
        let code = text.split(' ').nth(1).and_then(|c| c.parse().ok()).unwrap_or_default();
        (code, text)
    }

    /// The sum of all series of a metric whose labels contain all of `labels`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, text) = self.get("/metrics");
        text.lines()
            .filter(|l| l.starts_with(&format!("{name}{{")) || l.starts_with(&format!("{name} ")))
            .filter(|l| labels.iter().all(|label| l.contains(label)))
            .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// SIGTERM; its exit code.
    pub fn stop(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .expect("kill")
                .success()
        );
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code().unwrap_or(-1);
            }
            assert!(
                Instant::now() < end,
                "it did not stop: {}",
                self.log.lock().expect("log")
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn world() -> World {
    let mut world = World::new();
    world.stack("shop", json!({}));
    world.stack("stray", json!({"tags": {}}));
    world.patch(json!({"queues": {"signals": {}}}));
    world
}

pub fn configure(env: &mut TestEnv, more: &str) {
    let queue = env.id("queues", "signals");
    env.configure(&format!(
        "events: {{queue_url: \"{queue}\"}}\nsweep: {{interval: 1h}}\n{more}\n"
    ));
}

pub fn send(env: &mut TestEnv, body: &str) {
    let queue = env.id("queues", "signals");
    env.call("sqs", "send_message", json!({"QueueUrl": queue, "MessageBody": body}));
}

/// Who opens what Holdfast closes.
const TERRAFORM: &str = "arn:aws:sts::123456789012:assumed-role/terraform/apply";

/// As CloudTrail tells of it, just now.
#[allow(
    clippy::disallowed_methods,
    reason = "the operator that hears of it runs on the same clock"
)]
pub fn modified(id: &str) -> String {
    let now = jiff::Timestamp::now().to_string();
    json!({
        "version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602", "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.rds", "account": "123456789012", "time": now, "region": "us-east-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.11", "eventSource": "rds.amazonaws.com", "eventName": "ModifyDBInstance",
            "awsRegion": "us-east-1", "recipientAccountId": "123456789012", "eventType": "AwsApiCall",
            "userIdentity": {"type": "AssumedRole", "arn": TERRAFORM},
            "requestParameters": {"dBInstanceIdentifier": id, "publiclyAccessible": true},
            "responseElements": {"dBInstanceIdentifier": id},
        },
    })
    .to_string()
}

pub fn open(env: &mut TestEnv, id: &str) {
    let change = json!({"DBInstanceIdentifier": id, "PubliclyAccessible": true, "ApplyImmediately": true});
    env.call("rds", "modify_db_instance", change);
}

pub fn is_open(env: &mut TestEnv, id: &str) -> bool {
    let answer = env.call("rds", "describe_db_instances", json!({"DBInstanceIdentifier": id}));
    answer["DBInstances"][0]["PubliclyAccessible"] == json!(true)
}

fn corrects_at_an_event_and_stops_cleanly(kind: Kind) {
    let mut env = TestEnv::new(kind, &world());
    configure(&mut env, "mode: enforce");
    let operator = Operator::start(&env, &[]);
    open(&mut env, "shop-db");
    for _ in 0..3 {
        send(&mut env, &modified("shop-db"));
    }
    operator.until("the correction", || !is_open(&mut env, "shop-db"));
    let verified = ["rule=\"rds-public-access\"", "outcome=\"verified\""];
    operator.until("its proof", || {
        operator.metric("holdfast_actions_total", &verified) >= 1.0
    });
    assert!(
        (operator.metric("holdfast_actions_total", &verified) - 1.0).abs() < f64::EPSILON,
        "once, not thrice"
    );
    // A message that is no event is counted and stays; its content reaches no log.
    send(&mut env, "{\"canary\": \"KanarienvogelWert\"");
    operator.until("the malformed one", || {
        operator.metric("holdfast_events_received_total", &["result=\"malformed\""]) >= 1.0
    });
    let handled = ["result=\"queued\""];
    operator.until("the others", || {
        operator.metric("holdfast_events_received_total", &handled) >= 3.0
    });
    let queue = env.id("queues", "signals");
    let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
    operator.until("an empty queue but for that one", || {
        let answer = env.call(
            "sqs",
            "get_queue_attributes",
            json!({"QueueUrl": queue, "AttributeNames": names}),
        );
        let count = |name: &str| {
            answer["Attributes"][name]
                .as_str()
                .and_then(|n| n.parse::<u32>().ok())
                .unwrap_or(9)
        };
        names.iter().map(|n| count(n)).sum::<u32>() == 1
    });
    assert!(!operator.log.lock().expect("log").contains("KanarienvogelWert"));
    let (code, findings) = operator.get("/api/v1/findings");
    assert!(code == 200 && findings.contains("\"findings\":[]"), "{findings}");
    assert!(operator.get("/api/v1/actions").1.contains("verified"));
    assert_eq!(operator.stop(), 0);
}

fn audits_without_hands(kind: Kind) {
    let mut env = TestEnv::new(kind, &world());
    configure(&mut env, "mode: enforce");
    open(&mut env, "shop-db");
    let operator = Operator::start(&env, &["--mode", "audit"]);
    let open_findings = ["rule=\"rds-public-access\"", "workload=\"shop\"", "verdict=\"fail\""];
    assert!((operator.metric("holdfast_findings", &open_findings) - 1.0).abs() < f64::EPSILON);
    send(&mut env, &modified("shop-db"));
    operator.until("the event", || {
        operator.metric("holdfast_reconcile_total", &["result=\"ok\""]) >= 2.0
    });
    assert!(is_open(&mut env, "shop-db"), "audit has no hands");
    assert!(
        operator.get("/api/v1/plan").1.contains("ModifyDBInstance"),
        "but says what they would do"
    );
    assert_eq!(operator.stop(), 0);
}

fn leaves_the_untagged_alone(kind: Kind) {
    let mut env = TestEnv::new(kind, &world());
    configure(&mut env, "mode: enforce");
    open(&mut env, "stray-db");
    let operator = Operator::start(&env, &[]);
    send(&mut env, &modified("stray-db"));
    operator.until("the event", || {
        operator.metric("holdfast_reconcile_total", &["result=\"ok\""]) >= 2.0
    });
    assert!(is_open(&mut env, "stray-db"));
    assert_eq!(operator.stop(), 0);
}

fn keeps_to_its_budget(kind: Kind) {
    let mut world = world();
    world.stack("till", json!({}));
    let mut env = TestEnv::new(kind, &world);
    configure(&mut env, "mode: enforce\nsafety: {max_actions_per_sweep: 1}");
    open(&mut env, "shop-db");
    open(&mut env, "till-db");
    let operator = Operator::start(&env, &[]);
    let of = |outcome: &str| operator.metric("holdfast_actions_total", &[&format!("outcome=\"{outcome}\"")]);
    operator.until("one of two", || of("verified") >= 1.0 && of("refused") >= 1.0);
    assert_eq!(
        [is_open(&mut env, "shop-db"), is_open(&mut env, "till-db")]
            .iter()
            .filter(|o| **o)
            .count(),
        1
    );
    operator.until("the reason", || {
        operator
            .get("/api/v1/plan")
            .1
            .contains("safety.max_actions_per_sweep is 1")
    });
    assert_eq!(operator.stop(), 0);
}

fn waits_while_paused(kind: Kind) {
    let mut env = TestEnv::new(kind, &world());
    configure(
        &mut env,
        "mode: enforce\nsafety: {cooldown: 0s, pause: {ssm_parameter: /holdfast/pause}}",
    );
    open(&mut env, "shop-db");
    // The parameter is not there: a switch that can't be read is pulled.
    let operator = Operator::start(&env, &[]);
    operator.until("the pause", || operator.metric("holdfast_paused", &[]) >= 1.0);
    assert!(is_open(&mut env, "shop-db"));
    env.call(
        "ssm",
        "put_parameter",
        json!({"Name": "/holdfast/pause", "Value": "false", "Type": "String"}),
    );
    send(&mut env, &modified("shop-db"));
    operator.until("the correction", || !is_open(&mut env, "shop-db"));
    operator.until("the end of the pause", || operator.metric("holdfast_paused", &[]) < 1.0);
    assert_eq!(operator.stop(), 0);
}

fn gives_up_a_fight_and_names_the_other_side(kind: Kind) {
    let mut env = TestEnv::new(kind, &world());
    env.about(&["rds-public-access", "correction-reverted"]);
    configure(
        &mut env,
        "mode: enforce\nsafety: {cooldown: 0s, fight_threshold: 2, fight_window: 24h}",
    );
    let operator = Operator::start(&env, &[]);
    let verified = ["rule=\"rds-public-access\"", "outcome=\"verified\""];
    for round in 1..=2 {
        open(&mut env, "shop-db");
        send(&mut env, &modified("shop-db"));
        operator.until("a correction", || {
            operator.metric("holdfast_actions_total", &verified) >= f64::from(round)
        });
    }
    open(&mut env, "shop-db");
    send(&mut env, &modified("shop-db"));
    let fight = ["rule=\"correction-reverted\"", "verdict=\"fail\""];
    operator.until("the fight", || operator.metric("holdfast_findings", &fight) >= 1.0);
    assert!(is_open(&mut env, "shop-db"), "it has stopped correcting");
    let (_, findings) = operator.get("/api/v1/findings");
    assert!(
        findings.contains("rds-public-access"),
        "and goes on reporting: {findings}"
    );
    assert!(findings.contains("undone 2 times"), "{findings}");
    assert!(findings.contains(TERRAFORM), "and names who did it: {findings}");
    assert!(operator.get("/api/v1/plan").1.contains("given up"));
    assert_eq!(operator.stop(), 0);
}
