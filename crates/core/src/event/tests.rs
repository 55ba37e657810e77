use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::*;

/// File → keys as they print (account left out), or why ignored.
const EXPECTED: &[(&str, &[&str])] = &[
    (
        "ecs-deployment-failed",
        &["us-east-1/service:coder-cluster/coder-service"],
    ),
    ("ecs-service-action", &["us-east-1/service:coder-cluster/coder-service"]),
    (
        "ecs-service-action-old-arn",
        &["us-east-1/service:coder-cluster/coder-service"],
    ),
    ("ecs-task-in-a-group", &["us-east-1/task-family:coder-migrate"]),
    ("ecs-task-of-family", &["us-east-1/task-family:coder-migrate"]),
    (
        "ecs-task-of-service",
        &["us-east-1/service:coder-cluster/coder-service"],
    ),
    (
        "pipes-array",
        &[
            "us-west-2/security-group:sg-0123456789abcdef0",
            "us-west-2/db:stacktracker-migration-db",
        ],
    ),
    ("pipes-detail-as-text", &[SECRET]),
    ("pipes-sqs-records", &["us-east-1/service:coder-cluster/coder-service"]),
    ("rds-db-cluster", &["us-west-2/cluster:aurora-orders"]),
    ("rds-db-instance", &["us-west-2/db:stacktracker-migration-db"]),
    ("rds-no-account", &["us-west-2/db:stacktracker-migration-db"]),
    ("sns-subscription", &["ignored Empty"]),
    ("sns-wrapped", &["us-west-2/db:stacktracker-migration-db"]),
    ("tag-db-instance", &["us-west-2/db:stacktracker-migration-db"]),
    ("tag-ecs-service", &["us-east-1/service:coder-cluster/coder-service"]),
    ("tag-instance", &["ignored OtherResource"]),
    ("tag-secret", &[SECRET]),
    ("tag-security-group", &["us-west-2/security-group:sg-0123456789abcdef0"]),
    (
        "trail-authorize-by-name",
        &["us-west-2/security-group:sg-0aaaaaaaaaaaaaaaa"],
    ),
    (
        "trail-authorize-ingress",
        &["us-west-2/security-group:sg-0123456789abcdef0"],
    ),
    ("trail-bare-record", &["us-west-2/cluster:aurora-orders"]),
    ("trail-create-secret", &["us-east-1/secret:team/db-url"]),
    (
        "trail-create-service",
        &["us-east-1/service:coder-cluster/coder-service"],
    ),
    ("trail-create-tags", &["us-west-2/security-group:sg-0123456789abcdef0"]),
    ("trail-create-tags-instance", &["ignored OtherResource"]),
    ("trail-modify-db-cluster", &["us-west-2/cluster:aurora-orders"]),
    ("trail-modify-db-instance", &["us-west-2/db:stacktracker-migration-db"]),
    ("trail-modify-db-instance-denied", &["ignored FailedCall"]),
    ("trail-modify-rules", &["us-west-2/security-group:sg-0123456789abcdef0"]),
    ("trail-omitted-parameters", &["us-west-2/*"]),
    ("trail-put-resource-policy", &[SECRET]),
    ("trail-put-secret-value", &[SECRET]),
    ("trail-rds-tags", &["us-west-2/db:stacktracker-migration-db"]),
    ("trail-read-only", &["ignored ReadOnly"]),
    ("trail-register-task-definition", &["ignored UnknownCall"]),
    (
        "trail-rename-db-instance",
        &["us-east-2/db:tiktimer-dev-db", "us-east-2/db:tiktimer-db"],
    ),
    ("trail-replace-route", &["us-west-2/*"]),
    ("trail-restore-db-instance", &["us-west-2/db:stacktracker-restored"]),
    ("trail-rotation-succeeded", &[SECRET]),
    ("trail-tag-task-definition", &["us-east-1/*"]),
    ("trail-update-secret-old-case", &[SECRET]),
    ("trail-update-service", &["us-east-2/service:default/tiktimer-app"]),
    (
        "trail-update-service-by-arn",
        &["us-east-1/service:coder-cluster/coder-service"],
    ),
    ("unknown-detail-type", &["ignored UnknownType"]),
    ("unknown-source", &["ignored UnknownType"]),
];

const SECRET: &str = "us-east-1/secret:arn:aws:secretsmanager:us-east-1:123456789012:secret:coder-postgres-url-AbCdEf";

#[allow(clippy::disallowed_methods, reason = "fixtures")]
fn samples() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/events");
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            (
                path.file_stem().unwrap().to_str().unwrap().to_owned(),
                std::fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}

fn told(parsed: &Parsed) -> Vec<String> {
    match parsed.outcome {
        Relevance::Ignored(why) => {
            assert!(parsed.keys.is_empty());
            vec![format!("ignored {why:?}")]
        }
        Relevance::Relevant => {
            assert!(!parsed.keys.is_empty());
            let print = |key: &Key| {
                key.to_string()
                    .strip_prefix("123456789012/")
                    .expect("account")
                    .to_owned()
            };
            parsed.keys.iter().map(print).collect()
        }
    }
}

#[test]
fn every_sample_points_where_it_should() {
    let samples = samples();
    let expected: BTreeMap<_, _> = EXPECTED.iter().copied().collect();
    assert_eq!(
        samples.keys().map(String::as_str).collect::<Vec<_>>(),
        expected.keys().copied().collect::<Vec<_>>()
    );
    for (file, body) in &samples {
        let parsed = parse(body).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(told(&parsed), expected[file.as_str()], "{file}");
    }
}

#[test]
fn calls_tell_who_and_all_tell_when() {
    let samples = samples();
    let parsed = parse(&samples["trail-authorize-ingress"]).unwrap();
    assert_eq!(
        parsed.actor.as_deref(),
        Some("arn:aws:sts::123456789012:assumed-role/platform-admin/alice")
    );
    assert_eq!(parsed.time, Some("2026-11-21T08:00:00Z".parse().unwrap()));
    assert_eq!(
        parse(&samples["trail-rotation-succeeded"]).unwrap().actor.as_deref(),
        Some("secretsmanager.amazonaws.com")
    );
    let batch = parse(&samples["pipes-array"]).unwrap();
    assert_eq!(
        (batch.source.as_str(), batch.time),
        ("aws.ec2", Some("2026-11-21T07:59:00Z".parse().unwrap()))
    );
}

#[test]
fn scope_comes_from_the_next_best_place() {
    let mut event: Value = serde_json::from_str(&samples()["trail-authorize-ingress"]).unwrap();
    for field in ["account", "region"] {
        event.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(
        told(&parse(&event.to_string()).unwrap()),
        ["us-west-2/security-group:sg-0123456789abcdef0"]
    );
    event["detail"].as_object_mut().unwrap().remove("recipientAccountId");
    assert_eq!(parse(&event.to_string()), Err(ParseError::Missing("account")));
    event["account"] = "not an account".into();
    assert_eq!(parse(&event.to_string()), Err(ParseError::Missing("account")));
}

#[test]
fn errors_never_quote_the_body() {
    let canary = "s3cr3t-canary";
    let deep = "[".repeat(10) + &"]".repeat(10);
    let nested = "[".repeat(100_000);
    let bodies = [
        canary.to_owned(),
        format!("{{\"source\": \"{canary}\""),
        format!("{{\"{canary}\": 1}}"),
        format!(
            "{{\"source\": \"aws.rds\", \"detail-type\": \"RDS DB Instance Event\", \"detail\": {{\"x\": \"{canary}\"}}}}"
        ),
        format!("{{\"source\": \"aws.rds\", \"detail-type\": \"{CALL}\", \"detail\": \"{canary}\"}}"),
        format!("{{\"Type\": \"Notification\", \"Message\": \"{canary}\"}}"),
        format!("\"{canary}{}\"", " ".repeat(MAX_BODY)),
        deep,
        nested,
        "null".to_owned(),
        "7".to_owned(),
    ];
    for body in bodies {
        let error = parse(&body).expect_err("malformed");
        assert!(!format!("{error} {error:?}").contains(canary), "{error}");
    }
    assert!(matches!(parse(&" ".repeat(MAX_BODY + 1)), Err(ParseError::TooLarge(_))));
    assert_eq!(parse("[]").unwrap().outcome, Relevance::Ignored(Ignored::Empty));
}

#[test]
fn the_pattern_fits_and_lets_every_relevant_sample_through() {
    let pattern = pattern();
    assert!(
        pattern.to_string().len() <= 2_048,
        "{} characters",
        pattern.to_string().len()
    );
    let branches = pattern["$or"].as_array().unwrap();
    let contains = |list: &Value, value: &Value| list.is_null() || list.as_array().unwrap().contains(value);
    for (file, body) in samples() {
        let event: Value = serde_json::from_str(&body).unwrap();
        if event.get("detail").is_none_or(Value::is_string) {
            continue;
        }
        let is_let_through = branches.iter().any(|branch| {
            contains(&branch["source"], &event["source"])
                && contains(&branch["detail-type"], &event["detail-type"])
                && contains(&branch["detail"]["eventName"], &event["detail"]["eventName"])
        });
        let is_relevant = parse(&body).unwrap().outcome == Relevance::Relevant;
        assert!(is_let_through || !is_relevant, "{file}");
    }
}

/// Replaces, removes or wraps the n-th value of a document, depth first.
fn mutate(value: &mut Value, n: &mut usize, with: &Value) {
    if *n == 0 {
        *value = with.clone();
    }
    *n = n.wrapping_sub(1);
    match value {
        Value::Array(list) => list.iter_mut().for_each(|v| mutate(v, n, with)),
        Value::Object(map) => map.values_mut().for_each(|v| mutate(v, n, with)),
        _ => {}
    }
}

fn junk() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        any::<i64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "arn:aws:[a-z0-9]{0,5}:[a-z0-9-]{0,9}:[0-9]{0,12}:[a-z/:-]{0,20}".prop_map(Value::from),
        Just(json!({"items": [null, {"groupId": 7}, {"resourceId": "sg-"}]})),
        Just(json!("service/")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(body in ".{0,200}") {
        let _ = parse(&body);
    }

    #[test]
    fn mutated_samples_never_panic_and_keys_stay_fit(
        pick in any::<prop::sample::Index>(),
        mutations in prop::collection::vec((0..80usize, junk()), 1..4),
    ) {
        let samples = samples();
        let (_, body) = samples.iter().nth(pick.index(samples.len())).unwrap();
        let mut event: Value = serde_json::from_str(body).unwrap();
        for (mut at, with) in mutations {
            mutate(&mut event, &mut at, &with);
        }
        if let Ok(parsed) = parse(&event.to_string()) {
            prop_assert_eq!(parsed.keys.is_empty(), parsed.outcome != Relevance::Relevant);
            for key in parsed.keys {
                prop_assert!(arn::is_account(&key.scope.account) && arn::is_region(&key.scope.region));
                prop_assert!(!key.to_string().chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn truncated_samples_never_panic(pick in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        let samples = samples();
        let (_, body) = samples.iter().nth(pick.index(samples.len())).unwrap();
        let _ = parse(&String::from_utf8_lossy(&body.as_bytes()[..at.index(body.len())]));
    }
}
