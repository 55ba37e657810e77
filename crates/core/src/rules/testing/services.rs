//! Changes to the service of the clean workload: its log, its deployments, its revisions, its role.

use std::sync::Arc;

use super::workload::{ROLE, SERVICE, ago, now, running, service, shop, web};
use crate::model::resources::{
    Access, AccessTarget, Deployment, LogEvidence, LogMatch, Mount, TaskDefinition, Volume, VolumeKind,
};
use crate::model::snapshot::Snapshot;

/// The revision before the running one.
pub(crate) const BEFORE: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop:1";

pub(crate) fn log(s: &mut Snapshot) -> &mut LogEvidence {
    s.logs.get_mut(SERVICE).expect("there").as_mut().expect("read")
}

pub(crate) fn line(pattern: &str) -> LogMatch {
    LogMatch {
        pattern: pattern.into(),
        at: ago(2),
        stream: "/ecs/shop ecs/web/1".into(),
    }
}

/// The revision that a rollback would choose: the running one, otherwise.
pub(crate) fn before(s: &mut Snapshot, change: fn(&mut TaskDefinition)) {
    let mut definition = running(s).clone();
    (definition.arn, definition.revision, definition.tags) = (BEFORE.into(), 1, shop(&[]));
    change(&mut definition);
    s.rollback_targets.insert(SERVICE.into(), Ok(vec![BEFORE.into()]));
    s.task_definitions.insert(BEFORE.into(), Ok(Arc::new(definition)));
}

pub(crate) fn bare(definition: &mut TaskDefinition) {
    definition.containers[0].secrets.clear();
}

pub(crate) fn state(s: &mut Snapshot, state: &str, minutes: i64) {
    let primary = &mut service(s).deployments[0];
    primary.rollout_state = Some(state.into());
    primary.created_at = Some(now() - jiff::SignedDuration::from_mins(minutes));
}

/// A second deployment, of the revision before.
pub(crate) fn second(s: &mut Snapshot, running: i32) {
    let deployment = Deployment {
        id: "ecs-svc/0".into(),
        status: "ACTIVE".into(),
        task_definition: BEFORE.into(),
        running_count: running,
        ..service(s).deployments[0].clone()
    };
    service(s).deployments.push(deployment);
}

pub(crate) fn role(s: &mut Snapshot, access: Access) {
    s.access.insert((ROLE.into(), AccessTarget::EcsExec), Ok(access));
}

/// In place of the secret, a volume at `path`.
pub(crate) fn mounts(s: &mut Snapshot, path: &str, kind: VolumeKind, read_only: bool) {
    web(s).secrets.clear();
    web(s).mounts.push(Mount {
        volume: "data".into(),
        path: path.into(),
        read_only,
    });
    running(s).volumes.push(Volume {
        name: "data".into(),
        kind,
    });
}
