//! What `migration-drift` says, and of what it says nothing.

use crate::rules::testing::migrations::{MIGRATION, definition, migrates, never_ran, refers, run};
use crate::rules::testing::workload::{REVISION, SECRET, ago, clean, denied, evaluated_by, running, service};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("another tag", |s| { run(s).images.insert("migrate".into(), "example.com/shop:2".into()); }),
        Case::new("a digest", |s| { run(s).images.insert("migrate".into(), "example.com/shop@sha256:abc".into()); }),
        Case::new("another tag, not run", |s| { never_ran(s); definition(s).containers[0].image = "example.com/shop:2".into(); }),
        Case::new("another secret", |s| refers(s, "arn:aws:secretsmanager:us-east-1:123456789012:secret:old-url-AbC123")),
        Case::new("a secret made anew", |s| refers(s, &SECRET.replace("AbC123", "XyZ789"))),
        Case::new("a parameter", |s| refers(s, "/shop/url")),
        Case::new("the secret before", |s| refers(s, &format!("{SECRET}::AWSPREVIOUS:"))),
        Case::new("no secret", |s| definition(s).containers[0].secrets.clear()),
        Case::new("other subnets", |s| run(s).subnets.push("subnet-9".into())),
        Case::new("other groups", |s| run(s).security_groups = vec!["sg-9".into()]),
    ],
    passing: &[
        Case::new("another key of the same secret", |s| refers(s, &format!("{SECRET}:admin::"))),
        Case::new("the current stage by name", |s| refers(s, &format!("{SECRET}::AWSCURRENT:"))),
        Case::new("the secret without its suffix", |s| refers(s, SECRET.strip_suffix("-AbC123").expect("a suffix"))),
        Case::new("a parameter by name and by ARN", |s| {
            refers(s, "/shop/url");
            running(s).containers[0].secrets[0].value_from = "arn:aws:ssm:us-east-1:123456789012:parameter/shop/url".into();
        }).and_unknown(&["ecs-secret-reference-mismatch", "ecs-secret-unreadable", "rds-abandoned", "secret-malformed-url", "secret-no-tls", "secret-uses-master-user", "secret-wrong-database"]),
        Case::new("a service without a secret", |s| { migrates(s); running(s).containers[0].secrets.clear(); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("no interface any more", |s| { run(s).subnets.clear(); run(s).security_groups.clear(); }),
        Case::new("a service without awsvpc", |s| { migrates(s); service(s).subnets.clear(); service(s).security_groups.clear(); }),
        Case::new("no service to compare with", |s| { run(s).images.clear(); service(s).status = "INACTIVE".into(); }),
    ],
    unknown: &[
        Case::new("its groups", |s| { run(s).security_groups.clear(); run(s).unread_groups = Some(denied("DescribeNetworkInterfaces")); }),
        Case::new("its revision", |s| { never_ran(s); s.task_definitions.insert(MIGRATION.into(), Err(denied("DescribeTaskDefinition"))); }),
        Case::new("its revision, not read", |s| { never_ran(s); s.task_definitions.remove(MIGRATION); }),
        Case::new("services", |s| { run(s).started_at = Some(ago(72)); s.services = Err(denied("DescribeServices")); }).besides(Unread::Services),
        Case::new("what the service runs", |s| { run(s).started_at = Some(ago(72)); s.task_definitions.insert(REVISION.into(), Err(denied("DescribeTaskDefinition"))); }).besides(Unread::Revision),
    ],
    unread: &[],
};

/// Each difference is named, with both sides.
#[test]
fn differences_are_named() {
    let mut s = clean();
    run(&mut s).subnets = vec!["subnet-9".into()];
    run(&mut s).images.insert("migrate".into(), "example.com/shop:2".into());
    let evaluation = evaluated_by(&s, &["migration-drift"]);
    let finding = &evaluation.findings[0];
    assert_eq!(
        finding.message,
        "the migration shop-migrate:3 has another image, subnets than main/shop"
    );
    let subnets = finding.evidence.iter().find(|e| e.field == "subnets").expect("subnets");
    assert_eq!(
        (&subnets.observed, &subnets.expected),
        (&serde_json::json!(["subnet-9"]), &serde_json::json!(["subnet-1"]))
    );
}
