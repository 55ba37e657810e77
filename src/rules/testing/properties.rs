//! Every correction, carried out on a model of its resource, makes its own rule pass and no other fail.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::cases::FAILING;
use super::{clean, judged, rules_with, service};
use crate::model::finding::Verdict;
use crate::model::remediation::{Action, Database};
use crate::model::resources::{SecretVariable, TaskDefinition};
use crate::model::snapshot::Snapshot;

/// What AWS would make of it.
fn carry_out(s: &mut Snapshot, action: &Action) {
    match action {
        Action::ClosePublicAccess { instance } => {
            s.instances
                .as_mut()
                .expect("read")
                .get_mut(instance)
                .expect("there")
                .publicly_accessible = false;
        }
        Action::RevokeIngress { group, rule } => {
            s.security_groups
                .as_mut()
                .expect("read")
                .get_mut(group)
                .expect("there")
                .ingress
                .retain(|r| r.id != rule.id);
        }
        Action::RaiseRetention {
            database: Database::Instance(id),
            to,
            ..
        } => {
            s.instances
                .as_mut()
                .expect("read")
                .get_mut(id)
                .expect("there")
                .backup_retention_days = *to;
        }
        Action::RaiseRetention {
            database: Database::Cluster(id),
            to,
            ..
        } => {
            s.clusters
                .as_mut()
                .expect("read")
                .get_mut(id)
                .expect("there")
                .backup_retention_days = *to;
        }
        Action::RollOut { base, changes, .. } => {
            let mut definition = TaskDefinition::clone(s.task_definitions[base].as_ref().expect("read"));
            definition.revision += 1;
            definition.arn = format!("{base}0");
            for change in changes {
                let container = definition
                    .containers
                    .iter_mut()
                    .find(|c| c.name == change.container)
                    .expect("there");
                container.secrets.retain(|v| v.name != change.variable);
                container.secrets.push(SecretVariable {
                    name: change.variable.clone(),
                    value_from: change.after.clone(),
                });
            }
            service(s).task_definition.clone_from(&definition.arn);
            s.task_definitions
                .insert(definition.arn.clone(), Ok(Arc::new(definition)));
        }
        Action::RollBack { from, to, .. } => {
            let earlier = Arc::clone(&s.durable_revisions[from]);
            service(s).task_definition.clone_from(to);
            s.task_definitions.insert(to.clone(), Ok(earlier));
        }
    }
}

#[test]
fn each_correction_corrects_and_breaks_nothing() {
    let mut corrected = BTreeSet::new();
    for (name, change, _) in FAILING {
        let mut before = clean();
        change(&mut before);
        let judged_before = judged(&before);
        let failing = rules_with(&judged_before, Verdict::Fail);
        for finding in &judged_before.findings {
            let Some(remediation) = finding.remediation.as_ref().filter(|r| r.blocked_by.is_none()) else {
                continue;
            };
            if remediation.actions.is_empty() {
                continue;
            }
            corrected.insert(finding.rule.clone());
            let mut after = before.clone();
            for action in &remediation.actions {
                carry_out(&mut after, action);
            }
            let judged_after = judged(&after);
            let left = rules_with(&judged_after, Verdict::Fail);
            assert!(
                !left.contains(&finding.rule),
                "{name}: {} is not corrected: {:#?}",
                finding.rule,
                judged_after.findings
            );
            assert!(left.is_subset(&failing), "{name}: {} breaks {left:?}", finding.rule);
            assert!(
                rules_with(&judged_after, Verdict::Unknown).is_empty(),
                "{name}: {:#?}",
                judged_after.findings
            );
        }
    }
    let acting: BTreeSet<String> = crate::rules::REGISTRY
        .iter()
        .map(|r| r.meta())
        .filter(|m| !m.writes.is_empty())
        .map(|m| m.id.to_owned())
        .collect();
    assert_eq!(corrected, acting, "each rule that acts is seen to correct something");
}

/// Where there is no secret to add, the service goes back to the last revision that kept its data.
#[test]
fn going_back_keeps_the_data() {
    let mut s = clean();
    let durable = TaskDefinition {
        arn: format!("{}1", super::REVISION),
        revision: 1,
        ..super::running(&mut s).clone()
    };
    super::web(&mut s).secrets.clear();
    s.secrets = Ok(std::collections::BTreeMap::new());
    s.durable_revisions.insert(super::REVISION.into(), Arc::new(durable));
    let found = judged(&s);
    let finding = found
        .findings
        .iter()
        .find(|f| f.rule == "ecs-ephemeral-storage")
        .expect("ephemeral");
    let actions = &finding.remediation.as_ref().expect("a remedy").actions;
    assert!(matches!(actions.as_slice(), [Action::RollBack { .. }]), "{finding:#?}");
    carry_out(&mut s, &actions[0]);
    assert!(!rules_with(&judged(&s), Verdict::Fail).contains("ecs-ephemeral-storage"));
}
