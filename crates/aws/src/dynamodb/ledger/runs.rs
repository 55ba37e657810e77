//! Runs of migrations: one item for each family, with its newest runs. It is read, added to, and written on the condition that
//! nobody has written it meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::MigrationRun;
use holdfast_operator::ledger::RUNS_KEPT_FOR;
use holdfast_operator::ports::LedgerError;
use jiff::Timestamp;

use super::fault::Table;
use super::items::{self, Item, Place, in_scope_key};

/// The partition of a scope's runs.
const RUNS: &str = "runs";
/// How often the item has been written.
const WRITES: &str = "writes";
/// Times that an item is written which others write too: with the pauses between, about ten seconds.
const TRIES: u32 = 8;
/// The first pause between those; it doubles.
const PAUSE: Duration = Duration::from_millis(50);
/// Pages of one query.
const MOST_PAGES: usize = 2_000;

/// The runs in a table.
pub(super) struct Runs<'a> {
    pub(super) client: &'a Client,
    pub(super) table: &'a Table,
}

impl Runs<'_> {
    /// Adds runs to what is known of their families.
    pub(super) async fn record(&self, runs: &[MigrationRun]) -> Result<(), LedgerError> {
        let mut families: BTreeMap<(&Scope, &str), Vec<&MigrationRun>> = BTreeMap::new();
        for run in runs {
            families.entry((&run.scope, &run.family)).or_default().push(run);
        }
        for ((scope, family), new) in families {
            self.add(scope, family, &new).await?;
        }
        Ok(())
    }

    /// The runs of one family, or of all in a scope; by family, the newest first.
    pub(super) async fn read(&self, scope: &Scope, family: Option<&str>) -> Result<Vec<MigrationRun>, LedgerError> {
        let mut found = vec![];
        for item in self.query(scope, family).await? {
            found.extend(self.list(&item)?);
        }
        Ok(found)
    }

    async fn add(&self, scope: &Scope, family: &str, new: &[&MigrationRun]) -> Result<(), LedgerError> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let stored = self.query(scope, Some(family)).await?.pop();
            let before = stored
                .as_ref()
                .map(|item| self.list(item))
                .transpose()?
                .unwrap_or_default();
            let mut known = before.clone();
            for run in new {
                MigrationRun::add_to(&mut known, run);
            }
            if known == before {
                return Ok(());
            }
            if self.put(scope, family, &known, stored.as_ref()).await? {
                return Ok(());
            }
            if attempt >= TRIES {
                break;
            }
            // Between half of the pause and all of it: those that met must not meet again.
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause *= 2;
        }
        Err(self.table.fault(&format!(
            "(ledger.table) was not written: others keep writing the runs of {family}"
        )))
    }

    /// Writes the item if it is still as it was read; `false` if it is not.
    async fn put(
        &self,
        scope: &Scope,
        family: &str,
        runs: &[MigrationRun],
        stored: Option<&Item>,
    ) -> Result<bool, LedgerError> {
        let place = Place {
            pk: in_scope_key(RUNS, scope),
            sk: family.to_owned(),
        };
        let unbuilt = |e: serde_json::Error| self.table.fault(&format!("(ledger.table) was not written: {e}"));
        let mut item = items::item(&place, &runs).map_err(unbuilt)?;
        let seen = stored.and_then(|i| i.get(WRITES)?.as_n().ok()?.parse::<u64>().ok());
        item.insert(WRITES.into(), items::number(seen.unwrap_or_default() + 1));
        if let Some(newest) = runs.iter().filter_map(|r| r.run.when()).max() {
            let end = newest.saturating_add(RUNS_KEPT_FOR).unwrap_or(Timestamp::MAX);
            item.insert("expires_at".into(), items::number(end.as_second()));
        }
        let put = self.client.put_item().table_name(&self.table.name).set_item(Some(item));
        let put = match seen {
            Some(seen) => put
                .condition_expression("#writes = :seen")
                .expression_attribute_names("#writes", WRITES)
                .expression_attribute_values(":seen", items::number(seen)),
            None => put.condition_expression("attribute_not_exists(pk)"),
        };
        match Box::pin(put.send()).await {
            Ok(_) => Ok(true),
            Err(e) if e.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(e) => Err(self.table.explain("PutItem", "dynamodb:PutItem", &e)),
        }
    }

    async fn query(&self, scope: &Scope, family: Option<&str>) -> Result<Vec<Item>, LedgerError> {
        let pk = in_scope_key(RUNS, scope);
        let mut found = vec![];
        let mut after = None;
        for _ in 0..MOST_PAGES {
            let page = self
                .client
                .query()
                .table_name(&self.table.name)
                .consistent_read(true)
                .expression_attribute_values(":pk", AttributeValue::S(pk.clone()))
                .set_exclusive_start_key(after);
            let page = match family {
                Some(family) => page
                    .key_condition_expression("pk = :pk AND sk = :sk")
                    .expression_attribute_values(":sk", AttributeValue::S(family.to_owned())),
                None => page.key_condition_expression("pk = :pk"),
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
            .fault(&format!("has more than {MOST_PAGES} pages under the key {pk}")))
    }

    fn list(&self, item: &Item) -> Result<Vec<MigrationRun>, LedgerError> {
        items::record(item).map_err(|e| {
            self.table
                .fault(&format!("(ledger.table): item {} {e}", items::name(item)))
        })
    }
}
