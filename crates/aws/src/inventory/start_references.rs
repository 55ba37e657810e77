//! Where the references lead that are followed before a container runs and name no database: what they hold is not read.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::collector::{Collector, Reuse};
use super::secrets::{describe, listed_as};
use holdfast_core::config::Inspect;
use holdfast_core::facts::start_references;
use holdfast_core::model::resources::Secret;
use holdfast_core::model::snapshot::{Lookup, Read, Snapshot};
use holdfast_core::model::value_from::{self, ValueFrom};

/// How long a sweep relies on the description of a secret that no list names: a rotation must show.
const DESCRIBED: Duration = Duration::from_hours(1);

/// Looks up what no database variable refers to: in the list of tagged secrets, else by asking.
pub(super) async fn look_up(c: &Collector<'_>, snapshot: &mut Snapshot, now: Timestamp, reuse: Reuse) {
    if c.config.secrets.inspect == Inspect::Off {
        return;
    }
    let mut unlisted: BTreeSet<String> = BTreeSet::new();
    for reference in written(c, snapshot) {
        let ValueFrom::Secret(target) = value_from::parse(&reference) else {
            continue;
        };
        if snapshot.lookups.contains_key(target.arn) {
            continue;
        }
        let all = snapshot.secrets.as_ref().ok();
        match all.and_then(|all| listed_as(all, &target, &c.aws.scope)) {
            Some(arn) => {
                snapshot.lookups.insert(target.arn.to_owned(), Ok(Lookup::Found(arn)));
            }
            None => {
                unlisted.insert(target.arn.to_owned());
            }
        }
    }
    let found = stream::iter(unlisted)
        .map(|arn| async move {
            let secret = one(c, &arn, now, reuse).await;
            (arn, secret)
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<(String, Read<Option<Secret>>)>>()
        .await;
    for (reference, secret) in found {
        let lookup = secret.map(|secret| match secret {
            None => Lookup::Missing,
            Some(secret) => {
                let arn = secret.arn.clone();
                if let Ok(all) = &mut snapshot.secrets
                    && !all.contains_key(&arn)
                {
                    all.insert(arn.clone(), secret);
                }
                Lookup::Found(arn)
            }
        });
        snapshot.lookups.insert(reference, lookup);
    }
}

/// The references of all revisions that tagged services run, each once.
fn written(c: &Collector<'_>, snapshot: &Snapshot) -> BTreeSet<String> {
    let services = snapshot.services.iter().flat_map(|m| m.values());
    let tagged = services.filter(|s| s.tags.workload(&c.config.tag_prefix).is_some());
    tagged
        .filter_map(|s| snapshot.task_definitions.get(&s.task_definition)?.as_ref().ok())
        .flat_map(|d| start_references(d))
        .map(str::to_owned)
        .collect()
}

async fn one(c: &Collector<'_>, arn: &str, now: Timestamp, reuse: Reuse) -> Read<Option<Secret>> {
    let key = arn.to_owned();
    if let (Reuse::Allowed, Some((at, known))) = (reuse, c.cache.described.get(&key, now))
        && now < at + DESCRIBED
    {
        return Ok(Some(known));
    }
    let found = describe(c, arn).await?;
    match &found {
        Some(secret) => c.cache.described.put(key, (now, secret.clone()), now),
        None => c.cache.described.forget(&key),
    }
    Ok(found)
}
