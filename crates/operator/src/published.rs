//! What the operator shows to whoever asks over HTTP: documents that are encoded already, and whether it is ready.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use serde_json::Value;

use crate::metrics::Metrics;

/// One of the JSON documents under `/api/v1/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The last report, as `audit --format json` gives it.
    Findings,
    /// The workloads and their resources.
    Workloads,
    /// What may run now, and why the rest waits.
    Plan,
    /// What was done, newest first.
    Actions,
}

impl View {
    /// All of them, in the order of the index.
    pub const ALL: [Self; 4] = [Self::Findings, Self::Workloads, Self::Plan, Self::Actions];

    /// Its path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Findings => "/api/v1/findings",
            Self::Workloads => "/api/v1/workloads",
            Self::Plan => "/api/v1/plan",
            Self::Actions => "/api/v1/actions",
        }
    }

    /// What it holds, in a few words.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Findings => "what is wrong, as JSON",
            Self::Workloads => "workloads and their resources, as JSON",
            Self::Plan => "what would be corrected and what waits, as JSON",
            Self::Actions => "what was corrected, as JSON",
        }
    }
}

/// Whether the operator is ready to be relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Readiness {
    Starting(String),
    Ready,
    Ending,
}

/// What the server shows; the operator publishes, handlers read.
#[derive(Debug)]
pub struct State {
    /// The metrics.
    pub metrics: Arc<Metrics>,
    readiness: RwLock<Readiness>,
    /// Already encoded: a poll costs a reference count, however large the fleet.
    views: [RwLock<Option<Bytes>>; 4],
    before_view: RwLock<Option<Hook>>,
}

/// What is run before a document is served.
struct Hook(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}

impl State {
    /// Nothing published, not ready: the first sweep is still to come.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            readiness: RwLock::new(Readiness::Starting("the first full sweep has not finished".to_owned())),
            views: Default::default(),
            before_view: RwLock::default(),
        }
    }

    /// Replaces one document.
    pub fn publish(&self, view: View, document: &Value) {
        let bytes = Bytes::from(document.to_string());
        *self.views[view as usize]
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    /// Runs `hook` before each document is served, so that it is encoded only when somebody asks and it has changed. The
    /// hook must not keep this state alive (a cycle).
    pub fn before_view(&self, hook: impl Fn() + Send + Sync + 'static) {
        let hook = Hook(Box::new(hook));
        *self.before_view.write().unwrap_or_else(PoisonError::into_inner) = Some(hook);
    }

    /// Says why the operator is not ready yet, for instance which scope could not be swept. Ignored once it was ready
    /// or is ending.
    pub fn not_ready(&self, reason: impl Into<String>) {
        let mut readiness = self.readiness.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*readiness, Readiness::Starting(_)) {
            *readiness = Readiness::Starting(reason.into());
        }
    }

    /// The first full sweep is done.
    pub fn ready(&self) {
        let mut readiness = self.readiness.write().unwrap_or_else(PoisonError::into_inner);
        if *readiness != Readiness::Ending {
            *readiness = Readiness::Ready;
        }
    }

    /// The end began: not ready any more, for good. Metrics and API go on until the server's token is cancelled.
    pub fn shutting_down(&self) {
        *self.readiness.write().unwrap_or_else(PoisonError::into_inner) = Readiness::Ending;
    }

    /// Why not ready, or nothing.
    #[must_use]
    pub fn unready(&self) -> Option<String> {
        match &*self.readiness.read().unwrap_or_else(PoisonError::into_inner) {
            Readiness::Ready => None,
            Readiness::Starting(reason) => Some(reason.clone()),
            Readiness::Ending => Some("shutting down".to_owned()),
        }
    }

    /// A document as it was published last.
    #[must_use]
    pub fn view(&self, view: View) -> Option<Bytes> {
        if let Some(Hook(hook)) = &*self.before_view.read().unwrap_or_else(PoisonError::into_inner) {
            hook();
        }
        self.views[view as usize]
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
