//! What would correct a finding: exact calls, never a choice.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::policy::Risk;
use super::resources::IngressRule;

/// A database, as the calls that modify one tell them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Database {
    /// `DBInstanceIdentifier`.
    Instance(String),
    /// `DBClusterIdentifier`.
    Cluster(String),
}

/// One variable of one container, and the reference that it shall have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretChange {
    /// The container.
    pub container: String,
    /// The variable.
    pub variable: String,
    /// The reference now; absent if the variable is to be added.
    pub before: Option<String>,
    /// The reference to be.
    pub after: String,
}

/// One correction. Two findings that need the same one share it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Action {
    /// `ModifyDBInstance` with `PubliclyAccessible=false`.
    ClosePublicAccess {
        /// The instance.
        instance: String,
    },
    /// `RevokeSecurityGroupIngress` of one rule.
    RevokeIngress {
        /// `sg-...`
        group: String,
        /// The rule.
        rule: IngressRule,
    },
    /// `ModifyDBInstance` or `ModifyDBCluster` with `BackupRetentionPeriod`.
    RaiseRetention {
        /// The database.
        database: Database,
        /// Days now.
        from: i32,
        /// Days to be.
        to: i32,
    },
    /// `ModifyDBInstance` or `ModifyDBCluster` of one harmless field.
    Configure {
        /// The database.
        database: Database,
        /// What changes.
        setting: DatabaseSetting,
    },
    /// `ModifyDBParameterGroup` or `ModifyDBClusterParameterGroup` with `rds.force_ssl=1`.
    ForceTls {
        /// Whether the group is one of clusters.
        of_cluster: bool,
        /// The group's name.
        group: String,
    },
    /// `AuthorizeSecurityGroupIngress` of one port from one group.
    AllowIngress {
        /// The database's `sg-...`
        group: String,
        /// The service's `sg-...`
        source: String,
        /// The port.
        port: u16,
    },
    /// `RestoreSecret`.
    RestoreSecret {
        /// The secret's full ARN.
        secret: String,
    },
    /// `UpdateService` of one setting.
    SetUpService {
        /// The cluster's name.
        cluster: String,
        /// The service's name.
        service: String,
        /// What changes.
        setting: ServiceSetting,
    },
    /// `DeregisterTaskDefinition`.
    Deregister {
        /// ARN of the revision.
        revision: String,
    },
    /// `RegisterTaskDefinition` of the running revision with other references, then `UpdateService`.
    RollOut {
        /// The cluster's name.
        cluster: String,
        /// The service's name.
        service: String,
        /// ARN of the running revision.
        base: String,
        /// What differs, in order.
        changes: Vec<SecretChange>,
    },
    /// `UpdateService` to a revision that exists.
    RollBack {
        /// The cluster's name.
        cluster: String,
        /// The service's name.
        service: String,
        /// ARN of the running revision.
        from: String,
        /// ARN of the revision to run.
        to: String,
    },
}

/// A change of one field of a database that nobody notices: no connection is cut and nothing restarts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "field", content = "to")]
pub enum DatabaseSetting {
    /// `DeletionProtection=true`.
    DeletionProtection,
    /// `MaxAllocatedStorage`, in GiB.
    MaxAllocatedStorage {
        /// The ceiling now, if there is one.
        from: Option<i32>,
        /// The ceiling to be.
        to: i32,
    },
    /// `AutoMinorVersionUpgrade=true`.
    MinorVersionUpgrades,
}

/// A change of one setting of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceSetting {
    /// `deploymentCircuitBreaker` with `enable` and `rollback`. Nothing is deployed.
    CircuitBreaker,
    /// `enableExecuteCommand=true`. Running tasks get it when they are replaced, which a new deployment does.
    ExecuteCommand,
}

/// One AWS call as a person would read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// IAM prefix: `rds`, `ec2`, `ecs`.
    pub service: String,
    /// For instance `ModifyDBInstance`.
    pub operation: String,
    /// Its parameters. Of `RegisterTaskDefinition` only what differs from the revision it is based on.
    pub parameters: Value,
}

fn call(service: &str, operation: &str, parameters: Value) -> Call {
    Call {
        service: service.into(),
        operation: operation.into(),
        parameters,
    }
}

fn configure(database: &Database, setting: &DatabaseSetting) -> Call {
    let (operation, key, id) = match database {
        Database::Instance(id) => ("ModifyDBInstance", "DBInstanceIdentifier", id),
        Database::Cluster(id) => ("ModifyDBCluster", "DBClusterIdentifier", id),
    };
    // Each of these takes effect at once whatever ApplyImmediately says; true would carry out other pending changes.
    let mut parameters = json!({key: id, "ApplyImmediately": false});
    let (field, value) = match setting {
        DatabaseSetting::DeletionProtection => ("DeletionProtection", json!(true)),
        DatabaseSetting::MaxAllocatedStorage { to, .. } => ("MaxAllocatedStorage", json!(to)),
        DatabaseSetting::MinorVersionUpgrades => ("AutoMinorVersionUpgrade", json!(true)),
    };
    parameters[field] = value;
    call("rds", operation, parameters)
}

impl Action {
    /// The calls, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        match self {
            Self::ClosePublicAccess { instance } => vec![call(
                "rds",
                "ModifyDBInstance",
                json!({"DBInstanceIdentifier": instance, "PubliclyAccessible": false, "ApplyImmediately": false}),
            )],
            Self::RevokeIngress { group, rule } => vec![call(
                "ec2",
                "RevokeSecurityGroupIngress",
                json!({"GroupId": group, "SecurityGroupRuleIds": [rule.id]}),
            )],
            Self::RaiseRetention { database, to, .. } => {
                let (operation, key, id) = match database {
                    Database::Instance(id) => ("ModifyDBInstance", "DBInstanceIdentifier", id),
                    Database::Cluster(id) => ("ModifyDBCluster", "DBClusterIdentifier", id),
                };
                vec![call(
                    "rds",
                    operation,
                    json!({key: id, "BackupRetentionPeriod": to, "ApplyImmediately": true}),
                )]
            }
            Self::Configure { database, setting } => vec![configure(database, setting)],
            Self::ForceTls { of_cluster, group } => {
                let (operation, key) = if *of_cluster {
                    ("ModifyDBClusterParameterGroup", "DBClusterParameterGroupName")
                } else {
                    ("ModifyDBParameterGroup", "DBParameterGroupName")
                };
                let parameter =
                    json!({"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"});
                vec![call("rds", operation, json!({key: group, "Parameters": [parameter]}))]
            }
            Self::AllowIngress { group, source, port } => vec![call(
                "ec2",
                "AuthorizeSecurityGroupIngress",
                json!({"GroupId": group, "IpPermissions": [{
                    "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [{"GroupId": source}],
                }]}),
            )],
            Self::RestoreSecret { secret } => {
                vec![call("secretsmanager", "RestoreSecret", json!({"SecretId": secret}))]
            }
            Self::SetUpService {
                cluster,
                service,
                setting,
            } => {
                let parameters = match setting {
                    ServiceSetting::CircuitBreaker => json!({
                        "cluster": cluster, "service": service,
                        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
                    }),
                    ServiceSetting::ExecuteCommand => {
                        json!({"cluster": cluster, "service": service, "enableExecuteCommand": true})
                    }
                };
                vec![call("ecs", "UpdateService", parameters)]
            }
            Self::Deregister { revision } => {
                vec![call(
                    "ecs",
                    "DeregisterTaskDefinition",
                    json!({"taskDefinition": revision}),
                )]
            }
            Self::RollOut {
                cluster,
                service,
                base,
                changes,
            } => vec![
                call(
                    "ecs",
                    "RegisterTaskDefinition",
                    json!({"basedOn": base, "changes": changes}),
                ),
                call(
                    "ecs",
                    "UpdateService",
                    json!({"cluster": cluster, "service": service, "taskDefinition": "(the revision registered)"}),
                ),
            ],
            Self::RollBack {
                cluster, service, to, ..
            } => vec![call(
                "ecs",
                "UpdateService",
                json!({"cluster": cluster, "service": service, "taskDefinition": to}),
            )],
        }
    }

    /// What it costs the workload.
    #[must_use]
    pub fn risk(&self) -> Risk {
        match self {
            Self::RevokeIngress { .. }
            | Self::Configure { .. }
            | Self::ForceTls { .. }
            | Self::AllowIngress { .. }
            | Self::RestoreSecret { .. }
            | Self::Deregister { .. } => Risk::None,
            Self::SetUpService { setting, .. } => match setting {
                ServiceSetting::CircuitBreaker => Risk::None,
                ServiceSetting::ExecuteCommand => Risk::Brief,
            },
            // Switching backups on restarts the instance.
            // https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.Enabling.html
            Self::RaiseRetention { from: 0, .. } => Risk::Outage,
            Self::RaiseRetention { .. } => Risk::None,
            Self::ClosePublicAccess { .. } | Self::RollOut { .. } | Self::RollBack { .. } => Risk::Brief,
        }
    }

    /// One line: what changes, before → after.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::ClosePublicAccess { instance } => format!("{instance}: PubliclyAccessible true → false"),
            Self::RevokeIngress { group, rule } => {
                format!("{group}: ingress {} ({}) → revoked", rule.describe(), rule.id)
            }
            Self::RaiseRetention {
                database: Database::Instance(id) | Database::Cluster(id),
                from,
                to,
            } => {
                format!("{id}: BackupRetentionPeriod {from} → {to} days")
            }
            Self::Configure {
                database: Database::Instance(id) | Database::Cluster(id),
                setting,
            } => match setting {
                DatabaseSetting::DeletionProtection => format!("{id}: DeletionProtection false → true"),
                DatabaseSetting::MaxAllocatedStorage { from: None, to } => {
                    format!("{id}: MaxAllocatedStorage (none) → {to} GiB")
                }
                DatabaseSetting::MaxAllocatedStorage { from: Some(from), to } => {
                    format!("{id}: MaxAllocatedStorage {from} → {to} GiB")
                }
                DatabaseSetting::MinorVersionUpgrades => format!("{id}: AutoMinorVersionUpgrade false → true"),
            },
            Self::ForceTls { group, .. } => format!("{group}: rds.force_ssl → 1"),
            Self::AllowIngress { group, source, port } => {
                format!("{group}: ingress tcp {port} from {source} → allowed")
            }
            Self::RestoreSecret { secret } => format!("{secret}: scheduled for deletion → restored"),
            Self::SetUpService {
                cluster,
                service,
                setting,
            } => match setting {
                ServiceSetting::CircuitBreaker => {
                    format!("{cluster}/{service}: deployment circuit breaker with rollback off → on")
                }
                ServiceSetting::ExecuteCommand => format!("{cluster}/{service}: enableExecuteCommand false → true"),
            },
            Self::Deregister { revision } => format!("{}: ACTIVE → INACTIVE", revision_name(revision)),
            Self::RollOut {
                cluster,
                service,
                base,
                changes,
            } => {
                let changes: Vec<String> = changes
                    .iter()
                    .map(|c| {
                        let before = c.before.as_deref().unwrap_or("(none)");
                        format!("{}: {} {before} → {}", c.container, c.variable, c.after)
                    })
                    .collect();
                format!(
                    "{cluster}/{service}: new revision of {} with {}",
                    revision_name(base),
                    changes.join("; ")
                )
            }
            Self::RollBack {
                cluster,
                service,
                from,
                to,
            } => {
                format!(
                    "{cluster}/{service}: revision {} → {}",
                    revision_name(from),
                    revision_name(to)
                )
            }
        }
    }

    /// What must hold just before the calls, for a person to read. It is checked by judging and planning again from
    /// fresh reads: the same action must come out.
    #[must_use]
    pub fn preconditions(&self) -> Vec<String> {
        match self {
            Self::ClosePublicAccess { instance } => vec![
                format!("{instance} is available, publicly accessible, and not in a migration window"),
                "every service of the workload reaches it by a private path".into(),
            ],
            Self::RevokeIngress { group, rule } => vec![
                format!("{group} still has the rule {} ({})", rule.id, rule.describe()),
                "the group guards nothing but this workload's database".into(),
                "every service of the workload keeps a path to the database".into(),
            ],
            Self::RaiseRetention {
                database: Database::Instance(id) | Database::Cluster(id),
                from,
                ..
            } => {
                vec![format!(
                    "{id} is available, has a BackupRetentionPeriod of {from}, and has no other change pending"
                )]
            }
            Self::Configure {
                database: Database::Instance(id) | Database::Cluster(id),
                ..
            } => vec![format!("{id} is available and still lacks it")],
            Self::ForceTls { group, .. } => {
                vec![format!(
                    "{group} is a group of one's own, tagged, and used by this workload alone"
                )]
            }
            Self::AllowIngress { group, source, .. } => vec![
                format!("{group} guards a database of this workload, and no rule of it lets {source} in"),
                format!("{source} is a group of one of the workload's services"),
            ],
            Self::RestoreSecret { secret } => {
                vec![format!("{secret} is still scheduled for deletion, and referred to")]
            }
            Self::SetUpService { cluster, service, .. } => {
                vec![format!(
                    "{cluster}/{service} is deployed by ECS, and no deployment is under way"
                )]
            }
            Self::Deregister { revision } => vec![
                format!("no service runs {}", revision_name(revision)),
                "the running revision keeps its data outside of the container".into(),
            ],
            Self::RollOut {
                cluster, service, base, ..
            } => vec![
                format!(
                    "{cluster}/{service} still runs {}, and no deployment is under way",
                    revision_name(base)
                ),
                "the secret is well formed, leads to the workload's database, and can be read".into(),
            ],
            Self::RollBack {
                cluster,
                service,
                from,
                to,
            } => vec![
                format!(
                    "{cluster}/{service} still runs {}, and no deployment is under way",
                    revision_name(from)
                ),
                format!("{} still keeps its data outside of the container", revision_name(to)),
            ],
        }
    }
}

/// `family:revision` from the ARN of a task definition.
#[must_use]
pub fn revision_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
