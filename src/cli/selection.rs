//! The option that limits a command to some workloads.

use std::collections::BTreeSet;

use clap::Args;

/// Which workloads.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Selection {
    /// Only this workload. May be repeated.
    #[arg(long = "workload", value_name = "NAME")]
    workloads: Vec<String>,
}

impl Selection {
    /// Selects one workload.
    pub(super) fn one(workload: &str) -> Self {
        Self {
            workloads: vec![workload.to_owned()],
        }
    }

    /// Returns whether the workload is selected. Without a selection, all are.
    pub(super) fn includes(&self, workload: &str) -> bool {
        self.workloads.is_empty() || self.workloads.iter().any(|w| w == workload)
    }

    /// The selected workloads, or `None` for all.
    pub(super) fn names(&self) -> Option<BTreeSet<String>> {
        (!self.workloads.is_empty()).then(|| self.workloads.iter().cloned().collect())
    }
}
