//! A large Terraform plan.

use std::fmt::Write as _;

const OTHERS: [&str; 4] = [
    "aws_cloudwatch_log_group",
    "aws_iam_role",
    "aws_ssm_parameter",
    "aws_route53_record",
];

/// One in fifty is a database, another one its group.
fn kind(n: usize) -> &'static str {
    match n % 50 {
        0 => "aws_db_instance",
        1 => "aws_security_group",
        n => OTHERS[n % OTHERS.len()],
    }
}

/// A plan of so many changes, with its configuration: databases that refer to groups, log groups, parameters, and what no
/// rule is about. Every hundredth is a loss.
pub fn large_plan(changes: usize) -> String {
    let mut text = String::from(r#"{"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": ["#);
    for n in 0..changes {
        let kind = kind(n);
        let (actions, after) = match n % 100 {
            0 => (r#"["delete"]"#, "null"),
            _ => (
                r#"["update"]"#,
                r#"{"backup_retention_period": 7, "deletion_protection": true, "storage_encrypted": true, "tags": {"team": "a"}}"#,
            ),
        };
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(
            text,
            r#"{comma}{{"address": "{kind}.x{n}", "mode": "managed", "type": "{kind}", "name": "x{n}",
            "provider_name": "registry.terraform.io/hashicorp/aws", "change": {{"actions": {actions},
            "before": {{"id": "id-{n}", "backup_retention_period": 7, "deletion_protection": true, "storage_encrypted": true,
            "skip_final_snapshot": true, "tags": {{"team": "a"}}}}, "after": {after},
            "after_unknown": {{"vpc_security_group_ids": true}}}}}}"#
        );
    }
    text.push_str(r#"], "configuration": {"root_module": {"resources": ["#);
    for n in 0..changes {
        let kind = kind(n);
        let comma = if n == 0 { "" } else { "," };
        let group = n - n % 50 + 1;
        let _ = write!(
            text,
            r#"{comma}{{"address": "{kind}.x{n}", "mode": "managed", "type": "{kind}", "name": "x{n}", "expressions":
            {{"vpc_security_group_ids": {{"references": ["aws_security_group.x{group}.id", "aws_security_group.x{group}"]}}}}}}"#
        );
    }
    text.push_str("]}}}");
    text
}
