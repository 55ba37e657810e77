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
    /// CloudWatch by the SDK's protocol, RPC v2 CBOR: moto answers 404.
    NoCborForCloudWatch,
}

impl Lie {
    /// Whether `kind` tells it.
    pub fn on(self, kind: Kind) -> bool {
        match self {
            Self::EcsNeverSteady | Self::NoCborForCloudWatch => kind == Kind::Moto,
            Self::OneEndpointForAll | Self::PrefixListSourceLost => kind == Kind::Ministack,
        }
    }
}
