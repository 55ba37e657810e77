//! What a file gives, and what is wrong with it.

mod errors;
mod never_panics;

use std::time::Duration;

use serde_json::Value as Json;

use super::*;
use crate::model::policy::{Risk, Severity};

/// A few rule ids, as the registry would pass them.
pub(super) const RULES: &[&str] = &[
    "rds-public-access",
    "rds-open-ingress",
    "rds-single-az",
    "ecs-ephemeral-storage",
];

pub(super) const EXAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/holdfast.yaml"));

/// As in INTERFACE.md, with a queue's URL.
pub(super) const INTERFACE: &str = r#"
mode: audit                      # audit | enforce
tag_prefix: "holdfast:"
targets:                         # default: the caller's own account, its default region
  - account: "123456789012"
    role_arn: arn:aws:iam::123456789012:role/holdfast
    external_id: optional
    regions: [us-east-1, us-west-2]
events:  {queue_url: "https://sqs.us-east-1.amazonaws.com/123456789012/holdfast", }      # absent: sweeps only
sweep:   {interval: 5m, jitter: 10%}
migration: {max_window: 72h}
secrets: {inspect: value}        # off | metadata | value
defaults:                        # parameters of rules for every workload
  datastore: auto                # auto | postgres | volume | other | none
  database_env: []
  secret_env: []
  data_paths: []
  backup_retention_days: 7
  allowed_ingress: {cidrs: [], security_groups: []}
rules:
  rds-single-az: {enabled: true}
  rds-public-access: {severity: critical, mode: enforce}   # per-rule mode can only lower the global one
workloads:
  coder: {secret_env: [CODER_PG_CONNECTION_URL], migrations: required}
safety:
  max_actions_per_sweep: 10      # blast radius: past it the rest wait for the next sweep
  max_failing_percent: 30        # more of the fleet failing one rule than this: stop, it is us or a bad rule
  cooldown: 10m                  # per resource and rule
  fight_threshold: 3             # reverted this often within fight_window: stop correcting, alert
  fight_window: 24h
  allow_risk: [none, brief]      # outage needs naming here
  change_windows: []             # cron + duration + time zone; empty: any time
  pause: {ssm_parameter: null}   # kill switch; SIGUSR1 and /api are not it
limits:  {concurrency: 32, api: {ecs: {describe_per_second: 16}}}
ledger:  {kind: sqlite, path: holdfast.db}     # sqlite (embedded default) | dynamodb {table}
lease:   {kind: none}                          # none | dynamodb {table}
report_to: {event_bus: null}                   # EventBridge bus that receives findings and actions
"#;

pub(super) fn loaded(text: &str) -> Loaded {
    load_text("h.yaml", text, RULES).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn nothing_gives_the_defaults() {
    let none = Loaded::defaults();
    assert_eq!((none.config, none.source), (Config::default(), None));
    for text in [
        "",
        "\n",
        "# only a comment\n",
        "---\n",
        "null",
        "{}",
        "\u{feff}",
        "sweep:\nrules:\nsafety: ~\n",
    ] {
        assert_eq!(loaded(text).config, Config::default(), "{text:?}");
    }
}

#[test]
fn the_defaults_are_those_of_the_interface() {
    let config = Config::default();
    assert_eq!(config.sweep.interval, Duration::from_mins(5));
    assert!((config.sweep.jitter.fraction() - 0.1).abs() < f64::EPSILON);
    let mut interface = loaded(INTERFACE).config;
    // What the interface gives as examples, not as defaults.
    interface.targets.clear();
    interface.events = Events::default();
    interface.rules.clear();
    interface.workloads.clear();
    interface.limits.api.clear();
    assert_eq!(interface, config);
}

#[test]
fn every_value_is_read() {
    let config = loaded(INTERFACE).config;
    assert_eq!(config.targets[0].regions, ["us-east-1", "us-west-2"]);
    assert_eq!(config.targets[0].external_id.as_deref(), Some("optional"));
    assert_eq!(config.rule("rds-single-az").enabled, Some(true));
    let public = config.rule("rds-public-access");
    assert_eq!(
        (public.enabled, public.severity, public.mode),
        (None, Some(Severity::Critical), Some(Mode::Enforce))
    );
    assert_eq!(config.rule("rds-open-ingress"), RuleSettings::default());
    assert_eq!(config.api_limits(ApiService::Ecs).describe_per_second, Some(16.0));
    assert_eq!(config.api_limits(ApiService::Sqs), ApiLimits::default());

    let config = loaded("safety: {allow_risk: [outage], cooldown: 1h30m}\nsecrets: {inspect: off}").config;
    assert_eq!(config.safety.allow_risk.into_iter().collect::<Vec<_>>(), [Risk::Outage]);
    assert_eq!(config.safety.cooldown, Duration::from_mins(90));
    assert_eq!(config.secrets.inspect, Inspect::Off);
}

#[test]
fn a_rule_never_goes_above_the_global_mode() {
    let own = "rules: {rds-public-access: {mode: enforce}, rds-single-az: {mode: audit}}\n";
    let audit = loaded(own).config;
    assert_eq!(audit.mode_of("rds-public-access"), Mode::Audit);
    let enforce = loaded(&format!("mode: enforce\n{own}")).config;
    assert_eq!(enforce.mode_of("rds-public-access"), Mode::Enforce);
    assert_eq!(enforce.mode_of("rds-single-az"), Mode::Audit);
    assert_eq!(enforce.mode_of("rds-open-ingress"), Mode::Enforce);
}

#[test]
fn a_workload_overrides_only_what_it_names() {
    let config = loaded(
        "defaults: {backup_retention_days: 14, allowed_ingress: {cidrs: [10.0.0.0/8], security_groups: [sg-1]}}\n\
         workloads:\n  a: {datastore: volume, data_paths: [], allowed_ingress: {cidrs: [\"2001:db8::/32\"]}}\n  \
         b: {backup_retention_days: 0, migrations: required}\n  c:\n",
    )
    .config;
    let default = config.params("unnamed");
    assert_eq!(default.backup_retention_days, 14);
    assert_eq!(config.params("c"), default);
    assert_eq!(
        config.params("a"),
        Parameters {
            datastore: Datastore::Volume,
            data_paths: vec![],
            allowed_ingress: AllowedIngress {
                cidrs: vec!["2001:db8::/32".parse().unwrap()],
                ..default.allowed_ingress.clone()
            },
            ..default.clone()
        }
    );
    assert_eq!(
        config.params("b"),
        Parameters {
            backup_retention_days: 0,
            migrations: Migrations::Required,
            ..default
        }
    );
}

#[test]
fn anchors_and_aliases_are_followed() {
    let config = loaded("workloads:\n  a: &a {backup_retention_days: 3}\n  b: *a\n").config;
    assert_eq!(config.params("b").backup_retention_days, 3);
}

#[test]
fn the_example_is_the_defaults_and_names_every_key() {
    assert_eq!(loaded(EXAMPLE).config, Config::default());
    let schema = schema(RULES);
    let mut keys = Vec::new();
    keys_of(&schema, &mut keys);
    assert!(keys.len() > 50);
    for key in keys {
        // The keys of a change window appear in a comment only.
        assert!(
            EXAMPLE.contains(&format!("{key}:")) || ["cron", "duration", "time_zone"].contains(&key),
            "{key}"
        );
    }
}

fn keys_of<'a>(schema: &'a Json, keys: &mut Vec<&'a str>) {
    for (key, value) in schema.as_object().into_iter().flatten() {
        if key == "properties" {
            keys.extend(value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()));
        }
        if key != "default" && key != "examples" {
            keys_of(value, keys);
        }
    }
}

#[test]
fn the_schema_uses_no_keyword_that_has_no_message() {
    const KEYWORDS: &[&str] = &[
        "$schema",
        "$defs",
        "$ref",
        "title",
        "description",
        "default",
        "examples",
        "pattern",
        "format",
        "type",
        "anyOf",
        "oneOf",
        "const",
        "enum",
        "properties",
        "additionalProperties",
        "propertyNames",
        "required",
        "items",
        "uniqueItems",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "x-form",
        "x-shortest",
    ];
    fn walk(schema: &Json) {
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            assert!(KEYWORDS.contains(&keyword.as_str()), "{keyword}: {value}");
            match keyword.as_str() {
                "properties" | "$defs" => value.as_object().unwrap().values().for_each(walk),
                "anyOf" | "oneOf" => value.as_array().unwrap().iter().for_each(walk),
                "items" | "propertyNames" | "additionalProperties" => walk(value),
                "x-form" => assert!(forms::Form::named(value.as_str().unwrap()).is_some(), "{value}"),
                "format" => assert!(
                    ["uint", "uint32", "double"].contains(&value.as_str().unwrap()),
                    "{value}"
                ),
                _ => {}
            }
        }
    }
    let schema = schema(RULES);
    walk(&schema);
    assert!(validate::compile(&schema).is_ok());
}

#[test]
fn every_key_of_the_schema_is_described() {
    fn walk(schema: &Json) {
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            if keyword == "properties" {
                for (key, property) in value.as_object().unwrap() {
                    assert!(property.get("description").is_some(), "{key}");
                }
            }
            walk(value);
        }
    }
    let schema = schema(RULES);
    walk(&schema);
    assert_eq!(
        schema["properties"]["rules"]["propertyNames"]["enum"],
        serde_json::json!(RULES)
    );
    assert_eq!(schema["$defs"]["Sweep"]["properties"]["interval"]["default"], "5m");
}

#[test]
fn the_names_of_services_are_those_of_serde() {
    for service in ApiService::ALL {
        assert_eq!(serde_json::to_value(service).unwrap(), service.as_str());
    }
}

#[test]
fn show_tells_where_each_value_comes_from() {
    let text = "mode: enforce\nsweep:\n  interval: 90s\ntargets:\n  - account: \"123456789012\"\n    regions: [us-east-1]\n\
                rules: {rds-single-az: {enabled: true}}\nsafety: {pause: {ssm_parameter: null}}\nsecrets: {inspect: off}\n";
    let shown = show(&loaded(text));
    // The parameters of rules apart: who adds one changes nothing here.
    let (before, rest) = shown.split_once("defaults:\n").expect("defaults");
    let end = rest.find("\nrules:").expect("rules") + 1;
    let (parameters, after) = rest.split_at(end);
    insta::assert_snapshot!(format!("{before}{after}"), @r#"
    mode: enforce # h.yaml:1
    tag_prefix: "holdfast:" # default
    targets:
      - account: "123456789012" # h.yaml:5
        role_arn: null # default
        external_id: null # default
        regions: [us-east-1] # h.yaml:6
    events:
      queue_url: null # default
      region: null # default
    sweep:
      interval: 1m30s # h.yaml:3
      jitter: 10% # default
    migration:
      max_window: 72h # default
    migrations:
      timeout: 10m # default
    secrets:
      inspect: "off" # h.yaml:9
    rules:
      rds-single-az:
        enabled: true # h.yaml:7
    workloads: {} # default
    safety:
      max_actions_per_sweep: 10 # default
      max_failing_percent: 30 # default
      cooldown: 10m # default
      fight_threshold: 3 # default
      fight_window: 24h # default
      allow_risk: [none, brief] # default
      change_windows: [] # default
      pause:
        ssm_parameter: null # h.yaml:8
    limits:
      concurrency: 32 # default
      api: {} # default
    ledger:
      kind: sqlite # default
      path: holdfast.db # default
      table: null # default
    lease:
      kind: none # default
      table: null # default
    report_to:
      event_bus: null # default
    "#);
    for line in [
        "  datastore: auto # default",
        "  database_env: [] # default",
        "  secret_env: [] # default",
        "  data_paths: [] # default",
        "  backup_retention_days: 7 # default",
        "  allowed_ingress:",
        "    cidrs: [] # default",
        "    security_groups: [] # default",
        "  storage_headroom: 2 # default",
        "  restore_point_age: 30m # default",
        "  certificate_notice: 1440h # default",
        "  abandoned_after: 48h # default",
        "  rotation_age: 2160h # default",
        "  deployment_timeout: 30m # default",
        r#"  builtin_database_patterns: ["Using built-in PostgreSQL", sqlite://, sqlite3://] # default"#,
        "  database_log_pattern: null # default",
        "  required_extensions: [] # default",
        "  migrations: none # default",
    ] {
        assert!(parameters.lines().any(|shown| shown == line), "{line}: {parameters}");
    }
    assert!(
        parameters
            .lines()
            .all(|line| line.ends_with(" # default") || line.ends_with(':'))
    );
    assert_eq!(loaded(&shown).config, loaded(text).config);
}

#[test]
fn what_is_shown_loads_again() {
    for text in ["", EXAMPLE, INTERFACE] {
        let first = loaded(text);
        assert_eq!(loaded(&show(&first)).config, first.config);
    }
    let shown = show(&Loaded::defaults());
    assert!(
        shown
            .lines()
            .all(|line| line.ends_with(':') || line.ends_with(" # default")),
        "{shown}"
    );
}

#[test]
fn durations_are_read_and_written() {
    for (text, millis, back) in [
        ("15m", 900_000, "15m"),
        ("72h", 259_200_000, "72h"),
        ("3d", 259_200_000, "72h"),
        ("90s", 90_000, "1m30s"),
        ("1h30m", 5_400_000, "1h30m"),
        ("250ms", 250, "250ms"),
        ("0s", 0, "0s"),
    ] {
        let duration = parse_duration(text).unwrap();
        assert_eq!(
            (duration, format_duration(duration).as_str()),
            (Duration::from_millis(millis), back),
            "{text}"
        );
    }
    for text in [
        "", "5", "m", "15 m", "1m1h", "1h1h", "-5m", "1.5h", "5M", "5min", "PT5M", "1h ", "五m", "5µs",
    ] {
        assert!(parse_duration(text).is_err(), "{text:?}");
    }
    for text in ["367d", "99999999999999999999d", "18446744073709551615d"] {
        assert_eq!(parse_duration(text).unwrap_err().to_string(), "is longer than 366 days");
    }
}
