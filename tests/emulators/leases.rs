//! Leases in a DynamoDB table.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use holdfast_aws::client::Recorder;
use holdfast_aws::dynamodb::lease::DynamoStore;
use holdfast_core::model::key::{Key, Scope, Subject};
use holdfast_operator::clock::SystemClock;
use holdfast_operator::lease::{LeaseCoordinator, LeaseOptions, conformance};
use holdfast_operator::ports::{Lease, LeaseStore};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::on_both;
use crate::test_env::{Kind, TestEnv};
use crate::world::World;

on_both!(what_every_store_must_do, replicas_share_a_table, errors_name_their_cure);

const TABLE: &str = "holdfast";

async fn sdk(endpoint: &str) -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::latest()).endpoint_url(endpoint);
    let loader = loader.region(Region::new("us-east-1"));
    let credentials = Credentials::new("test", "secret", None, None, "test");
    loader.credentials_provider(credentials).load().await
}

async fn store(endpoint: &str) -> DynamoStore {
    let recorder = Recorder(Arc::new(vec![]));
    DynamoStore::new(&sdk(endpoint).await, recorder, TABLE, Arc::new(SystemClock))
}

fn create_table(env: &mut TestEnv, keys: [&str; 2]) {
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    env.call(
        "dynamodb",
        "create_table",
        json!({"TableName": TABLE, "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": keys.map(attribute),
               "KeySchema": [key(keys[0], "HASH"), key(keys[1], "RANGE")]}),
    );
}

fn block_on(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(case);
}

fn what_every_store_must_do(kind: Kind) {
    let mut env = TestEnv::new(kind, &World::new());
    create_table(&mut env, ["pk", "sk"]);
    block_on(async { conformance::run(&store(&env.endpoint).await).await });
    // What is left for good are leases; the rest has an end.
    let items = env.call("dynamodb", "scan", json!({"TableName": TABLE}));
    for item in items["Items"].as_array().unwrap() {
        let is_lease = item["pk"]["S"] == "lease";
        assert_eq!(item.get("expires_at").is_none(), is_lease, "{item}");
    }
}

fn replicas_share_a_table(kind: Kind) {
    let mut env = TestEnv::new(kind, &World::new());
    create_table(&mut env, ["pk", "sk"]);
    let scope = |n: usize| Scope {
        account: format!("{n:012}"),
        region: "us-east-1".into(),
    };
    let scopes: Vec<Scope> = (0..5).map(scope).collect();
    // As they are, a third of the size.
    let options = LeaseOptions {
        duration: Duration::from_secs(5),
        margin: Duration::from_secs(1),
        renew: Duration::from_secs(1),
        look: Duration::from_secs(1),
        mail: Duration::from_millis(300),
        room: Duration::from_secs(1),
        ..LeaseOptions::default()
    };
    block_on(async {
        let mut replicas = vec![];
        for name in ["a", "b"] {
            let store = Arc::new(store(&env.endpoint).await);
            let coordinator = LeaseCoordinator::shared(store, name.into(), scopes.clone(), options);
            let (send, receive) = std::sync::mpsc::channel();
            let run = coordinator.clone();
            let task = tokio::spawn(async move {
                run.run(CancellationToken::new(), move |key| drop(send.send(key))).await;
            });
            replicas.push((coordinator, task, receive));
        }
        let count = |n: usize| replicas[n].0.held().borrow().len();
        until("both hold their share", || {
            count(0).abs_diff(count(1)) == 1 && count(0) + count(1) == 5
        })
        .await;

        let (scope, token) = replicas[0].0.held().borrow().clone().pop_first().unwrap();
        replicas[0].0.check(&scope, token).await.unwrap();
        let key = Key {
            scope: scope.clone(),
            subject: Subject::DbInstance("coder-db".into()),
        };
        assert!(replicas[1].0.hand_over(&key).await.unwrap());
        until("the key is delivered", || {
            replicas[0].2.try_recv().is_ok_and(|k| k == key)
        })
        .await;

        replicas[0].1.abort();
        until("the other takes everything over", || count(1) == 5).await;
        let taken = replicas[1].0.token(&scope).unwrap();
        assert!(taken > token);
        let refused = replicas[0].0.check(&scope, token).await.unwrap_err().to_string();
        assert!(refused.contains("is not held any more"), "{refused}");
        replicas[1].0.check(&scope, taken).await.unwrap();
        replicas[1].1.abort();
        replicas[1].0.release_all().await;
        let store = store(&env.endpoint).await;
        assert!(store.leases().await.unwrap().values().all(|l| l.owner.is_none()));
        assert!(!store.replicas().await.unwrap().contains_key("b"));
    });
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !done() {
        assert!(Instant::now() < end, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn errors_name_their_cure(kind: Kind) {
    let mut env = TestEnv::new(kind, &World::new());
    let lease = Lease {
        scope: Scope {
            account: "123456789012".into(),
            region: "us-east-1".into(),
        },
        owner: Some("a".into()),
        token: 1,
        heartbeat: 1,
    };
    block_on(async {
        let store = store(&env.endpoint).await;
        for missing in [
            store.announce("a", 1).await.unwrap_err().to_string(),
            store.leases().await.unwrap_err().to_string(),
            store.swap(None, &lease).await.unwrap_err().to_string(),
        ] {
            assert!(
                missing.starts_with("the DynamoDB table holdfast in us-east-1 (lease.table) does not exist; create it: aws dynamodb create-table --region us-east-1 --table-name holdfast "),
                "{missing}"
            );
        }
    });
    create_table(&mut env, ["id", "range"]);
    block_on(async {
        let store = store(&env.endpoint).await;
        let wrong = store.read(&lease.scope).await.unwrap_err().to_string();
        assert!(wrong.contains("string keys pk (partition) and sk (sort)"), "{wrong}");
        let gateway = env.gateway(&["--deny", "dynamodb:Query"]);
        let denied = self::store(&gateway.endpoint)
            .await
            .leases()
            .await
            .unwrap_err()
            .to_string();
        assert!(
            denied.contains("grant dynamodb:Query on the DynamoDB table holdfast in us-east-1 (lease.table)"),
            "{denied}"
        );
        drop(gateway);
        let nobody = self::store("http://127.0.0.1:9")
            .await
            .replicas()
            .await
            .unwrap_err()
            .to_string();
        assert!(
            nobody.starts_with("dynamodb:Query on the DynamoDB table holdfast"),
            "{nobody}"
        );
    });
}
