//! What `ecs-ephemeral-storage` says, and of what it says nothing.

use crate::finding::Verdict;
use crate::model::policy::Severity;
use crate::model::resources::VolumeKind;
use crate::model::snapshot::Snapshot;
use crate::rules::testing::services::mounts;
use crate::rules::testing::workload::{plain, service, shop, web};
use crate::rules::testing::{Case, Cases, Unread, finding_by};

/// Grafana without settings of a database, with a volume.
fn grafana(s: &mut Snapshot, path: &str, kind: VolumeKind, read_only: bool) {
    mounts(s, path, kind, read_only);
    web(s).image = "grafana/grafana:11.1.0".into();
}

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no volume", |s| { web(s).secrets.clear(); web(s).image = "grafana/grafana:11.1.0".into(); }).and_fail(&["rds-abandoned"]),
        Case::new("EFS below it", |s| grafana(s, "/var/lib/grafana/x", VolumeKind::Shared, false)).and_fail(&["rds-abandoned"]),
        Case::new("EFS, read-only", |s| grafana(s, "/var/lib/grafana", VolumeKind::Shared, true)).and_fail(&["rds-abandoned"]),
        Case::new("a host directory on Fargate", |s| grafana(s, "/var/lib/grafana", VolumeKind::Host, false)).and_fail(&["rds-abandoned"]),
        Case::new("a host directory on EC2", |s| { grafana(s, "/var/lib/grafana", VolumeKind::Host, false); service(s).fargate = false; }).and_fail(&["rds-abandoned"]),
        Case::new("a Docker volume on Fargate", |s| grafana(s, "/var/lib/grafana", VolumeKind::DockerDriver, false)).and_fail(&["rds-abandoned"]),
        Case::new("SQLite in a variable", |s| { web(s).secrets.clear(); web(s).variables.push(plain("DATABASE_URL", "sqlite:////app/app.db")); }).and_fail(&["rds-abandoned"]),
        Case::new("declared to be on a volume that is not there", |s| { web(s).secrets.clear(); service(s).tags = shop(&[("datastore", "volume")]); }).and_fail(&["rds-abandoned"]),
    ],
    passing: &[
        Case::new("EFS at the data path", |s| grafana(s, "/var/lib/grafana", VolumeKind::Shared, false)).and_fail(&["rds-abandoned"]),
        Case::new("EFS above it", |s| grafana(s, "/var", VolumeKind::Shared, false)).and_fail(&["rds-abandoned"]),
        Case::new("SQLite on EFS", |s| { mounts(s, "/app", VolumeKind::Shared, false); web(s).variables.push(plain("DATABASE_URL", "sqlite:////app/app.db")); }).and_fail(&["rds-abandoned"]),
        Case::new("declared to be on a volume that is there", |s| { mounts(s, "/data", VolumeKind::Shared, false); service(s).tags = shop(&[("datastore", "volume")]); }).and_fail(&["rds-abandoned"]),
    ],
    unknown: &[],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision],
};

/// The disk of one instance is lost with the instance, not at the next deployment.
#[test]
fn one_instance_is_less_bad() {
    let found = finding_by(
        |s| {
            grafana(s, "/var/lib/grafana", VolumeKind::Host, false);
            service(s).fargate = false;
        },
        "ecs-ephemeral-storage",
    );
    assert_eq!((found.verdict, found.severity), (Verdict::Fail, Severity::High));
    assert!(!found.message.contains("the next deployment"), "{}", found.message);
}
