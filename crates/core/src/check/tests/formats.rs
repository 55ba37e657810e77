//! Forms of files that people have at hand.

use super::{evaluate, fixture, message, told};
use crate::check::CheckedFile;

fn definition(family: &str) -> String {
    format!(
        r#"{{"family": "{family}", "requiresCompatibilities": ["FARGATE"], "executionRoleArn": "arn:aws:iam::111122223333:role/exec",
        "containerDefinitions": [{{"name": "app", "image": "shop:1", "secrets": [
            {{"name": "DATABASE_URL", "valueFrom": "arn:aws:secretsmanager:us-east-1:111122223333:secret:shop/db-AbCdEf"}}]}}]}}"#
    )
}

fn definitions(checked: &CheckedFile) -> usize {
    checked.snapshot.task_definitions.len()
}

#[test]
fn lists_wrappers_and_single_containers() {
    let (one, other) = (definition("shop"), definition("billing"));
    let container = r#"{"name": "app", "image": "shop:1", "secrets": [{"name": "DATABASE_URL",
        "valueFrom": "arn:aws:secretsmanager:us-east-1:111122223333:secret:shop/db-AbCdEf"}]}"#;
    for (text, n) in [
        (one.clone(), 1),
        (format!(r#"{{"taskDefinition": {one}, "tags": []}}"#), 1),
        (format!(r#"{{"taskDefinitions": [{one}]}}"#), 1),
        (format!(r#"{{"taskDefinitions": [{one}, {other}]}}"#), 2),
        (format!(r#"{{"taskDefinitions": [{{"taskDefinition": {one}}}]}}"#), 1),
        (format!("[{one}, {other}]"), 2),
        (format!("[{container}]"), 1),
        (container.to_owned(), 1),
    ] {
        let checked = evaluate("x.json", text.as_bytes(), None).unwrap();
        assert_eq!(definitions(&checked), n, "{text}");
        assert!(checked.evaluation.passes > 0, "{text}");
        assert_eq!(told(&checked), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn definitions_of_a_list_are_told_apart() {
    let plain = r#"{"containerDefinitions": [{"name": "a", "image": "b", "environment": [
        {"name": "DATABASE_URL", "value": "postgres://u:fixture-password@h:5432/d"}]}]}"#;
    let checked = evaluate(
        "defs.json",
        format!(r#"{{"taskDefinitions": [{plain}, {plain}]}}"#).as_bytes(),
        None,
    )
    .unwrap();
    let ids: std::collections::BTreeSet<&str> = checked
        .evaluation
        .findings
        .iter()
        .map(|f| f.resource.id.as_str())
        .collect();
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["defs[0]", "defs[1]"]);
}

#[test]
fn a_definition_in_yaml() {
    let text = "family: shop\nrequiresCompatibilities: [FARGATE]\ncontainerDefinitions:\n  - name: app\n    image: shop:1\n    \
                environment:\n      - name: DATABASE_URL\n        value: postgres://u:fixture-password@h:5432/d\n";
    let checked = evaluate("taskdef.yaml", text.as_bytes(), None).unwrap();
    let finding = checked
        .evaluation
        .findings
        .iter()
        .find(|f| f.rule == "ecs-plaintext-database-url")
        .expect("a password in plain text");
    assert_eq!(
        finding.place.as_ref().map(|p| (p.file.as_str(), p.line)),
        Some(("taskdef.yaml", 4))
    );
    assert!(!format!("{finding:?}").contains("fixture-password"));
}

#[test]
fn a_plan_of_old_and_one_that_was_thinned_out() {
    let resource = r#""values": {"identifier": "shop", "engine": "postgres", "backup_retention_period": 0, "storage_encrypted": true, "publicly_accessible": true}"#;
    for (version, named) in [
        ("0.1", r#""type": "aws_db_instance", "name": "main","#),
        ("0.2", r#""type": "aws_db_instance", "name": "main","#),
        ("1.2", r#""type": "aws_db_instance","#),
        ("1.2", ""),
    ] {
        let text = format!(
            r#"{{"format_version": "{version}", "planned_values": {{"root_module": {{"resources": [
                {{"address": "aws_db_instance.main", {named} {resource}}}]}}}}}}"#
        );
        let checked = evaluate("plan.json", text.as_bytes(), None).unwrap();
        assert_eq!(
            told(&checked),
            [
                "fail plan rds-public-access rds-db-instance aws_db_instance.main",
                "fail plan rds-short-backup-retention rds-db-instance aws_db_instance.main",
            ],
            "{version} {named}"
        );
    }
    let nothing = r#"{"format_version": "1.2", "planned_values": {"root_module": {"resources": [{"values": {"engine": "postgres"}}]}}}"#;
    let checked = evaluate("plan.json", nothing.as_bytes(), None).unwrap();
    let error = checked.snapshot.errors.first().expect("what could not be read");
    assert!(error.message.contains("no address"), "{error}");
}

#[test]
fn what_is_refused_by_name() {
    for (text, words) in [
        (
            "{\n  // the family\n  \"family\": \"x\"\n}",
            "JSON with comments is not supported: strip them first (there is one on line 2)",
        ),
        ("// a file\n{\"family\": \"x\"}", "JSON with comments"),
        ("{\"family\": \"x\" /* why */}", "JSON with comments"),
        ("{\"family\": \"x\", # why\n}", "JSON with comments"),
        ("{\"family\": \"http://x\", oops}", "line 1 column"),
        ("services:\n  web:\n    image: nginx\n", "Compose file"),
        (r#"{"services": {"web": {"build": "."}}}"#, "Compose file"),
        ("apiVersion: v1\nkind: Pod\n", "Kubernetes"),
        ("a: [1\n", "not valid YAML"),
        ("a: b\n", "not recognised"),
        ("resource \"aws_db_instance\" \"x\" {}\n", "expected a task definition"),
    ] {
        let error = evaluate("x", text.as_bytes(), None)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

/// A file that held something, of which nothing can be told, is no pass.
#[test]
fn nothing_evaluated_is_not_well() {
    let text = r#"{"format_version": "1.2", "resource_changes": [{"address": "aws_ecs_task_definition.a", "mode": "managed",
        "type": "aws_ecs_task_definition", "name": "a",
        "change": {"actions": ["create"], "before": null, "after": {"family": "a"}, "after_unknown": {"container_definitions": true}}}]}"#;
    let checked = evaluate("plan.json", text.as_bytes(), None).unwrap();
    let told: Vec<&str> = checked.snapshot.errors.iter().map(|e| e.message.as_str()).collect();
    assert!(
        matches!(told.as_slice(), [one] if one.contains("nothing in it could be evaluated")),
        "{told:?}"
    );
    // Nothing to evaluate is well.
    let text = r#"{"format_version": "1.2", "resource_changes": [{"address": "aws_sns_topic.a", "mode": "managed",
        "type": "aws_sns_topic", "name": "a", "change": {"actions": ["create"], "before": null, "after": {}}}]}"#;
    assert!(
        evaluate("plan.json", text.as_bytes(), None)
            .unwrap()
            .snapshot
            .errors
            .is_empty()
    );
}

#[test]
fn advice_is_in_the_words_of_the_file() {
    let checked = fixture("plan-stacktracker.json", None);
    let summary = |rule: &str| {
        let finding = checked
            .evaluation
            .findings
            .iter()
            .find(|f| f.rule == rule)
            .expect("a finding");
        finding.remediation.as_ref().expect("advice").summary.clone()
    };
    assert_eq!(
        summary("rds-public-access"),
        "set publicly_accessible = false on aws_db_instance.migration"
    );
    assert_eq!(
        summary("rds-short-backup-retention"),
        "set backup_retention_period = 7 on aws_db_instance.migration"
    );
    assert!(!message(&checked, "rds-public-access").is_empty());
}
