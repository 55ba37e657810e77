//! The progress bar of a sweep.

use holdfast_aws::inventory::{NoProgress, Progress};
use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar on standard error, hidden if that is no terminal.
pub(super) struct ReadProgress(ProgressBar);

impl ReadProgress {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{spinner} reading AWS {bar:30} {pos}/{len} {elapsed}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// What a collector reports to.
    pub(super) fn of_collector(&self) -> &dyn Progress {
        if self.0.is_hidden() { &NoProgress } else { self }
    }
}

impl Progress for ReadProgress {
    fn more(&self, reads: usize) {
        self.0.inc_length(u64::try_from(reads).unwrap_or_default());
    }

    fn done(&self, reads: usize) {
        self.0.inc(u64::try_from(reads).unwrap_or_default());
    }
}

impl Drop for ReadProgress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
