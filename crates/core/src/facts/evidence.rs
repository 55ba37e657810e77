//! What tells where one container keeps its data.

use std::sync::Arc;

use crate::connection::container::{ContainerConnection, Password};
use crate::model::resources::{Container, TaskDefinition, VolumeKind};
use crate::model::store::Engine;

/// What tells where one container keeps its data.
#[derive(Debug, Clone)]
pub enum Evidence<'a> {
    /// It is a proxy, agent or log router, or a cache: it keeps nothing.
    KeepsNothing,
    /// It uses a database outside of the task.
    LeadsOut {
        /// The database's engine, if that is not PostgreSQL.
        other_engine: Option<String>,
        /// Where the password comes from.
        password: Password<'a>,
    },
    /// It uses a database in the task.
    InTask {
        /// The engine.
        engine: Engine,
        /// The container that is the database; its own name, if that is its own.
        server: String,
        /// What the data lies on there.
        durability: Durability,
    },
    /// It keeps data in its own file system.
    Inside {
        /// What keeps it: `SQLite`, `PostgreSQL`.
        store: String,
        /// Whether that is PostgreSQL, and so a secret was meant.
        postgres: bool,
        /// Why that is known.
        why: String,
        /// What the data lies on.
        durability: Durability,
    },
    /// It does not start, or keeps nothing, without settings that it has not.
    Unset {
        /// Why that is known.
        why: String,
    },
    /// Something writable and durable is mounted, and nothing tells what it keeps there.
    Mounted {
        /// Where, and the volume: `/data (efs)`.
        mount: String,
    },
    /// Its settings are kept where Holdfast doesn't look.
    Hidden {
        /// Where: a clause.
        at: String,
    },
    /// Nothing tells.
    Nothing,
}

/// What a path in a container lies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Durability {
    /// A volume that outlives the task; where it is mounted.
    Durable(String),
    /// A directory of the container instance, which a task leaves when it moves.
    OneInstance(String),
    /// A kind of volume that isn't known.
    Unknown(String),
    /// The container's own file system, or a volume that is deleted with the task.
    Lost,
}

impl Durability {
    /// From what keeps data best to what loses it.
    #[must_use]
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Durable(_) => 0,
            Self::Unknown(_) => 1,
            Self::OneInstance(_) => 2,
            Self::Lost => 3,
        }
    }
}

/// What the first of `paths` that is on a volume lies on. `image_volumes` are volumes that the image declares: what is
/// mounted above one of them does not hold what is in it.
#[must_use]
pub fn durability(
    definition: &TaskDefinition,
    container: &Container,
    paths: &[String],
    image_volumes: &[String],
    fargate: bool,
) -> Durability {
    let holds = |mount: &str, path: &str| {
        let hides = |v: &String| is_at_or_above(v, path) && is_at_or_above(mount, v) && !is_at_or_above(v, mount);
        is_at_or_above(mount, path) && !image_volumes.iter().any(hides)
    };
    let mut best = Durability::Lost;
    for mount in container.mounts.iter().filter(|m| !m.read_only) {
        if !paths.iter().any(|p| holds(&mount.path, p)) {
            continue;
        }
        let place = format!("{} ({})", mount.path, mount.volume);
        // Of a list of containers alone, such as Terraform's `container_definitions`, the volumes are elsewhere.
        let volume = definition.volumes.iter().find(|v| v.name == mount.volume);
        match volume.map_or(VolumeKind::Other, |v| v.kind) {
            VolumeKind::Shared => return Durability::Durable(place),
            VolumeKind::DockerDriver if !fargate => return Durability::Durable(place),
            VolumeKind::Other => best = Durability::Unknown(place),
            VolumeKind::Host if !fargate && best == Durability::Lost => best = Durability::OneInstance(place),
            VolumeKind::DockerDriver | VolumeKind::Host | VolumeKind::Task | VolumeKind::TaskEbs => {}
        }
    }
    best
}

/// Whether `mount` is `path` or a directory above it.
fn is_at_or_above(mount: &str, path: &str) -> bool {
    let mut above = mount.split('/').filter(|p| !p.is_empty());
    let mut parts = path.split('/').filter(|p| !p.is_empty());
    above.all(|part| parts.next() == Some(part))
}

/// A container with what is known of it.
pub struct ContainerData<'a> {
    /// The container.
    pub container: &'a Container,
    /// Its connections.
    pub connections: Arc<Vec<ContainerConnection<'a>>>,
    /// What tells where it keeps its data.
    pub evidence: Evidence<'a>,
}

/// Whether a host is in the task itself: one of its containers, or the machine that they share.
#[must_use]
pub fn in_this_task(definition: &TaskDefinition, own: &Container, host: &str) -> bool {
    let named = |c: &Container| c.name.eq_ignore_ascii_case(host);
    is_local(host) || named(own) || definition.containers.iter().any(named)
}

/// Whether a host is the machine itself: a loopback address or a socket.
#[must_use]
pub fn is_local(host: &str) -> bool {
    let bare = host.trim_matches(['[', ']']);
    let loops = |ip: std::net::IpAddr| ip.is_loopback() || ip.is_unspecified();
    bare.is_empty() || bare.eq_ignore_ascii_case("localhost") || bare.starts_with('/') || bare.parse().is_ok_and(loops)
}
