//! A task definition, as `aws ecs register-task-definition --cli-input-json` takes it, as `describe-task-definition`
//! prints it, or as a bare list of containers. Keys may be in any case, since Terraform and some tools change it.

use serde_json::Value;
use zeroize::Zeroizing;

use super::case::STAND_IN;
use crate::connection::vocabulary::Vocabulary;
use crate::connection::{arguments, program, reduce, wrappers};
use crate::model::key::Scope;
use crate::model::resources::{
    Container, LogTarget, Mount, SecretVariable, Service, StartCommand, TaskDefinition, Volume, VolumeFields,
    VolumeKind, VolumesFrom,
};
use crate::model::tags::Tags;

/// What a file says of a task definition.
pub(super) struct Definition {
    pub revision: TaskDefinition,
    pub tags: Tags,
    pub fargate: bool,
}

/// One task definition of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'v> {
    /// What holds it: `describe-task-definition` puts tags beside the definition.
    pub outer: &'v Value,
    /// The definition, a list of containers, or a single one.
    pub inner: &'v Value,
    /// Where it is in the file.
    pub place: Place,
}

/// Where a task definition is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Whether it is under `taskDefinition`.
    wrapped: bool,
    /// Its index, in a list, and whether the list is under `taskDefinitions`.
    index: Option<(usize, bool)>,
}

/// The task definitions in `file`: one, also under `taskDefinition`; several, in a list, also under `taskDefinitions`; a
/// list of containers, or a single one. None if it is no such file.
pub(super) fn recognise(file: &Value) -> Vec<Found<'_>> {
    let under = field(file, "taskDefinitions").and_then(Value::as_array);
    let several = under.or_else(|| file.as_array().filter(|l| l.iter().any(|v| whole(v).is_some())));
    match several {
        Some(list) => {
            let each = list.iter().enumerate();
            each.filter_map(|(n, v)| one(v, Some((n, under.is_some())))).collect()
        }
        None => one(file, None).or_else(|| bare(file)).into_iter().collect(),
    }
}

/// The definition itself, if `value` is one or wraps one.
fn whole(value: &Value) -> Option<(&Value, bool)> {
    let wrapped = field(value, "taskDefinition").filter(|v| v.is_object());
    let inner = wrapped.unwrap_or(value);
    field(inner, "containerDefinitions")?.as_array()?;
    Some((inner, wrapped.is_some()))
}

fn one(value: &Value, index: Option<(usize, bool)>) -> Option<Found<'_>> {
    let (inner, wrapped) = whole(value)?;
    Some(Found {
        outer: value,
        inner,
        place: Place { wrapped, index },
    })
}

fn bare(value: &Value) -> Option<Found<'_>> {
    let named = |v: &Value| v.is_object() && (field(v, "image").is_some() || field(v, "name").is_some());
    let containers = |v: &Value| v.as_array().is_some_and(|c| !c.is_empty() && c.iter().all(named));
    let text = |key| field(value, key).is_some_and(Value::is_string);
    (containers(value) || (text("image") && text("name"))).then_some(Found {
        outer: value,
        inner: value,
        place: Place {
            wrapped: false,
            index: None,
        },
    })
}

impl Found<'_> {
    /// The path of the definition in the file, for its line.
    pub(super) fn path(&self) -> String {
        let index = match self.place.index {
            Some((n, true)) => format!("/taskDefinitions/{n}"),
            Some((n, false)) => format!("/{n}"),
            None => String::new(),
        };
        let wrapper = if self.place.wrapped { "/taskDefinition" } else { "" };
        format!("{index}{wrapper}")
    }

    /// The path of the container with this name.
    pub(super) fn path_of(&self, container: &str) -> String {
        let list = field(self.inner, "containerDefinitions").unwrap_or(self.inner);
        let at = |v: &Value| field(v, "name").and_then(Value::as_str) == Some(container);
        let index = list.as_array().and_then(|l| l.iter().position(at));
        let list = if self.inner.is_array() {
            ""
        } else {
            "/containerDefinitions"
        };
        match index {
            Some(n) => format!("{}{list}/{n}", self.path()),
            None => self.path(),
        }
    }

    /// Whether findings call it by this name: its family, with the revision if it has one.
    pub(super) fn is_called(&self, id: &str) -> bool {
        let family = field(self.inner, "family").and_then(Value::as_str);
        family.is_some_and(|f| id == f || id.strip_prefix(f).is_some_and(|rest| rest.starts_with(':')))
    }

    /// The index of the definition in a list of several.
    pub(super) fn index(&self) -> Option<usize> {
        self.place.index.map(|(n, _)| n)
    }

    /// The names of its containers.
    pub(super) fn containers(&self) -> Vec<&str> {
        let list = field(self.inner, "containerDefinitions").unwrap_or(self.inner);
        let all = list.as_array().into_iter().flatten();
        all.filter_map(|c| field(c, "name")?.as_str()).collect()
    }
}

/// Reads what [`recognise`] found. `name` is the family to use if there is none; `arn` makes the placeholder ARN.
pub(super) fn read(found: &Found<'_>, name: &str, arn: impl Fn(&str) -> String, vocabulary: &Vocabulary) -> Definition {
    let (file, inner) = (found.outer, found.inner);
    let text = |key| field(inner, key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let single = field(inner, "containerDefinitions").is_none() && inner.is_object();
    let bare = inner.is_array() || single;
    let family = text("family").unwrap_or(name).to_owned();
    let number = field(inner, "revision").and_then(Value::as_i64);
    let shown = number.map_or_else(|| family.clone(), |n| format!("{family}:{n}"));
    let list = match inner {
        _ if single => std::slice::from_ref(inner),
        Value::Array(list) => list.as_slice(),
        _ => items(inner, "containerDefinitions"),
    };
    // A bare list does not tell its role; that it has none would be a finding.
    let untold = || bare.then(|| "a role that the file does not tell".to_owned());
    let compatible = field(inner, "requiresCompatibilities").and_then(Value::as_array);
    let asks = |kind: &str| compatible.is_some_and(|c| c.iter().any(|v| v.as_str() == Some(kind)));
    Definition {
        revision: TaskDefinition {
            arn: arn(&shown),
            family,
            containers: containers_in(list, vocabulary),
            volumes: items(inner, "volumes").iter().filter_map(volume).collect(),
            host_network: text("networkMode") == Some("host"),
            active: text("status").is_none_or(|status| status == "ACTIVE"),
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
pub(super) fn containers(list: &Value, vocabulary: &Vocabulary) -> Vec<Container> {
    containers_in(list.as_array().map(Vec::as_slice).unwrap_or_default(), vocabulary)
}

fn containers_in(list: &[Value], vocabulary: &Vocabulary) -> Vec<Container> {
    let mut containers: Vec<Container> = list.iter().map(|c| container(c, vocabulary)).collect();
    let from = list.iter().flat_map(|c| {
        items(c, "volumesFrom").iter().filter_map(|from| {
            Some(VolumesFrom {
                container: field(c, "name")?.as_str()?.to_owned(),
                source: field(from, "sourceContainer")?.as_str()?.to_owned(),
                read_only: field(from, "readOnly").and_then(Value::as_bool).unwrap_or_default(),
            })
        })
    });
    VolumesFrom::apply(&from.collect::<Vec<_>>(), &mut containers);
    containers
}

fn container(c: &Value, vocabulary: &Vocabulary) -> Container {
    let text = |key| field(c, key).and_then(Value::as_str).map(str::to_owned);
    let plain = items(c, "environment").iter().filter_map(|kv| {
        let (name, value) = (field(kv, "name")?.as_str()?, field(kv, "value")?.as_str()?);
        Some(reduce(name.to_owned(), value, vocabulary))
    });
    let words = |key| -> Vec<Zeroizing<String>> {
        let words = items(c, key).iter().filter_map(Value::as_str);
        words.map(|w| Zeroizing::new(w.to_owned())).collect()
    };
    let (entry_point, command) = (words("entryPoint"), words("command"));
    let files = items(c, "environmentFiles").iter();
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
    Container {
        name: text("name").unwrap_or_default(),
        // AWS: a container is essential unless it says otherwise.
        essential: field(c, "essential").and_then(Value::as_bool).unwrap_or(true),
        has_ports: !items(c, "portMappings").is_empty(),
        secrets: secrets(c, "secrets"),
        variables: plain.chain(arguments(&entry_point, &command, vocabulary)).collect(),
        environment_files: files
            .filter_map(|f| Some(field(f, "value")?.as_str()?.to_owned()))
            .collect(),
        wrapper: wrappers::wrapper(&entry_point, &command).map(str::to_owned),
        log_router: field(c, "firelensConfiguration").is_some_and(Value::is_object),
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
        // No rule that a file is judged by compares commands.
        start: StartCommand::default(),
        program: program(&entry_point, &command),
        repository_credentials: field(c, "repositoryCredentials")
            .and_then(|r| field(r, "credentialsParameter")?.as_str())
            .map(str::to_owned),
        secret_options: log.map(|l| secrets(l, "secretOptions")).unwrap_or_default(),
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
    let text = |of: &str, key: &str| field(field(v, of)?, key)?.as_str();
    let file_systems = [
        "efsVolumeConfiguration",
        "fsxWindowsFileServerVolumeConfiguration",
        "s3filesVolumeConfiguration",
    ];
    let known = ["host", "dockerVolumeConfiguration"];
    let objects = v
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| value.is_object());
    let kind = VolumeKind::of(&VolumeFields {
        file_system: file_systems.into_iter().any(has),
        at_launch: field(v, "configuredAtLaunch").and_then(Value::as_bool) == Some(true),
        unknown: objects
            .into_iter()
            .any(|(key, _)| !known.iter().any(|k| k.eq_ignore_ascii_case(key))),
        docker_shared: text("dockerVolumeConfiguration", "scope") == Some("shared"),
        driver: text("dockerVolumeConfiguration", "driver"),
        host_path: text("host", "sourcePath"),
    });
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
