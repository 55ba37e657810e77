//! Generates the initial state of an account: workloads with defects, and resources without the tag.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_core::config::{Config, Datastore, WorkloadOverrides};
use holdfast_core::model::connection::{Connection, ConnectionForm, HostPort};
use holdfast_core::model::cow_map::CowMap;
use holdfast_core::model::key::Scope;
use holdfast_core::model::resources::{
    Container, DbInstance, Deployment, DeploymentSettings, Endpoint, IngressRule, Mount, Rotation, Secret,
    SecretVariable, SecurityGroup, Service, Source, Strategy, Subnet, TaskDefinition, Volume, VolumeKind,
};
use holdfast_core::model::tags::Tags;
use jiff::SignedDuration;

use crate::bounds::{BAKE_MINUTES, start};
use crate::world::{Fate, UNTAGGED, World};

fn scope(number: usize) -> Scope {
    Scope {
        account: format!("{:012}", 111_111_111_111_u64 * (number as u64 + 1)),
        region: "us-east-1".into(),
    }
}

fn tags(workload: &str) -> Tags {
    let mut tags = Tags::default();
    if workload != UNTAGGED {
        tags.0.insert("holdfast:workload".into(), workload.into());
    }
    tags
}

pub fn ingress(id: String, source: &str) -> IngressRule {
    let source = match source.parse() {
        Ok(net) => Source::Cidr(net),
        Err(_) => Source::Group {
            id: source.into(),
            account: None,
        },
    };
    IngressRule {
        id,
        protocol: "tcp".into(),
        from_port: Some(5432),
        to_port: Some(5432),
        source,
    }
}

fn host(workload: &str) -> String {
    format!("{workload}-db.abc.us-east-1.rds.amazonaws.com")
}

pub fn secret_arn(scope: &Scope, workload: &str) -> String {
    scope.arn("secretsmanager", &format!("secret:{workload}-url-AbC123"))
}

/// The value of a workload's secret.
pub fn connection(workload: &str) -> Connection {
    Connection {
        form: ConnectionForm::Url,
        hosts: vec![HostPort {
            host: host(workload),
            port: 5432,
        }],
        database: Some("app".into()),
        user: Some("app".into()),
        has_password: true,
        sslmode: Some("require".into()),
        faults: vec![],
        ..Connection::default()
    }
}

/// The probability of each defect.
#[derive(Clone, Copy)]
pub struct DefectRate(pub f64);

impl DefectRate {
    fn draw(self) -> bool {
        fastrand::f64() < self.0
    }
}

/// The names of the workloads of a scope.
pub fn workload_names(count: usize) -> Vec<String> {
    let letters = ["ann", "bea", "cleo"];
    letters[..count].iter().map(|n| (*n).to_owned()).collect()
}

pub fn world(number: usize, workloads: &[String], config: &mut Config, defects: DefectRate) -> World {
    let mut world = World {
        scope: scope(number),
        instances: CowMap::new(),
        groups: CowMap::new(),
        subnets: CowMap::new(),
        services: CowMap::new(),
        definitions: CowMap::new(),
        secrets: CowMap::new(),
        fates: CowMap::new(),
        deployed: CowMap::new(),
        completed: CowMap::new(),
        next_fate: Fate::Succeeds,
        last_number: 100,
    };
    let subnet = Subnet {
        id: "subnet-1".into(),
        vpc: "vpc-1".into(),
        cidrs: vec!["10.0.1.0/24".parse().expect("a net")],
        internet_gateway: None,
        private_routes: vec![],
        ..Subnet::default()
    };
    world.subnets.insert("subnet-1".into(), subnet);
    for name in workloads {
        let on_volume = defects.0 < 1.0 && fastrand::u8(..6) == 0;
        if on_volume {
            let volume = WorkloadOverrides {
                datastore: Some(Datastore::Volume),
                ..WorkloadOverrides::default()
            };
            config.workloads.insert(name.clone(), volume);
        }
        add_workload(&mut world, name, defects, config.workloads.contains_key(name));
    }
    add_workload(&mut world, UNTAGGED, DefectRate(1.0), false);
    world.services.retain(|_, s| !s.name.contains(UNTAGGED));
    world
}

fn add_workload(world: &mut World, name: &str, defects: DefectRate, on_volume: bool) {
    let scope = world.scope.clone();
    let ago = |hours| Some(start() - SignedDuration::from_hours(hours));
    let tags = tags(name);
    let id = format!("{name}-db");
    let instance = DbInstance {
        arn: scope.arn("rds", &format!("db:{id}")),
        id: id.clone(),
        status: "available".into(),
        engine: "postgres".into(),
        engine_version: "17.2".into(),
        publicly_accessible: defects.draw(),
        backup_retention_days: if defects.draw() { 1 } else { 7 },
        class: "db.t4g.medium".into(),
        created_at: ago(30 * 24),
        storage_encrypted: true,
        deletion_protection: !defects.draw(),
        allocated_storage: 20,
        endpoint: Some(Endpoint {
            host: host(name),
            port: 5432,
        }),
        database: Some("app".into()),
        vpc: Some("vpc-1".into()),
        subnets: vec!["subnet-1".into()],
        security_groups: vec![format!("sg-{name}")],
        tags: tags.clone(),
        ..DbInstance::default()
    };
    world.instances.insert(id, instance);
    let (own, source) = (format!("sg-{name}"), format!("sg-app-{name}"));
    let mut rules = vec![ingress(format!("sgr-app-{name}"), &source)];
    if defects.draw() {
        rules.push(ingress(format!("sgr-{}", world.next_number()), "0.0.0.0/0"));
    }
    rules.sort();
    for (id, ingress) in [(own, rules), (source.clone(), vec![])] {
        let group = SecurityGroup {
            id: id.clone(),
            name: id.clone(),
            vpc: Some("vpc-1".into()),
            ingress,
            tags: tags.clone(),
        };
        world.groups.insert(id, group);
    }
    let secret = secret_arn(&scope, name);
    world.secrets.insert(
        secret.clone(),
        Secret {
            arn: secret.clone(),
            name: format!("{name}-url"),
            deleted_at: defects.draw().then(|| start() + SignedDuration::from_hours(7 * 24)),
            versions: BTreeMap::from([("v1".to_owned(), vec!["AWSCURRENT".to_owned()])]),
            kms_key: None,
            changed_at: ago(24),
            rotation: Rotation::default(),
            primary_region: None,
            tags: tags.clone(),
        },
    );
    let running = add_definitions(world, name, defects.draw(), on_volume);
    add_service(world, name, &source, &running, tags);
}

/// Registers two revisions of a family and returns the second, which runs. It is the second that is `wrong`.
fn add_definitions(world: &mut World, name: &str, wrong: bool, on_volume: bool) -> String {
    let secret = secret_arn(&world.scope, name);
    let mut last = String::new();
    for revision in 1..=2 {
        let is_wrong = wrong && revision == 2;
        let value_from = if is_wrong {
            secret.trim_end_matches("-AbC123").to_owned()
        } else {
            secret.clone()
        };
        let variable = SecretVariable {
            name: "DATABASE_URL".into(),
            value_from,
        };
        let mut web = Container {
            name: "web".into(),
            essential: true,
            has_ports: true,
            image: "example.com/app:1".into(),
            ..Container::default()
        };
        let mut volumes = vec![];
        if !on_volume {
            web.secrets.push(variable);
        } else if !is_wrong {
            web.mounts.push(Mount {
                volume: "data".into(),
                path: "/home/coder/.config/coderv2".into(),
                read_only: false,
            });
            volumes.push(Volume {
                name: "data".into(),
                kind: VolumeKind::Shared,
            });
        }
        last = world.scope.arn("ecs", &format!("task-definition/{name}:{revision}"));
        let definition = TaskDefinition {
            arn: last.clone(),
            family: name.to_owned(),
            revision,
            containers: vec![web],
            volumes,
            active: true,
            execution_role: Some("arn:aws:iam::123456789012:role/ecs".into()),
            tags: tags(name),
            ..TaskDefinition::default()
        };
        world.definitions.insert(last.clone(), Arc::new(definition));
    }
    last
}

fn add_service(world: &mut World, name: &str, group: &str, running: &str, tags: Tags) {
    let arn = world.service_arn("main", name);
    let breaker = fastrand::bool();
    let deployment = Deployment {
        id: format!("ecs-svc/{}", world.next_number()),
        status: "PRIMARY".into(),
        task_definition: running.to_owned(),
        rollout_state: Some("COMPLETED".into()),
        rollout_reason: None,
        desired_count: 1,
        running_count: 1,
        failed_tasks: 0,
        created_at: Some(start() - SignedDuration::from_hours(24)),
        updated_at: Some(start() - SignedDuration::from_hours(24)),
    };
    // One that shifts traffic and bakes for longer than a rollout may take to start its tasks.
    let settings = if fastrand::u8(..4) == 0 {
        DeploymentSettings {
            strategy: Strategy::BlueGreen,
            bake_minutes: BAKE_MINUTES,
            shifts: 1,
            ..DeploymentSettings::default()
        }
    } else {
        DeploymentSettings::default()
    };
    let service = Service {
        deployment_settings: settings,
        arn: arn.clone(),
        name: name.to_owned(),
        cluster: "main".into(),
        status: "ACTIVE".into(),
        task_definition: running.to_owned(),
        fargate: true,
        deployments: vec![deployment],
        circuit_breaker: breaker,
        circuit_breaker_rollback: breaker && fastrand::bool(),
        exec_enabled: true,
        load_balanced: true,
        desired_count: 1,
        running_count: 1,
        subnets: vec!["subnet-1".into()],
        security_groups: vec![group.to_owned()],
        deployment_controller: "ECS".into(),
        tags,
        ..Service::default()
    };
    world.completed.insert(arn.clone(), running.to_owned());
    world.services.insert(arn, service);
}
