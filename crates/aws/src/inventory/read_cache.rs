//! What is kept between two sweeps, so that a steady state costs few calls.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use holdfast_core::config::Config;
use holdfast_core::connection::vocabulary::Vocabulary;
use holdfast_core::iam_document::Policy;
use holdfast_core::model::connection::SecretShape;
use holdfast_core::model::resources::{
    Access, AccessTarget, DeploymentHistory, LogEvidence, Secret, TaskDefinition, TaskStart, VersionDates,
};
use holdfast_core::model::snapshot::ValueKey;

/// Facts that cost a call for each resource, and that seldom change without an event. A sweep takes them from here; a
/// refresh (after an event, and around each action) reads them again.
#[derive(Debug, Default)]
pub struct ReadCache {
    /// What names of settings mean under the one configuration of the process.
    vocabulary: OnceLock<Vocabulary>,
    /// Revisions read before: they never change.
    pub definitions: DefinitionCache,
    /// Whom the resource policy of a secret lets in, by the secret's ARN and the instant of its last change.
    pub(super) policies: TtlCache<(String, Option<Timestamp>), Vec<String>>,
    /// Whether a role may read a secret or parameter, by the ARNs of both.
    pub(super) access: TtlCache<(String, AccessTarget), Access>,
    /// Revisions that a rollback would choose, and when that was read, by what tells the service's primary deployment.
    pub(super) rollback_targets: TtlCache<String, (Timestamp, Vec<String>)>,
    /// How the newest deployment of a service ended, where it ended well, by the same.
    pub(super) deployments: TtlCache<String, DeploymentHistory>,
    /// The earlier revision that would keep data, if there is one, by the running one that does not, and whether that
    /// runs on Fargate.
    pub(super) durable_revisions: TtlCache<(String, bool), Option<String>>,
    /// Facts about values, never a value, with what the list of secrets said of the secret then.
    pub(super) values: TtlCache<ValueKey, (Stamp, SecretShape)>,
    /// Resource policies of secrets that deny something, like `policies`.
    pub(super) denying: TtlCache<(String, Option<Timestamp>), Arc<Policy>>,
    /// Untagged secrets that tasks are given, by the reference as written, and when each was described.
    pub(super) described: TtlCache<String, (Timestamp, Secret)>,
    /// When versions of a secret were created, by its ARN and the id of the current version.
    pub(super) versions: TtlCache<(String, String), VersionDates>,
    /// When the tasks of a service started, by the ids of its deployments.
    pub(super) starts: TtlCache<Vec<String>, Vec<TaskStart>>,
    /// What the log of a service says, by the id of its primary deployment.
    pub(super) logs: TtlCache<String, LogEvidence>,
    /// The digests of the images that a service's tasks run, by container, by the id of its primary deployment.
    pub(super) digests: TtlCache<String, BTreeMap<String, String>>,
}

impl ReadCache {
    /// What names of settings mean under `config`, which is the same as long as the process runs.
    pub(super) fn vocabulary(&self, config: &Config) -> &Vocabulary {
        self.vocabulary.get_or_init(|| Vocabulary::of(config))
    }
}

/// What tells that a value is still the one that was read: when its secret was last changed in any way, and the id of
/// the version. The value of a version never changes.
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html>
pub(super) type Stamp = (Timestamp, String);

/// Revisions of task definitions, by ARN. A revision never changes, so none expires.
#[derive(Debug, Default)]
pub struct DefinitionCache(Mutex<HashMap<String, Arc<TaskDefinition>>>);

impl DefinitionCache {
    pub(super) fn get(&self, arn: &str) -> Option<Arc<TaskDefinition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(arn).cloned()
    }

    pub(super) fn put(&self, definition: &Arc<TaskDefinition>) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CAPACITY {
            cache.clear();
        }
        cache.insert(definition.arn.clone(), Arc::clone(definition));
    }
}

/// Values that a sweep may rely on for half a day to a day.
#[derive(Debug)]
pub(super) struct TtlCache<K, V>(Mutex<HashMap<K, (Timestamp, V)>>);

/// How long a sweep may rely on what it read before. Staggered by half, so that not all of it is due at once.
const KEEP: Duration = Duration::from_hours(24);
/// Most entries of one cache. Past it the cache is emptied: rare, bounded, and merely a sweep's worth of calls.
const CAPACITY: usize = 50_000;

impl<K, V> Default for TtlCache<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> TtlCache<K, V> {
    /// The value, if it was read not too long before `now`.
    pub fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, value) = kept.get(key)?;
        (now < *until).then(|| value.clone())
    }

    /// Drops a value.
    pub fn forget(&self, key: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Keeps a value read at `now`.
    pub fn put(&self, key: K, value: V, now: Timestamp) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= CAPACITY {
            kept.clear();
        }
        let stay = KEEP.mul_f64(fastrand::f64().mul_add(0.5, 0.5));
        kept.insert(key, (now + stay, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_for_half_a_day_at_least_and_a_day_at_most() {
        let kept = TtlCache::default();
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("an instant");
        kept.put("a", 1, now);
        let after = |hours| now + Duration::from_hours(hours);
        assert_eq!(kept.get(&"a", after(11)), Some(1));
        assert_eq!(kept.get(&"a", after(25)), None);
        assert_eq!(kept.get(&"b", now), None);
        kept.forget(&"a");
        assert_eq!(kept.get(&"a", now), None);
    }
}
