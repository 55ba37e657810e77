//! ECS services and task definitions.

use serde_json::{Map, Value, json};

use super::functions::Functions;
use super::made::Made;
use super::unknown::{AFTER_DEPLOYMENT, UNKNOWN, is_unknown, names_credentials, settle_text, unknown};

pub(super) fn definition(functions: &Functions<'_>, id: &str) -> Made {
    let containers = functions
        .property(id, "ContainerDefinitions")
        .unwrap_or_else(|| json!([]));
    let volumes = functions.property(id, "Volumes").unwrap_or(Value::Null);
    let volumes: Vec<Value> = volumes.as_array().into_iter().flatten().map(volume).collect();
    Made::new(id, "aws_ecs_task_definition")
        .set("family", functions.text(id, "Family").unwrap_or_else(|| id.to_owned()))
        .set("container_definitions", written(containers))
        .set("volume", volumes)
        .copy(
            functions,
            id,
            &[
                ("ExecutionRoleArn", "execution_role_arn"),
                ("TaskRoleArn", "task_role_arn"),
                ("RequiresCompatibilities", "requires_compatibilities"),
            ],
        )
        .tagged(functions, id)
}

/// The containers as the text that a plan has; not known, if what decides about them is not.
fn written(containers: Value) -> Value {
    let Value::Array(mut containers) = containers else {
        return unknown();
    };
    for container in &mut containers {
        let Value::Object(fields) = container else {
            return unknown();
        };
        for list in ["Environment", "Secrets", "MountPoints"] {
            if fields
                .get(list)
                .is_some_and(|v| is_unknown(v) || v.as_array().is_some_and(|l| l.iter().any(is_unknown)))
            {
                return unknown();
            }
        }
        variables(fields);
        references(fields);
    }
    let mut containers = Value::Array(containers);
    blank(&mut containers);
    Value::String(containers.to_string())
}

/// Values of variables. A password is one, whatever it will be.
fn variables(fields: &mut Map<String, Value>) {
    for variable in list_mut(fields, "Environment") {
        let name = variable
            .get("Name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let Some(value) = variable.get_mut("Value") else {
            continue;
        };
        let Value::String(text) = value else {
            if !value.is_null() {
                *value = Value::String(value.to_string());
            }
            continue;
        };
        *value = match settle_text(std::mem::take(text)) {
            Some(known) => known.into(),
            None if names_credentials(&name) => AFTER_DEPLOYMENT.into(),
            None => Value::Null,
        };
    }
}

/// References to secrets. One that is not known is one all the same: an SSM parameter, by a name that no file tells.
fn references(fields: &mut Map<String, Value>) {
    for secret in list_mut(fields, "Secrets") {
        if let Some(from) = secret.get_mut("ValueFrom").filter(|v| is_unknown(v)) {
            *from = format!("/{AFTER_DEPLOYMENT}").into();
        }
    }
}

fn list_mut<'v>(fields: &'v mut Map<String, Value>, key: &str) -> impl Iterator<Item = &'v mut Value> {
    fields.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Leaves out what else is not known.
fn blank(value: &mut Value) {
    match value {
        Value::String(text) if text.contains(UNKNOWN) => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(blank),
        Value::Object(fields) => fields.values_mut().for_each(blank),
        _ => {}
    }
}

/// A volume, with Terraform's names.
fn volume(volume: &Value) -> Value {
    let of = |key: &str| volume.get(key).filter(|v| !v.is_null()).cloned();
    let mut out = Map::new();
    for (key, attribute) in [
        ("Name", "name"),
        ("EFSVolumeConfiguration", "efs_volume_configuration"),
        (
            "FSxWindowsFileServerVolumeConfiguration",
            "fsx_windows_file_server_volume_configuration",
        ),
        ("S3FilesVolumeConfiguration", "s3files_volume_configuration"),
        ("ConfiguredAtLaunch", "configure_at_launch"),
    ] {
        out.extend(of(key).map(|v| (attribute.to_owned(), v)));
    }
    if let Some(docker) = of("DockerVolumeConfiguration") {
        let (scope, driver) = (docker.get("Scope"), docker.get("Driver"));
        out.insert(
            "docker_volume_configuration".into(),
            json!([{"scope": scope, "driver": driver}]),
        );
    }
    if let Some(host) = of("Host") {
        out.extend(host.get("SourcePath").map(|p| ("host_path".to_owned(), p.clone())));
    }
    Value::Object(out)
}

pub(super) fn service(functions: &Functions<'_>, id: &str) -> Made {
    let of = |name: &str| functions.property(id, name).unwrap_or(Value::Null);
    let network = of("NetworkConfiguration");
    let network = network
        .get("AwsvpcConfiguration")
        .or_else(|| network.get("AwsVpcConfiguration"));
    let deployment = of("DeploymentConfiguration");
    let breaker = deployment.get("DeploymentCircuitBreaker");
    let alarms = deployment.get("Alarms");
    let switch =
        |block: Option<&Value>| block.map(|b| json!([{"enable": b.get("Enable"), "rollback": b.get("Rollback")}]));
    let balancers = of("LoadBalancers");
    let balancers = balancers.as_array().into_iter().flatten().map(|b| {
        json!({
            "container_name": b.get("ContainerName"),
            "target_group_arn": b.get("TargetGroupArn"),
            "elb_name": b.get("LoadBalancerName"),
        })
    });
    let providers = of("CapacityProviderStrategy");
    let providers = providers.as_array().into_iter().flatten();
    let providers = providers.map(|p| json!({"capacity_provider": p.get("CapacityProvider")}));
    Made::new(id, "aws_ecs_service")
        .copy(
            functions,
            id,
            &[
                ("TaskDefinition", "task_definition"),
                ("LaunchType", "launch_type"),
                ("EnableExecuteCommand", "enable_execute_command"),
            ],
        )
        .set(
            "desired_count",
            functions.property(id, "DesiredCount").unwrap_or_else(|| 1.into()),
        )
        .maybe(
            "network_configuration",
            network.map(|n| {
                let public = n.get("AssignPublicIp").map(|v| match v.as_str() {
                    Some(text) if !is_unknown(v) => Value::Bool(text == "ENABLED"),
                    _ => v.clone(),
                });
                json!([{
                    "subnets": n.get("Subnets"),
                    "security_groups": n.get("SecurityGroups"),
                    "assign_public_ip": public,
                }])
            }),
        )
        .maybe("deployment_circuit_breaker", switch(breaker))
        .maybe("alarms", switch(alarms))
        .maybe(
            "deployment_controller",
            of("DeploymentController")
                .get("Type")
                .map(|kind| json!([{"type": kind}])),
        )
        .set("load_balancer", balancers.collect::<Vec<_>>())
        .set("capacity_provider_strategy", providers.collect::<Vec<_>>())
        .tagged(functions, id)
}
