//! What `workload-untagged-part` says, and of what it says nothing.

use crate::model::connection::SecretShape;
use crate::rules::testing::workload::{cluster, connection, db, guard, holds, tags, web};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("an untagged group", |s| guard(s).tags = tags(&[])),
        Case::new("another workload's group", |s| guard(s).tags = tags(&[("workload", "bank")])),
        Case::new("an untagged member", |s| { cluster(s); db(s).tags = tags(&[]); }),
        Case::new("an untagged cluster", |s| cluster(s).tags = tags(&[])),
        Case::new("an untagged secret", |s| for secret in s.secrets.as_mut().expect("read").values_mut() { secret.tags = tags(&[]); }),
        Case::new("an untagged database that the secret leads to", |s| db(s).tags = tags(&[])).and_fail(&["workload-without-database"]),
    ],
    passing: &[
        Case::new("the service's own group untagged", |s| { s.security_groups.as_mut().expect("read").get_mut("sg-app").expect("there").tags = tags(&[]); }),
        Case::new("a stranger's database elsewhere", |s| {
            let mut stray = db(s).clone();
            (stray.id, stray.tags) = ("stray".into(), tags(&[]));
            stray.endpoint.as_mut().expect("there").host = "stray.example.com".into();
            s.instances.as_mut().expect("read").insert("stray".into(), stray);
        }),
        Case::new("a secret that leads to another host", |s| holds(s, SecretShape::Plain(connection("old-db.abc.us-east-1.rds.amazonaws.com", "app", vec![])))).and_fail(&["secret-wrong-database"]),
        Case::new("no secret at all", |s| web(s).secrets.clear()).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret", "rds-abandoned"]),
    ],
    unknown: &[],
    unread: &[Unread::Instances, Unread::Clusters, Unread::Groups, Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision, Unread::Secrets, Unread::SecretsOff],
};
