//! What the cases share in which something breaks while `run` works: a log of what was changed, faults that begin and
//! end, moments drawn from a seed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::operator::{Operator, RUN};
use crate::test_env::{Answer, Gateway, Kind, TestEnv, list, python, text};

/// Numbers drawn from `HOLDFAST_SEED`, or from a seed of this moment; printed, so that a failure can be had again.
pub fn seeded(case: &str) -> fastrand::Rng {
    let seed = std::env::var("HOLDFAST_SEED").ok().and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("{case}: HOLDFAST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Waits until `done`, and panics with what `told` says past the deadline.
pub fn until(what: &str, deadline: Duration, mut done: impl FnMut() -> bool, told: impl Fn() -> String) {
    let end = Instant::now() + deadline;
    while !done() {
        assert!(Instant::now() < end, "{what}: not within {deadline:?}\n{}", told());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// The same case on both emulators side by side: most of it is waiting.
pub fn on_both_at_once(case: fn(Kind)) {
    std::thread::scope(|scope| {
        scope.spawn(|| case(Kind::Ministack));
        scope.spawn(|| case(Kind::Moto));
    });
}

/// Lets time pass: moments that a case draws.
pub fn pass(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|l| !l.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// One request without the SDK, to what stands before an emulator.
pub fn http(endpoint: &str, method: &str, path: &str, body: &str) -> String {
    let address = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .expect("sent");
    let (mut head, mut lines) = (0, BufReader::new(stream));
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).expect("a header");
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            head = length.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut answer = vec![0; head];
    lines.read_exact(&mut answer).expect("a body");
    String::from_utf8(answer).expect("text")
}

/// A call that changed something, or was to.
#[derive(Debug, Clone)]
pub struct Made {
    /// When it arrived, Unix time.
    pub at: f64,
    /// `service:Operation`.
    pub call: String,
    /// Of what: `shop-db PubliclyAccessible=false`.
    pub what: String,
    /// 200, or how it was refused.
    pub status: i64,
    pub account: String,
    pub region: String,
}

impl Gateway {
    /// Breaks something, or mends it: emulators/gateway.py tells how.
    pub fn set(&self, faults: Value) {
        http(&self.endpoint, "POST", "/_gateway/set", &faults.to_string());
    }

    /// Answers that it keeps back.
    pub fn held(&self) -> u64 {
        let stats = http(&self.endpoint, "GET", "/_gateway/stats", "");
        serde_json::from_str::<Value>(&stats).expect("stats")["held"]
            .as_u64()
            .expect("a number")
    }

    /// Its log so far.
    pub fn entries(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(&self.log).expect("the log");
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
    }

    /// Corrections that reached it and went through, in order.
    pub fn made(&self) -> Vec<Made> {
        let entries = self.entries();
        let changes = entries.iter().filter(|e| CHANGES.contains(&name(e).as_str()));
        changes
            .filter(|e| e["outcome"] == "passed")
            .map(|e| Made {
                at: e["t"].as_f64().expect("an instant"),
                call: name(e),
                what: what(&name(e), &text(&e["request"])),
                status: e["status"].as_i64().expect("a status"),
                account: text(&e["account"]),
                region: text(&e["region"]),
            })
            .collect()
    }

    /// Calls that arrived, whatever became of them.
    pub fn count(&self, call: &str) -> usize {
        self.entries().iter().filter(|e| name(e) == call).count()
    }
}

/// The calls that corrections of these cases are made of. Their requests are logged.
pub const CHANGES: &[&str] = &[
    "rds:ModifyDBInstance",
    "ec2:RevokeSecurityGroupIngress",
    "ecs:RegisterTaskDefinition",
    "ecs:UpdateService",
];

fn name(entry: &Value) -> String {
    format!("{}:{}", text(&entry["service"]), text(&entry["operation"]))
}

/// What a request asks for, briefly.
fn what(call: &str, request: &str) -> String {
    let form: BTreeMap<&str, &str> = request.split('&').filter_map(|f| f.split_once('=')).collect();
    let field = |name: &str| form.get(name).copied().unwrap_or_default();
    let json: Value = serde_json::from_str(request).unwrap_or_default();
    match call {
        "rds:ModifyDBInstance" => {
            let change = ["PubliclyAccessible", "BackupRetentionPeriod"];
            let change = change.iter().find(|c| form.contains_key(*c)).copied().unwrap_or("?");
            format!("{} {change}={}", field("DBInstanceIdentifier"), field(change))
        }
        "ec2:RevokeSecurityGroupIngress" => field("SecurityGroupRuleId.1").to_owned(),
        "ecs:RegisterTaskDefinition" => text(&json["family"]),
        _ => {
            let revision = text(&json["taskDefinition"]);
            format!(
                "{} {}",
                text(&json["service"]),
                revision.rsplit('/').next().unwrap_or_default()
            )
        }
    }
}

/// Asserts that nothing was done twice.
pub fn assert_each_once(made: &[Made]) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for call in made {
        *times.entry(format!("{} {}", call.call, call.what)).or_default() += 1;
    }
    times.retain(|_, n| *n > 1);
    assert!(times.is_empty(), "done more than once: {times:?}\n{made:#?}");
}

/// A gateway that logs what corrections ask for.
pub fn watched(env: &TestEnv, options: &[&str]) -> Gateway {
    let mut all: Vec<&str> = CHANGES.iter().flat_map(|c| ["--requests", c]).collect();
    all.extend(options);
    env.gateway(&all)
}

/// Starts `run` there without waiting until it is ready.
pub fn launch(env: &TestEnv, endpoint: &str) -> Operator {
    Operator::launch(env.command(endpoint, RUN))
}

/// `history --format json`.
pub fn history(env: &TestEnv, endpoint: &str) -> Value {
    let arguments = ["history", "--format", "json", "--limit", "1000"];
    let answer: Answer = crate::test_env::run(env.command(endpoint, &arguments));
    assert_eq!(answer.code, 0, "{answer:?}");
    serde_json::from_str(&answer.stdout).expect("JSON")
}

/// Asserts that every attempt of a history has ended, and that for each change exactly one ended well.
pub fn assert_told(history: &Value, changes: usize) {
    let mut good: BTreeMap<String, usize> = BTreeMap::new();
    for attempt in list(history, "attempts") {
        let (change, outcome) = (text(&attempt["action"]["change"]), text(&attempt["outcome"]));
        assert!(!outcome.is_empty(), "still open: {attempt:#}");
        *good.entry(change).or_default() += usize::from(outcome == "verified");
    }
    assert!(good.values().all(|n| *n == 1), "{good:#?}\n{history:#}");
    assert_eq!(good.len(), changes, "{good:#?}");
}

/// microburst: faults in AWS's own words, between a caller and `upstream`.
pub struct Microburst {
    pub endpoint: String,
    child: Child,
}

impl Microburst {
    /// With these rules: <https://pypi.org/project/microburst/0.10.0/>. A key that it does not know is ignored, so ask
    /// [`Self::fired`] whether they did anything.
    pub fn start(upstream: &str, rules: &Value) -> Self {
        let probe = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = probe.local_addr().expect("an address").port();
        drop(probe);
        let child = Command::new(python().with_file_name("microburst"))
            .args([
                "--upstream",
                upstream,
                "--host",
                "127.0.0.1",
                "--port",
                &port.to_string(),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("microburst starts");
        let this = Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            child,
        };
        let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        until("microburst", Duration::from_mins(1), listens, String::new);
        this.rules(rules);
        this
    }

    /// Other rules from now on.
    pub fn rules(&self, rules: &Value) {
        let answer = http(&self.endpoint, "POST", "/_microburst/rules", &rules.to_string());
        assert!(answer.starts_with('['), "{answer}");
    }

    /// `service:Operation action` of each fault so far.
    pub fn fired(&self) -> Vec<String> {
        let answer = http(&self.endpoint, "GET", "/_microburst/fired?limit=10000", "");
        let fired: Value = serde_json::from_str(&answer).expect("JSON");
        let all = fired.as_array().expect("a list").iter();
        all.map(|f| {
            format!(
                "{}:{} {}",
                text(&f["service"]),
                text(&f["operation"]),
                text(&f["action"])
            )
        })
        .collect()
    }
}

impl Drop for Microburst {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What corrections of these cases leave as it is.
pub fn neighbours(env: &mut TestEnv, name: &str) -> Value {
    let state = env.state();
    let group = env.id("security_groups", &format!("{name}-db"));
    let scope = state.as_object().and_then(|s| s.values().next()).expect("a scope");
    json!({
        "db": scope["db_instances"][format!("{name}-db")],
        "group": scope["security_groups"][group],
        "service": scope["services"][format!("main/{name}")]["taskDefinition"],
        "secret": scope["secrets"][format!("{name}-url")],
    })
}
