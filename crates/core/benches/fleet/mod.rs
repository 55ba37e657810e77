//! A fleet in memory, as one sweep would have read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_core::model::connection::{Connection, ConnectionForm, HostPort, SecretShape};
use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::{
    Access, Container, DbInstance, Deployment, Endpoint, IngressRule, Secret, SecretVariable, SecurityGroup, Service,
    Source, Subnet, TaskDefinition,
};
use holdfast_core::model::snapshot::{Lookup, SecretValue, Snapshot};
use holdfast_core::model::tags::Tags;
use holdfast_core::model::value_from::Selector;
use jiff::Timestamp;

const ACCOUNT: &str = "123456789012";
const ROLE: &str = "arn:aws:iam::123456789012:role/tasks";

/// The names of one workload's parts.
struct Names {
    i: usize,
    workload: String,
    host: String,
    guard: String,
    app: String,
    secret: String,
    revision: String,
}

impl Names {
    fn of(i: usize) -> Self {
        let workload = format!("w{i:06}");
        Self {
            i,
            host: format!("{workload}.abc.us-east-1.rds.amazonaws.com"),
            guard: format!("sg-{i:06}d"),
            app: format!("sg-{i:06}a"),
            secret: arn("secretsmanager", &format!("secret:{workload}-AbC123")),
            revision: arn("ecs", &format!("task-definition/{workload}:1")),
            workload,
        }
    }

    fn tags(&self) -> Tags {
        let tag = ("holdfast:workload".to_owned(), self.workload.clone());
        Tags(BTreeMap::from([tag]))
    }

    /// One in fifty is publicly accessible.
    fn instance(&self, now: Timestamp) -> DbInstance {
        DbInstance {
            id: self.workload.clone(),
            arn: arn("rds", &format!("db:{}", self.workload)),
            status: "available".into(),
            engine: "postgres".into(),
            engine_version: "17.2".into(),
            publicly_accessible: self.i.is_multiple_of(50),
            backup_retention_days: 7,
            endpoint: Some(Endpoint {
                host: self.host.clone(),
                port: 5432,
            }),
            database: Some("app".into()),
            vpc: Some("vpc-1".into()),
            subnets: vec!["subnet-1".into()],
            security_groups: vec![self.guard.clone()],
            parameter_groups: vec!["default.postgres17".into()],
            storage_encrypted: true,
            deletion_protection: true,
            allocated_storage: 20,
            max_allocated_storage: Some(100),
            auto_minor_upgrade: true,
            created_at: Some(now),
            restorable_until: Some(now),
            tags: self.tags(),
            ..DbInstance::default()
        }
    }

    fn groups(&self) -> [SecurityGroup; 2] {
        let rule = IngressRule {
            id: format!("sgr-{:06}", self.i),
            protocol: "tcp".into(),
            from_port: Some(5432),
            to_port: Some(5432),
            source: Source::Group {
                id: self.app.clone(),
                account: None,
            },
        };
        let group = |id: &str, ingress| SecurityGroup {
            id: id.into(),
            name: id.into(),
            vpc: Some("vpc-1".into()),
            ingress,
            tags: self.tags(),
        };
        [group(&self.guard, vec![rule]), group(&self.app, vec![])]
    }

    fn service(&self, now: Timestamp) -> Service {
        let deployment = Deployment {
            id: format!("ecs-svc/{}", self.i),
            status: "PRIMARY".into(),
            task_definition: self.revision.clone(),
            rollout_state: Some("COMPLETED".into()),
            rollout_reason: None,
            desired_count: 1,
            running_count: 1,
            failed_tasks: 0,
            created_at: Some(now),
            updated_at: Some(now),
        };
        Service {
            arn: arn("ecs", &format!("service/main/{}", self.workload)),
            name: self.workload.clone(),
            cluster: "main".into(),
            status: "ACTIVE".into(),
            task_definition: self.revision.clone(),
            fargate: true,
            deployments: vec![deployment],
            desired_count: 1,
            running_count: 1,
            subnets: vec!["subnet-1".into()],
            security_groups: vec![self.app.clone()],
            circuit_breaker: true,
            circuit_breaker_rollback: true,
            deployment_controller: "ECS".into(),
            tags: self.tags(),
            ..Service::default()
        }
    }

    fn definition(&self) -> TaskDefinition {
        let web = Container {
            name: "web".into(),
            essential: true,
            has_ports: true,
            secrets: vec![SecretVariable {
                name: "DATABASE_URL".into(),
                value_from: self.secret.clone(),
            }],
            ..Container::default()
        };
        TaskDefinition {
            arn: self.revision.clone(),
            family: self.workload.clone(),
            revision: 1,
            containers: vec![web],
            execution_role: Some(ROLE.into()),
            active: true,
            ..TaskDefinition::default()
        }
    }

    fn secret(&self) -> Secret {
        Secret {
            arn: self.secret.clone(),
            name: self.workload.clone(),
            tags: self.tags(),
            ..Secret::default()
        }
    }

    fn value(&self) -> SecretValue {
        let connection = Connection {
            form: ConnectionForm::Url,
            hosts: vec![HostPort {
                host: self.host.clone(),
                port: 5432,
            }],
            database: Some("app".into()),
            user: Some("app".into()),
            has_password: true,
            sslmode: Some("require".into()),
            faults: vec![],
            ..Connection::default()
        };
        SecretValue::Shape(SecretShape::Plain(connection))
    }
}

fn arn(service: &str, rest: &str) -> String {
    format!("arn:aws:{service}:us-east-1:{ACCOUNT}:{rest}")
}

/// So many workloads, each with a database, its group, a secret, a revision and a service; one in fifty with something
/// wrong. In memory they lie as a sweep leaves them: it reads one kind after the other.
pub fn snapshot(workloads: usize, now: Timestamp) -> Snapshot {
    let scope = Scope {
        account: ACCOUNT.into(),
        region: "us-east-1".into(),
    };
    let subnet = Subnet {
        id: "subnet-1".into(),
        vpc: "vpc-1".into(),
        cidrs: vec!["10.0.0.0/16".parse().expect("a range")],
        internet_gateway: None,
        private_routes: vec![],
        ..Subnet::default()
    };
    let all = || (0..workloads).map(Names::of);
    let mut s = Snapshot::empty(scope, now);
    s.instances = Ok(all().map(|n| (n.workload.clone(), n.instance(now))).collect());
    let services = all().map(|n| n.service(now));
    s.services = Ok(services.map(|service| (service.arn.clone(), service)).collect());
    s.task_definitions = all()
        .map(|n| (n.revision.clone(), Ok(Arc::new(n.definition()))))
        .collect();
    let groups = all().flat_map(|n| n.groups());
    s.security_groups = Ok(groups.map(|g| (g.id.clone(), g)).collect());
    s.subnets = Ok([(subnet.id.clone(), subnet)].into());
    s.secrets = Ok(all().map(|n| (n.secret.clone(), n.secret())).collect());
    let found = |n: Names| (n.secret.clone(), Ok(Lookup::Found(n.secret)));
    s.lookups = all().map(found).collect();
    let value = |n: Names| ((n.secret.clone(), Selector::default()), Ok(n.value()));
    s.values = all().map(value).collect();
    s.policies = all().map(|n| (n.secret, Ok(vec![]))).collect();
    let allowed = |n: Names| ((ROLE.to_owned(), n.secret.into()), Ok(Access::Allowed));
    s.access = all().map(allowed).collect();
    s
}
