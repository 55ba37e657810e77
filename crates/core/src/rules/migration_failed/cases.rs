//! What `migration-failed` says, and of what it says nothing.

use jiff::SignedDuration;

use crate::finding::Verdict;
use crate::model::cow_map::CowMap;
use crate::model::snapshot::Snapshot;
use crate::rules::testing::migrations::{MIGRATION, definition, ends, exits, family, never_ran, run, still};
use crate::rules::testing::workload::{REVISION, clean, denied, evaluated_by, now};
use crate::rules::testing::{Case, Cases};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("exit code 1", |s| exits(s, "migrate", Some(1))),
        Case::new("out of memory", |s| { exits(s, "migrate", Some(137)); run(s).reasons.insert("migrate".into(), "OutOfMemoryError: Container killed".into()); }),
        Case::new("an image that is not there", |s| { ends(s, "TaskFailedToStart", "CannotPullContainerError: not found"); exits(s, "migrate", None); }),
        Case::new("stopped by hand", |s| ends(s, "UserInitiated", "by alice")),
        Case::new("Spot", |s| ends(s, "SpotInterruption", "Your Spot Task was interrupted.")),
        Case::new("no exit code", |s| exits(s, "migrate", None)),
        Case::new("no container", |s| { family(s); s.task_definitions.remove(MIGRATION); run(s).exit_codes.clear(); family(s).revision = REVISION.into(); }).and_fail(&["migration-drift"]),
        Case::new("it does not end", |s| still(s, "RUNNING", 11)),
        Case::new("it does not begin", |s| still(s, "PENDING", 11)),
        Case::new("out of memory behind a shell that ends well", |s| { run(s).reasons.insert("migrate".into(), "OutOfMemoryError: Container killed".into()); }),
        Case::new("failed, and runs again", |s| { exits(s, "migrate", Some(1)); runs_again(s, "RUNNING"); }),
        Case::new("failed yesterday, as only the ledger knows", |s| { exits(s, "migrate", Some(1)); long_ago(s); }),
        Case::new("failed, and a later run was lost", |s| { exits(s, "migrate", Some(1)); runs_again(s, "RUNNING"); let later = run(s); later.remembered = true; later.started_at = Some(now() - SignedDuration::from_mins(12)); }),
        Case::new("failed, and ECS can't be asked now", |s| { exits(s, "migrate", Some(1)); long_ago(s); family(s).unread = Some(denied("ListTasks")); }).and_unknown(&["migration-drift"]),
        Case::new("its revision is not known, but which container decides", |s| { long_ago(s); s.task_definitions.remove(MIGRATION); family(s).revision = REVISION.into(); run(s).deciding = vec!["migrate".into()]; exits(s, "migrate", Some(1)); }).and_fail(&["migration-drift"]),
        Case::new("of two essential ones, that of the application", |s| { definition(s).containers[1].essential = true; exits(s, "migrate", Some(1)); }),
        Case::new("failed and other", |s| { exits(s, "migrate", Some(2)); run(s).subnets = vec!["subnet-9".into()]; }).and_fail(&["migration-drift"]),
    ],
    passing: &[
        Case::new("a sidecar that failed", |s| exits(s, "shipper", Some(1))),
        Case::new("still running", |s| still(s, "RUNNING", 9)),
        Case::new("about to stop", |s| still(s, "DEPROVISIONING", 9)),
        Case::new("an essential log router that was killed after it", |s| { routes_logs(s, "amazon/aws-for-fluent-bit:stable"); exits(s, "shipper", Some(137)); }),
        Case::new("an essential log router by its configuration", |s| { routes_logs(s, "example.com/shipper:4"); definition(s).containers[1].log_router = true; exits(s, "shipper", Some(1)); }),
        Case::new("an essential sidecar beside the application", |s| { definition(s).containers[1].essential = true; exits(s, "shipper", Some(1)); }),
        Case::new("a log router where only its image is known", |s| { family(s); s.task_definitions.remove(MIGRATION); family(s).revision = REVISION.into(); run(s).images.insert("shipper".into(), "fluent/fluent-bit:3".into()); exits(s, "shipper", Some(143)); }).and_fail(&["migration-drift"]),
        Case::new("yesterday, as only the ledger knows", long_ago),
        Case::new("failed, and then succeeded", |s| { let mut failed = run(s).clone(); (failed.arn, failed.started_at) = ("task/0".into(), Some(now() - SignedDuration::from_hours(1))); failed.exit_codes.insert("migrate".into(), Some(1)); family(s).observe(failed); }),
        Case::new("runs for the first time", |s| { runs_again(s, "PENDING"); family(s).runs.truncate(1); }),
        Case::new("a run without a stop code", |s| run(s).stop_code = None),
    ],
    unknown: &[
        Case::new("families", |s| s.migrations = Err(denied("GetResources"))).and_unknown(&["migration-drift"]),
        Case::new("no run known", never_ran),
        Case::new("no run known, and the ledger can't be read", |s| { never_ran(s); family(s).unrecalled = Some("it is locked".into()); }),
        Case::new("its end was not seen", |s| { still(s, "RUNNING", 11); run(s).remembered = true; }),
        Case::new("its end was not seen, after one that was", |s| { runs_again(s, "RUNNING"); let later = run(s); later.remembered = true; later.started_at = Some(now() - SignedDuration::from_mins(12)); }),
        Case::new("well, but ECS can't be asked for a later one", |s| { long_ago(s); family(s).unread = Some(denied("ListTasks")); }).and_unknown(&["migration-drift"]),
        Case::new("its runs", |s| { never_ran(s); family(s).unread = Some(denied("ListTasks")); }).and_unknown(&["migration-drift"]),
    ],
    unread: &[],
};

/// Another run after the one that there is.
fn runs_again(s: &mut Snapshot, status: &str) {
    let mut again = run(s).clone();
    (again.arn, again.last_status) = ("task/2".into(), status.into());
    (again.started_at, again.stopped_at) = (Some(now() - SignedDuration::from_mins(5)), None);
    (again.stop_code, again.stopped_reason) = (None, None);
    again.exit_codes.values_mut().for_each(|code| *code = None);
    family(s).observe(again);
}

/// ECS has forgotten the run.
fn long_ago(s: &mut Snapshot) {
    let run = run(s);
    run.remembered = true;
    run.started_at = Some(now() - SignedDuration::from_hours(24));
}

fn routes_logs(s: &mut Snapshot, image: &str) {
    let router = &mut definition(s).containers[1];
    (router.essential, router.image) = (true, image.into());
}

/// The sentence tells what would make it known.
#[test]
fn nothing_known_is_told() {
    let mut s = clean();
    never_ran(&mut s);
    family(&mut s).unrecalled = Some("it is locked".into());
    let evaluation = evaluated_by(&s, &["migration-failed"]);
    let message = &evaluation.findings[0].message;
    assert!(
        message.contains("no run of it is known") && message.contains("the ledger can't be asked: it is locked"),
        "{message}"
    );
}

/// A failed migration is found where nothing else carries the workload's tag, and told by what went wrong.
#[test]
fn told() {
    let mut s = clean();
    exits(&mut s, "migrate", Some(137));
    run(&mut s).reasons.insert(
        "migrate".into(),
        "OutOfMemoryError: Container killed due to memory usage".into(),
    );
    s.services = Ok(CowMap::new());
    s.instances = Ok(CowMap::new());
    s.secrets = Ok(CowMap::new());
    s.security_groups = Ok(CowMap::new());
    let evaluation = evaluated_by(&s, &["migration-failed", "migration-drift"]);
    let [finding] = evaluation.findings.as_slice() else {
        panic!("{:#?}", evaluation.findings);
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
