//! The ledger's suite on DynamoDB, and `holdfast history` of both kinds.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use holdfast::ledger_sqlite::SqliteLedger;
use holdfast_aws::dynamodb::ledger::DynamoLedger;
use holdfast_operator::attempt::{Attempt, FindingRecord, Outcome};
use holdfast_operator::for_each_ledger_case;
use holdfast_operator::ledger::{KEPT, conformance};
use holdfast_operator::ports::{Ledger, LedgerError};

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{self, TestEnv, list, run, text};
use crate::world::World;

on_both!(
    keeps_what_every_ledger_keeps,
    pages_and_items_as_promised,
    says_what_is_wrong_with_a_table,
    history_of_a_table,
    history_of_a_file,
);

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_dynamodb::config::Credentials::new(
            "test", "secret", None, None, "test",
        ))
        .build();
    Client::from_conf(config)
}

/// A table with the keys of docs/ledger.md.
async fn make(client: &Client, keys: [&str; 2]) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("ledger-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut request = client
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest);
    for (key, kind) in keys.into_iter().zip([KeyType::Hash, KeyType::Range]) {
        let attribute = AttributeDefinition::builder()
            .attribute_name(key)
            .attribute_type(ScalarAttributeType::S);
        request = request.attribute_definitions(attribute.build().unwrap()).key_schema(
            KeySchemaElement::builder()
                .attribute_name(key)
                .key_type(kind)
                .build()
                .unwrap(),
        );
    }
    request.send().await.expect("made");
    name
}

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work);
}

macro_rules! run_each {
    ($($case:ident),+ $(,)?) => {
        async fn all(kind: test_env::Kind, client: &Client) {
            $(if !(Quirk::TransactionsMix.on(kind) && AT_ONCE.contains(&stringify!($case))) {
                eprintln!("{}", stringify!($case));
                let table = make(client, ["pk", "sk"]).await;
                let open = || DynamoLedger::open(client.clone(), &table);
                let (one, other) = (open().await.expect("opened"), open().await.expect("opened"));
                conformance::$case(&one, &other).await;
            })+
        }
    };
}
/// Cases that have several transactions in flight.
const AT_ONCE: [&str; 2] = ["many_sightings", "two_at_once"];
for_each_ledger_case!(run_each);

fn keeps_what_every_ledger_keeps(kind: test_env::Kind) {
    let env = TestEnv::new(kind, &World::new());
    block_on(all(kind, &client(&env.endpoint)));
}

fn resolved(seen: &FindingRecord) -> FindingRecord {
    FindingRecord {
        resolved_at: Some(conformance::at(9)),
        ..seen.clone()
    }
}

/// More than a page (1 MB) is read to its end; every item has its version, and those that ended the day they may go.
fn pages_and_items_as_promised(kind: test_env::Kind) {
    let env = TestEnv::new(kind, &World::new());
    block_on(async {
        let client = client(&env.endpoint);
        let table = make(&client, ["pk", "sk"]).await;
        let ledger = DynamoLedger::open(client.clone(), &table).await.expect("opened");
        let here = conformance::scope("us-east-1");
        let long = |i: i64| FindingRecord {
            message: "m".repeat(20_000),
            ..conformance::sighting(&here, "shop", &format!("f{i:03}"), 0)
        };
        let many: Vec<FindingRecord> = (0..120).map(long).collect();
        // One transaction after the other, for the sake of moto: Quirk::TransactionsMix.
        for part in many.chunks(33) {
            ledger.record_findings(part).await.expect("sighted");
        }
        assert_eq!(ledger.open_findings(&here).await.expect("read"), many);
        assert_eq!(
            ledger.history(Some("shop"), 110).await.expect("read").records.len(),
            110
        );
        ledger.record_findings(&[resolved(&many[0])]).await.expect("sighted");
        let open = conformance::attempt(&here, "shop", 0, 3);
        let done = Attempt {
            outcome: Some(Outcome::Verified),
            ..conformance::attempt(&here, "wiki.", 0, 3)
        };
        ledger.put(&open).await.expect("put");
        ledger.put(&done).await.expect("put");
        let mut items = vec![];
        let mut pages = client.scan().table_name(&table).into_paginator().send();
        while let Some(page) = pages.next().await {
            items.extend(page.expect("a page").items.unwrap_or_default());
        }
        // A scope, twice 120 sightings and once those that are open, three of the open attempt and two of the other.
        assert_eq!(items.len(), 1 + 2 * 120 + 119 + 3 + 2);
        let expiry = |at: Timestamp| AttributeValue::N((at + KEPT).as_second().to_string());
        let mut expiring = 0;
        for item in &items {
            assert_eq!(item["schema"], AttributeValue::N("1".into()), "{item:?}");
            let Some(at) = item.get("expires_at") else { continue };
            expiring += 1;
            let ends = if item.contains_key("resolved_at") {
                conformance::at(9)
            } else {
                done.updated_at
            };
            assert_eq!(*at, expiry(ends), "{item:?}");
        }
        assert_eq!(expiring, 4);
        // A later version's item is no guess.
        let mut item = items
            .into_iter()
            .find(|i| i["pk"].as_s().unwrap().starts_with("open-attempts#"))
            .expect("the open attempt");
        item.insert("schema".into(), AttributeValue::N("2".into()));
        client
            .put_item()
            .table_name(&table)
            .set_item(Some(item))
            .send()
            .await
            .expect("put");
        let told = ledger
            .attempts(&here, conformance::at(0))
            .await
            .expect_err("refused")
            .to_string();
        assert!(
            told.contains("is of version 2, and this Holdfast knows none above 1"),
            "{told}"
        );
        assert!(told.contains(&table) && told.contains("ledger.table"), "{told}");
    });
}

fn says_what_is_wrong_with_a_table(kind: test_env::Kind) {
    let env = TestEnv::new(kind, &World::new());
    let refused = |endpoint: String, table: String| async move {
        match DynamoLedger::open(client(&endpoint), &table).await {
            Err(LedgerError::Unusable(told)) => told,
            _ => panic!("{table} was opened"),
        }
    };
    block_on(async {
        let told = refused(env.endpoint.clone(), "missing".into()).await;
        assert!(
            told.contains("table missing in us-east-1 does not exist; correct ledger.table"),
            "{told}"
        );
        assert!(
            told.contains("aws dynamodb create-table --region us-east-1 --table-name missing"),
            "{told}"
        );
        let other = make(&client(&env.endpoint), ["id", "at"]).await;
        let told = refused(env.endpoint.clone(), other).await;
        assert!(told.contains("keys are the strings pk (HASH) and sk (RANGE)"), "{told}");
        let gateway = env.gateway(&["--deny", "dynamodb:Query"]);
        let told = refused(gateway.endpoint.clone(), "t".into()).await;
        assert!(told.contains("refuses Query: grant dynamodb:Query on it"), "{told}");
        let table = make(&client(&env.endpoint), ["pk", "sk"]).await;
        let gateway = env.gateway(&["--deny", "dynamodb:TransactWriteItems"]);
        let ledger = DynamoLedger::open(client(&gateway.endpoint), &table)
            .await
            .expect("opened");
        let here = conformance::scope("us-east-1");
        let told = ledger
            .put(&conformance::attempt(&here, "shop", 0, 0))
            .await
            .expect_err("denied")
            .to_string();
        assert!(
            told.contains("grant dynamodb:PutItem and dynamodb:DeleteItem on it"),
            "{told}"
        );
        let seen = conformance::sighting(&here, "shop", "f", 0);
        let told = ledger.record_findings(&[seen]).await.expect_err("denied").to_string();
        assert!(
            told.contains("grant dynamodb:UpdateItem and dynamodb:DeleteItem on it"),
            "{told}"
        );
        let told = refused("http://127.0.0.1:9".into(), "t".into()).await;
        assert!(
            told.contains("could not be sent") && told.contains("ledger.table"),
            "{told}"
        );
    });
}

async fn fill(ledger: &dyn Ledger) {
    let here = conformance::scope("us-east-1");
    ledger
        .put(&conformance::attempt(&here, "shop", 0, 0))
        .await
        .expect("put");
    let seen = conformance::sighting(&here, "wiki", "f", 5);
    ledger.record_findings(&[seen]).await.expect("sighted");
}

fn tells_its_history(env: &TestEnv) {
    let answer = env.holdfast(&["history"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.stdout.contains("under way (begun)"), "{answer:?}");
    assert!(answer.stdout.contains("wiki-db is publicly accessible"), "{answer:?}");
    let answer = env.holdfast(&["history", "shop", "--format", "json", "--limit", "1"]);
    let told: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(told["schema_version"], 1);
    assert_eq!(text(&list(&told, "attempts")[0]["action"]["workload"]), "shop");
    assert_eq!(told["findings"], json!([]));
    let answer = env.holdfast(&["history", "nobody"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (0, ""), "{answer:?}");
    assert!(
        answer.stderr.contains("nothing about the workload nobody"),
        "{answer:?}"
    );
}

fn history_of_a_table(kind: test_env::Kind) {
    let mut env = TestEnv::new(kind, &World::new());
    let (client, mut name) = (client(&env.endpoint), String::new());
    block_on(async {
        name = make(&client, ["pk", "sk"]).await;
        fill(&DynamoLedger::open(client.clone(), &name).await.expect("opened")).await;
    });
    env.configure(&format!("ledger: {{kind: dynamodb, table: {name}}}\n"));
    tells_its_history(&env);
    env.configure("ledger: {kind: dynamodb, table: missing}\n");
    let answer = env.holdfast(&["history"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(answer.stderr.contains("aws dynamodb create-table"), "{answer:?}");
}

fn history_of_a_file(kind: test_env::Kind) {
    let mut env = TestEnv::new(kind, &World::new());
    let path = env.dir.path().join("ledger.db");
    env.configure(&format!("ledger: {{path: {}}}\n", path.display()));
    let answer = env.holdfast(&["history"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(
        answer.stderr.contains("does not exist") && answer.stderr.contains("ledger.path"),
        "{answer:?}"
    );
    assert!(!path.exists());
    block_on(async { fill(&SqliteLedger::open(&path, conformance::at(0)).await.expect("made")).await });
    tells_its_history(&env);
    // No call is made: nobody listens there.
    let answer = run(env.command("http://127.0.0.1:9", &["history"]));
    assert_eq!(answer.code, 0, "{answer:?}");
}
