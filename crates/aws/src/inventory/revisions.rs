//! Earlier revisions that one might go back to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::collector::{Collector, Reuse};
use super::task_definition;
use holdfast_core::facts::{Storage, one_workload};
use holdfast_core::model::resources::TaskDefinition;
use holdfast_core::model::snapshot::Snapshot;

/// How many revisions back a durable one is looked for.
const REVISIONS_BACK: i32 = 5;

/// For each of `running`, the latest earlier revision of its family that is active and durable. A sweep takes what it
/// found before: earlier revisions are never activated again, and before one is rolled out it is described again.
pub(super) async fn durable_revisions(
    c: &Collector<'_>,
    snapshot: &Snapshot,
    running: &BTreeSet<String>,
    now: Timestamp,
    reuse: Reuse,
) -> BTreeMap<String, Arc<TaskDefinition>> {
    let mut found = BTreeMap::new();
    for service in snapshot.services.iter().flat_map(|m| m.values()) {
        let arn = &service.task_definition;
        let (true, Some(workload)) = (running.contains(arn), service.tags.workload(&c.config.tag_prefix)) else {
            continue;
        };
        let Some((family, revision)) = arn
            .rsplit_once(':')
            .and_then(|(f, r)| Some((f, r.parse::<i32>().ok()?)))
        else {
            continue;
        };
        let key = (arn.clone(), service.fargate);
        if let (Reuse::Allowed, Some(known)) = (reuse, c.cache.durable_revisions.get(&key, now)) {
            if let Some(earlier) = known
                && let Ok(definition) = task_definition::read(c, &earlier).await
            {
                found.insert(arn.clone(), definition);
            }
            continue;
        }
        let w = one_workload(workload, snapshot, c.config, now);
        let (mut durable, mut all_read) = (None, true);
        for earlier in (1..revision)
            .rev()
            .take(usize::try_from(REVISIONS_BACK).unwrap_or_default())
        {
            match task_definition::read_fresh(c, &format!("{family}:{earlier}")).await {
                Ok(definition)
                    if definition.active && w.data_of(service, &definition).storage(None, "") == Storage::Kept =>
                {
                    durable = Some(definition);
                    break;
                }
                // A revision that is gone or can't be read is not one to go back to.
                Ok(_) => {}
                Err(e) => all_read &= e.code == "ClientException",
            }
        }
        if all_read {
            let earlier = durable.as_ref().map(|d| d.arn.clone());
            c.cache.durable_revisions.put(key, earlier, now);
        } else {
            c.cache.durable_revisions.forget(&key);
        }
        found.extend(durable.map(|d| (arn.clone(), d)));
    }
    found
}
