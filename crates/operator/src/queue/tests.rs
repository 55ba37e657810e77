use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use tokio::sync::oneshot;

use super::*;

mod sharing;

/// A hundred keys a lane.
impl Laned for u8 {
    type Lane = u8;

    fn lane(&self) -> u8 {
        self / 100
    }
}

fn queue(options: QueueOptions) -> WorkQueue<u8> {
    WorkQueue::new(options, Arc::new(Unobserved))
}

fn small() -> QueueOptions {
    QueueOptions {
        capacity: 4,
        jitter: 0.0,
        ..QueueOptions::default()
    }
}

/// The next key if one is ready without waiting.
async fn ready(queue: &WorkQueue<u8>) -> Option<Running<u8>> {
    tokio::time::timeout(Duration::ZERO, queue.get()).await.ok().flatten()
}

#[tokio::test(start_paused = true)]
async fn a_key_added_twice_runs_once() {
    let q = queue(small());
    q.add(1, Priority::Event, None).unwrap();
    q.add(1, Priority::Event, None).unwrap();
    q.get().await.unwrap().finish(Ok(()));
    assert!(ready(&q).await.is_none());
    assert_eq!(q.stats(), QueueStats::default());
    assert!(q.lock().is_empty(), "nothing is remembered of a key that is done");
}

#[tokio::test(start_paused = true)]
async fn a_key_added_while_it_runs_runs_again_and_not_beside_itself() {
    let q = queue(small());
    q.add(1, Priority::Event, None).unwrap();
    let first = q.get().await.unwrap();
    let (tx, mut rx) = oneshot::channel();
    q.add(1, Priority::Event, Some(tx)).unwrap();
    assert!(ready(&q).await.is_none());
    first.finish(Ok(()));
    assert!(
        rx.try_recv().is_err(),
        "the run that had begun before says nothing about the new wish"
    );
    let second = q.get().await.unwrap();
    second.finish(Err(RunFailed));
    assert_eq!(rx.await.unwrap(), Err(RunFailed));
}

#[tokio::test(start_paused = true)]
async fn everyone_who_asked_is_told_and_a_dropped_run_is_a_failure() {
    let q = queue(small());
    let (a, rx_a) = oneshot::channel();
    let (b, rx_b) = oneshot::channel();
    q.add(1, Priority::Sweep, Some(a)).unwrap();
    q.add(1, Priority::Event, Some(b)).unwrap();
    drop(q.get().await.unwrap());
    assert_eq!(
        (rx_a.await.unwrap(), rx_b.await.unwrap()),
        (Err(RunFailed), Err(RunFailed))
    );
}

#[tokio::test(start_paused = true)]
async fn events_go_first_and_lift_a_waiting_key() {
    let q = queue(small());
    for key in [1, 2, 3] {
        q.add(key, Priority::Sweep, None).unwrap();
    }
    q.add(3, Priority::Event, None).unwrap();
    let order: Vec<u8> = [q.get().await, q.get().await, q.get().await]
        .into_iter()
        .flatten()
        .map(|r| *r.key())
        .collect();
    assert_eq!(order, [3, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_key_is_not_starved() {
    let q = queue(small());
    q.add(1, Priority::Sweep, None).unwrap();
    tokio::time::advance(Duration::from_secs(301)).await;
    q.add(2, Priority::Event, None).unwrap();
    assert_eq!(q.stats().oldest, Some(Duration::from_secs(301)));
    assert_eq!(*q.get().await.unwrap().key(), 1);
}

#[tokio::test(start_paused = true)]
async fn full_refuses_new_keys_only() {
    let q = queue(small());
    for key in 0..4 {
        q.add(key, Priority::Event, None).unwrap();
    }
    assert_eq!(q.add(9, Priority::Event, None), Err(AddError::Full));
    q.add(3, Priority::Event, None).unwrap();
    let run = q.get().await.unwrap();
    q.add(9, Priority::Event, None).unwrap();
    // The running key may be marked dirty, and a failed one may come back, whatever waits.
    q.add(*run.key(), Priority::Event, None).unwrap();
    assert!(q.retry(&7, Priority::Event).is_some());
}

#[tokio::test(start_paused = true)]
async fn timers_fire_in_time_and_the_earlier_wins() {
    let q = queue(small());
    let start = Instant::now();
    q.add_after(1, Duration::from_mins(1), Priority::Event).unwrap();
    q.add_after(1, Duration::from_secs(10), Priority::Event).unwrap();
    q.add_after(1, Duration::from_secs(90), Priority::Event).unwrap();
    q.add_after(2, Duration::from_secs(20), Priority::Event).unwrap();
    let first = q.get().await.unwrap();
    assert_eq!((*first.key(), start.elapsed().as_secs()), (1, 10));
    assert_eq!(*q.get().await.unwrap().key(), 2);
    assert_eq!(start.elapsed().as_secs(), 20);
    assert_eq!(q.stats().delayed, 0);
    q.add_after(3, Duration::MAX, Priority::Event).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiting_worker_takes_over_the_next_timer() {
    let q = queue(small());
    let start = Instant::now();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let q = q.clone();
            tokio::spawn(async move {
                let run = q.get().await.unwrap();
                let at = start.elapsed().as_secs();
                tokio::time::sleep(Duration::from_secs(1_000)).await;
                (*run.key(), at)
            })
        })
        .collect();
    tokio::task::yield_now().await;
    q.add_after(1, Duration::from_secs(5), Priority::Event).unwrap();
    q.add_after(2, Duration::from_secs(6), Priority::Event).unwrap();
    let mut seen = Vec::new();
    for worker in workers {
        seen.push(worker.await.unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, [(1, 5), (2, 6)]);
}

#[tokio::test(start_paused = true)]
async fn back_off_doubles_to_its_cap_and_is_forgotten() {
    let q = queue(small());
    let delays: Vec<u64> = (0..11)
        .filter_map(|_| q.retry(&1, Priority::Event))
        .map(|d| d.as_secs())
        .collect();
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert_eq!(q.stats().delayed, 1, "one retry per key");
    q.forget(&1);
    assert_eq!(q.stats(), QueueStats::default());
    assert_eq!(q.retry(&1, Priority::Event), Some(Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn a_run_replaces_the_retry_but_not_the_timer() {
    let q = queue(small());
    q.retry(&1, Priority::Event);
    q.add_after(1, Duration::from_mins(1), Priority::Event).unwrap();
    q.add(1, Priority::Event, None).unwrap();
    q.get().await.unwrap().finish(Ok(()));
    assert_eq!(q.stats().delayed, 1);
}

#[test]
fn jitter_shortens_and_never_exceeds() {
    let options = QueueOptions {
        jitter: 0.5,
        ..QueueOptions::default()
    };
    assert_eq!(backoff(&options, 3, 0.0), Duration::from_secs(4));
    assert_eq!(backoff(&options, 3, 1.0), Duration::from_secs(2));
    assert_eq!(backoff(&options, u32::MAX, 0.0), options.max_delay);
}

#[tokio::test(start_paused = true)]
async fn shutting_down_lets_runs_finish_and_leaves_the_rest() {
    let q = queue(small());
    let (running, told) = oneshot::channel();
    let (waiting, left) = oneshot::channel();
    q.add(1, Priority::Event, Some(running)).unwrap();
    let run = q.get().await.unwrap();
    q.add(2, Priority::Event, Some(waiting)).unwrap();
    q.add(1, Priority::Event, None).unwrap();
    let idle = tokio::spawn({
        let q = q.clone();
        async move { while q.get().await.is_some() {} }
    });
    q.shut_down();
    idle.await.unwrap();
    assert!(left.await.is_err());
    assert!(q.get().await.is_none());
    assert_eq!(q.add(5, Priority::Event, None), Err(AddError::ShutDown));
    assert_eq!(q.retry(&1, Priority::Event), None);
    assert!(tokio::time::timeout(Duration::from_secs(1), q.drained()).await.is_err());
    run.finish(Ok(()));
    q.drained().await;
    assert_eq!(told.await.unwrap(), Ok(()));
    assert_eq!(q.stats(), QueueStats::default());
}

#[derive(Default)]
struct Counts {
    depth: AtomicUsize,
    adds: AtomicUsize,
    retries: AtomicUsize,
}

impl QueueObserver for Counts {
    fn depth(&self, depth: usize) {
        self.depth.store(depth, Ordering::Relaxed);
    }
    fn added(&self) {
        self.adds.fetch_add(1, Ordering::Relaxed);
    }
    fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_observer_hears_of_it() {
    let counts = Arc::new(Counts::default());
    let q = WorkQueue::new(small(), Arc::clone(&counts) as Arc<dyn QueueObserver>);
    q.add(1, Priority::Event, None).unwrap();
    q.add(1, Priority::Event, None).unwrap();
    q.add(2, Priority::Event, None).unwrap();
    assert_eq!(counts.depth.load(Ordering::Relaxed), 2);
    let run = q.get().await.unwrap();
    q.retry(run.key(), Priority::Event);
    assert_eq!(counts.depth.load(Ordering::Relaxed), 1);
    assert_eq!(
        (
            counts.adds.load(Ordering::Relaxed),
            counts.retries.load(Ordering::Relaxed)
        ),
        (2, 1)
    );
}

#[derive(Debug, Clone)]
enum Op {
    Add(u8, bool),
    AddAfter(u8, u8),
    Get,
    /// Finishes the n-th of what runs.
    Finish(u8, bool),
    Retry(u8),
    Forget(u8),
    Advance(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..6u8, any::<bool>()).prop_map(|(k, e)| Op::Add(k, e)),
        1 => (0..6u8, 0..20u8).prop_map(|(k, d)| Op::AddAfter(k, d)),
        4 => Just(Op::Get),
        4 => (any::<u8>(), any::<bool>()).prop_map(|(n, ok)| Op::Finish(n, ok)),
        1 => (0..6u8).prop_map(Op::Retry),
        1 => (0..6u8).prop_map(Op::Forget),
        1 => (0..10u8).prop_map(Op::Advance),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Against a model of sets: no key runs beside itself, none is lost or invented, and each caller is told by the
    /// first run that began after it asked, and by no other.
    #[test]
    fn holds_what_it_promises(ops in prop::collection::vec(op(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let q = queue(QueueOptions { capacity: 100, ..QueueOptions::default() });
            let mut wanted: BTreeSet<u8> = BTreeSet::new();
            let mut delayed = false;
            let mut running: Vec<Running<u8>> = Vec::new();
            let mut begun: HashMap<u8, Vec<oneshot::Receiver<_>>> = HashMap::new();
            let mut asked: HashMap<u8, Vec<oneshot::Receiver<_>>> = HashMap::new();
            for op in ops {
                match op {
                    Op::Add(key, event) => {
                        let (tx, rx) = oneshot::channel();
                        q.add(key, if event { Priority::Event } else { Priority::Sweep }, Some(tx)).unwrap();
                        asked.entry(key).or_default().push(rx);
                        wanted.insert(key);
                    }
                    Op::AddAfter(key, secs) => {
                        q.add_after(key, Duration::from_secs(secs.into()), Priority::Sweep).unwrap();
                        delayed = true;
                    }
                    Op::Retry(key) => { q.retry(&key, Priority::Event); delayed = true; }
                    Op::Forget(key) => q.forget(&key),
                    Op::Advance(secs) => tokio::time::advance(Duration::from_secs(secs.into())).await,
                    Op::Get => {
                        let free = wanted.iter().any(|k| running.iter().all(|r| r.key() != k));
                        match ready(&q).await {
                            Some(run) => {
                                let key = *run.key();
                                assert!(running.iter().all(|r| *r.key() != key), "{key} beside itself");
                                assert!(wanted.remove(&key) || delayed, "{key} out of nowhere");
                                begun.insert(key, asked.remove(&key).unwrap_or_default());
                                running.push(run);
                            }
                            None => assert!(!free, "a wanted key was not handed out"),
                        }
                    }
                    Op::Finish(n, ok) => {
                        if running.is_empty() { continue; }
                        let run = running.swap_remove(usize::from(n) % running.len());
                        let key = *run.key();
                        let result = if ok { Ok(()) } else { Err(RunFailed) };
                        run.finish(result);
                        for rx in begun.remove(&key).unwrap_or_default() {
                            assert_eq!(rx.await.expect("told"), result);
                        }
                        for rx in asked.get_mut(&key).into_iter().flatten() {
                            assert!(rx.try_recv().is_err(), "told by a run that began before it asked");
                        }
                    }
                }
                assert_eq!(q.stats().running, running.len());
            }
            drop(running);
            q.shut_down();
            q.drained().await;
            assert!(q.lock().is_empty());
        });
    }
}
