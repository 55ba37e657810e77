//! What a call takes and counts, against answers put on the wire.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::*;

const LIST: Api = Api {
    service: "ecs",
    operation: "ListClusters",
    family: Family::EcsDefinitions,
};
const THROTTLED: (u16, &str) = (400, r#"{"__type": "ThrottlingException", "message": "Rate exceeded"}"#);
const FINE: (u16, &str) = (200, r#"{"clusterArns": []}"#);

/// Clients that get prepared answers, the last one for ever.
fn aws(account: &str, replies: &[(u16, &'static str)], concurrency: usize) -> Aws {
    let mut config = Config::default();
    config.limits.concurrency = concurrency;
    let replies = Mutex::new(replies.to_vec());
    testing::aws(account, &config, move |_| {
        let mut replies = replies.lock().unwrap_or_else(PoisonError::into_inner);
        let (status, body) = if replies.len() > 1 {
            replies.remove(0)
        } else {
            replies[0]
        };
        (status, body.to_owned())
    })
}

async fn list(aws: &Aws) -> bool {
    aws.call(LIST, "clusters", aws.ecs.list_clusters().send()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn attempts_that_the_sdk_repeats_count_and_brake() {
    let aws = aws("111111111111", &[THROTTLED, THROTTLED, FINE], 4);
    assert!(list(&aws).await);
    assert_eq!((aws.calls(), aws.sweep_calls()), (3, 0));
    assert_eq!(
        aws.shared.limits.wait(LIST.family, CallPriority::Interactive).await,
        2,
        "one call brakes once"
    );
    assert!(list(&aws.for_sweeps()).await);
    assert_eq!((aws.calls(), aws.sweep_calls()), (4, 1), "clones count together");
    for _ in 0..8 {
        list(&aws.alone()).await;
    }
    assert_eq!(
        aws.shared.limits.wait(LIST.family, CallPriority::Interactive).await,
        1,
        "let go"
    );
    assert_eq!((aws.calls(), aws.sweep_calls()), (12, 9));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_spends_its_retries_leaves_others_theirs() {
    let greedy = aws("111111111111", &[THROTTLED], 4);
    for _ in 0..80 {
        assert!(!list(&greedy).await);
    }
    let before = greedy.calls();
    assert!(!list(&greedy).await);
    assert!(greedy.calls() - before < 4, "its budget of retries is spent");
    let other = aws("222222222222", &[THROTTLED, THROTTLED, FINE], 4);
    assert!(list(&other).await);
    assert_eq!(other.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_sweep_that_hang_leave_a_place_to_events() {
    let aws = aws("111111111111", &[FINE], 5);
    let hanging: Vec<_> = (0..10)
        .map(|_| {
            let aws = aws.for_sweeps();
            tokio::spawn(async move {
                let never = std::future::pending::<Result<(), SdkError<aws_sdk_ecs::Error, HttpResponse>>>();
                let _ = aws.call(LIST, "clusters", never).await;
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let start = Instant::now();
    assert!(
        tokio::time::timeout(Duration::from_secs(1), list(&aws))
            .await
            .is_ok_and(|ok| ok)
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
}
