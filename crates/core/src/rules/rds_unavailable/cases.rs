//! What `rds-unavailable` says, and of what it says nothing.

use crate::rules::testing::databases::{replica, status};
use crate::rules::testing::workload::{ago, cluster, db};
use crate::rules::testing::{Case, Cases, Unread, finding_by};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("stopped", |s| { status(s, "stopped"); db(s).restorable_until = Some(ago(50)); }),
        Case::new("failed", |s| status(s, "failed")),
        Case::new("full", |s| status(s, "storage-full")),
        Case::new("wrong parameters", |s| status(s, "incompatible-parameters")),
        Case::new("no network", |s| status(s, "incompatible-network")),
        Case::new("a lost key", |s| status(s, "inaccessible-encryption-credentials")),
        Case::new("a key switched off", |s| status(s, "inaccessible-encryption-credentials-recoverable")),
        Case::new("not restored", |s| status(s, "restore-error")),
        Case::new("no capacity", |s| { status(s, "insufficient-capacity"); db(s).endpoint = None; db(s).restorable_until = None; }).and_unknown(&["secret-wrong-database"]),
        Case::new("a stopped cluster", |s| { cluster(s).status = "stopped".into(); status(s, "stopped"); }),
        Case::new("a failed member", |s| { cluster(s); status(s, "failed"); }),
        Case::new("a stopped replica", |s| replica(s).status = "stopped".into()),
    ],
    passing: &[
        Case::new("modifying", |s| status(s, "modifying")),
        Case::new("growing", |s| status(s, "storage-optimization")),
        Case::new("starting", |s| status(s, "starting")),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters],
};

/// A cluster is told of once, and its members not beside it.
#[test]
fn a_cluster_is_told_of_once() {
    let finding = finding_by(
        |s| {
            cluster(s).status = "stopped".into();
            status(s, "stopped");
        },
        "rds-unavailable",
    );
    assert_eq!(finding.resource.id, "fleet");
}
