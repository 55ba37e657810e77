//! The settings of a container, put together into connections.
//!
//! A setting belongs to the first that claims it: an entry of the configuration, the family of the container's image, a
//! framework whose variables these are, and last the grammar of names.

use std::collections::{BTreeMap, BTreeSet};

use super::container::{ContainerConnection, Password, Setting, Source};
use super::families::{Family, FamilyConnection, ImageMatch, Kind, Purpose};
use super::grammar::{names_a_database_file, role_of, selector_of};
use super::selected::selected;
use super::vocabulary::Vocabulary;
use crate::config::DatabaseEnv;
use crate::model::resources::Container;
use crate::model::store::{Engine, Role};

/// A setting with all that its value tells.
struct Given<'a> {
    name: &'a str,
    source: Source<'a>,
}

impl Given<'_> {
    fn is_empty(&self) -> bool {
        matches!(self.source, Source::Plain(value) if value.empty)
    }
}

/// The connections of a container, by its settings; `configured` are the entries of the configuration for it.
#[must_use]
pub fn connections<'a>(
    container: &'a Container,
    configured: &[DatabaseEnv],
    vocabulary: &Vocabulary,
) -> Vec<ContainerConnection<'a>> {
    let plain = container
        .variables
        .iter()
        .map(|v| (v.name.as_str(), Source::Plain(&v.value)));
    let secret = container.secrets.iter().map(|s| (s.name.as_str(), Source::Secret(s)));
    let given: Vec<Given<'a>> = secret
        .chain(plain)
        .map(|(name, source)| Given { name, source })
        .collect();
    let image = vocabulary.families().of_image(&container.image);
    let mut builder = Builder {
        container,
        given: &given,
        claimed: BTreeSet::new(),
        found: vec![],
        image,
    };
    builder.by_configuration(configured);
    builder.by_families(vocabulary);
    builder.by_grammar();
    builder.finish()
}

struct Builder<'v, 'a> {
    container: &'a Container,
    given: &'v [Given<'a>],
    claimed: BTreeSet<&'a str>,
    found: Vec<ContainerConnection<'a>>,
    image: Option<ImageMatch<'v>>,
}

/// The settings of one connection of a family.
type Group<'v, 'a> = (&'v Family, &'v FamilyConnection, BTreeMap<Role, Setting<'a>>);

impl<'v, 'a> Builder<'v, 'a> {
    fn by_configuration(&mut self, configured: &[DatabaseEnv]) {
        for entry in configured {
            let mut settings = BTreeMap::new();
            for (role, variable) in entry.roles() {
                if let Some(given) = self.given.iter().find(|g| g.name == variable && !g.is_empty()) {
                    settings.insert(
                        role,
                        Setting {
                            variable: given.name,
                            source: given.source,
                        },
                    );
                    self.claimed.insert(given.name);
                }
            }
            if !settings.is_empty() {
                self.push(None, None, settings, Engine::Unknown);
                if let Some(own) = self.found.last_mut() {
                    own.configured = true;
                }
            }
        }
    }

    /// Settings that a family reads: of the image's own family first, then of the family that reads the most of them.
    fn by_families(&mut self, vocabulary: &'v Vocabulary) {
        let mut groups: Vec<Group<'v, 'a>> = vec![];
        let own = self.image.map(|i| i.family.id.as_str());
        for given in self
            .given
            .iter()
            .filter(|g| !g.is_empty() && !self.claimed.contains(g.name))
        {
            let by_name = vocabulary
                .families()
                .roles_of(given.name)
                .map(|m| (m.family, m.connection, m.role, m.in_file));
            let by_arg = vocabulary
                .args_of(given.name)
                .into_iter()
                .map(|(family, connection, role)| (family, connection, role, false));
            for (family, connection, role, in_file) in by_name.chain(by_arg) {
                // A product's variables mean nothing to another product; a framework's may be read in any image.
                let readable =
                    own == Some(family.id.as_str()) || matches!(family.kind(), Kind::Framework) || self.image.is_none();
                if !readable {
                    continue;
                }
                let source = if in_file { Source::File } else { given.source };
                let setting = Setting {
                    variable: given.name,
                    source,
                };
                let same = |g: &&mut Group<'v, 'a>| std::ptr::eq(g.0, family) && std::ptr::eq(g.1, connection);
                match groups.iter_mut().find(same) {
                    Some(group) => _ = group.2.entry(role).or_insert(setting),
                    None => groups.push((family, connection, BTreeMap::from([(role, setting)]))),
                }
            }
        }
        let is_own = |g: &Group<'v, 'a>| own == Some(g.0.id.as_str());
        groups.sort_by_key(|g| (!is_own(g), std::cmp::Reverse(g.2.len())));
        for at in 0..groups.len() {
            let (family, connection, settings) = &groups[at];
            let free: BTreeMap<Role, Setting<'a>> = settings
                .iter()
                .filter(|(_, s)| !self.claimed.contains(s.variable))
                .map(|(role, s)| (*role, *s))
                .collect();
            if free.is_empty() {
                continue;
            }
            // `DATABASE_URL` and `DB_HOST` are read by many, so they tell none of them: the grammar says what they hold.
            let shared = |s: &Setting<'a>| {
                groups
                    .iter()
                    .any(|g| g.0.id != family.id && g.2.values().any(|o| o.variable == s.variable))
            };
            if !is_own(&groups[at]) && free.values().any(shared) {
                continue;
            }
            if let Some(engine) = self.engine_of(family, connection) {
                self.claimed.extend(free.values().map(|s| s.variable));
                self.push(Some(family), Some(connection), free, engine);
            }
        }
    }

    /// The engine of a family's connection; `None` if its selector says that another one is used.
    fn engine_of(&self, family: &Family, connection: &FamilyConnection) -> Option<Engine> {
        let own = connection.engine.as_ref().map(|e| e.0.clone());
        let Some(selector) = &family.selector else {
            return Some(own.unwrap_or_default());
        };
        if connection.purpose != Purpose::Database {
            return Some(own.unwrap_or_default());
        }
        let chosen = match selected(self.container, selector).map(|s| s.word) {
            Some(Some(word)) => selector.engine(word),
            Some(None) => Engine::Unknown,
            None if selector.or_url => Engine::Unknown,
            None => selector.otherwise.as_ref().map(|e| e.0.clone()).unwrap_or_default(),
        };
        match (own, chosen) {
            (Some(own), Engine::Unknown) => Some(own),
            (Some(own), chosen) => (own == chosen).then_some(own),
            (None, chosen) => Some(chosen),
        }
    }

    /// Settings whose names say what they hold, by what the names have in common.
    fn by_grammar(&mut self) {
        let mut groups: BTreeMap<String, (BTreeMap<Role, Setting<'a>>, Engine)> = BTreeMap::new();
        for given in self
            .given
            .iter()
            .filter(|g| !g.is_empty() && !self.claimed.contains(g.name))
        {
            let setting = |source| Setting {
                variable: given.name,
                source,
            };
            if let Some(named) = role_of(given.name) {
                let source = if named.in_file { Source::File } else { given.source };
                let (settings, engine) = groups.entry(named.group).or_default();
                settings.entry(named.role).or_insert_with(|| setting(source));
                if *engine == Engine::Unknown {
                    *engine = named.engine;
                }
            } else if let Source::Plain(value) = given.source {
                // Whatever it is called, a database's URL or endpoint is one.
                let role = match (&value.connection, &value.host) {
                    (Some(_), _) => Role::Url,
                    (None, Some(_)) => Role::Host,
                    (None, None) => continue,
                };
                let (settings, _) = groups.entry(given.name.to_owned()).or_default();
                settings.insert(role, setting(given.source));
            }
        }
        self.by_selector(&groups.keys().cloned().collect());
        for (group, (settings, hint)) in groups {
            self.claimed.extend(settings.values().map(|s| s.variable));
            let engine = self.selected_beside(&group).unwrap_or(hint);
            self.push(None, None, settings, engine);
        }
    }

    /// Settings that select a store in the container, without any of a connection beside them: `DB_CONNECTION=sqlite`.
    fn by_selector(&mut self, groups: &BTreeSet<String>) {
        let own = self.image.and_then(|i| i.family.selector.as_ref());
        let free = |g: &&Given<'a>| {
            !self.claimed.contains(g.name) && !own.is_some_and(|s| s.variables.iter().any(|v| v == g.name))
        };
        // The value is looked at first: to read a name costs more.
        let store = |g: &Given<'a>| match g.source {
            Source::Plain(value) if matches!(value.engine, Engine::Builtin(_)) => {
                let alone = selector_of(g.name).is_some_and(|group| !groups.contains(&group));
                alone.then(|| value.engine.clone())
            }
            _ => None,
        };
        let file = |g: &Given<'a>| match g.source {
            Source::Plain(value) if value.path.as_deref().is_some_and(is_sqlite_file) => {
                names_a_database_file(g.name).then(|| Engine::Builtin("SQLite".into()))
            }
            _ => None,
        };
        let free: Vec<&Given<'a>> = self.given.iter().filter(free).collect();
        let found = |of: &dyn Fn(&Given<'a>) -> Option<Engine>| free.iter().find_map(|g| Some((g.name, of(g)?)));
        let selected = found(&store).or_else(|| found(&file));
        if let Some((name, engine)) = selected {
            self.push(None, None, BTreeMap::new(), engine);
            if let Some(own) = self.found.last_mut() {
                own.selector = Some(name);
            }
        }
    }

    /// The engine that a setting beside those of `group` selects: `DB_CLIENT` for `DB_HOST`.
    fn selected_beside(&self, group: &str) -> Option<Engine> {
        self.given.iter().find_map(|g| match g.source {
            Source::Plain(value) if value.engine != Engine::Unknown => {
                let selects = selector_of(g.name).is_some_and(|own| own == group);
                selects.then(|| value.engine.clone())
            }
            _ => None,
        })
    }

    fn push(
        &mut self,
        family: Option<&Family>,
        connection: Option<&FamilyConnection>,
        settings: BTreeMap<Role, Setting<'a>>,
        engine: Engine,
    ) {
        self.found.push(ContainerConnection {
            family: family.map(|f| f.id.clone()),
            purpose: connection.map(|c| c.purpose).unwrap_or_default(),
            engine,
            dialect: family.zip(connection).and_then(|(f, c)| f.dialect_of(c)),
            settings,
            iam: false,
            configured: false,
            selector: None,
        });
    }

    fn finish(self) -> Vec<ContainerConnection<'a>> {
        let iam = self
            .given
            .iter()
            .any(|g| matches!(g.source, Source::Plain(value) if value.iam));
        let mut found = self.found;
        for connection in &mut found {
            connection.iam = iam;
            if let Some(url) = connection.plain_url().filter(|u| u.engine != Engine::Unknown) {
                connection.engine = url.engine.clone();
            }
            if connection.engine == Engine::Unknown {
                connection.engine = connection
                    .plain_hosts()
                    .first()
                    .map(|h| Engine::by_port(h.port))
                    .unwrap_or_default();
            }
        }
        join(found)
    }
}

/// Whether a path is that of a file of `SQLite`, by its ending.
fn is_sqlite_file(path: &str) -> bool {
    [".db", ".db3", ".sqlite", ".sqlite3"]
        .iter()
        .any(|end| path.ends_with(end))
}

/// Puts a place without a password and a password without a place together, where there is one of each: `DB_HOST` and
/// `POSTGRES_PASSWORD`.
fn join(found: Vec<ContainerConnection<'_>>) -> Vec<ContainerConnection<'_>> {
    let data = |c: &ContainerConnection<'_>| c.keeps_data();
    let places: Vec<usize> = (0..found.len())
        .filter(|i| data(&found[*i]) && found[*i].has_place())
        .collect();
    let keys: Vec<usize> = (0..found.len())
        .filter(|i| data(&found[*i]) && !found[*i].has_place())
        .collect();
    let ([place], [key]) = (places.as_slice(), keys.as_slice()) else {
        return found;
    };
    let (place, key) = (*place, *key);
    let agree = match (&found[place].engine, &found[key].engine) {
        (Engine::Unknown, _) | (_, Engine::Unknown) => true,
        (a, b) => a == b,
    };
    if !agree || !matches!(found[place].password(), Password::Untold) {
        return found;
    }
    let mut found = found;
    let more = found[key].settings.clone();
    let engine = found[key].engine.clone();
    for (role, setting) in more {
        found[place].settings.entry(role).or_insert(setting);
    }
    if found[place].engine == Engine::Unknown {
        found[place].engine = engine;
    }
    found.remove(key);
    found
}
