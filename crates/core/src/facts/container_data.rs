//! Where one container keeps its data, as its image, settings and mounts tell.

use super::evidence::{Durability, Evidence, is_local};
use super::workload::Workload;
use crate::connection::container::{ContainerConnection, Password};
use crate::connection::families::{Absence, Family, Kind, Purpose, Strength};
use crate::connection::grammar::names_a_database_file;
use crate::connection::selected::{Selected, selected};
use crate::model::connection::{Connection, Note, SecretShape};
use crate::model::resources::{Container, Program, SecretVariable, TaskDefinition};
use crate::model::store::{Engine, Role};
use crate::model::value_from::{self, ValueFrom};

/// All that is asked of one container.
pub(super) struct Look<'w, 'a, 'd> {
    pub w: &'w Workload<'a>,
    pub definition: &'d TaskDefinition,
    pub fargate: bool,
    /// `data_paths` of the service.
    pub paths: &'w [String],
}

impl<'a, 'd> Look<'_, 'a, 'd> {
    pub fn evidence(&self, container: &'d Container, connections: &[ContainerConnection<'d>]) -> Evidence<'d> {
        let image = self.w.family(&container.image);
        if container.log_router || image.is_some_and(|(family, _)| family.is_sidecar()) {
            return Evidence::KeepsNothing;
        }
        if let Some(served) = image.and_then(|(family, strength)| self.server(container, family, strength)) {
            return served;
        }
        let used = self.by_connections(container, connections);
        match (used, image) {
            // The image does not read what these settings are called: nothing tells whether they do anything.
            (Some(Evidence::LeadsOut { .. }), Some((family, Strength::Exact)))
                if family.absence() == Absence::Builtin && !reads_one_of(family, connections) =>
            {
                Evidence::Hidden {
                    at: format!(
                        "{} is not known to read the settings that lead to a database",
                        family.name()
                    ),
                }
            }
            (Some(evidence), _) => evidence,
            (None, image) => self.without_connection(container, image),
        }
    }

    /// What a container is that is a database or cache itself.
    fn server(&self, container: &'d Container, family: &Family, strength: Strength) -> Option<Evidence<'d>> {
        if family.kind() != Kind::Server {
            return None;
        }
        let engine = family.serves.as_ref().map(|e| e.0.clone()).unwrap_or_default();
        // In an application's image a client does not come alone: it waits for the database, and then the application starts.
        if family.disposable == Some(true) || matches!(container.program, Program::Client(_)) {
            return Some(Evidence::KeepsNothing);
        }
        let store = family.name().to_owned();
        let durability = match self.kept(container, family) {
            // Somebody's own image may keep its data wherever something is mounted.
            Durability::Lost if strength != Strength::Exact => self.somewhere(container),
            found => found,
        };
        // These images are run for their clients too.
        let has_clients = engine == Engine::Postgres
            || matches!(&engine, Engine::Other(name) if ["mysql", "mariadb", "mongodb"].contains(&name.as_ref()));
        let may_keep_nothing = if container.program == Program::Other && has_clients {
            Some(format!("its command may run something else than {store}"))
        } else if let Some(name) = family.elsewhere.iter().find(|name| gives(container, name)) {
            Some(format!("{store} may take its settings from elsewhere, as {name} tells"))
        } else if !family.elsewhere.is_empty() && (strength != Strength::Exact || !container.mounts.is_empty()) {
            Some(format!(
                "{store} may have settings of its own in its image or in a file"
            ))
        } else {
            None
        };
        if let (Durability::Lost | Durability::OneInstance(_), Some(at)) = (&durability, may_keep_nothing) {
            return Some(Evidence::Hidden { at });
        }
        Some(Evidence::Inside {
            durability,
            postgres: false,
            why: format!("its image is that of {store}"),
            store: match engine {
                Engine::Postgres => "PostgreSQL".into(),
                _ => store,
            },
        })
    }

    /// What the connections tell: one that leads out counts before one that does not.
    fn by_connections(
        &self,
        container: &'d Container,
        connections: &[ContainerConnection<'d>],
    ) -> Option<Evidence<'d>> {
        let mut found: Vec<Evidence<'d>> = connections
            .iter()
            .filter(|c| c.keeps_data())
            .filter_map(|c| self.by_connection(container, c))
            .collect();
        let rank = |e: &Evidence<'_>| match e {
            Evidence::LeadsOut {
                other_engine: None,
                password: Password::Secret(_) | Password::Iam,
            } => 0,
            Evidence::LeadsOut { other_engine: None, .. } => 1,
            Evidence::LeadsOut { .. } => 2,
            Evidence::InTask { .. } => 3,
            _ => 4,
        };
        found.sort_by_key(rank);
        found.into_iter().next().or_else(|| self.by_json(container))
    }

    fn by_connection(&self, container: &'d Container, connection: &ContainerConnection<'d>) -> Option<Evidence<'d>> {
        if let Engine::Builtin(store) = &connection.engine {
            return Some(self.inside(container, connection, store));
        }
        let other_engine = match &connection.engine {
            Engine::Other(name) => Some(name.to_string()),
            Engine::Postgres | Engine::Builtin(_) | Engine::Unknown => None,
        };
        let password = connection.password();
        let out = Evidence::LeadsOut { other_engine, password };
        if connection.place_is_hidden() {
            return Some(out);
        }
        let hosts = connection.plain_hosts();
        // A template in the place of the host, or one that can't be told from a piece of a password: it leads somewhere.
        let names_none = |url: &Connection| url.notes.contains(&Note::NoHost) && url.faults.is_empty();
        if hosts.is_empty() && connection.plain_url().is_some_and(|url| !names_none(url)) {
            return Some(out);
        }
        if hosts.is_empty() && connection.plain_url().is_none() {
            // A password or user alone: where to, the application knows. Beside a database in the task, that is it.
            if matches!(password, Password::Untold) {
                return None;
            }
            return Some(match self.only_server() {
                Some(server) => self.in_task(&connection.engine, server),
                None => out,
            });
        }
        let mut inside = hosts.iter().map(|h| self.in_this_task(&h.host, container));
        if hosts.is_empty() {
            // A socket: a program in the task listens on it.
            return Some(self.in_task(&connection.engine, self.only_server().unwrap_or(&container.name)));
        }
        if inside.clone().any(|i| i.is_none()) {
            return Some(out);
        }
        let server = inside.next().flatten()?;
        if server == container.name && self.definition.host_network {
            return Some(Evidence::Hidden {
                at: format!(
                    "{} is the container instance, on which anything may listen",
                    hosts[0].host
                ),
            });
        }
        if server == container.name
            && let Some(other) = self.may_forward(container)
        {
            return Some(Evidence::Hidden {
                at: format!("the container {other} may forward what goes to {}", hosts[0].host),
            });
        }
        let pooler = self.definition.containers.iter().find(|c| c.name == server);
        let pools = pooler.is_some_and(|c| {
            self.w
                .family(&c.image)
                .is_some_and(|(f, _)| matches!(f.kind(), Kind::Pooler | Kind::Sidecar))
        });
        if pools {
            return Some(out);
        }
        Some(self.in_task(&connection.engine, server))
    }

    /// A container beside `own` that may listen on the machine they share and lead out of the task: a proxy, a tunnel, or
    /// one that isn't known.
    fn may_forward(&self, own: &Container) -> Option<&'d str> {
        let forwards = |c: &&Container| match self.w.family(&c.image) {
            Some((family, _)) => family.forwards == Some(true),
            None => !c.log_router,
        };
        let mut others = self.definition.containers.iter().filter(|c| c.name != own.name);
        others.find(forwards).map(|c| c.name.as_str())
    }

    fn in_task(&self, engine: &Engine, server: &str) -> Evidence<'d> {
        let container = self.definition.containers.iter().find(|c| c.name == server);
        let durability = container.map_or(Durability::Lost, |c| match self.w.family(&c.image) {
            Some((family, _)) if !family.keeps_data_in.is_empty() => self.kept(c, family),
            // Of an image that isn't known, any volume may be what it keeps its data on.
            _ => self.on_any_mount(c),
        });
        Evidence::InTask {
            engine: engine.clone(),
            server: server.to_owned(),
            durability,
        }
    }

    /// The container of the task that a host is, if it is one.
    fn in_this_task(&self, host: &str, own: &'d Container) -> Option<&'d str> {
        if self.w.has_database_at(host) {
            return None;
        }
        let containers = || self.definition.containers.iter().map(|c| c.name.as_str());
        if let Some(name) = containers().find(|name| name.eq_ignore_ascii_case(host)) {
            return Some(name);
        }
        is_local(host).then(|| self.only_server().unwrap_or(&own.name))
    }

    /// The container that is a database or pooler, if there is one only.
    fn only_server(&self) -> Option<&'d str> {
        let serves = |c: &&Container| !matches!(c.program, Program::Client(_));
        let mut servers = self.definition.containers.iter().filter(serves).filter(|c| {
            self.w.family(&c.image).is_some_and(|(f, _)| match f.kind() {
                Kind::Server => f.disposable != Some(true),
                Kind::Pooler => true,
                Kind::Application | Kind::Framework | Kind::Sidecar => false,
            })
        });
        let only = servers.next()?;
        servers.next().is_none().then_some(only.name.as_str())
    }

    /// Whether the container `server` is of the engine that `family` uses.
    fn serves(&self, server: &str, family: &Family) -> bool {
        let container = self.definition.containers.iter().find(|c| c.name == server);
        let image = container.and_then(|c| self.w.family(&c.image));
        let served = image.and_then(|(f, _)| f.serves.as_ref().map(|e| e.0.clone()));
        let own = main_engine(family);
        served.is_some_and(|served| served == own || (is_mysql(&served) && is_mysql(&own)))
    }

    /// A store in the container that a setting names.
    fn inside(&self, container: &'d Container, connection: &ContainerConnection<'d>, store: &str) -> Evidence<'d> {
        let named = |name: &str| container.variables.iter().find(|v| v.name == name)?.value.path.clone();
        let file = connection
            .plain_url()
            .and_then(|u| u.database.clone())
            .filter(|path| path.starts_with('/'))
            .or_else(|| connection.settings.get(&Role::Database).and_then(|s| named(s.variable)))
            .or_else(|| connection.selector.and_then(named))
            .or_else(|| {
                let mut files = container.variables.iter().filter(|v| names_a_database_file(&v.name));
                files.find_map(|v| v.value.path.clone())
            });
        let known = connection
            .family
            .as_ref()
            .and_then(|id| self.w.vocabulary.families().get(id));
        let family = known.map(|f| f.keeps_data_in.clone()).unwrap_or_default();
        let paths: Vec<String> = file
            .into_iter()
            .chain(family)
            .chain(self.paths.iter().cloned())
            .collect();
        let mut names: Vec<&str> = connection.settings.values().map(|s| s.variable).collect();
        names.extend(connection.selector);
        let selector = known.and_then(|f| f.selector.as_ref());
        names.extend(selector.iter().flat_map(|s| &s.variables).map(String::as_str));
        names.truncate(1);
        let durability = match self.durability(container, &paths) {
            // Where the file lies isn't told: it may be on whatever is mounted.
            Durability::Lost if paths.is_empty() => self.somewhere(container),
            found => found,
        };
        Evidence::Inside {
            store: store.to_owned(),
            postgres: store.eq_ignore_ascii_case("postgresql"),
            why: format!("{} says so", names.join(", ")),
            durability,
        }
    }

    /// A JSON secret that is injected whole, if its keys are those of a database's.
    fn by_json(&self, container: &'d Container) -> Option<Evidence<'d>> {
        let database = |variable: &SecretVariable| match self.shape(variable) {
            Some(SecretShape::Json { parts: Some(parts), .. }) if parts.has_password => Some(parts.engine.clone()),
            _ => None,
        };
        container.secrets.iter().find_map(|variable| {
            let engine = database(variable)?;
            Some(Evidence::LeadsOut {
                other_engine: match engine {
                    Engine::Other(name) => Some(name.into_owned()),
                    Engine::Postgres | Engine::Builtin(_) | Engine::Unknown => None,
                },
                password: Password::Secret(variable),
            })
        })
    }

    fn shape(&self, variable: &SecretVariable) -> Option<&'a SecretShape> {
        match value_from::parse(&variable.value_from) {
            ValueFrom::Secret(target) => {
                let secret = super::secrets::resolve(self.w, &target).ok()??;
                super::secrets::shape(self.w, secret, &target.selector).ok()?
            }
            ValueFrom::Parameter(_) => super::secrets::parameter(self.w, &variable.value_from).ok()?,
        }
    }

    /// What is known of a container without a connection.
    fn without_connection(&self, container: &'d Container, image: Option<(&Family, Strength)>) -> Evidence<'d> {
        let own = self.durability(container, self.paths);
        if own != Durability::Lost {
            return Evidence::Inside {
                store: "a volume".into(),
                postgres: false,
                why: "`data_paths` names it".into(),
                durability: own,
            };
        }
        if let Some(at) = self.hidden(container) {
            return Evidence::Hidden { at };
        }
        if let Some((family, strength)) = image {
            if let Some(name) = family.elsewhere.iter().find(|name| gives(container, name)) {
                return Evidence::Hidden {
                    at: format!(
                        "{} may take its settings from elsewhere, as {name} tells",
                        family.name()
                    ),
                };
            }
            let selection = family
                .selector
                .as_ref()
                .and_then(|s| Some((s, selected(container, s)?)));
            if let Some((_, Selected { name, word: None })) = selection {
                return Evidence::Hidden {
                    at: format!("what {name} selects is not told"),
                };
            }
            let chosen = selection.filter(|(s, found)| {
                let engine = found.word.map(|word| s.engine(word));
                matches!(engine, Some(Engine::Builtin(_)))
            });
            match (family.absence(), strength) {
                (Absence::Nothing, _) => return Evidence::KeepsNothing,
                (Absence::Unknown, _) => {}
                (_, Strength::LastSegment | Strength::Rehosted) => {
                    return Evidence::Hidden {
                        at: format!(
                            "its image may have been built on that of {}, with settings of its own",
                            family.name()
                        ),
                    };
                }
                (Absence::Required, Strength::Exact) => {
                    // A server of its engine in the task is where it looks by default.
                    return match self.only_server().filter(|server| self.serves(server, family)) {
                        Some(server) => self.in_task(&main_engine(family), server),
                        None => Evidence::Unset { why: absence(family) },
                    };
                }
                (Absence::Builtin, Strength::Exact) => {
                    let store = match family.builtin_engine() {
                        Engine::Builtin(store) => store.into_owned(),
                        _ => "a built-in store".to_owned(),
                    };
                    return Evidence::Inside {
                        postgres: store.eq_ignore_ascii_case("postgresql")
                            || family.connections.iter().any(only_postgres),
                        store,
                        why: chosen.map_or_else(|| absence(family), |(_, found)| format!("{} says so", found.name)),
                        durability: self.kept(container, family),
                    };
                }
            }
        }
        match self.on_any_mount(container) {
            Durability::Durable(mount) | Durability::OneInstance(mount) | Durability::Unknown(mount) => {
                Evidence::Mounted { mount }
            }
            Durability::Lost => Evidence::Nothing,
        }
    }

    /// Where a container's settings are kept out of sight, if they are.
    fn hidden(&self, container: &Container) -> Option<String> {
        if let Some(file) = container.environment_files.first() {
            return Some(format!("its settings are in {file}, which is not read"));
        }
        if let Some(wrapper) = &container.wrapper {
            return Some(format!("`{wrapper}` fetches its settings when it starts"));
        }
        let plain = container.variables.iter().map(|v| v.name.as_str());
        let secret = container.secrets.iter().map(|s| s.name.as_str());
        if let Some(name) = plain
            .chain(secret)
            .find(|name| crate::connection::wrappers::fetches_settings(name))
        {
            return Some(format!("it fetches settings when it starts, as {name} tells"));
        }
        let whole = container
            .secrets
            .iter()
            .find(|s| matches!(self.shape(s), Some(SecretShape::Json { .. })) || holds_settings(&s.name));
        whole.map(|s| format!("{} may hold all of its settings", s.name))
    }
}

/// Whether a container is given a variable or argument of this name.
fn gives(container: &Container, name: &str) -> bool {
    container.variables.iter().any(|v| v.name == name && !v.value.empty)
        || container.secrets.iter().any(|s| s.name == name)
}

/// The one engine of a family's main connection.
fn main_engine(family: &Family) -> Engine {
    let main = family.connections.iter().find(|c| c.purpose == Purpose::Database);
    main.and_then(|c| c.engine.as_ref())
        .map(|e| e.0.clone())
        .unwrap_or_default()
}

fn is_mysql(engine: &Engine) -> bool {
    matches!(engine, Engine::Other(name) if name == "mysql" || name == "mariadb")
}

fn only_postgres(connection: &crate::connection::families::FamilyConnection) -> bool {
    connection.engine.as_ref().is_some_and(|e| e.0 == Engine::Postgres)
}

fn absence(family: &Family) -> String {
    match family.absent.as_ref().and_then(|a| a.why.clone()) {
        Some(why) => why,
        None => format!("{} gets no settings of a database", family.name()),
    }
}

/// Whether one of the connections is made of settings that `family` reads.
fn reads_one_of(family: &Family, connections: &[ContainerConnection<'_>]) -> bool {
    connections
        .iter()
        .any(|c| c.family.as_ref() == Some(&family.id) || c.configured)
}

/// Whether a secret of this name may hold all settings of an application.
fn holds_settings(name: &str) -> bool {
    const WORDS: &[&str] = &["CONFIG", "SETTINGS", "SECRETS", "CREDENTIALS", "ENV", "JSON", "DOTENV"];
    let upper = name.to_ascii_uppercase();
    let mut parts = upper.split(|c: char| !c.is_ascii_alphanumeric());
    parts.any(|part| WORDS.contains(&part))
}
