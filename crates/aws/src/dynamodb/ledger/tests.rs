//! What no emulator does: transactions that meet others, and throttling.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use super::*;
use holdfast_operator::ledger::conformance;

/// Answers in turn what it was given, then `{}`; keeps what it was asked.
#[derive(Debug, Clone, Default)]
struct Wire {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body: Value = serde_json::from_slice(request.body().bytes().expect("a body")).expect("JSON");
        self.asked.lock().expect("unpoisoned").push(body);
        let next = self.answers.lock().expect("unpoisoned").pop_front();
        let (status, answer) = next.unwrap_or((200, json!({})));
        let status = status.try_into().expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer.to_string()))))
    }
}

impl Wire {
    /// A ledger whose opening has been answered already, and the answers to come.
    async fn ledger(&self, answers: impl IntoIterator<Item = (u16, Value)>) -> DynamoLedger {
        let connector = SharedHttpConnector::new(self.clone());
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "secret", None, None, "test"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        let ledger = DynamoLedger::open(Client::from_conf(config), "t")
            .await
            .expect("opened");
        ledger.name(&scope()).await.expect("named");
        self.asked.lock().expect("unpoisoned").clear();
        self.answers.lock().expect("unpoisoned").extend(answers);
        ledger
    }

    fn asked(&self) -> Vec<Value> {
        self.asked.lock().expect("unpoisoned").clone()
    }
}

fn scope() -> Scope {
    conformance::scope("us-east-1")
}

fn sighting(finding: &str) -> FindingRecord {
    conformance::sighting(&scope(), "shop", finding, 0)
}

fn cancelled(codes: &[&str]) -> (u16, Value) {
    let reasons: Vec<Value> = codes.iter().map(|code| json!({"Code": code})).collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", codes.join(", ")),
        "CancellationReasons": reasons,
    });
    (400, body)
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_meets_another_is_sent_again() {
    for code in [
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    ] {
        let wire = Wire::default();
        let ledger = wire
            .ledger([cancelled(&["None", code, "None"]), cancelled(&[code, "None", "None"])])
            .await;
        ledger.record_findings(&[sighting("f")]).await.expect("in the end");
        assert_eq!(wire.asked().len(), 3, "{code}");
    }
    let in_progress =
        json!({"__type": "com.amazonaws.dynamodb.v20120810#TransactionInProgressException", "Message": "m"});
    let wire = Wire::default();
    let ledger = wire.ledger([(400, in_progress)]).await;
    ledger.record_findings(&[sighting("f")]).await.expect("in the end");
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_always_meets_others_is_given_up() {
    let wire = Wire::default();
    let always = (0..99).map(|_| cancelled(&["TransactionConflict", "None", "None"]));
    let ledger = wire.ledger(always).await;
    let told = ledger
        .record_findings(&[sighting("f")])
        .await
        .expect_err("given up")
        .to_string();
    assert!(
        told.contains("table t in us-east-1") && told.contains("TransactionConflict"),
        "{told}"
    );
    assert_eq!(wire.asked().len(), usize::try_from(TRIES).expect("few"));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_told_at_once() {
    let wire = Wire::default();
    let ledger = wire.ledger([cancelled(&["ValidationError", "None", "None"])]).await;
    let told = ledger
        .record_findings(&[sighting("f")])
        .await
        .expect_err("refused")
        .to_string();
    assert!(
        told.contains("ValidationError") && told.contains("ledger.table"),
        "{told}"
    );
    assert_eq!(wire.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_ended_meanwhile_is_left_out_and_the_rest_is_written() {
    let wire = Wire::default();
    let mut codes = ["None"; 9];
    codes[3] = "ConditionalCheckFailed";
    let ledger = wire.ledger([cancelled(&codes)]).await;
    ledger
        .record_findings(&[sighting("f"), sighting("g"), sighting("h")])
        .await
        .expect("the rest");
    let asked = wire.asked();
    let items = |i: usize| asked[i]["TransactItems"].as_array().expect("items").len();
    assert_eq!((asked.len(), items(0), items(1)), (2, 9, 6));
    assert!(!asked[1].to_string().contains("#g#"), "{}", asked[1]);
}

#[tokio::test]
async fn an_answer_that_never_ends_is_an_error() {
    let wire = Wire::default();
    let page = json!({"Items": [], "LastEvaluatedKey": {"pk": {"S": "p"}, "sk": {"S": "s"}}});
    let ledger = wire.ledger((0..=MOST_PAGES).map(|_| (200, page.clone()))).await;
    let told = ledger.open_findings(&scope()).await.expect_err("no end").to_string();
    assert!(told.contains("more than 2000 pages"), "{told}");
}
