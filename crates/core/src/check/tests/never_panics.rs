//! Whatever is in a file, evaluating it ends, and says something.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{bytes, evaluate};

const FIXTURES: &[&str] = &[
    "taskdef-no-secret.json",
    "taskdef-plaintext-url.json",
    "described.json",
    "containers-partial-arn.json",
    "plan-coder-new.json",
    "plan-no-secret.json",
    "plan-stacktracker.json",
    "plan-existing.json",
    "plan-unknown.json",
    "state.json",
];

/// Every place in a value, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{n}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, item) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(item, &format!("{at}/{key}"), found);
            }
        }
        _ => {}
    }
}

fn other() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null])),
        Just(json!([[]])),
        Just(json!({"references": ["var.x", "module.a[\"b", "a.b[", ".", "..", "module", "data.x"]})),
        Just(json!([{"references": [1, null]}])),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        any::<String>().prop_map(Value::String),
        "(module\\.|aws_db_instance|\\[|\\]|\"|\\.|\\\\|x|0){0,12}".prop_map(Value::String),
        "arn:aws:[a-z:/]{0,40}".prop_map(Value::String),
        "[{\\[]{0,200}".prop_map(Value::String),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn of_mutated_files(
        name in prop::sample::select(FIXTURES.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), other()), 1..6),
        workload in prop::option::of(".{0,8}"),
    ) {
        let mut file: Value = serde_json::from_slice(&bytes(name)).expect("JSON");
        for (at, value) in changes {
            let mut found = vec![];
            places(&file, "", &mut found);
            let place = at.get(&found).clone();
            if let Some(target) = file.pointer_mut(&place) {
                *target = value;
            }
        }
        if let Ok(checked) = evaluate(name, file.to_string().as_bytes(), workload.as_deref()) {
            for finding in &checked.evaluation.findings {
                let marked = finding.message.contains(['\u{1}', '\u{2}']);
                prop_assert!(!marked, "{}", finding.message);
            }
        }
    }

    #[test]
    fn of_broken_text(name in prop::sample::select(FIXTURES.to_vec()), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut text = bytes(name);
        let at = at.index(text.len());
        if cut {
            text.truncate(at);
        } else {
            text[at] = byte;
        }
        let _ = evaluate(name, &text, None);
    }

    #[test]
    fn of_anything(text in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = evaluate("x", &text, None);
    }
}

#[test]
fn depth_is_bounded() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let error = evaluate("x", deep.as_bytes(), None)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(error.contains("recursion limit"), "{error}");
}
