//! What is known of images and frameworks that many use: which variables hold their connections, and where they keep data
//! without one.
//!
//! All of it is data, in the YAML files of this folder, and `families` of the configuration adds to it. An image that isn't in the list
//! is unknown: no entry is a default for others.

mod image;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

pub use crate::config::family::{
    Absence, Absent, EngineName, Family, FamilyConnection, Kind, Layout, Purpose, Selector, Settings,
};
use crate::config::read_families;
use crate::model::store::Role;
use image::Image;

/// The embedded list. Each file has the form of a configuration that sets `families` alone.
const EMBEDDED: &[(&str, &str)] = &[
    ("applications.yaml", include_str!("applications.yaml")),
    ("frameworks.yaml", include_str!("frameworks.yaml")),
    ("servers.yaml", include_str!("servers.yaml")),
    ("sidecars.yaml", include_str!("sidecars.yaml")),
];

/// The embedded list, once it was read.
static READ: LazyLock<Families> = LazyLock::new(|| {
    // That each can be read is tested.
    let read = |(name, text): &(&str, &str)| read_families(name, text).unwrap_or_default();
    Families::of(EMBEDDED.iter().flat_map(read).collect(), &[])
});

/// How well an image tells its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Strength {
    /// By the last part of its repository's path alone, as in `acme/grafana`: it may be built on the product's image, or
    /// only be called like it. Its settings may be in the image.
    LastSegment,
    /// By the product's repository, in a private registry: a copy of the product's image, or one built on it with settings
    /// of its own, as Keycloak's documentation advises.
    Rehosted,
    /// By the product's repository, in a public registry or a pull-through cache of one, or by the configuration.
    Exact,
}

/// The family of an image.
#[derive(Debug, Clone, Copy)]
pub struct ImageMatch<'a> {
    /// The family.
    pub family: &'a Family,
    /// How well the image tells.
    pub strength: Strength,
}

/// What a variable is to a family.
#[derive(Debug, Clone, Copy)]
pub struct VariableMatch<'a> {
    /// The family.
    pub family: &'a Family,
    /// The connection that the variable belongs to.
    pub connection: &'a FamilyConnection,
    /// What it holds.
    pub role: Role,
    /// Whether it holds the path of a file with the value, not the value.
    pub in_file: bool,
}

/// The families, with an index.
#[derive(Debug, Clone, Default)]
pub struct Families {
    list: Vec<Family>,
    /// By the last part of a repository's path.
    repositories: HashMap<String, Vec<Repository>>,
    /// By the last part of a repository's path that tells by itself.
    names: HashMap<String, usize>,
    /// By the whole name of a variable.
    variables: HashMap<String, Vec<Place>>,
    /// Settings that say where data is kept.
    data_paths: HashSet<String>,
    /// Names with a `*`: what comes before and after it.
    wildcards: Vec<(String, String, Place)>,
}

/// A repository of a family.
#[derive(Debug, Clone)]
struct Repository {
    parts: Vec<String>,
    family: usize,
    /// Whether the configuration names it.
    configured: bool,
}

/// Where a variable is: family, connection, role.
type Place = (usize, usize, Role);

impl Families {
    /// The embedded list.
    #[must_use]
    pub fn embedded() -> &'static Self {
        &READ
    }

    /// The embedded list with what the configuration adds.
    #[must_use]
    pub fn with(configured: &[Family]) -> Self {
        let mut list = READ.list.clone();
        for own in configured {
            match list.iter_mut().find(|f| f.id == own.id) {
                Some(known) => *known = known.extended_by(own),
                None => list.push(own.clone()),
            }
        }
        Self::of(list, configured)
    }

    fn of(list: Vec<Family>, configured: &[Family]) -> Self {
        let mut families = Self::default();
        for (at, family) in list.iter().enumerate() {
            for image in &family.images {
                let parts: Vec<String> = image.split('/').map(str::to_owned).collect();
                let last = parts.last().cloned().unwrap_or_default();
                let configured = configured.iter().any(|c| c.id == family.id && c.images.contains(image));
                let repository = Repository {
                    parts,
                    family: at,
                    configured,
                };
                families.repositories.entry(last).or_default().push(repository);
            }
            families.data_paths.extend(family.data_path.iter().cloned());
            for name in &family.names {
                families.names.insert(name.clone(), at);
            }
            for (which, connection) in family.connections.iter().enumerate() {
                for (role, variable) in connection.variables.iter() {
                    let place = (at, which, role);
                    match variable.split_once('*') {
                        Some((before, after)) => {
                            families.wildcards.push((before.to_owned(), after.to_owned(), place));
                        }
                        None => families.variables.entry(variable.to_owned()).or_default().push(place),
                    }
                }
            }
        }
        families.list = list;
        families
    }

    /// All of them: the embedded ones, then those that only the configuration has.
    pub fn iter(&self) -> impl Iterator<Item = &Family> {
        self.list.iter()
    }

    /// The family with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Family> {
        self.list.iter().find(|f| f.id == id)
    }

    /// Whether a family reads from the setting `name` where data is kept.
    #[must_use]
    pub fn is_data_path(&self, name: &str) -> bool {
        self.data_paths.contains(name)
    }

    /// The family of an image. A repository that the configuration names counts before others, and a longer one before
    /// a shorter one.
    #[must_use]
    pub fn of_image(&self, image: &str) -> Option<ImageMatch<'_>> {
        let image = Image::parse(image)?;
        let last = *image.path.last()?;
        let named = self.repositories.get(last).into_iter().flatten();
        let fitting = named.filter(|r| image.ends_with(&r.parts));
        let best = fitting.max_by_key(|r| (r.configured, r.parts.len(), r.family));
        let (family, strength) = match best {
            Some(r) if r.configured || image.is_products_own(r.parts.len()) => (r.family, Strength::Exact),
            Some(r) => (r.family, Strength::Rehosted),
            None => (*self.names.get(last)?, Strength::LastSegment),
        };
        let family = &self.list[family];
        Some(ImageMatch { family, strength })
    }

    /// What a variable is to each family that reads it: frameworks, and products in whatever image.
    pub fn roles_of(&self, variable: &str) -> impl Iterator<Item = VariableMatch<'_>> {
        // A variable may be in two connections of one family that a selector tells apart.
        let mut found: BTreeMap<(usize, usize, Role), bool> = BTreeMap::new();
        self.places(variable, &mut |place| _ = found.insert(place, false));
        for suffix in ["__FILE", "_FILE"] {
            let Some(whole) = variable.strip_suffix(suffix) else {
                continue;
            };
            self.places(whole, &mut |place| {
                if self.list[place.0].file_suffix.as_deref() == Some(suffix) {
                    found.entry(place).or_insert(true);
                }
            });
        }
        found.into_iter().map(|((family, connection, role), in_file)| {
            let family = &self.list[family];
            let connection = &family.connections[connection];
            VariableMatch {
                family,
                connection,
                role,
                in_file,
            }
        })
    }

    fn places(&self, variable: &str, tell: &mut impl FnMut(Place)) {
        self.variables
            .get(variable)
            .into_iter()
            .flatten()
            .for_each(|p| tell(*p));
        for (before, after, place) in &self.wildcards {
            let longer = variable.len() > before.len() + after.len();
            if longer && variable.starts_with(before.as_str()) && variable.ends_with(after.as_str()) {
                tell(*place);
            }
        }
    }
}
