//! The reads that a correction repeats besides its own workload.

/// The reads to repeat just before the first call of a correction. The workload itself is always read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefreshBeforeCall {
    /// All databases: whether a security group or a parameter group is shared must be known now, not as of the last
    /// sweep.
    pub all_databases: bool,
    /// Services of the workload that the last sweep did not find: the correction may cut one of them off.
    pub discover_services: bool,
}

impl RefreshBeforeCall {
    /// Nothing but the workload.
    pub const WORKLOAD: Self = Self {
        all_databases: false,
        discover_services: false,
    };

    /// Whether anything besides the workload is read again.
    #[must_use]
    pub fn is_wider(self) -> bool {
        self.all_databases || self.discover_services
    }
}
