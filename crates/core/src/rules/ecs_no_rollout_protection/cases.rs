//! What `ecs-no-rollout-protection` says, and of what it says nothing.

use crate::model::resources::Strategy;
use crate::model::snapshot::Snapshot;
use crate::rules::testing::services::{second, state};
use crate::rules::testing::workload::{service, tags};
use crate::rules::testing::{Case, Cases, Change, Unread, refusal_by};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no circuit breaker", |s| { service(s).circuit_breaker = false; service(s).circuit_breaker_rollback = false; }),
        Case::new("no rollback", |s| service(s).circuit_breaker_rollback = false),
        Case::new("alarms instead", |s| { service(s).circuit_breaker = false; service(s).alarm_rollback = true; }),
        Case::new("a Classic Load Balancer", |s| { service(s).circuit_breaker = false; service(s).classic_balancer = true; }),
    ],
    passing: &[
        Case::new("CodeDeploy", |s| {
            let service = service(s);
            (service.circuit_breaker, service.deployment_controller) = (false, "CODE_DEPLOY".into());
            s.rollback_targets.clear();
            s.logs.clear();
        }),
        Case::new("blue/green", |s| strategy(s, Strategy::BlueGreen)),
        Case::new("linear", |s| strategy(s, Strategy::Linear)),
        Case::new("canary", |s| strategy(s, Strategy::Canary)),
        Case::new("a strategy of tomorrow", |s| strategy(s, Strategy::Unknown("RAINBOW".into()))),
        Case::new("an Express service", |s| { service(s).circuit_breaker = false; service(s).deployment_settings.express = true; }),
    ],
    unknown: &[],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService],
};

fn strategy(s: &mut Snapshot, strategy: Strategy) {
    service(s).circuit_breaker = false;
    service(s).deployment_settings.strategy = strategy;
}

/// What is not done, and why.
#[test]
fn refused() {
    let off: Change = |s| service(s).circuit_breaker = false;
    assert_eq!(refusal_by(off, "ecs-no-rollout-protection"), "");
    let why = refusal_by(
        |s| {
            service(s).circuit_breaker = false;
            service(s).tags = tags(&[("workload", "shop"), ("x", "y")]);
        },
        "ecs-no-rollout-protection",
    );
    assert_eq!(why, "", "other tags do not matter");
    let why = refusal_by(
        |s| {
            service(s).circuit_breaker = false;
            second(s, 1);
            state(s, "IN_PROGRESS", 5);
        },
        "ecs-no-rollout-protection",
    );
    assert!(why.contains("under way"), "{why}");
    let why = refusal_by(
        |s| {
            service(s).circuit_breaker = false;
            service(s).classic_balancer = true;
        },
        "ecs-no-rollout-protection",
    );
    assert!(why.contains("Classic Load Balancer"), "{why}");
    let why = refusal_by(
        |s| {
            service(s).circuit_breaker = false;
            service(s).unknown_fields = vec!["deploymentConfiguration.rainbow".into()];
        },
        "ecs-no-rollout-protection",
    );
    assert!(why.contains("deploymentConfiguration.rainbow"), "{why}");
}
