//! What the names of settings and images mean: by the configuration, by the families, and by the grammar of names.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::families::{Families, Family, FamilyConnection};
use super::grammar::role_of;
use crate::config::Config;
use crate::model::store::Role;

/// What names mean under one configuration.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    families: Cow<'static, Families>,
    /// What the configuration says of a variable, for whichever workload.
    configured: BTreeMap<String, BTreeSet<Role>>,
}

impl Vocabulary {
    /// What they mean without a configuration.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static EMBEDDED: OnceLock<Vocabulary> = OnceLock::new();
        EMBEDDED.get_or_init(|| Self {
            families: Cow::Borrowed(Families::embedded()),
            configured: BTreeMap::new(),
        })
    }

    /// What they mean under `config`.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let mut configured: BTreeMap<String, BTreeSet<Role>> = BTreeMap::new();
        let overrides = config.workloads.values();
        let own = overrides.clone().flat_map(|w| w.database_env.iter().flatten());
        let of_services = overrides.clone().flat_map(|w| w.services.values());
        let of_services = of_services.flat_map(|s| s.database_env.iter().flatten());
        for entry in config.defaults.database_env.iter().chain(own).chain(of_services) {
            for (role, variable) in entry.roles() {
                configured.entry(variable.to_owned()).or_default().insert(role);
            }
        }
        let urls = overrides.flat_map(|w| w.secret_env.iter().flatten());
        for variable in config.defaults.secret_env.iter().chain(urls) {
            configured.entry(variable.clone()).or_default().insert(Role::Url);
        }
        Self {
            families: if config.families.is_empty() {
                Cow::Borrowed(Families::embedded())
            } else {
                Cow::Owned(Families::with(&config.families))
            },
            configured,
        }
    }

    /// The families.
    #[must_use]
    pub fn families(&self) -> &Families {
        &self.families
    }

    /// What a setting of this name may hold.
    pub(super) fn roles(&self, name: &str) -> BTreeSet<Role> {
        let mut roles = self.configured.get(name).cloned().unwrap_or_default();
        roles.extend(self.families.roles_of(name).filter(|m| !m.in_file).map(|m| m.role));
        roles.extend(self.args_of(name).into_iter().map(|(_, _, role)| role));
        roles.extend(role_of(name).filter(|named| !named.in_file).map(|named| named.role));
        roles
    }

    /// What a command-line flag is to each family that reads it.
    pub(super) fn args_of<'a>(&'a self, flag: &str) -> Vec<(&'a Family, &'a FamilyConnection, Role)> {
        if !flag.starts_with('-') {
            return vec![];
        }
        let connections = self
            .families
            .iter()
            .flat_map(|f| f.connections.iter().map(move |c| (f, c)));
        let args = connections.flat_map(|(f, c)| c.args.iter().map(move |(role, arg)| (f, c, role, arg)));
        args.filter(|(.., arg)| *arg == flag)
            .map(|(f, c, role, _)| (f, c, role))
            .collect()
    }

    /// Whether a family reads the command-line flag.
    pub(super) fn reads_flag(&self, flag: &str) -> bool {
        let selects = |f: &Family| f.selector.as_ref().is_some_and(|s| s.args.iter().any(|a| a == flag));
        let elsewhere = |f: &Family| f.elsewhere.iter().any(|name| name == flag);
        !self.args_of(flag).is_empty()
            || self.families.is_data_path(flag)
            || self.families.iter().any(|f| selects(f) || elsewhere(f))
    }

    /// Whether `word` is a value by which a family's selector `name` chooses an engine.
    pub(super) fn is_selected(&self, name: &str, word: &str) -> bool {
        let selectors = self.families.iter().filter_map(|f| f.selector.as_ref());
        let mut own = selectors.filter(|s| s.variables.iter().chain(&s.args).any(|v| v == name));
        own.any(|s| s.values.keys().any(|v| v.eq_ignore_ascii_case(word)))
    }
}
