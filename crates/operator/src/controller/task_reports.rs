//! What events tell of tasks that no service started, until it is known whether those migrate a schema.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use holdfast_core::model::key::{Key, Scope, Subject};
use holdfast_core::model::resources::{MigrationFamily, TaskRun};

/// Families that are waited for. Past it reports are dropped: ECS itself tells of a task for about an hour.
const FAMILIES: usize = 10_000;

/// Tasks as events described them, by the key of their family.
#[derive(Debug, Default)]
pub struct TaskReports(Mutex<HashMap<Key, Vec<TaskRun>>>);

impl TaskReports {
    /// Keeps what an event tells of a task of the family `key`.
    pub fn note(&self, key: &Key, run: TaskRun) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= FAMILIES && !waiting.contains_key(key) {
            return;
        }
        let known = waiting.entry(key.clone()).or_default();
        let mut family = MigrationFamily {
            runs: std::mem::take(known),
            ..MigrationFamily::default()
        };
        family.observe(run);
        *known = family.runs;
    }

    /// The tasks of a family.
    pub fn of(&self, key: &Key) -> Vec<TaskRun> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.get(key).cloned().unwrap_or_default()
    }

    /// The families of `scope` of which tasks are reported.
    pub fn families(&self, scope: &Scope) -> Vec<String> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = waiting.keys().filter(|k| k.scope == *scope);
        let family = here.filter_map(|k| match &k.subject {
            Subject::TaskFamily(name) => Some(name.clone()),
            _ => None,
        });
        family.collect()
    }

    /// Drops those of `runs` that have not been reported otherwise since.
    pub fn done(&self, key: &Key, runs: &[TaskRun]) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = waiting.get_mut(key) {
            known.retain(|k| !runs.contains(k));
            if known.is_empty() {
                waiting.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_waits_until_it_is_done() {
        let scope = Scope {
            account: "123456789012".into(),
            region: "us-east-1".into(),
        };
        let key = Key {
            scope: scope.clone(),
            subject: Subject::TaskFamily("shop-migrate".into()),
        };
        let run = |status: &str| TaskRun {
            arn: "task/1".into(),
            last_status: status.into(),
            ..TaskRun::default()
        };
        let reports = TaskReports::default();
        reports.note(&key, run("RUNNING"));
        let seen = reports.of(&key);
        assert_eq!(
            (seen.as_slice(), reports.families(&scope)),
            ([run("RUNNING")].as_slice(), vec!["shop-migrate".to_owned()])
        );
        reports.note(&key, run("STOPPED"));
        reports.done(&key, &seen);
        assert_eq!(reports.of(&key), [run("STOPPED")], "it has ended since");
        reports.done(&key, &reports.of(&key));
        assert!(reports.families(&scope).is_empty());
    }
}
