//! One emulator, one world and the real binary, for one test. All of it ends with the test's process.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::link::Link;
use crate::quirks::Quirk;
use crate::world::World;

/// Longer than anything takes on a busy machine; past it, something hangs.
const DEADLINE: Duration = Duration::from_mins(2);

/// Which emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ministack,
    Moto,
}

/// One emulator with a world.
pub struct TestEnv {
    pub kind: Kind,
    pub endpoint: String,
    /// Name → id of everything laid out, by scope.
    pub made: Value,
    pub dir: tempfile::TempDir,
    config: Option<PathBuf>,
    about: Vec<String>,
    link: Link,
}

/// What the binary answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A gateway in front of the emulator: emulators/gateway.py.
pub struct Gateway {
    pub endpoint: String,
    pub log: PathBuf,
    child: Child,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn python() -> PathBuf {
    let venv = std::env::var_os("HOLDFAST_VENV").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache/holdfast/venv"),
        PathBuf::from,
    );
    let python = venv.join("bin/python");
    assert!(
        python.exists(),
        "{} is missing: run emulators/setup.sh",
        python.display()
    );
    python
}

/// The rules that most cases are about; those of the rest are named by the family of rules: `rds_*`, `secrets_*`, `ecs_*`.
pub const CORE: &[&str] = &[
    "rds-public-access",
    "rds-open-ingress",
    "rds-short-backup-retention",
    "rds-migration-overdue",
    "secret-malformed-url",
    "secret-wrong-database",
    "ecs-missing-database-secret",
    "ecs-ephemeral-storage",
    "ecs-secret-reference-mismatch",
    "waiver-invalid",
];

/// Those about databases that are on by default and not in [`CORE`]: a case about one names every one that speaks, so
/// that another which speaks out of turn fails it too.
pub const DATABASES: &[&str] = &[
    "rds-public-subnet",
    "rds-unreachable-from-service",
    "rds-stale-restore-point",
    "rds-unencrypted-storage",
    "rds-deletion-unprotected",
    "rds-storage-ceiling",
    "rds-unenforced-tls",
    "rds-no-minor-upgrades",
    "rds-expiring-certificate",
    "rds-unavailable",
    "rds-abandoned",
];

/// What is said of the workloads of these worlds: their data is in PostgreSQL, by a URL in one of these variables.
const DEFAULTS: &str = "datastore: postgres, secret_env: [DATABASE_URL, CODER_PG_CONNECTION_URL, CODER_POSTGRES_URL], \
                        data_paths: [/home/coder/.config/coderv2]";

impl TestEnv {
    /// Starts an emulator and lays `world` out on it.
    pub fn new(kind: Kind, world: &World) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut env = Self {
            kind,
            endpoint: String::new(),
            made: Value::Null,
            dir,
            config: None,
            about: vec![],
            link: Link::open(match kind {
                Kind::Ministack => "ministack",
                Kind::Moto => "moto",
            }),
        };
        let hello = env.link.receive();
        hello["endpoint"]
            .as_str()
            .expect("an endpoint")
            .clone_into(&mut env.endpoint);
        env.made = env.ask(&json!({"lay_out": world.declared()}));
        env.about(CORE);
        env
    }

    /// Evaluates by these rules alone from now on, those that are off by default included.
    pub fn about(&mut self, rules: &[&str]) {
        self.about = rules.iter().map(|r| (*r).to_owned()).collect();
        if self.kind == Kind::Moto {
            assert!(Quirk::NoServiceDeployments.on(self.kind));
            // It would be unknown everywhere. Its own cases answer the call for the emulator.
            self.about.retain(|rule| rule != "ecs-failed-deployment");
        }
        self.configure("");
    }

    /// Evaluates by every rule that is on by default.
    pub fn about_all(&mut self) {
        let on = holdfast_core::rules::REGISTRY
            .iter()
            .map(|r| r.meta())
            .filter(|m| m.enabled);
        self.about(&on.map(|m| m.id).collect::<Vec<_>>());
    }

    fn ask(&mut self, command: &Value) -> Value {
        self.link.send(command);
        let answer = self.link.receive();
        assert!(answer.get("error").is_none(), "{}", answer["error"]);
        answer
    }

    /// One AWS call in the first scope.
    pub fn call(&mut self, service: &str, operation: &str, parameters: Value) -> Value {
        self.ask(&json!({"call": [null, service, operation, parameters]}))
    }

    /// One AWS call in the scope of that name.
    pub fn call_in(&mut self, scope: &str, service: &str, operation: &str, parameters: Value) -> Value {
        self.ask(&json!({"call": [scope, service, operation, parameters]}))
    }

    /// Everything there is: scope → kind → id → description.
    pub fn state(&mut self) -> Value {
        self.ask(&json!({"state": null}))
    }

    /// Runs from now on with this configuration, and evaluates by the rules of [`Self::about`] alone, but for what it
    /// says of single ones.
    pub fn configure(&mut self, yaml: &str) {
        let path = self.dir.path().join("holdfast.yaml");
        let others = holdfast_core::rules::ids().into_iter().filter(|id| !yaml.contains(id));
        let on = |id: &str| self.about.iter().any(|r| r == id);
        let others: String = others.map(|id| format!("{id}: {{enabled: {}}}, ", on(id))).collect();
        let mut text = yaml.replacen("rules: {", &format!("rules: {{{others}"), 1);
        if !yaml.contains("defaults:") {
            text = format!("{text}\ndefaults: {{{DEFAULTS}}}\n");
        } else if !yaml.contains("datastore:") {
            text = text.replacen("defaults: {", &format!("defaults: {{{DEFAULTS}, "), 1);
        }
        if !yaml.contains("rules:") {
            text = format!("{text}\nrules: {{{others}}}\n");
        }
        std::fs::write(&path, text).expect("written");
        self.config = Some(path);
    }

    /// The id of something laid out in the first scope.
    pub fn id(&self, kind: &str, name: &str) -> String {
        let scope = self.made.as_object().and_then(|m| m.values().next()).expect("a scope");
        scope[kind][name]
            .as_str()
            .unwrap_or_else(|| panic!("no {kind} {name}"))
            .to_owned()
    }

    /// The binary, to be run against `endpoint` with credentials that are good there.
    pub fn command(&self, endpoint: &str, arguments: &[&str]) -> Command {
        let mut command = binary();
        // Its ledger lies where it runs.
        command.current_dir(self.dir.path());
        command.args(["--endpoint-url", endpoint]).args(arguments);
        command.envs([
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "us-east-1"),
        ]);
        if let Some(path) = &self.config {
            command.arg("--config").arg(path);
        }
        command
    }

    /// Begins an empty ledger.
    pub fn forget(&self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.dir.path().join(format!("holdfast.db{suffix}")));
        }
    }

    /// Runs the binary.
    pub fn holdfast(&self, arguments: &[&str]) -> Answer {
        run(self.command(&self.endpoint, arguments))
    }

    /// `audit --format json`, and its exit code.
    pub fn audit(&self, arguments: &[&str]) -> (Value, i32) {
        self.audit_at(&self.endpoint, arguments)
    }

    /// The same through a gateway.
    pub fn audit_at(&self, endpoint: &str, arguments: &[&str]) -> (Value, i32) {
        let answer = run(self.command(endpoint, &[&["audit", "--format", "json"], arguments].concat()));
        let report = serde_json::from_str(&answer.stdout)
            .unwrap_or_else(|e| panic!("audit: {e}: exit {} {}{}", answer.code, answer.stdout, answer.stderr));
        (report, answer.code)
    }

    /// The findings of a report, one line each: `verdict severity workload rule resource`; groups by name.
    pub fn told(&self, report: &Value) -> Vec<String> {
        let mut lines: Vec<String> = list(report, "findings").iter().map(|f| self.finding(f)).collect();
        lines.sort();
        lines
    }

    /// Those lines that are about one rule.
    pub fn told_by(&self, report: &Value, rule: &str) -> Vec<String> {
        let told = self.told(report).into_iter();
        told.filter(|line| line.split(' ').nth(3) == Some(rule)).collect()
    }

    fn finding(&self, f: &Value) -> String {
        let id = text(&f["resource"]["id"]);
        let id = self.group_names().get(&id).cloned().unwrap_or(id);
        let fields = ["verdict", "severity", "workload", "rule"].map(|k| text(&f[k]));
        format!("{} {id}", fields.join(" "))
    }

    fn group_names(&self) -> BTreeMap<String, String> {
        let scopes = self.made.as_object().expect("scopes").values();
        let groups = scopes.filter_map(|s| s["security_groups"].as_object()).flatten();
        groups.map(|(name, id)| (text(id), name.clone())).collect()
    }

    /// Audits, and asserts that it says exactly `expected`.
    pub fn expect(&self, expected: &[&str]) -> Value {
        let (report, code) = self.audit(&[]);
        let mut wanted: Vec<String> = expected.iter().map(|e| (*e).to_owned()).collect();
        wanted.sort();
        let told = self.told(&report);
        assert_eq!(
            told,
            wanted,
            "{:?}\n{}",
            self.kind,
            serde_json::to_string_pretty(&report["findings"]).unwrap()
        );
        assert_eq!(report["errors"], json!([]));
        let failed = expected.iter().any(|e| e.starts_with("fail"));
        let unknown = expected.iter().any(|e| e.starts_with("unknown"));
        assert_eq!(
            code,
            if failed {
                1
            } else if unknown {
                3
            } else {
                0
            },
            "exit code"
        );
        report
    }

    /// `plan --format json`.
    pub fn plan(&self) -> Value {
        let answer = self.holdfast(&["plan", "--format", "json"]);
        assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
        serde_json::from_str(&answer.stdout).expect("JSON")
    }

    /// `apply --yes`, which must succeed.
    pub fn apply(&self) {
        let answer = self.holdfast(&["apply", "--yes"]);
        assert_eq!(answer.code, 0, "{answer:?}");
    }

    /// Starts a gateway.
    pub fn gateway(&self, options: &[&str]) -> Gateway {
        let log = self.dir.path().join(format!("calls-{}.jsonl", fresh()));
        let mut child = Command::new(python())
            .arg(root().join("emulators/gateway.py"))
            .args(["--upstream", &self.endpoint, "--log"])
            .arg(&log)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("gateway.py starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout"))
            .read_line(&mut line)
            .expect("gateway.py answers");
        let hello: Value = serde_json::from_str(&line).expect("the gateway's greeting");
        Gateway {
            endpoint: text(&hello["endpoint"]),
            log,
            child,
        }
    }
}

fn fresh() -> usize {
    static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

impl Gateway {
    /// The calls that went through, in order: `service:Operation`.
    pub fn calls(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).expect("the log");
        let lines = log.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON"));
        lines
            .map(|c| format!("{}:{}", text(&c["service"]), text(&c["operation"])))
            .collect()
    }

    /// Those of them that change something.
    pub fn mutations(&self) -> Vec<String> {
        let reads = [
            "Describe",
            "List",
            "Get",
            "BatchGet",
            "AssumeRole",
            "Filter",
            "Simulate",
        ];
        let name = |call: &str| call.split(':').nth(1).unwrap_or_default().to_owned();
        self.calls()
            .into_iter()
            .filter(|c| !reads.iter().any(|r| name(c).starts_with(r)))
            .collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary, without any AWS setting of whoever runs the tests.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("AWS_") || name.starts_with("HOLDFAST_") {
            command.env_remove(name);
        }
    }
    command.envs([
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ]);
    command
}

/// Runs a command to its end, which must come before the deadline.
pub fn run(mut command: Command) -> Answer {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let gather = |mut from: Box<dyn Read + Send>| {
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = from.read_to_string(&mut text);
            let _ = send.send(text);
        });
        receive
    };
    let stdout = gather(Box::new(child.stdout.take().expect("stdout")));
    let stderr = gather(Box::new(child.stderr.take().expect("stderr")));
    let (Ok(stdout), Ok(stderr)) = (stdout.recv_timeout(DEADLINE), stderr.recv_timeout(DEADLINE)) else {
        let _ = child.kill();
        panic!("{command:?} did not end within {DEADLINE:?}");
    };
    Answer {
        code: child.wait().expect("ended").code().unwrap_or(-1),
        stdout,
        stderr,
    }
}

/// A list in a report or plan.
pub fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The workloads for which a plan acts.
pub fn acting(plan: &Value) -> Vec<String> {
    list(plan, "actions").iter().map(|a| text(&a["workload"])).collect()
}

/// Why a plan holds what it would do for a workload.
pub fn reason(plan: &Value, workload: &str) -> String {
    let held = list(plan, "held").iter().find(|h| h["workload"] == workload);
    text(&held.unwrap_or_else(|| panic!("{workload} is not held: {plan:#}"))["reason"])
}

/// `path` of the only finding about `workload`.
pub fn said(report: &Value, workload: &str, path: &str) -> String {
    let found: Vec<&Value> = list(report, "findings")
        .iter()
        .filter(|f| f["workload"] == workload)
        .collect();
    let [finding] = found.as_slice() else {
        panic!("{workload}: {found:#?}")
    };
    text(finding.pointer(path).unwrap_or_else(|| panic!("{path}: {finding:#}")))
}

/// Seconds before now, as Unix time.
pub fn ago(seconds: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now.saturating_sub(Duration::from_secs(seconds))
}

/// An instant so many hours from now, as AWS writes it.
pub fn in_hours(hours: f64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs_f64(hours * 3600.0);
    at.round(jiff::Unit::Second).expect("an instant").to_string()
}

/// A string.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
