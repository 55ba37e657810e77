//! Logs, rollbacks, deployments, public tasks, ECS Exec.

use std::sync::Arc;

use super::super::{
    EXEC, REVISION, ROLE, SERVICE, ago, clean, db, denied, judged_by, now, running, service, shop, strict, tags, web,
};
use super::{Area, Change};
use crate::model::resources::{Access, Deployment, LogEvidence, LogMatch, PlainDatabase, TaskDefinition};
use crate::model::shared::Shared;
use crate::model::snapshot::Snapshot;

const BUILTIN: &str = "ecs-builtin-database";
const ROLLBACK: &str = "ecs-unsafe-rollback";
const PROTECTION: &str = "ecs-no-rollout-protection";
const FAILED: &str = "ecs-failed-deployment";
const PUBLIC: &str = "ecs-public-task";
const BALANCER: &str = "ecs-no-load-balancer";
const EXEC_OFF: &str = "ecs-exec-disabled";

/// The revision before the running one.
const BEFORE: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop:1";

fn log(s: &mut Snapshot) -> &mut LogEvidence {
    s.logs.get_mut(SERVICE).expect("there").as_mut().expect("read")
}

fn line(pattern: &str) -> LogMatch {
    LogMatch {
        pattern: pattern.into(),
        at: ago(2),
        stream: "/ecs/shop ecs/web/1".into(),
    }
}

/// The revision that a rollback would choose: the running one, otherwise.
fn before(s: &mut Snapshot, change: fn(&mut TaskDefinition)) {
    let mut definition = running(s).clone();
    (definition.arn, definition.revision, definition.tags) = (BEFORE.into(), 1, shop(&[]));
    change(&mut definition);
    s.rollback_targets.insert(SERVICE.into(), Ok(vec![BEFORE.into()]));
    s.task_definitions.insert(BEFORE.into(), Ok(Arc::new(definition)));
}

fn bare(definition: &mut TaskDefinition) {
    definition.containers[0].secrets.clear();
}

fn state(s: &mut Snapshot, state: &str, minutes: i64) {
    let primary = &mut service(s).deployments[0];
    primary.rollout_state = Some(state.into());
    primary.created_at = Some(now() - jiff::SignedDuration::from_mins(minutes));
}

/// A second deployment, of the revision before.
fn second(s: &mut Snapshot, running: i32) {
    let deployment = Deployment {
        id: "ecs-svc/0".into(),
        status: "ACTIVE".into(),
        task_definition: BEFORE.into(),
        running_count: running,
        ..service(s).deployments[0].clone()
    };
    service(s).deployments.push(deployment);
}

fn role(s: &mut Snapshot, access: Access) {
    s.access.insert((ROLE.into(), EXEC.into()), Ok(access));
}

/// What fails, and the rules that say so.
#[rustfmt::skip]
const FAILING: &[(&str, Change, &[&str])] = &[
    ("a built-in database", |s| log(s).builtin = Some(line("Using built-in PostgreSQL")), &[BUILTIN]),
    ("a connection after it", |s| { log(s).builtin = Some(line("sqlite://")); log(s).connected = Some(line("connected")); }, &[BUILTIN]),
    ("no connection", |s| strict(s), &[BUILTIN]),
    ("no log group", |s| { strict(s); log(s).groups.clear(); }, &[BUILTIN]),
    ("the revision before had no secret", |s| before(s, bare), &[ROLLBACK]),
    ("it had a plain URL", |s| before(s, |d| {
        bare(d);
        d.containers[0].plain_databases.push(PlainDatabase { variable: "DATABASE_URL".into(), external: true, connection: None });
    }), &[ROLLBACK]),
    ("it is not tagged", |s| before(s, |d| { bare(d); d.tags = tags(&[]); }), &[ROLLBACK]),
    ("it is still deployed", |s| { before(s, bare); second(s, 0); }, &[ROLLBACK]),
    ("no circuit breaker", |s| { service(s).circuit_breaker = false; service(s).circuit_breaker_rollback = false; }, &[PROTECTION]),
    ("no rollback", |s| service(s).circuit_breaker_rollback = false, &[PROTECTION]),
    ("alarms instead", |s| { service(s).circuit_breaker = false; service(s).alarm_rollback = true; }, &[PROTECTION]),
    ("a Classic Load Balancer", |s| { service(s).circuit_breaker = false; service(s).classic_balancer = true; }, &[PROTECTION]),
    ("a failed deployment", |s| state(s, "FAILED", 5), &[FAILED]),
    ("a deployment without end", |s| state(s, "IN_PROGRESS", 31), &[FAILED]),
    ("old tasks by deployments", |s| second(s, 1), &[FAILED]),
    ("old tasks by tasks", |s| { service(s).other_tasks.insert(BEFORE.into(), 1); }, &[FAILED]),
    ("public tasks", |s| service(s).assign_public_ip = true, &[PUBLIC]),
    ("public tasks after a window", |s| {
        service(s).assign_public_ip = true;
        db(s).tags = shop(&[("phase", "migrating"), ("migration-until", "2026-11-21T11:59:59Z")]);
    }, &[PUBLIC]),
    ("public tasks without a database", |s| { service(s).assign_public_ip = true; s.instances = Ok(Shared::new()); }, &[PUBLIC]),
    ("an address that changes", |s| { service(s).assign_public_ip = true; service(s).load_balanced = false; }, &[PUBLIC, BALANCER]),
    ("no way in", |s| service(s).exec_enabled = false, &[EXEC_OFF]),
    ("a role without ssmmessages", |s| role(s, Access::Denied { missing: vec!["ssmmessages:OpenDataChannel".into()] }), &[EXEC_OFF]),
    ("no way in, and a role without ssmmessages", |s| { service(s).exec_enabled = false; role(s, Access::NoRole); }, &[EXEC_OFF]),
    ("no way in, and a role of which nothing is known", |s| { service(s).exec_enabled = false; s.access.retain(|(_, what), _| what != EXEC); }, &[EXEC_OFF]),
    ("no task role", |s| running(s).task_role = None, &[EXEC_OFF]),
];

/// What passes.
#[rustfmt::skip]
const PASSING: &[(&str, Change)] = &[
    ("as it should be", |_| {}),
    ("logs elsewhere", |s| { web(s).log = None; s.logs.clear(); }),
    ("a connection", |s| { strict(s); log(s).connected = Some(line("connected")); }),
    ("a connection that may yet come", |s| { strict(s); log(s).since = Some(now() - jiff::SignedDuration::from_mins(10)); }),
    ("nothing runs to connect", |s| { strict(s); service(s).running_count = 0; }),
    ("the revision before was sound", |s| before(s, |_| {})),
    ("the revision before is deregistered", |s| before(s, |d| { bare(d); d.active = false; })),
    ("nothing to lose by a rollback", |s| { before(s, bare); web(s).secrets.clear(); }),
    ("the first revision", |s| { running(s).revision = 1; s.rollback_targets.clear(); }),
    ("CodeDeploy", |s| {
        let service = service(s);
        (service.circuit_breaker, service.deployment_controller) = (false, "CODE_DEPLOY".into());
        s.rollback_targets.clear();
        s.logs.clear();
    }),
    ("a deployment under way", |s| state(s, "IN_PROGRESS", 29)),
    ("a deployment under way, and tasks that can't be read", |s| { state(s, "IN_PROGRESS", 29); second(s, 1); service(s).unread_tasks = Some(denied("ListTasks")); }),
    ("another deployment without tasks", |s| second(s, 0)),
    ("no deployment known", |s| service(s).deployments.clear()),
    ("another controller's deployment", |s| service(s).deployments[0].rollout_state = None),
    ("public while migrating", |s| {
        service(s).assign_public_ip = true;
        db(s).tags = shop(&[("phase", "migrating"), ("migration-until", "2026-11-22T00:00:00Z")]);
    }),
    ("a role of which nothing is known", |s| s.access.clear()),
    ("a private service without a load balancer", |s| service(s).load_balanced = false),
];

/// What can't be told, and the rules that say so.
#[rustfmt::skip]
const UNKNOWN: &[(&str, Change, &[&str])] = &[
    ("services", |s| s.services = Err(denied("DescribeServices")), &[BUILTIN, ROLLBACK, PROTECTION, FAILED, PUBLIC, BALANCER, EXEC_OFF]),
    ("one service", |s| {
        let gone = s.services.as_mut().expect("read").remove(SERVICE).expect("there");
        s.unread_services.insert(gone.arn.clone(), ("shop".into(), denied("DescribeServices")));
    }, &[BUILTIN, ROLLBACK, PROTECTION, FAILED, PUBLIC, BALANCER, EXEC_OFF]),
    ("the revision", |s| { s.task_definitions.insert(REVISION.into(), Err(denied("DescribeTaskDefinition"))); }, &[BUILTIN, ROLLBACK, EXEC_OFF]),
    ("the log", |s| { s.logs.insert(SERVICE.into(), Err(denied("FilterLogEvents"))); }, &[BUILTIN]),
    ("a log that was not read", |s| s.logs.clear(), &[BUILTIN]),
    ("no log to tell of a connection", |s| { strict(s); web(s).log = None; }, &[BUILTIN]),
    ("what a rollback would choose", |s| { s.rollback_targets.insert(SERVICE.into(), Err(denied("ListServiceDeployments"))); }, &[ROLLBACK]),
    ("what a rollback would choose, not read", |s| s.rollback_targets.clear(), &[ROLLBACK]),
    ("the revision before", |s| { before(s, |_| {}); s.task_definitions.remove(BEFORE); }, &[ROLLBACK]),
    ("whether old tasks still run", |s| { second(s, 0); service(s).unread_tasks = Some(denied("ListTasks")); }, &[FAILED]),
    ("whether it is migrating", |s| { service(s).assign_public_ip = true; s.instances = Err(denied("DescribeDBInstances")); }, &[PUBLIC]),
    ("the role", |s| { s.access.insert((ROLE.into(), EXEC.into()), Err(denied("SimulatePrincipalPolicy"))); }, &[EXEC_OFF]),
];

/// The area.
pub(super) const AREA: Area = Area {
    rules: &[BUILTIN, ROLLBACK, PROTECTION, FAILED, PUBLIC, BALANCER, EXEC_OFF],
    failing: FAILING,
    passing: PASSING,
    unknown: UNKNOWN,
};

/// What is not done, and why.
#[test]
fn refused() {
    let refusal = |rule: &str, change: Change| {
        let mut s = clean();
        change(&mut s);
        let judged = judged_by(&s, &[rule]);
        let found = judged.findings.iter().find(|f| f.rule == rule).expect("it fails");
        let remediation = found.remediation.as_ref().expect("a remedy");
        (
            remediation
                .blocked_by
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            remediation.actions.len(),
        )
    };
    let (why, _) = refusal(ROLLBACK, |s| before(s, bare));
    assert_eq!(why, "");
    let (why, _) = refusal(ROLLBACK, |s| {
        before(s, |d| {
            bare(d);
            d.tags = tags(&[]);
        });
    });
    assert!(why.contains("shop:1 does not carry holdfast:workload=shop"), "{why}");
    let (why, _) = refusal(ROLLBACK, |s| {
        before(s, bare);
        second(s, 0);
    });
    assert!(why.contains("waits: main/shop runs shop:1"), "{why}");
    let off: Change = |s| service(s).circuit_breaker = false;
    assert_eq!(refusal(PROTECTION, off).0, "");
    let (why, _) = refusal(PROTECTION, |s| {
        service(s).circuit_breaker = false;
        service(s).tags = tags(&[("workload", "shop"), ("x", "y")]);
    });
    assert_eq!(why, "", "other tags do not matter");
    let (why, _) = refusal(PROTECTION, |s| {
        service(s).circuit_breaker = false;
        second(s, 1);
        state(s, "IN_PROGRESS", 5);
    });
    assert!(why.contains("under way"), "{why}");
    let (why, _) = refusal(PROTECTION, |s| {
        service(s).circuit_breaker = false;
        service(s).classic_balancer = true;
    });
    assert!(why.contains("Classic Load Balancer"), "{why}");
    let (why, actions) = refusal(EXEC_OFF, |s| {
        service(s).exec_enabled = false;
        role(s, Access::NoRole);
    });
    assert!(why.contains("does not exist"), "{why}");
    assert_eq!(actions, 1);
    let (why, actions) = refusal(EXEC_OFF, |s| role(s, Access::NoRole));
    assert_eq!(
        (why.as_str(), actions),
        ("", 0),
        "the flag is on; the role is a person's to mend"
    );
}
