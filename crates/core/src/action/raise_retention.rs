//! `ModifyDBInstance` or `ModifyDBCluster` with `BackupRetentionPeriod`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::correction::{Correction, Execution, Merge};
use super::database;
use super::refresh::RefreshBeforeCall;
use super::takes_away::TakesAway;
use crate::model::policy::Risk;
use crate::model::resources::DatabaseId;

/// Keeps automated backups for longer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RaiseRetention {
    /// The database.
    pub database: DatabaseId,
    /// Days now.
    pub from: i32,
    /// The new number of days.
    pub to: i32,
}

impl RaiseRetention {
    /// Whether it switches backups on, which restarts the instance.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.Enabling.html>
    fn restarts(&self) -> bool {
        self.from == 0
    }
}

impl Correction for RaiseRetention {
    fn calls(&self) -> Vec<Call> {
        let (operation, key) = database::modify(&self.database);
        let parameters = json!({key: self.database.id(), "BackupRetentionPeriod": self.to, "ApplyImmediately": true});
        vec![Call::new("rds", operation, parameters)]
    }

    fn risk(&self) -> Risk {
        if self.restarts() { Risk::Outage } else { Risk::None }
    }

    fn takes_away(&self) -> TakesAway<'_> {
        if self.restarts() {
            TakesAway::Connections(&self.database)
        } else {
            TakesAway::Nothing
        }
    }

    fn preconditions(&self) -> Vec<String> {
        vec![format!(
            "{} is available, has a BackupRetentionPeriod of {}, and has no other change pending",
            self.database.id(),
            self.from
        )]
    }

    fn refresh(&self) -> RefreshBeforeCall {
        RefreshBeforeCall::WORKLOAD
    }

    fn execution(&self) -> Execution<'_> {
        Execution::OneCall
    }

    fn merge(&self) -> Merge<'_> {
        Merge::Identical
    }

    fn target(&self) -> String {
        database::target(&self.database)
    }

    fn purpose(&self) -> String {
        format!("{} backups", self.target())
    }

    fn describe(&self) -> String {
        format!(
            "{}: BackupRetentionPeriod {} → {} days",
            self.database.id(),
            self.from,
            self.to
        )
    }
}
