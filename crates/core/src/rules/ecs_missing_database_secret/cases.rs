//! What `ecs-missing-database-secret` says, and of what it says nothing.

use crate::model::resources::{PlainDatabase, SecretVariable, VolumeKind};
use crate::rules::testing::services::mounts;
use crate::rules::testing::workload::web;
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no variable", |s| web(s).secrets.clear()).and_fail(&["ecs-ephemeral-storage", "rds-abandoned"]),
        Case::new("another variable", |s| web(s).secrets[0].name = "API_KEY".into()).and_fail(&["ecs-ephemeral-storage"]),
        Case::new("a plain URL", |s| { web(s).secrets.clear(); web(s).plain_databases.push(PlainDatabase { variable: "DATABASE_URL".into(), external: true, connection: None }); }).and_unknown(&["rds-abandoned"]),
        Case::new("a plain URL to itself", |s| { web(s).secrets.clear(); web(s).plain_databases.push(PlainDatabase { variable: "DATABASE_URL".into(), external: false, connection: None }); }).and_fail(&["ecs-ephemeral-storage", "rds-abandoned"]),
        Case::new("EFS at the data path", |s| mounts(s, "/home/coder/.config/coderv2", VolumeKind::Shared, false)).and_fail(&["rds-abandoned"]),
    ],
    passing: &[
        Case::new("another secret beside it", |s| {
            let other = SecretVariable { name: "API_KEY".into(), ..web(s).secrets[0].clone() };
            web(s).secrets.insert(0, other);
        }),
    ],
    unknown: &[],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision],
};
