//! Where a service keeps its data: what its containers tell, and what a person declared.

use super::evidence::{ContainerData, Durability, Evidence};
use crate::config::Datastore;
use crate::connection::container::{ContainerConnection, Password};
use crate::model::resources::{Container, TaskDefinition, revision_name};
use crate::model::store::Engine;

/// What was declared of a service, and how narrowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// The declaration.
    pub datastore: Datastore,
    /// Whether it can mean no other service: by its tag, that of its task definition, `services` of the configuration, or
    /// because the workload has no other.
    pub of_service: bool,
}

/// Where one revision of a service keeps its data.
pub struct ServiceData<'a> {
    /// What was declared.
    pub declared: Declared,
    /// Its containers, in order.
    pub containers: Vec<ContainerData<'a>>,
    /// `data_paths`.
    pub(super) paths: Vec<String>,
    pub(super) fargate: bool,
    pub(super) definition: &'a TaskDefinition,
}

/// What `ecs-ephemeral-storage` says of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// It keeps nothing, or something else is asked of it.
    NotEvaluated,
    /// Its data outlives the task.
    Kept,
    /// It does not.
    Lost(Loss),
    /// Nothing tells; a sentence that says what would.
    Unknown(String),
}

/// How data is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The container that keeps it; absent if none does.
    pub container: Option<String>,
    /// A clause: `grafana keeps it in SQLite (GF_DATABASE_TYPE is not set)`.
    pub how: String,
    /// Whether it outlives the task on the disk of one container instance.
    pub on_one_instance: bool,
}

/// What `ecs-missing-database-secret` says of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseSecret {
    /// It needs none.
    NotEvaluated,
    /// It has one, or IAM gives the login.
    Given,
    /// It has none; a clause that says why it needs one.
    Missing(String),
    /// Nothing tells; a sentence that says what would.
    Unknown(String),
}

impl<'a> ServiceData<'a> {
    /// The connections that lead to the data of the service: neither to caches nor to queues.
    pub fn data_connections(&self) -> impl Iterator<Item = (&'a Container, &ContainerConnection<'a>)> {
        let all = self
            .containers
            .iter()
            .flat_map(|c| c.connections.iter().map(move |found| (c.container, found)));
        all.filter(|(_, c)| c.keeps_data())
    }

    /// What `ecs-ephemeral-storage` says. `earlier` is an earlier revision that kept its data, if there is one; `tells`
    /// is the key or tag that would tell.
    #[must_use]
    pub fn storage(&self, earlier: Option<&str>, tells: &str) -> Storage {
        match self.declared.datastore {
            Datastore::None | Datastore::Other => return Storage::NotEvaluated,
            Datastore::Volume => return self.on_volume(),
            Datastore::Auto | Datastore::Postgres => {}
        }
        if let Some(loss) = self.containers.iter().find_map(loss) {
            return Storage::Lost(loss);
        }
        let kept = |e: &Evidence<'_>| match e {
            Evidence::LeadsOut { .. } => true,
            Evidence::InTask { durability, .. } | Evidence::Inside { durability, .. } => {
                matches!(durability, Durability::Durable(_))
            }
            Evidence::KeepsNothing
            | Evidence::Unset { .. }
            | Evidence::Mounted { .. }
            | Evidence::Hidden { .. }
            | Evidence::Nothing => false,
        };
        if self.containers.iter().any(|c| kept(&c.evidence)) {
            return Storage::Kept;
        }
        if self
            .containers
            .iter()
            .any(|c| matches!(c.evidence, Evidence::Unset { .. }))
            || self.keeps_nothing()
        {
            return Storage::NotEvaluated;
        }
        if let Some(why) = self.doubt() {
            return Storage::Unknown(self.sentence(&why, tells));
        }
        if let Some(how) = self.without_evidence(earlier) {
            return Storage::Lost(Loss {
                container: None,
                how,
                on_one_instance: false,
            });
        }
        Storage::Unknown(self.sentence("nothing in its task definition tells", tells))
    }

    /// What `ecs-missing-database-secret` says. The arguments are those of [`storage`](Self::storage).
    #[must_use]
    pub fn database_secret(&self, earlier: Option<&str>, tells: &str) -> DatabaseSecret {
        match self.declared.datastore {
            Datastore::None | Datastore::Other | Datastore::Volume => return DatabaseSecret::NotEvaluated,
            Datastore::Auto | Datastore::Postgres => {}
        }
        let mut passwords = self.containers.iter().filter_map(|c| match &c.evidence {
            Evidence::LeadsOut {
                other_engine: None,
                password,
            } => Some((c.container, *password)),
            _ => None,
        });
        let given = |(_, p): &(&Container, Password<'_>)| matches!(p, Password::Secret(_) | Password::Iam);
        if passwords.clone().any(|p| given(&p)) {
            return DatabaseSecret::Given;
        }
        // `ecs-plaintext-database-url` speaks of it: the application has its database.
        if passwords.clone().any(|(_, p)| matches!(p, Password::Plain(_))) {
            return DatabaseSecret::NotEvaluated;
        }
        if let Some(missing) = self.containers.iter().find_map(missing) {
            return DatabaseSecret::Missing(missing);
        }
        if let Some((container, _)) = passwords.next() {
            let why = format!(
                "{} leads to a database, and nothing tells where its password comes from (IAM, a file, the image)",
                container.name
            );
            return DatabaseSecret::Unknown(self.sentence(&why, tells));
        }
        let other = |e: &Evidence<'_>| {
            matches!(
                e,
                Evidence::LeadsOut {
                    other_engine: Some(_),
                    ..
                } | Evidence::InTask { .. }
                    | Evidence::Inside { .. }
            )
        };
        if self.containers.iter().any(|c| other(&c.evidence)) || self.keeps_nothing() {
            return DatabaseSecret::NotEvaluated;
        }
        if let Some(why) = self.doubt() {
            return DatabaseSecret::Unknown(self.sentence(&why, tells));
        }
        if let Some(how) = self.without_evidence(earlier) {
            return DatabaseSecret::Missing(how);
        }
        DatabaseSecret::Unknown(self.sentence("nothing in its task definition tells", tells))
    }

    /// How this revision would lose the data of a service that keeps it now, by `running`, if it would: a clause.
    #[must_use]
    pub fn loses_data(&self, running: &str) -> Option<String> {
        match self.storage(Some(running), "") {
            Storage::Lost(loss) => Some(format!("keeps its data in the container: {}", loss.how)),
            Storage::Kept | Storage::NotEvaluated | Storage::Unknown(_) => {
                match self.database_secret(Some(running), "") {
                    DatabaseSecret::Missing(why) => Some(format!("gets no database secret: {why}")),
                    DatabaseSecret::NotEvaluated | DatabaseSecret::Given | DatabaseSecret::Unknown(_) => None,
                }
            }
        }
    }

    /// Whether no container tells anything of where data is.
    #[must_use]
    pub fn has_no_evidence(&self) -> bool {
        let silent = |e: &Evidence<'_>| matches!(e, Evidence::Nothing | Evidence::KeepsNothing);
        self.containers.iter().all(|c| silent(&c.evidence))
    }

    /// Whether each container is known to keep nothing.
    fn keeps_nothing(&self) -> bool {
        self.containers
            .iter()
            .all(|c| matches!(c.evidence, Evidence::KeepsNothing))
    }

    /// Why nothing can be said, if something is known that keeps it from being said.
    fn doubt(&self) -> Option<String> {
        self.containers.iter().find_map(|c| match &c.evidence {
            Evidence::Hidden { at } => Some(format!("of {}, {at}", c.container.name)),
            Evidence::Mounted { mount } => Some(format!("{} has {mount}, and may keep it there", c.container.name)),
            Evidence::InTask {
                durability: Durability::Unknown(place),
                ..
            }
            | Evidence::Inside {
                durability: Durability::Unknown(place),
                ..
            } => Some(format!("whether {place} outlives the task is not known")),
            _ => None,
        })
    }

    /// Why a service without any evidence must be missing something, if it must.
    fn without_evidence(&self, earlier: Option<&str>) -> Option<String> {
        if let Some(earlier) = earlier {
            return Some(format!(
                "{} had what leads to its data, and it has not",
                revision_name(earlier)
            ));
        }
        (self.declared.of_service && self.declared.datastore == Datastore::Postgres)
            .then(|| "its datastore is declared as postgres, and no container gets settings of a database".to_owned())
    }

    fn sentence(&self, why: &str, tells: &str) -> String {
        format!(
            "where {} keeps its data is unknown: {why}; {tells}",
            revision_name(&self.definition.arn)
        )
    }

    /// A service that was declared to keep its data on a volume.
    fn on_volume(&self) -> Storage {
        let mut best: Option<(Durability, &Container)> = None;
        for data in &self.containers {
            if matches!(data.evidence, Evidence::KeepsNothing) {
                continue;
            }
            let container = data.container;
            let any: Vec<String> = container.mounts.iter().map(|m| m.path.clone()).collect();
            let paths = if self.paths.is_empty() { &any } else { &self.paths };
            let found = super::evidence::durability(self.definition, container, paths, &[], self.fargate);
            if best.as_ref().is_none_or(|(known, _)| found.rank() < known.rank()) {
                best = Some((found, container));
            }
        }
        match best {
            Some((Durability::Durable(_), _)) => Storage::Kept,
            Some((Durability::Unknown(place), _)) => {
                Storage::Unknown(format!("whether the volume at {place} outlives the task is not known"))
            }
            Some((found, container)) => Storage::Lost(Loss {
                how: match &found {
                    Durability::OneInstance(place) => {
                        format!(
                            "{} keeps it at {place}, on the disk of one container instance",
                            container.name
                        )
                    }
                    _ if self.paths.is_empty() => "no container has a durable, writable volume".to_owned(),
                    _ => format!("no durable, writable volume is mounted at {}", self.paths.join(" or ")),
                },
                on_one_instance: matches!(found, Durability::OneInstance(_)),
                container: Some(container.name.clone()),
            }),
            None => Storage::NotEvaluated,
        }
    }
}

/// How a container loses its data, if it does.
fn loss(data: &ContainerData<'_>) -> Option<Loss> {
    let name = &data.container.name;
    let (what, durability) = match &data.evidence {
        Evidence::InTask { server, durability, .. } if server == name => {
            (format!("{name} leads to a database inside of itself"), durability)
        }
        Evidence::InTask { server, durability, .. } => (
            format!("{name} keeps it in the container {server} of the same task"),
            durability,
        ),
        Evidence::Inside {
            store, why, durability, ..
        } => (format!("{name} keeps it in {store} ({why})"), durability),
        _ => return None,
    };
    match durability {
        Durability::Lost => Some(Loss {
            container: Some(name.clone()),
            how: what,
            on_one_instance: false,
        }),
        Durability::OneInstance(place) => Some(Loss {
            container: Some(name.clone()),
            how: format!("{what}, at {place} on the disk of one container instance"),
            on_one_instance: true,
        }),
        Durability::Durable(_) | Durability::Unknown(_) => None,
    }
}

/// Why a container must be missing a database secret, if it must.
fn missing(data: &ContainerData<'_>) -> Option<String> {
    let name = &data.container.name;
    match &data.evidence {
        Evidence::InTask {
            engine: Engine::Postgres,
            server,
            durability: Durability::Lost,
        } => Some(if server == name {
            format!("{name} leads to a PostgreSQL inside of itself")
        } else {
            format!("{name} leads to the PostgreSQL of the container {server}")
        }),
        Evidence::Inside {
            postgres: true,
            store,
            why,
            durability: Durability::Lost,
        } => Some(format!("{name} uses {store} inside of its container ({why})")),
        Evidence::Unset { why } => Some(format!("{name} has no settings of a database ({why})")),
        _ => None,
    }
}
