//! What `ecs-ephemeral-storage` says, and of what it says nothing.

use crate::model::resources::VolumeKind;
use crate::rules::testing::services::mounts;
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("EFS below it", |s| mounts(s, "/home/coder/.config/coderv2/x", VolumeKind::Shared, false)).and_fail(&["ecs-missing-database-secret", "rds-abandoned"]),
        Case::new("EFS, read-only", |s| mounts(s, "/home/coder", VolumeKind::Shared, true)).and_fail(&["ecs-missing-database-secret", "rds-abandoned"]),
        Case::new("a host directory", |s| mounts(s, "/home/coder", VolumeKind::Host, false)).and_fail(&["ecs-missing-database-secret", "rds-abandoned"]),
        Case::new("a Docker volume on Fargate", |s| mounts(s, "/home/coder", VolumeKind::DockerDriver, false)).and_fail(&["ecs-missing-database-secret", "rds-abandoned"]),
    ],
    passing: &[
        Case::new("EFS at the data path", |s| mounts(s, "/home/coder/.config/coderv2", VolumeKind::Shared, false)).and_fail(&["ecs-missing-database-secret", "rds-abandoned"]),
        Case::new("EFS above it", |s| mounts(s, "/home", VolumeKind::Shared, false)).and_fail(&["ecs-missing-database-secret", "rds-abandoned"]),
    ],
    unknown: &[],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision],
};
