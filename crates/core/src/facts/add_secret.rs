//! Gives a container its database secret, where something shows that the container reads it.
//!
//! A secret is never given because another service of the workload has one: a frontend, a proxy or a worker that does not
//! read the variable gains nothing by it, and the outcome would look like a correction.

use std::collections::BTreeSet;

use super::evidence::Evidence;
use super::rollout::{no_execution_role, roll_out};
use super::secrets::right_connection;
use super::workload::Workload;
use crate::action::SecretChange;
use crate::connection::container::{ContainerConnection, Source};
use crate::connection::families::{Purpose, Strength};
use crate::model::hold::HoldReason;
use crate::model::resources::{Container, Service, TaskDefinition, revision_name};
use crate::model::store::{Dialect, Engine, Role};
use crate::rule_result::Remedy;

/// A variable of a container that holds a whole connection string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reader {
    container: String,
    variable: String,
    dialect: Option<Dialect>,
}

/// One kind of evidence: the variables that it tells of for a container.
type EvidenceKind<'k> = dyn Fn(&Container) -> Vec<Reader> + 'k;

/// The correction that gives the running revision its database secret.
#[must_use]
pub fn add_secret(w: &Workload<'_>, service: &Service, definition: &TaskDefinition) -> Remedy {
    let summary = format!(
        "add the database secret to the task definition of {}/{}",
        service.cluster, service.name
    );
    let change = || -> Result<SecretChange, HoldReason> {
        let reader = reader(w, service, definition)?;
        let (after, connection) = right_connection(w)?;
        if !connection.faults_for(reader.dialect).is_empty() {
            return Err(HoldReason::OtherDialect {
                variable: reader.variable,
                container: reader.container,
            });
        }
        if definition.execution_role.is_none() {
            return Err(no_execution_role(definition));
        }
        Ok(SecretChange {
            container: reader.container,
            variable: reader.variable,
            before: None,
            after,
        })
    };
    match change() {
        Ok(change) => roll_out(w, service, summary, vec![change]),
        Err(why) => Remedy::refuse(summary, vec![], why),
    }
}

/// The one variable that a container is known to read the database's connection string from. Each kind of evidence counts
/// only where no better one tells anything.
fn reader(w: &Workload<'_>, service: &Service, definition: &TaskDefinition) -> Result<Reader, HoldReason> {
    let containers: Vec<&Container> = applications(w, service, definition);
    let kinds: [&EvidenceKind<'_>; 5] = [
        &|c| with_url(&w.connections(Some(service), c), c, |s| matches!(s, Source::Plain(_))),
        &|c| of_earlier(w, service, definition, c),
        &|c| of_siblings(w, service, c),
        &|c| of_family(w, c),
        &|c| of_configuration(w, service, c, is_only_essential(&containers, c)),
    ];
    for kind in kinds {
        let found: BTreeSet<Reader> = containers.iter().flat_map(|c| kind(c)).collect();
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (None, _) => {}
            (Some(only), None) => return Ok(only),
            (Some(_), Some(_)) => {
                return Err(HoldReason::ContainerUnclear(revision_name(&definition.arn).to_owned()));
            }
        }
    }
    Err(HoldReason::NoReaderKnown {
        revision: revision_name(&definition.arn).to_owned(),
        workload: w.name.to_owned(),
        service: service.name.clone(),
    })
}

/// Whether a container is the only one without which the task ends.
fn is_only_essential(all: &[&Container], container: &Container) -> bool {
    all.len() == 1 || (container.essential && all.iter().filter(|c| c.essential).count() == 1)
}

/// The containers that may be the application: no proxy, agent, log router, cache or database.
fn applications<'d>(w: &Workload<'_>, service: &Service, definition: &'d TaskDefinition) -> Vec<&'d Container> {
    let data = w.data_of(service, definition);
    let all = data.containers.iter();
    let serves = |c: &Container| w.family(&c.image).is_some_and(|(f, _)| f.serves.is_some());
    all.filter(|c| !matches!(c.evidence, Evidence::KeepsNothing) && !serves(c.container))
        .map(|c| c.container)
        .collect()
}

/// The variables of a container that hold a whole connection to PostgreSQL, or to an engine that isn't known.
fn with_url(
    connections: &[ContainerConnection<'_>],
    container: &Container,
    wanted: impl Fn(&Source<'_>) -> bool,
) -> Vec<Reader> {
    let useful = connections
        .iter()
        .filter(|c| c.keeps_data() && matches!(c.engine, Engine::Postgres | Engine::Unknown));
    useful
        .filter_map(|c| Some((c.settings.get(&Role::Url).filter(|s| wanted(&s.source))?, c.dialect)))
        .map(|(setting, dialect)| Reader {
            container: container.name.clone(),
            variable: setting.variable.to_owned(),
            dialect,
        })
        .collect()
}

const fn is_secret(source: &Source<'_>) -> bool {
    matches!(source, Source::Secret(_))
}

/// What an earlier revision of the service gave to the same image.
fn of_earlier(w: &Workload<'_>, service: &Service, definition: &TaskDefinition, container: &Container) -> Vec<Reader> {
    let Some(earlier) = w.snapshot.durable_revisions.get(&definition.arn) else {
        return vec![];
    };
    let mut same = earlier
        .containers
        .iter()
        .filter(|c| same_image(&c.image, &container.image));
    let found = same.find(|c| c.name == container.name).or_else(|| same.next());
    let found = found.map(|c| with_url(&w.connections(Some(service), c), container, is_secret));
    found.unwrap_or_default()
}

/// What other services of the workload give to the same image.
fn of_siblings(w: &Workload<'_>, service: &Service, container: &Container) -> Vec<Reader> {
    let others = w.services().unwrap_or_default().iter().filter(|s| s.arn != service.arn);
    let definitions = others.filter_map(|s| Some((*s, w.running(s).ok()?)));
    let containers = definitions.flat_map(|(s, d)| d.containers.iter().map(move |c| (s, c)));
    containers
        .filter(|(_, c)| same_image(&c.image, &container.image))
        .flat_map(|(s, c)| with_url(&w.connections(Some(s), c), container, is_secret))
        .collect()
}

/// Whether two images are of one repository. A tag says which build of it, and a digest too.
fn same_image(a: &str, b: &str) -> bool {
    let repository = |image: &str| -> String {
        let image = image.split('@').next().unwrap_or(image);
        let at = image.rfind('/').map_or(0, |i| i + 1);
        let end = image[at..].find(':').map_or(image.len(), |i| at + i);
        image[..end].to_owned()
    };
    !a.is_empty() && repository(a) == repository(b)
}

/// What the image's own family reads, where nothing else has to be set for it.
fn of_family(w: &Workload<'_>, container: &Container) -> Vec<Reader> {
    let Some((family, Strength::Exact | Strength::Rehosted)) = w.family(&container.image) else {
        return vec![];
    };
    if family.selector.is_some() {
        return vec![];
    }
    let main = family.connections.iter().find(|c| c.purpose == Purpose::Database);
    let main = main.filter(|c| c.engine.as_ref().is_none_or(|e| e.0 == Engine::Postgres));
    let variable = main.and_then(|c| c.variables.url.first().map(|v| (v, c)));
    variable
        .map(|(variable, connection)| Reader {
            container: container.name.clone(),
            variable: variable.clone(),
            dialect: family.dialect_of(connection),
        })
        .into_iter()
        .collect()
}

/// What the configuration says of the service's containers, if there is no doubt which one it means.
fn of_configuration(w: &Workload<'_>, service: &Service, container: &Container, alone: bool) -> Vec<Reader> {
    let variable = w.database_env(Some(service)).into_iter().find_map(|entry| entry.url);
    variable
        .filter(|_| alone)
        .map(|variable| Reader {
            container: container.name.clone(),
            variable,
            dialect: None,
        })
        .into_iter()
        .collect()
}
