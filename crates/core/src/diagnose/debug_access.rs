//! Ways to look further once the path is known: a shell in the container, its log, its log level.

use serde::Serialize;

use super::path::id;
use crate::facts::Workload;
use crate::model::resources::{Access, AccessTarget, Service, TaskDefinition};

/// One aid. It decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DebugAccess {
    /// `cluster/service`.
    pub service: String,
    /// `exec`, `log` or `verbosity`.
    pub name: &'static str,
    /// Whether it is there; absent where that is unknown.
    pub available: Option<bool>,
    /// One sentence.
    pub summary: String,
    /// The command to use it, or to get it.
    pub command: Option<String>,
}

/// The aids of one service.
pub(super) fn of(w: &Workload<'_>, service: &Service) -> Vec<DebugAccess> {
    let Ok(definition) = w.running(service) else {
        return vec![];
    };
    vec![
        exec(w, service, definition),
        log(service, definition),
        verbosity(service, definition),
    ]
}

fn exec(w: &Workload<'_>, s: &Service, definition: &TaskDefinition) -> DebugAccess {
    let access = |available, summary: String, command: Option<String>| DebugAccess {
        service: id(s),
        name: "exec",
        available,
        summary,
        command,
    };
    let (cluster, service) = (&s.cluster, &s.name);
    if !s.exec_enabled {
        let command = format!(
            "aws ecs update-service --cluster {cluster} --service {service} --enable-execute-command \
             --force-new-deployment"
        );
        return access(
            Some(false),
            "ECS Exec is off; to switch it on replaces the tasks".to_owned(),
            Some(command),
        );
    }
    let container = definition.containers.iter().find(|c| c.essential);
    let open = format!(
        "aws ecs execute-command --cluster {cluster} --task TASK --container {} --interactive --command /bin/sh",
        container.map_or("CONTAINER", |c| c.name.as_str())
    );
    let Some(role) = &definition.task_role else {
        return access(
            Some(false),
            "ECS Exec is on, but the tasks have no role to open its channel with".to_owned(),
            None,
        );
    };
    let name = role.rsplit('/').next().unwrap_or(role);
    match w.snapshot.access.get(&(role.clone(), AccessTarget::EcsExec)) {
        Some(Ok(Access::Allowed | Access::AllowedHere { .. })) => {
            access(Some(true), format!("ECS Exec is on, and {name} allows it"), Some(open))
        }
        Some(Ok(Access::Denied { missing })) => access(
            Some(false),
            format!("ECS Exec is on, but {name} lacks {}", missing.join(", ")),
            None,
        ),
        Some(Ok(Access::NoRole)) => access(
            Some(false),
            format!("ECS Exec is on, but the task role {name} does not exist"),
            None,
        ),
        Some(Err(e)) => access(
            None,
            format!("ECS Exec is on; whether {name} allows it is unknown: {e}"),
            Some(open),
        ),
        None => access(
            None,
            format!("ECS Exec is on; whether {name} allows ssmmessages was not asked"),
            Some(open),
        ),
    }
}

fn log(s: &Service, definition: &TaskDefinition) -> DebugAccess {
    let target = definition.containers.iter().find_map(|c| Some((c, c.log.as_ref()?)));
    let (available, summary, command) = match target {
        Some((container, log)) => {
            let region = log
                .region
                .as_ref()
                .map(|r| format!(" --region {r}"))
                .unwrap_or_default();
            let prefix = log
                .stream_prefix
                .as_ref()
                .map(|p| format!(" --log-stream-name-prefix {p}/{}", container.name))
                .unwrap_or_default();
            (
                true,
                format!("{} logs to {}", container.name, log.group),
                Some(format!(
                    "aws logs tail {}{prefix} --since 1h --follow{region}",
                    log.group
                )),
            )
        }
        None => (
            false,
            "no container logs to CloudWatch Logs: what it says is lost, or kept elsewhere".to_owned(),
            None,
        ),
    };
    DebugAccess {
        service: id(s),
        name: "log",
        available: Some(available),
        summary,
        command,
    }
}

/// Pieces of names under which images take their log level.
const LEVELS: &[&str] = &[
    "LOG_LEVEL",
    "LOGLEVEL",
    "LOG_FILTER",
    "VERBOSE",
    "VERBOSITY",
    "DEBUG",
    "TRACE",
    "RUST_LOG",
];

fn verbosity(s: &Service, definition: &TaskDefinition) -> DebugAccess {
    let names: Vec<&str> = definition
        .containers
        .iter()
        .flat_map(|c| &c.variables)
        .map(|v| v.name.as_str())
        .filter(|v| LEVELS.iter().any(|piece| v.to_ascii_uppercase().contains(piece)))
        .collect();
    let summary = if names.is_empty() {
        "no variable sets a log level, as far as names tell".to_owned()
    } else {
        format!("{} may set the log level; values are not read", names.join(", "))
    };
    DebugAccess {
        service: id(s),
        name: "verbosity",
        available: Some(!names.is_empty()),
        summary,
        command: None,
    }
}
