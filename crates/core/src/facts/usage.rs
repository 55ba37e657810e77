//! Which databases a service uses, according to its running revision.

use std::sync::Arc;

use super::database::{Database, RdsResource};
use super::evidence::in_this_task;
use super::hosts::{HostForm, form, normal};
use super::leads::{HostLead, home_of, lead, not_known};
use super::secrets::{resolve, shape};
use super::users::Users;
use super::workload::Workload;
use crate::connection::container::ContainerConnection;
use crate::model::connection::{Connection, SecretShape};
use crate::model::resources::{Container, Secret, SecretVariable, Service, TaskDefinition};
use crate::model::snapshot::{Read, ReadError, SecretValue};
use crate::model::store::{Engine, Role};
use crate::model::value_from::{self, ValueFrom};

/// Where the running revision of a service says that its databases are.
#[derive(Debug, Clone, Default)]
pub struct DatabaseUsage<'a> {
    /// Every connection with a host that a database variable may hold: of a secret with several, all of them.
    pub connections: Vec<&'a Connection>,
    /// Hosts that plain settings name by themselves.
    pub named: Vec<&'a str>,
    /// The secrets that they come from.
    pub secrets: Vec<&'a Secret>,
    /// ARNs of the databases whose master password it gets from the secret that RDS keeps: the host is given elsewhere.
    pub managed: Vec<&'a str>,
    /// The reason why the database of a variable is unknown, if it is.
    pub unclear: Option<Arc<ReadError>>,
}

impl<'a> DatabaseUsage<'a> {
    /// What one connection of a container says. Host and password may come from different places.
    fn add(
        &mut self,
        w: &Workload<'a>,
        definition: &'a TaskDefinition,
        container: &'a Container,
        connection: &ContainerConnection<'a>,
        name: &str,
    ) {
        let before = self.connections.len() + self.named.len() + self.managed.len();
        for (role, variable) in connection.secrets() {
            let told = match value_from::parse(&variable.value_from) {
                ValueFrom::Secret(target) => match resolve(w, &target) {
                    Ok(Some(secret)) => {
                        self.secrets.push(secret);
                        self.managed.extend(w.managed_secret_of(&secret.arn).map(|d| d.arn));
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
        let plain = connection.plain_url();
        self.connections.extend(plain.filter(|c| !c.hosts.is_empty()));
        self.named
            .extend(plain.is_none().then(|| connection.plain_host()).flatten());
        // What stays in the task leads to no database of the workload.
        let inside = |host: &str| !w.has_database_at(host) && in_this_task(definition, container, host);
        self.connections.retain(|c| !c.hosts.iter().all(|h| inside(&h.host)));
        self.named.retain(|host| !inside(host));
        let in_task = connection.plain_hosts().iter().any(|h| inside(&h.host));
        if in_task || self.connections.len() + self.named.len() + self.managed.len() > before {
            return;
        }
        let Some(setting) = connection.settings.values().next() else {
            return;
        };
        let message = format!("{} of {name} leads to no host", setting.variable);
        self.unclear.get_or_insert_with(|| untold(setting.variable, message));
    }

    /// Whether one of the connections leads to `database` itself, by whatever port, database name and kind of endpoint: its
    /// own, a proxy's, an alias. A replica is another database.
    #[must_use]
    pub fn includes(&self, w: &Workload<'a>, database: &Database<'a>) -> bool {
        self.any_lead(w, database, |found| database.is(found))
    }

    /// Whether one of the connections goes to `database` itself over the network, not through a proxy or a pooler.
    #[must_use]
    pub fn goes_straight_to(&self, w: &Workload<'a>, database: &Database<'a>) -> bool {
        self.hosts().map(normal).any(|host| {
            let direct = || match (form(&host), lead(w, &host)) {
                (HostForm::Proxy | HostForm::ProxyEndpoint, _) => false,
                (_, HostLead::Databases(found)) => found.iter().any(|r| database.is(r)),
                _ => false,
            };
            database.has_host(&host) || direct()
        })
    }

    /// Whether one of the connections leads to `database`, or to what replicates it.
    #[must_use]
    pub fn includes_copy_of(&self, w: &Workload<'a>, database: &Database<'a>) -> bool {
        let one = std::slice::from_ref(database);
        self.any_lead(w, database, |found| home_of(w, one, *found).is_some())
    }

    fn any_lead(&self, w: &Workload<'a>, database: &Database<'a>, leads: impl Fn(&RdsResource<'a>) -> bool) -> bool {
        let is_only = || w.databases().is_ok_and(|all| all.len() == 1);
        self.managed.contains(&database.arn)
            || self.hosts().any(|host| database.has_host(&normal(host)))
            || self.hosts().any(|host| match lead(w, host) {
                HostLead::Databases(found) => found.iter().any(&leads),
                // Of several databases, nothing tells which one it means.
                HostLead::Alias => is_only(),
                HostLead::Elsewhere(_) | HostLead::Unknown(_) => false,
            })
    }

    fn hosts(&self) -> impl Iterator<Item = &'a str> {
        let whole = self.connections.iter().flat_map(|c| &c.hosts).map(|h| h.host.as_str());
        whole.chain(self.named.iter().copied())
    }

    /// The reason why the service may use other databases than are known, if it may: a variable whose database is unknown,
    /// or a host of which nothing tells where it leads.
    #[must_use]
    pub fn doubt(&self, w: &Workload<'a>) -> Option<Arc<ReadError>> {
        let several = || w.databases().is_ok_and(|all| all.len() > 1);
        self.unclear.clone().or_else(|| {
            self.hosts().find_map(|host| match lead(w, host) {
                HostLead::Unknown(e) => Some(e),
                HostLead::Alias if several() => Some(not_known(
                    host,
                    format!(
                        "`database_aliases` does not tell to which database of {} {host} leads",
                        w.name
                    ),
                )),
                _ => None,
            })
        })
    }
}

/// What the running revision of `service` says.
///
/// # Errors
/// What kept the revision from being read.
pub fn database_usage<'a>(w: &Workload<'a>, service: &Service) -> Read<DatabaseUsage<'a>> {
    Ok(usage_of(w, w.running(service)?, Some(service), &service.name))
}

/// What a revision says, which `name` runs.
#[must_use]
pub fn usage_of<'a>(
    w: &Workload<'a>,
    definition: &'a TaskDefinition,
    service: Option<&Service>,
    name: &str,
) -> DatabaseUsage<'a> {
    let mut found = DatabaseUsage::default();
    for (container, connections) in w.connections_of(service, definition) {
        for connection in connections.iter() {
            if connection.keeps_data() && matches!(connection.engine, Engine::Postgres | Engine::Unknown) {
                found.add(w, definition, container, connection, name);
            }
        }
    }
    found
}

fn untold(resource: &str, message: String) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "secretsmanager".into(),
        operation: "GetSecretValue".into(),
        resource: resource.to_owned(),
        code: "NotComparable".into(),
        message,
    })
}

/// The services of the scope.
#[must_use]
pub fn users<'w, 'a>(w: &'w Workload<'a>) -> &'w Users<'a> {
    w.index.users.get_or_init(|| {
        let mut all = Users::default();
        // One that is drained away counts while it has tasks.
        let counts = |s: &&Service| s.status == "ACTIVE" || s.running_count > 0;
        for service in w.snapshot.services.iter().flat_map(|m| m.values()).filter(counts) {
            for group in &service.security_groups {
                all.groups.entry(group).or_default().push(service);
            }
            let Some(Ok(definition)) = w.snapshot.task_definitions.get(&service.task_definition) else {
                continue;
            };
            let mut note = |host: &'a str| all.hosts.entry(normal(host)).or_default().push(service);
            for container in &definition.containers {
                for variable in &container.variables {
                    let whole = variable.value.connection.iter().flat_map(|c| &c.hosts);
                    whole.map(|h| h.host.as_str()).for_each(&mut note);
                    variable.value.host.as_deref().into_iter().for_each(&mut note);
                }
                for variable in &container.secrets {
                    let (secret, held) = held(w, variable);
                    let hosts = held.into_iter().flat_map(connections).flat_map(|c| &c.hosts);
                    hosts.map(|h| h.host.as_str()).for_each(&mut note);
                    if let Some(secret) = secret.filter(|s| s.is_managed_by_rds()) {
                        all.secrets.entry(&secret.arn).or_default().push(service);
                    }
                }
            }
        }
        all
    })
}

/// The secret that a variable refers to, and what is known of its value.
fn held<'a>(w: &Workload<'a>, variable: &'a SecretVariable) -> (Option<&'a Secret>, Option<&'a SecretShape>) {
    match value_from::parse(&variable.value_from) {
        ValueFrom::Secret(target) => match resolve(w, &target) {
            Ok(Some(secret)) => (Some(secret), shape(w, secret, &target.selector).ok().flatten()),
            _ => (None, None),
        },
        ValueFrom::Parameter(_) => (None, parameter(w, &variable.value_from).ok().flatten()),
    }
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
