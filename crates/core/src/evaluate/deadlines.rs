//! Times at which results change although no resource does: the ends of migration windows and waivers, and the time by
//! which a migration task must end.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::snapshot::Snapshot;
use crate::model::tags::{Phase, Tags};
use crate::rules::REGISTRY;

/// For each workload, the next time after `now` at which its results may change although no resource does.
#[must_use]
pub fn next_deadlines(snapshot: &Snapshot, config: &Config, now: Timestamp) -> BTreeMap<String, Timestamp> {
    let mut next: BTreeMap<String, Timestamp> = BTreeMap::new();
    let prefix = &config.tag_prefix;
    let mut at = |tags: &Tags, instant: Option<Timestamp>| {
        let (Some(workload), Some(instant)) = (tags.workload(prefix), instant.filter(|t| *t > now)) else {
            return;
        };
        let known = next.entry(workload.to_owned()).or_insert(instant);
        *known = (*known).min(instant);
    };
    for tags in snapshot.tags() {
        let reading = tags.phase(prefix, now, config.migration.max_window);
        if let Phase::Migrating { until } = reading.phase {
            at(tags, Some(until));
        }
        if tags.get(prefix, "waive").is_some() {
            let ends = REGISTRY.iter().filter_map(|r| tags.waiver(prefix, r.meta().id, now));
            at(tags, ends.map(|w| w.until).min());
        }
    }
    for family in snapshot.migrations.iter().flat_map(|m| m.values()) {
        let run = family.last_run().filter(|r| !r.has_stopped());
        let due = run
            .and_then(|r| r.started_at)
            .and_then(|t| t.checked_add(config.migrations.timeout).ok());
        at(&family.tags, due);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::{clean, db};

    #[test]
    fn the_earliest_end_that_is_still_to_come() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("an instant");
        let config = Config::default();
        let mut snapshot = clean();
        assert!(next_deadlines(&snapshot, &config, now).is_empty());
        let tags = &mut db(&mut snapshot).tags.0;
        let mut tag = |key: &str, value: &str| tags.insert(format!("holdfast:{key}"), value.to_owned());
        tag("phase", "migrating");
        tag("migration-until", "2026-11-21T14:00:00Z");
        tag("waive-reason", "known");
        tag(
            "waive",
            "rds-single-az@2026-11-21T13:00:00Z rds-public-access@2026-11-21T11:00:00Z",
        );
        let at = |now: &str| {
            let now = now.parse().expect("an instant");
            next_deadlines(&snapshot, &config, now)
                .into_values()
                .next()
                .map(|t| t.to_string())
        };
        assert_eq!(at("2026-11-21T12:00:00Z").as_deref(), Some("2026-11-21T13:00:00Z"));
        assert_eq!(at("2026-11-21T13:00:00Z").as_deref(), Some("2026-11-21T14:00:00Z"));
        assert_eq!(at("2026-11-21T14:00:00Z"), None);
    }
}
