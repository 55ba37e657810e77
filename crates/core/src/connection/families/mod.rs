//! What is known of images and frameworks that many use: which variables hold their connections, and where they keep data
//! without one.
//!
//! All of it is data, in `families.yaml`, and `families` of the configuration adds to it. An image that isn't in the list
//! is unknown: no entry is a default for others.

mod image;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

pub use crate::config::family::{
    Absence, Absent, EngineName, Family, FamilyConnection, Kind, Purpose, Selector, Settings,
};
use crate::config::read_families;
use crate::model::store::Role;

/// The embedded list. It has the form of a configuration that sets `families` alone.
const EMBEDDED: &str = include_str!("families.yaml");

/// The embedded list, once it was read.
static READ: LazyLock<Families> = LazyLock::new(|| {
    // That it can be read is tested.
    Families::of(read_families("families.yaml", EMBEDDED).unwrap_or_default())
});

/// How well an image tells its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Strength {
    /// By the last part of its repository's path alone, as in `acme/grafana`: it may be built on the product's image, or
    /// only be called like it.
    LastSegment,
    /// By the product's own repository, perhaps mirrored.
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
    /// By the last part of a repository's path: all of its parts, and the family.
    repositories: HashMap<String, Vec<(Vec<String>, usize)>>,
    /// By the last part of a repository's path that tells by itself.
    names: HashMap<String, usize>,
    /// By the whole name of a variable.
    variables: HashMap<String, Vec<Place>>,
    /// Names with a `*`: what comes before and after it.
    wildcards: Vec<(String, String, Place)>,
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
        Self::of(list)
    }

    fn of(list: Vec<Family>) -> Self {
        let mut families = Self::default();
        for (at, family) in list.iter().enumerate() {
            for image in &family.images {
                let parts: Vec<String> = image.split('/').map(str::to_owned).collect();
                let last = parts.last().cloned().unwrap_or_default();
                families.repositories.entry(last).or_default().push((parts, at));
            }
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

    /// The family of an image. Of several repositories that fit, the longest counts; of two alike, the configuration's.
    #[must_use]
    pub fn of_image(&self, image: &str) -> Option<ImageMatch<'_>> {
        let parts = image::repository(image)?;
        let last = *parts.last()?;
        let fits = |(own, _): &&(Vec<String>, usize)| {
            own.len() <= parts.len() && own.iter().rev().zip(parts.iter().rev()).all(|(a, b)| a == b)
        };
        let exact = self.repositories.get(last).into_iter().flatten();
        let exact = exact.filter(fits).max_by_key(|(own, at)| (own.len(), *at));
        let (at, strength) = match exact {
            Some((_, at)) => (*at, Strength::Exact),
            None => (*self.names.get(last)?, Strength::LastSegment),
        };
        Some(ImageMatch {
            family: &self.list[at],
            strength,
        })
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
