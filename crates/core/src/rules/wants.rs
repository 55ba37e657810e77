//! What else must be read to decide on a correction, once the first reads show that one may be due.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::ecs_exec_disabled::EXEC;
use super::rds_unenforced_tls::own_groups;
use super::rds_unreachable_from_service::to_open;
use super::{ecs_builtin_database, ecs_unsafe_rollback};
use crate::action::{Action, RollOut};
use crate::config::Config;
use crate::facts::{
    DatabaseView, Viewer, Workload, database_variables, holders, is_durable, offending, readable_as, right_reference,
};
use crate::model::judgement::Judgement;
use crate::model::snapshot::Snapshot;

/// What a second look should read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Security groups with an offending rule, or without one that should be there: what else do they guard?
    pub guarded: BTreeSet<String>,
    /// Running revisions that keep data in the container, with no secret to add: was an earlier one durable?
    pub earlier: BTreeSet<String>,
    /// Parameter groups of one's own, by whether they are clusters' and by name: do they force TLS?
    pub parameter_groups: BTreeSet<(bool, String)>,
    /// Secrets by ARN: whom does their resource policy let in?
    pub policies: BTreeSet<String>,
    /// Roles by ARN, with what they must be able to read (`*`: do what ECS Exec needs).
    pub access: BTreeMap<String, BTreeSet<String>>,
    /// Services by ARN: which revisions would a rollback choose?
    pub rollback_targets: BTreeSet<String>,
    /// Services by ARN: what do their logs say?
    pub logs: BTreeSet<String>,
}

/// What a second look at `snapshot` should read.
#[must_use]
pub fn wants(snapshot: &Snapshot, config: &Config, now: Timestamp) -> Wants {
    let mut wants = Wants::default();
    let viewer = Viewer::new(snapshot, config, now, None);
    let [rollbacks, logs, exec] =
        ["ecs-unsafe-rollback", "ecs-builtin-database", "ecs-exec-disabled"].map(|rule| config.judges_id(rule));
    let policies = config.judges_id("secret-broad-access");
    // Without the rule its permissions may not be there, so the precondition of rollouts goes with it.
    let access = config.judges_id("ecs-secret-unreadable");
    for w in viewer.all() {
        if policies {
            let open = holders(&w)
                .0
                .iter()
                .filter_map(|s| s.secret)
                .filter(|s| s.deleted_at.is_none());
            wants.policies.extend(open.map(|s| s.arn.clone()));
        }
        if access {
            want_access(&w, &mut wants.access);
        }
        for database in w.databases().unwrap_or_default() {
            for id in database.security_groups {
                let Ok(Some(group)) = w.group(id) else { continue };
                // Inside a window single addresses are allowed; at its end they are not, and that end may be now.
                let strict = DatabaseView {
                    phase: crate::model::tags::PhaseReading::MIGRATED,
                    ..database.clone()
                };
                if !offending(&w, group, &[&strict]).0.is_empty() {
                    wants.guarded.insert(id.clone());
                }
            }
        }
        if config.judges_id("rds-unreachable-from-service") {
            wants.guarded.extend(to_open(&w));
        }
        if config.judges_id("rds-unenforced-tls") {
            wants.parameter_groups.extend(own_groups(&w));
        }
        for &service in w.services().unwrap_or_default() {
            let Ok(definition) = w.running(service) else { continue };
            if rollbacks && ecs_unsafe_rollback::is_concerned(&w, service, definition) {
                wants.rollback_targets.insert(service.arn.clone());
            }
            if logs && ecs_builtin_database::is_concerned(&w, service, definition) {
                wants.logs.insert(service.arn.clone());
            }
            if let (true, Some(role)) = (exec, &definition.task_role) {
                wants.access.entry(role.clone()).or_default().insert(EXEC.to_owned());
            }
            if definition.revision > 1 && !is_durable(&w, definition, service.fargate) && right_reference(&w).is_err() {
                wants.earlier.insert(definition.arn.clone());
            }
        }
    }
    wants
}

/// The roles of a workload's services, with what their running revisions read and what a rollout would have them read.
fn want_access(w: &Workload<'_>, access: &mut BTreeMap<String, BTreeSet<String>>) {
    let mut want = |role: &str, reference: &str| {
        if let Ok(Some(resource)) = readable_as(w, reference) {
            access.entry(role.to_owned()).or_default().insert(resource.into_owned());
        }
    };
    for &service in w.services().unwrap_or_default() {
        let Ok(definition) = w.running(service) else { continue };
        let Some(role) = &definition.execution_role else {
            continue;
        };
        for (_, variable) in database_variables(w, definition) {
            want(role, &variable.value_from);
        }
    }
    let judgements = ROLLING_OUT.iter().flat_map(|rule| rule.judge(w));
    for action in judgements.flat_map(Judgement::actions) {
        let Action::RollOut(RollOut { base, changes, .. }) = action else {
            continue;
        };
        let Some(Ok(definition)) = w.snapshot.task_definitions.get(&base) else {
            continue;
        };
        for change in &changes {
            if let Some(role) = &definition.execution_role {
                want(role, &change.after);
            }
        }
    }
}

/// Rules whose corrections give a service another reference.
const ROLLING_OUT: &[&dyn super::rule::Rule] = &[
    &super::ecs_missing_database_secret::EcsMissingDatabaseSecret,
    &super::ecs_plaintext_database_url::EcsPlaintextDatabaseUrl,
    &super::ecs_secret_reference_mismatch::EcsSecretReferenceMismatch,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::connection::SecretShape;
    use crate::rules::testing::Change;
    use crate::rules::testing::secrets::{OTHER, PARAMETER_ARN, good, other, parameter, plain_url};
    use crate::rules::testing::workload::{ROLE, SECRET, clean, now, refer, web};

    fn set(resources: &[&str]) -> BTreeSet<String> {
        resources.iter().map(|r| (*r).to_owned()).collect()
    }

    /// What a look at the first reads asks for: the policies of all secrets that count, and for each role what it reads, or
    /// would after a rollout.
    #[test]
    fn what_else_is_read() {
        let wanted = |change: Change| {
            let mut s = clean();
            change(&mut s);
            wants(&s, &Config::default(), now())
        };
        let pair = |resources: &[&str]| BTreeMap::from([(ROLE.to_owned(), set(resources))]);
        let all = wanted(|s| {
            other(s);
        });
        assert_eq!(all.policies, set(&[SECRET, OTHER]));
        assert_eq!(all.access, pair(&[SECRET]));
        assert_eq!(
            wanted(|s| parameter(s, Some(SecretShape::Plain(good())))).access,
            pair(&[PARAMETER_ARN])
        );
        for change in [
            (|s| web(s).secrets.clear()) as Change,
            |s| plain_url(s, good()),
            |s| refer(s, "shop-url", None),
            |s| refer(s, SECRET.strip_suffix("-AbC123").expect("a suffix"), None),
        ] {
            assert_eq!(wanted(change).access, pair(&[SECRET]));
        }
        let mut config = Config::default();
        for rule in ["secret-broad-access", "ecs-secret-unreadable"] {
            config.rules.entry(rule.to_owned()).or_default().enabled = Some(false);
        }
        let none = wants(&clean(), &config, now());
        assert!(none.policies.is_empty() && none.access.is_empty());
    }
}
