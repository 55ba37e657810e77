//! Where an emulator does not do what AWS does. A test that expects less on one of them says why by these names.

use crate::stage::Kind;

/// Rows of EMULATORS.md, and what `lay_out.py` says they lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// "ECS service reaches steady state, tasks start": never on moto.
    EcsNeverSteady,
    /// "RDS endpoint": every instance of ministack is `localhost:5432`.
    OneEndpointForAll,
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
}

impl Lie {
    /// Whether `kind` tells it.
    pub fn on(self, kind: Kind) -> bool {
        match self {
            Self::EcsNeverSteady | Self::RestorePointIsNow => kind == Kind::Moto,
            Self::OneEndpointForAll
            | Self::PrefixListSourceLost
            | Self::Ipv6RouteLost
            | Self::MinorVersionUpgradesStay
            | Self::FlagsOfReplicasLost => kind == Kind::Ministack,
        }
    }
}
