//! What `ecs-ephemeral-storage` says, and of what it says nothing.

use crate::finding::Verdict;
use crate::model::policy::Severity;
use crate::model::resources::{Container, Program, VolumeKind};
use crate::model::snapshot::Snapshot;
use crate::rules::testing::services::mounts;
use crate::rules::testing::workload::{plain, running, service, shop, web};
use crate::rules::testing::{Case, Cases, Unread, finding_by};

/// Grafana without settings of a database, with a volume.
fn grafana(s: &mut Snapshot, path: &str, kind: VolumeKind, read_only: bool) {
    mounts(s, path, kind, read_only);
    web(s).image = "grafana/grafana:11.1.0".into();
}

/// PostgreSQL's image, `PGDATA` where it is given, with EFS.
fn postgres(s: &mut Snapshot, image: &str, data: Option<&str>, path: &str) {
    mounts(s, path, VolumeKind::Shared, false);
    web(s).image = image.into();
    web(s).variables.extend(data.map(|data| plain("PGDATA", data)));
}

/// A container beside the first.
fn beside(s: &mut Snapshot, name: &str, image: &str) {
    let (name, image) = (name.into(), image.into());
    running(s).containers.push(Container {
        name,
        image,
        ..Container::default()
    });
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
        Case::new("SQLite by a selector alone", |s| { web(s).secrets.clear(); web(s).variables.push(plain("DB_CONNECTION", "sqlite")); }).and_fail(&["rds-abandoned"]),
        Case::new("a Docker volume for each task on EC2", |s| { grafana(s, "/var/lib/grafana", VolumeKind::Task, false); service(s).fargate = false; }).and_fail(&["rds-abandoned"]),
        Case::new("EFS where PGDATA is not", |s| postgres(s, "postgres:16", Some("/other"), "/var/lib/postgresql/data")).and_fail(&["rds-abandoned"]),
        Case::new("EFS above the image's own volume", |s| postgres(s, "postgres:17-alpine", None, "/var/lib/postgresql")).and_fail(&["rds-abandoned"]),
        Case::new("EFS where PostgreSQL 18 has nothing", |s| postgres(s, "postgres:18", None, "/var/lib/postgresql/data")).and_fail(&["rds-abandoned"]),
        Case::new("an application that waits for a database with its client", |s| { web(s).secrets.clear(); web(s).variables.push(plain("DATABASE_URL", "sqlite:////app/app.db")); web(s).program = Program::Client("pg_isready"); }).and_fail(&["rds-abandoned"]),
        Case::new("Prometheus", |s| { web(s).secrets.clear(); web(s).image = "prom/prometheus:v3".into(); }).and_fail(&["rds-abandoned"]),
        Case::new("MySQL where WordPress looks for it", |s| { web(s).secrets.clear(); web(s).image = "wordpress:6".into(); beside(s, "mysql", "mysql:8"); }).and_fail(&["rds-abandoned"]),
        Case::new("declared to be on a volume that is not there", |s| { web(s).secrets.clear(); service(s).tags = shop(&[("datastore", "volume")]); }).and_fail(&["rds-abandoned"]),
    ],
    passing: &[
        Case::new("EFS at the data path", |s| grafana(s, "/var/lib/grafana", VolumeKind::Shared, false)).and_fail(&["rds-abandoned"]),
        Case::new("EFS where PGDATA is", |s| postgres(s, "postgres:16", Some("/data/pg"), "/data")).and_fail(&["rds-abandoned"]),
        Case::new("EFS where PostgreSQL 18 keeps it", |s| postgres(s, "postgres:18", None, "/var/lib/postgresql")).and_fail(&["rds-abandoned"]),
        Case::new("EFS at either place of a PostgreSQL without a version", |s| postgres(s, "postgres", None, "/var/lib/postgresql/data")).and_fail(&["rds-abandoned"]),
        Case::new("a template in the place of the host", |s| { web(s).secrets.clear(); web(s).variables.push(plain("DATABASE_URL", "postgres://u:p@${host}:5432/d")); }).and_fail(&["ecs-plaintext-database-url"]).and_unknown(&["rds-abandoned"]),
        Case::new("Atlas without a database", |s| { web(s).secrets.clear(); web(s).variables.push(plain("MONGODB_URI", "mongodb+srv://u:p@cluster0.abcde.mongodb.net/?appName=x")); }).and_fail(&["ecs-plaintext-database-url", "rds-abandoned"]),
        Case::new("a client of PostgreSQL beside it", |s| { beside(s, "wait", "postgres:16"); running(s).containers[1].program = Program::Client("pg_isready"); }),
        Case::new("EFS above it", |s| grafana(s, "/var", VolumeKind::Shared, false)).and_fail(&["rds-abandoned"]),
        Case::new("SQLite on EFS", |s| { mounts(s, "/app", VolumeKind::Shared, false); web(s).variables.push(plain("DATABASE_URL", "sqlite:////app/app.db")); }).and_fail(&["rds-abandoned"]),
        Case::new("declared to be on a volume that is there", |s| { mounts(s, "/data", VolumeKind::Shared, false); service(s).tags = shop(&[("datastore", "volume")]); }).and_fail(&["rds-abandoned"]),
    ],
    unknown: &[
        Case::new("a mount whose volume isn't told", |s| { grafana(s, "/var/lib/grafana", VolumeKind::Shared, false); running(s).volumes.clear(); }).and_fail(&["rds-abandoned"]),
        Case::new("a template as the selector", |s| { web(s).secrets.clear(); web(s).image = "grafana/grafana:11.1.0".into(); web(s).variables.push(plain("GF_DATABASE_TYPE", "${type}")); }).and_unknown(&["ecs-missing-database-secret"]).and_fail(&["rds-abandoned"]),
        Case::new("localhost beside a tunnel", |s| { web(s).secrets.clear(); web(s).variables.push(plain("DB_HOST", "127.0.0.1")); beside(s, "tunnel", "tailscale/tailscale"); }).and_unknown(&["ecs-missing-database-secret"]).and_fail(&["rds-abandoned"]),
        Case::new("Prometheus, which may only forward", |s| { web(s).secrets.clear(); web(s).image = "prom/prometheus:v3".into(); web(s).variables.push(plain("--config.file", "/etc/x.yml")); }).and_unknown(&["ecs-missing-database-secret"]).and_fail(&["rds-abandoned"]),
    ],
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
