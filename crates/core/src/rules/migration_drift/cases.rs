//! What `migration-drift` says, and of what it says nothing.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::model::resources::{DeployedImage, Deployment, StartCommand};
use crate::model::snapshot::Snapshot;
use crate::rules::testing::migrations::{MIGRATION, definition, family, migrates, never_ran, refers, run};
use crate::rules::testing::workload::{REVISION, SECRET, ago, clean, denied, evaluated_by, now, running, service};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("another tag", |s| { run(s).images.insert("migrate".into(), "example.com/shop:2".into()); }),
        Case::new("the tag was moved", |s| deployed(s, "sha256:aa", "sha256:bb")),
        Case::new("another repository", |s| { run(s).images.insert("migrate".into(), "example.com/store:1".into()); }),
        Case::new("only the sidecar is the same", |s| { run(s).images.insert("migrate".into(), "example.com/shop:2".into()); let shipper = definition(s).containers[1].clone(); running(s).containers.push(shipper); }),
        Case::new("no command of its own", |s| definition(s).containers[0].start = StartCommand::default()),
        Case::new("no command of its own, not run", |s| { never_ran(s); definition(s).containers[0].start = StartCommand::default(); }).and_unknown(&["migration-failed"]),
        Case::new("the application's command", |s| { let serve = StartCommand::new(&[], &["serve".to_owned()], &[]); definition(s).containers[0].start = serve.clone(); running(s).containers[0].start = serve; }),
        Case::new("another tag, not run", |s| { never_ran(s); definition(s).containers[0].image = "example.com/shop:2".into(); }).and_unknown(&["migration-failed"]),
        Case::new("another secret", |s| refers(s, "arn:aws:secretsmanager:us-east-1:123456789012:secret:old-url-AbC123")),
        Case::new("a secret made anew", |s| refers(s, &SECRET.replace("AbC123", "XyZ789"))),
        Case::new("a parameter", |s| refers(s, "/shop/url")),
        Case::new("the secret before", |s| refers(s, &format!("{SECRET}::AWSPREVIOUS:"))),
        Case::new("no secret", |s| definition(s).containers[0].secrets.clear()),
        Case::new("other subnets", |s| run(s).subnets.push("subnet-9".into())),
        Case::new("other groups", |s| run(s).security_groups = vec!["sg-9".into()]),
    ],
    passing: &[
        Case::new("by another name of the same registry", |s| { run(s).images.insert("migrate".into(), "docker.io/library/shop".into()); running(s).containers[0].image = "shop:latest".into(); }),
        Case::new("another tag of the same digest", |s| { deployed(s, "sha256:aa", "sha256:aa"); run(s).images.insert("migrate".into(), "example.com/shop:2".into()); }),
        Case::new("a digest that only one is known by", |s| { run(s).digests.insert("migrate".into(), "sha256:aa".into()); }),
        Case::new("a deployment since the run gives the service its image", |s| rolls_out(s, 1)),
        Case::new("a command chosen by a variable", |s| { definition(s).containers[0].start = StartCommand::new(&[], &[], &[("APP_MODE".into(), "migrate")]); running(s).containers[0].start = StartCommand::new(&[], &[], &[("APP_MODE".into(), "web")]); }),
        Case::new("a command given when it was run", |s| { definition(s).containers[0].start = StartCommand::default(); run(s).own_command = true; }),
        Case::new("an image of its own that needs no command", |s| {
            definition(s).containers[0].start = StartCommand::default();
            definition(s).containers[0].image = "example.com/migrate:1".into();
            run(s).images.insert("migrate".into(), "example.com/migrate:1".into());
            run(s).digests.insert("migrate".into(), "sha256:aa".into());
            deployed(s, "sha256:aa", "sha256:aa");
        }),
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
        Case::new("a digest, and only a tag to compare it with", |s| { run(s).images.insert("migrate".into(), "example.com/shop@sha256:abc".into()); }),
        Case::new("its groups", |s| { run(s).security_groups.clear(); run(s).unread_groups = Some(denied("DescribeNetworkInterfaces")); }),
        Case::new("its revision", |s| { never_ran(s); s.task_definitions.insert(MIGRATION.into(), Err(denied("DescribeTaskDefinition"))); }).and_unknown(&["migration-failed"]),
        Case::new("its revision, not read", |s| { never_ran(s); s.task_definitions.remove(MIGRATION); }).and_unknown(&["migration-failed"]),
        Case::new("services", |s| { migrates(s); run(s).started_at = Some(ago(72)); run(s).stopped_at = Some(ago(72)); s.services = Err(denied("DescribeServices")); }).besides(Unread::Services),
        Case::new("what the service runs", |s| { migrates(s); run(s).started_at = Some(ago(72)); run(s).stopped_at = Some(ago(72)); s.task_definitions.insert(REVISION.into(), Err(denied("DescribeTaskDefinition"))); }).besides(Unread::Revision),
    ],
    unread: &[],
};

/// The digests that the migration ran with, and the service runs.
fn deployed(s: &mut Snapshot, ran: &str, runs: &str) {
    run(s).digests.insert("migrate".into(), ran.into());
    let deployed = DeployedImage {
        service: service(s).arn.clone(),
        container: running(s).containers[0].name.clone(),
        digest: runs.into(),
    };
    family(s).deployed.push(deployed);
}

/// The migration ran with another image than what runs, and a deployment so many minutes ago gives the service that image.
fn rolls_out(s: &mut Snapshot, minutes: i64) {
    run(s).images.insert("migrate".into(), "example.com/shop:2".into());
    let mut next = running(s).clone();
    next.arn = REVISION.replace(":1", ":9");
    assert_ne!(next.arn, REVISION);
    next.containers[0].image = "example.com/shop:2".into();
    let deployment = Deployment {
        id: "ecs-svc/9".into(),
        status: "ACTIVE".into(),
        task_definition: next.arn.clone(),
        rollout_state: None,
        rollout_reason: None,
        desired_count: 1,
        running_count: 0,
        failed_tasks: 0,
        created_at: Some(now() - SignedDuration::from_mins(minutes)),
        updated_at: None,
    };
    service(s).deployments.push(deployment);
    s.task_definitions.insert(next.arn.clone(), Ok(Arc::new(next)));
}

/// What a deployment from before the run gives the service says nothing about the run.
#[test]
fn an_older_deployment_does_not_count() {
    let mut s = clean();
    rolls_out(&mut s, 60);
    let evaluation = evaluated_by(&s, &["migration-drift"]);
    assert!(
        evaluation.findings[0].message.contains("has another image than"),
        "{:#?}",
        evaluation.findings
    );
}

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
