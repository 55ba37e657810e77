//! Leases in a DynamoDB table with the string keys `pk` and `sk`. Other things may be kept in the same table:
//!
//! | `pk` | `sk` | attributes |
//! | --- | --- | --- |
//! | `lease` | `ACCOUNT/REGION` | `account`, `region`, `owner` (absent: free), `token`, `heartbeat` |
//! | `replica` | its name | `heartbeat`, `expires_at` |
//! | `inbox#REPLICA` | hash of the key | `key` (JSON), `expires_at` |
//!
//! `expires_at` is for the table's time to live (seconds since 1970), which removes what nobody needs any more; nothing is
//! decided by it. <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html>

mod error;
mod item;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, ReturnValuesOnConditionCheckFailure, Select, WriteRequest,
};

use self::item::{Item, LEASE, number, text};
use crate::client::Recorder;
use holdfast_core::model::key::{Key, Scope};
use holdfast_operator::clock::Clock;
use holdfast_operator::ports::{Lease, LeaseError, LeaseStore};

const REPLICA: &str = "replica";

/// A replica that is gone is listed for so long; a live one renews this every few seconds.
const REPLICA_STAYS: Duration = Duration::from_hours(1);

/// A key that nobody fetched is of no use once its scope was swept again.
const KEY_STAYS: Duration = Duration::from_hours(1);

/// Most requests of one `BatchWriteItem`.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>
const BATCH: usize = 25;

/// Keys fetched at once; the rest comes the next time.
const FETCH: i32 = 100;

/// A table of leases.
#[derive(Clone)]
pub struct DynamoStore {
    client: Client,
    table: String,
    region: String,
    clock: Arc<dyn Clock>,
}

impl DynamoStore {
    /// `table` in the account and region of `sdk`. Its calls are short and tried again soon, since a lease doesn't wait: a
    /// call and its retries end within [`holdfast_operator::lease::LeaseOptions::patience`].
    #[must_use]
    pub fn new(sdk: &SdkConfig, recorder: Recorder, table: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        let retries = RetryConfig::standard()
            .with_max_attempts(3)
            .with_initial_backoff(Duration::from_millis(50))
            .with_max_backoff(Duration::from_millis(200));
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(Duration::from_secs(1))
            .operation_timeout(Duration::from_millis(2_400));
        let config = aws_sdk_dynamodb::config::Builder::from(sdk)
            .interceptor(recorder)
            .retry_config(retries)
            .timeout_config(timeouts.build());
        Self {
            client: Client::from_conf(config.build()),
            table: table.into(),
            region: sdk.region().map(ToString::to_string).unwrap_or_default(),
            clock,
        }
    }

    fn expires_at(&self, stays: Duration) -> AttributeValue {
        let stays = i64::try_from(stays.as_secs()).unwrap_or(i64::MAX);
        number(self.clock.now().as_second().saturating_add(stays))
    }

    fn put(&self, item: Item) -> PutItemFluentBuilder {
        self.client.put_item().table_name(&self.table).set_item(Some(item))
    }

    /// Sends a conditional write. Where the condition fails: what is there instead.
    async fn put_if(&self, put: PutItemFluentBuilder, pk: &str, sk: &str) -> Result<Option<Stored>, LeaseError> {
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else {
            return Ok(None);
        };
        let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() else {
            return Err(self.failed("dynamodb:PutItem", &error));
        };
        Ok(Some(match &failed.item {
            Some(item) => Some(item.clone()),
            None => self.get(pk, sk).await?,
        }))
    }

    async fn get(&self, pk: &str, sk: &str) -> Result<Stored, LeaseError> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let sent = get.key("pk", text(pk)).key("sk", text(sk)).send().await;
        Ok(sent.map_err(|e| self.failed("dynamodb:GetItem", &e))?.item)
    }

    /// All items under `pk`, read consistently.
    async fn query(&self, pk: &str) -> Result<Vec<Item>, LeaseError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .select(Select::AllAttributes)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(pk));
        let mut pages = query.into_paginator().items().send();
        let mut items = vec![];
        while let Some(item) = pages.next().await {
            items.push(item.map_err(|e| self.failed("dynamodb:Query", &e))?);
        }
        Ok(items)
    }

    async fn delete(&self, pk: &str, items: &[Item]) -> Result<(), LeaseError> {
        for batch in items.chunks(BATCH) {
            let requests = batch.iter().filter_map(|item| {
                let key = DeleteRequest::builder()
                    .key("pk", text(pk))
                    .key("sk", item.get("sk")?.clone());
                Some(WriteRequest::builder().delete_request(key.build().ok()?).build())
            });
            let call = self.client.batch_write_item();
            let sent = call.request_items(&self.table, requests.collect()).send().await;
            // What is left unprocessed comes again.
            sent.map_err(|e| self.failed("dynamodb:BatchWriteItem", &e))?;
        }
        Ok(())
    }

    fn malformed(&self, pk: &str, sk: &str) -> LeaseError {
        LeaseError(format!(
            "the item pk={pk}, sk={sk} of the DynamoDB table {} (lease.table) is not what Holdfast writes; delete it while no \
             replica runs",
            self.table
        ))
    }
}

/// An item, if there is one.
type Stored = Option<HashMap<String, AttributeValue>>;

#[async_trait]
impl LeaseStore for DynamoStore {
    async fn announce(&self, replica: &str, heartbeat: u64) -> Result<(), LeaseError> {
        let item = Item::from([
            ("pk".to_owned(), text(REPLICA)),
            ("sk".to_owned(), text(replica)),
            ("beat".to_owned(), number(heartbeat)),
            ("expires_at".to_owned(), self.expires_at(REPLICA_STAYS)),
        ]);
        let put = self
            .put(item)
            .condition_expression("attribute_not_exists(beat) OR beat < :beat")
            .expression_attribute_values(":beat", number(heartbeat));
        let Some(stored) = self.put_if(put, REPLICA, replica).await? else {
            return Ok(());
        };
        match stored.as_ref().and_then(|item| item::u64_of(item, "beat")) {
            // An earlier try of this call took effect.
            Some(stored) if stored == heartbeat => Ok(()),
            _ => Err(LeaseError(format!(
                "another process announces itself as {replica} in the DynamoDB table {} (lease.table); every process needs a \
                 name of its own",
                self.table
            ))),
        }
    }

    async fn withdraw(&self, replica: &str) -> Result<(), LeaseError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let sent = delete.key("pk", text(REPLICA)).key("sk", text(replica)).send().await;
        sent.map(|_| ()).map_err(|e| self.failed("dynamodb:DeleteItem", &e))
    }

    async fn replicas(&self) -> Result<BTreeMap<String, u64>, LeaseError> {
        let items = self.query(REPLICA).await?;
        let replica = |item: &Item| Some((item::text_of(item, "sk")?.to_owned(), item::u64_of(item, "beat")?));
        Ok(items.iter().filter_map(replica).collect())
    }

    async fn leases(&self) -> Result<BTreeMap<Scope, Lease>, LeaseError> {
        // One malformed item must not stop the others; `swap` and `read` report it for its own scope.
        let leases = self.query(LEASE).await?;
        let leases = leases.iter().filter_map(item::lease_of);
        Ok(leases.map(|lease| (lease.scope.clone(), lease)).collect())
    }

    async fn swap(&self, seen: Option<&Lease>, next: &Lease) -> Result<bool, LeaseError> {
        let put = self.put(item::of_lease(next));
        let put = match seen {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(seen) => {
                let put = put
                    .expression_attribute_names("#owner", "owner")
                    .expression_attribute_names("#token", "token")
                    .expression_attribute_values(":token", number(seen.token))
                    .expression_attribute_values(":beat", number(seen.heartbeat));
                let same = "#token = :token AND beat = :beat AND";
                match &seen.owner {
                    Some(owner) => put
                        .condition_expression(format!("{same} #owner = :owner"))
                        .expression_attribute_values(":owner", text(owner)),
                    None => put.condition_expression(format!("{same} attribute_not_exists(#owner)")),
                }
            }
        };
        let sk = next.scope.to_string();
        let Some(stored) = self.put_if(put, LEASE, &sk).await? else {
            return Ok(true);
        };
        match stored.as_ref().map(item::lease_of) {
            // The SDK tries again what got no answer. If the first try took effect, the second fails its condition.
            Some(Some(lease)) => Ok(lease == *next),
            Some(None) => Err(self.malformed(LEASE, &sk)),
            None => Ok(false),
        }
    }

    async fn read(&self, scope: &Scope) -> Result<Option<Lease>, LeaseError> {
        let sk = scope.to_string();
        let stored = self.get(LEASE, &sk).await?;
        let lease = |item: &Item| item::lease_of(item).ok_or_else(|| self.malformed(LEASE, &sk));
        stored.as_ref().map(lease).transpose()
    }

    async fn post(&self, replica: &str, key: &Key) -> Result<(), LeaseError> {
        let (sk, json) = item::of_key(key)?;
        let item = Item::from([
            ("pk".to_owned(), text(inbox(replica))),
            ("sk".to_owned(), text(sk)),
            ("key".to_owned(), text(json)),
            ("expires_at".to_owned(), self.expires_at(KEY_STAYS)),
        ]);
        let sent = self.put(item).send().await;
        sent.map(|_| ()).map_err(|e| self.failed("dynamodb:PutItem", &e))
    }

    async fn fetch(&self, replica: &str) -> Result<Vec<Key>, LeaseError> {
        let pk = inbox(replica);
        // Not consistent, which costs half: what is missed now comes in a second.
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(&pk))
            .limit(FETCH);
        let reply = query.send().await.map_err(|e| self.failed("dynamodb:Query", &e))?;
        let items = reply.items.unwrap_or_default();
        self.delete(&pk, &items).await?;
        Ok(items.iter().filter_map(item::key_of).collect())
    }
}

fn inbox(replica: &str) -> String {
    format!("inbox#{replica}")
}
