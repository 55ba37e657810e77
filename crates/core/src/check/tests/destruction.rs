//! Plans that lose data, and ordinary ones: none of the first is missed, and the second are silent.

use serde_json::{Value, json};

use super::super::{AllowedChange, CheckOptions, CheckedFile, check};
use super::now;
use super::plans::{
    DESTROYS, LOSES, change_set, deletes, modifies, ordinary, plan, planted, removes, replaces, updates,
};
use crate::config::Config;
use crate::finding::Verdict;

fn evaluate(file: &Value, allowed: &[AllowedChange]) -> CheckedFile {
    let options = CheckOptions {
        workload: Some("shop"),
        allowed,
    };
    check(
        "plan.json",
        file.to_string().as_bytes(),
        options,
        &Config::default(),
        now(),
    )
    .expect("a plan")
}

fn told(checked: &CheckedFile) -> Vec<(Verdict, &str, &str)> {
    let about = |f: &&crate::finding::Finding| f.rule.starts_with("plan-");
    let findings = checked.evaluation.findings.iter().filter(about);
    findings
        .map(|f| (f.verdict, f.rule.as_str(), f.message.as_str()))
        .collect()
}

#[test]
fn no_planted_destruction_is_missed() {
    let all = planted();
    assert!(all.len() >= 60, "{}", all.len());
    for (name, rule, file) in &all {
        let checked = evaluate(file, &[]);
        let told = told(&checked);
        assert!(
            matches!(told.as_slice(), [(Verdict::Fail, found, _)] if found == rule),
            "{name}: {told:?}"
        );
    }
}

#[test]
fn ordinary_plans_are_silent() {
    let all = ordinary();
    assert!(all.len() >= 40, "{}", all.len());
    for (name, file) in &all {
        let checked = evaluate(file, &[]);
        assert_eq!(told(&checked), [], "{name}");
        assert!(
            checked.snapshot.errors.is_empty(),
            "{name}: {:?}",
            checked.snapshot.errors
        );
    }
}

#[test]
fn what_is_not_told_is_unknown() {
    let retention = json!({"backup_retention_period": 7});
    let deferred = json!({"format_version": "1.2", "resource_changes": [], "deferred_changes": [{
        "reason": "provider_config_unknown",
        "resource_change": {"address": "aws_efs_file_system.a", "type": "aws_efs_file_system", "mode": "managed", "change": {"actions": ["delete"]}},
    }]});
    for (name, rule, words, file) in [
        (
            "known after apply",
            LOSES,
            "known only after apply",
            plan(
                "aws_db_instance",
                &["update"],
                &retention,
                &json!({}),
                &json!({"after_unknown": {"backup_retention_period": true}}),
            ),
        ),
        ("deferred", DESTROYS, "later plan", deferred),
        (
            "conditional",
            DESTROYS,
            "may replace",
            modifies("AWS::RDS::DBInstance", "Conditional", "ReplaceAndDelete", "Port"),
        ),
        (
            "dynamic",
            DESTROYS,
            "Action: Dynamic",
            change_set(
                &json!({"Action": "Dynamic", "LogicalResourceId": "Store", "ResourceType": "AWS::EFS::FileSystem"}),
            ),
        ),
        (
            "a nested stack",
            DESTROYS,
            "all that it holds",
            removes("AWS::CloudFormation::Stack", Some("Delete")),
        ),
        (
            "no values",
            LOSES,
            "--include-property-values",
            change_set(&json!({
                "Action": "Modify", "LogicalResourceId": "Store", "ResourceType": "AWS::RDS::DBInstance", "Replacement": "False",
                "Details": [{"Target": {"Attribute": "Properties", "Name": "BackupRetentionPeriod", "RequiresRecreation": "Never"}}],
            })),
        ),
    ] {
        let checked = evaluate(&file, &[]);
        let told = told(&checked);
        assert!(
            matches!(told.as_slice(), [(Verdict::Unknown, found, said)] if *found == rule && said.contains(words)),
            "{name}: {told:?}"
        );
    }
}

#[test]
fn a_file_that_has_not_all_changes_says_so() {
    let mut plan = deletes("aws_instance", &json!({}));
    plan["errored"] = json!(true);
    let mut pages = removes("AWS::EC2::Instance", Some("Delete"));
    pages["NextToken"] = json!("x");
    for (file, words) in [(plan, "ended with an error"), (pages, "more pages")] {
        let checked = evaluate(&file, &[]);
        let errors: Vec<&str> = checked.snapshot.errors.iter().map(|e| e.message.as_str()).collect();
        assert!(matches!(errors.as_slice(), [one] if one.contains(words)), "{errors:?}");
    }
}

#[test]
fn the_finding_names_the_field_and_how_to_keep_it() {
    let before = json!({"identifier": "shop-db", "skip_final_snapshot": true, "password": "fixture-password"});
    let checked = evaluate(&replaces("aws_db_instance", &before, "kms_key_id"), &[]);
    let finding = checked.evaluation.findings.iter().find(|f| f.rule == DESTROYS).unwrap();
    assert_eq!(
        finding.message,
        "the plan replaces the database aws_db_instance.main (shop-db) because of kms_key_id, no final snapshot is taken: \
         skip_final_snapshot is true"
    );
    assert_eq!(finding.resource.arn, "file:plan.json#aws_db_instance.main");
    assert_eq!(finding.workload, "shop");
    let fields: Vec<&str> = finding.evidence.iter().map(|e| e.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "action",
            "replace_paths",
            "skip_final_snapshot",
            "final_snapshot_identifier"
        ]
    );
    let summary = &finding.remediation.as_ref().unwrap().summary;
    assert!(summary.starts_with("undo the change of kms_key_id"), "{summary}");
    assert!(summary.contains("skip_final_snapshot = false"), "{summary}");
    assert!(!format!("{checked:?}").contains("fixture-password"));
}

/// The hash in a finding's advice.
fn allowance(checked: &CheckedFile) -> AllowedChange {
    let summary = &checked
        .evaluation
        .findings
        .iter()
        .find(|f| f.rule.starts_with("plan-"))
        .unwrap();
    let summary = &summary.remediation.as_ref().unwrap().summary;
    let (_, rest) = summary.split_once("--allow-destroy '").expect("an allowance");
    rest.split_once('\'')
        .expect("its end")
        .0
        .parse()
        .expect("what is printed is what is taken")
}

#[test]
fn one_change_is_allowed_and_no_other() {
    let skipped = json!({"identifier": "shop-db", "skip_final_snapshot": true});
    let file = replaces("aws_db_instance", &skipped, "kms_key_id");
    let allowed = allowance(&evaluate(&file, &[]));
    let checked = evaluate(&file, std::slice::from_ref(&allowed));
    assert_eq!(told(&checked), []);
    assert!(checked.allowed.contains(&allowed));
    // Planned again, it is the same change; another field, another action, another object are not.
    for other in [
        replaces("aws_db_instance", &skipped, "engine"),
        deletes("aws_db_instance", &skipped),
        replaces(
            "aws_db_instance",
            &json!({"identifier": "other", "skip_final_snapshot": true}),
            "kms_key_id",
        ),
        plan(
            "aws_db_instance",
            &["delete"],
            &skipped,
            &Value::Null,
            &json!({"deposed": "0a1b2c3d"}),
        ),
    ] {
        let checked = evaluate(&other, std::slice::from_ref(&allowed));
        assert!(checked.allowed.is_empty());
        assert_eq!(told(&checked).len(), 1);
        let summary = &checked
            .evaluation
            .findings
            .iter()
            .find(|f| f.rule == DESTROYS)
            .unwrap()
            .remediation;
        assert!(summary.as_ref().unwrap().summary.contains("that of another change"));
    }
    // What is allowed for one rule is not for the other.
    let loses = updates("aws_db_instance", "deletion_protection", &json!(true), &json!(false));
    assert_ne!(allowance(&evaluate(&loses, &[])).hash, allowed.hash);
}

#[test]
fn the_configuration_turns_it_off_and_sets_its_severity() {
    let file = deletes("aws_efs_file_system", &json!({}));
    let mut config = Config::default();
    let rule = config.rules.entry(DESTROYS.into()).or_default();
    rule.severity = Some(crate::model::policy::Severity::Low);
    let text = file.to_string();
    let found = check("plan.json", text.as_bytes(), CheckOptions::default(), &config, now()).unwrap();
    assert_eq!(found.evaluation.findings[0].severity.as_str(), "low");
    config.rules.entry(DESTROYS.into()).or_default().enabled = Some(false);
    let found = check("plan.json", text.as_bytes(), CheckOptions::default(), &config, now()).unwrap();
    assert_eq!(told(&found), []);
}

/// As the CLI prints it, with values.
#[test]
fn a_change_set_with_its_values() {
    let checked = super::fixture("change-set.json", None);
    let messages: Vec<&str> = checked.evaluation.findings.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the change set deletes the file system Uploads (fs-0a1b2c3d), with its data",
            "the change set replaces the database Database (shop-database-1a2b3c) because of StorageEncrypted, the old one \
             is deleted with its data",
            "the change set changes the database Database (shop-database-1a2b3c): automated backups are kept for fewer days \
             (BackupRetentionPeriod: 14 to 7)",
        ]
    );
    let workloads: Vec<&str> = checked
        .evaluation
        .findings
        .iter()
        .map(|f| f.workload.as_str())
        .collect();
    assert_eq!(workloads, ["change-set", "shop", "shop"], "tags come first");
    let scope = &checked.snapshot.scope;
    assert_eq!((&*scope.account, &*scope.region), ("123456789012", "eu-west-1"));
    assert!(!format!("{checked:?}").contains("fixture-password"));
}
