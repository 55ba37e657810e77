//! Where the services of a workload keep their data, and what a person declared of it.

use std::sync::Arc;

use super::container_data::Look;
use super::evidence::ContainerData;
use super::service_data::{Declared, ServiceData};
use super::workload::Workload;
use crate::config::{DatabaseEnv, Datastore, ServiceOverrides};
use crate::connection::container::ContainerConnection;
use crate::connection::families::{Family, Strength};
use crate::connection::grammar::role_of;
use crate::connection::grouped::connections;
use crate::model::resources::{Container, Service, TaskDefinition};
use crate::model::snapshot::Read;
use crate::model::store::Role;
use crate::model::tags::Tags;

impl<'a> Workload<'a> {
    /// What was declared of a service and a revision of it.
    #[must_use]
    pub fn declared(&self, service: &Service, definition: &TaskDefinition) -> Declared {
        let tag = |tags: &Tags| datastore_tag(tags, self.prefix);
        let own = tag(&service.tags).or_else(|| tag(&definition.tags));
        let own = own.or_else(|| self.overrides(service)?.datastore);
        let alone = || self.services().is_ok_and(|all| all.len() == 1);
        Declared {
            datastore: own.unwrap_or(self.params.datastore),
            of_service: own.is_some() || alone(),
        }
    }

    /// The connections of a container, of `service` or of no service in particular.
    #[must_use]
    pub fn connections<'d>(&self, service: Option<&Service>, container: &'d Container) -> Vec<ContainerConnection<'d>> {
        connections(container, &self.database_env(service), &self.vocabulary)
    }

    /// The connections of each container of a revision, which for the one that a service of the workload runs are known.
    #[must_use]
    pub fn connections_of(
        &self,
        service: Option<&Service>,
        definition: &'a TaskDefinition,
    ) -> Vec<(&'a Container, Arc<Vec<ContainerConnection<'a>>>)> {
        let running = service.filter(|s| self.running(s).is_ok_and(|d| std::ptr::eq(d, definition)));
        if let Some(data) = running.and_then(|s| self.data(s).ok()) {
            return data
                .containers
                .iter()
                .map(|c| (c.container, Arc::clone(&c.connections)))
                .collect();
        }
        let all = definition.containers.iter();
        all.map(|c| (c, Arc::new(self.connections(service, c)))).collect()
    }

    /// The entries of the configuration for a service.
    pub(super) fn database_env(&self, service: Option<&Service>) -> Vec<DatabaseEnv> {
        let own = service
            .and_then(|s| self.overrides(s))
            .and_then(|o| o.database_env.as_ref());
        // One that is a password or user by its name holds no connection string, whatever the list says.
        let parts = |name: &&String| matches!(role_of(name).map(|n| n.role), Some(Role::Password | Role::User));
        let urls = self
            .params
            .secret_env
            .iter()
            .filter(|name| !parts(name))
            .map(|name| DatabaseEnv {
                url: Some(name.clone()),
                ..DatabaseEnv::default()
            });
        own.unwrap_or(&self.params.database_env)
            .iter()
            .cloned()
            .chain(urls)
            .collect()
    }

    fn overrides(&self, service: &Service) -> Option<&'a ServiceOverrides> {
        self.own?.services.get(&service.name)
    }

    /// Where a revision keeps data when `service` runs it.
    #[must_use]
    pub fn data_of<'d>(&self, service: &Service, definition: &'d TaskDefinition) -> ServiceData<'d> {
        let own = self.overrides(service).and_then(|o| o.data_paths.clone());
        let paths = own.unwrap_or_else(|| self.params.data_paths.clone());
        let look = Look {
            w: self,
            definition,
            fargate: service.fargate,
            paths: &paths,
        };
        let containers = definition.containers.iter().map(|container| {
            let connections = self.connections(Some(service), container);
            ContainerData {
                evidence: look.evidence(container, &connections),
                container,
                connections: Arc::new(connections),
            }
        });
        ServiceData {
            declared: self.declared(service, definition),
            containers: containers.collect(),
            fargate: service.fargate,
            definition,
            paths,
        }
    }

    /// Where the revision that a service runs keeps its data.
    ///
    /// # Errors
    /// What kept the revision from being read.
    pub fn data(&self, service: &Service) -> Read<Arc<ServiceData<'a>>> {
        let definition = self.running(service)?;
        let services = self.index.services.of(self.place);
        let own = self.memo.data.get_or_init(|| {
            let data = |s: &&Service| Some(Arc::new(self.data_of(s, self.running(s).ok()?)));
            services.iter().map(data).collect()
        });
        let known = services.iter().zip(own).find(|(s, _)| std::ptr::eq(**s, service));
        let known = known.and_then(|(_, data)| data.clone());
        Ok(known.unwrap_or_else(|| Arc::new(self.data_of(service, definition))))
    }

    /// The family of an image, and how well the image tells it.
    #[must_use]
    pub fn family(&self, image: &str) -> Option<(&Family, Strength)> {
        let found = self.vocabulary.families().of_image(image)?;
        Some((found.family, found.strength))
    }
}

/// What `holdfast:datastore` says. A value that isn't valid says nothing.
fn datastore_tag(tags: &Tags, prefix: &str) -> Option<Datastore> {
    match tags.get(prefix, "datastore")?.trim() {
        "postgres" => Some(Datastore::Postgres),
        "volume" => Some(Datastore::Volume),
        "other" => Some(Datastore::Other),
        "none" => Some(Datastore::None),
        _ => None,
    }
}
