use std::collections::HashSet;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::clock::FakeClock;
use crate::metrics::Metrics;
use crate::queue::{QueueOptions, Unobserved};

#[derive(Default)]
struct FakeQueue {
    waiting: VecDeque<Message>,
    errors: usize,
    receives: usize,
    deleted: Vec<String>,
    delete_sizes: Vec<usize>,
    /// Handles whose first deletion fails.
    sticky: HashSet<String>,
    hidden: Vec<(String, Duration)>,
}

#[derive(Default)]
struct Fake(Mutex<FakeQueue>);

impl Fake {
    fn with(&self) -> std::sync::MutexGuard<'_, FakeQueue> {
        self.0.lock().unwrap()
    }
    fn send(&self, bodies: impl IntoIterator<Item = String>) {
        let mut queue = self.with();
        for body in bodies {
            let n = queue.waiting.len() + queue.receives * 1_000;
            queue.waiting.push_back(Message {
                id: format!("m{n}"),
                receipt_handle: format!("h{n}"),
                body,
                sent_at: None,
            });
        }
    }
}

#[async_trait]
impl EventSource for Fake {
    async fn receive(&self) -> Result<Vec<Message>, SourceError> {
        let start = Instant::now();
        loop {
            {
                let mut queue = self.with();
                queue.receives += 1;
                if queue.errors > 0 {
                    queue.errors -= 1;
                    return Err(SourceError {
                        action: "sqs:ReceiveMessage",
                        message: "down".into(),
                        hint: String::new(),
                    });
                }
                queue.receives -= 1;
                let n = queue.waiting.len().min(BATCH);
                let is_over = start.elapsed() >= Duration::from_secs(20);
                if n > 0 || is_over {
                    queue.receives += 1;
                    return Ok(queue.waiting.drain(..n).collect());
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    async fn delete(&self, handles: Vec<String>) -> Result<Vec<String>, SourceError> {
        let mut queue = self.with();
        queue.delete_sizes.push(handles.len());
        let (left, gone): (Vec<_>, Vec<_>) = handles.into_iter().partition(|h| queue.sticky.remove(h));
        queue.deleted.extend(gone);
        Ok(left)
    }
    async fn set_visibility(&self, handles: Vec<String>, visibility: Duration) -> Result<(), SourceError> {
        self.with().hidden.extend(handles.into_iter().map(|h| (h, visibility)));
        Ok(())
    }
    fn visibility(&self) -> Duration {
        Duration::from_mins(1)
    }
}

fn event(db: &str) -> String {
    format!(
        r#"{{"version":"0","detail-type":"RDS DB Instance Event","source":"aws.rds","account":"123456789012",
        "region":"us-east-1","time":"2026-11-21T08:00:00Z","resources":[],"detail":{{"SourceIdentifier":"{db}"}}}}"#
    )
}

struct World {
    source: Arc<Fake>,
    queue: WorkQueue<Key>,
    metrics: Arc<Metrics>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn world(capacity: usize, options: ConsumeOptions) -> World {
    let source = Arc::new(Fake::default());
    let queue = WorkQueue::new(
        QueueOptions {
            capacity,
            ..QueueOptions::default()
        },
        Arc::new(Unobserved),
    );
    let metrics = Arc::new(Metrics::new("0").unwrap());
    let cancel = CancellationToken::new();
    let consumer = Consumer {
        source: Arc::clone(&source) as Arc<dyn EventSource>,
        sink: Arc::new(queue.clone()),
        telemetry: Arc::new(Telemetry::new(Arc::clone(&metrics))),
        clock: Arc::new(FakeClock::new("2026-11-21T08:00:02Z".parse().unwrap())),
        options,
    };
    let task = tokio::spawn(consumer.run(cancel.clone()));
    World {
        source,
        queue,
        metrics,
        cancel,
        task,
    }
}

async fn secs(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_only_once_it_was_handled() {
    let w = world(100, ConsumeOptions::default());
    w.source.send([event("good"), event("bad")]);
    secs(1).await;
    assert!(w.source.with().deleted.is_empty());
    for _ in 0..2 {
        let run = w.queue.get().await.unwrap();
        let is_good = run.key().to_string().ends_with("good");
        run.finish(if is_good { Ok(()) } else { Err(RunFailed) });
    }
    secs(1).await;
    assert_eq!(w.source.with().deleted, ["h0"]);
    assert!(
        w.source.with().hidden.is_empty(),
        "a failed one waits for its visibility timeout"
    );
    let text = w.metrics.render();
    assert!(text.contains("holdfast_event_lag_seconds_sum 2\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_message_with_several_keys_waits_for_all() {
    let w = world(100, ConsumeOptions::default());
    w.source.send([format!("[{},{}]", event("a"), event("b"))]);
    w.queue.get().await.unwrap().finish(Ok(()));
    secs(1).await;
    assert!(w.source.with().deleted.is_empty());
    w.queue.get().await.unwrap().finish(Ok(()));
    secs(1).await;
    assert_eq!(w.source.with().deleted.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_malformed_stays_and_the_irrelevant_goes() {
    let w = world(100, ConsumeOptions::default());
    w.source.send([
        "{ canary".to_owned(),
        r#"{"source":"aws.health","detail-type":"x","detail":{}}"#.to_owned(),
    ]);
    secs(1).await;
    assert_eq!(w.source.with().deleted, ["h1"]);
    let text = w.metrics.render();
    assert!(
        text.contains("detail_type=\"unknown\",result=\"malformed\",source=\"unknown\"} 1"),
        "{text}"
    );
    assert!(!text.contains("canary"));
}

#[tokio::test(start_paused = true)]
async fn duplicates_run_once_and_are_deleted_in_tens() {
    let w = world(100, ConsumeOptions::default());
    w.source.send((0..50).map(|_| event("same")));
    w.source.with().sticky.insert("h7".to_owned());
    secs(1).await;
    w.queue.get().await.unwrap().finish(Ok(()));
    secs(5).await;
    assert_eq!(w.source.with().deleted.len(), 50);
    assert_eq!(
        w.source.with().delete_sizes,
        [10, 10, 10, 10, 10, 1],
        "the one that failed was tried again alone"
    );
    assert_eq!(w.queue.stats().depth, 0);
}

#[tokio::test(start_paused = true)]
async fn long_runs_are_renewed() {
    let w = world(100, ConsumeOptions::default());
    w.source.send([event("slow")]);
    let run = w.queue.get().await.unwrap();
    secs(200).await;
    let hidden = w.source.with().hidden.clone();
    assert!(
        hidden.len() >= 5 && hidden.iter().all(|h| *h == ("h0".to_owned(), Duration::from_mins(1))),
        "{hidden:?}"
    );
    run.finish(Ok(()));
    secs(1).await;
    assert_eq!(w.source.with().deleted, ["h0"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_work_queue_and_a_full_hand_stop_the_receiving() {
    let w = world(2, ConsumeOptions::default());
    w.source.send((0..40).map(|n| event(&format!("db{n}"))));
    secs(5).await;
    assert_eq!(
        w.source.with().receives,
        1,
        "with messages in hand that don't fit, no more are taken"
    );
    for _ in 0..40 {
        w.queue.get().await.unwrap().finish(Ok(()));
    }
    secs(5).await;
    assert_eq!(w.source.with().deleted.len(), 40);

    let w = world(
        100,
        ConsumeOptions {
            max_in_flight: 20,
            ..ConsumeOptions::default()
        },
    );
    w.source.send((0..40).map(|_| event("same")));
    secs(5).await;
    assert_eq!(w.source.with().waiting.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn errors_back_off_up_to_a_cap() {
    let w = world(100, ConsumeOptions::default());
    w.source.with().errors = usize::MAX;
    secs(3_600).await;
    let receives = w.source.with().receives;
    assert!((60..100).contains(&receives), "{receives} polls in an hour of outage");
    w.source.with().errors = 0;
    w.source.send([event("a")]);
    secs(61).await;
    assert_eq!(w.queue.stats().depth, 1);
}

#[tokio::test(start_paused = true)]
async fn cancelling_aborts_the_poll_and_finishes_what_runs() {
    let w = world(100, ConsumeOptions::default());
    let start = Instant::now();
    w.cancel.cancel();
    w.task.await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(10), "the long poll was aborted");

    let w = world(100, ConsumeOptions::default());
    w.source.send([event("runs"), event("waits")]);
    let run = w.queue.get().await.unwrap();
    w.cancel.cancel();
    w.queue.shut_down();
    secs(3).await;
    run.finish(Ok(()));
    w.task.await.unwrap();
    assert_eq!(w.source.with().deleted, ["h0"]);
    assert_eq!(
        w.source.with().hidden,
        [("h1".to_owned(), Duration::ZERO)],
        "the other is free for another process"
    );
}

#[tokio::test(start_paused = true)]
async fn the_grace_has_an_end() {
    let w = world(100, ConsumeOptions::default());
    w.source.send([event("stuck")]);
    let _run = w.queue.get().await.unwrap();
    let start = Instant::now();
    w.cancel.cancel();
    w.task.await.unwrap();
    assert!(start.elapsed() <= Duration::from_secs(28));
    assert_eq!(w.source.with().hidden.last(), Some(&("h0".to_owned(), Duration::ZERO)));
}
