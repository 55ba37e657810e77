//! A workload that no rule complains about, and the changes that many cases make to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::{Config, Datastore, Migrations, WorkloadOverrides};
use crate::connection::vocabulary::Vocabulary;
use crate::connection::{inspect_plain, reduce};
use crate::evaluate::{Evaluation, evaluate_naming_passes};
use crate::model::connection::{Connection, Fault, SecretShape};
use crate::model::cow_map::CowMap;
use crate::model::key::Scope;
use crate::model::resources::{
    Access, AccessTarget, Container, DbCluster, DbInstance, Deployment, Egress, Endpoint, IngressRule, LogEvidence,
    LogTarget, PlainVariable, Rotation, Secret, SecretVariable, SecurityGroup, Service, Source, Subnet, TaskDefinition,
    TaskStart, VersionDates,
};
use crate::model::snapshot::{Guarded, Lookup, Read, ReadError, SecretValue, Snapshot};
use crate::model::tags::Tags;
use crate::model::value_from::Selector;

/// The whole ARN of the workload's secret.
pub(crate) const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-url-AbC123";
/// The revision that the service runs.
pub(crate) const REVISION: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop:2";
/// The service.
pub(crate) const SERVICE: &str = "arn:aws:ecs:us-east-1:123456789012:service/main/shop";
/// The role that fetches secrets, and that the containers have.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/ecs";
/// Where the container's log goes.
pub(crate) const LOG_STREAM: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/shop:log-stream:ecs/web/task";
/// Host name of the database.
pub(crate) const HOST: &str = "shop-db.abc.us-east-1.rds.amazonaws.com";
/// A CNAME and a pooler that the workload's `database_aliases` name.
pub(crate) const ALIAS: &str = "db.declared.internal";
pub(crate) const POOLER: &str = "10.0.9.9";

/// The instant at which cases are evaluated.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("an instant")
}

/// So many hours before [`now`].
pub(crate) fn ago(hours: i64) -> Timestamp {
    now() - jiff::SignedDuration::from_hours(hours)
}

/// Versions of before the service was deployed.
pub(crate) fn old_versions() -> VersionDates {
    VersionDates {
        current: ago(8 * 24),
        previous: None,
    }
}

/// Tags.
pub(crate) fn tags(pairs: &[(&str, &str)]) -> Tags {
    Tags(
        pairs
            .iter()
            .map(|(k, v)| (format!("holdfast:{k}"), (*v).to_owned()))
            .collect(),
    )
}

/// The tags of the workload, and more.
pub(crate) fn shop(more: &[(&str, &str)]) -> Tags {
    tags(&[&[("workload", "shop")], more].concat())
}

/// A rule that lets `source` reach PostgreSQL's port.
pub(crate) fn ingress(id: &str, source: &str) -> IngressRule {
    let source = match source.parse() {
        Ok(net) => Source::Cidr(net),
        Err(_) if source.starts_with("pl-") => Source::PrefixList(source.into()),
        Err(_) => Source::Group {
            id: source.into(),
            account: None,
        },
    };
    IngressRule {
        id: id.into(),
        protocol: "tcp".into(),
        from_port: Some(5432),
        to_port: Some(5432),
        source,
    }
}

/// A plain variable of a container, as it is read.
pub(crate) fn plain(name: &str, value: &str) -> PlainVariable {
    reduce(name.to_owned(), value, Vocabulary::embedded())
}

/// A connection to `host`, with `faults`.
pub(crate) fn connection(host: &str, database: &str, faults: Vec<Fault>) -> Connection {
    Connection {
        faults,
        ..inspect_plain(&format!(
            "postgres://app:Secret-Pw1@{host}:5432/{database}?sslmode=require"
        ))
    }
}

/// A read that was denied.
pub(crate) fn denied(operation: &str) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "aws".into(),
        operation: operation.into(),
        resource: "123456789012/us-east-1".into(),
        code: "AccessDenied".into(),
        message: format!("grant {operation}"),
    })
}

#[allow(clippy::unnecessary_wraps, reason = "what a snapshot holds is a Read")]
fn found<T>(items: Vec<(&str, T)>) -> Read<CowMap<String, T>> {
    Ok(items.into_iter().map(|(id, item)| (id.to_owned(), item)).collect())
}

/// The workload `shop` as it should be.
#[allow(clippy::too_many_lines, reason = "one world, told in one piece")]
pub(crate) fn clean() -> Snapshot {
    let scope = Scope {
        account: "123456789012".into(),
        region: "us-east-1".into(),
    };
    let mut s = Snapshot::empty(scope, now());
    let vpc = Some("vpc-1".to_owned());
    s.instances = found(vec![(
        "shop-db",
        DbInstance {
            id: "shop-db".into(),
            arn: "arn:aws:rds:us-east-1:123456789012:db:shop-db".into(),
            status: "available".into(),
            engine: "postgres".into(),
            engine_version: "17.2".into(),
            backup_retention_days: 7,
            class: "db.t4g.medium".into(),
            master_user: Some("shop_admin".into()),
            created_at: Some(ago(30 * 24)),
            restorable_until: Some(now() - jiff::SignedDuration::from_mins(4)),
            storage_encrypted: true,
            deletion_protection: true,
            allocated_storage: 20,
            max_allocated_storage: Some(100),
            auto_minor_upgrade: true,
            multi_az: true,
            iam_authentication: true,
            certificate_until: Some(ago(-3650 * 24)),
            parameter_groups: vec!["default.postgres17".into()],
            subnet_group: Some("private".into()),
            endpoint: Some(Endpoint {
                host: HOST.into(),
                port: 5432,
            }),
            database: Some("app".into()),
            vpc: vpc.clone(),
            subnets: vec!["subnet-1".into()],
            security_groups: vec!["sg-db".into()],
            tags: shop(&[]),
            ..DbInstance::default()
        },
    )]);
    let group = |id: &str, ingress| SecurityGroup {
        id: id.into(),
        name: id.into(),
        vpc: vpc.clone(),
        ingress,
        tags: shop(&[]),
    };
    s.security_groups = found(vec![
        ("sg-db", group("sg-db", vec![ingress("sgr-app", "sg-app")])),
        ("sg-app", group("sg-app", vec![])),
    ]);
    let subnet = Subnet {
        id: "subnet-1".into(),
        vpc: "vpc-1".into(),
        cidrs: vec!["10.0.1.0/24".parse().expect("a net")],
        internet_gateway: None,
        private_routes: vec![],
        route_table: Some("rtb-1".into()),
        egress: Egress::Nat,
        ..Subnet::default()
    };
    s.subnets = found(vec![("subnet-1", subnet)]);
    s.secrets = found(vec![(
        SECRET,
        Secret {
            arn: SECRET.into(),
            name: "shop-url".into(),
            deleted_at: None,
            versions: BTreeMap::from([("v1".to_owned(), vec!["AWSCURRENT".to_owned()])]),
            kms_key: None,
            changed_at: Some(ago(24)),
            rotation: Rotation {
                enabled: true,
                last: Some(ago(8 * 24)),
            },
            primary_region: None,
            tags: shop(&[]),
        },
    )]);
    s.lookups.insert(SECRET.into(), Ok(Lookup::Found(SECRET.into())));
    s.services = found(vec![(
        SERVICE,
        Service {
            arn: SERVICE.into(),
            name: "shop".into(),
            cluster: "main".into(),
            status: "ACTIVE".into(),
            task_definition: REVISION.into(),
            fargate: true,
            deployments: vec![Deployment {
                id: "ecs-svc/1".into(),
                status: "PRIMARY".into(),
                task_definition: REVISION.into(),
                rollout_state: Some("COMPLETED".into()),
                rollout_reason: None,
                desired_count: 1,
                running_count: 1,
                failed_tasks: 0,
                created_at: Some(ago(7 * 24)),
                updated_at: Some(ago(7 * 24)),
            }],
            circuit_breaker: true,
            circuit_breaker_rollback: true,
            exec_enabled: true,
            load_balanced: true,
            desired_count: 1,
            running_count: 1,
            subnets: vec!["subnet-1".into()],
            security_groups: vec!["sg-app".into()],
            deployment_controller: "ECS".into(),
            tags: shop(&[]),
            ..Service::default()
        },
    )]);
    let variable = SecretVariable {
        name: "DATABASE_URL".into(),
        value_from: SECRET.into(),
    };
    let web = Container {
        name: "web".into(),
        essential: true,
        has_ports: true,
        secrets: vec![variable],
        image: "example.com/shop:1".into(),
        log: Some(LogTarget {
            group: "/ecs/shop".into(),
            region: None,
            stream_prefix: Some("ecs".into()),
        }),
        ..Container::default()
    };
    let definition = TaskDefinition {
        arn: REVISION.into(),
        family: "shop".into(),
        revision: 2,
        containers: vec![web],
        active: true,
        execution_role: Some(ROLE.into()),
        task_role: Some(ROLE.into()),
        ..TaskDefinition::default()
    };
    s.task_definitions.insert(REVISION.into(), Ok(Arc::new(definition)));
    s.guarded.insert("sg-db".into(), Ok(Guarded::default()));
    s.policies.insert(SECRET.into(), Ok(vec![]));
    s.versions.insert(SECRET.into(), Ok(old_versions()));
    s.vpc_endpoints.insert("vpc-1".into(), Ok(vec![]));
    s.access.insert((ROLE.into(), SECRET.into()), Ok(Access::Allowed));
    let log = AccessTarget::LogStream(LOG_STREAM.into());
    s.access.insert((ROLE.into(), log), Ok(Access::Allowed));
    s.access
        .insert((ROLE.into(), AccessTarget::EcsExec), Ok(Access::Allowed));
    s.rollback_targets.insert(SERVICE.into(), Ok(vec![]));
    let start = TaskStart {
        created: ago(7 * 24),
        started: ago(7 * 24),
    };
    s.task_starts.insert(SERVICE.into(), Ok(vec![start]));
    let log = LogEvidence {
        groups: vec!["/ecs/shop".into()],
        since: Some(ago(7 * 24)),
        ..LogEvidence::default()
    };
    s.logs.insert(SERVICE.into(), Ok(log));
    holds(&mut s, SecretShape::Plain(connection(HOST, "app", vec![])));
    s
}

/// What the configuration says of the workload: its data is in PostgreSQL.
pub(crate) fn shop_config() -> Config {
    let mut config = Config::default();
    config.defaults.datastore = Datastore::Postgres;
    config
}

/// The running revision has no secret any more; the one before it had.
pub(crate) fn lose_secret(s: &mut Snapshot) {
    let mut before = running(s).clone();
    before.revision = 1;
    before.arn = REVISION.replace(":2", ":1");
    s.durable_revisions.insert(REVISION.into(), Arc::new(before));
    web(s).secrets.clear();
}

/// Gives the workload's secret another value.
pub(crate) fn holds(s: &mut Snapshot, shape: SecretShape) {
    s.values
        .insert((SECRET.into(), Selector::default()), Ok(SecretValue::Shape(shape)));
}

/// The workload's database.
pub(crate) fn db(s: &mut Snapshot) -> &mut DbInstance {
    s.instances.as_mut().expect("read").get_mut("shop-db").expect("shop-db")
}

/// The group of the workload's database.
pub(crate) fn guard(s: &mut Snapshot) -> &mut SecurityGroup {
    s.security_groups
        .as_mut()
        .expect("read")
        .get_mut("sg-db")
        .expect("sg-db")
}

/// The workload's service.
pub(crate) fn service(s: &mut Snapshot) -> &mut Service {
    s.services
        .as_mut()
        .expect("read")
        .get_mut(SERVICE)
        .expect("the service")
}

/// The revision that it runs.
pub(crate) fn running(s: &mut Snapshot) -> &mut TaskDefinition {
    let seen = s.task_definitions.get_mut(REVISION).expect("the revision");
    Arc::make_mut(seen.as_mut().expect("read"))
}

/// Its only container.
pub(crate) fn web(s: &mut Snapshot) -> &mut Container {
    &mut running(s).containers[0]
}

/// Makes its database variable refer to `value_from`, which leads to `leads_to`.
pub(crate) fn refer(s: &mut Snapshot, value_from: &str, leads_to: Option<&str>) {
    web(s).secrets[0].value_from = value_from.into();
    if crate::model::value_from::is_parameter(value_from) {
        s.parameters.insert(value_from.into(), Ok(None));
    }
    if let crate::model::value_from::ValueFrom::Secret(target) = crate::model::value_from::parse(value_from) {
        let lookup = leads_to.map_or(Lookup::Missing, |arn| Lookup::Found(arn.into()));
        s.lookups.insert(target.arn.to_owned(), Ok(lookup));
        if target.selector.pins() {
            let version = Selector {
                json_key: None,
                ..target.selector
            };
            s.values
                .insert((SECRET.into(), version), Ok(SecretValue::NoSuchVersion));
        }
    }
}

/// Makes the database a member of an Aurora cluster.
pub(crate) fn cluster(s: &mut Snapshot) -> &mut DbCluster {
    let instance = db(s);
    instance.cluster = Some("fleet".into());
    instance.engine = "aurora-postgresql".into();
    let cluster = DbCluster {
        id: "fleet".into(),
        arn: "arn:aws:rds:us-east-1:123456789012:cluster:fleet".into(),
        status: "available".into(),
        engine: "aurora-postgresql".into(),
        engine_version: "17.4".into(),
        created_at: Some(ago(30 * 24)),
        restorable_until: Some(now() - jiff::SignedDuration::from_mins(4)),
        storage_encrypted: true,
        deletion_protection: true,
        multi_az: true,
        iam_authentication: true,
        master_user: Some("shop_admin".into()),
        parameter_group: Some("default.aurora-postgresql17".into()),
        backup_retention_days: 7,
        hosts: vec!["fleet.cluster-abc.us-east-1.rds.amazonaws.com".into()],
        port: Some(5432),
        database: Some("app".into()),
        members: vec!["shop-db".into()],
        security_groups: vec!["sg-db".into()],
        tags: shop(&[]),
        ..DbCluster::default()
    };
    let all = s.clusters.as_mut().expect("read");
    if !all.contains_key("fleet") {
        all.insert("fleet".into(), cluster);
    }
    all.get_mut("fleet").expect("there")
}

/// The verdicts on a snapshot.
pub(crate) fn evaluation(s: &Snapshot) -> Evaluation {
    evaluate_naming_passes(s, &shop_config(), now(), None)
}

/// A workload of which more is asked: see [`evaluated_by`].
const STRICT: &str = "strict";

/// Makes the workload one that must have a migration, and whose log must tell of a connection.
pub(crate) fn strict(s: &mut Snapshot) {
    let instances = s.instances.iter_mut().flat_map(|m| m.values_mut()).map(|r| &mut r.tags);
    let services = s.services.iter_mut().flat_map(|m| m.values_mut()).map(|r| &mut r.tags);
    let secrets = s.secrets.iter_mut().flat_map(|m| m.values_mut()).map(|r| &mut r.tags);
    let groups = s
        .security_groups
        .iter_mut()
        .flat_map(|m| m.values_mut())
        .map(|r| &mut r.tags);
    let families = s
        .migrations
        .iter_mut()
        .flat_map(|m| m.values_mut())
        .map(|r| &mut r.tags);
    for tags in instances.chain(services).chain(secrets).chain(groups).chain(families) {
        tags.0.insert("holdfast:workload".into(), STRICT.into());
    }
}

/// The verdicts of `rules` alone, those that are off by default included. Of [`strict`] workloads, more is asked.
pub(crate) fn evaluated_by(s: &Snapshot, rules: &[&str]) -> Evaluation {
    let mut config = shop_config();
    let more = WorkloadOverrides {
        migrations: Some(Migrations::Required),
        database_log_pattern: Some("connected".into()),
        ..WorkloadOverrides::default()
    };
    config.workloads.insert(STRICT.into(), more);
    let declared = WorkloadOverrides {
        database_aliases: Some([ALIAS, POOLER].map(str::to_owned).to_vec()),
        ..WorkloadOverrides::default()
    };
    config.workloads.insert("shop".into(), declared);
    for id in crate::rules::ids() {
        let settings = config.rules.entry(id.to_owned()).or_default();
        settings.enabled = Some(rules.contains(&id));
        settings.correct = Some(true);
    }
    evaluate_naming_passes(s, &config, now(), None)
}
