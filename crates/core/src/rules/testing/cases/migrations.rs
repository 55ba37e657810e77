//! Schema migrations: failed, drifted, missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{REVISION, SECRET, clean, denied, judged_by, now, running, service, shop, strict};
use super::{Area, Change};
use crate::model::finding::Verdict;
use crate::model::resources::{Container, MigrationFamily, TaskDefinition, TaskRun};
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;

const FAILED: &str = "migration-failed";
const DRIFT: &str = "migration-drift";
const MISSING: &str = "migration-missing";

const FAMILY: &str = "shop-migrate";
const MIGRATION: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop-migrate:3";
const IMAGE: &str = "example.com/shop:1";

/// Gives the workload a migration that ran well a quarter of an hour ago.
fn migrates(s: &mut Snapshot) {
    let mut definition = running(s).clone();
    (definition.arn, definition.family, definition.revision) = (MIGRATION.into(), FAMILY.into(), 3);
    definition.containers[0].name = "migrate".into();
    definition.containers.push(Container {
        name: "shipper".into(),
        image: "example.com/shipper:4".into(),
        ..Container::default()
    });
    s.task_definitions.insert(MIGRATION.into(), Ok(Arc::new(definition)));
    let run = TaskRun {
        arn: "arn:aws:ecs:us-east-1:123456789012:task/main/1".into(),
        cluster: "main".into(),
        task_definition: MIGRATION.into(),
        last_status: "STOPPED".into(),
        started_at: Some(now() - jiff::SignedDuration::from_mins(15)),
        stopped_at: Some(now() - jiff::SignedDuration::from_mins(14)),
        stop_code: Some("EssentialContainerExited".into()),
        stopped_reason: Some("Essential container in task exited".into()),
        exit_codes: BTreeMap::from([("migrate".into(), Some(0)), ("shipper".into(), Some(0))]),
        images: BTreeMap::from([
            ("migrate".into(), IMAGE.into()),
            ("shipper".into(), "example.com/shipper:4".into()),
        ]),
        subnets: vec!["subnet-1".into()],
        security_groups: vec!["sg-app".into()],
        ..TaskRun::default()
    };
    let family = MigrationFamily {
        family: FAMILY.into(),
        revision: MIGRATION.into(),
        tags: shop(&[("role", "migration")]),
        last_run: Some(run),
        unread: None,
    };
    s.migrations = Ok([(FAMILY.to_owned(), family)].into());
}

fn family(s: &mut Snapshot) -> &mut MigrationFamily {
    if s.migrations.as_ref().is_ok_and(Shared::is_empty) {
        migrates(s);
    }
    s.migrations.as_mut().expect("read").get_mut(FAMILY).expect("there")
}

fn run(s: &mut Snapshot) -> &mut TaskRun {
    family(s).last_run.as_mut().expect("a run")
}

fn definition(s: &mut Snapshot) -> &mut TaskDefinition {
    family(s);
    Arc::make_mut(
        s.task_definitions
            .get_mut(MIGRATION)
            .expect("there")
            .as_mut()
            .expect("read"),
    )
}

fn refers(s: &mut Snapshot, value_from: &str) {
    definition(s).containers[0].secrets[0].value_from = value_from.into();
}

fn exits(s: &mut Snapshot, container: &str, code: Option<i32>) {
    run(s).exit_codes.insert(container.into(), code);
}

fn ends(s: &mut Snapshot, code: &str, reason: &str) {
    (run(s).stop_code, run(s).stopped_reason) = (Some(code.into()), Some(reason.into()));
}

fn still(s: &mut Snapshot, status: &str, minutes: i64) {
    let run = run(s);
    (run.last_status, run.stop_code, run.stopped_at) = (status.into(), None, None);
    run.started_at = Some(now() - jiff::SignedDuration::from_mins(minutes));
    run.exit_codes.values_mut().for_each(|code| *code = None);
}

fn never_ran(s: &mut Snapshot) {
    family(s).last_run = None;
}

/// What fails, and the rules that say so.
#[rustfmt::skip]
const FAILING: &[(&str, Change, &[&str])] = &[
    ("exit code 1", |s| exits(s, "migrate", Some(1)), &[FAILED]),
    ("out of memory", |s| { exits(s, "migrate", Some(137)); run(s).reasons.insert("migrate".into(), "OutOfMemoryError: Container killed".into()); }, &[FAILED]),
    ("an image that is not there", |s| { ends(s, "TaskFailedToStart", "CannotPullContainerError: not found"); exits(s, "migrate", None); }, &[FAILED]),
    ("stopped by hand", |s| ends(s, "UserInitiated", "by alice"), &[FAILED]),
    ("Spot", |s| ends(s, "SpotInterruption", "Your Spot Task was interrupted."), &[FAILED]),
    ("no exit code", |s| exits(s, "migrate", None), &[FAILED]),
    ("no container", |s| { s.task_definitions.remove(MIGRATION); run(s).exit_codes.clear(); family(s).revision = REVISION.into(); }, &[FAILED]),
    ("it does not end", |s| still(s, "RUNNING", 11), &[FAILED]),
    ("it does not begin", |s| still(s, "PENDING", 11), &[FAILED]),
    ("another tag", |s| { run(s).images.insert("migrate".into(), "example.com/shop:2".into()); }, &[DRIFT]),
    ("a digest", |s| { run(s).images.insert("migrate".into(), "example.com/shop@sha256:abc".into()); }, &[DRIFT]),
    ("another tag, not run", |s| { never_ran(s); definition(s).containers[0].image = "example.com/shop:2".into(); }, &[DRIFT]),
    ("another secret", |s| refers(s, "arn:aws:secretsmanager:us-east-1:123456789012:secret:old-url-AbC123"), &[DRIFT]),
    ("a secret made anew", |s| refers(s, &SECRET.replace("AbC123", "XyZ789")), &[DRIFT]),
    ("a parameter", |s| refers(s, "/shop/url"), &[DRIFT]),
    ("the secret before", |s| refers(s, &format!("{SECRET}::AWSPREVIOUS:")), &[DRIFT]),
    ("no secret", |s| definition(s).containers[0].secrets.clear(), &[DRIFT]),
    ("other subnets", |s| run(s).subnets.push("subnet-9".into()), &[DRIFT]),
    ("other groups", |s| run(s).security_groups = vec!["sg-9".into()], &[DRIFT]),
    ("failed and other", |s| { exits(s, "migrate", Some(2)); run(s).subnets = vec!["subnet-9".into()]; }, &[FAILED, DRIFT]),
    ("no family", |s| strict(s), &[MISSING]),
];

/// What passes.
#[rustfmt::skip]
const PASSING: &[(&str, Change)] = &[
    ("as it should be", |s| migrates(s)),
    ("a family, as required", |s| { migrates(s); strict(s); }),
    ("no family, and none required", |_| {}),
    ("a sidecar that failed", |s| exits(s, "shipper", Some(1))),
    ("still running", |s| still(s, "RUNNING", 9)),
    ("about to stop", |s| still(s, "DEPROVISIONING", 9)),
    ("no run known", |s| never_ran(s)),
    ("a run without a stop code", |s| run(s).stop_code = None),
    ("another key of the same secret", |s| refers(s, &format!("{SECRET}:admin::"))),
    ("the current stage by name", |s| refers(s, &format!("{SECRET}::AWSCURRENT:"))),
    ("the secret without its suffix", |s| refers(s, SECRET.strip_suffix("-AbC123").expect("a suffix"))),
    ("a parameter by name and by ARN", |s| {
        refers(s, "/shop/url");
        running(s).containers[0].secrets[0].value_from = "arn:aws:ssm:us-east-1:123456789012:parameter/shop/url".into();
    }),
    ("a service without a secret", |s| { migrates(s); running(s).containers[0].secrets.clear(); }),
    ("no interface any more", |s| { run(s).subnets.clear(); run(s).security_groups.clear(); }),
    ("a service without awsvpc", |s| { migrates(s); service(s).subnets.clear(); service(s).security_groups.clear(); }),
    ("no service to compare with", |s| { run(s).images.clear(); service(s).status = "INACTIVE".into(); }),
];

/// What can't be told, and the rules that say so.
#[rustfmt::skip]
const UNKNOWN: &[(&str, Change, &[&str])] = &[
    ("families", |s| s.migrations = Err(denied("GetResources")), &[FAILED, DRIFT]),
    ("families, where one is required", |s| { strict(s); s.migrations = Err(denied("GetResources")); }, &[FAILED, DRIFT, MISSING]),
    ("its runs", |s| { never_ran(s); family(s).unread = Some(denied("ListTasks")); }, &[FAILED, DRIFT]),
    ("its groups", |s| { run(s).security_groups.clear(); run(s).unread_groups = Some(denied("DescribeNetworkInterfaces")); }, &[DRIFT]),
    ("its revision", |s| { never_ran(s); s.task_definitions.insert(MIGRATION.into(), Err(denied("DescribeTaskDefinition"))); }, &[DRIFT]),
    ("its revision, not read", |s| { never_ran(s); s.task_definitions.remove(MIGRATION); }, &[DRIFT]),
    ("services", |s| { migrates(s); s.services = Err(denied("DescribeServices")); }, &[DRIFT]),
    ("what the service runs", |s| { migrates(s); s.task_definitions.insert(REVISION.into(), Err(denied("DescribeTaskDefinition"))); }, &[DRIFT]),
];

/// The area.
pub(super) const AREA: Area = Area {
    rules: &[FAILED, DRIFT, MISSING],
    failing: FAILING,
    passing: PASSING,
    unknown: UNKNOWN,
};

/// A failed migration is found where nothing else carries the workload's tag, and told by what went wrong.
#[test]
fn told() {
    let mut s = clean();
    exits(&mut s, "migrate", Some(137));
    run(&mut s).reasons.insert(
        "migrate".into(),
        "OutOfMemoryError: Container killed due to memory usage".into(),
    );
    s.services = Ok(Shared::new());
    s.instances = Ok(Shared::new());
    s.secrets = Ok(Shared::new());
    s.security_groups = Ok(Shared::new());
    let judged = judged_by(&s, &[FAILED, DRIFT]);
    let [finding] = judged.findings.as_slice() else {
        panic!("{:#?}", judged.findings);
    };
    assert_eq!(
        (finding.verdict, finding.resource.id.as_str()),
        (Verdict::Fail, "shop-migrate:3")
    );
    assert_eq!(finding.resource.arn, MIGRATION);
    assert_eq!(
        finding.message,
        "the migration shop-migrate:3 failed: its container migrate was killed (exit code 137) (OutOfMemoryError: \
         Container killed due to memory usage)"
    );
}

/// Each difference is named, with both sides.
#[test]
fn differences_are_named() {
    let mut s = clean();
    run(&mut s).subnets = vec!["subnet-9".into()];
    run(&mut s).images.insert("migrate".into(), "example.com/shop:2".into());
    let judged = judged_by(&s, &[DRIFT]);
    let finding = &judged.findings[0];
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
