//! A ledger in one DynamoDB table, for any number of processes. Nothing is ever scanned: each question is a query of one
//! partition, but for the history of all workloads, which asks each scope's partition for its newest records.
//!
//! Every read is strongly consistent: an attempt that was written before a process died is seen by the one that takes over.
//! What ended carries `expires_at`, by which DynamoDB deletes it if the table's time to live is turned on.

mod fault;
mod items;
mod runs;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use holdfast_core::config;
use holdfast_operator::attempt::{Attempt, FindingRecord, History};
use holdfast_operator::ledger::sortable;
use holdfast_operator::ports::{Ledger, LedgerError};

use crate::client::Connector;
use fault::Table;
use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::MigrationRun;
use items::{ATTEMPTS, FINDINGS, Item, ItemError, Place, Places, SCHEMA, SCOPES, in_scope_key, in_workload_key};

/// Sightings of one transaction: each is three writes, and a transaction has at most 100.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
const SIGHTINGS_AT_ONCE: usize = 33;
/// Requests in flight for one call of the trait.
const AT_ONCE: usize = 8;
/// Pages of one query: at 1 MB each far more than any ledger has. Past it, the answer does not end.
const MOST_PAGES: usize = 2_000;
/// Times that a transaction is sent which only meets others: with the pauses between, about ten seconds.
const TRIES: u32 = 8;
/// The first pause between those; it doubles.
const PAUSE: Duration = Duration::from_millis(50);

/// A ledger in a table.
pub struct DynamoLedger {
    client: Client,
    table: Table,
    /// Scopes that this process knows to be named in the table.
    named: Mutex<BTreeSet<Scope>>,
}

/// What became of a transaction.
enum Sent {
    Done,
    /// The conditions of the writes at these places did not hold; nothing was written.
    Refused(Vec<usize>),
}

/// One query.
struct Ask {
    pk: String,
    /// The least sort key.
    from: Option<String>,
    newest_first: bool,
    limit: usize,
}

impl Ask {
    fn all(pk: String) -> Self {
        Self {
            pk,
            from: None,
            newest_first: false,
            limit: usize::MAX,
        }
    }

    fn newest(pk: String, limit: usize) -> Self {
        Self {
            newest_first: true,
            limit,
            ..Self::all(pk)
        }
    }
}

impl DynamoLedger {
    /// Opens the table that the configuration names, with the process's own credentials and region.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`]
    pub async fn configured(config: &config::Ledger, connector: &Connector) -> Result<Self, LedgerError> {
        let unnamed = || LedgerError::Unusable("ledger.kind: dynamodb needs ledger.table, the table's name".into());
        let table = config.table.as_deref().ok_or_else(unnamed)?;
        let sdk = aws_sdk_dynamodb::config::Builder::from(connector.own())
            .interceptor(connector.recorder())
            .build();
        Self::open(aws_sdk_dynamodb::Client::from_conf(sdk), table).await
    }

    /// The ledger in `table`, which must exist.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] if it can't be read.
    pub async fn open(client: Client, table: &str) -> Result<Self, LedgerError> {
        let region = client.config().region().map_or("(no region)", AsRef::as_ref).to_owned();
        let ledger = Self {
            client,
            table: Table {
                name: table.to_owned(),
                region,
            },
            named: Mutex::default(),
        };
        ledger.query(Ask::newest(SCOPES.to_owned(), 1)).await?;
        Ok(ledger)
    }

    async fn query(&self, ask: Ask) -> Result<Vec<Item>, LedgerError> {
        let mut found = vec![];
        let mut after = None;
        for _ in 0..MOST_PAGES {
            let Some(left) = ask.limit.checked_sub(found.len()).filter(|left| *left > 0) else {
                return Ok(found);
            };
            let condition = if ask.from.is_some() {
                "pk = :pk AND sk >= :from"
            } else {
                "pk = :pk"
            };
            let page = self
                .client
                .query()
                .table_name(&self.table.name)
                .consistent_read(true)
                .scan_index_forward(!ask.newest_first)
                .key_condition_expression(condition)
                .expression_attribute_values(":pk", AttributeValue::S(ask.pk.clone()))
                .set_limit(i32::try_from(left).ok())
                .set_exclusive_start_key(after);
            let page = match &ask.from {
                Some(from) => page.expression_attribute_values(":from", AttributeValue::S(from.clone())),
                None => page,
            };
            let page = Box::pin(page.send())
                .await
                .map_err(|e| self.table.explain("Query", "dynamodb:Query", &e))?;
            found.extend(page.items.unwrap_or_default());
            after = page.last_evaluated_key.filter(|key| !key.is_empty());
            if after.is_none() {
                return Ok(found);
            }
        }
        Err(self
            .table
            .fault(&format!("has more than {MOST_PAGES} pages under the key {}", ask.pk)))
    }

    fn read<T>(&self, items: &[Item], one: fn(&Item) -> Result<T, ItemError>) -> Result<Vec<T>, LedgerError> {
        let read = |item| {
            one(item).map_err(|e| {
                self.table
                    .fault(&format!("(ledger.table): item {} {e}", items::name(item)))
            })
        };
        items.iter().map(read).collect()
    }

    /// Sends writes of which all or none happen, again if they meet those of another process.
    async fn transact(&self, writes: Vec<TransactWriteItem>, needs: &str) -> Result<Sent, LedgerError> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let request = self
                .client
                .transact_write_items()
                .set_transact_items(Some(writes.clone()));
            let Err(error) = Box::pin(request.send()).await else {
                return Ok(Sent::Done);
            };
            let codes: Vec<&str> = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled
                    .cancellation_reasons()
                    .iter()
                    .map(|r| r.code().unwrap_or_default())
                    .collect(),
                _ => vec![],
            };
            let places = |wanted: &[&str]| -> Vec<usize> {
                let matching = codes.iter().enumerate().filter(|(_, code)| wanted.contains(code));
                matching.map(|(i, _)| i).collect()
            };
            let refused = places(&["ConditionalCheckFailed"]);
            if !refused.is_empty() {
                return Ok(Sent::Refused(refused));
            }
            let met = [
                "TransactionConflict",
                "ThrottlingError",
                "ProvisionedThroughputExceeded",
            ];
            let in_progress = error.code() == Some("TransactionInProgressException");
            if attempt >= TRIES || (places(&met).is_empty() && !in_progress) {
                return Err(self.table.explain("TransactWriteItems", needs, &error));
            }
            // Between half of the pause and all of it: those that met must not meet again.
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause *= 2;
        }
        Ok(Sent::Done)
    }

    /// Names `scope` in the table, once in the life of this process.
    async fn name(&self, scope: &Scope) -> Result<(), LedgerError> {
        let named = || self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named().contains(scope) {
            return Ok(());
        }
        let item = items::item(&items::of_scope(scope), scope).map_err(|e| self.unbuilt(&e))?;
        let request = self.client.put_item().table_name(&self.table.name).set_item(Some(item));
        Box::pin(request.send())
            .await
            .map_err(|e| self.table.explain("PutItem", "dynamodb:PutItem", &e))?;
        named().insert(scope.clone());
        Ok(())
    }

    fn of_runs(&self) -> runs::Runs<'_> {
        runs::Runs {
            client: &self.client,
            table: &self.table,
        }
    }

    fn unbuilt(&self, error: &dyn std::error::Error) -> LedgerError {
        self.table.fault(&format!("(ledger.table) was not written: {error}"))
    }

    fn put_of(&self, place: &Place, attempt: &Attempt, fenced: bool) -> Result<TransactWriteItem, LedgerError> {
        let item = items::attempt(place, attempt).map_err(|e| self.unbuilt(&e))?;
        let put = Put::builder().table_name(&self.table.name).set_item(Some(item));
        let put = if fenced {
            put.condition_expression("attribute_not_exists(fence) OR fence <= :token")
                .expression_attribute_values(":token", items::number(attempt.fence))
        } else {
            put
        };
        let put = put.build().map_err(|e| self.unbuilt(&e))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn delete_of(&self, place: &Place) -> Result<TransactWriteItem, LedgerError> {
        let delete = Delete::builder()
            .table_name(&self.table.name)
            .set_key(Some(place.key()));
        let delete = delete.build().map_err(|e| self.unbuilt(&e))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Writes a sighting at `place` if no item is there, and its end if it has one and there is none yet.
    fn update_of(&self, place: &Place, seen: &FindingRecord, if_open: bool) -> Result<TransactWriteItem, LedgerError> {
        let open = FindingRecord {
            resolved_at: None,
            ..seen.clone()
        };
        let record = serde_json::to_string(&open).map_err(|e| self.unbuilt(&e))?;
        // `schema` is a reserved word.
        let mut set =
            "SET #schema = if_not_exists(#schema, :schema), #record = if_not_exists(#record, :record)".to_owned();
        let mut update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(place.key()))
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_names("#record", "record")
            .expression_attribute_values(":schema", items::number(SCHEMA))
            .expression_attribute_values(":record", AttributeValue::S(record));
        if let Some(end) = seen.resolved_at {
            set.push_str(
                ", resolved_at = if_not_exists(resolved_at, :end), expires_at = if_not_exists(expires_at, :expiry)",
            );
            update = update
                .expression_attribute_values(":end", AttributeValue::S(sortable(end)))
                .expression_attribute_values(":expiry", items::expiry(end));
        }
        if if_open {
            update = update.condition_expression("attribute_not_exists(resolved_at)");
        }
        let update: Result<Update, BuildError> = update.update_expression(set).build();
        Ok(TransactWriteItem::builder()
            .update(update.map_err(|e| self.unbuilt(&e))?)
            .build())
    }

    /// The three writes of one sighting. That of its scope comes first, and is refused if it has ended and `seen` has not.
    fn writes_of(&self, seen: &FindingRecord) -> Result<[TransactWriteItem; 3], LedgerError> {
        let places = Places::of_sighting(seen);
        let open = if seen.resolved_at.is_some() {
            self.delete_of(&places.open)?
        } else {
            self.update_of(&places.open, seen, false)?
        };
        Ok([
            self.update_of(&places.scope, seen, seen.resolved_at.is_none())?,
            open,
            self.update_of(&places.workload, seen, false)?,
        ])
    }

    async fn write(&self, mut records: Vec<FindingRecord>) -> Result<(), LedgerError> {
        // Each round but the last takes away what another process has seen the end of meanwhile.
        while !records.is_empty() {
            let mut writes = vec![];
            for seen in &records {
                writes.extend(self.writes_of(seen)?);
            }
            match self
                .transact(writes, "dynamodb:UpdateItem and dynamodb:DeleteItem")
                .await?
            {
                Sent::Done => return Ok(()),
                Sent::Refused(places) => {
                    let ended: BTreeSet<usize> = places.into_iter().map(|i| i / 3).collect();
                    let mut i = 0..;
                    records.retain(|_| i.next().is_some_and(|i| !ended.contains(&i)));
                }
            }
        }
        Ok(())
    }

    /// The newest of one workload, or of all scopes.
    async fn newest<T: Send>(
        &self,
        of: &str,
        workload: Option<&str>,
        limit: usize,
        one: fn(&Item) -> Result<T, ItemError>,
    ) -> Result<Vec<T>, LedgerError> {
        let partitions = if let Some(name) = workload {
            vec![in_workload_key(of, name)]
        } else {
            let scopes = self.query(Ask::all(SCOPES.to_owned())).await?;
            let scopes: Vec<Scope> = self.read(&scopes, items::record)?;
            scopes.iter().map(|scope| in_scope_key(of, scope)).collect()
        };
        let pages: Vec<Vec<Item>> = stream::iter(partitions.into_iter().map(|pk| self.query(Ask::newest(pk, limit))))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        self.read(&pages.concat(), one)
    }
}

#[async_trait]
impl Ledger for DynamoLedger {
    async fn open_findings(&self, scope: &Scope) -> Result<Vec<FindingRecord>, LedgerError> {
        let open = self.query(Ask::all(in_scope_key("open-findings", scope))).await?;
        let mut open = self.read(&open, items::sighting)?;
        open.sort_by(|a, b| (a.first_seen, &a.finding, &a.workload).cmp(&(b.first_seen, &b.finding, &b.workload)));
        Ok(open)
    }

    async fn record_findings(&self, records: &[FindingRecord]) -> Result<(), LedgerError> {
        // One transaction can't write an item twice: of each sighting one, with the first end given.
        let mut once: BTreeMap<_, FindingRecord> = BTreeMap::new();
        for seen in records {
            let key = (&seen.scope, &seen.workload, &seen.finding, seen.first_seen);
            let stored = once.entry(key).or_insert_with(|| seen.clone());
            stored.resolved_at = stored.resolved_at.or(seen.resolved_at);
        }
        let scopes: BTreeSet<&Scope> = records.iter().map(|s| &s.scope).collect();
        for scope in scopes {
            self.name(scope).await?;
        }
        let once: Vec<FindingRecord> = once.into_values().collect();
        let parts: Vec<Vec<FindingRecord>> = once.chunks(SIGHTINGS_AT_ONCE).map(<[_]>::to_vec).collect();
        stream::iter(parts.into_iter().map(|part| self.write(part)))
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn put(&self, attempt: &Attempt) -> Result<(), LedgerError> {
        self.name(attempt.scope()).await?;
        let places = Places::of_attempt(attempt);
        let open = if attempt.is_open() {
            self.put_of(&places.open, attempt, false)?
        } else {
            self.delete_of(&places.open)?
        };
        let writes = vec![
            self.put_of(&places.scope, attempt, true)?,
            open,
            self.put_of(&places.workload, attempt, false)?,
        ];
        match self
            .transact(writes, "dynamodb:PutItem and dynamodb:DeleteItem")
            .await?
        {
            Sent::Done => Ok(()),
            Sent::Refused(_) => Err(LedgerError::Fenced {
                attempt: attempt.id.clone(),
            }),
        }
    }

    async fn attempts(&self, scope: &Scope, since: Timestamp) -> Result<Vec<Attempt>, LedgerError> {
        // The open ones first: one that ends between the two reads is in the second, or was begun before `since`.
        let mut items = self.query(Ask::all(in_scope_key("open-attempts", scope))).await?;
        let recent = Ask {
            from: Some(sortable(since)),
            ..Ask::all(in_scope_key(ATTEMPTS, scope))
        };
        items.extend(self.query(recent).await?);
        let read: Vec<Attempt> = self.read(&items, items::record)?;
        let once: BTreeMap<(Timestamp, String), Attempt> =
            read.into_iter().map(|a| ((a.begun_at, a.id.clone()), a)).collect();
        Ok(once.into_values().collect())
    }

    async fn history(&self, workload: Option<&str>, limit: usize) -> Result<History, LedgerError> {
        let mut attempts: Vec<Attempt> = self.newest(ATTEMPTS, workload, limit, items::record).await?;
        attempts.sort_by(|a, b| (b.begun_at, &b.id).cmp(&(a.begun_at, &a.id)));
        attempts.truncate(limit);
        let mut records = self.newest(FINDINGS, workload, limit, items::sighting).await?;
        records.sort_by_cached_key(|s| Reverse((s.first_seen, s.finding.clone(), s.workload.clone(), s.scope.clone())));
        records.truncate(limit);
        Ok(History { attempts, records })
    }

    async fn record_runs(&self, runs: &[MigrationRun]) -> Result<(), LedgerError> {
        self.of_runs().record(runs).await
    }

    async fn runs(&self, scope: &Scope, family: Option<&str>) -> Result<Vec<MigrationRun>, LedgerError> {
        self.of_runs().read(scope, family).await
    }
}
