//! What `ecs-exec-disabled` says, and of what it says nothing.

use crate::model::resources::{Access, AccessTarget};
use crate::rules::testing::services::role;
use crate::rules::testing::workload::{ROLE, denied, running, service};
use crate::rules::testing::{Case, Cases, Change, Unread, finding_by};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no way in", |s| service(s).exec_enabled = false),
        Case::new("a role without ssmmessages", |s| role(s, Access::Denied { missing: vec!["ssmmessages:OpenDataChannel".into()] })),
        Case::new("no way in, and a role without ssmmessages", |s| { service(s).exec_enabled = false; role(s, Access::NoRole); }),
        Case::new("no way in, and a role of which nothing is known", |s| { service(s).exec_enabled = false; s.access.retain(|(_, what), _| *what != AccessTarget::EcsExec); }),
        Case::new("no task role", |s| running(s).task_role = None),
    ],
    passing: &[
        Case::new("a role of which nothing is known", |s| s.access.clear()).and_unknown(&["ecs-secret-unreadable"]),
    ],
    unknown: &[
        Case::new("the role", |s| { s.access.insert((ROLE.into(), AccessTarget::EcsExec), Err(denied("SimulatePrincipalPolicy"))); }),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision],
};

/// What is not done, and why.
#[test]
fn refused() {
    let refusal = |change: Change| {
        let remediation = finding_by(change, "ecs-exec-disabled").remediation.expect("a remedy");
        (
            remediation.blocked_by.map(|r| r.to_string()).unwrap_or_default(),
            remediation.actions.len(),
        )
    };
    let (why, actions) = refusal(|s| {
        service(s).exec_enabled = false;
        role(s, Access::NoRole);
    });
    assert!(why.contains("does not exist"), "{why}");
    assert_eq!(actions, 1);
    let (why, actions) = refusal(|s| role(s, Access::NoRole));
    assert_eq!(
        (why.as_str(), actions),
        ("", 0),
        "the flag is on; the role is a person's to mend"
    );
}
