//! What `rds-unenforced-tls` says, and of what it says nothing.

use crate::model::connection::SecretShape;
use crate::model::snapshot::Snapshot;
use crate::rules::testing::databases::{multi_az_cluster, orphan, own_group, replica, second, version};
use crate::rules::testing::workload::{HOST, cluster, connection, db, denied, holds, tags};
use crate::rules::testing::{Case, Cases, Change, Unread, refusal};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("version 14", |s| version(s, "14.9", "default.postgres14")),
        Case::new("version 14, left open by a group", |s| { version(s, "14.9", "x"); own_group(s, false, None); }),
        Case::new("version 17, switched off", |s| own_group(s, false, Some("0"))),
        Case::new("Aurora 16", |s| { cluster(s).engine_version = "16.8".into(); cluster(s).parameter_group = Some("default.aurora-postgresql16".into()); }),
        Case::new("Aurora 17, switched off", |s| { cluster(s); own_group(s, true, Some("0")); }),
        Case::new("a Multi-AZ DB cluster of version 14", |s| { multi_az_cluster(s); cluster(s).engine_version = "14.9".into(); }),
        Case::new("a replica without TLS", |s| { own_group(s, false, Some("0")); db(s).parameter_groups = vec!["default.postgres17".into()]; replica(s).parameter_groups = vec!["shop-pg".into()]; }),
    ],
    passing: &[
        Case::new("version 15", |s| version(s, "15.2", "default.postgres15")),
        Case::new("version 14, switched on", |s| { version(s, "14.9", "x"); own_group(s, false, Some("1")); }),
        Case::new("version 17, left as it is", |s| own_group(s, false, None)),
        Case::new("Aurora 16, switched on", |s| { cluster(s).engine_version = "16.8".into(); own_group(s, true, Some("1")); }),
        Case::new("a member's own parameter group", |s| { cluster(s); own_group(s, false, Some("0")); }),
        Case::new("another engine", |s| { db(s).engine = "mysql".into(); version(s, "8.0.40", "default.mysql8.0"); }),
        Case::new("an orphaned member, whose cluster owns that", |s| orphan(s).engine_version = "12.1".into()),
    ],
    unknown: &[
        Case::new("a parameter group", |s| { own_group(s, false, None); s.parameter_groups.insert((false, "shop-pg".into()), Err(denied("DescribeDBParameters"))); }),
        Case::new("a parameter group that was not read", |s| db(s).parameter_groups = vec!["shop-pg".into()]),
        Case::new("no version", |s| db(s).engine_version = String::new()),
    ],
    unread: &[Unread::Instances, Unread::Clusters],
};

/// What would do harm, or is not ours, is not done, and the reason is told.
#[test]
fn refused() {
    let off = |s: &mut Snapshot| own_group(s, false, Some("0"));
    let tls = |change: Change| refusal(change, "rds-unenforced-tls");
    assert_eq!(tls(off), "");
    assert!(
        tls(|s| {
            own_group(s, false, Some("0"));
            for group in s.parameter_groups.values_mut() {
                group.as_mut().expect("read").tags = tags(&[]);
            }
        })
        .contains("does not carry holdfast:workload=shop")
    );
    assert!(
        tls(|s| {
            own_group(s, false, Some("0"));
            second(s);
            s.instances
                .as_mut()
                .expect("read")
                .get_mut("shop-two")
                .expect("there")
                .tags = tags(&[("workload", "bank")]);
        })
        .contains("also the parameter group of shop-two")
    );
    assert!(
        tls(|s| {
            own_group(s, false, Some("0"));
            let mut c = connection(HOST, "app", vec![]);
            c.sslmode = Some("disable".into());
            holds(s, SecretShape::Plain(c));
        })
        .contains("main/shop connects with sslmode=disable")
    );
}

/// A member whose cluster is not in the list is the workload's all the same: the group is not shared with a stranger.
#[test]
fn an_orphaned_member_is_no_stranger() {
    let shared: Change = |s| {
        own_group(s, false, Some("0"));
        orphan(s);
    };
    assert_eq!(refusal(shared, "rds-unenforced-tls"), "");
}
