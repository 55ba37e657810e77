//! The hops of a path, in order.

use super::hop::{Hop, Status};
use super::hop_result::{HopResult, past};
use super::walk::Walk;
use super::{database, network, secret, service};

/// How far to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// After the first hop that is broken, none is reached.
    Broken,
    /// Every hop is checked, as far as the facts that it depends on are known.
    TheEnd,
}

type HopFn = for<'t, 'a> fn(&'t mut Walk<'a>) -> HopResult;

const STEPS: &[(&str, HopFn)] = &[
    ("service", service::service),
    ("revision", service::revision),
    ("variable", secret::variable),
    ("secret", secret::secret),
    ("url", secret::url),
    ("database", database::database),
    ("security-group", network::security_group),
    ("route", network::route),
    ("execution-role", service::execution_role),
    ("deployment", service::deployment),
    ("logs", service::logs),
];

/// Walks one path, hop by hop.
pub(super) fn hops(walk: &mut Walk<'_>, until: Until) -> Vec<Hop> {
    let mut broken: Option<&str> = None;
    let mut hops = vec![];
    for (name, step) in STEPS {
        let found = match broken {
            Some(at) => past(at),
            None => step(walk),
        };
        if found.status == Status::Broken && until == Until::Broken {
            broken = Some(name);
        }
        hops.push(found.named(name));
    }
    hops
}
