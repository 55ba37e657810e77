//! Lanes, the cap of a lane, and the least interval between runs.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::*;

fn open(options: QueueOptions) -> WorkQueue<u8> {
    queue(QueueOptions {
        capacity: 10_000,
        jitter: 0.0,
        ..options
    })
}

fn settling() -> WorkQueue<u8> {
    open(QueueOptions {
        min_interval: Duration::from_secs(10),
        ..QueueOptions::default()
    })
}

/// Runs everything that is ready, one after the other.
async fn drain(q: &WorkQueue<u8>) -> Vec<u8> {
    let mut order = vec![];
    while let Some(run) = ready(q).await {
        order.push(*run.key());
        run.finish(Ok(()));
    }
    order
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_one_lane_delays_another_by_one_key_a_lane() {
    let q = open(QueueOptions::default());
    for key in 0..90 {
        q.add(key, Priority::Event, None).unwrap();
    }
    assert_eq!(*q.get().await.unwrap().key(), 0);
    q.add(100, Priority::Event, None).unwrap();
    q.add(200, Priority::Event, None).unwrap();
    q.add(101, Priority::Event, None).unwrap();
    let order = drain(&q).await;
    assert_eq!(
        order[..6],
        [1, 100, 200, 2, 101, 3],
        "in turn, and in order within a lane"
    );
    assert_eq!(order[6..], (4..90).collect::<Vec<u8>>());
}

#[tokio::test(start_paused = true)]
async fn a_lifted_key_leaves_its_old_line() {
    let q = open(QueueOptions::default());
    q.add(1, Priority::Sweep, None).unwrap();
    q.add(100, Priority::Sweep, None).unwrap();
    q.add(100, Priority::Event, None).unwrap();
    assert_eq!(q.stats().depth, 2);
    assert_eq!(drain(&q).await, [100, 1]);
    assert!(q.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lane_may_not_hold_every_worker() {
    let q = open(QueueOptions {
        max_running_per_lane: Some(2),
        ..QueueOptions::default()
    });
    for key in [1, 2, 3, 100] {
        q.add(key, Priority::Event, None).unwrap();
    }
    let held = [q.get().await.unwrap(), q.get().await.unwrap(), q.get().await.unwrap()];
    assert_eq!(held.each_ref().map(|r| *r.key()), [1, 100, 2]);
    assert!(ready(&q).await.is_none());
    let waiting = tokio::spawn({
        let q = q.clone();
        async move { q.get().await.map(|r| *r.key()) }
    });
    tokio::task::yield_now().await;
    let [first, ..] = held;
    first.finish(Ok(()));
    assert_eq!(
        waiting.await.unwrap(),
        Some(3),
        "the end of one lets the next of its lane in"
    );
}

#[tokio::test(start_paused = true)]
async fn sweeps_leave_workers_to_events() {
    let q = open(QueueOptions {
        max_running_sweeps: Some(1),
        ..QueueOptions::default()
    });
    for key in [1, 100] {
        q.add(key, Priority::Sweep, None).unwrap();
    }
    let sweep = q.get().await.unwrap();
    assert!(ready(&q).await.is_none());
    q.add(2, Priority::Event, None).unwrap();
    q.get().await.unwrap().finish(Ok(()));
    sweep.finish(Ok(()));
    assert_eq!(drain(&q).await, [100]);
}

#[tokio::test(start_paused = true)]
async fn late_sweeps_and_events_take_turns() {
    let q = open(QueueOptions::default());
    for key in [1, 100, 200] {
        q.add(key, Priority::Sweep, None).unwrap();
    }
    tokio::time::advance(Duration::from_mins(6)).await;
    for key in [2, 3, 4] {
        q.add(key, Priority::Event, None).unwrap();
    }
    assert_eq!(drain(&q).await, [1, 2, 100, 3, 200, 4]);
}

#[tokio::test(start_paused = true)]
async fn the_first_run_is_at_once_and_what_follows_merges() {
    let q = settling();
    let start = Instant::now();
    q.add(1, Priority::Event, None).unwrap();
    drop(q.get().await.unwrap());
    tokio::time::advance(Duration::from_secs(3)).await;
    let told: Vec<_> = (0..3)
        .map(|_| {
            let (tx, rx) = oneshot::channel();
            q.add(1, Priority::Sweep, Some(tx)).unwrap();
            rx
        })
        .collect();
    q.add(1, Priority::Event, None).unwrap();
    assert_eq!((q.stats().depth, q.stats().delayed), (0, 1));
    q.add(2, Priority::Event, None).unwrap();
    assert_eq!(*q.get().await.unwrap().key(), 2, "others are not put off");
    let run = q.get().await.unwrap();
    assert_eq!((*run.key(), start.elapsed()), (1, Duration::from_secs(10)));
    assert_eq!(
        (run.priority(), run.waited()),
        (Priority::Event, Duration::from_secs(7))
    );
    run.finish(Ok(()));
    for rx in told {
        assert_eq!(rx.await.unwrap(), Ok(()));
    }
    assert!(ready(&q).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_dirty_key_settles_too_and_a_long_run_is_interval_enough() {
    let q = settling();
    let start = Instant::now();
    for took in [4, 12] {
        q.add(1, Priority::Event, None).unwrap();
        let run = q.get().await.unwrap();
        q.add(1, Priority::Event, None).unwrap();
        tokio::time::advance(Duration::from_secs(took)).await;
        run.finish(Ok(()));
        let again = q.get().await.unwrap();
        let began = if took == 4 { 10 } else { 32 };
        assert_eq!(start.elapsed().as_secs(), began);
        again.finish(Ok(()));
        tokio::time::advance(Duration::from_secs(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn timers_and_retries_are_not_put_off() {
    let q = settling();
    let start = Instant::now();
    q.add(1, Priority::Event, None).unwrap();
    let run = q.get().await.unwrap();
    assert_eq!(q.retry(run.key(), run.priority()), Some(Duration::from_secs(1)));
    run.finish(Err(RunFailed));
    let run = q.get().await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 1);
    q.forget(run.key());
    run.finish(Ok(()));
    q.add(1, Priority::Event, None).unwrap();
    q.add_after(1, Duration::from_secs(2), Priority::Event).unwrap();
    q.get().await.unwrap().finish(Ok(()));
    assert_eq!(start.elapsed().as_secs(), 3, "the timer's run is the event's too");
    assert_eq!(q.stats().delayed, 0);
    assert!(ready(&q).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_settles_counts_as_waiting_and_is_dropped_at_the_end() {
    let q = queue(QueueOptions {
        min_interval: Duration::from_secs(10),
        ..small()
    });
    for key in 0..4 {
        q.add(key, Priority::Event, None).unwrap();
    }
    drain(&q).await;
    let (tx, rx) = oneshot::channel();
    q.add(0, Priority::Event, Some(tx)).unwrap();
    for key in 1..4 {
        q.add(key, Priority::Event, None).unwrap();
    }
    assert_eq!(q.add(9, Priority::Event, None), Err(AddError::Full));
    q.add_after(9, Duration::from_secs(1), Priority::Event).unwrap();
    q.shut_down();
    assert!(rx.await.is_err());
    q.drained().await;
    assert!(q.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_thousands_of_keys() {
    let q: WorkQueue<(u8, u32)> = WorkQueue::new(
        QueueOptions {
            min_interval: Duration::from_secs(1),
            max_running_per_lane: Some(3),
            capacity: 500,
            ..QueueOptions::default()
        },
        Arc::new(Unobserved),
    );
    for round in 0..20u32 {
        for n in 0..500u32 {
            let key = (u8::try_from(n % 7).unwrap(), round * 250 + n);
            q.add(key, Priority::Event, None).unwrap();
        }
        while q.stats().depth > 0 {
            let run = q.get().await.unwrap();
            if run.key().1 % 5 == 0 {
                q.retry(run.key(), run.priority());
                q.forget(run.key());
            }
            run.finish(Ok(()));
        }
        assert!(q.lock().recent.len() <= 500, "bounded");
        tokio::time::advance(Duration::from_millis(700)).await;
    }
    while q.stats().delayed > 0 {
        q.get().await.unwrap().finish(Ok(()));
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(q.stats(), QueueStats::default());
    assert!(q.lock().is_empty());
}

impl Laned for (u8, u32) {
    type Lane = u8;

    fn lane(&self) -> u8 {
        self.0
    }
}

#[derive(Debug, Clone)]
enum Op {
    Add(u8),
    Get,
    Finish(u8),
    Advance(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (0..3u8, 0..4u8).prop_map(|(lane, n)| Op::Add(lane * 100 + n)),
        4 => Just(Op::Get),
        3 => any::<u8>().prop_map(Op::Finish),
        1 => (1..12u8).prop_map(Op::Advance),
    ]
}

/// The queue as one would write it without a thought for speed: one line a lane, in the order of asking, lanes in turn.
#[derive(Default)]
struct Model {
    lanes: VecDeque<(u8, Vec<Wish>)>,
    /// Wishes that wait for a run's end, or, last in the order in which they began to, for an interval's.
    put_off: Vec<Wish>,
    running: Vec<u8>,
    began: HashMap<u8, u64>,
    now: u64,
    asked: u64,
}

#[derive(Clone, Copy)]
struct Wish {
    key: u8,
    asked: u64,
}

const INTERVAL: u64 = 5;
const CAP: usize = 2;

impl Model {
    fn add(&mut self, key: u8) {
        let lined = self.lanes.iter().flat_map(|(_, line)| line);
        if lined.chain(&self.put_off).all(|w| w.key != key) {
            self.asked += 1;
            self.put_off.push(Wish { key, asked: self.asked });
        }
    }

    fn finish(&mut self, key: u8) {
        self.running.retain(|k| *k != key);
        if let Some(at) = self.put_off.iter().position(|w| w.key == key) {
            let wish = self.put_off.remove(at);
            self.put_off.push(wish);
        }
    }

    /// Lines up what may run by now.
    fn stabilize(&mut self) {
        let (running, began, now) = (&self.running, &self.began, self.now);
        let is_free = |w: &Wish| !running.contains(&w.key) && began.get(&w.key).is_none_or(|at| at + INTERVAL <= now);
        let (free, rest) = self.put_off.iter().partition::<Vec<Wish>, _>(|w| is_free(w));
        self.put_off = rest;
        for wish in free {
            let lane = wish.key / 100;
            if !self.lanes.iter().any(|(l, _)| *l == lane) {
                self.lanes.push_back((lane, vec![]));
            }
            for (_, line) in self.lanes.iter_mut().filter(|(l, _)| *l == lane) {
                line.push(wish);
                line.sort_by_key(|w| w.asked);
            }
        }
    }

    fn get(&mut self) -> Option<u8> {
        let runs = |lane: u8| self.running.iter().filter(|k| *k / 100 == lane).count();
        let at = self.lanes.iter().position(|(lane, _)| runs(*lane) < CAP)?;
        let (lane, mut line) = self.lanes.remove(at)?;
        let Wish { key, .. } = line.remove(0);
        if !line.is_empty() {
            self.lanes.push_back((lane, line));
        }
        self.running.push(key);
        self.began.insert(key, self.now);
        Some(key)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Key by key what the model hands out.
    #[test]
    fn hands_out_what_the_model_does(ops in prop::collection::vec(op(), 1..150)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let q = open(QueueOptions {
                max_running_per_lane: Some(CAP),
                min_interval: Duration::from_secs(INTERVAL),
                ..QueueOptions::default()
            });
            let (mut model, mut running) = (Model::default(), Vec::<Running<u8>>::new());
            for op in ops {
                match op {
                    Op::Add(key) => {
                        q.add(key, Priority::Event, None).unwrap();
                        model.add(key);
                    }
                    Op::Get => {
                        let run = ready(&q).await;
                        assert_eq!(run.as_ref().map(|r| *r.key()), model.get());
                        running.extend(run);
                    }
                    Op::Finish(n) if !running.is_empty() => {
                        let run = running.swap_remove(usize::from(n) % running.len());
                        model.finish(*run.key());
                        run.finish(Ok(()));
                    }
                    Op::Finish(_) => {}
                    // A second at a time, with a look at it, so that timers fire in the order of their ends.
                    Op::Advance(secs) => for _ in 0..secs {
                        tokio::time::advance(Duration::from_secs(1)).await;
                        model.now += 1;
                        q.lock().fire_due(Instant::now(), &Unobserved);
                        model.stabilize();
                    }
                }
                model.stabilize();
                let lined: usize = model.lanes.iter().map(|(_, line)| line.len()).sum();
                assert_eq!(q.stats().depth, lined);
            }
            running.clear();
            tokio::time::advance(Duration::from_secs(INTERVAL)).await;
            while let Some(run) = ready(&q).await {
                run.finish(Ok(()));
            }
            tokio::time::advance(Duration::from_secs(INTERVAL)).await;
            assert_eq!(q.stats(), QueueStats::default());
            assert!(q.lock().is_empty());
        });
    }
}
