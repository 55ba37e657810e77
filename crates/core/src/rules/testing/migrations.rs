//! Schema migrations of the clean workload, and how their runs ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::workload::{now, running, shop};
use crate::model::cow_map::CowMap;
use crate::model::resources::{Container, MigrationFamily, StartCommand, TaskDefinition, TaskRun};
use crate::model::snapshot::Snapshot;

pub(crate) const FAMILY: &str = "shop-migrate";
pub(crate) const MIGRATION: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop-migrate:3";
pub(crate) const IMAGE: &str = "example.com/shop:1";

/// Gives the workload a migration that ran well a quarter of an hour ago.
pub(crate) fn migrates(s: &mut Snapshot) {
    let mut definition = running(s).clone();
    (definition.arn, definition.family, definition.revision) = (MIGRATION.into(), FAMILY.into(), 3);
    definition.containers[0].name = "migrate".into();
    definition.containers[0].start = StartCommand::new(&[], &["migrate".to_owned()], &[]);
    definition.containers.push(Container {
        name: "shipper".into(),
        image: "example.com/shipper:4".into(),
        ..Container::default()
    });
    s.task_definitions.insert(MIGRATION.into(), Ok(Arc::new(definition)));
    let run = TaskRun {
        arn: "arn:aws:ecs:us-east-1:123456789012:task/main/1".into(),
        cluster: "main".into(),
        task_definition: MIGRATION.into(),
        last_status: "STOPPED".into(),
        started_at: Some(now() - jiff::SignedDuration::from_mins(15)),
        stopped_at: Some(now() - jiff::SignedDuration::from_mins(14)),
        stop_code: Some("EssentialContainerExited".into()),
        stopped_reason: Some("Essential container in task exited".into()),
        exit_codes: BTreeMap::from([("migrate".into(), Some(0)), ("shipper".into(), Some(0))]),
        images: BTreeMap::from([
            ("migrate".into(), IMAGE.into()),
            ("shipper".into(), "example.com/shipper:4".into()),
        ]),
        subnets: vec!["subnet-1".into()],
        security_groups: vec!["sg-app".into()],
        ..TaskRun::default()
    };
    let family = MigrationFamily {
        family: FAMILY.into(),
        revision: MIGRATION.into(),
        tags: shop(&[("role", "migration")]),
        runs: vec![run],
        ..MigrationFamily::default()
    };
    s.migrations = Ok([(FAMILY.to_owned(), family)].into());
}

pub(crate) fn family(s: &mut Snapshot) -> &mut MigrationFamily {
    if s.migrations.as_ref().is_ok_and(CowMap::is_empty) {
        migrates(s);
    }
    s.migrations.as_mut().expect("read").get_mut(FAMILY).expect("there")
}

pub(crate) fn run(s: &mut Snapshot) -> &mut TaskRun {
    family(s).runs.first_mut().expect("a run")
}

pub(crate) fn definition(s: &mut Snapshot) -> &mut TaskDefinition {
    family(s);
    Arc::make_mut(
        s.task_definitions
            .get_mut(MIGRATION)
            .expect("there")
            .as_mut()
            .expect("read"),
    )
}

pub(crate) fn refers(s: &mut Snapshot, value_from: &str) {
    definition(s).containers[0].secrets[0].value_from = value_from.into();
}

pub(crate) fn exits(s: &mut Snapshot, container: &str, code: Option<i32>) {
    run(s).exit_codes.insert(container.into(), code);
}

pub(crate) fn ends(s: &mut Snapshot, code: &str, reason: &str) {
    (run(s).stop_code, run(s).stopped_reason) = (Some(code.into()), Some(reason.into()));
}

pub(crate) fn still(s: &mut Snapshot, status: &str, minutes: i64) {
    let run = run(s);
    (run.last_status, run.stop_code, run.stopped_at) = (status.into(), None, None);
    run.started_at = Some(now() - jiff::SignedDuration::from_mins(minutes));
    run.exit_codes.values_mut().for_each(|code| *code = None);
}

pub(crate) fn never_ran(s: &mut Snapshot) {
    family(s).runs.clear();
}
