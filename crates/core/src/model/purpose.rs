//! What corrections are about: which may not be under way together, and which are the same one again.

use super::remediation::{Action, Database, DatabaseSetting, ServiceSetting};

impl Action {
    /// What it changes: two corrections of the same target are never under way at once.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::ClosePublicAccess { instance } => format!("db:{instance}"),
            Self::RaiseRetention { database, .. } | Self::Configure { database, .. } => match database {
                Database::Instance(id) => format!("db:{id}"),
                Database::Cluster(id) => format!("cluster:{id}"),
            },
            Self::ForceTls { of_cluster, group } => format!("parameters:{of_cluster}:{group}"),
            Self::RevokeIngress { group, rule } => format!("group:{group}:{}", rule.id),
            Self::AllowIngress { group, source, port } => format!("group:{group}:{source}:{port}"),
            Self::RestoreSecret { secret } => format!("secret:{secret}"),
            Self::Deregister { revision } => format!("revision:{revision}"),
            Self::SetUpService { cluster, service, .. }
            | Self::RollOut { cluster, service, .. }
            | Self::RollBack { cluster, service, .. } => format!("service:{cluster}/{service}"),
        }
    }

    /// What it is for, whatever stands there now: undone and asked for again, it is the same correction, although a
    /// rule that was made anew has another id and a service has another revision.
    #[must_use]
    pub fn purpose(&self) -> String {
        match self {
            Self::ClosePublicAccess { .. } => format!("{} private", self.target()),
            Self::RevokeIngress { group, rule } => format!("group:{group} without {}", rule.describe()),
            Self::RaiseRetention { .. } => format!("{} backups", self.target()),
            Self::Configure { setting, .. } => {
                let setting = match setting {
                    DatabaseSetting::DeletionProtection => "deletion protection",
                    DatabaseSetting::MaxAllocatedStorage { .. } => "storage ceiling",
                    DatabaseSetting::MinorVersionUpgrades => "minor version upgrades",
                };
                format!("{} {setting}", self.target())
            }
            Self::SetUpService { setting, .. } => {
                let setting = match setting {
                    ServiceSetting::CircuitBreaker => "circuit breaker",
                    ServiceSetting::ExecuteCommand => "execute command",
                };
                format!("{} {setting}", self.target())
            }
            Self::RollOut { changes, .. } => {
                let changes: Vec<String> = changes
                    .iter()
                    .map(|c| format!("{} {}={}", c.container, c.variable, c.after))
                    .collect();
                format!("{} with {}", self.target(), changes.join(" "))
            }
            Self::RollBack { .. } => format!("{} back", self.target()),
            Self::ForceTls { .. }
            | Self::AllowIngress { .. }
            | Self::RestoreSecret { .. }
            | Self::Deregister { .. } => self.target(),
        }
    }
}
