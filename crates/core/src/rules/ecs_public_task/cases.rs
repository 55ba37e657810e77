//! What `ecs-public-task` says, and of what it says nothing.

use crate::model::cow_map::CowMap;
use crate::rules::testing::workload::{db, denied, service, shop};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("public tasks", |s| service(s).assign_public_ip = true),
        Case::new("public tasks after a window", |s| {
            service(s).assign_public_ip = true;
            db(s).tags = shop(&[("phase", "migrating"), ("migration-until", "2026-11-21T11:59:59Z")]);
        }),
        Case::new("public tasks without a database", |s| { service(s).assign_public_ip = true; s.instances = Ok(CowMap::new()); }).and_fail(&["workload-without-database"]),
    ],
    passing: &[
        Case::new("public while migrating", |s| {
            service(s).assign_public_ip = true;
            db(s).tags = shop(&[("phase", "migrating"), ("migration-until", "2026-11-22T00:00:00Z")]);
        }),
    ],
    unknown: &[
        Case::new("whether it is migrating", |s| { service(s).assign_public_ip = true; s.instances = Err(denied("DescribeDBInstances")); }).besides(Unread::Instances),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService],
};
