//! A report for tests: one finding of each kind, and names that try to break out of every format.

use std::sync::Arc;

use holdfast_core::action::{Action, Call, ClosePublicAccess};
use holdfast_core::finding::{Evidence, Finding, Kind, Passed, Remediation, ResourceRef, Verdict, finding_id};
use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::key::Scope;
use holdfast_core::model::policy::{Mode, Risk, Severity};
use holdfast_core::model::snapshot::ReadError;
use holdfast_core::model::tags::Waiver;
use holdfast_core::rules::{self, Rule};
use jiff::Timestamp;
use serde_json::json;

use super::model::Report;

/// Breaks out of HTML, of a Markdown table and link and of an XML attribute, and mentions people.
pub(crate) const NASTY: &str =
    "<script>alert(1)</script> | [x](http://evil) \"quoted\" & 'so' @team #1 `tick ]]> \u{7}";

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn scope() -> Scope {
    Scope {
        account: "123456789012".into(),
        region: "us-east-1".into(),
    }
}

fn finding(rule: &str, severity: Severity, verdict: Verdict, resource: ResourceRef, message: &str) -> Finding {
    let meta = rules::find(rule).map(Rule::meta);
    Finding {
        id: finding_id(rule, &resource),
        rule: rule.into(),
        severity,
        verdict,
        workload: "shop".into(),
        phase: "migrated".into(),
        resource,
        message: message.into(),
        evidence: vec![],
        observed_at: at("2026-11-21T08:00:00Z"),
        first_seen: at("2026-11-21T08:00:00Z"),
        remediation: None,
        controls: meta.map_or(vec![], |m| m.controls.iter().map(|c| (*c).to_owned()).collect()),
        waiver: None,
        caused_by: None,
        untold: false,
        place: None,
    }
}

fn by_hand(summary: &str) -> Remediation {
    Remediation {
        summary: summary.into(),
        risk: Risk::Manual,
        calls: vec![],
        blocked_by: None,
        actions: vec![],
    }
}

fn close(blocked_by: Option<HoldReason>) -> Remediation {
    let parameters = json!({"DBInstanceIdentifier": "shop-db", "PubliclyAccessible": false});
    Remediation {
        summary: "set PubliclyAccessible=false on shop-db".into(),
        risk: Risk::Brief,
        calls: vec![Call {
            service: "rds".into(),
            operation: "ModifyDBInstance".into(),
            parameters,
        }],
        blocked_by,
        actions: vec![Action::ClosePublicAccess(ClosePublicAccess {
            instance: "shop-db".into(),
        })],
    }
}

/// The report.
#[allow(clippy::too_many_lines, reason = "one report, from top to bottom")]
pub(crate) fn report() -> Report {
    let s = scope();
    let database = ResourceRef::new(
        Kind::RdsDbInstance,
        "shop-db",
        "arn:aws:rds:us-east-1:123456789012:db:shop-db",
        &s,
    );
    let service = ResourceRef::new(
        Kind::EcsService,
        "main/shop",
        "arn:aws:ecs:us-east-1:123456789012:service/main/shop",
        &s,
    );
    let group = ResourceRef::new(
        Kind::Ec2SecurityGroup,
        "sg-1",
        "arn:aws:ec2:us-east-1:123456789012:security-group/sg-1",
        &s,
    );
    let secret = ResourceRef::new(
        Kind::SecretsmanagerSecret,
        "shop/url",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/url-AbC123",
        &s,
    );
    let (fail, critical) = (Verdict::Fail, Severity::Critical);

    let malformed = Finding {
        evidence: vec![Evidence::new("faults", json!(["the port stands twice"]), json!([]))],
        remediation: Some(by_hand("write the value of shop/url anew")),
        ..finding(
            "secret-malformed-url",
            critical,
            fail,
            secret,
            "the database secret shop/url is malformed",
        )
    };
    let shadow = Finding {
        caused_by: Some(malformed.id.clone()),
        remediation: Some(by_hand("correct the secret")),
        ..finding(
            "ecs-missing-database-secret",
            Severity::High,
            fail,
            service.clone(),
            "main/shop gets no usable database secret",
        )
    };
    let open = Finding {
        evidence: vec![Evidence::new("IpRanges", json!(["0.0.0.0/0"]), json!([]))],
        remediation: Some(close(Some(HoldReason::CutsOff(vec!["main/shop".into()])))),
        ..finding(
            "rds-open-ingress",
            critical,
            fail,
            group,
            "sg-1 lets the world reach shop-db",
        )
    };
    let unknown = Finding {
        evidence: vec![Evidence::new("ecs:DescribeTaskDefinition", "AccessDenied", "an answer")],
        ..finding(
            "ecs-secret-reference-mismatch",
            critical,
            Verdict::Unknown,
            service,
            "main/shop can't be judged: ecs:DescribeTaskDefinition was refused",
        )
    };
    let waived = Finding {
        evidence: vec![Evidence::new("PubliclyAccessible", true, false)],
        remediation: Some(close(None)),
        waiver: Some(Waiver {
            until: at("2026-12-31T00:00:00Z"),
            reason: NASTY.into(),
        }),
        ..finding(
            "rds-public-access",
            critical,
            Verdict::Waived,
            database.clone(),
            "shop-db is publicly accessible, and no migration window is open",
        )
    };
    let other = ResourceRef::new(
        Kind::RdsDbInstance,
        "wiki-db",
        "arn:aws:rds:us-east-1:123456789012:db:wiki-db",
        &s,
    );
    let short = Finding {
        workload: "wiki".into(),
        evidence: vec![Evidence::new("BackupRetentionPeriod", 1, 7)],
        remediation: Some(close(None)),
        ..finding(
            "rds-short-backup-retention",
            Severity::High,
            fail,
            other,
            &format!("wiki-db {NASTY} keeps backups for 1 day"),
        )
    };

    let mut report = Report::new(Mode::Audit, at("2026-11-21T08:00:00Z"));
    report.finished_at = at("2026-11-21T08:00:02.5Z");
    report.scope.accounts.insert(s.account);
    report.scope.regions.insert(s.region);
    (report.scope.workloads, report.scope.resources) = (3, 9);
    report.findings = vec![malformed, shadow, open, unknown, waived, short];
    holdfast_core::evaluate::sort(&mut report.findings);
    report.passed = ["shop", "calm"]
        .iter()
        .map(|workload| Passed {
            rule: "rds-short-backup-retention",
            workload: (*workload).into(),
            resource: database.clone(),
        })
        .collect();
    let s = &mut report.summary;
    (s.pass, s.fail, s.waived, s.unknown) = (2, 4, 1, 1);
    s.consequences = 1;
    s.by_severity.insert(critical, 2);
    s.by_severity.insert(Severity::High, 2);
    report.errors.push(Arc::new(ReadError {
        service: "ecs".into(),
        operation: "DescribeTaskDefinition".into(),
        resource: "shop:2".into(),
        code: "AccessDenied".into(),
        message: "not allowed; grant ecs:DescribeTaskDefinition <b> | x".into(),
    }));
    report.stats.api_calls.insert("rds:DescribeDBInstances".into(), 2);
    report.stats.duration_ms = 2500;
    report
}
