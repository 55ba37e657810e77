//! What the clones of a scope's clients share, and the call that is being made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use holdfast_core::config::Config;
use tokio::sync::Semaphore;

use super::limits::{Family, Limits, share};

/// What every clone of an [`super::Aws`] shares.
pub(super) struct Shared {
    pub(super) limits: Limits,
    /// Calls under way.
    pub(super) permits: Semaphore,
    /// Those of them that are a sweep's, where events must find a place.
    pub(super) sweeping: Semaphore,
    pub(super) calls: AtomicU64,
    pub(super) sweep_calls: AtomicU64,
}

impl Shared {
    pub(super) fn new(config: &Config) -> Self {
        let places = u32::try_from(config.limits.concurrency.max(1)).unwrap_or(u32::MAX);
        let places = places.min(1 << 16);
        Self {
            limits: Limits::new(config),
            permits: Semaphore::new(places as usize),
            sweeping: Semaphore::new(share(places) as usize),
            calls: AtomicU64::new(0),
            sweep_calls: AtomicU64::new(0),
        }
    }
}

/// The call that is being made, for the interceptor that sees its attempts: the SDK retries a throttled call on its own,
/// and returns the last attempt only.
pub(super) struct CallContext {
    pub(super) shared: Arc<Shared>,
    pub(super) family: Family,
    pub(super) is_sweep: bool,
    /// Tokens that it took.
    pub(super) took: u32,
}

tokio::task_local! {
    pub(super) static CONTEXT: CallContext;
}

impl CallContext {
    /// An attempt of the call under way in this task ended. Without a call, as for the operator's own queue, nothing is
    /// counted.
    pub(super) fn attempted(throttled: bool, answered: bool) {
        let _ = CONTEXT.try_with(|call| {
            let shared = &call.shared;
            shared.calls.fetch_add(1, Ordering::Relaxed);
            shared.sweep_calls.fetch_add(call.is_sweep.into(), Ordering::Relaxed);
            if throttled {
                shared.limits.throttled(call.family, call.took);
            } else if answered {
                shared.limits.taken(call.family);
            }
        });
    }
}
