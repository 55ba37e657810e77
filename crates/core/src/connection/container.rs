//! How one container reaches its data: a connection, and the settings that make it.

use std::collections::BTreeMap;

use super::families::Purpose;
use crate::model::connection::{Connection, HostPort};
use crate::model::resources::{PlainValue, SecretVariable};
use crate::model::store::{Dialect, Engine, Role};

/// Where a setting's value comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// The task definition itself.
    Plain(&'a PlainValue),
    /// A secret or parameter.
    Secret(&'a SecretVariable),
    /// A file in the container, whose path the setting gives.
    File,
}

/// One setting of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The variable or argument.
    pub variable: &'a str,
    /// Where its value comes from.
    pub source: Source<'a>,
}

/// Where a connection's password comes from.
#[derive(Debug, Clone, Copy)]
pub enum Password<'a> {
    /// A secret: by itself, or in a connection string or JSON object.
    Secret(&'a SecretVariable),
    /// The task definition, in this variable.
    Plain(&'a str),
    /// None is needed: IAM gives the login.
    Iam,
    /// Nothing tells.
    Untold,
}

/// How a container reaches one store of data.
#[derive(Debug, Clone)]
pub struct ContainerConnection<'a> {
    /// The id of the family that its settings belong to.
    pub family: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
    /// What keeps the data.
    pub engine: Engine,
    /// What reads its connection string, where that is known.
    pub dialect: Option<Dialect>,
    /// Its settings, by what they hold.
    pub settings: BTreeMap<Role, Setting<'a>>,
    /// Whether IAM gives the login.
    pub iam: bool,
    /// Whether the configuration says that these settings are one.
    pub configured: bool,
    /// The setting that selects a store in the container, where there is no other: `DB_CONNECTION`.
    pub selector: Option<&'a str>,
}

impl<'a> ContainerConnection<'a> {
    /// The plain connection string, if there is one.
    #[must_use]
    pub fn plain_url(&self) -> Option<&'a Connection> {
        match self.settings.get(&Role::Url)?.source {
            Source::Plain(value) => value.connection.as_ref(),
            Source::Secret(_) | Source::File => None,
        }
    }

    /// The host that a plain setting names by itself.
    #[must_use]
    pub fn plain_host(&self) -> Option<&'a str> {
        [Role::Host, Role::Url]
            .iter()
            .find_map(|role| match self.settings.get(role)?.source {
                Source::Plain(value) => value.host.as_deref(),
                Source::Secret(_) | Source::File => None,
            })
    }

    /// The hosts that plain settings name.
    #[must_use]
    pub fn plain_hosts(&self) -> Vec<HostPort> {
        if let Some(url) = self.plain_url() {
            return url.hosts.clone();
        }
        let named = [Role::Host, Role::Url]
            .iter()
            .find_map(|role| match self.settings.get(role)?.source {
                Source::Plain(value) => Some((value.host.clone()?, value.port)),
                Source::Secret(_) | Source::File => None,
            });
        let Some((host, port)) = named else { return vec![] };
        let own = match self.settings.get(&Role::Port).map(|s| s.source) {
            Some(Source::Plain(value)) => value.port,
            _ => None,
        };
        vec![HostPort {
            host,
            port: port.or(own).unwrap_or_else(|| self.engine.port()),
        }]
    }

    /// Whether the place of the data is in a secret or file, and so not told by the task definition.
    #[must_use]
    pub fn place_is_hidden(&self) -> bool {
        [Role::Url, Role::Host]
            .iter()
            .filter_map(|role| self.settings.get(role))
            .any(|s| matches!(s.source, Source::Secret(_) | Source::File))
    }

    /// Whether a setting tells where the data is, in plain text or not.
    #[must_use]
    pub fn has_place(&self) -> bool {
        self.place_is_hidden() || self.plain_url().is_some() || !self.plain_hosts().is_empty()
    }

    /// The references to secrets among its settings, with what each holds.
    pub fn secrets(&self) -> impl Iterator<Item = (Role, &'a SecretVariable)> {
        self.settings.iter().filter_map(|(role, setting)| match setting.source {
            Source::Secret(variable) => Some((*role, variable)),
            Source::Plain(_) | Source::File => None,
        })
    }

    /// Where its password comes from.
    #[must_use]
    pub fn password(&self) -> Password<'a> {
        let own = self.settings.get(&Role::Password).map(|s| (s.variable, s.source));
        let url = self.settings.get(&Role::Url).map(|s| (s.variable, s.source));
        match (own, url) {
            (Some((_, Source::Secret(variable))), _) | (_, Some((_, Source::Secret(variable)))) => {
                Password::Secret(variable)
            }
            (Some((variable, Source::Plain(value))), _) if !value.empty => Password::Plain(variable),
            (_, Some((variable, Source::Plain(value))))
                if value.connection.as_ref().is_some_and(|c| c.has_password) =>
            {
                Password::Plain(variable)
            }
            _ if self.iam => Password::Iam,
            _ => Password::Untold,
        }
    }

    /// Whether it leads to the store that keeps the container's data: not to a cache, a queue or the like.
    #[must_use]
    pub fn keeps_data(&self) -> bool {
        let passing = match &self.engine {
            Engine::Other(name) => PASSING.contains(&name.as_ref()),
            Engine::Postgres | Engine::Builtin(_) | Engine::Unknown => false,
        };
        !passing && matches!(self.purpose, Purpose::Database | Purpose::Secondary)
    }
}

/// Engines in which an application keeps what it can do without, or what another store holds too.
const PASSING: &[&str] = &[
    "redis",
    "valkey",
    "memcached",
    "rabbitmq",
    "amqp",
    "kafka",
    "nats",
    "elasticsearch",
    "opensearch",
    "sqs",
    "http",
];
