//! OCSF, which Amazon Security Lake and the larger SIEMs read: one JSON array of events.
//! <https://schema.ocsf.io/1.8.0/classes/compliance_finding>
//!
//! Each finding is a Compliance Finding (class 2003), not a Detection Finding (2004). OCSF defines the first for
//! "results of evaluations performed against resources", with a control, standards and a verdict, and the second for
//! alerts of detection engines, which can't tell fail from unknown. AWS Security Hub reports its controls as 2003 too.
//!
//! | verdict | `compliance.status` | `status` | `status_code` |
//! | --- | --- | --- | --- |
//! | fail | Fail | New | `FAIL` |
//! | waived | Fail | Suppressed | `WAIVED` |
//! | unknown | Unknown | New | `UNKNOWN` |
//!
//! Only fields that 1.5.0 has are used: most readers are of that version.

use holdfast_core::finding::{Finding, Kind, ResourceRef, Verdict};
use holdfast_core::model::policy::Severity;
use holdfast_core::rules;
use serde_json::{Map, Value, json};

use super::groups::cause_of;
use super::model::Report;
use super::phrases::advice;

const VERSION: &str = "1.8.0";
const CLASS: u32 = 2003;
/// `account.type_id` of an AWS account.
const AWS_ACCOUNT: u32 = 10;
/// `user.type_id` of a type that its list does not have.
const OTHER: u32 = 99;
/// `analytic.type_id` of a rule.
const RULE: u32 = 1;

/// The findings of the report, as OCSF events.
#[must_use]
pub fn ocsf(report: &Report) -> String {
    let events: Value = report.findings.iter().map(|f| event(f, report)).collect();
    format!("{events:#}\n")
}

fn severity(severity: Severity) -> (u32, &'static str) {
    match severity {
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

/// The type of the resource in CloudFormation and AWS Config.
fn resource_type(kind: Kind) -> &'static str {
    match kind {
        Kind::RdsDbInstance => "AWS::RDS::DBInstance",
        Kind::RdsDbCluster => "AWS::RDS::DBCluster",
        Kind::Ec2SecurityGroup => "AWS::EC2::SecurityGroup",
        Kind::SecretsmanagerSecret => "AWS::SecretsManager::Secret",
        Kind::EcsService => "AWS::ECS::Service",
        Kind::EcsTaskDefinition => "AWS::ECS::TaskDefinition",
        // Its address says what it is.
        Kind::PlannedResource => "Holdfast::PlannedResource",
        // AWS has no such type.
        Kind::Workload => "Holdfast::Workload",
    }
}

fn event(finding: &Finding, report: &Report) -> Value {
    // The first sighting is a creation. `run` reports a finding again for as long as it is open.
    let (activity, activity_name) = if finding.first_seen < finding.observed_at {
        (2, "Update")
    } else {
        (1, "Create")
    };
    let (status_id, status) = match finding.verdict {
        Verdict::Waived => (3, "Suppressed"),
        Verdict::Fail | Verdict::Unknown => (1, "New"),
    };
    let (severity_id, severity) = severity(finding.severity);
    let ResourceRef { account, region, .. } = &finding.resource;
    let mut out = json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": "Compliance Finding",
        "class_uid": CLASS,
        "type_name": format!("Compliance Finding: {activity_name}"),
        "type_uid": CLASS * 100 + activity,
        "severity": severity,
        "severity_id": severity_id,
        "status": status,
        "status_id": status_id,
        "status_code": finding.verdict.name().to_uppercase(),
        "status_detail": advice(finding),
        "message": finding.message,
        "time": finding.observed_at.as_millisecond(),
        "cloud": {"provider": "AWS", "account": aws_account(account), "region": region},
        "compliance": compliance(finding),
        "finding_info": finding_info(finding, report),
        "resources": [resource(&finding.resource, &finding.workload)],
        "metadata": {
            "version": VERSION,
            "profiles": ["cloud"],
            "product": {
                "name": "Holdfast",
                "vendor_name": "Holdfast",
                "uid": report.tool.name,
                "version": report.tool.version,
            },
            "event_code": finding.rule,
            "logged_time": report.finished_at.as_millisecond(),
        },
        "unmapped": unmapped(finding),
    });
    if let Some(waiver) = &finding.waiver {
        out["comment"] = json!(format!("waived until {}: {}", waiver.until, waiver.reason));
    }
    if let Some(remediation) = &finding.remediation {
        let blocked = remediation
            .blocked_by
            .iter()
            .map(|why| format!("; Holdfast will not: {why}"));
        let desc = format!("{}{}", remediation.summary, blocked.collect::<String>());
        out["remediation"] = json!({"desc": desc});
    }
    out
}

/// Some readers require a name, and Holdfast does not know the alias of the account: the name is its number.
fn aws_account(account: &str) -> Value {
    json!({"uid": account, "name": account, "type": "AWS Account", "type_id": AWS_ACCOUNT})
}

/// The account as the owner of the resources in it.
fn owner(account: &str) -> Value {
    let details = aws_account(account);
    json!({"uid": account, "name": account, "type": "AWS Account", "type_id": OTHER, "account": details})
}

fn resource(resource: &ResourceRef, workload: &str) -> Value {
    let mut out = json!({
        "uid": resource.arn,
        "name": resource.id,
        "type": resource_type(resource.kind),
        "region": resource.region,
        "owner": owner(&resource.account),
        "group": {"name": workload, "type": "workload"},
    });
    // `aws`, `aws-cn`, `aws-us-gov`: the second part of an ARN. A workload has no ARN.
    let partition = resource
        .arn
        .strip_prefix("arn:")
        .and_then(|rest| rest.split(':').next());
    if let Some(partition) = partition {
        out["cloud_partition"] = json!(partition);
    }
    out
}

fn compliance(finding: &Finding) -> Value {
    let (status_id, status) = match finding.verdict {
        // A waiver accepts the failure and does not fix it.
        Verdict::Fail | Verdict::Waived => (3, "Fail"),
        Verdict::Unknown => (0, "Unknown"),
    };
    let mut standards: Vec<&str> = vec![];
    let mut checks = vec![];
    for control in &finding.controls {
        let (standard, uid) = control.split_once(':').unwrap_or(("Holdfast", control));
        if !standards.contains(&standard) {
            standards.push(standard);
        }
        checks.push(json!({"uid": uid, "standards": [standard], "status": status, "status_id": status_id}));
    }
    let details = finding
        .evidence
        .iter()
        .map(|e| format!("{}: {}, expected {}", e.field, e.observed, e.expected));
    let mut out = json!({
        "control": finding.rule,
        "status": status,
        "status_id": status_id,
        "status_code": finding.verdict.name().to_uppercase(),
        "status_details": details.collect::<Vec<_>>(),
    });
    if let Some(meta) = rules::meta(&finding.rule) {
        out["desc"] = json!(meta.summary);
    }
    if !finding.controls.is_empty() {
        out["requirements"] = json!(finding.controls);
        out["standards"] = json!(standards);
        out["checks"] = json!(checks);
    }
    out
}

fn finding_info(finding: &Finding, report: &Report) -> Value {
    let title = rules::meta(&finding.rule).map_or(finding.rule.as_str(), |meta| meta.summary);
    let mut out = json!({
        "uid": finding.id,
        "title": title,
        "desc": finding.message,
        "types": [finding.rule],
        "analytic": {"name": finding.rule, "uid": finding.rule, "type": "Rule", "type_id": RULE},
        "created_time": finding.first_seen.as_millisecond(),
        "first_seen_time": finding.first_seen.as_millisecond(),
        "last_seen_time": finding.observed_at.as_millisecond(),
    });
    if let Some(id) = &finding.caused_by {
        let mut related = Map::new();
        related.insert("uid".into(), json!(id));
        related.insert("type".into(), json!("Compliance Finding: Create"));
        related.insert("type_uid".into(), json!(CLASS * 100 + 1));
        if let Some(cause) = cause_of(report, finding) {
            related.insert(
                "title".into(),
                json!(format!("{} on {}", cause.rule, cause.resource.id)),
            );
            related.insert(
                "desc".into(),
                json!(format!("the cause of this one: {}", cause.message)),
            );
        }
        out["related_events"] = json!([related]);
    }
    out
}

/// What OCSF has no field for, under the names of the JSON report.
fn unmapped(finding: &Finding) -> Value {
    json!({
        "verdict": finding.verdict,
        "workload": finding.workload,
        "phase": finding.phase,
        "resource_kind": finding.resource.kind,
        "evidence": finding.evidence,
        "remediation": finding.remediation,
        "waiver": finding.waiver,
        "caused_by": finding.caused_by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn events() -> Vec<Value> {
        serde_json::from_str(&ocsf(&sample::report())).expect("an array")
    }

    fn of_rule(rule: &str) -> Value {
        let all = events();
        all.iter()
            .find(|e| e["metadata"]["event_code"] == rule)
            .expect("an event")
            .clone()
    }

    #[test]
    fn one_event_in_full() {
        insta::assert_snapshot!(format!("{:#}", of_rule("rds-short-backup-retention")));
    }

    #[test]
    fn verdicts_stay_apart() {
        let statuses = |rule| {
            let e = of_rule(rule);
            format!(
                "{} {} {}",
                e["compliance"]["status_id"], e["status_id"], e["status_code"]
            )
        };
        assert_eq!(statuses("rds-open-ingress"), r#"3 1 "FAIL""#);
        assert_eq!(statuses("rds-public-access"), r#"3 3 "WAIVED""#);
        assert_eq!(statuses("ecs-secret-reference-mismatch"), r#"0 1 "UNKNOWN""#);
        let comment = format!("waived until 2026-12-31T00:00:00Z: {}", sample::NASTY);
        assert_eq!(of_rule("rds-public-access")["comment"], comment);
    }

    #[test]
    fn controls_become_standards_and_requirements() {
        let compliance = &of_rule("rds-public-access")["compliance"];
        assert_eq!(
            compliance["standards"],
            json!(["SecurityHub", "CIS-AWS-5.0", "CIS-AWS-6.0", "Config"])
        );
        assert_eq!(compliance["checks"][2]["uid"], "3.2.3");
        assert!(of_rule("secret-malformed-url")["compliance"].get("standards").is_none());
    }

    #[test]
    fn a_consequence_names_its_cause() {
        let related = &of_rule("ecs-missing-database-secret")["finding_info"]["related_events"][0];
        assert_eq!(related["uid"], of_rule("secret-malformed-url")["finding_info"]["uid"]);
        assert_eq!(related["title"], "secret-malformed-url on shop/url");
    }

    #[test]
    fn no_findings_are_an_empty_array() {
        let mut report = sample::report();
        report.findings.clear();
        assert_eq!(ocsf(&report), "[]\n");
    }
}
