//! What every store of leases must do: cases for the tests of each.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a case fails by panicking"
)]

use holdfast_core::model::key::{Key, Scope, Subject};

use crate::ports::{Lease, LeaseStore};

fn scope(region: &str) -> Scope {
    Scope {
        account: "123456789012".to_owned(),
        region: region.to_owned(),
    }
}

fn lease(region: &str, owner: Option<&str>, token: u64, heartbeat: u64) -> Lease {
    Lease {
        scope: scope(region),
        owner: owner.map(str::to_owned),
        token,
        heartbeat,
    }
}

/// Runs every case on an empty table.
pub async fn run(store: &dyn LeaseStore) {
    announcements(store).await;
    swaps(store).await;
    mailboxes(store).await;
}

async fn announcements(store: &dyn LeaseStore) {
    assert!(store.replicas().await.unwrap().is_empty());
    store.announce("a", 1).await.unwrap();
    store.announce("b", 7).await.unwrap();
    store.announce("a", 4).await.unwrap();
    let names = |heartbeats: &[(&str, u64)]| heartbeats.iter().map(|(n, b)| ((*n).to_owned(), *b)).collect();
    assert_eq!(store.replicas().await.unwrap(), names(&[("a", 4), ("b", 7)]));
    // A repeated try of the last one is fine, an older one must not undo it.
    store.announce("a", 4).await.unwrap();
    let refused = store.announce("a", 3).await.unwrap_err().to_string();
    assert!(refused.contains("another process"), "{refused}");
    assert_eq!(store.replicas().await.unwrap(), names(&[("a", 4), ("b", 7)]));
    store.withdraw("a").await.unwrap();
    store.withdraw("a").await.unwrap();
    assert_eq!(store.replicas().await.unwrap(), names(&[("b", 7)]));
}

async fn swaps(store: &dyn LeaseStore) {
    assert_eq!(store.read(&scope("us-east-1")).await.unwrap(), None);
    let first = lease("us-east-1", Some("a"), 1, 1);
    assert!(store.swap(None, &first).await.unwrap());
    assert_eq!(store.read(&first.scope).await.unwrap(), Some(first.clone()));
    // What a retry of the transport looks like: the first try took effect.
    assert!(store.swap(None, &first).await.unwrap());
    // Somebody else was sooner.
    assert!(!store.swap(None, &lease("us-east-1", Some("b"), 1, 9)).await.unwrap());

    let second = lease("us-east-1", Some("b"), 2, 5);
    for stale in [
        lease("us-east-1", Some("a"), 1, 2),
        lease("us-east-1", Some("a"), 2, 1),
        lease("us-east-1", Some("b"), 1, 1),
        lease("us-east-1", None, 1, 1),
    ] {
        assert!(!store.swap(Some(&stale), &second).await.unwrap(), "{stale:?}");
    }
    assert!(store.swap(Some(&first), &second).await.unwrap());
    assert!(
        !store
            .swap(Some(&first), &lease("us-east-1", Some("c"), 2, 6))
            .await
            .unwrap()
    );

    let free = lease("us-east-1", None, 2, 6);
    assert!(store.swap(Some(&second), &free).await.unwrap());
    assert_eq!(store.read(&free.scope).await.unwrap(), Some(free.clone()));
    // The owner is part of the condition also where there is none.
    assert!(
        !store
            .swap(
                Some(&lease("us-east-1", Some("b"), 2, 6)),
                &lease("us-east-1", Some("c"), 3, 7)
            )
            .await
            .unwrap()
    );
    let third = lease("us-east-1", Some("c"), 3, 7);
    assert!(store.swap(Some(&free), &third).await.unwrap());

    // One that is gone is not made anew on the strength of what was there.
    assert!(
        !store
            .swap(
                Some(&lease("eu-west-1", Some("a"), 1, 1)),
                &lease("eu-west-1", Some("a"), 2, 2)
            )
            .await
            .unwrap()
    );
    for n in 0..40 {
        assert!(
            store
                .swap(None, &lease(&format!("region-{n}"), Some("a"), 1, n))
                .await
                .unwrap()
        );
    }
    let all = store.leases().await.unwrap();
    assert_eq!(all.len(), 41);
    assert_eq!(all.get(&third.scope), Some(&third));
    assert!(all.iter().all(|(scope, lease)| *scope == lease.scope));
}

async fn mailboxes(store: &dyn LeaseStore) {
    let key = |subject| Key {
        scope: scope("us-east-1"),
        subject,
    };
    let mut keys = vec![
        key(Subject::DbInstance("coder-db".into())),
        key(Subject::DbCluster("coder".into())),
        key(Subject::Service {
            cluster: "main".into(),
            service: "coder/with \"odd\" name".into(),
        }),
        key(Subject::SecurityGroup("sg-0123456789abcdef0".into())),
        key(Subject::Secret(
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:coder-AbCdEf".into(),
        )),
        key(Subject::TaskFamily("coder-migrate".into())),
        key(Subject::Workload("größe ".repeat(40))),
        key(Subject::Everything),
    ];
    assert_eq!(store.fetch("a").await.unwrap(), []);
    for key in &keys {
        store.post("a", key).await.unwrap();
    }
    store.post("a", &keys[0]).await.unwrap();
    store.post("b", &keys[0]).await.unwrap();
    let mut fetched = store.fetch("a").await.unwrap();
    fetched.sort();
    keys.sort();
    assert_eq!(fetched, keys);
    assert_eq!(store.fetch("a").await.unwrap(), []);
    assert_eq!(store.fetch("b").await.unwrap().len(), 1);
    // More than one request deletes.
    for n in 0..60 {
        store
            .post("a", &key(Subject::DbInstance(format!("db-{n}"))))
            .await
            .unwrap();
    }
    let mut fetched = 0;
    for _ in 0..10 {
        fetched += store.fetch("a").await.unwrap().len();
    }
    assert_eq!(fetched, 60);
}
