//! The whole list of messages for each kind of error.

use super::RULES;
use crate::config::{MAX_BYTES, load_bytes, load_text};

#[track_caller]
fn errors(text: &str, expected: &[&str]) {
    let found = match load_text("h.yaml", text, RULES) {
        Ok(_) => String::new(),
        Err(errors) => errors.to_string(),
    };
    let found: Vec<&str> = found.lines().collect();
    assert_eq!(found, expected, "\n{text}\ngives\n{found:#?}");
}

#[test]
fn yaml_that_cannot_be_read() {
    errors(
        "mode: [
",
        &["h.yaml:1:7: not valid YAML: unclosed bracket '['"],
    );
    errors(
        "a: b: c",
        &["h.yaml:1:5: not valid YAML: mapping values are not allowed in this context"],
    );
    errors("\tmode: audit", &[]);
    errors(
        "mode: *x",
        &["h.yaml:1:7: not valid YAML: while parsing node, found unknown anchor"],
    );
    errors(
        "mode: audit
---
mode: enforce",
        &["h.yaml:2:1: a second YAML document begins here; one is expected"],
    );
    errors("- a", &["h.yaml:1:1: expected a map of keys to values, found a list"]);
    errors(
        "audit",
        &[r#"h.yaml:1:1: expected a map of keys to values, found the text "audit""#],
    );
    errors(
        "mode: audit
mode: enforce
sweep: {interval: 1m, interval: 2m}",
        &[
            r#"h.yaml:2:1: duplicate key "mode"; it first stands on line 1"#,
            r#"h.yaml:3:23: duplicate key "interval"; it first stands on line 3"#,
        ],
    );
    errors(
        "mode: !x audit",
        &[r#"h.yaml:1:10: YAML tags such as "!x" are not supported; remove it"#],
    );
    errors(
        "? [a]
: b
",
        &["h.yaml:1:3: a key must be a plain word, not a list or map"],
    );
}

#[test]
fn unknown_keys() {
    errors(
        r#"swep: {}
sweep: {intervall: 5m, bogus: 1}
rules: {rds-public-acces: {enabled: yes}, nothing-like-it: {}, rds-single-az: {severty: low}}
limits: {api: {ec3: {}, ecs: {describe: 3, zzz: 1}}}
targets: [{acount: "123456789012"}]
workloads: {a: {secretEnv: []}}
events: {queue: x}"#,
        &[
            r#"h.yaml:1:1: unknown key "swep"; did you mean "sweep"?"#,
            r#"h.yaml:2:9: sweep: unknown key "intervall"; did you mean "interval"?"#,
            r#"h.yaml:2:24: sweep: unknown key "bogus"; valid keys: interval, jitter"#,
            r#"h.yaml:3:9: rules: unknown rule "rds-public-acces"; did you mean "rds-public-access"?"#,
            r#"h.yaml:3:43: rules: unknown rule "nothing-like-it"; `holdfast rules` lists them all"#,
            r#"h.yaml:3:80: rules.rds-single-az: unknown key "severty"; did you mean "severity"?"#,
            r#"h.yaml:4:16: limits.api: unknown key "ec3"; did you mean "ec2"?"#,
            r#"h.yaml:4:31: limits.api.ecs: unknown key "describe"; did you mean "describe_per_second"?"#,
            r#"h.yaml:4:44: limits.api.ecs: unknown key "zzz"; valid keys: describe_per_second, describe_burst, mutate_per_second, mutate_burst"#,
            r#"h.yaml:5:11: targets[0]: the key "account" is missing"#,
            r#"h.yaml:5:12: targets[0]: unknown key "acount"; did you mean "account"?"#,
            r#"h.yaml:6:17: workloads.a: unknown key "secretEnv"; did you mean "secret_env"?"#,
            r#"h.yaml:7:10: events: unknown key "queue"; did you mean "queue_url"?"#,
        ],
    );
}

#[test]
fn wrong_types() {
    errors(
        "mode: 5
sweep: 5m
targets: {}
rules: []
defaults: {secret_env: DATABASE_URL, backup_retention_days: 7d, datastore: [postgres]}
safety: {max_actions_per_sweep: 1.5, allow_risk: , cooldown: 10}
events: {queue_url: 5}
limits: {concurrency: many, api: {ecs: {describe_per_second: fast}}}
report_to: {event_bus: true}",
        &[
            r#"h.yaml:1:7: mode: "5" is not one of: audit, enforce"#,
            r#"h.yaml:2:8: sweep: expected a map of keys to values, found the text "5m""#,
            "h.yaml:3:10: targets: expected a list such as [a, b], or [] for none, found a map",
            "h.yaml:4:8: rules: expected a map of keys to values, found a list",
            r#"h.yaml:5:24: defaults.secret_env: expected a list such as [a, b], or [] for none, found the text "DATABASE_URL""#,
            r#"h.yaml:5:61: defaults.backup_retention_days: expected a whole number, found the text "7d""#,
            "h.yaml:5:76: defaults.datastore: expected one of auto, postgres, volume, other, none, found a list",
            "h.yaml:6:33: safety.max_actions_per_sweep: expected a whole number, found the number 1.5",
            "h.yaml:6:48: safety.allow_risk: expected a list such as [a, b], or [] for none, found nothing (leave the key out for its default)",
            "h.yaml:6:62: safety.cooldown: expected a duration like 15m, found the number 10",
            "h.yaml:7:21: events.queue_url: expected a text (in quotes if it looks like something else), found the number 5",
            r#"h.yaml:8:23: limits.concurrency: expected a whole number, found the text "many""#,
            r#"h.yaml:8:62: limits.api.ecs.describe_per_second: expected a number, found the text "fast""#,
            "h.yaml:9:24: report_to.event_bus: expected a text (in quotes if it looks like something else), found true",
        ],
    );
}

#[test]
fn words_that_are_not_among_the_valid_ones() {
    errors(
        "mode: enforced
secrets: {inspect: values}
defaults: {datastore: mysql, migrations: require}
safety: {allow_risk: [none, manual]}
rules: {rds-single-az: {severity: High}}
ledger: {kind: postgres}",
        &[
            r#"h.yaml:1:7: mode: "enforced" is not one of: audit, enforce; did you mean "enforce"?"#,
            r#"h.yaml:2:20: secrets.inspect: "values" is not one of: off, metadata, value; did you mean "value"?"#,
            r#"h.yaml:3:23: defaults.datastore: "mysql" is not one of: auto, postgres, volume, other, none"#,
            r#"h.yaml:3:42: defaults.migrations: "require" is not one of: none, required; did you mean "required"?"#,
            r#"h.yaml:4:29: safety.allow_risk[1]: "manual" is not one of: none, brief, outage"#,
            r#"h.yaml:5:35: rules.rds-single-az.severity: "High" is not one of: low, medium, high, critical; did you mean "high"?"#,
            r#"h.yaml:6:16: ledger.kind: "postgres" is not one of: sqlite, dynamodb"#,
        ],
    );
}

#[test]
fn durations() {
    errors(
        "sweep: {interval: 15x, jitter: 10}
migration: {max_window: 400d}
safety: {fight_window: 0s}
sweep2: {interval: 999ms}",
        &[
            r#"h.yaml:1:19: sweep.interval: "15x" is not a duration; write it like 15m, 72h, 10s or 1h30m"#,
            "h.yaml:1:32: sweep.jitter: expected a share like 10%, found the number 10",
            r#"h.yaml:2:25: migration.max_window: "400d" is longer than 366 days"#,
            r#"h.yaml:3:24: safety.fight_window: "0s" is too short; it must be at least 1s"#,
            r#"h.yaml:4:1: unknown key "sweep2"; did you mean "sweep"?"#,
        ],
    );
}

#[test]
fn lists_of_texts() {
    errors(
        r#"defaults: {allowed_ingress: {cidrs: [10.0.0.1/8, 10.0.0.1, 10.0.0.0/33, world, 10.0.0.0/8, 10.0.0.0/8], security_groups: [web]}, secret_env: ["A B"], data_paths: [home]}"#,
        &[
            r#"h.yaml:1:38: defaults.allowed_ingress.cidrs[0]: "10.0.0.1/8" has bits set after its prefix; write 10.0.0.0/8 or 10.0.0.1/32"#,
            r#"h.yaml:1:50: defaults.allowed_ingress.cidrs[1]: "10.0.0.1" has no prefix length; a single address is 10.0.0.1/32"#,
            r#"h.yaml:1:60: defaults.allowed_ingress.cidrs[2]: "10.0.0.0/33" is not a CIDR block such as 10.0.0.0/16"#,
            r#"h.yaml:1:73: defaults.allowed_ingress.cidrs[3]: "world" is not a CIDR block such as 10.0.0.0/16"#,
            r#"h.yaml:1:92: defaults.allowed_ingress.cidrs[5]: "10.0.0.0/8" stands in the list twice"#,
            r#"h.yaml:1:123: defaults.allowed_ingress.security_groups[0]: "web" is not a security group's id such as sg-0123456789abcdef0"#,
            r#"h.yaml:1:143: defaults.secret_env[0]: "A B" is not an environment variable's name (letters, digits and _)"#,
            r#"h.yaml:1:164: defaults.data_paths[0]: "home" is not an absolute path; begin it with /"#,
        ],
    );
}

#[test]
fn targets() {
    errors(
        r#"targets:
- {account: 123456789012}
- {account: "12", regions: [us-east, useast1, us-gov-west-1]}
- {account: "123456789012", role_arn: "arn:aws:iam::123456789012:user/x"}
"#,
        &[
            r#"h.yaml:2:13: targets[0].account: put the account id in quotes: "123456789012""#,
            r#"h.yaml:3:13: targets[1].account: "12" is not an AWS account id, which has 12 digits"#,
            r#"h.yaml:3:29: targets[1].regions[0]: "us-east" is not an AWS region such as us-east-1"#,
            r#"h.yaml:3:38: targets[1].regions[1]: "useast1" is not an AWS region such as us-east-1"#,
            r#"h.yaml:4:3: targets[2]: account "123456789012" with its default region is a target already, on line 2"#,
            r#"h.yaml:4:39: targets[2].role_arn: "arn:aws:iam::123456789012:user/x" is not a role's ARN such as arn:aws:iam::123456789012:role/holdfast"#,
        ],
    );
}

#[test]
fn numbers_out_of_range() {
    errors(
        "safety: {max_failing_percent: 101, max_actions_per_sweep: -1, fight_threshold: 0}
defaults: {backup_retention_days: 36}
limits: {concurrency: 0, api: {rds: {describe_per_second: 0, mutate_per_second: -0.5, describe_burst: 0, mutate_burst: 5000000000}}}",
        &[
            "h.yaml:1:31: safety.max_failing_percent: 101 is out of range; it must be from 0 to 100",
            "h.yaml:1:59: safety.max_actions_per_sweep: -1 is out of range; it must be at least 0",
            "h.yaml:1:80: safety.fight_threshold: 0 is out of range; it must be at least 1",
            "h.yaml:2:35: defaults.backup_retention_days: 36 is out of range; it must be from 0 to 35",
            "h.yaml:3:23: limits.concurrency: 0 is out of range; it must be from 1 to 1024",
            "h.yaml:3:59: limits.api.rds.describe_per_second: 0 is out of range; it must be more than 0",
            "h.yaml:3:81: limits.api.rds.mutate_per_second: -0.5 is out of range; it must be more than 0",
            "h.yaml:3:103: limits.api.rds.describe_burst: 0 is out of range; it must be at least 1",
            "h.yaml:3:120: limits.api.rds.mutate_burst: 5000000000 is out of range; it must be from 1 to 4294967295",
        ],
    );
}

#[test]
fn whole_numbers_written_otherwise() {
    errors(
        "safety: {max_actions_per_sweep: 1.0, fight_threshold: 99999999999999999999}\nlimits: {api: {ecs: {describe_burst: 2.5}}}",
        &[
            "h.yaml:1:33: safety.max_actions_per_sweep: expected a whole number, found the number 1.0",
            "h.yaml:1:55: safety.fight_threshold: 99999999999999999999 is out of range; it must be from 1 to 4294967295",
            "h.yaml:2:38: limits.api.ecs.describe_burst: expected a whole number, found the number 2.5",
        ],
    );
}

#[test]
fn keys_without_a_value() {
    errors(
        "swep:\nsweep: {interval: , jiter: }\nrules: {bogus: , rds-single-az: }\nworkloads: {a*b: , c: , d/~e: {migrations: x}}\ntargets: [~]",
        &[
            r#"h.yaml:1:1: unknown key "swep"; did you mean "sweep"?"#,
            "h.yaml:2:17: sweep.interval: expected a duration like 15m, found nothing (leave the key out for its default)",
            r#"h.yaml:2:21: sweep: unknown key "jiter"; did you mean "jitter"?"#,
            r#"h.yaml:3:9: rules: unknown rule "bogus"; `holdfast rules` lists them all"#,
            r#"h.yaml:4:13: workloads: the name "a*b" holds '*', which AWS allows in no tag; it allows letters, digits, spaces and _ . : / = + - @"#,
            r#"h.yaml:4:25: workloads: the name "d/~e" holds '~', which AWS allows in no tag; it allows letters, digits, spaces and _ . : / = + - @"#,
        ],
    );
}

#[test]
fn other_texts() {
    errors(
        r#"tag_prefix: ""
events: {queue_url: sqs}
workloads: {"a*b": {}}
ledger: {path: " "}"#,
        &[
            r#"h.yaml:1:13: tag_prefix: "" is empty"#,
            r#"h.yaml:2:21: events.queue_url: "sqs" is not a queue's URL such as https://sqs.us-east-1.amazonaws.com/123456789012/holdfast"#,
            r#"h.yaml:3:13: workloads: the name "a*b" holds '*', which AWS allows in no tag; it allows letters, digits, spaces and _ . : / = + - @"#,
            r#"h.yaml:4:16: ledger.path: " " is empty"#,
        ],
    );
}

#[test]
fn passwords_in_the_wrong_place() {
    errors(
        r#"defaults: {secret_env: ["postgres://coder:hunter2@db/coder", "host=db password=hunter2"]}
mode: "postgres://u:hunter2@db/x"
"postgres://k:hunter2@db/x": 1"#,
        &[
            r#"h.yaml:1:25: defaults.secret_env[0]: "postgres://"... is not an environment variable's name (letters, digits and _)"#,
            r#"h.yaml:1:62: defaults.secret_env[1]: "host=db password"... is not an environment variable's name (letters, digits and _)"#,
            r#"h.yaml:2:7: mode: "postgres://"... is not one of: audit, enforce"#,
            r#"h.yaml:3:1: unknown key "postgres://"...; valid keys: mode, tag_prefix, targets, events, sweep, migration, migrations, secrets, defaults, families, rules, workloads, safety, limits, ledger, lease, report_to"#,
        ],
    );
    errors(
        r#"tag_prefix: "aws:x"
events: {queue_url: "https://user:hunter2@sqs/x"}"#,
        &[
            r#"h.yaml:1:13: tag_prefix: "aws:x" begins with aws:, which AWS keeps for itself"#,
            "h.yaml:2:21: events.queue_url: the queue's URL must not hold credentials; they come from the AWS SDK's chain",
        ],
    );
}

#[test]
fn families_that_say_nothing_or_two_things() {
    errors(
        r"families:
- name: Shop
- id: Shop
  images: [quay.io/acme/shop:1, 'acme//shop']
  sources: [https://acme.dev]
  kind: sidcar
- id: pay
  absent: {means: builtin}
  selector: {variables: [PAY_DB], values: {pg: Postgres}}
  connections:
    - variables: {host: [PAY_HOST], user: [PAY HOST], url: [PAY_*_*]}
- id: pay
  absent: {means: required, store: H2}
  keeps_data_in: [data]
  source: [http://acme.dev]
  connections:
    - variables: {host: [PAY_HOST]}
    - variables: {url: [PAY_HOST]}
",
        &[
            r"h.yaml:2:3: families[0]: the key id is missing",
            r#"h.yaml:3:7: families[1].id: "Shop" is not an id; it may hold lower-case letters, digits and -"#,
            r#"h.yaml:4:12: families[1].images[0]: "quay.io/acme/shop:1" is not a repository such as grafana/grafana, without registry, tag and digest"#,
            r#"h.yaml:4:33: families[1].images[1]: "acme//shop" is not a repository such as grafana/grafana, without registry, tag and digest"#,
            r#"h.yaml:5:3: families[1]: unknown key "sources"; did you mean "source"?"#,
            r#"h.yaml:6:9: families[1].kind: "sidcar" is not one of: application, framework, server, pooler, sidecar; did you mean "sidecar"?"#,
            "h.yaml:8:3: families[2].absent: means: builtin needs store, its name: SQLite, H2",
            r#"h.yaml:9:48: families[2].selector.values.pg: "Postgres" is not an engine: postgres, another's name in lower case such as mysql, built-in SQLite, or unknown"#,
            r#"h.yaml:11:44: families[2].connections[0].variables.user[0]: "PAY HOST" is not a variable's name; it may hold letters, digits and _ . - :, and one * for any text"#,
            r#"h.yaml:11:61: families[2].connections[0].variables.url[0]: "PAY_*_*" is not a variable's name; it may hold letters, digits and _ . - :, and one * for any text"#,
            r#"h.yaml:12:7: families[3].id: "pay" is there already, on line 7"#,
            "h.yaml:13:29: families[3].absent.store belongs to means: builtin only; remove it or say that",
            r#"h.yaml:14:19: families[3].keeps_data_in[0]: "data" is not an absolute path; begin it with /"#,
            r#"h.yaml:15:12: families[3].source[0]: "http://acme.dev" is not a link that begins with https://"#,
            r#"h.yaml:18:25: families[3]: "PAY_HOST" cannot be both host and url"#,
        ],
    );
}

#[test]
fn windows_that_never_open() {
    errors(
        "safety:\n  change_windows:\n  - {cron: '0 3 * * *', duration: 2h}\n  - {cron: '0 25 * * *', duration: 2h}\n  \
         - {cron: '0 3 * * *', duration: 2h, time_zone: Berlin}\n",
        &[
            "h.yaml:4:12: safety.change_windows[1].cron: \"0 25 * * *\" is no cron expression of five fields (minute hour \
             day-of-month month day-of-week)",
            "h.yaml:5:50: safety.change_windows[2].time_zone: \"Berlin\" is no IANA time zone; write it like Europe/Berlin or UTC",
        ],
    );
}

#[test]
fn leases_are_shared_only_with_the_ledger() {
    let refused = "lease.kind: dynamodb needs ledger.kind: dynamodb, since whoever takes a scope over must know what was \
                   begun there; set ledger.kind and ledger.table (it may be the same table), or lease.kind: none";
    errors(
        "mode: audit\nlease: {kind: dynamodb, table: t}",
        &[&format!("h.yaml:2:15: {refused}")],
    );
    errors(
        "ledger: {kind: sqlite}\nlease: {kind: dynamodb, table: t}",
        &[&format!("h.yaml:1:16: {refused}")],
    );
}

#[test]
fn conflicts() {
    errors(
        r#"events: {region: us-east-1}
ledger: {table: t}
lease: {table: t}
targets:
- {account: "123456789012", external_id: x, regions: [us-east-1]}
- {account: "123456789012", role_arn: "arn:aws:iam::210987654321:role/x", regions: [us-east-1]}
- {account: "210987654321"}
- {account: "210987654321"}
"#,
        &[
            "h.yaml:1:10: events.region needs events.queue_url, whose region it is",
            "h.yaml:2:10: ledger.table belongs to ledger.kind: dynamodb only; remove it or set that kind",
            "h.yaml:3:9: lease.table belongs to lease.kind: dynamodb only; remove it or set that kind",
            "h.yaml:5:29: targets[0].external_id needs targets[0].role_arn, whose trust policy asks for it",
            r#"h.yaml:6:39: targets[1].role_arn is a role of account "210987654321", but the target's account is "123456789012""#,
            r#"h.yaml:6:85: targets[1]: account "123456789012" with "us-east-1" is a target already, on line 5"#,
            r#"h.yaml:8:3: targets[3]: account "210987654321" with its default region is a target already, on line 7"#,
        ],
    );
}

#[test]
fn what_a_table_needs() {
    errors(
        "ledger: {kind: dynamodb, path: x.db}\nlease: {kind: dynamodb}\n",
        &[
            "h.yaml:1:10: ledger.kind: dynamodb needs ledger.table, the table's name",
            "h.yaml:1:26: ledger.path belongs to ledger.kind: sqlite only; remove it",
            "h.yaml:2:9: lease.kind: dynamodb needs lease.table, the table's name",
        ],
    );
    assert!(
        load_text(
            "h.yaml",
            "ledger: {kind: dynamodb, table: t}\nlease: {kind: dynamodb, table: t}\n",
            &[]
        )
        .is_ok()
    );
}

#[test]
fn bytes_that_cannot_be_read() {
    let message = |bytes: &[u8]| load_bytes("h.yaml", bytes, RULES).unwrap_err().to_string();
    assert_eq!(
        message(b"mode: audit\n# caf\xe9\n"),
        "h.yaml:2:6: not UTF-8 text; save it as UTF-8"
    );
    assert_eq!(
        message(&vec![b'#'; MAX_BYTES + 1]),
        "h.yaml: cannot read the configuration: it is larger than 1 MiB, so it is hardly a configuration"
    );
    assert_eq!(
        message(b"mod: audit"),
        "h.yaml:1:1: unknown key \"mod\"; did you mean \"mode\"?"
    );
}
