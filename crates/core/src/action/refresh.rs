//! The reads that a correction repeats besides its own workload.

/// What is read again right before the first call of a correction, besides the workload itself, which always is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefreshBeforeCall {
    /// All databases: whether a group or a parameter group is shared must be known as of now, not as of the last sweep.
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

    /// Whether what was read of the workload alone does not suffice.
    #[must_use]
    pub fn is_wider(self) -> bool {
        self.all_databases || self.discover_services
    }
}
