//! Where internal events go.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_core::finding::Finding;
use holdfast_core::plan::PlannedAction;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::attempt::Outcome;
use crate::metrics::Metrics;

/// Actions kept for `/api/v1/actions`.
const ACTIONS_KEPT: usize = 500;
/// Notifications that may wait for the notifier. Past it they are dropped, and the log says so: to tell others is no
/// reason to hold up a correction.
const NOTIFICATIONS_WAITING: usize = 1_000;

/// What other programs are told.
#[derive(Debug)]
pub enum Notification {
    /// Findings that opened, and those that were resolved.
    Findings(Vec<Finding>, Vec<Finding>),
    /// What became of a correction.
    Action(Box<PlannedAction>, Outcome, String),
}

/// What internal events feed beside the log: metrics, the actions that the API shows, and notifications.
#[derive(Debug)]
pub struct Telemetry {
    /// The metrics.
    pub metrics: Arc<Metrics>,
    actions: Mutex<VecDeque<Value>>,
    notifications: Option<mpsc::Sender<Notification>>,
    /// What the API shows is older than what is known.
    stale: AtomicBool,
}

impl Telemetry {
    /// Telemetry of which nobody is notified.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            actions: Mutex::default(),
            notifications: None,
            stale: AtomicBool::new(true),
        }
    }

    /// Telemetry, and the notifications that somebody is to deliver.
    #[must_use]
    pub fn with_notifications(metrics: Arc<Metrics>) -> (Self, mpsc::Receiver<Notification>) {
        let (sender, receiver) = mpsc::channel(NOTIFICATIONS_WAITING);
        let telemetry = Self {
            notifications: Some(sender),
            ..Self::new(metrics)
        };
        (telemetry, receiver)
    }

    /// The latest actions, newest first, as the API shows them.
    #[must_use]
    pub fn actions(&self) -> Vec<Value> {
        let actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        actions.iter().cloned().collect()
    }

    /// Notes that what the API shows is stale.
    pub fn mark_stale(&self) {
        self.stale.store(true, Ordering::Relaxed);
    }

    /// Whether what the API shows was stale; it counts as fresh from now on.
    #[must_use]
    pub fn take_stale(&self) -> bool {
        self.stale.swap(false, Ordering::Relaxed)
    }

    pub(super) fn keep_action(&self, action: Value) {
        let mut actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        actions.push_front(action);
        actions.truncate(ACTIONS_KEPT);
    }

    pub(super) fn notify(&self, notification: Notification) {
        if let Some(notifications) = &self.notifications
            && notifications.try_send(notification).is_err()
        {
            tracing::warn!("the event bus does not keep up: an announcement was dropped");
        }
    }
}
