//! Which kind each reason is of.

use super::code::HoldCode;
use super::reason::HoldReason;

impl HoldReason {
    /// Which kind of reason it is.
    #[must_use]
    pub fn code(&self) -> HoldCode {
        match self {
            Self::NoRemedy | Self::NoCalls => HoldCode::Manual,
            Self::UnknownFinding(_)
            | Self::ClusterUnknown(_)
            | Self::GuardedUnknown { .. }
            | Self::PathsUnknown { .. }
            | Self::ParameterGroupUsersUnknown { .. }
            | Self::DatabasesUnknown(_)
            | Self::SecretsUnknown(_)
            | Self::RightSecretUnknown(_)
            | Self::SecretValueUnknown { .. }
            | Self::SecretDatabaseUnknown(_)
            | Self::ScopeNotRead(_) => HoldCode::Incomplete,
            Self::Waived(_) => HoldCode::Waived,
            Self::NotOptedIn(_) => HoldCode::OptIn,
            Self::AuditByTag(_) | Self::AuditByRule(_) => HoldCode::Audit,
            Self::RiskNotAllowed(_) => HoldCode::Risk,
            Self::TooManyFailing { .. } => HoldCode::TooManyFailing,
            Self::OutsideOfWindows(_) | Self::NoWindow => HoldCode::Window,
            Self::Untagged { .. } => HoldCode::Untagged,
            Self::GuardsOthers { .. }
            | Self::CutsOff(_)
            | Self::SourceShared { .. }
            | Self::ParameterGroupShared { .. }
            | Self::ConnectsWithoutTls(_) => HoldCode::Consumers,
            Self::DatabaseNotAvailable { .. } | Self::ChangesPending { .. } => HoldCode::DatabaseBusy,
            Self::DeploymentUnderWay(_) | Self::RevisionInUse { .. } => HoldCode::Deployment,
            Self::DeployedByOthers { .. }
            | Self::ExpressService(_)
            | Self::StrategyUnknown { .. }
            | Self::UnknownFields { .. }
            | Self::BaseInactive { .. }
            | Self::ClassicLoadBalancer(_)
            | Self::SecretElsewhere { .. }
            | Self::SecretReplica(_) => HoldCode::Unsupported,
            Self::NoExecutionRole(_)
            | Self::ExecutionRoleDenied { .. }
            | Self::NoTaskRole(_)
            | Self::TaskRoleDenied { .. }
            | Self::TaskRoleMissing(_) => HoldCode::Permission,
            Self::NoRightSecret { .. }
            | Self::SecretBeingDeleted(_)
            | Self::NoSecretValue(_)
            | Self::SecretMalformed(_)
            | Self::SecretOfOtherDatabase(_)
            | Self::NoUsableKey(_)
            | Self::PlainMalformed(_)
            | Self::NoRightValue(_)
            | Self::OtherDialect { .. }
            | Self::PlainDiffers { .. } => HoldCode::Secret,
            Self::SeveralReferences(_)
            | Self::SeveralKeys(_)
            | Self::NoReaderKnown { .. }
            | Self::ContainerUnclear(_) => HoldCode::Ambiguous,
            Self::Paused(_) | Self::PauseUnreadable { .. } => HoldCode::Pause,
            Self::LeaseOfAnother(_) | Self::LeaseUnconfirmed(_) => HoldCode::Lease,
            Self::UnderWay(_) | Self::UnderWayElsewhere { .. } => HoldCode::UnderWay,
            Self::Cooldown(_) => HoldCode::Cooldown,
            Self::Fight { .. } => HoldCode::Fight,
            Self::BudgetSpent(_) => HoldCode::Budget,
            Self::EndUnsaved | Self::PastUnknown | Self::LedgerUnusable(_) => HoldCode::Ledger,
            Self::NotBegun(reason) => reason.code(),
            Self::HeldNow { code, .. } => *code,
            Self::NotNeeded | Self::Changed => HoldCode::Changed,
            Self::Stopped => HoldCode::Stopped,
        }
    }
}
