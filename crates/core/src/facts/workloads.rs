//! The workloads of a snapshot.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::index::Index;
use super::workload::{Memo, Workload};
use crate::config::{Config, Parameters};
use crate::connection::vocabulary::Vocabulary;
use crate::model::snapshot::Snapshot;

/// One workload of a snapshot. For many, use [`Workloads`].
#[must_use]
pub fn one_workload<'a>(name: &'a str, snapshot: &'a Snapshot, config: &'a Config, now: Timestamp) -> Workload<'a> {
    let only = BTreeSet::from([name.to_owned()]);
    Workloads::new(snapshot, config, now, Some(&only)).get(name)
}

/// The workloads of a snapshot, one after the other.
pub struct Workloads<'a> {
    snapshot: &'a Snapshot,
    config: &'a Config,
    now: Timestamp,
    index: Arc<Index<'a>>,
    vocabulary: Arc<Vocabulary>,
    /// Parameters without overrides, which most workloads share.
    defaults: Arc<Parameters>,
}

impl<'a> Workloads<'a> {
    /// Reads every tag of the snapshot once, to look at the workloads of `only`, or at any.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, config: &'a Config, now: Timestamp, only: Option<&BTreeSet<String>>) -> Self {
        Self {
            snapshot,
            config,
            now,
            vocabulary: Arc::new(Vocabulary::of(config)),
            index: Arc::new(Index::new(snapshot, &config.tag_prefix, only)),
            defaults: Arc::new(config.params("")),
        }
    }

    /// The index of tagged resources.
    #[must_use]
    pub fn index(&self) -> &Index<'a> {
        &self.index
    }

    /// The workloads that anything is tagged for, in order.
    pub fn all(&self) -> impl Iterator<Item = Workload<'a>> {
        let names = self.index.names.iter().enumerate();
        names.map(|(place, name)| self.at(place, name))
    }

    /// One workload, whether anything is tagged for it or not.
    #[must_use]
    pub fn get(&self, name: &'a str) -> Workload<'a> {
        self.at(self.index.place(name), name)
    }

    fn at(&self, place: usize, name: &'a str) -> Workload<'a> {
        let overridden = self.config.workloads.contains_key(name);
        Workload {
            name,
            snapshot: self.snapshot,
            prefix: &self.config.tag_prefix,
            now: self.now,
            max_window: self.config.migration.max_window,
            migration_timeout: self.config.migrations.timeout,
            params: if overridden {
                Arc::new(self.config.params(name))
            } else {
                Arc::clone(&self.defaults)
            },
            vocabulary: Arc::clone(&self.vocabulary),
            own: self.config.workloads.get(name),
            index: Arc::clone(&self.index),
            place,
            memo: Memo::default(),
        }
    }
}
