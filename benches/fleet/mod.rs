//! A fleet in memory, as one sweep would have read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast::model::connection::{Connection, ConnectionForm, HostPort, SecretShape};
use holdfast::model::key::Scope;
use holdfast::model::resources::{
    Container, DbInstance, Deployment, Endpoint, IngressRule, Secret, SecretVariable, SecurityGroup, Service, Source,
    Subnet, TaskDefinition,
};
use holdfast::model::snapshot::{Lookup, Snapshot, Value};
use holdfast::model::tags::Tags;
use holdfast::model::value_from::Selector;
use jiff::Timestamp;

const ACCOUNT: &str = "123456789012";

fn tags(name: &str) -> Tags {
    Tags(BTreeMap::from([("holdfast:workload".to_owned(), name.to_owned())]))
}

/// A database, its group, a secret, a revision and a service; one in fifty with something wrong.
#[allow(clippy::too_many_lines, reason = "one workload, told in one piece")]
fn add(s: &mut Snapshot, i: usize, now: Timestamp) {
    let name = format!("w{i:06}");
    let arn = |service: &str, rest: String| format!("arn:aws:{service}:us-east-1:{ACCOUNT}:{rest}");
    let (group, app) = (format!("sg-{i:06}d"), format!("sg-{i:06}a"));
    let host = format!("{name}.abc.us-east-1.rds.amazonaws.com");
    let instance = DbInstance {
        id: name.clone(),
        arn: arn("rds", format!("db:{name}")),
        status: "available".into(),
        engine: "postgres".into(),
        engine_version: "17.2".into(),
        publicly_accessible: i.is_multiple_of(50),
        backup_retention_days: 7,
        endpoint: Some(Endpoint {
            host: host.clone(),
            port: 5432,
        }),
        database: Some("app".into()),
        vpc: Some("vpc-1".into()),
        subnets: vec!["subnet-1".into()],
        security_groups: vec![group.clone()],
        parameter_groups: vec!["default.postgres17".into()],
        storage_encrypted: true,
        deletion_protection: true,
        allocated_storage: 20,
        max_allocated_storage: Some(100),
        auto_minor_upgrade: true,
        created_at: Some(now),
        restorable_until: Some(now),
        tags: tags(&name),
        ..DbInstance::default()
    };
    let rule = IngressRule {
        id: format!("sgr-{i:06}"),
        protocol: "tcp".into(),
        from_port: Some(5432),
        to_port: Some(5432),
        source: Source::Group {
            id: app.clone(),
            account: None,
        },
    };
    let guard = |id: &str, ingress| SecurityGroup {
        id: id.into(),
        name: id.into(),
        vpc: Some("vpc-1".into()),
        ingress,
        tags: tags(&name),
    };
    let secret = arn("secretsmanager", format!("secret:{name}-AbC123"));
    let revision = arn("ecs", format!("task-definition/{name}:1"));
    let web = Container {
        name: "web".into(),
        essential: true,
        has_ports: true,
        secrets: vec![SecretVariable {
            name: "DATABASE_URL".into(),
            value_from: secret.clone(),
        }],
        ..Container::default()
    };
    let definition = TaskDefinition {
        arn: revision.clone(),
        family: name.clone(),
        revision: 1,
        containers: vec![web],
        active: true,
        ..TaskDefinition::default()
    };
    let service = Service {
        arn: arn("ecs", format!("service/main/{name}")),
        name: name.clone(),
        cluster: "main".into(),
        status: "ACTIVE".into(),
        task_definition: revision.clone(),
        fargate: true,
        deployments: vec![Deployment {
            id: format!("ecs-svc/{i}"),
            status: "PRIMARY".into(),
            task_definition: revision.clone(),
            rollout_state: Some("COMPLETED".into()),
            rollout_reason: None,
            desired_count: 1,
            running_count: 1,
            failed_tasks: 0,
            created_at: Some(now),
            updated_at: Some(now),
        }],
        desired_count: 1,
        running_count: 1,
        subnets: vec!["subnet-1".into()],
        security_groups: vec![app.clone()],
        circuit_breaker: true,
        circuit_breaker_rollback: true,
        deployment_controller: "ECS".into(),
        tags: tags(&name),
        ..Service::default()
    };
    let connection = Connection {
        form: ConnectionForm::Url,
        hosts: vec![HostPort { host, port: 5432 }],
        database: Some("app".into()),
        user: Some("app".into()),
        has_password: true,
        sslmode: Some("require".into()),
        faults: vec![],
    };
    let listed = Secret {
        arn: secret.clone(),
        name: name.clone(),
        deleted_at: None,
        versions: BTreeMap::new(),
        kms_key: None,
        changed_at: None,
        rotation: holdfast::model::resources::Rotation::default(),
        primary_region: None,
        tags: tags(&name),
    };
    let read = "a snapshot of nothing was read whole";
    s.instances.as_mut().expect(read).insert(instance.id.clone(), instance);
    let groups = s.security_groups.as_mut().expect(read);
    groups.insert(group.clone(), guard(&group, vec![rule]));
    groups.insert(app.clone(), guard(&app, vec![]));
    s.services.as_mut().expect(read).insert(service.arn.clone(), service);
    s.task_definitions.insert(revision, Ok(Arc::new(definition)));
    s.secrets.as_mut().expect(read).insert(secret.clone(), listed);
    s.lookups.insert(secret.clone(), Ok(Lookup::Found(secret.clone())));
    let value = Value::Shape(SecretShape::Plain(connection));
    s.values.insert((secret, Selector::default()), Ok(value));
}

pub fn snapshot(workloads: usize, now: Timestamp) -> Snapshot {
    let scope = Scope {
        account: ACCOUNT.into(),
        region: "us-east-1".into(),
    };
    let mut s = Snapshot::empty(scope, now);
    let subnet = Subnet {
        id: "subnet-1".into(),
        vpc: "vpc-1".into(),
        cidrs: vec!["10.0.0.0/16".parse().expect("a range")],
        internet_gateway: None,
        private_routes: vec![],
    };
    s.subnets = Ok([(subnet.id.clone(), subnet)].into());
    (0..workloads).for_each(|i| add(&mut s, i, now));
    s
}
