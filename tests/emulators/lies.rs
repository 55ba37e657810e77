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
}

impl Lie {
    /// Whether `kind` tells it.
    pub fn on(self, kind: Kind) -> bool {
        match self {
            Self::EcsNeverSteady | Self::CircuitBreakerDropped | Self::TasksWithoutTime => kind == Kind::Moto,
            Self::OneEndpointForAll | Self::PrefixListSourceLost | Self::TasksWithoutInterfaces => {
                kind == Kind::Ministack
            }
            Self::ExitCodeZero | Self::NoServiceDeployments => true,
        }
    }
}

/// Rules that an emulator makes fail for every stack there is: off on it unless a case names them.
fn drowned(kind: Kind) -> &'static [&'static str] {
    if Lie::CircuitBreakerDropped.on(kind) {
        &["ecs-no-rollout-protection"]
    } else {
        &[]
    }
}

/// A configuration without the rules that `kind` makes fail for everyone.
pub fn undrowned(kind: Kind, yaml: &str) -> String {
    let asked = yaml;
    let mut yaml = yaml.to_owned();
    for rule in drowned(kind).iter().filter(|rule| !asked.contains(**rule)) {
        yaml = if yaml.contains("rules: {") {
            yaml.replacen("rules: {", &format!("rules: {{{rule}: {{enabled: false}}, "), 1)
        } else {
            format!("{yaml}\nrules: {{{rule}: {{enabled: false}}}}\n")
        };
    }
    yaml
}
