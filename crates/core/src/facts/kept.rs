//! What the data of a container lies on: the paths of its image, moved by its settings, on what is mounted there.

use super::container_data::Look;
use super::evidence::{Durability, durability};
use crate::connection::families::{Family, Layout};
use crate::model::resources::Container;

impl Look<'_, '_, '_> {
    pub(super) fn durability(&self, container: &Container, paths: &[String]) -> Durability {
        durability(self.definition, container, paths, &[], self.fargate)
    }

    /// What the best of the mounts lies on.
    pub(super) fn on_any_mount(&self, container: &Container) -> Durability {
        let any: Vec<String> = container.mounts.iter().map(|m| m.path.clone()).collect();
        self.durability(container, &any)
    }

    /// What data lies on that may be in any of the mounts.
    pub(super) fn somewhere(&self, container: &Container) -> Durability {
        match self.on_any_mount(container) {
            Durability::Durable(place) => Durability::Unknown(place),
            other => other,
        }
    }

    /// What the data of a family's image lies on.
    pub(super) fn kept(&self, container: &Container, family: &Family) -> Durability {
        for name in &family.data_path {
            let plain = container.variables.iter().find(|v| v.name == *name && !v.value.empty);
            let moved = match plain {
                Some(plain) => plain.value.path.as_ref(),
                None if container.secrets.iter().any(|s| s.name == *name) => None,
                None => continue,
            };
            let Some(path) = moved else {
                return Durability::Unknown(format!("what {name} names"));
            };
            let volumes = family.layouts.iter().flat_map(|l| l.image_volumes.clone());
            let volumes: Vec<String> = volumes.collect();
            return durability(
                self.definition,
                container,
                std::slice::from_ref(path),
                &volumes,
                self.fargate,
            );
        }
        let version = major_version(&container.image);
        let fits = |l: &&Layout| {
            version.is_none_or(|v| l.from.is_none_or(|from| from <= v) && l.until.is_none_or(|until| v <= until))
        };
        let layouts: Vec<&Layout> = family.layouts.iter().filter(fits).collect();
        if layouts.is_empty() {
            return self.durability(container, &family.keeps_data_in);
        }
        let by_layout = layouts.iter().map(|layout| {
            let newest = version.or(layout.from).unwrap_or_default().to_string();
            let paths = layout.keeps_data_in.iter().map(|p| p.replace("{version}", &newest));
            let paths: Vec<String> = paths.collect();
            durability(self.definition, container, &paths, &layout.image_volumes, self.fargate)
        });
        // Of an image whose version isn't told, either may hold.
        by_layout.min_by_key(Durability::rank).unwrap_or(Durability::Lost)
    }
}

/// The major version that an image's tag tells: of `postgres:17.2-alpine` and `pgvector/pgvector:0.8.0-pg17` it is 17.
fn major_version(image: &str) -> Option<u32> {
    let name = image.split('@').next()?;
    let tag = name
        .rsplit_once(':')
        .map(|(_, tag)| tag)
        .filter(|tag| !tag.contains('/'))?;
    let digits = |s: &str| {
        let end = s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
        s[..end].parse().ok()
    };
    let after_pg = tag.match_indices("pg").find_map(|(at, _)| digits(&tag[at + 2..]));
    after_pg.or_else(|| digits(tag))
}
