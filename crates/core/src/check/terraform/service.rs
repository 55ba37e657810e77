//! ECS services and the revisions that they will run.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::attributes::{Attribute, first, flag};
use super::resource::{Resource, list, text};
use super::{Class, Reading, unknown, unreadable};
use crate::check::case::{DisplayName, SERVICE};
use crate::check::definition;
use crate::model::resources::{Deployment, Service, TaskDefinition, Volume, VolumeFields, VolumeKind};
use crate::model::snapshot::{Read, ReadError};

impl<'a> Reading<'a, '_> {
    /// Reads the services and what they run. Returns the addresses of the task definitions that they run.
    pub(super) fn services(&mut self) -> BTreeSet<String> {
        let terraform = self.terraform;
        let mut services = std::collections::BTreeMap::new();
        let mut run = BTreeSet::new();
        for r in terraform.managed(&["aws_ecs_service"]) {
            let definition = self.link(r, Class::Definition, "task_definition");
            let arn = match &definition {
                Some(name) => match terraform.at(name).filter(|d| !d.data) {
                    Some(resource) => {
                        run.insert(name.clone());
                        self.definition(resource)
                    }
                    // A revision outside of the file.
                    None => name.clone(),
                },
                None => String::new(),
            };
            let service = self.service(r, arn);
            services.insert(service.arn.clone(), service);
        }
        self.snapshot.services = Ok(services.into());
        run
    }

    /// Task definitions that no service here runs, each as if one did. Those that run migrations are run as tasks.
    pub(super) fn definitions_alone(&mut self, run: &BTreeSet<String>) {
        let terraform = self.terraform;
        let mut services = std::collections::BTreeMap::new();
        for r in terraform.managed(&["aws_ecs_task_definition"]) {
            if run.contains(&r.address) || r.tags().get(self.prefix, "role") == Some("migration") {
                continue;
            }
            let revision = self.definition(r);
            let fargate = requires_fargate(r);
            let tags = self.own_tags(r);
            let service = definition::stand_in(&self.snapshot.scope, &r.address, revision, fargate, tags);
            self.names(&service.arn, DisplayName::of_definition(&r.address));
            services.insert(service.arn.clone(), service);
        }
        self.snapshot.services = Ok(services.into());
    }

    /// Reads a task definition into the snapshot and returns its placeholder ARN.
    fn definition(&mut self, r: &Resource<'a>) -> String {
        let arn = self
            .snapshot
            .scope
            .arn("ecs", &format!("task-definition/{}", r.address));
        let seen = self.revision(r, &arn);
        self.snapshot.task_definitions.insert(arn.clone(), seen);
        arn
    }

    fn revision(&mut self, r: &Resource<'a>, arn: &str) -> Read<Arc<TaskDefinition>> {
        let Attribute::Known(Value::String(written)) = r.attribute("container_definitions") else {
            self.gap(r, "container_definitions");
            return Err(Arc::new(unknown(r, "container_definitions")));
        };
        let unreadable = |why: String| -> Arc<ReadError> {
            Arc::new(unreadable(
                r,
                format!("the container_definitions of {} {why}", r.address),
            ))
        };
        let parsed = crate::check::scrubbed::parse(written).map_err(|e| unreadable(format!("are no JSON: {e}")))?;
        if !parsed.is_array() {
            return Err(unreadable("are no list".into()));
        }
        let role = |name: &str| match r.attribute(name) {
            Attribute::Known(Value::String(arn)) if !arn.is_empty() => Some(arn.clone()),
            Attribute::Unknown => Some("a role that is not known yet".to_owned()),
            _ => None,
        };
        Ok(Arc::new(TaskDefinition {
            arn: arn.to_owned(),
            family: r.text("family").unwrap_or(&r.address).to_owned(),
            containers: definition::containers(&parsed, &self.vocabulary),
            volumes: r.blocks("volume").iter().filter_map(volume).collect(),
            host_network: r.text("network_mode") == Some("host"),
            active: true,
            execution_role: role("execution_role_arn"),
            task_role: role("task_role_arn"),
            tags: r.tags(),
            ..TaskDefinition::default()
        }))
    }

    fn service(&mut self, r: &Resource<'a>, revision: String) -> Service {
        let arn = self.snapshot.scope.arn("ecs", &format!("service/{}", r.address));
        self.names(&arn, DisplayName::of(&r.address));
        let breaker = first(r.values.get("deployment_circuit_breaker"));
        let alarms = first(r.values.get("alarms"));
        let on = |block: Option<&Value>, key: &str| block.and_then(|b| b.get(key)).and_then(flag).unwrap_or(false);
        let balancers = r.blocks("load_balancer");
        let controller = first(r.values.get("deployment_controller")).and_then(|c| text(c, "type"));
        let wanted = self.number(r, "desired_count", 0, 1, 1);
        let network = first(r.values.get("network_configuration"));
        Service {
            // What a finding's text calls "cluster/service" is the address alone: see `SERVICE`.
            cluster: String::new(),
            name: format!("{}{}", SERVICE, r.address),
            status: "ACTIVE".into(),
            fargate: self.fargate(r),
            deployments: vec![Deployment {
                id: format!("ecs-svc/{}", r.address),
                status: "PRIMARY".into(),
                task_definition: revision.clone(),
                rollout_state: Some("COMPLETED".into()),
                rollout_reason: None,
                desired_count: wanted,
                running_count: wanted,
                failed_tasks: 0,
                created_at: None,
                updated_at: None,
            }],
            task_definition: revision,
            desired_count: wanted,
            running_count: wanted,
            subnets: self.links_in_block(r, Class::Subnet, "network_configuration", "subnets"),
            security_groups: self.links_in_block(r, Class::Group, "network_configuration", "security_groups"),
            balanced_container: balancers
                .iter()
                .find_map(|b| text(b, "container_name"))
                .map(str::to_owned),
            load_balanced: !balancers.is_empty(),
            classic_balancer: balancers
                .iter()
                .any(|b| text(b, "elb_name").is_some_and(|n| !n.is_empty())),
            assign_public_ip: on(network, "assign_public_ip"),
            circuit_breaker: on(breaker, "enable"),
            circuit_breaker_rollback: on(breaker, "rollback"),
            alarm_rollback: on(alarms, "enable") && on(alarms, "rollback"),
            exec_enabled: self.flag(r, "enable_execute_command", false, true),
            deployment_controller: controller.unwrap_or("ECS").to_owned(),
            tags: self.own_tags(r),
            arn,
            ..Service::default()
        }
    }

    /// By launch type, else by capacity providers, else by what its task definition asks for.
    fn fargate(&mut self, r: &Resource<'a>) -> bool {
        if let Some(kind) = r.text("launch_type") {
            return kind == "FARGATE";
        }
        let strategy = list(r.values.get("capacity_provider_strategy"));
        if !strategy.is_empty() {
            let provider = |s: &Value| text(s, "capacity_provider").is_some_and(|p| p.starts_with("FARGATE"));
            return strategy.iter().any(provider);
        }
        let definition = self.link(r, Class::Definition, "task_definition");
        let terraform = self.terraform;
        let resource = definition.and_then(|name| terraform.at(&name));
        resource.is_some_and(requires_fargate)
    }
}

fn requires_fargate(r: &Resource<'_>) -> bool {
    let asked = list(r.values.get("requires_compatibilities"));
    asked.iter().any(|c| c.as_str() == Some("FARGATE")) && !asked.iter().any(|c| c.as_str() == Some("EC2"))
}

/// A volume, spelled as Terraform does.
/// <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ecs_task_definition#volume>
fn volume(v: &Value) -> Option<Volume> {
    let has = |key: &str| first(v.get(key)).is_some_and(Value::is_object);
    let file_systems = [
        "efs_volume_configuration",
        "fsx_windows_file_server_volume_configuration",
        "s3files_volume_configuration",
    ];
    let unknown = |key: &String| key.ends_with("_volume_configuration") && key != "docker_volume_configuration";
    let docker = first(v.get("docker_volume_configuration"));
    let kind = VolumeKind::of(&VolumeFields {
        file_system: file_systems.into_iter().any(has),
        at_launch: v.get("configure_at_launch").and_then(flag) == Some(true),
        unknown: v
            .as_object()
            .is_some_and(|fields| fields.keys().any(|key| unknown(key) && has(key))),
        docker_shared: docker.and_then(|d| text(d, "scope")) == Some("shared"),
        driver: docker.and_then(|d| text(d, "driver")),
        host_path: text(v, "host_path"),
    });
    Some(Volume {
        name: text(v, "name")?.to_owned(),
        kind,
    })
}
