//! What `ecs-no-load-balancer` says, and of what it says nothing.

use crate::rules::testing::workload::service;
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("an address that changes", |s| { service(s).assign_public_ip = true; service(s).load_balanced = false; }).and_fail(&["ecs-public-task"]),
    ],
    passing: &[
        Case::new("a private service without a load balancer", |s| service(s).load_balanced = false),
    ],
    unknown: &[],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService],
};
