//! A family: what is known of one product's image, such as Keycloak's, or of one framework's variables, such as Spring's.
//!
//! The entries of `families` in a configuration and those of the embedded list have this one form.
//! `connection::families` reads both and answers questions about them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::forms;
use crate::model::store::{Dialect, Engine, Role};

/// What is known of a product's image, or of a framework's variables. With the `id` of an embedded entry: what is given
/// here is added to it (`images`, `names`, connections of another purpose) or replaces it (the rest).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Family {
    /// What it is called here; unique.
    #[schemars(with = "forms::FamilyId")]
    pub id: String,
    /// The product's own name. Absent: the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::NonEmpty>")]
    pub name: Option<String>,
    /// What an image of it is for. Absent: `application`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Repositories, without registry, account, tag and digest: `grafana/grafana`, `library/postgres`. A repository whose
    /// path ends with one of them, whole parts counted, is an image of the family.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::Repository>", extend("uniqueItems" = true))]
    pub images: Vec<String>,
    /// Last parts of a repository's path that tell by themselves, as in `acme/grafana`: weaker evidence than `images`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::Repository>", extend("uniqueItems" = true))]
    pub names: Vec<String>,
    /// What reads its connection strings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// The setting that says which engine it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// Its connections; the first of purpose `database` is the main one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<FamilyConnection>,
    /// What it means when no setting of its main connection is there. Absent: unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent: Option<Absent>,
    /// Variables and flags that may hold or name all settings at once, in a form that Holdfast doesn't read. Where one of them
    /// is given, nothing follows from an absent setting.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::Setting>")]
    pub elsewhere: Vec<String>,
    /// The engine that the image itself is: `postgres` for PostgreSQL's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serves: Option<EngineName>,
    /// Whether it may listen for others in its task and lead what they send out of it: a proxy or a tunnel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwards: Option<bool>,
    /// Whether what its own store keeps can usually be made again, as a cache can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposable: Option<bool>,
    /// Where the image keeps data while no connection leads out: absolute paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::AbsolutePath>", extend("uniqueItems" = true))]
    pub keeps_data_in: Vec<String>,
    /// Variables and flags that move it elsewhere: `PGDATA`, `--datadir`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::Setting>")]
    pub data_path: Vec<String>,
    /// The same as `keeps_data_in`, where it changed from one major version of the image to another.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layouts: Vec<Layout>,
    /// What is put after a variable's name to give the file that holds its value: `_FILE`. Absent: it reads no such files.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::NonEmpty>")]
    pub file_suffix: Option<String>,
    /// Where the product's own documentation says so: https links.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::HttpsUrl>")]
    pub source: Vec<String>,
    /// Inputs with what must come of them, for the tests of the embedded list.
    #[serde(skip_serializing_if = "FamilyTest::is_empty")]
    pub test: FamilyTest,
}

/// Where the images of some major versions keep data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Layout {
    /// The first version. Absent: every earlier one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// The last version. Absent: every later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u32>,
    /// Absolute paths; `{version}` is the major version.
    #[schemars(with = "Vec<forms::AbsolutePath>", extend("uniqueItems" = true))]
    pub keeps_data_in: Vec<String>,
    /// The image's own volumes (`VOLUME`): what is mounted above one of them does not hold what is in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::AbsolutePath>", extend("uniqueItems" = true))]
    pub image_volumes: Vec<String>,
}

/// What an image is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// An application, which may use a database.
    #[default]
    Application,
    /// Variables that a framework or library reads, in whatever image.
    Framework,
    /// A database, cache or queue.
    Server,
    /// Forwards connections to a database: where it leads counts.
    Pooler,
    /// A proxy, agent, log router or mesh: never given a database secret.
    Sidecar,
}

/// The setting that says which engine is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Selector {
    /// Variables, the first that is given counts.
    #[schemars(with = "Vec<forms::Setting>")]
    pub variables: Vec<String>,
    /// Command-line flags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::Flag>")]
    pub args: Vec<String>,
    /// The engine that each value means, whatever its case.
    pub values: BTreeMap<String, EngineName>,
    /// The engine if the setting isn't there: settings of another engine's connection have no effect then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<EngineName>,
    /// Whether a connection URL says it as well, and better than this setting.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub or_url: bool,
}

/// One connection of a family, and the settings that make it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FamilyConnection {
    /// What it is for.
    pub purpose: Purpose,
    /// The one engine that it leads to. With a selector, the connection counts only where that says this engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineName>,
    /// What reads its connection string. Absent: the family's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// Variables, by what they hold; `*` is any text that isn't empty.
    #[serde(skip_serializing_if = "Settings::is_empty")]
    pub variables: Settings,
    /// Command-line flags, by what they hold.
    #[serde(skip_serializing_if = "Settings::is_empty")]
    pub args: Settings,
    /// Whether the product works, and keeps what it keeps, without it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// What a connection is for.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, strum::Display,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Purpose {
    /// The database that keeps the product's data.
    #[default]
    Database,
    /// A further database: metadata, a visibility store, a data source.
    Secondary,
    /// A cache or a session store.
    Cache,
    /// A queue or broker.
    Queue,
    /// A search index.
    Search,
    /// Analytical data.
    Analytics,
}

/// Names of settings, by what they hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A whole connection string, perhaps without user or password.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::Setting>")]
    pub url: Vec<String>,
    /// A host, perhaps with a port.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::Setting>")]
    pub host: Vec<String>,
    /// A port.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::Setting>")]
    pub port: Vec<String>,
    /// The name of a database.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::Setting>")]
    pub database: Vec<String>,
    /// The name of a user.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::Setting>")]
    pub user: Vec<String>,
    /// A password.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::Setting>")]
    pub password: Vec<String>,
    /// How the connection is encrypted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<forms::Setting>")]
    pub tls: Vec<String>,
}

impl Settings {
    /// Each role with its settings, those without any included.
    pub fn by_role(&self) -> impl Iterator<Item = (Role, &[String])> {
        [
            (Role::Url, &self.url[..]),
            (Role::Host, &self.host),
            (Role::Port, &self.port),
            (Role::Database, &self.database),
            (Role::User, &self.user),
            (Role::Password, &self.password),
            (Role::Tls, &self.tls),
        ]
        .into_iter()
    }

    /// Each setting with its role.
    pub fn iter(&self) -> impl Iterator<Item = (Role, &str)> {
        self.by_role()
            .flat_map(|(role, names)| names.iter().map(move |n| (role, n.as_str())))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// What it means when no setting of the main connection is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Absent {
    /// What it means.
    pub means: Absence,
    /// For `builtin`: the store's name, such as `SQLite`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::NonEmpty>")]
    pub store: Option<String>,
    /// Why, in one sentence without its full stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<forms::NonEmpty>")]
    pub why: Option<String>,
}

/// What it means when no setting of a connection is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Absence {
    /// It uses a store inside its container.
    Builtin,
    /// It doesn't start, or refuses to work.
    Required,
    /// It keeps nothing.
    Nothing,
    /// Nothing tells, as where a file in the image may hold the settings.
    #[default]
    Unknown,
}

/// The name of an engine: `postgres`; `mysql` or another in lower case; `built-in SQLite`; `unknown`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EngineName(pub Engine);

const BUILT_IN: &str = "built-in ";

impl EngineName {
    fn named(text: &str) -> Self {
        let owned = |name: &str| Cow::Owned(name.to_owned());
        Self(match text.strip_prefix(BUILT_IN) {
            Some(store) => Engine::Builtin(owned(store)),
            None if text == "postgres" => Engine::Postgres,
            None if text == "unknown" => Engine::Unknown,
            None => Engine::Other(owned(text)),
        })
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Engine::Postgres => f.write_str("postgres"),
            Engine::Other(name) => f.write_str(name),
            Engine::Builtin(store) => write!(f, "{BUILT_IN}{store}"),
            Engine::Unknown => f.write_str("unknown"),
        }
    }
}

impl Serialize for EngineName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EngineName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::named(&String::deserialize(deserializer)?))
    }
}

impl JsonSchema for EngineName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "EngineName".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        forms::EngineWord::json_schema(generator)
    }
}

/// Inputs with what must come of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FamilyTest {
    /// Images of the family.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Images that look like the family's, and are not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_images: Vec<String>,
    /// Variables and what each holds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, Role>,
}

impl FamilyTest {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Family {
    /// The product's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// What an image of it is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind.unwrap_or_default()
    }

    /// Whether it is never given a database secret.
    #[must_use]
    pub fn is_sidecar(&self) -> bool {
        self.kind() == Kind::Sidecar
    }

    /// What it means when no setting of the main connection is there.
    #[must_use]
    pub fn absence(&self) -> Absence {
        self.absent.as_ref().map(|a| a.means).unwrap_or_default()
    }

    /// The engine that holds the data when no setting of the main connection is there; unknown where that isn't a store
    /// inside the container.
    #[must_use]
    pub fn builtin_engine(&self) -> Engine {
        match &self.absent {
            Some(Absent {
                means: Absence::Builtin,
                store,
                ..
            }) => Engine::Builtin(store.clone().unwrap_or_else(|| "built-in store".to_owned()).into()),
            _ => Engine::Unknown,
        }
    }

    /// What reads the connection strings of `connection`.
    #[must_use]
    pub fn dialect_of(&self, connection: &FamilyConnection) -> Option<Dialect> {
        connection.dialect.or(self.dialect)
    }

    /// This entry with what `own`, an entry of the same id, adds and replaces.
    #[must_use]
    pub fn extended_by(&self, own: &Self) -> Self {
        let list = |base: &[String], own: &[String]| {
            let more = own.iter().filter(|o| !base.contains(o));
            base.iter().chain(more).cloned().collect()
        };
        let or = |base: &[String], own: &[String]| if own.is_empty() { base.to_vec() } else { own.to_vec() };
        let replaced = |c: &&FamilyConnection| own.connections.iter().any(|o| o.purpose == c.purpose);
        let kept = self.connections.iter().filter(|c| !replaced(c));
        Self {
            id: self.id.clone(),
            name: own.name.clone().or_else(|| self.name.clone()),
            kind: own.kind.or(self.kind),
            images: list(&self.images, &own.images),
            names: list(&self.names, &own.names),
            dialect: own.dialect.or(self.dialect),
            selector: own.selector.clone().or_else(|| self.selector.clone()),
            connections: own.connections.iter().chain(kept).cloned().collect(),
            absent: own.absent.clone().or_else(|| self.absent.clone()),
            elsewhere: list(&self.elsewhere, &own.elsewhere),
            serves: own.serves.clone().or_else(|| self.serves.clone()),
            forwards: own.forwards.or(self.forwards),
            disposable: own.disposable.or(self.disposable),
            keeps_data_in: or(&self.keeps_data_in, &own.keeps_data_in),
            data_path: list(&self.data_path, &own.data_path),
            layouts: if own.layouts.is_empty() && own.keeps_data_in.is_empty() {
                self.layouts.clone()
            } else {
                own.layouts.clone()
            },
            file_suffix: own.file_suffix.clone().or_else(|| self.file_suffix.clone()),
            source: or(&self.source, &own.source),
            test: self.test.clone(),
        }
    }
}

impl Selector {
    /// The engine that `value` of the setting means; unknown for a value that isn't listed.
    #[must_use]
    pub fn engine(&self, value: &str) -> Engine {
        let value = value.trim();
        let listed = self.values.iter().find(|(word, _)| word.eq_ignore_ascii_case(value));
        listed.map_or(Engine::Unknown, |(_, engine)| engine.0.clone())
    }
}
