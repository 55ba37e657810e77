//! Where an emulator does not do what AWS does. A test that expects less on one of them says why by these names.

use crate::test_env::Kind;

/// Rows of EMULATORS.md, and what `lay_out.py` says they lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// "ECS service reaches steady state, tasks start": never on moto.
    EcsNeverSteady,
    /// "RDS endpoint": every instance of ministack is `localhost:5432`.
    OneEndpointForAll,
    /// "`SimulatePrincipalPolicy`": moto answers HTTP 500.
    NoSimulator,
    /// ministack loses the source of prefix-list rules.
    PrefixListSourceLost,
    /// ministack loses the destination of IPv6 routes.
    Ipv6RouteLost,
    /// "`ModifyDBInstance`, applied at once": all but `AutoMinorVersionUpgrade` on ministack.
    MinorVersionUpgradesStay,
    /// ministack takes the flags of a read replica from its source, whatever it is created with.
    FlagsOfReplicasLost,
    /// moto says at each look that a database can be restored to this very instant.
    RestorePointIsNow,
    /// "enableExecuteCommand, circuit breaker kept": dropped by moto.
    CircuitBreakerDropped,
    /// "`RunTask` / `StopTask` exit code and reason": 0 whatever happened, and no stop code, on moto; on ministack nothing ends by
    /// itself, and what is stopped has 0 too.
    ExitCodeZero,
    /// moto has no `ListServiceDeployments` (HTTP 500), and ministack no deployments to list.
    NoServiceDeployments,
    /// Tasks of moto have no `createdAt`.
    TasksWithoutTime,
    /// Tasks of ministack have no network interfaces without Docker.
    TasksWithoutInterfaces,
    /// ministack loses the private DNS of an interface endpoint.
    PrivateDnsLost,
    /// CloudWatch by the SDK's protocol, RPC v2 CBOR: moto answers 404.
    NoCborForCloudWatch,
    /// `TransactWriteItems` of moto copies the whole table before each write and puts it back if a condition fails: of two at
    /// once, one fails with HTTP 500, or loses what the other wrote.
    TransactionsMix,
}

impl Quirk {
    /// Whether `kind` tells it.
    pub fn on(self, kind: Kind) -> bool {
        match self {
            Self::EcsNeverSteady
            | Self::TransactionsMix
            | Self::NoCborForCloudWatch
            | Self::NoSimulator
            | Self::RestorePointIsNow
            | Self::CircuitBreakerDropped
            | Self::TasksWithoutTime => kind == Kind::Moto,
            Self::OneEndpointForAll
            | Self::PrefixListSourceLost
            | Self::Ipv6RouteLost
            | Self::MinorVersionUpgradesStay
            | Self::FlagsOfReplicasLost
            | Self::PrivateDnsLost
            | Self::TasksWithoutInterfaces => kind == Kind::Ministack,
            Self::ExitCodeZero | Self::NoServiceDeployments => true,
        }
    }
}
