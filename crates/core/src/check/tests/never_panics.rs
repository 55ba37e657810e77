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
    "ShopStack.template.json",
    "change-set.json",
];

/// Templates in YAML: mutated as text.
const YAML: &[&str] = &["stack.yaml"];

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
        Just(json!({"Ref": "Db7D4D1F0A"})),
        Just(json!({"Fn::GetAtt": ["DbSecret685A0FA5", {"Ref": "AWS::Region"}]})),
        Just(json!({"Fn::Sub": ["${a}${!b}${Db.x}${", {"a": {"Ref": "a"}}]})),
        Just(json!({"Fn::Join": ["", [{"Fn::Split": [",", "a,b"]}, {"Ref": "AWS::NoValue"}]]})),
        Just(json!({"Fn::If": ["CDKMetadataAvailable", {"Ref": "x"}, []]})),
        Just(json!({"Fn::Select": [9, {"Fn::GetAZs": ""}]})),
        Just(json!({"Fn::FindInMap": ["Parameters", "BootstrapVersion", "Type", {"DefaultValue": []}]})),
        "\\{\\{resolve:[a-z:]{0,9}(\\}\\})?\u{3}?\u{4}?@?(://)?".prop_map(Value::String),
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
    fn of_broken_text(name in prop::sample::select([FIXTURES, YAML].concat()), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
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
    fn of_texts_of_yaml(lines in prop::collection::vec("[ ]{0,8}(Resources|Type|Db|Properties|- |!Ref |!Sub |!GetAtt |!If |&a |\\*a|<<|Fn::Sub|AWS::RDS::DBInstance|: |\\{|\\}|\\[|\\]|,|'|\"|\\||>|#|%|@|x){0,6}", 0..30)) {
        let text = format!("Resources:\n  A:\n    Type: AWS::RDS::DBInstance\n{}", lines.join("\n"));
        let _ = evaluate("x.yaml", text.as_bytes(), None);
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
    let deep = format!("Resources: {}", "!Ref [".repeat(10_000));
    let error = evaluate("x", deep.as_bytes(), None)
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("nested deeper") || error.contains("recursion limit"),
        "{error}"
    );
    // Deep in a parameter's default, or in a context of a change set.
    let inner = format!("{}{}", "[".repeat(100), "]".repeat(100)).replace('"', "");
    let text = format!(
        r#"{{"Resources": {{"Db": {{"Type": "AWS::RDS::DBInstance", "Properties": {{"DBName": {inner}}}}}}}}}"#
    );
    assert!(evaluate("x", text.as_bytes(), None).is_ok());
}
