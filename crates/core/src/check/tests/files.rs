//! What is found in each file.

use super::{bytes, evaluate, fixture, message, told};
use crate::model::policy::Severity;

#[test]
fn a_task_definition_without_its_secret() {
    let checked = fixture("taskdef-no-secret.json", None);
    assert_eq!(
        told(&checked),
        [
            "fail coder ecs-ephemeral-storage ecs-task-definition coder",
            "fail coder ecs-missing-database-secret ecs-task-definition coder",
        ]
    );
    let finding = &checked.evaluation.findings[0];
    assert_eq!(finding.resource.arn, "file:taskdef-no-secret.json#coder");
    assert_eq!(
        (&*finding.resource.account, &*finding.resource.region),
        ("123456789012", "unknown")
    );
    let said = message(&checked, "ecs-missing-database-secret");
    assert!(
        said.starts_with("a service of coder runs coder, which gets no database secret"),
        "{said}"
    );
    let missing = checked
        .evaluation
        .findings
        .iter()
        .find(|f| f.rule == "ecs-missing-database-secret");
    assert!(
        missing.unwrap().evidence.iter().any(|e| e.field.contains("[coder]")),
        "{missing:?}"
    );
    let remediation = finding.remediation.as_ref().unwrap();
    assert!(remediation.actions.is_empty() && remediation.calls.is_empty() && remediation.blocked_by.is_none());
    assert!(
        !remediation.summary.contains(['\u{1}', '\u{2}']),
        "{}",
        remediation.summary
    );
}

#[test]
fn a_url_in_plain_text_is_durable_and_told_once() {
    let checked = fixture("taskdef-plaintext-url.json", Some("coder"));
    assert_eq!(told(&checked), Vec::<String>::new(), "the application has its database");
    let said = message(&checked, "ecs-plaintext-database-url");
    assert!(said.contains("CODER_PG_CONNECTION_URL in coder"), "{said}");
}

#[test]
fn a_described_definition_is_known_by_its_tags_and_revision() {
    let checked = fixture("described.json", None);
    assert_eq!(told(&checked), Vec::<String>::new(), "what can't be told is no finding");
    assert!(checked.unchecked.rules["ecs-secret-reference-mismatch"].contains("coder:17"));
    assert!(checked.evaluation.workloads.contains_key("coder-prod"));
    assert!(checked.snapshot.errors.is_empty());
}

#[test]
fn the_form_of_a_reference_can_be_told() {
    let checked = fixture("containers-partial-arn.json", None);
    assert_eq!(
        told(&checked),
        ["fail containers-partial-arn ecs-secret-reference-mismatch ecs-task-definition containers-partial-arn"]
    );
    let said = message(&checked, "ecs-secret-reference-mismatch");
    assert!(
        said.contains("the six-character suffix of coder/postgres/url is missing"),
        "{said}"
    );
}

#[test]
fn keys_may_be_spelled_as_terraform_or_go_do() {
    for text in [
        r#"{"family": "x", "container_definitions": [{"Name": "a", "Image": "b", "Secrets": [{"Name": "DATABASE_URL", "ValueFrom": "/x"}]}]}"#,
        r#"[{"name": "a", "image": "b", "secrets": [{"name": "DATABASE_URL", "value_from": "/x"}]}]"#,
    ] {
        let checked = evaluate("x.json", text.as_bytes(), None).unwrap();
        assert_eq!(told(&checked), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_new_stack_in_nested_modules() {
    let checked = fixture("plan-coder-new.json", None);
    let secret = r#"module.stack["prod"].aws_secretsmanager_secret.url"#;
    assert_eq!(
        told(&checked),
        [format!(
            "fail coder secret-malformed-url secretsmanager-secret {secret}"
        )],
        "the group of the service, two modules away, is allowed to reach the database"
    );
    let said = message(&checked, "secret-malformed-url");
    assert!(
        said.contains("the port stands twice") && said.contains(&format!("coder/postgres-url ({secret})")),
        "{said}"
    );
    let unchecked = &checked.unchecked;
    let service = r#"module.stack["prod"].aws_ecs_service.coder"#;
    assert!(
        unchecked.rules["ecs-missing-database-secret"].contains(service),
        "{unchecked:?}"
    );
    let gap = r#"module.stack["prod"].aws_ecs_task_definition.coder (container_definitions)"#;
    assert!(unchecked.gaps.contains(gap), "{unchecked:?}");
    assert_eq!(unchecked.gaps.len(), 1, "{unchecked:?}");
    let s = &checked.snapshot;
    let db = &s.instances.as_ref().unwrap()[r#"module.stack["prod"].module.database.aws_db_instance.this"#];
    assert_eq!(
        db.security_groups,
        [r#"module.stack["prod"].module.database.aws_security_group.db"#]
    );
    assert_eq!(
        db.subnets,
        [0, 1].map(|n| format!(r#"module.stack["prod"].module.network.aws_subnet.private[{n}]"#))
    );
    assert_eq!(
        db.vpc.as_deref(),
        Some(r#"module.stack["prod"].module.network.aws_vpc.main"#)
    );
    assert_eq!(db.parameter_groups, ["default.postgres17"]);
    assert!(db.multi_az && db.deletion_protection && db.storage_encrypted && db.auto_minor_upgrade);
    assert_eq!(
        (db.allocated_storage, db.max_allocated_storage, db.backup_retention_days),
        (20, Some(100), 14)
    );
    assert_eq!(s.scope.region, "us-east-1");
    let services = s.services.as_ref().unwrap();
    let one = services.values().next().unwrap();
    assert!(one.circuit_breaker && one.circuit_breaker_rollback && one.fargate && !one.assign_public_ip);
    assert_eq!(one.security_groups, [r#"module.stack["prod"].aws_security_group.app"#]);
}

#[test]
fn a_plan_without_tags_is_the_workload_of_its_file_or_of_the_one_who_asks() {
    for (asked, name) in [(None, "plan-no-secret"), (Some("coder"), "coder")] {
        let checked = fixture("plan-no-secret.json", asked);
        assert_eq!(
            told(&checked),
            [
                format!("fail {name} ecs-ephemeral-storage ecs-service aws_ecs_service.coder"),
                format!("fail {name} ecs-missing-database-secret ecs-service aws_ecs_service.coder"),
            ],
            "the worker has its secret; migrations are no services"
        );
        let said = message(&checked, "ecs-missing-database-secret");
        let expected = "aws_ecs_service.coder runs aws_ecs_task_definition.coder, which gets no database secret";
        assert!(said.starts_with(expected), "{said}");
        assert!(checked.unchecked.rules["ecs-secret-reference-mismatch"].contains("aws_ecs_task_definition.worker"));
        assert_eq!(checked.snapshot.scope.region, "us-west-2", "by way of a variable");
        assert!(
            checked
                .snapshot
                .services
                .as_ref()
                .unwrap()
                .values()
                .all(|s| s.assign_public_ip)
        );
    }
}

#[test]
fn a_database_opened_for_a_migration() {
    let checked = fixture("plan-stacktracker.json", None);
    assert_eq!(
        told(&checked),
        [
            "fail stacktracker rds-open-ingress ec2-security-group aws_security_group.db",
            "fail stacktracker rds-public-access rds-db-instance aws_db_instance.migration",
            "fail stacktracker rds-short-backup-retention rds-db-instance aws_db_instance.migration",
        ],
        "what is destroyed, forgotten or deposed is left out; what is replaced is as it will be"
    );
    let said = message(&checked, "rds-open-ingress");
    assert!(
        said.contains("tcp 5432 from 203.0.113.7/32") && said.contains("all protocols from ::/0"),
        "{said}"
    );
    assert!(
        !said.contains("tcp 22") && said.contains("reach the database aws_db_instance.migration"),
        "{said}"
    );
    let open = checked
        .evaluation
        .findings
        .iter()
        .find(|f| f.rule == "rds-open-ingress")
        .unwrap();
    assert_eq!(open.severity, Severity::Critical);
    let s = &checked.snapshot;
    let subnets = s.subnets.as_ref().unwrap();
    for name in [r#"aws_subnet.public["a"]"#, r#"aws_subnet.public["b"]"#] {
        assert_eq!(
            subnets[name].internet_gateway.as_deref(),
            Some("aws_internet_gateway.main"),
            "{name}"
        );
        assert_eq!(subnets[name].vpc, "aws_vpc.main");
    }
    assert_eq!(subnets["aws_subnet.inside"].internet_gateway, None);
    let databases = s.instances.as_ref().unwrap();
    assert_eq!(databases.len(), 3, "{:?}", databases.keys());
    let migration = &databases["aws_db_instance.migration"];
    assert!(!migration.storage_encrypted && !migration.auto_minor_upgrade && !migration.deletion_protection);
    assert_eq!(migration.subnets.len(), 2);
    assert!(
        checked
            .unchecked
            .gaps
            .contains("aws_db_instance.restored (storage_encrypted)")
    );
}

/// A window in the tags counts as it does for what exists.
#[test]
fn a_migration_window() {
    let text = String::from_utf8(bytes("plan-stacktracker.json")).unwrap();
    let window = r#""holdfast:workload": "stacktracker", "holdfast:phase": "migrating", "holdfast:migration-until": "2026-11-22T00:00:00Z""#;
    let text = text.replace(r#""holdfast:workload": "stacktracker""#, window);
    let checked = evaluate("plan.json", text.as_bytes(), None).unwrap();
    assert!(
        told(&checked).iter().all(|l| !l.contains("rds-public-access")),
        "{:?}",
        told(&checked)
    );
    assert!(!message(&checked, "rds-open-ingress").contains("203.0.113.7"));
}

#[test]
fn what_exists_is_named_by_its_address_too() {
    for name in ["plan-existing.json", "state.json"] {
        let checked = fixture(name, None);
        assert_eq!(
            told(&checked),
            [
                "fail tiktimer rds-open-ingress ec2-security-group aws_security_group.db",
                "fail tiktimer rds-short-backup-retention rds-db-instance aws_db_instance.main",
                "fail tiktimer secret-wrong-database secretsmanager-secret aws_secretsmanager_secret.url",
            ],
            "{name}"
        );
        let scope = &checked.snapshot.scope;
        assert_eq!(
            (&*scope.account, &*scope.region),
            ("123456789012", "us-east-2"),
            "{name}"
        );
        let said = message(&checked, "rds-open-ingress");
        assert!(
            said.contains("999999999999/sg-0theirs") && !said.contains("sg-0app"),
            "{said}"
        );
    }
    // In a plan the revision is not known yet, although the secret it refers to is.
    let checked = fixture("plan-existing.json", None);
    assert!(checked.unchecked.gaps.is_empty(), "{:?}", checked.unchecked.gaps);
}

#[test]
fn tags_of_some_leave_others_out_unless_they_are_named() {
    let text = String::from_utf8(bytes("plan-stacktracker.json")).unwrap();
    let mut plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    for change in plan["resource_changes"].as_array_mut().unwrap() {
        if ["aws_security_group.db", "aws_db_instance.replaced"].contains(&change["address"].as_str().unwrap()) {
            for tags in ["tags", "tags_all"] {
                change["change"]["after"][tags] = serde_json::json!({"team": "x"});
            }
        }
    }
    let text = plan.to_string();
    let checked = evaluate("plan.json", text.as_bytes(), None).unwrap();
    let nameless: Vec<&String> = checked.unchecked.nameless.iter().collect();
    assert_eq!(
        nameless,
        ["aws_db_instance.replaced"],
        "a tagged database refers to the group"
    );
    assert!(
        !checked
            .evaluation
            .findings
            .iter()
            .any(|f| f.resource.id == "aws_db_instance.replaced" && !f.rule.starts_with("plan-")),
        "what the plan does to it needs no tag"
    );
    let named = evaluate("plan.json", text.as_bytes(), Some("stacktracker")).unwrap();
    assert!(named.unchecked.nameless.is_empty());
    assert_eq!(told(&named), told(&checked));
}

/// No value of a secret comes out: not in findings, not in what is not checked, not in errors.
#[test]
fn no_password_comes_out() {
    for name in [
        "taskdef-plaintext-url.json",
        "plan-coder-new.json",
        "plan-existing.json",
        "state.json",
        "plan-stacktracker.json",
        "plan-unknown.json",
    ] {
        let checked = fixture(name, None);
        let findings = serde_json::to_string(&checked.evaluation.findings).unwrap();
        for text in [
            findings,
            format!("{:?}", checked.snapshot),
            format!("{:?}", checked.unchecked),
        ] {
            assert!(!text.contains("fixture-password"), "{name}: {text}");
        }
        // Nor out of a file that breaks off in the middle of one.
        let whole = String::from_utf8(bytes(name)).unwrap();
        let cut = whole.find("fixture-password").map_or(20, |at| at + 10);
        let error = evaluate(name, &whole.as_bytes()[..cut], None).unwrap_err().to_string();
        assert!(!error.contains("fixture"), "{error}");
    }
}

#[test]
fn what_is_no_such_file() {
    for (text, words) in [
        ("{\n  \"family\": \"x\",\n  oops\n}", "line 3 column 3"),
        ("", "line 1 column 0"),
        ("{}", "expected a task definition"),
        ("[]", "expected a task definition"),
        ("[1]", "expected a task definition"),
        ("\"x\"", "expected a task definition"),
        ("null", "expected a task definition"),
        (
            r#"{"format_version": "0.3", "planned_values": {}}"#,
            "format_version is 0.3",
        ),
        (r#"{"format_version": "1.2"}"#, "neither `planned_values` nor `values`"),
        (
            r#"{"version": 4, "terraform_version": "1.11.4", "lineage": "x", "resources": []}"#,
            "raw Terraform state",
        ),
        (
            "{\"@level\":\"info\",\"@message\":\"x\"}\n{\"@level\":\"info\",\"@message\":\"y\"}",
            "log of `terraform plan -json`",
        ),
        ("PK\u{3}\u{4}", "saved plan"),
    ] {
        let error = evaluate("x.json", text.as_bytes(), None)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    let error = evaluate("x.json", b"{\xff}", None).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("byte 1 is not UTF-8"), "{error}");
}

#[test]
fn what_powershell_writes_is_read() {
    let text = String::from_utf8(bytes("taskdef-no-secret.json")).unwrap();
    let mut wide = vec![0xff, 0xfe];
    wide.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let marked = [&[0xef, 0xbb, 0xbf], text.as_bytes()].concat();
    for bytes in [wide, marked] {
        assert_eq!(told(&evaluate("x.json", &bytes, None).unwrap()).len(), 2);
    }
}

#[test]
fn containers_that_can_not_be_read_are_unknown() {
    let text = String::from_utf8(bytes("plan-no-secret.json")).unwrap();
    let broken = text.replace(
        r#""container_definitions": "[{\"name\": \"coder\""#,
        r#""container_definitions": "[{"#,
    );
    assert_ne!(text, broken);
    let checked = evaluate("plan.json", broken.as_bytes(), Some("coder")).unwrap();
    assert_eq!(
        told(&checked),
        [
            "unknown coder ecs-ephemeral-storage ecs-service aws_ecs_service.coder",
            "unknown coder ecs-missing-database-secret ecs-service aws_ecs_service.coder",
            "unknown coder ecs-secret-reference-mismatch ecs-service aws_ecs_service.coder",
            "unknown coder secret-malformed-url workload coder",
        ]
    );
    assert_eq!(checked.snapshot.errors.len(), 1);
    let error = checked.snapshot.errors.first().unwrap();
    assert!(error.message.contains("column"), "{error}");
}
