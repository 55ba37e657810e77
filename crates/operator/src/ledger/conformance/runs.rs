//! What every ledger must do with runs of migrations.

use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::{MigrationRun, RUNS_KEPT, RunResult, TaskRun};

use super::{at, scope};
use crate::ports::Ledger;

/// A run of a family of `shop`, created at so many seconds.
pub fn migration_run(scope: &Scope, family: &str, seconds: i64, result: RunResult) -> MigrationRun {
    let ended = result == RunResult::Succeeded || result == RunResult::Failed;
    let code = ended.then_some(i32::from(result == RunResult::Failed));
    MigrationRun {
        scope: scope.clone(),
        workload: "shop".into(),
        family: family.into(),
        result,
        why: (result == RunResult::Failed).then(|| "its container migrate exited with 1".to_owned()),
        container: Some("migrate".into()),
        image: Some("example.com/shop:2".into()),
        digest: None,
        run: TaskRun {
            arn: scope.arn("ecs", &format!("task/main/{family}-{seconds}")),
            cluster: "main".into(),
            task_definition: scope.arn("ecs", &format!("task-definition/{family}:3")),
            last_status: if ended { "STOPPED" } else { "RUNNING" }.into(),
            started_at: Some(at(seconds)),
            stopped_at: ended.then(|| at(seconds + 60)),
            stop_code: ended.then(|| "EssentialContainerExited".to_owned()),
            exit_codes: [("migrate".to_owned(), code)].into(),
            images: [("migrate".to_owned(), "example.com/shop:2".to_owned())].into(),
            deciding: vec!["migrate".into()],
            ..TaskRun::default()
        },
    }
}

async fn record(ledger: &dyn Ledger, runs: &[MigrationRun]) {
    ledger.record_runs(runs).await.expect("recorded");
}

async fn runs(ledger: &dyn Ledger, scope: &Scope, family: Option<&str>) -> Vec<MigrationRun> {
    ledger.runs(scope, family).await.expect("runs")
}

/// Every field of a run is read again.
pub async fn a_run_is_kept_as_it_is(one: &dyn Ledger, other: &dyn Ledger) {
    let here = scope("us-east-1");
    assert_eq!(runs(one, &here, None).await, []);
    record(one, &[]).await;
    let mut it = migration_run(&here, "shop-migrate", 0, RunResult::Failed);
    it.run.started_at = "2026-11-21T08:00:00.123456789Z".parse().ok();
    it.run.seen_at = Some(at(1));
    it.run.stopped_reason = Some("a \"quoted\"\nsentence".into());
    it.run.reasons = [("migrate".to_owned(), "OutOfMemoryError: 日本".to_owned())].into();
    it.run.digests = [("migrate".to_owned(), "sha256:aa".to_owned())].into();
    it.run.exit_codes.insert("late".into(), None);
    it.run.subnets = vec!["subnet-1".into()];
    it.run.security_groups = vec!["sg-1".into()];
    it.run.own_command = true;
    it.digest = Some("sha256:aa".into());
    record(one, std::slice::from_ref(&it)).await;
    assert_eq!(runs(other, &here, None).await, std::slice::from_ref(&it));
    assert_eq!(runs(other, &here, Some("shop-migrate")).await, [it]);
    assert_eq!(runs(other, &here, Some("shop")).await, []);
}

/// Whatever order its states are seen in, and how often: the end stays, and nothing is lost.
pub async fn a_run_only_grows(one: &dyn Ledger, other: &dyn Ledger) {
    let here = scope("us-east-1");
    let begun = migration_run(&here, "shop-migrate", 0, RunResult::Running);
    let mut ended = migration_run(&here, "shop-migrate", 0, RunResult::Failed);
    ended.run.subnets = vec!["subnet-1".into()];
    let bare = MigrationRun {
        run: TaskRun {
            security_groups: vec!["sg-1".into()],
            subnets: vec![],
            ..begun.run.clone()
        },
        ..begun.clone()
    };
    record(one, std::slice::from_ref(&begun)).await;
    record(other, &[ended.clone(), begun.clone()]).await;
    record(one, &[bare, begun]).await;
    ended.run.security_groups = vec!["sg-1".into()];
    assert_eq!(runs(other, &here, None).await, std::slice::from_ref(&ended));
    // That a later look takes it for well changes nothing.
    let again = migration_run(&here, "shop-migrate", 0, RunResult::Succeeded);
    record(one, &[again]).await;
    assert_eq!(runs(one, &here, None).await, [ended]);
}

/// Of each family the newest are kept, in order.
pub async fn the_newest_runs_are_kept(one: &dyn Ledger, other: &dyn Ledger) {
    let here = scope("us-east-1");
    let many = i64::try_from(RUNS_KEPT).expect("few") + 5;
    let all: Vec<MigrationRun> = (0..many)
        .map(|i| migration_run(&here, "shop-migrate", (i * 7) % many, RunResult::Succeeded))
        .collect();
    record(one, &all).await;
    let alone = migration_run(&here, "a-migrate", -500, RunResult::Failed);
    record(one, std::slice::from_ref(&alone)).await;
    let mut newest: Vec<MigrationRun> = (5..many)
        .rev()
        .map(|i| migration_run(&here, "shop-migrate", i, RunResult::Succeeded))
        .collect();
    assert_eq!(runs(other, &here, Some("shop-migrate")).await, newest);
    newest.insert(0, alone);
    assert_eq!(runs(other, &here, None).await, newest);
}

/// Runs of another scope are another's, also of a family of the same name or with any name.
pub async fn runs_are_apart(one: &dyn Ledger, other: &dyn Ledger) {
    let (here, there) = (scope("us-east-1"), scope("eu-west-1"));
    let long = "f".repeat(255);
    let one_here = migration_run(&here, &long, 0, RunResult::Succeeded);
    let one_there = migration_run(&there, &long, 0, RunResult::Failed);
    record(one, &[one_here.clone(), one_there.clone()]).await;
    assert_eq!(runs(other, &here, None).await, [one_here]);
    assert_eq!(runs(other, &there, Some(&long)).await, [one_there]);
    assert_eq!(runs(other, &scope("us-west-2"), None).await, []);
}

/// Two processes see runs of one family at once: each stays.
pub async fn runs_of_two_at_once(one: &dyn Ledger, other: &dyn Ledger) {
    let here = scope("us-east-1");
    let write = |ledger, half: i64| {
        let here = &here;
        async move {
            for i in 0..4 {
                record(
                    ledger,
                    &[migration_run(here, "shop-migrate", 2 * i + half, RunResult::Succeeded)],
                )
                .await;
            }
        }
    };
    futures::future::join(write(one, 0), write(other, 1)).await;
    let all = runs(one, &here, None).await;
    let starts: Vec<_> = all.iter().map(|r| r.run.started_at.expect("known")).collect();
    let wanted: Vec<_> = (0..8).rev().map(at).collect();
    assert_eq!(starts, wanted);
}
