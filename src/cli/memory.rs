//! What commands that run once know of earlier runs of migrations, and what they leave for later: ECS forgets a stopped task
//! after about an hour, the ledger doesn't.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_aws::client::Connector;
use holdfast_aws::dynamodb::ledger::DynamoLedger;
use holdfast_core::config::{Config, LedgerKind};
use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::MigrationRun;
use holdfast_core::model::snapshot::Snapshot;
use holdfast_operator::ledger::RunBook;
use holdfast_operator::ports::{Ledger, LedgerError};
use jiff::Timestamp;

use crate::ledger_sqlite::SqliteLedger;

/// The ledger as a command uses it that reads AWS once. It is opened only where there is something to ask or to tell.
pub(super) struct RunMemory {
    table: tokio::sync::OnceCell<Result<Arc<dyn Ledger>, String>>,
    /// Whether it was said that the ledger can't be used.
    said: Mutex<bool>,
}

impl RunMemory {
    pub(super) fn new() -> Self {
        Self {
            table: tokio::sync::OnceCell::new(),
            said: Mutex::new(false),
        }
    }

    /// Adds to `snapshot` the runs that the ledger knows, and writes to it those that it does not know. A ledger that can't
    /// be used is said once; the command goes on without it.
    pub(super) async fn remember(
        &self,
        snapshot: &mut Snapshot,
        config: &Config,
        connector: &Connector,
        now: Timestamp,
    ) {
        if !snapshot
            .migrations
            .as_ref()
            .is_ok_and(|families| families.iter().next().is_some())
        {
            return;
        }
        let mut book = RunBook::default();
        match self.read(&snapshot.scope, config, connector).await {
            Ok(known) => book.learn(known),
            Err(why) => {
                self.say(&format!("earlier runs of migrations are not known: {why}"));
                if let Ok(families) = &mut snapshot.migrations {
                    for (_, family) in families.iter_mut() {
                        family.unrecalled = Some(why.clone());
                    }
                }
            }
        }
        book.recall(snapshot);
        let news = book.news(snapshot, config, now, None);
        if news.is_empty() {
            return;
        }
        if let Err(why) = self.write(&news, config, connector, now).await {
            self.say(&format!("how migrations ended will not be remembered: {why}"));
        }
    }

    async fn read(&self, scope: &Scope, config: &Config, connector: &Connector) -> Result<Vec<MigrationRun>, String> {
        let read = match config.ledger.kind {
            // A file that is not there knows nothing, and is made when there is something to write.
            LedgerKind::Sqlite if is_nothing(&config.ledger.path) => return Ok(vec![]),
            LedgerKind::Sqlite => {
                let file = SqliteLedger::open_existing(&config.ledger.path)
                    .await
                    .map_err(|e| said(&e))?;
                file.runs(scope, None).await
            }
            LedgerKind::Dynamodb => self.table(config, connector).await?.runs(scope, None).await,
        };
        read.map_err(|e| said(&e))
    }

    async fn write(
        &self,
        news: &[MigrationRun],
        config: &Config,
        connector: &Connector,
        now: Timestamp,
    ) -> Result<(), String> {
        let written = match config.ledger.kind {
            LedgerKind::Sqlite => {
                let file = SqliteLedger::open(&config.ledger.path, now)
                    .await
                    .map_err(|e| said(&e))?;
                file.record_runs(news).await
            }
            LedgerKind::Dynamodb => self.table(config, connector).await?.record_runs(news).await,
        };
        written.map_err(|e| said(&e))
    }

    async fn table(&self, config: &Config, connector: &Connector) -> Result<Arc<dyn Ledger>, String> {
        let open = || async {
            let table = DynamoLedger::configured(&config.ledger, connector)
                .await
                .map_err(|e| said(&e))?;
            Ok(Arc::new(table) as Arc<dyn Ledger>)
        };
        self.table.get_or_init(open).await.clone()
    }

    fn say(&self, what: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut *said, true) {
            eprintln!("holdfast: {what}");
        }
    }
}

fn is_nothing(path: &Path) -> bool {
    match std::fs::metadata(path) {
        Ok(file) => file.is_file() && file.len() == 0,
        Err(e) => e.kind() == std::io::ErrorKind::NotFound,
    }
}

fn said(error: &LedgerError) -> String {
    error.to_string()
}
