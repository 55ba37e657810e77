//! What `ecs-stale-secret` says, and of what it says nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::connection::SecretShape;
use crate::model::policy::Severity;
use crate::model::resources::{Deployment, TaskStart, VersionDates};
use crate::model::snapshot::Snapshot;
use crate::rules::testing::secrets::{good, other, secret};
use crate::rules::testing::workload::{ROLE, SECRET, SERVICE, ago, denied, holds, now, refer, running, service, web};
use crate::rules::testing::{Case, Cases, Unread, finding_by, refusal};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a version of yesterday, and tasks of last week", |s| { rotated(s, ago(24)); started(s, &[ago(150)]); }),
        Case::new("one task of two", |s| { rotated(s, ago(24)); started(s, &[ago(150), ago(1)]); }),
        Case::new("a secret that is no connection", |s| {
            other(s);
            let mut key = web(s).secrets[0].clone();
            (key.name, key.value_from) = ("API_KEY".into(), crate::rules::testing::secrets::OTHER.into());
            web(s).secrets.push(key);
            let found = crate::model::snapshot::Lookup::Found(crate::rules::testing::secrets::OTHER.into());
            s.lookups.insert(crate::rules::testing::secrets::OTHER.into(), Ok(found));
            s.access.insert((ROLE.into(), crate::rules::testing::secrets::OTHER.into()), Ok(crate::model::resources::Access::Allowed));
            rotated(s, ago(200));
            rotated_of(s, crate::rules::testing::secrets::OTHER, ago(24));
            started(s, &[ago(150)]);
        }),
        Case::new("while a new deployment replaces them", |s| {
            rotated(s, ago(24));
            deployed_again(s);
            started(s, &[ago(150), now()]);
        }),
        Case::new("nothing is known of its deployments", |s| { rotated(s, ago(24)); service(s).deployments[0].created_at = None; started(s, &[ago(150)]); }),
    ],
    passing: &[
        Case::new("tasks that started after it", |s| { rotated(s, ago(24)); started(s, &[ago(23), ago(2)]); }),
        Case::new("a new tag of an old secret", |s| { rotated(s, ago(24)); s.versions.insert(SECRET.into(), Ok(dates(ago(200)))); s.task_starts.clear(); }),
        Case::new("an older secret than the deployment, of which nothing was read", |s| { secret(s, SECRET).changed_at = Some(ago(200)); s.versions.clear(); s.task_starts.clear(); }),
        Case::new("a version that is pinned", |s| {
            rotated(s, ago(24));
            started(s, &[ago(150)]);
            let pinned = format!("{SECRET}::AWSPREVIOUS:");
            refer(s, &pinned, Some(SECRET));
        }).and_fail(&["ecs-secret-reference-mismatch"]),
        Case::new("no task runs", |s| { rotated(s, ago(24)); started(s, &[]); service(s).running_count = 0; service(s).deployments[0].running_count = 0; service(s).desired_count = 0; service(s).deployments[0].desired_count = 0; }),
        Case::new("after it was deployed again", |s| {
            rotated(s, ago(24));
            service(s).deployments[0].created_at = Some(ago(2));
            (s.versions, s.task_starts) = Default::default();
        }),
        Case::new("a log driver's secret", |s| {
            let option = web(s).secrets.remove(0);
            web(s).secret_options.push(option);
            rotated(s, ago(24));
        }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret", "rds-abandoned"]),
    ],
    unknown: &[
        Case::new("the versions", |s| { rotated(s, ago(24)); s.versions.insert(SECRET.into(), Err(denied("ListSecretVersionIds"))); }),
        Case::new("the tasks", |s| { rotated(s, ago(24)); s.task_starts.insert(SERVICE.into(), Err(denied("ListTasks"))); }),
        Case::new("neither was read", |s| { rotated(s, ago(24)); s.versions.clear(); }),
        Case::new("a task that started while the secret was rotated", |s| {
            rotated(s, ago(24));
            secret(s, SECRET).rotation.last = Some(ago(24) + SignedDuration::from_mins(2));
            started(s, &[ago(24) + SignedDuration::from_mins(1)]);
        }),
        Case::new("a task that fetched it meanwhile", |s| {
            rotated(s, ago(24));
            let (created, started) = (ago(24) - SignedDuration::from_secs(30), ago(24) + SignedDuration::from_secs(30));
            s.task_starts.insert(SERVICE.into(), Ok(vec![TaskStart { created, started }]));
        }),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff],
};

fn dates(current: Timestamp) -> VersionDates {
    let previous = Some(ago(200));
    VersionDates { current, previous }
}

/// The current version of the workload's secret was created at `at`.
fn rotated(s: &mut Snapshot, at: Timestamp) {
    rotated_of(s, SECRET, at);
}

fn rotated_of(s: &mut Snapshot, arn: &str, at: Timestamp) {
    let of = secret(s, arn);
    of.changed_at = Some(at + SignedDuration::from_secs(5));
    of.rotation.last = Some(at);
    s.versions.insert(arn.to_owned(), Ok(dates(at)));
}

fn started(s: &mut Snapshot, at: &[Timestamp]) {
    let each = at.iter().map(|started| TaskStart {
        created: *started - SignedDuration::from_secs(20),
        started: *started,
    });
    s.task_starts.insert(SERVICE.into(), Ok(each.collect()));
}

fn deployed_again(s: &mut Snapshot) {
    let old = service(s).deployments[0].clone();
    let new = Deployment {
        id: "ecs-svc/2".into(),
        rollout_state: Some("IN_PROGRESS".into()),
        created_at: Some(now()),
        ..old.clone()
    };
    let status = "ACTIVE".into();
    service(s).deployments = vec![new, Deployment { status, ..old }];
}

fn stale(s: &mut Snapshot) {
    rotated(s, ago(24));
    started(s, &[ago(150), ago(1)]);
}

#[test]
fn the_message_counts_and_dates() {
    let finding = finding_by(stale, "ecs-stale-secret");
    assert_eq!(
        finding.message,
        format!(
            "tasks of main/shop: 1 of 2 started before shop-url got its current version (at {}; the first at {}): they hold \
             the value of before, which may be refused by now",
            ago(24),
            ago(150)
        )
    );
    assert_eq!(finding.severity, Severity::High);
}

/// The tasks are replaced, unless that ends the only copy of something, or a deployment does it already.
#[test]
fn what_is_done_about_it() {
    assert_eq!(refusal(stale, "ecs-stale-secret"), "");
    let under_way = |s: &mut Snapshot| {
        stale(s);
        deployed_again(s);
    };
    assert!(refusal(under_way, "ecs-stale-secret").contains("deployment"));
    let in_container = |s: &mut Snapshot| {
        stale(s);
        let key = crate::rules::testing::secrets::OTHER;
        other(s);
        rotated_of(s, key, ago(24));
        web(s).secrets[0].name = "API_KEY".into();
    };
    let finding = finding_by(in_container, "ecs-stale-secret");
    let remedy = finding.remediation.expect("a remedy");
    assert!(
        remedy.actions.is_empty() && remedy.summary.contains("once its data is safe"),
        "{}",
        remedy.summary
    );
}

/// Two users that alternate: what a task of the version before holds still works, of an earlier one not.
#[test]
fn alternating_users() {
    let alternate = |s: &mut Snapshot| {
        let keys = BTreeMap::from([("url".to_owned(), Some(good())), ("masterarn".to_owned(), None)]);
        holds(s, SecretShape::Json { keys, parts: None });
        refer(s, &format!("{SECRET}:url::"), Some(SECRET));
    };
    let severity = |since: i64| {
        let mut s = crate::rules::testing::workload::clean();
        alternate(&mut s);
        rotated(&mut s, ago(24));
        started(&mut s, &[ago(since)]);
        let evaluation = crate::rules::testing::workload::evaluated_by(&s, &["ecs-stale-secret"]);
        evaluation.findings[0].severity
    };
    assert_eq!(severity(150), Severity::Medium);
    assert_eq!(severity(300), Severity::High);
    assert!(running(&mut crate::rules::testing::workload::clean()).active);
}

#[test]
fn a_password_that_rds_manages() {
    let managed = |s: &mut Snapshot| {
        stale(s);
        "rds!db-1".clone_into(&mut secret(s, SECRET).name);
    };
    let finding = finding_by(managed, "ecs-stale-secret");
    assert!(
        finding.message.contains("RDS has set another password"),
        "{}",
        finding.message
    );
}
