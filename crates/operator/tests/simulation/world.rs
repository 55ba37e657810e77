//! The model of AWS: the resources of one account and region, and what each call does to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::action::{
    Action, ClosePublicAccess, ConfigureDatabase, DatabaseSetting, RaiseRetention, RestoreSecret, RevokeIngress,
    SecretChange,
};
use holdfast_core::model::cow_map::CowMap;
use holdfast_core::model::key::{Scope, Subject};
use holdfast_core::model::resources::{
    DatabaseId, DbInstance, Deployment, DeploymentProgress, Secret, SecurityGroup, Service, Subnet, TaskDefinition,
};
use holdfast_core::model::tags::Tags;
use jiff::Timestamp;

use crate::bounds::random_ms;

/// The tag that names the attempt which registered a revision.
pub const ATTEMPT: &str = "holdfast:attempt";
/// The workload without the tag. Nothing that has this in its name may be changed.
pub const UNTAGGED: &str = "other";

/// How deployments of a revision end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Succeeds,
    /// Its tasks don't start.
    Fails,
    /// They neither complete nor fail.
    Hangs,
}

/// A call that changes something, with all its arguments.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    Correct(Action),
    Register {
        base: String,
        changes: Vec<SecretChange>,
        workload: String,
        attempt: String,
    },
    RegisterTwin {
        base: String,
        workload: String,
        attempt: String,
    },
    Stop {
        deployment: String,
    },
    Deregister {
        revision: String,
    },
    Update {
        cluster: String,
        service: String,
        revision: String,
    },
}

impl Call {
    /// The resource that it changes.
    pub fn target(&self) -> String {
        match self {
            Self::Correct(action) => action.target(),
            Self::Register { attempt, .. } | Self::RegisterTwin { attempt, .. } => format!("attempt:{attempt}"),
            Self::Stop { deployment } => format!("deployment:{deployment}"),
            Self::Deregister { revision } => format!("revision:{revision}"),
            Self::Update { cluster, service, .. } => format!("service:{cluster}/{service}"),
        }
    }

    /// The resource that its event names. Nobody is sent an event of a new revision.
    pub fn subject(&self) -> Option<Subject> {
        let action = match self {
            Self::Update { cluster, service, .. } => {
                return Some(Subject::Service {
                    cluster: cluster.clone(),
                    service: service.clone(),
                });
            }
            Self::Register { .. } | Self::RegisterTwin { .. } | Self::Deregister { .. } | Self::Stop { .. } => {
                return None;
            }
            Self::Correct(action) => action,
        };
        Some(match action {
            Action::ClosePublicAccess(ClosePublicAccess { instance: id })
            | Action::RaiseRetention(RaiseRetention {
                database: DatabaseId::Instance(id),
                ..
            })
            | Action::ConfigureDatabase(ConfigureDatabase {
                database: DatabaseId::Instance(id),
                ..
            }) => Subject::DbInstance(id.clone()),
            Action::RevokeIngress(RevokeIngress { group, .. }) => Subject::SecurityGroup(group.clone()),
            Action::RestoreSecret(RestoreSecret { secret }) => Subject::Secret(secret.clone()),
            _ => return None,
        })
    }
}

/// What AWS does some time after a call.
#[derive(Debug, Clone)]
pub enum Consequence {
    /// The instance is no longer public.
    Private(String),
    /// The instance keeps backups for so many days.
    Retention(String, i32),
    /// The instance has deletion protection.
    Protected(String),
    /// The tasks of a deployment that shifts traffic run, and it goes on to bake.
    Started { service: String, deployment: String },
    /// CI deregisters a revision.
    Deregistered(String),
    /// The deployment ends, unless another one replaced it.
    Deployed { service: String, deployment: String },
}

/// The result of a call.
#[derive(Debug, Default)]
pub struct Applied {
    /// The ARN of the new revision.
    pub arn: Option<String>,
    /// Everything was already as the call asks.
    pub no_change: bool,
    /// What happens later, and after how long.
    pub consequences: Consequences,
}

pub type Consequences = Vec<(Duration, Consequence)>;

/// One account and region. A clone shares everything with the original, so each change keeps the state before it.
#[derive(Debug, Clone)]
pub struct World {
    pub scope: Scope,
    pub instances: CowMap<String, DbInstance>,
    /// Their rules are in order.
    pub groups: CowMap<String, SecurityGroup>,
    pub subnets: CowMap<String, Subnet>,
    /// By ARN.
    pub services: CowMap<String, Service>,
    /// By ARN.
    pub definitions: CowMap<String, Arc<TaskDefinition>>,
    /// By ARN.
    pub secrets: CowMap<String, Secret>,
    /// By revision.
    pub fates: CowMap<String, Fate>,
    /// The service of each deployment that ever began, by the deployment's ARN.
    pub deployed: CowMap<String, String>,
    /// The last revision of each service whose deployment completed.
    pub completed: CowMap<String, String>,
    /// The fate of the next revision that Holdfast registers.
    pub next_fate: Fate,
    pub last_number: u32,
}

impl World {
    /// A number for the ID of something new.
    pub fn next_number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    pub fn service_arn(&self, cluster: &str, service: &str) -> String {
        self.scope.arn("ecs", &format!("service/{cluster}/{service}"))
    }

    /// Executes a call.
    ///
    /// # Errors
    /// The error code of AWS, when nothing was changed.
    pub fn apply(&mut self, call: &Call, now: Timestamp) -> Result<Applied, &'static str> {
        match call {
            Call::Correct(action) => self.correct(action),
            Call::Register {
                base,
                changes,
                workload,
                attempt,
            } => self.register(base, changes, workload, Some(attempt)),
            Call::RegisterTwin {
                base,
                workload,
                attempt,
            } => self.register(base, &[], workload, Some(attempt)),
            Call::Stop { deployment } => self.stop(deployment, now),
            Call::Deregister { revision } => self.deregister(revision),
            Call::Update {
                cluster,
                service,
                revision,
            } => {
                let arn = self.service_arn(cluster, service);
                self.deploy(&arn, revision, now)
            }
        }
    }

    fn correct(&mut self, action: &Action) -> Result<Applied, &'static str> {
        let mut applied = Applied::default();
        match action {
            Action::ClosePublicAccess(ClosePublicAccess { instance }) => {
                let db = self.modifiable(instance)?;
                applied.no_change = !db.publicly_accessible;
                if db.publicly_accessible {
                    db.status = "modifying".into();
                    applied
                        .consequences
                        .push((random_ms(500, 40_000), Consequence::Private(instance.clone())));
                }
            }
            Action::RaiseRetention(RaiseRetention {
                database: DatabaseId::Instance(id),
                to,
                ..
            }) => {
                let db = self.modifiable(id)?;
                applied.no_change = db.backup_retention_days >= *to;
                if !applied.no_change {
                    db.status = "modifying".into();
                    applied
                        .consequences
                        .push((random_ms(500, 20_000), Consequence::Retention(id.clone(), *to)));
                }
            }
            Action::ConfigureDatabase(ConfigureDatabase {
                database: DatabaseId::Instance(id),
                setting: DatabaseSetting::DeletionProtection,
            }) => {
                let db = self.modifiable(id)?;
                applied.no_change = db.deletion_protection;
                if fastrand::bool() {
                    db.deletion_protection = true;
                } else {
                    applied
                        .consequences
                        .push((random_ms(100, 10_000), Consequence::Protected(id.clone())));
                }
            }
            Action::RevokeIngress(RevokeIngress { group, rule }) => {
                let group = self.groups.get_mut(group).ok_or("InvalidGroup.NotFound")?;
                let before = group.ingress.len();
                group.ingress.retain(|r| r.id != rule.id);
                if group.ingress.len() == before {
                    // EC2's code for a rule that no longer exists.
                    return Err("InvalidSecurityGroupRuleId.NotFound");
                }
            }
            Action::RestoreSecret(RestoreSecret { secret }) => {
                let secret = self.secrets.get_mut(secret).ok_or("ResourceNotFoundException")?;
                applied.no_change = secret.deleted_at.take().is_none();
            }
            other => panic!("the world has no {other:?}"),
        }
        Ok(applied)
    }

    fn modifiable(&mut self, id: &str) -> Result<&mut DbInstance, &'static str> {
        let db = self.instances.get_mut(id).ok_or("DBInstanceNotFound")?;
        if db.status == "available" {
            Ok(db)
        } else {
            Err("InvalidDBInstanceState")
        }
    }

    /// Registers a new revision of the family of `base`, with `changes` made to its secrets. A revision that people
    /// register succeeds.
    pub fn register(
        &mut self,
        base: &str,
        changes: &[SecretChange],
        workload: &str,
        attempt: Option<&str>,
    ) -> Result<Applied, &'static str> {
        let mut definition = TaskDefinition::clone(self.definitions.get(base).ok_or("ClientException")?);
        for change in changes {
            for variable in definition.containers.iter_mut().flat_map(|c| &mut c.secrets) {
                if variable.name == change.variable {
                    variable.value_from.clone_from(&change.after);
                }
            }
        }
        let newest = self.definitions.values().filter(|d| d.family == definition.family);
        definition.revision = newest.map(|d| d.revision).max().unwrap_or_default() + 1;
        definition.arn = self.scope.arn(
            "ecs",
            &format!("task-definition/{}:{}", definition.family, definition.revision),
        );
        definition.active = true;
        definition.tags = Tags(BTreeMap::from([("holdfast:workload".to_owned(), workload.to_owned())]));
        if let Some(attempt) = attempt {
            definition.tags.0.insert(ATTEMPT.into(), attempt.into());
        }
        let arn = definition.arn.clone();
        self.fates.insert(
            arn.clone(),
            if attempt.is_some() {
                self.next_fate
            } else {
                Fate::Succeeds
            },
        );
        self.definitions.insert(arn.clone(), Arc::new(definition));
        Ok(Applied {
            arn: Some(arn),
            ..Applied::default()
        })
    }

    /// Takes a revision out of use: no service can be given it any more.
    pub fn deregister(&mut self, revision: &str) -> Result<Applied, &'static str> {
        let definition = self.definitions.get_mut(revision).ok_or("ClientException")?;
        let no_change = !definition.active;
        Arc::make_mut(definition).active = false;
        Ok(Applied {
            no_change,
            ..Applied::default()
        })
    }

    /// Rolls back a deployment that shifts traffic, as `StopServiceDeployment` does: ECS goes back to the revision that
    /// served before, whether or not it is registered still.
    fn stop(&mut self, deployment: &str, now: Timestamp) -> Result<Applied, &'static str> {
        let found = self
            .services
            .values()
            .find(|s| s.service_deployment.as_deref() == Some(deployment));
        let arn = found
            .map(|s| s.arn.clone())
            .ok_or("ServiceDeploymentNotFoundException")?;
        let back = self.completed.get(&arn).cloned().ok_or("ConflictException")?;
        self.start(&arn, &back, now)
    }

    /// Starts a deployment of `revision`, as `UpdateService` does.
    pub fn deploy(&mut self, arn: &str, revision: &str, now: Timestamp) -> Result<Applied, &'static str> {
        if !self.definitions.get(revision).is_some_and(|d| d.active) {
            return Err("ClientException");
        }
        self.start(arn, revision, now)
    }

    fn start(&mut self, arn: &str, revision: &str, now: Timestamp) -> Result<Applied, &'static str> {
        let number = self.next_number();
        let fate = self.fates.get(revision).copied().unwrap_or(Fate::Succeeds);
        let service = self.services.get_mut(arn).ok_or("ServiceNotFoundException")?;
        if service.task_definition == revision {
            return Ok(Applied {
                no_change: true,
                ..Applied::default()
            });
        }
        let deployment = format!("ecs-svc/{number}");
        revision.clone_into(&mut service.task_definition);
        service.service_deployment = Some(format!("service-deployment/{number}"));
        self.deployed
            .insert(format!("service-deployment/{number}"), arn.to_owned());
        let shifts = service.deployment_settings.strategy.shifts_traffic();
        service.progress = shifts.then(|| DeploymentProgress {
            arn: format!("service-deployment/{number}"),
            status: "IN_PROGRESS".into(),
            ..DeploymentProgress::default()
        });
        let bake = service.deployment_settings.allowance().unsigned_abs();
        // ECS drops a deployment that has no running task.
        service.deployments.retain(|d| d.running_count > 0);
        for old in &mut service.deployments {
            old.status = "ACTIVE".into();
        }
        service.deployments.insert(
            0,
            Deployment {
                id: deployment.clone(),
                status: "PRIMARY".into(),
                task_definition: revision.to_owned(),
                rollout_state: Some("IN_PROGRESS".into()),
                rollout_reason: None,
                desired_count: service.desired_count,
                running_count: 0,
                failed_tasks: 0,
                created_at: Some(now),
                updated_at: Some(now),
            },
        );
        let end = Consequence::Deployed {
            service: arn.to_owned(),
            deployment: deployment.clone(),
        };
        let service = arn.to_owned();
        let start = Consequence::Started { service, deployment };
        let consequences = match fate {
            Fate::Succeeds if shifts => {
                let started = random_ms(2_000, 60_000);
                vec![(started, start), (started + bake, end)]
            }
            Fate::Succeeds => vec![(random_ms(2_000, 60_000), end)],
            _ => vec![(random_ms(10_000, 90_000), end)],
        };
        Ok(Applied {
            consequences,
            ..Applied::default()
        })
    }

    /// Does what follows from an earlier call. Returns what changed, and what follows from that.
    pub fn apply_consequence(&mut self, consequence: &Consequence, now: Timestamp) -> (Option<Subject>, Consequences) {
        match consequence {
            Consequence::Private(id) | Consequence::Retention(id, _) | Consequence::Protected(id) => {
                let Some(db) = self.instances.get_mut(id) else {
                    return (None, vec![]);
                };
                db.status = "available".into();
                match consequence {
                    Consequence::Retention(_, days) => db.backup_retention_days = *days,
                    Consequence::Protected(_) => db.deletion_protection = true,
                    _ => db.publicly_accessible = false,
                }
                (Some(Subject::DbInstance(id.clone())), vec![])
            }
            Consequence::Deregistered(revision) => {
                let _ = self.deregister(revision);
                (None, vec![])
            }
            Consequence::Started { service, deployment } => {
                let service = self.services.get_mut(service);
                let primary = service.and_then(|s| s.deployments.first_mut());
                if let Some(primary) = primary.filter(|d| d.id == *deployment) {
                    primary.running_count = primary.desired_count;
                }
                (None, vec![])
            }
            Consequence::Deployed { service, deployment } => self.end_deployment(service, deployment, now),
        }
    }

    fn end_deployment(&mut self, arn: &str, id: &str, now: Timestamp) -> (Option<Subject>, Consequences) {
        let Some(service) = self.services.get_mut(arn) else {
            return (None, vec![]);
        };
        let subject = Subject::Service {
            cluster: service.cluster.clone(),
            service: service.name.clone(),
        };
        let Some(primary) = service.deployments.first_mut().filter(|d| d.id == id) else {
            return (None, vec![]);
        };
        let revision = primary.task_definition.clone();
        primary.updated_at = Some(now);
        let mut consequences = vec![];
        match self.fates.get(&revision).copied().unwrap_or(Fate::Succeeds) {
            Fate::Succeeds => {
                primary.rollout_state = Some("COMPLETED".into());
                primary.running_count = primary.desired_count;
                service.deployments.truncate(1);
                service.progress = None;
                self.completed.insert(arn.to_owned(), revision);
            }
            Fate::Hangs => return (None, vec![]),
            Fate::Fails if !service.circuit_breaker => primary.failed_tasks = 3,
            Fate::Fails => {
                primary.rollout_state = Some("FAILED".into());
                primary.rollout_reason = Some("tasks failed to start".into());
                let back = self
                    .completed
                    .get(arn)
                    .filter(|_| service.circuit_breaker_rollback)
                    .cloned();
                if let Some(back) = back {
                    // ECS lists a failed deployment for a while. Here a running task keeps it listed.
                    primary.running_count = 1;
                    consequences = self.deploy(arn, &back, now).map(|a| a.consequences).unwrap_or_default();
                }
            }
        }
        (Some(subject), consequences)
    }

    /// Whether the service has one deployment, which is complete.
    pub fn is_steady(service: &Service) -> bool {
        let [only] = service.deployments.as_slice() else {
            return false;
        };
        only.rollout_state.as_deref() == Some("COMPLETED") && only.running_count == only.desired_count
    }
}
