//! What `rds-abandoned` says, and of what it says nothing.

use std::sync::Arc;

use crate::model::connection::SecretShape;
use crate::model::cow_map::CowMap;
use crate::rules::testing::databases::{
    ELSEWHERE, TWO, leads_to, migrating, orphan, parameter, plain_url, replica, secret, status, unread_value,
};
use crate::rules::testing::workload::{HOST, REVISION, ago, cluster, connection, db, holds, running, service, tags, web, lose_secret};
use crate::rules::testing::{Case, Cases, Unread, assert_caused, finding_after};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("nobody refers to it", |s| lose_secret(s)).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("everybody refers to another", |s| leads_to(s, ELSEWHERE, 72)).and_fail(&["secret-wrong-database"]),
        Case::new("a plain URL to another", |s| plain_url(s, ELSEWHERE)).and_fail(&["ecs-missing-database-secret", "ecs-plaintext-database-url"]),
        Case::new("a parameter that leads to another", |s| parameter(s, ELSEWHERE)).and_fail(&["secret-wrong-database"]).and_unknown(&["ecs-secret-unreadable"]),
        Case::new("no service", |s| s.services = Ok(CowMap::new())),
        Case::new("a cluster that nobody refers to", |s| { cluster(s); lose_secret(s); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("stopped, and nobody refers to it", |s| { status(s, "stopped"); lose_secret(s); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret", "rds-unavailable"]),
    ],
    passing: &[
        Case::new("young", |s| { lose_secret(s); db(s).created_at = Some(ago(47)); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("deployed lately", |s| { lose_secret(s); service(s).deployments[0].created_at = Some(ago(47)); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("a secret that was changed lately", |s| leads_to(s, ELSEWHERE, 47)).and_fail(&["secret-wrong-database"]),
        Case::new("nobody refers to it yet", |s| { lose_secret(s); migrating(s, "2026-11-22T00:00:00Z"); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
        Case::new("a plain URL to it", |s| plain_url(s, HOST)).and_fail(&["ecs-missing-database-secret", "ecs-plaintext-database-url"]),
        Case::new("a parameter that leads to it", |s| parameter(s, HOST)).and_unknown(&["ecs-secret-unreadable"]),
        Case::new("one that reads from its replica", |s| { replica(s); leads_to(s, TWO, 72); }),
        Case::new("a replica that nobody refers to", |s| { replica(s).created_at = Some(ago(900)); }),
        Case::new("by the cluster's reader", |s| { cluster(s).hosts.push("fleet.cluster-ro-abc.us-east-1.rds.amazonaws.com".into()); leads_to(s, "fleet.cluster-ro-abc.us-east-1.rds.amazonaws.com", 72); }),
        Case::new("another database name", |s| { secret(s).changed_at = Some(ago(72)); holds(s, SecretShape::Plain(connection(HOST, "archive", vec![]))); }).and_fail(&["secret-wrong-database"]),
        Case::new("an orphaned member, which services use by its cluster's endpoints", |s| { orphan(s); }),
    ],
    unknown: &[
        Case::new("the value", |s| { unread_value(s); secret(s).changed_at = Some(ago(72)); }).besides(Unread::Value),
        Case::new("an alias", |s| leads_to(s, "db.shop.internal", 72)).and_fail(&["secret-wrong-database"]),
        Case::new("a host in plain text", |s| { web(s).secrets.clear(); web(s).variables.push(crate::rules::testing::workload::plain("PGHOST", "db.shop.internal")); }).and_fail(&["ecs-missing-database-secret"]),
        Case::new("a parameter that was not read", |s| { parameter(s, HOST); s.parameters.clear(); }).and_unknown(&["ecs-secret-reference-mismatch", "ecs-secret-unreadable", "secret-malformed-url", "secret-no-tls", "secret-uses-master-user", "secret-wrong-database"]),
        Case::new("a service that another program deploys", |s| { lose_secret(s); service(s).deployments.clear(); }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
    ],
    unread: &[Unread::Instances, Unread::Clusters, Unread::Services, Unread::OneService, Unread::Revision, Unread::Secrets, Unread::SecretsOff],
};

/// Nobody uses it because the services lost their secret, or because it leads elsewhere.
#[test]
fn caused() {
    assert_caused(
        |s| lose_secret(s),
        "rds-abandoned",
        "ecs-missing-database-secret",
    );
    assert_caused(|s| leads_to(s, ELSEWHERE, 72), "rds-abandoned", "secret-wrong-database");
}

/// What another workload's service uses is not for deleting.
#[test]
fn a_stranger_that_uses_it_is_named() {
    let f = finding_after(
        |s| {
            let mut bank = service(s).clone();
            let arn = "arn:aws:ecs:us-east-1:123456789012:service/main/bank".to_owned();
            let mut definition = running(s).clone();
            definition.arn = format!("{REVISION}0");
            bank.task_definition.clone_from(&definition.arn);
            (bank.arn, bank.name, bank.tags) = (arn.clone(), "bank".into(), tags(&[("workload", "bank")]));
            s.task_definitions
                .insert(definition.arn.clone(), Ok(Arc::new(definition)));
            s.services.as_mut().expect("read").insert(arn, bank);
            lose_secret(s);
        },
        "rds-abandoned",
    );
    assert!(f.message.contains("main/bank of bank uses it"), "{}", f.message);
}
