//! The parameters of rules. Each is declared once, below; its default, its key under `defaults`, its optional key under
//! `workloads.<name>`, their JSON Schema and the merged view that rules read all follow from that.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::forms::{self, duration};
use crate::model::store::Role;

/// Where the data of a workload or of one service is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Datastore {
    /// As its settings and images tell; unknown where they do not.
    #[default]
    Auto,
    /// A PostgreSQL database outside its containers.
    Postgres,
    /// A durable volume.
    Volume,
    /// A database of another kind, outside its containers.
    Other,
    /// Nowhere: it keeps nothing.
    None,
}

/// The variables from which a container takes one database connection, by what they hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseEnv {
    /// A whole connection string.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::EnvName>")]
    pub url: Option<String>,
    /// A host, perhaps with a port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::EnvName>")]
    pub host: Option<String>,
    /// A port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::EnvName>")]
    pub port: Option<String>,
    /// The name of a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::EnvName>")]
    pub database: Option<String>,
    /// The name of a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::EnvName>")]
    pub user: Option<String>,
    /// A password.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::EnvName>")]
    pub password: Option<String>,
}

impl DatabaseEnv {
    /// Each variable with what it holds.
    pub fn roles(&self) -> impl Iterator<Item = (Role, &str)> {
        [
            (Role::Url, &self.url),
            (Role::Host, &self.host),
            (Role::Port, &self.port),
            (Role::Database, &self.database),
            (Role::User, &self.user),
            (Role::Password, &self.password),
        ]
        .into_iter()
        .filter_map(|(role, variable)| Some((role, variable.as_deref()?)))
    }
}

/// Parameters of one service of a workload. What isn't given is taken from the workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = nullable)]
pub struct ServiceOverrides {
    /// Where its data is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datastore: Option<Datastore>,
    /// The variables from which its containers take a database connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_env: Option<Vec<DatabaseEnv>>,
    /// Absolute paths inside its containers that must be durable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<forms::AbsolutePath>>", extend("uniqueItems" = true))]
    pub data_paths: Option<Vec<String>>,
}

/// Whether a workload must have a migration task definition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Migrations {
    /// It may have one.
    #[default]
    None,
    /// It must have one.
    Required,
}

/// A value that a more specific part of the configuration can override, as a whole or in part.
pub trait Overridable {
    /// What overrides it; its default overrides nothing.
    type Override: Default + PartialEq;

    /// The value with `own` laid over it.
    #[must_use]
    fn overridden_by(&self, own: &Self::Override) -> Self;
}

/// Types that are overridden as a whole.
macro_rules! overridden_as_a_whole {
    ($($type:ty),+) => {
        $(impl Overridable for $type {
            type Override = Option<Self>;

            fn overridden_by(&self, own: &Option<Self>) -> Self {
                own.unwrap_or(*self)
            }
        })+
    };
}

overridden_as_a_whole!(u32, Duration, Datastore, Migrations);

/// A list replaces the other list.
impl<T: Clone + PartialEq> Overridable for Vec<T> {
    type Override = Option<Self>;

    fn overridden_by(&self, own: &Option<Self>) -> Self {
        own.as_ref().unwrap_or(self).clone()
    }
}

/// What is optional can be set, not unset.
impl<T: Clone + PartialEq> Overridable for Option<T> {
    type Override = Self;

    fn overridden_by(&self, own: &Self) -> Self {
        own.as_ref().or(self.as_ref()).cloned()
    }
}

/// Declares a struct of parameters with their defaults, and the struct of what overrides them.
///
/// The comment of a field describes it in both; `own "..."` says it otherwise for one workload.
macro_rules! parameters {
    (
        $(#[$meta:meta])* pub struct $name:ident;
        $(#[$own_meta:meta])* pub struct $own:ident $({ $($(#[$extra_attr:meta])* $extra:ident: $extra_type:ty,)+ })?;
        $($(#[$attr:meta])* $field:ident: $type:ty = $default:expr $(, own $description:literal)?;)+
    ) => {
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        $(#[$meta])*
        pub struct $name {
            $($(#[$attr])* pub $field: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        #[schemars(transform = nullable)]
        $(#[$own_meta])*
        pub struct $own {
            $(
                $(#[$attr])*
                $(#[schemars(description = $description)])?
                #[serde(skip_serializing_if = "is_unset")]
                pub $field: <$type as Overridable>::Override,
            )+
            $($(
                $(#[$extra_attr])*
                #[serde(skip_serializing_if = "is_unset")]
                pub $extra: $extra_type,
            )+)?
        }

        impl Overridable for $name {
            type Override = $own;

            fn overridden_by(&self, own: &$own) -> Self {
                Self { $($field: self.$field.overridden_by(&own.$field),)+ }
            }
        }
    };
}

fn is_unset<T: Default + PartialEq>(own: &T) -> bool {
    *own == T::default()
}

/// In the schema of overrides each key may be null, which is the same as leaving it out.
fn nullable(schema: &mut Schema) {
    let properties = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut);
    for property in properties.into_iter().flat_map(|p| p.values_mut()) {
        if let Some(kind) = property.get_mut("type").filter(|kind| kind.is_string()) {
            *kind = json!([kind, "null"]);
        }
    }
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

parameters! {
    /// Parameters of rules for every workload.
    #[schemars(rename = "Defaults")]
    pub struct Parameters;

    /// Parameters of one workload. What isn't given is taken from `defaults`; a list replaces the default list.
    pub struct WorkloadOverrides {
        /// Parameters of single services, by their names.
        services: BTreeMap<String, ServiceOverrides>,
    };

    /// Where data is: `auto` (as settings and images tell), `postgres`, `volume`, `other` (a database of another kind) or
    /// `none` (nothing is kept).
    datastore: Datastore = Datastore::Auto,
        own "Where its data is: `auto`, `postgres`, `volume`, `other` or `none`.";

    /// The variables from which containers take a database connection, besides those that families and the grammar of
    /// names know.
    database_env: Vec<DatabaseEnv> = vec![],
        own "The variables from which its containers take a database connection.";

    /// Variables that hold a whole connection string: the same as `database_env: [{url: X}, ...]`.
    #[schemars(with = "Vec<forms::EnvName>", extend("uniqueItems" = true))]
    secret_env: Vec<String> = vec![];

    /// Host names that lead to the workload's database and that AWS's lists don't tell of: a CNAME, a private address, a
    /// pooler such as pgbouncer.
    #[schemars(with = "Vec<forms::Host>", extend("uniqueItems" = true))]
    database_aliases: Vec<String> = vec![], own "Host names that lead to its database: a CNAME, a private address, a pooler.";

    /// Absolute paths inside the containers that must be durable, besides those that families know.
    #[schemars(with = "Vec<forms::AbsolutePath>", extend("uniqueItems" = true))]
    data_paths: Vec<String> = vec![],
        own "Absolute paths inside its containers that must be durable.";

    /// Fewest days of database backups, 0 to 35.
    #[schemars(range(max = 35))]
    backup_retention_days: u32 = 7;

    /// Who may reach a database besides the workload's own services.
    allowed_ingress: AllowedIngress = AllowedIngress::default(),
        own "Who may reach its database besides its own services.";

    /// How many times the allocated storage the ceiling of storage autoscaling must be; at least 1.
    #[schemars(range(min = 1, max = 100))]
    storage_headroom: u32 = 2;

    /// How old the latest restorable time may be.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    // AWS keeps it within five minutes of now while an instance is well.
    restore_point_age: Duration = Duration::from_mins(30);

    /// How long before its end a server certificate is reported.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    certificate_notice: Duration = Duration::from_hours(60 * 24);

    /// How long a database may go without a service that refers to it.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    abandoned_after: Duration = Duration::from_hours(48),
        own "How long its database may go without a service that refers to it.";

    /// How old the last rotation of a secret may be.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    rotation_age: Duration = Duration::from_hours(90 * 24);

    /// How long a deployment may be in progress.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    deployment_timeout: Duration = Duration::from_mins(30);

    /// Texts in a log, exactly as written, that tell of a database inside the container.
    #[schemars(with = "Vec<forms::NonEmpty>", extend("uniqueItems" = true))]
    builtin_database_patterns: Vec<String> = texts(["Using built-in PostgreSQL", "sqlite://", "sqlite3://"]);

    /// A text in a log, exactly as written, that tells of a connection to the database. Absent: none is looked for.
    #[schemars(with = "Option<forms::NonEmpty>")]
    database_log_pattern: Option<String> = None,
        own "A text in a log, exactly as written, that tells of a connection to the database.";

    /// PostgreSQL extensions that `diagnose --connect` looks for.
    #[schemars(with = "Vec<forms::NonEmpty>", extend("uniqueItems" = true))]
    required_extensions: Vec<String> = vec![];

    /// Whether a workload must have a migration task definition.
    migrations: Migrations = Migrations::None, own "Whether it must have a migration task definition.";
}

parameters! {
    /// Who may reach a database besides the workload's own services.
    pub struct AllowedIngress;

    /// Who may reach one workload's database besides its own services. What isn't given is taken from `defaults`.
    pub struct IngressOverrides;

    /// Blocks of IPv4 or IPv6 addresses.
    #[schemars(with = "Vec<forms::Cidr>", extend("uniqueItems" = true))]
    cidrs: Vec<IpNet> = vec![];

    /// Ids of security groups.
    #[schemars(with = "Vec<forms::SecurityGroup>", extend("uniqueItems" = true))]
    security_groups: Vec<String> = vec![];
}

impl Parameters {
    /// Whether the workload must have a migration task definition.
    #[must_use]
    pub fn requires_migrations(&self) -> bool {
        self.migrations == Migrations::Required
    }
}

impl AllowedIngress {
    /// Whether one of the address blocks contains all of `net`.
    #[must_use]
    pub fn contains(&self, net: &IpNet) -> bool {
        self.cidrs.iter().any(|allowed| allowed.contains(net))
    }
}
