use std::sync::Arc;

use super::*;
use crate::model::resources::{AccessTarget, Secret};
use crate::model::snapshot::{Guarded, Lookup, ReadError, SecretValue};
use crate::model::value_from::Selector;
use crate::rules::testing::{SERVICE, clean, db, guard, now, service};

fn failed(operation: &str) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "rds".into(),
        operation: operation.into(),
        resource: "123456789012/us-east-1".into(),
        code: "Timeout".into(),
        message: "no answer".into(),
    })
}

fn shop(s: &Snapshot) -> RefreshSet {
    RefreshSet::of(s, &Config::default(), "shop", now())
}

#[test]
fn a_workload_is_read_again_with_all_that_it_consists_of() {
    let mut s = clean();
    let error = failed("DescribeServices");
    s.unread_services
        .insert("arn:unread".into(), ("shop".into(), Arc::clone(&error)));
    let set = shop(&s);
    assert_eq!(set.workload.as_deref(), Some("shop"));
    assert_eq!(set.instances.iter().collect::<Vec<_>>(), ["shop-db"]);
    assert!(set.services.contains(SERVICE) && set.services.contains("arn:unread"));
    let of_database = db(&mut s).security_groups.first().cloned().expect("a group");
    assert!(set.groups.contains(&of_database));
    assert_eq!(set.before_call, RefreshBeforeCall::WORKLOAD);
}

#[test]
fn an_event_adds_its_resource_once() {
    let s = clean();
    let (mut set, before) = (shop(&s), shop(&s));
    let of_service = |service: &str| Subject::Service {
        cluster: "main".into(),
        service: service.into(),
    };
    set.add(&of_service("shop"), &s.scope);
    set.add(&Subject::Everything, &s.scope);
    assert_eq!(set, before, "known already");
    set.add(&of_service("till"), &s.scope);
    set.add(&Subject::DbInstance("new-db".into()), &s.scope);
    set.add(&Subject::DbCluster("fleet".into()), &s.scope);
    set.add(&Subject::SecurityGroup("sg-new".into()), &s.scope);
    set.add(&Subject::TaskFamily("shop-migrate".into()), &s.scope);
    set.add(&Subject::Secret("shop-url".into()), &s.scope);
    assert!(
        set.services
            .contains("arn:aws:ecs:us-east-1:123456789012:service/main/till")
    );
    assert!(set.instances.contains("new-db") && set.clusters.contains("fleet"));
    assert!(set.groups.contains("sg-new") && set.families.contains("shop-migrate"));
    assert_eq!(set.secret.as_deref(), Some("shop-url"));
}

#[test]
fn what_changed_is_taken_over_and_what_is_gone_goes() {
    let (mut base, mut fresh) = (clean(), clean());
    let set = shop(&base);
    db(&mut fresh).publicly_accessible = true;
    fresh.services.as_mut().expect("read").remove(SERVICE);
    set.merge_into(&mut base, &fresh);
    assert!(db(&mut base).publicly_accessible);
    assert!(base.services.expect("read").is_empty());
}

#[test]
fn what_others_have_stays() {
    let mut base = clean();
    let set = shop(&base);
    let mut other = db(&mut base).clone();
    "till-db".clone_into(&mut other.id);
    let instances = base.instances.as_mut().expect("read");
    instances.insert("till-db".into(), other);
    set.merge_into(&mut base, &clean());
    assert!(base.instances.expect("read").contains_key("till-db"));
}

/// One fact, or one failed read, put into each part that a second read reads.
type Mark = (&'static str, fn(&mut Snapshot), fn(&Snapshot) -> bool);

/// A list that the sweep could not read is read by the second read, and reaches what is known. Those that the second
/// read asks of one workload alone (secrets, migrations) do not: to others they would seem to be empty.
#[test]
fn a_list_that_was_unread_is_taken_over_whole() {
    let lists: &[Mark] = &[
        (
            "instances",
            |s| s.instances = Err(failed("DescribeDBInstances")),
            |s| s.instances.is_ok(),
        ),
        (
            "clusters",
            |s| s.clusters = Err(failed("DescribeDBClusters")),
            |s| s.clusters.is_ok(),
        ),
        (
            "groups",
            |s| s.security_groups = Err(failed("DescribeSecurityGroups")),
            |s| s.security_groups.is_ok(),
        ),
        (
            "subnets",
            |s| s.subnets = Err(failed("DescribeSubnets")),
            |s| s.subnets.is_ok(),
        ),
        (
            "services",
            |s| s.services = Err(failed("DescribeServices")),
            |s| s.services.is_ok(),
        ),
    ];
    for (part, lose, is_read) in lists {
        let mut base = clean();
        lose(&mut base);
        base.errors = base.failed_reads();
        assert_eq!((base.errors.len(), is_read(&base)), (1, false), "{part}");
        shop(&clean()).merge_into(&mut base, &clean());
        assert!(is_read(&base), "{part}");
        assert!(base.errors.is_empty(), "{part}: what failed before is read by now");
    }
    let of_one_workload: [fn(&mut Snapshot); 2] = [
        |s| s.secrets = Err(failed("ListSecrets")),
        |s| s.migrations = Err(failed("GetResources")),
    ];
    for lose in of_one_workload {
        let mut base = clean();
        lose(&mut base);
        shop(&clean()).merge_into(&mut base, &clean());
        assert_eq!(base.errors.len(), 1);
    }
}

#[test]
fn an_owners_look_up_does_not_stand_for_all_services() {
    let mut base = clean();
    base.services = Err(failed("DescribeServices"));
    RefreshSet::default().merge_into(&mut base, &clean());
    assert!(base.services.is_err());
}

#[test]
fn a_read_that_fails_now_leaves_what_was_known() {
    let mut fresh = clean();
    fresh.instances = Err(failed("DescribeDBInstances"));
    let mut base = clean();
    shop(&base).merge_into(&mut base, &fresh);
    assert!(base.instances.expect("known").contains_key("shop-db"));
}

/// Each part that a second read reads.
const PARTS: &[Mark] = &[
    (
        "instances",
        |s| db(s).publicly_accessible = true,
        |s| s.instances.as_ref().is_ok_and(|m| m["shop-db"].publicly_accessible),
    ),
    (
        "services",
        |s| service(s).exec_enabled = false,
        |s| s.services.as_ref().is_ok_and(|m| !m[SERVICE].exec_enabled),
    ),
    (
        "tasks of services",
        |s| service(s).unread_tasks = Some(failed("DescribeTasks")),
        |s| s.errors.contains(&failed("DescribeTasks")),
    ),
    (
        "unread services",
        |s| {
            s.unread_services
                .insert("arn:new".into(), ("shop".into(), failed("DescribeServices")));
        },
        |s| s.unread_services.contains_key("arn:new") && s.errors.contains(&failed("DescribeServices")),
    ),
    (
        "task definitions",
        |s| {
            s.task_definitions
                .insert("arn:new".into(), Err(failed("DescribeTaskDefinition")));
        },
        |s| s.errors.contains(&failed("DescribeTaskDefinition")),
    ),
    (
        "durable revisions",
        |s| {
            s.durable_revisions.insert("arn:new".into(), Arc::default());
        },
        |s| s.durable_revisions.contains_key("arn:new"),
    ),
    (
        "groups",
        |s| guard(s).ingress.clear(),
        |s| {
            let groups = s.security_groups.as_ref().expect("read");
            groups.values().all(|g| g.ingress.is_empty())
        },
    ),
    (
        "endpoints",
        |s| {
            s.endpoints.insert("arn:new".into(), Err(failed("DescribeDBProxies")));
        },
        |s| s.errors.contains(&failed("DescribeDBProxies")),
    ),
    (
        "guarded",
        |s| {
            s.guarded.insert("arn:new".into(), Ok(Guarded::default()));
        },
        |s| s.guarded.contains_key("arn:new"),
    ),
    (
        "lookups",
        |s| {
            s.lookups.insert("arn:new".into(), Ok(Lookup::Missing));
        },
        |s| s.lookups.contains_key("arn:new"),
    ),
    (
        "values",
        |s| {
            let key = ("arn:new".to_owned(), Selector::default());
            s.values.insert(key, Ok(SecretValue::NotInspected));
        },
        |s| s.values.iter().any(|((arn, _), _)| arn == "arn:new"),
    ),
    (
        "parameters",
        |s| {
            s.parameters.insert("arn:new".into(), Ok(None));
        },
        |s| s.parameters.contains_key("arn:new"),
    ),
    (
        "policies",
        |s| {
            s.policies.insert("arn:new".into(), Ok(vec![]));
        },
        |s| s.policies.contains_key("arn:new"),
    ),
    (
        "access",
        |s| {
            let key = ("arn:new".to_owned(), AccessTarget::EcsExec);
            s.access.insert(key, Err(failed("SimulatePrincipalPolicy")));
        },
        |s| s.errors.contains(&failed("SimulatePrincipalPolicy")),
    ),
    (
        "versions",
        |s| {
            s.versions.insert("arn:new".into(), Err(failed("ListSecretVersionIds")));
        },
        |s| s.errors.contains(&failed("ListSecretVersionIds")),
    ),
    (
        "starts of tasks",
        |s| {
            s.task_starts.insert("arn:new".into(), Err(failed("ListTasks")));
        },
        |s| s.errors.contains(&failed("ListTasks")),
    ),
    (
        "vpc_endpoints",
        |s| {
            s.vpc_endpoints
                .insert("vpc-new".into(), Err(failed("DescribeVpcEndpoints")));
        },
        |s| s.errors.contains(&failed("DescribeVpcEndpoints")),
    ),
    (
        "parameter groups",
        |s| {
            s.parameter_groups
                .insert((false, "arn:new".into()), Err(failed("DescribeDBParameters")));
        },
        |s| s.errors.contains(&failed("DescribeDBParameters")),
    ),
    (
        "rollback targets",
        |s| {
            s.rollback_targets.insert("arn:new".into(), Ok(vec![]));
        },
        |s| s.rollback_targets.contains_key("arn:new"),
    ),
    (
        "deployments",
        |s| {
            s.deployments
                .insert("arn:new".into(), Err(failed("ListServiceDeployments")));
        },
        |s| s.errors.contains(&failed("ListServiceDeployments")),
    ),
    (
        "logs",
        |s| {
            s.logs.insert("arn:new".into(), Err(failed("FilterLogEvents")));
        },
        |s| s.errors.contains(&failed("FilterLogEvents")),
    ),
    (
        "secrets",
        |s| {
            let secrets = s.secrets.as_mut().expect("read");
            secrets.insert("arn:new".into(), Secret::default());
        },
        |s| s.secrets.as_ref().is_ok_and(|m| m.contains_key("arn:new")),
    ),
];

/// What a read of one thing says, good or bad, reaches what is known: with it, its failure is among the errors.
#[test]
fn every_part_that_is_read_reaches_the_base() {
    for (part, mark, is_marked) in PARTS {
        let (mut base, mut fresh) = (clean(), clean());
        assert!(!is_marked(&base), "{part}");
        mark(&mut fresh);
        shop(&base).merge_into(&mut base, &fresh);
        assert!(is_marked(&base), "{part}");
    }
}
