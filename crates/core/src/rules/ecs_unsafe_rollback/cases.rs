//! What `ecs-unsafe-rollback` says, and of what it says nothing.

use crate::rules::testing::services::{BEFORE, bare, before, second};
use crate::rules::testing::workload::{SERVICE, denied, lose_secret, running, tags};
use crate::rules::testing::{Case, Cases, Unread, refusal_by};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("the revision before had no secret", |s| before(s, bare)),
        Case::new("it would fall back to its own database", |s| before(s, |d| {
            bare(d);
            d.containers[0].image = "ghcr.io/coder/coder:v2.20.0".into();
        })),
        Case::new("it is not tagged", |s| before(s, |d| { bare(d); d.tags = tags(&[]); })),
        Case::new("it is still deployed", |s| { before(s, bare); second(s, 0); }),
    ],
    passing: &[
        Case::new("the revision before was sound", |s| before(s, |_| {})),
        Case::new("the revision before is deregistered", |s| before(s, |d| { bare(d); d.active = false; })),
        Case::new("nothing to lose by a rollback", |s| { before(s, bare); lose_secret(s); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret", "rds-abandoned"]),
        Case::new("the first revision", |s| { running(s).revision = 1; s.rollback_targets.clear(); }),
    ],
    unknown: &[
        Case::new("what a rollback would choose", |s| { s.rollback_targets.insert(SERVICE.into(), Err(denied("ListServiceDeployments"))); }),
        Case::new("what a rollback would choose, not read", |s| s.rollback_targets.clear()),
        Case::new("the revision before", |s| { before(s, |_| {}); s.task_definitions.remove(BEFORE); }),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision],
};

/// What is not done, and why.
#[test]
fn refused() {
    let why = refusal_by(|s| before(s, bare), "ecs-unsafe-rollback");
    assert_eq!(why, "");
    let why = refusal_by(
        |s| {
            before(s, |d| {
                bare(d);
                d.tags = tags(&[]);
            });
        },
        "ecs-unsafe-rollback",
    );
    assert!(why.contains("shop:1 does not carry holdfast:workload=shop"), "{why}");
    let why = refusal_by(
        |s| {
            before(s, bare);
            second(s, 0);
        },
        "ecs-unsafe-rollback",
    );
    assert!(why.contains("waits: main/shop runs shop:1"), "{why}");
}
