//! How long corrections wait for AWS.

use std::time::Duration;

/// How long to wait for AWS.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a change to show, or a rollout to get steady.
    pub stabilize: Duration,
    /// Between two looks, at first; it grows with the time that has passed.
    pub poll: Duration,
    /// Until a read shows what a call did whose answer was lost.
    pub consistency: Duration,
    /// For a service to be set back: past it a person is asked.
    pub rollback: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            // RDS applies a flag within minutes; a Fargate rollout with health checks takes up to ten.
            stabilize: Duration::from_mins(15),
            poll: Duration::from_millis(500),
            // RDS and ECS show a change within seconds; a call that timed out may still be carried out.
            consistency: Duration::from_secs(30),
            rollback: Duration::from_hours(24),
        }
    }
}
