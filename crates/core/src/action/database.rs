//! The functions that corrections of databases share.

use crate::model::resources::DatabaseId;

/// The call that modifies it, and the parameter that names it.
pub(super) fn modify(database: &DatabaseId) -> (&'static str, &'static str) {
    match database {
        DatabaseId::Instance(_) => ("ModifyDBInstance", "DBInstanceIdentifier"),
        DatabaseId::Cluster(_) => ("ModifyDBCluster", "DBClusterIdentifier"),
    }
}

/// See [`Correction::target`](super::correction::Correction::target).
pub(super) fn target(database: &DatabaseId) -> String {
    match database {
        DatabaseId::Instance(id) => format!("db:{id}"),
        DatabaseId::Cluster(id) => format!("cluster:{id}"),
    }
}
