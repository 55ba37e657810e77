//! Databases as wholes, and what may be changed about them.

use std::sync::Arc;

use jiff::Timestamp;

use super::workload::{Workload, untagged};
use crate::action::{Action, ConfigureDatabase, DatabaseSetting};
use crate::model::hold::HoldReason;
use crate::model::judgement::{Failure, Judgement, Remedy};
use crate::model::resources::{DatabaseId, DbCluster, DbInstance};
use crate::model::snapshot::{ReadError, Seen};
use crate::model::subject::Subject;
use crate::model::tags::{PhaseReading, Tags};

/// The port of a PostgreSQL server that has not said otherwise.
pub const DEFAULT_PORT: u16 = 5432;

/// The IAM actions that judging a database by itself needs.
pub const DATABASE_READS: &[&str] = &["rds:DescribeDBInstances", "rds:DescribeDBClusters"];

/// What owns storage, backups and settings: an instance that is in no cluster, or a cluster for all of its members.
#[derive(Debug, Clone, Copy)]
pub enum Whole<'a> {
    /// An instance. Read replicas are instances too.
    Instance(&'a DbInstance),
    /// An Aurora or Multi-AZ DB cluster.
    Cluster(&'a DbCluster),
}

/// The databases of a workload, each once. A member whose cluster is gone or going is left out with it.
///
/// # Errors
/// What kept the instances or the clusters from being read.
pub fn wholes<'w, 'a>(w: &'w Workload<'a>) -> Seen<&'w [Whole<'a>]> {
    let (instances, clusters) = (w.instances()?, w.clusters()?);
    Ok(w.answers.wholes.get_or_init(|| {
        let clusters = clusters.iter().copied().map(Whole::Cluster);
        let alone = instances.iter().copied().filter(|i| i.cluster.is_none());
        clusters.chain(alone.map(Whole::Instance)).collect()
    }))
}

impl<'a> Whole<'a> {
    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> &'a str {
        match self {
            Self::Instance(i) => &i.id,
            Self::Cluster(c) => &c.id,
        }
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> &'a str {
        match self {
            Self::Instance(i) => &i.arn,
            Self::Cluster(c) => &c.arn,
        }
    }

    /// The user that was created with it.
    #[must_use]
    pub fn master_user(&self) -> Option<&'a str> {
        match self {
            Self::Instance(i) => i.master_user.as_deref(),
            Self::Cluster(c) => c.master_user.as_deref(),
        }
    }

    /// Its identity in calls.
    #[must_use]
    pub fn database(&self) -> DatabaseId {
        match self {
            Self::Instance(i) => DatabaseId::Instance(i.id.clone()),
            Self::Cluster(c) => DatabaseId::Cluster(c.id.clone()),
        }
    }

    /// `available`, `creating`, ...
    #[must_use]
    pub fn status(&self) -> &'a str {
        match self {
            Self::Instance(i) => &i.status,
            Self::Cluster(c) => &c.status,
        }
    }

    /// `postgres`, `aurora-postgresql`, ...
    #[must_use]
    pub fn engine(&self) -> &'a str {
        match self {
            Self::Instance(i) => &i.engine,
            Self::Cluster(c) => &c.engine,
        }
    }

    /// For instance `17.2`.
    #[must_use]
    pub fn engine_version(&self) -> &'a str {
        match self {
            Self::Instance(i) => &i.engine_version,
            Self::Cluster(c) => &c.engine_version,
        }
    }

    /// Its tags.
    #[must_use]
    pub fn tags(&self) -> &'a Tags {
        match self {
            Self::Instance(i) => &i.tags,
            Self::Cluster(c) => &c.tags,
        }
    }

    /// When it was created; absent while it is being created.
    #[must_use]
    pub fn created_at(&self) -> Option<Timestamp> {
        match self {
            Self::Instance(i) => i.created_at,
            Self::Cluster(c) => c.created_at,
        }
    }

    /// What it replicates, if it does: an identifier, or the ARN of something in another region.
    #[must_use]
    pub fn replica_of(&self) -> Option<&'a str> {
        match self {
            Self::Instance(i) => i.replica_of.as_deref(),
            Self::Cluster(c) => c.replica_of.as_deref(),
        }
    }

    /// Itself, for a judgement.
    #[must_use]
    pub fn subject(&self) -> Subject<'a> {
        match self {
            Self::Instance(i) => Subject::Instance(i),
            Self::Cluster(c) => Subject::Cluster(c),
        }
    }

    /// Its phase.
    #[must_use]
    pub fn phase(&self, w: &Workload<'_>) -> PhaseReading {
        match self {
            Self::Instance(i) => w.instance_phase(i),
            Self::Cluster(c) => w.phase(&c.tags),
        }
    }

    /// The invariant holds.
    #[must_use]
    pub fn pass(&self) -> Judgement<'a> {
        Judgement::pass(self.subject())
    }

    /// It does not.
    #[must_use]
    pub fn fail(&self, w: &Workload<'_>, failure: Failure) -> Judgement<'a> {
        Judgement::fail(self.subject(), self.tags(), failure).in_phase(self.phase(w))
    }

    /// Evidence is missing.
    #[must_use]
    pub fn unknown(&self, w: &Workload<'_>, error: &Arc<ReadError>) -> Judgement<'a> {
        Judgement::unknown(self.subject(), self.tags(), error).in_phase(self.phase(w))
    }

    /// How the command line names it: `modify-db-instance --db-instance-identifier ID`, or the cluster's.
    #[must_use]
    pub fn modify(&self) -> String {
        match self {
            Self::Instance(i) => format!("aws rds modify-db-instance --db-instance-identifier {}", i.id),
            Self::Cluster(c) => format!("aws rds modify-db-cluster --db-cluster-identifier {}", c.id),
        }
    }
}

/// Why AWS would refuse to change a database of this status, if it would.
#[must_use]
pub fn not_available(id: &str, status: &str) -> Option<HoldReason> {
    (status != "available").then(|| HoldReason::DatabaseNotAvailable {
        database: id.to_owned(),
        status: status.to_owned(),
    })
}

/// The correction that changes one field which nobody notices.
#[must_use]
pub fn configure(w: &Workload<'_>, whole: &Whole<'_>, setting: DatabaseSetting, summary: String) -> Remedy {
    let action = Action::ConfigureDatabase(ConfigureDatabase {
        database: whole.database(),
        setting,
    });
    let refused = untagged(w, whole.id(), whole.tags()).or_else(|| not_available(whole.id(), whole.status()));
    Remedy {
        summary,
        actions: vec![action],
        refused,
    }
}

/// What `judge` says of each database.
#[must_use]
pub fn each_whole<'a>(w: &Workload<'a>, judge: impl FnMut(&Whole<'a>) -> Option<Judgement<'a>>) -> Vec<Judgement<'a>> {
    match wholes(w) {
        Err(e) => w.unknown(&e),
        Ok(wholes) => wholes.iter().filter_map(judge).collect(),
    }
}
