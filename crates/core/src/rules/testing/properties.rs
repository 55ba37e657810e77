//! Every correction, carried out on a model of its resource, makes its own rule pass and no other fail.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::workload::{clean, evaluated_by, evaluation, service};
use super::{CASES, rules_with};
use crate::action::{
    Action, AllowIngress, ClosePublicAccess, ConfigureDatabase, DatabaseSetting, Deregister, ForceTls, RaiseRetention,
    Redeploy, RestoreSecret, RevokeIngress, RollBack, RollOut, ServiceSetting, SetUpService,
};
use crate::finding::Verdict;
use crate::model::cow_map::CowMap;
use crate::model::resources::{DatabaseId, DbInstance, SecretVariable, TaskDefinition};
use crate::model::snapshot::Snapshot;

fn instance<'a>(s: &'a mut Snapshot, id: &str) -> &'a mut DbInstance {
    s.instances.as_mut().expect("read").get_mut(id).expect("there")
}

/// What AWS would make of it.
#[allow(clippy::too_many_lines, reason = "one arm for each action")]
fn carry_out(s: &mut Snapshot, action: &Action) {
    match action {
        Action::ClosePublicAccess(ClosePublicAccess { instance: id }) => instance(s, id).publicly_accessible = false,
        Action::RevokeIngress(RevokeIngress { group, rule }) => {
            let groups = s.security_groups.as_mut().expect("read");
            groups
                .get_mut(group)
                .expect("there")
                .ingress
                .retain(|r| r.id != rule.id);
        }
        Action::Redeploy(Redeploy { cluster, service }) => {
            let services = s.services.as_mut().expect("read");
            let of = |x: &&mut crate::model::resources::Service| x.cluster == *cluster && x.name == *service;
            let service = services.values_mut().find(of).expect("there");
            for deployment in &mut service.deployments {
                deployment.created_at = Some(super::now());
            }
            let start = crate::model::resources::TaskStart {
                created: super::now(),
                started: super::now(),
            };
            s.task_starts.insert(service.arn.clone(), Ok(vec![start]));
        }
        Action::AllowIngress(AllowIngress { group, source, port }) => {
            let groups = s.security_groups.as_mut().expect("read");
            let mut rule = super::ingress("sgr-new", source);
            (rule.from_port, rule.to_port) = (Some(i32::from(*port)), Some(i32::from(*port)));
            groups.get_mut(group).expect("there").ingress.push(rule);
        }
        Action::RaiseRetention(RaiseRetention {
            database: DatabaseId::Instance(id),
            to,
            ..
        }) => instance(s, id).backup_retention_days = *to,
        Action::RaiseRetention(RaiseRetention {
            database: DatabaseId::Cluster(id),
            to,
            ..
        }) => {
            let clusters = s.clusters.as_mut().expect("read");
            clusters.get_mut(id).expect("there").backup_retention_days = *to;
        }
        Action::ConfigureDatabase(ConfigureDatabase {
            database: DatabaseId::Instance(id),
            setting,
        }) => match setting {
            DatabaseSetting::DeletionProtection => instance(s, id).deletion_protection = true,
            DatabaseSetting::MaxAllocatedStorage { to, .. } => instance(s, id).max_allocated_storage = Some(*to),
            DatabaseSetting::MinorVersionUpgrades => instance(s, id).auto_minor_upgrade = true,
        },
        Action::ConfigureDatabase(ConfigureDatabase {
            database: DatabaseId::Cluster(id),
            setting,
        }) => {
            let cluster = s.clusters.as_mut().expect("read").get_mut(id).expect("there");
            match setting {
                DatabaseSetting::DeletionProtection => cluster.deletion_protection = true,
                DatabaseSetting::MinorVersionUpgrades => cluster.auto_minor_upgrade = Some(true),
                DatabaseSetting::MaxAllocatedStorage { .. } => panic!("a cluster has no ceiling"),
            }
        }
        Action::ForceTls(ForceTls { of_cluster, group }) => {
            let seen = s
                .parameter_groups
                .get_mut(&(*of_cluster, group.clone()))
                .expect("there");
            seen.as_mut().expect("read").force_ssl = Some("1".into());
        }
        Action::RestoreSecret(RestoreSecret { secret }) => {
            let secrets = s.secrets.as_mut().expect("read");
            secrets.get_mut(secret).expect("there").deleted_at = None;
        }
        Action::SetUpService(SetUpService { setting, .. }) => match setting {
            ServiceSetting::CircuitBreaker => {
                service(s).circuit_breaker = true;
                service(s).circuit_breaker_rollback = true;
            }
            ServiceSetting::ExecuteCommand => service(s).exec_enabled = true,
        },
        Action::Deregister(Deregister { revision }) => {
            for targets in s.rollback_targets.values_mut().filter_map(|t| t.as_mut().ok()) {
                targets.retain(|t| t != revision);
            }
            if let Some(Ok(definition)) = s.task_definitions.get_mut(revision) {
                Arc::make_mut(definition).active = false;
            }
        }
        Action::RollOut(RollOut { base, changes, .. }) => {
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
                container.variables.retain(|v| v.name != change.variable);
                container.secrets.push(SecretVariable {
                    name: change.variable.clone(),
                    value_from: change.after.clone(),
                });
            }
            service(s).task_definition.clone_from(&definition.arn);
            s.task_definitions
                .insert(definition.arn.clone(), Ok(Arc::new(definition)));
        }
        Action::RollBack(RollBack { from, to, .. }) => {
            let earlier = Arc::clone(&s.durable_revisions[from]);
            service(s).task_definition.clone_from(to);
            s.task_definitions.insert(to.clone(), Ok(earlier));
        }
    }
}

#[test]
fn each_correction_corrects_and_breaks_nothing() {
    let mut corrected = BTreeSet::new();
    for case in CASES.iter().flat_map(|(_, cases)| cases.failing) {
        let name = case.name;
        let mut before = clean();
        (case.change)(&mut before);
        let evaluated_before = evaluated_by(&before, &crate::rules::ids());
        let failing = rules_with(&evaluated_before, Verdict::Fail);
        for finding in &evaluated_before.findings {
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
            let evaluated_after = evaluated_by(&after, &crate::rules::ids());
            let left = rules_with(&evaluated_after, Verdict::Fail);
            assert!(
                !left.contains(&finding.rule),
                "{name}: {} is not corrected: {:#?}",
                finding.rule,
                evaluated_after.findings
            );
            assert!(left.is_subset(&failing), "{name}: {} breaks {left:?}", finding.rule);
            // A case may be about something that is not known; a correction adds nothing to that.
            let unknown = rules_with(&evaluated_before, Verdict::Unknown);
            assert!(
                rules_with(&evaluated_after, Verdict::Unknown).is_subset(&unknown),
                "{name}: {:#?}",
                evaluated_after.findings
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
    super::lose_secret(&mut s);
    s.secrets = Ok(CowMap::new());
    s.durable_revisions.insert(super::REVISION.into(), Arc::new(durable));
    let found = evaluation(&s);
    let finding = found
        .findings
        .iter()
        .find(|f| f.rule == "ecs-ephemeral-storage")
        .expect("ephemeral");
    let actions = &finding.remediation.as_ref().expect("a remedy").actions;
    assert!(matches!(actions.as_slice(), [Action::RollBack { .. }]), "{finding:#?}");
    carry_out(&mut s, &actions[0]);
    assert!(!rules_with(&evaluation(&s), Verdict::Fail).contains("ecs-ephemeral-storage"));
}
