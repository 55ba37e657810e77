//! What is: one account and region of AWS, and what its calls do to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::action::{
    Action, ClosePublicAccess, ConfigureDatabase, DatabaseSetting, RaiseRetention, RestoreSecret, RevokeIngress,
    SecretChange,
};
use holdfast_core::model::key::{Scope, Subject};
use holdfast_core::model::resources::{
    DatabaseId, DbInstance, Deployment, Secret, SecurityGroup, Service, Subnet, TaskDefinition,
};
use holdfast_core::model::tags::Tags;
use jiff::Timestamp;

/// The tag of a revision that names the attempt which registered it.
pub const ATTEMPT: &str = "holdfast:attempt";
/// Whatever has this in its name is nobody's: nothing may change it.
pub const UNTAGGED: &str = "other";

/// What becomes of a deployment of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Good,
    /// Its tasks don't start.
    Fails,
    /// It neither completes nor fails.
    Hangs,
}

/// A call that changes something, whole.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    Correct(Action),
    Register {
        base: String,
        changes: Vec<SecretChange>,
        workload: String,
        attempt: String,
    },
    Update {
        cluster: String,
        service: String,
        revision: String,
    },
}

impl Call {
    /// What it changes.
    pub fn target(&self) -> String {
        match self {
            Self::Correct(action) => action.target(),
            Self::Register { attempt, .. } => format!("attempt:{attempt}"),
            Self::Update { cluster, service, .. } => format!("service:{cluster}/{service}"),
        }
    }
}

/// What happens by itself some time after a call.
#[derive(Debug, Clone)]
pub enum Later {
    Private(String),
    Retention(String, i32),
    Protected(String),
    Deployed { service: String, deployment: String },
}

/// What a call did.
#[derive(Debug, Default)]
pub struct Done {
    /// The ARN that AWS gave to what was registered.
    pub named: Option<String>,
    /// It was so before.
    pub no_change: bool,
    pub later: Vec<(Duration, Later)>,
}

/// One account and region.
#[derive(Debug, Clone)]
pub struct World {
    pub scope: Scope,
    pub instances: BTreeMap<String, DbInstance>,
    pub groups: BTreeMap<String, SecurityGroup>,
    pub subnets: BTreeMap<String, Subnet>,
    /// By ARN.
    pub services: BTreeMap<String, Service>,
    /// By ARN.
    pub definitions: BTreeMap<String, Arc<TaskDefinition>>,
    /// By ARN.
    pub secrets: BTreeMap<String, Secret>,
    /// By revision.
    pub fates: BTreeMap<String, Fate>,
    /// The revision of each service that completed last.
    pub completed: BTreeMap<String, String>,
    /// What the next revision is to become.
    pub next_fate: Fate,
    pub numbers: u32,
}

pub fn ms(from: u64, to: u64) -> Duration {
    Duration::from_millis(fastrand::u64(from..to))
}

impl World {
    pub fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    pub fn service_arn(&self, cluster: &str, service: &str) -> String {
        self.scope.arn("ecs", &format!("service/{cluster}/{service}"))
    }

    /// Carries out a call.
    ///
    /// # Errors
    /// AWS's error code; nothing was changed.
    pub fn apply(&mut self, call: &Call, now: Timestamp) -> Result<Done, &'static str> {
        match call {
            Call::Correct(action) => self.correct(action),
            Call::Register {
                base,
                changes,
                workload,
                attempt,
            } => self.register(base, changes, workload, Some(attempt)),
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

    fn correct(&mut self, action: &Action) -> Result<Done, &'static str> {
        let mut done = Done::default();
        match action {
            Action::ClosePublicAccess(ClosePublicAccess { instance }) => {
                let db = self.modifiable(instance)?;
                done.no_change = !db.publicly_accessible;
                if db.publicly_accessible {
                    db.status = "modifying".into();
                    done.later.push((ms(500, 40_000), Later::Private(instance.clone())));
                }
            }
            Action::RaiseRetention(RaiseRetention {
                database: DatabaseId::Instance(id),
                to,
                ..
            }) => {
                let db = self.modifiable(id)?;
                done.no_change = db.backup_retention_days >= *to;
                if !done.no_change {
                    db.status = "modifying".into();
                    done.later.push((ms(500, 20_000), Later::Retention(id.clone(), *to)));
                }
            }
            Action::ConfigureDatabase(ConfigureDatabase {
                database: DatabaseId::Instance(id),
                setting: DatabaseSetting::DeletionProtection,
            }) => {
                let db = self.modifiable(id)?;
                done.no_change = db.deletion_protection;
                if fastrand::bool() {
                    db.deletion_protection = true;
                } else {
                    done.later.push((ms(100, 10_000), Later::Protected(id.clone())));
                }
            }
            Action::RevokeIngress(RevokeIngress { group, rule }) => {
                let group = self.groups.get_mut(group).ok_or("InvalidGroup.NotFound")?;
                let before = group.ingress.len();
                group.ingress.retain(|r| r.id != rule.id);
                if group.ingress.len() == before {
                    // As EC2 says of a rule that is gone.
                    return Err("InvalidSecurityGroupRuleId.NotFound");
                }
            }
            Action::RestoreSecret(RestoreSecret { secret }) => {
                let secret = self.secrets.get_mut(secret).ok_or("ResourceNotFoundException")?;
                done.no_change = secret.deleted_at.take().is_none();
            }
            other => panic!("the world has no {other:?}"),
        }
        Ok(done)
    }

    fn modifiable(&mut self, id: &str) -> Result<&mut DbInstance, &'static str> {
        let db = self.instances.get_mut(id).ok_or("DBInstanceNotFound")?;
        if db.status == "available" {
            Ok(db)
        } else {
            Err("InvalidDBInstanceState")
        }
    }

    /// Registers a revision of `base`'s family with other references.
    pub fn register(
        &mut self,
        base: &str,
        changes: &[SecretChange],
        workload: &str,
        attempt: Option<&str>,
    ) -> Result<Done, &'static str> {
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
        definition.tags = Tags(BTreeMap::from([("holdfast:workload".to_owned(), workload.to_owned())]));
        if let Some(attempt) = attempt {
            definition.tags.0.insert(ATTEMPT.into(), attempt.into());
        }
        let arn = definition.arn.clone();
        self.fates
            .insert(arn.clone(), if attempt.is_some() { self.next_fate } else { Fate::Good });
        self.definitions.insert(arn.clone(), Arc::new(definition));
        Ok(Done {
            named: Some(arn),
            ..Done::default()
        })
    }

    /// Begins a deployment.
    pub fn deploy(&mut self, arn: &str, revision: &str, now: Timestamp) -> Result<Done, &'static str> {
        if !self.definitions.contains_key(revision) {
            return Err("ClientException");
        }
        let number = self.number();
        let fate = self.fates.get(revision).copied().unwrap_or(Fate::Good);
        let service = self.services.get_mut(arn).ok_or("ServiceNotFoundException")?;
        if service.task_definition == revision {
            return Ok(Done {
                no_change: true,
                ..Done::default()
            });
        }
        let deployment = format!("ecs-svc/{number}");
        revision.clone_into(&mut service.task_definition);
        // What never ran a task goes at once.
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
        let later = Later::Deployed {
            service: arn.to_owned(),
            deployment,
        };
        let after = match fate {
            Fate::Good => ms(2_000, 60_000),
            _ => ms(10_000, 90_000),
        };
        Ok(Done {
            later: vec![(after, later)],
            ..Done::default()
        })
    }

    /// Carries out what a call led to; what changed, and what comes of it.
    pub fn happen(&mut self, later: &Later, now: Timestamp) -> (Option<Subject>, Vec<(Duration, Later)>) {
        match later {
            Later::Private(id) | Later::Retention(id, _) | Later::Protected(id) => {
                let Some(db) = self.instances.get_mut(id) else {
                    return (None, vec![]);
                };
                db.status = "available".into();
                match later {
                    Later::Retention(_, days) => db.backup_retention_days = *days,
                    Later::Protected(_) => db.deletion_protection = true,
                    _ => db.publicly_accessible = false,
                }
                (Some(Subject::DbInstance(id.clone())), vec![])
            }
            Later::Deployed { service, deployment } => self.deployed(service, deployment, now),
        }
    }

    fn deployed(&mut self, arn: &str, id: &str, now: Timestamp) -> (Option<Subject>, Vec<(Duration, Later)>) {
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
        let mut later = vec![];
        match self.fates.get(&revision).copied().unwrap_or(Fate::Good) {
            Fate::Good => {
                primary.rollout_state = Some("COMPLETED".into());
                primary.running_count = primary.desired_count;
                service.deployments.truncate(1);
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
                    // Kept in sight, as ECS does for a while.
                    primary.running_count = 1;
                    later = self.deploy(arn, &back, now).map(|d| d.later).unwrap_or_default();
                }
            }
        }
        (Some(subject), later)
    }

    /// Whether the service runs one revision, and that well.
    pub fn is_steady(service: &Service) -> bool {
        let [only] = service.deployments.as_slice() else {
            return false;
        };
        only.rollout_state.as_deref() == Some("COMPLETED") && only.running_count == only.desired_count
    }
}
