//! Who changed what lately, as far as `CloudTrail` events tell: for naming the other side of a fight.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::controllers::Queues;
use super::task_reports::TaskReports;
use crate::consume::KeySink;
use crate::queue::{AddError, Completion, Priority};
use holdfast_core::finding::{Kind, ResourceRef};
use holdfast_core::model::key::{Key, Scope, Subject};
use holdfast_core::model::resources::TaskRun;

/// Principals remembered for one resource.
const NAMES: usize = 8;
/// Resources remembered. Past it all is forgotten: a name in a message is worth no more memory.
const RESOURCES: usize = 10_000;

/// The principals of calls that changed something, by what they changed.
#[derive(Debug, Default)]
pub struct ChangeActors(Mutex<HashMap<Key, VecDeque<(Timestamp, String)>>>);

impl ChangeActors {
    /// Notes that `who` changed what `key` names.
    pub fn note(&self, key: &Key, who: &str, at: Timestamp) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= RESOURCES && !seen.contains_key(key) {
            seen.clear();
        }
        let names = seen.entry(key.clone()).or_default();
        // The same caller again: only the last time counts.
        names.retain(|(_, name)| name != who);
        names.push_back((at, who.to_owned()));
        if names.len() > NAMES {
            names.pop_front();
        }
    }

    /// Who changed `resource` since `since`, ourselves left out, the latest last.
    pub fn of(&self, resource: &ResourceRef, since: Timestamp, ourselves: Option<&str>) -> Vec<String> {
        let Some(key) = key(resource) else { return vec![] };
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = seen.get(&key).into_iter().flatten();
        names
            .filter(|(at, name)| *at >= since && Some(name.as_str()) != ourselves)
            .map(|(_, name)| name.clone())
            .collect()
    }
}

fn key(resource: &ResourceRef) -> Option<Key> {
    let subject = match resource.kind {
        Kind::RdsDbInstance => Subject::DbInstance(resource.id.clone()),
        Kind::RdsDbCluster => Subject::DbCluster(resource.id.clone()),
        Kind::Ec2SecurityGroup => Subject::SecurityGroup(resource.id.clone()),
        Kind::EcsService => {
            let (cluster, service) = resource.id.split_once('/')?;
            Subject::Service {
                cluster: cluster.to_owned(),
                service: service.to_owned(),
            }
        }
        Kind::SecretsmanagerSecret => Subject::Secret(resource.arn.clone()),
        Kind::EcsTaskDefinition | Kind::PlannedResource | Kind::Workload => return None,
    };
    Some(Key {
        scope: Scope {
            account: resource.account.clone(),
            region: resource.region.clone(),
        },
        subject,
    })
}

/// Where events go: keys to the queue, names to [`ChangeActors`], tasks to [`TaskReports`].
pub struct EventSink {
    /// The queues.
    pub queues: Queues,
    /// Who changed what.
    pub change_actors: std::sync::Arc<ChangeActors>,
    /// What was told of tasks.
    pub task_reports: std::sync::Arc<TaskReports>,
}

impl KeySink for EventSink {
    fn add(&self, key: Key, done: Completion) -> Result<(), AddError> {
        self.queues.add(key, Priority::Event, Some(done))
    }

    fn record_actor(&self, key: &Key, who: &str, at: Timestamp) {
        self.change_actors.note(key, who, at);
    }

    fn record_run(&self, key: &Key, run: TaskRun) {
        self.task_reports.note(key, run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_who_else_changed_a_resource() {
        let scope = Scope {
            account: "123456789012".into(),
            region: "us-east-1".into(),
        };
        let resource = ResourceRef::new(Kind::RdsDbInstance, "shop-db", "arn:shop-db", &scope);
        let key = key(&resource).expect("a key");
        let at = |t: &str| t.parse::<Timestamp>().expect("an instant");
        let witnesses = ChangeActors::default();
        witnesses.note(&key, "terraform", at("2026-11-21T10:00:00Z"));
        witnesses.note(&key, "holdfast", at("2026-11-21T10:01:00Z"));
        witnesses.note(&key, "old", at("2026-11-01T10:00:00Z"));
        witnesses.note(&key, "terraform", at("2026-11-21T10:02:00Z"));
        let since = at("2026-11-21T00:00:00Z");
        assert_eq!(witnesses.of(&resource, since, Some("holdfast")), ["terraform"]);
    }
}
