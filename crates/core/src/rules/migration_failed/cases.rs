//! What `migration-failed` says, and of what it says nothing.

use crate::finding::Verdict;
use crate::model::cow_map::CowMap;
use crate::rules::testing::migrations::{MIGRATION, ends, exits, family, never_ran, run, still};
use crate::rules::testing::workload::{REVISION, clean, denied, evaluated_by};
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
        Case::new("no container", |s| { s.task_definitions.remove(MIGRATION); run(s).exit_codes.clear(); family(s).revision = REVISION.into(); }),
        Case::new("it does not end", |s| still(s, "RUNNING", 11)),
        Case::new("it does not begin", |s| still(s, "PENDING", 11)),
        Case::new("failed and other", |s| { exits(s, "migrate", Some(2)); run(s).subnets = vec!["subnet-9".into()]; }).and_fail(&["migration-drift"]),
    ],
    passing: &[
        Case::new("a sidecar that failed", |s| exits(s, "shipper", Some(1))),
        Case::new("still running", |s| still(s, "RUNNING", 9)),
        Case::new("about to stop", |s| still(s, "DEPROVISIONING", 9)),
        Case::new("no run known", never_ran),
        Case::new("a run without a stop code", |s| run(s).stop_code = None),
    ],
    unknown: &[
        Case::new("families", |s| s.migrations = Err(denied("GetResources"))).and_unknown(&["migration-drift"]),
        Case::new("its runs", |s| { never_ran(s); family(s).unread = Some(denied("ListTasks")); }).and_unknown(&["migration-drift"]),
    ],
    unread: &[],
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
