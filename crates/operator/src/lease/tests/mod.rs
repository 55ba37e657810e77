mod balance;
mod seeds;
mod sharing;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{LeaseCoordinator, LeaseOptions, MemoryStore, Weather};
use crate::ports::{Lease, LeaseStore};
use holdfast_core::model::key::{Key, Scope, Subject};

#[tokio::test(start_paused = true)]
async fn memory_does_what_every_store_must_do() {
    super::conformance::run(&MemoryStore::default()).await;
}

pub(super) fn scopes(n: usize) -> Vec<Scope> {
    let scope = |i| Scope {
        account: format!("{i:012}"),
        region: "us-east-1".to_owned(),
    };
    (0..n).map(scope).collect()
}

/// One replica that runs.
struct Replica {
    coordinator: LeaseCoordinator,
    store: MemoryStore,
    cancel: CancellationToken,
    got: Arc<Mutex<Vec<Key>>>,
    /// Until when its process stands still.
    frozen: Arc<Mutex<Option<Instant>>>,
    task: JoinHandle<()>,
}

impl Replica {
    fn start(store: &MemoryStore, name: &str, scopes: &[Scope]) -> Self {
        Self::start_with(store, name, scopes, LeaseOptions::default())
    }

    fn start_with(store: &MemoryStore, name: &str, scopes: &[Scope], options: LeaseOptions) -> Self {
        let store = store.handle();
        let coordinator = LeaseCoordinator::shared(Arc::new(store.clone()), name.to_owned(), scopes.to_vec(), options);
        let (cancel, frozen) = (CancellationToken::new(), Arc::default());
        let got: Arc<Mutex<Vec<Key>>> = Arc::default();
        let run = {
            let (coordinator, cancel, got) = (coordinator.clone(), cancel.clone(), Arc::clone(&got));
            async move { coordinator.run(cancel, |key| got.lock().unwrap().push(key)).await }
        };
        let task = tokio::spawn(freezing(run, Arc::clone(&frozen)));
        Self {
            coordinator,
            store,
            cancel,
            got,
            frozen,
            task,
        }
    }

    /// Dies without a word.
    fn kill(&self) {
        self.task.abort();
    }

    fn held(&self) -> BTreeMap<Scope, u64> {
        self.coordinator.held().borrow().clone()
    }

    /// Stands still, as under SIGSTOP.
    fn freeze(&self, by: Duration) {
        *self.frozen.lock().unwrap() = Some(Instant::now() + by);
    }
}

/// Polls `run` only while not frozen; its timers go on, as a stopped process's clock does.
async fn freezing(run: impl Future<Output = ()>, frozen: Arc<Mutex<Option<Instant>>>) {
    let mut run = std::pin::pin!(run);
    let mut thaw = Box::pin(sleep(Duration::ZERO));
    std::future::poll_fn(move |context| {
        let until = *frozen.lock().unwrap();
        if let Some(until) = until.filter(|until| *until > Instant::now()) {
            thaw.as_mut().reset(until);
            let _ = thaw.as_mut().poll(context);
            return std::task::Poll::Pending;
        }
        run.as_mut().poll(context)
    })
    .await;
}

async fn seconds(n: u64) {
    sleep(Duration::from_secs(n)).await;
}
