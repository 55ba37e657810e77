//! Which databases a service uses, according to its running revision.

use std::sync::Arc;

use super::database::Database;
use super::secrets::{resolve, shape};
use super::workload::Workload;
use crate::connection::container::ContainerConnection;
use crate::model::connection::{Connection, SecretShape};
use crate::model::resources::{Secret, Service};
use crate::model::snapshot::{Read, ReadError, SecretValue};
use crate::model::store::{Engine, Role};
use crate::model::value_from::{self, ValueFrom};

/// Where the running revision of a service says that its databases are.
#[derive(Debug, Clone, Default)]
pub struct DatabaseUsage<'a> {
    /// Every connection with a host that a database variable may hold: of a secret with several, all of them.
    pub connections: Vec<&'a Connection>,
    /// Hosts that plain settings name by themselves.
    pub hosts: Vec<&'a str>,
    /// The secrets that they come from.
    pub secrets: Vec<&'a Secret>,
    /// The reason why the database of a variable is unknown, if it is.
    pub unclear: Option<Arc<ReadError>>,
}

impl<'a> DatabaseUsage<'a> {
    /// What one connection of a container says.
    fn add(&mut self, w: &Workload<'a>, service: &Service, connection: &ContainerConnection<'a>) {
        let before = self.connections.len() + self.hosts.len();
        for (role, variable) in connection.secrets() {
            let told = match value_from::parse(&variable.value_from) {
                ValueFrom::Secret(target) => match resolve(w, &target) {
                    Ok(Some(secret)) => {
                        self.secrets.push(secret);
                        shape(w, secret, &target.selector)
                    }
                    Ok(None) => Ok(None),
                    Err(e) => Err(e),
                },
                ValueFrom::Parameter(_) => parameter(w, &variable.value_from),
            };
            if !matches!(role, Role::Url | Role::Host) {
                continue;
            }
            match told {
                Ok(shape) => self.connections.extend(shape.map(connections).unwrap_or_default()),
                Err(e) => _ = self.unclear.get_or_insert(e),
            }
        }
        if let Some(url) = connection.plain_url().filter(|c| !c.hosts.is_empty()) {
            self.connections.push(url);
        } else {
            self.hosts.extend(connection.plain_host());
        }
        if self.connections.len() + self.hosts.len() > before {
            return;
        }
        let Some(setting) = connection.settings.values().next() else { return };
        let message = format!("{} of {} leads to no host", setting.variable, service.name);
        self.unclear.get_or_insert_with(|| not_known(setting.variable, &message));
    }

    fn all_hosts(&self) -> impl Iterator<Item = &str> {
        let named = self.connections.iter().flat_map(|c| &c.hosts).map(|h| h.host.as_str());
        named.chain(self.hosts.iter().copied())
    }

    /// Whether one of the connections leads to `database`, by whatever port and database name.
    #[must_use]
    pub fn includes(&self, database: &Database<'_>) -> bool {
        self.names_one_of(&database.hosts)
    }

    /// Whether one of the connections names one of `hosts`.
    #[must_use]
    pub fn names_one_of(&self, hosts: &[&str]) -> bool {
        self.all_hosts().any(|h| hosts.contains(&h))
    }

    /// The reason why the service may use other databases than its connections name, if it may: a variable whose
    /// database is unknown, or a host that may be an alias.
    #[must_use]
    pub fn doubt(&self) -> Option<Arc<ReadError>> {
        let stand_in = || {
            self.all_hosts().find(|h| may_stand_for_another(h))
        };
        self.unclear
            .clone()
            .or_else(|| stand_in().map(|host| not_known(host, &format!("{host} may stand for any database"))))
    }
}

/// Whether a host name may lead to a database of another name: RDS Proxy, an Aurora global database's writer, an alias
/// or address of one's own. Only RDS's plain endpoints are never aliases.
fn may_stand_for_another(host: &str) -> bool {
    let plain = [".rds.amazonaws.com", ".rds.amazonaws.com.cn"]
        .iter()
        .any(|end| host.ends_with(end));
    !plain || host.contains(".proxy-") || host.contains(".global-")
}

fn not_known(resource: &str, message: &str) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "secretsmanager".into(),
        operation: "GetSecretValue".into(),
        resource: resource.to_owned(),
        code: "NotComparable".into(),
        message: message.to_owned(),
    })
}

/// What the running revision of `service` says.
///
/// # Errors
/// What kept the revision from being read.
pub fn database_usage<'a>(w: &Workload<'a>, service: &Service) -> Read<DatabaseUsage<'a>> {
    let definition = w.running(service)?;
    let mut found = DatabaseUsage::default();
    for container in &definition.containers {
        for connection in w.connections(Some(service), container) {
            if connection.keeps_data() && matches!(connection.engine, Engine::Postgres | Engine::Unknown) {
                found.add(w, service, &connection);
            }
        }
    }
    Ok(found)
}

fn parameter<'a>(w: &Workload<'a>, name: &str) -> Read<Option<&'a SecretShape>> {
    match w.snapshot.parameters.get(name) {
        Some(Ok(Some(SecretValue::Shape(shape)))) => Ok(Some(shape)),
        Some(Ok(None)) => Ok(None),
        Some(Err(e)) => Err(Arc::clone(e)),
        Some(Ok(Some(SecretValue::NoSuchVersion | SecretValue::NotInspected))) | None => Err(Arc::new(ReadError {
            service: "ssm".into(),
            operation: "GetParameters".into(),
            resource: name.to_owned(),
            code: "NotInspected".into(),
            message: format!("the value of the parameter {name} was not read"),
        })),
    }
}

fn connections(shape: &SecretShape) -> Vec<&Connection> {
    let all: Vec<&Connection> = match shape {
        SecretShape::Plain(connection) => vec![connection],
        SecretShape::Json { keys, parts } => keys.values().flatten().chain(parts).collect(),
        SecretShape::Binary => vec![],
    };
    all.into_iter().filter(|c| !c.hosts.is_empty()).collect()
}
