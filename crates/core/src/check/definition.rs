//! A task definition, as `aws ecs register-task-definition --cli-input-json` takes it, as `describe-task-definition`
//! prints it, or as a bare list of containers. Keys may be in any case, since Terraform and some tools change it.

use serde_json::Value;
use zeroize::Zeroizing;

use super::case::STAND_IN;
use crate::connection::environment::plain_environment;
use crate::model::key::Scope;
use crate::model::resources::{
    Container, LogTarget, Mount, SecretVariable, Service, TaskDefinition, Volume, VolumeKind,
};
use crate::model::tags::Tags;

/// What a file says of a task definition.
pub(super) struct Definition {
    pub revision: TaskDefinition,
    pub tags: Tags,
    pub fargate: bool,
}

/// The task definition in `file`, if that is one.
pub(super) fn recognise(file: &Value) -> Option<&Value> {
    let inner = field(file, "taskDefinition").filter(|v| v.is_object()).unwrap_or(file);
    let is_container = |v: &Value| v.is_object() && (field(v, "image").is_some() || field(v, "name").is_some());
    let bare = |v: &Value| {
        v.as_array()
            .is_some_and(|c| !c.is_empty() && c.iter().all(is_container))
    };
    let whole = field(inner, "containerDefinitions").is_some_and(Value::is_array);
    (whole || bare(inner)).then_some(inner)
}

/// Reads what [`recognise`] found. `file` is the whole document, since `describe-task-definition` puts tags beside the
/// definition. `name` is the family to use if there is none; `arn` makes the placeholder ARN.
pub(super) fn read(file: &Value, inner: &Value, name: &str, arn: impl Fn(&str) -> String) -> Definition {
    let text = |key| field(inner, key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let bare = inner.is_array();
    let family = text("family").unwrap_or(name).to_owned();
    let number = field(inner, "revision").and_then(Value::as_i64);
    let shown = number.map_or_else(|| family.clone(), |n| format!("{family}:{n}"));
    let list = if bare {
        Some(inner)
    } else {
        field(inner, "containerDefinitions")
    };
    // A bare list does not tell its role; that it has none would be a finding.
    let untold = || bare.then(|| "a role that the file does not tell".to_owned());
    let compatible = field(inner, "requiresCompatibilities").and_then(Value::as_array);
    let asks = |kind: &str| compatible.is_some_and(|c| c.iter().any(|v| v.as_str() == Some(kind)));
    Definition {
        revision: TaskDefinition {
            arn: arn(&shown),
            family,
            containers: list.map(containers).unwrap_or_default(),
            volumes: items(inner, "volumes").iter().filter_map(volume).collect(),
            active: text("status") != Some("INACTIVE"),
            execution_role: text("executionRoleArn").map(str::to_owned).or_else(untold),
            task_role: text("taskRoleArn").map(str::to_owned).or_else(untold),
            ..TaskDefinition::default()
        },
        tags: tags(file, inner),
        // A definition that does not name its launch type may run on EC2, where Docker keeps volumes on the host.
        fargate: asks("FARGATE") && !asks("EC2"),
    }
}

/// A service that does not exist, to evaluate a task definition by: as if one ran it.
pub(super) fn stand_in(scope: &Scope, id: &str, revision: String, fargate: bool, tags: Tags) -> Service {
    Service {
        arn: scope.arn("ecs", &format!("service/{id}")),
        name: format!("{STAND_IN}{id}"),
        status: "ACTIVE".into(),
        task_definition: revision,
        fargate,
        deployment_controller: "ECS".into(),
        tags,
        ..Service::default()
    }
}

/// The containers of a list.
pub(super) fn containers(list: &Value) -> Vec<Container> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<String> = list
        .iter()
        .filter_map(|c| Some(field(c, "name")?.as_str()?.to_owned()))
        .collect();
    list.iter().map(|c| container(c, &names)).collect()
}

fn container(c: &Value, sidecars: &[String]) -> Container {
    let text = |key| field(c, key).and_then(Value::as_str).map(str::to_owned);
    let variables = items(c, "environment").iter().filter_map(|kv| {
        let (name, value) = (field(kv, "name")?.as_str()?, field(kv, "value")?.as_str()?);
        Some((name.to_owned(), Zeroizing::new(value.to_owned())))
    });
    let secrets = |of: &Value, key| {
        items(of, key)
            .iter()
            .filter_map(|s| {
                Some(SecretVariable {
                    name: field(s, "name")?.as_str()?.to_owned(),
                    value_from: field(s, "valueFrom")?.as_str()?.to_owned(),
                })
            })
            .collect::<Vec<_>>()
    };
    let log = field(c, "logConfiguration");
    let (plain_databases, plain_passwords) = plain_environment(variables, sidecars);
    Container {
        name: text("name").unwrap_or_default(),
        // AWS: a container is essential unless it says otherwise.
        essential: field(c, "essential").and_then(Value::as_bool).unwrap_or(true),
        has_ports: !items(c, "portMappings").is_empty(),
        secrets: secrets(c, "secrets"),
        plain_databases,
        plain_passwords,
        variables: items(c, "environment")
            .iter()
            .filter_map(|kv| Some(field(kv, "name")?.as_str()?.to_owned()))
            .collect(),
        image: text("image").unwrap_or_default(),
        log: log.and_then(log_target),
        mounts: items(c, "mountPoints")
            .iter()
            .filter_map(|m| {
                Some(Mount {
                    volume: field(m, "sourceVolume")?.as_str()?.to_owned(),
                    path: field(m, "containerPath")?.as_str()?.to_owned(),
                    read_only: field(m, "readOnly").and_then(Value::as_bool).unwrap_or_default(),
                })
            })
            .collect(),
        repository_credentials: field(c, "repositoryCredentials")
            .and_then(|r| field(r, "credentialsParameter")?.as_str())
            .map(str::to_owned),
        secret_options: log.map(|l| secrets(l, "secretOptions")).unwrap_or_default(),
        environment_files: items(c, "environmentFiles")
            .iter()
            .filter_map(|f| Some(field(f, "value")?.as_str()?.to_owned()))
            .collect(),
        creates_log_group: log
            .and_then(|l| field(l, "options")?.get("awslogs-create-group")?.as_str())
            .is_some_and(|v| v.eq_ignore_ascii_case("true")),
    }
}

fn log_target(log: &Value) -> Option<LogTarget> {
    let option = |key: &str| {
        let value = field(log, "options")?.get(key)?.as_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    if field(log, "logDriver")?.as_str()? != "awslogs" {
        return None;
    }
    Some(LogTarget {
        group: option("awslogs-group")?,
        region: option("awslogs-region"),
        stream_prefix: option("awslogs-stream-prefix"),
    })
}

fn volume(v: &Value) -> Option<Volume> {
    let has = |key: &str| field(v, key).is_some_and(Value::is_object);
    let kind = if has("efsVolumeConfiguration") || has("fsxWindowsFileServerVolumeConfiguration") {
        VolumeKind::Shared
    } else if field(v, "configuredAtLaunch").and_then(Value::as_bool) == Some(true) {
        VolumeKind::TaskEbs
    } else {
        let docker = |key: &str| field(field(v, "dockerVolumeConfiguration")?, key)?.as_str();
        if docker("scope") == Some("shared") && docker("driver").is_some_and(|d| d != "local") {
            VolumeKind::DockerDriver
        } else {
            VolumeKind::Host
        }
    };
    Some(Volume {
        name: field(v, "name")?.as_str()?.to_owned(),
        kind,
    })
}

fn tags(file: &Value, inner: &Value) -> Tags {
    let pairs = items(inner, "tags").iter().chain(items(file, "tags"));
    Tags(
        pairs
            .filter_map(|t| {
                let value = field(t, "value").and_then(Value::as_str).unwrap_or_default();
                Some((field(t, "key")?.as_str()?.to_owned(), value.to_owned()))
            })
            .collect(),
    )
}

fn items<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    field(value, key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// A field by its name in the API, else by the same name in another case: `ValueFrom`, `value_from`.
fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let fields = value.as_object()?;
    let plain = |s: &str| -> String {
        s.chars()
            .filter(|c| *c != '_')
            .map(|c| c.to_ascii_lowercase())
            .collect()
    };
    fields.get(name).or_else(|| {
        let wanted = plain(name);
        fields.iter().find(|(key, _)| plain(key) == wanted).map(|(_, v)| v)
    })
}
