//! `ModifyDBInstance` or `ModifyDBCluster` of one harmless field.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::correction::{Correction, Execution, Merge};
use super::database;
use super::refresh::RefreshBeforeCall;
use super::takes_away::TakesAway;
use crate::model::policy::Risk;
use crate::model::resources::DatabaseId;

/// Changes one field of a database without an effect on clients: no connection is cut and nothing restarts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConfigureDatabase {
    /// The database.
    pub database: DatabaseId,
    /// What changes.
    pub setting: DatabaseSetting,
}

/// The field and its new value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "field", content = "to")]
pub enum DatabaseSetting {
    /// `DeletionProtection=true`.
    DeletionProtection,
    /// `MaxAllocatedStorage`, in GiB.
    MaxAllocatedStorage {
        /// The ceiling now, if there is one.
        from: Option<i32>,
        /// The new ceiling.
        to: i32,
    },
    /// `AutoMinorVersionUpgrade=true`.
    MinorVersionUpgrades,
}

impl Correction for ConfigureDatabase {
    fn calls(&self) -> Vec<Call> {
        let (operation, key) = database::modify(&self.database);
        // Each of these takes effect at once whatever ApplyImmediately says; true would carry out other pending changes.
        // https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.Settings.html
        let mut parameters = json!({key: self.database.id(), "ApplyImmediately": false});
        let (field, value) = match &self.setting {
            DatabaseSetting::DeletionProtection => ("DeletionProtection", json!(true)),
            DatabaseSetting::MaxAllocatedStorage { to, .. } => ("MaxAllocatedStorage", json!(to)),
            DatabaseSetting::MinorVersionUpgrades => ("AutoMinorVersionUpgrade", json!(true)),
        };
        parameters[field] = value;
        vec![Call::new("rds", operation, parameters)]
    }

    fn risk(&self) -> Risk {
        Risk::None
    }

    fn takes_away(&self) -> TakesAway<'_> {
        TakesAway::Nothing
    }

    fn preconditions(&self) -> Vec<String> {
        vec![format!("{} is available and still lacks it", self.database.id())]
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
        let setting = match self.setting {
            DatabaseSetting::DeletionProtection => "deletion protection",
            DatabaseSetting::MaxAllocatedStorage { .. } => "storage ceiling",
            DatabaseSetting::MinorVersionUpgrades => "minor version upgrades",
        };
        format!("{} {setting}", self.target())
    }

    fn describe(&self) -> String {
        let id = self.database.id();
        match self.setting {
            DatabaseSetting::DeletionProtection => format!("{id}: DeletionProtection false → true"),
            DatabaseSetting::MaxAllocatedStorage { from: None, to } => {
                format!("{id}: MaxAllocatedStorage (none) → {to} GiB")
            }
            DatabaseSetting::MaxAllocatedStorage { from: Some(from), to } => {
                format!("{id}: MaxAllocatedStorage {from} → {to} GiB")
            }
            DatabaseSetting::MinorVersionUpgrades => format!("{id}: AutoMinorVersionUpgrade false → true"),
        }
    }
}
