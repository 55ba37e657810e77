//! What `ecs-failed-deployment` says, and of what it says nothing.

use crate::rules::testing::services::{BEFORE, second, state};
use crate::rules::testing::workload::{denied, service};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a failed deployment", |s| state(s, "FAILED", 5)),
        Case::new("a deployment without end", |s| state(s, "IN_PROGRESS", 31)),
        Case::new("old tasks by deployments", |s| second(s, 1)),
        Case::new("old tasks by tasks", |s| { service(s).other_tasks.insert(BEFORE.into(), 1); }),
    ],
    passing: &[
        Case::new("a deployment under way", |s| state(s, "IN_PROGRESS", 29)),
        Case::new("a deployment under way, and tasks that can't be read", |s| { state(s, "IN_PROGRESS", 29); second(s, 1); service(s).unread_tasks = Some(denied("ListTasks")); }),
        Case::new("another deployment without tasks", |s| second(s, 0)),
        Case::new("no deployment known", |s| service(s).deployments.clear()),
        Case::new("another controller's deployment", |s| service(s).deployments[0].rollout_state = None),
    ],
    unknown: &[
        Case::new("whether old tasks still run", |s| { second(s, 0); service(s).unread_tasks = Some(denied("ListTasks")); }),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService],
};
