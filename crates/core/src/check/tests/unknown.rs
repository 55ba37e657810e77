//! Values that are known only after apply are neither good nor bad.

use super::{bytes, evaluate, fixture, told};

#[test]
fn what_is_not_known_is_no_verdict() {
    let checked = fixture("plan-unknown.json", None);
    assert_eq!(
        told(&checked),
        ["fail shop rds-short-backup-retention rds-db-cluster aws_rds_cluster.aurora"],
        "only the cluster's retention is known"
    );
    let rules = &checked.unchecked.rules;
    assert!(rules["rds-public-access"].contains("aws_db_instance.main"), "{rules:?}");
    assert!(
        rules["rds-short-backup-retention"].contains("aws_db_instance.main"),
        "{rules:?}"
    );
    assert!(rules["rds-open-ingress"].contains("aws_security_group.db"), "{rules:?}");
    for gap in [
        "aws_db_instance.main (publicly_accessible)",
        "aws_db_instance.main (storage_encrypted)",
        "aws_db_instance.main (backup_retention_period)",
        "aws_security_group.db (ingress)",
        "aws_security_group_rule.cidr (cidr_blocks)",
        "aws_rds_cluster.aurora (vpc_security_group_ids)",
        "aws_ecs_service.shop (task_definition)",
        "aws_ecs_service.shop (network_configuration.security_groups)",
        "aws_secretsmanager_secret_version.url (secret_string)",
    ] {
        assert!(
            checked.unchecked.gaps.contains(gap),
            "{gap}: {:?}",
            checked.unchecked.gaps
        );
    }
    assert!(checked.snapshot.errors.is_empty());
    let members = &checked.snapshot.clusters.as_ref().unwrap()["aws_rds_cluster.aurora"].members;
    assert_eq!(members, &["aws_rds_cluster_instance.aurora[0]"]);
}

/// A source that is not known takes nothing away from one that is.
#[test]
fn what_is_known_fails_beside_what_is_not() {
    let text = String::from_utf8(bytes("plan-unknown.json")).unwrap();
    let text = text
        .replace("\"from_port\": 22,", "\"from_port\": 1,")
        .replace("\"to_port\": 22", "\"to_port\": 65535");
    let checked = evaluate("plan.json", text.as_bytes(), None).unwrap();
    let open = checked
        .evaluation
        .findings
        .iter()
        .find(|f| f.rule == "rds-open-ingress")
        .unwrap();
    assert!(open.message.contains("198.51.100.0/24"), "{}", open.message);
    assert!(!open.message.contains("not known"), "{}", open.message);
}

/// A plan from which a tool took the configuration: references are gone, what is known stays.
#[test]
fn without_configuration() {
    let mut plan: serde_json::Value = serde_json::from_slice(&bytes("plan-stacktracker.json")).unwrap();
    plan.as_object_mut().unwrap().remove("configuration");
    let checked = evaluate("plan.json", plan.to_string().as_bytes(), None).unwrap();
    assert_eq!(
        told(&checked),
        ["fail stacktracker rds-public-access rds-db-instance aws_db_instance.migration"]
    );
    assert!(
        checked
            .unchecked
            .gaps
            .contains("aws_db_instance.migration (vpc_security_group_ids)")
    );
    // Only resource changes, or only planned values.
    for (gone, kept) in [
        ("planned_values", "rds-public-access"),
        ("resource_changes", "rds-public-access"),
    ] {
        let mut plan: serde_json::Value = serde_json::from_slice(&bytes("plan-stacktracker.json")).unwrap();
        plan.as_object_mut().unwrap().remove(gone);
        let checked = evaluate("plan.json", plan.to_string().as_bytes(), None).unwrap();
        assert!(told(&checked).iter().any(|l| l.contains(kept)), "{gone}");
    }
}

/// References that lead in circles end.
#[test]
fn circles_end() {
    let mut plan: serde_json::Value = serde_json::from_slice(&bytes("plan-coder-new.json")).unwrap();
    let database = "/configuration/root_module/module_calls/stack/module/module_calls/database";
    let group = plan
        .pointer_mut(&format!("{database}/expressions/client_group"))
        .unwrap();
    *group = serde_json::json!({"references": ["module.database.address", "module.database"]});
    let output = plan
        .pointer_mut(&format!("{database}/module/outputs/address/expression"))
        .unwrap();
    *output = serde_json::json!({"references": ["var.client_group"]});
    let checked = evaluate("plan.json", plan.to_string().as_bytes(), None).unwrap();
    assert!(
        checked.unchecked.rules.contains_key("rds-open-ingress"),
        "{:?}",
        checked.unchecked
    );
}
