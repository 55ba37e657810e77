//! What `workload-without-database` says, and of what it says nothing.

use crate::model::cow_map::CowMap;
use crate::model::snapshot::Snapshot;
use crate::rules::testing::workload::{cluster, db, service};
use crate::rules::testing::{Case, Cases, Unread};

fn without_database(s: &mut Snapshot) {
    s.instances = Ok(CowMap::new());
}

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no database", without_database),
        Case::new("a database that is being deleted", |s| db(s).status = "deleting".into()),
    ],
    passing: &[
        Case::new("no database and no service", |s| { without_database(s); s.services = Ok(CowMap::new()); }),
        Case::new("a cluster alone", |s| { cluster(s).members.clear(); db(s).cluster = None; }),
        Case::new("a service on its way out", |s| { without_database(s); service(s).status = "DRAINING".into(); }),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters, Unread::Services],
};
