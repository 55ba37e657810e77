//! What every read needs: the clients, the configuration, what was read before, and who watches.

use holdfast_core::config::Config;

use super::read_cache::ReadCache;
use crate::client::Aws;

/// Follows the progress of a sweep.
pub trait Progress: Send + Sync {
    /// This many more reads are needed.
    fn more(&self, reads: usize);
    /// This many reads are done.
    fn done(&self, reads: usize);
}

/// Nobody watches.
pub struct NoProgress;

impl Progress for NoProgress {
    fn more(&self, _: usize) {}
    fn done(&self, _: usize) {}
}

/// Reads one scope.
#[derive(Clone, Copy)]
pub struct Collector<'a> {
    /// The clients.
    pub aws: &'a Aws,
    /// What may be read, and which tags count.
    pub config: &'a Config,
    /// What was read before and may be relied on.
    pub cache: &'a ReadCache,
    /// Where progress is reported.
    pub progress: &'a dyn Progress,
}

impl Collector<'_> {
    /// How many reads of one kind are under way at once.
    pub(super) fn limit(&self) -> usize {
        self.config.limits.concurrency.max(1)
    }
}

/// Whether facts that were read before may stand in for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reuse {
    /// A sweep: see [`ReadCache`].
    Allowed,
    /// A refresh: everything is read.
    Never,
}
