//! What a process knows of runs of migrations beside what ECS shows it: from the ledger, and from events.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::config::Config;
use holdfast_core::facts::migration_runs;
use holdfast_core::gate::redact;
use holdfast_core::model::resources::MigrationRun;
use holdfast_core::model::snapshot::Snapshot;
use jiff::Timestamp;

/// Characters kept of each of ECS's words in a record.
const LONGEST: usize = 1_000;

/// The runs of one account and region that the ledger holds, by family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunBook(BTreeMap<String, Vec<MigrationRun>>);

impl RunBook {
    /// Takes in what the ledger holds.
    pub fn learn(&mut self, runs: impl IntoIterator<Item = MigrationRun>) {
        for run in runs {
            MigrationRun::add_to(self.0.entry(run.family.clone()).or_default(), &run);
        }
    }

    /// The newest run of each family of a workload.
    pub fn latest<'b>(&'b self, workload: &'b str) -> impl Iterator<Item = &'b MigrationRun> {
        let newest = self.0.values().filter_map(|runs| runs.first());
        newest.filter(move |r| r.workload == workload)
    }

    /// Adds to the families of `snapshot` the runs that are known here.
    pub fn recall(&self, snapshot: &mut Snapshot) {
        for (family, runs) in &self.0 {
            snapshot.remember_runs(family, runs.iter().map(|r| &r.run));
        }
    }

    /// The runs in `snapshot` that the ledger does not hold, or of which it knows less: of the workloads of `only`, or of all.
    #[must_use]
    pub fn news(
        &self,
        snapshot: &Snapshot,
        config: &Config,
        now: Timestamp,
        only: Option<&BTreeSet<String>>,
    ) -> Vec<MigrationRun> {
        let mut seen = BTreeSet::new();
        let records = migration_runs(snapshot, config, now, only).into_iter().map(safe);
        let news = records.filter(|new| {
            let known = self.0.get(&new.family).into_iter().flatten();
            let same = known.into_iter().find(|k| k.run.arn == new.run.arn);
            same.is_none_or(|known| {
                let mut merged = known.clone();
                merged.merge(new);
                merged != *known
            })
        });
        news.filter(|new| seen.insert(new.run.arn.clone())).collect()
    }
}

/// ECS's words may quote a command that could not be run, and with it what it was given.
fn safe(mut record: MigrationRun) -> MigrationRun {
    let shorten = |text: &mut String| *text = redact(text).chars().take(LONGEST).collect();
    record.run.stopped_reason.iter_mut().for_each(shorten);
    record.run.reasons.values_mut().for_each(shorten);
    record.why.iter_mut().for_each(shorten);
    // Facts of this reading.
    record.run.remembered = false;
    record.run.unread_groups = None;
    record
}

#[cfg(test)]
mod tests {
    use holdfast_core::model::cow_map::CowMap;
    use holdfast_core::model::resources::{MigrationFamily, RunResult};
    use holdfast_core::model::tags::Tags;

    use super::*;
    use crate::ledger::conformance::{at, migration_run, scope};

    fn snapshot(runs: &[MigrationRun]) -> Snapshot {
        let mut s = Snapshot::empty(scope("us-east-1"), at(3_600));
        let tags = [("holdfast:workload", "shop"), ("holdfast:role", "migration")];
        let mut family = MigrationFamily {
            family: "shop-migrate".into(),
            tags: Tags(tags.map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter().collect()),
            ..MigrationFamily::default()
        };
        for run in runs {
            family.observe(run.run.clone());
        }
        s.migrations = Ok(CowMap::from([("shop-migrate".to_owned(), family)]));
        s
    }

    #[test]
    fn only_what_is_new_is_written_and_all_is_recalled() {
        let here = scope("us-east-1");
        let (running, ended) = (
            migration_run(&here, "shop-migrate", 0, RunResult::Running),
            migration_run(&here, "shop-migrate", 0, RunResult::Failed),
        );
        let mut book = RunBook::default();
        let config = Config::default();
        let news = book.news(&snapshot(std::slice::from_ref(&running)), &config, at(60), None);
        assert_eq!(news, std::slice::from_ref(&running));
        book.learn(news);
        assert_eq!(
            book.news(&snapshot(std::slice::from_ref(&running)), &config, at(60), None),
            []
        );
        let news = book.news(&snapshot(std::slice::from_ref(&ended)), &config, at(90), None);
        assert_eq!(news.len(), 1);
        assert_eq!(
            (news[0].result, news[0].container.as_deref()),
            (RunResult::Failed, Some("migrate"))
        );
        book.learn(news);
        // ECS has forgotten it.
        let mut later = snapshot(&[]);
        book.recall(&mut later);
        let family = later
            .migrations
            .as_ref()
            .expect("read")
            .get("shop-migrate")
            .expect("there");
        assert!(family.runs[0].remembered && family.runs[0].exit_codes["migrate"] == Some(1));
        assert_eq!(
            book.news(&later, &config, at(90_000), None),
            [],
            "what is recalled is no news"
        );
    }

    #[test]
    fn what_ecs_quotes_is_masked() {
        let mut run = migration_run(&scope("us-east-1"), "shop-migrate", 0, RunResult::Failed);
        run.run.reasons = [(
            "migrate".to_owned(),
            "CannotStartContainerError: exec: \"postgres://app:hunter2@db/app\": not found".to_owned(),
        )]
        .into();
        let news = RunBook::default().news(&snapshot(&[run]), &Config::default(), at(60), None);
        let text = serde_json::to_string(&news).expect("JSON");
        assert!(
            !text.contains("hunter2") && text.contains("CannotStartContainerError"),
            "{text}"
        );
    }
}
