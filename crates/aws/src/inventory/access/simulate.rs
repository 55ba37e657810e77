//! `SimulatePrincipalPolicy`: what a role's policies, its boundary and its organization make of a call.
//!
//! The simulator does not look at the policies of resources, nor at anything of a request that is not sent to it.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>

use std::collections::BTreeMap;

use aws_config::retry::RetryConfig;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType as Said};

use crate::client::{Api, Family};
use crate::inventory::collector::Collector;
use crate::inventory::pages::{MAX_PAGES, endless};
use holdfast_core::model::snapshot::Read;

pub(super) const SIMULATE: Api = Api {
    service: "iam",
    operation: "SimulatePrincipalPolicy",
    family: Family::Iam,
};

/// Resources in one call. AWS documents no limit: this keeps the request and its answer small.
const RESOURCES_A_CALL: usize = 50;
/// The simulation is evidence that one rule can do without for a sweep: a service that fails is not asked four times.
const ATTEMPTS: u32 = 2;

/// What the simulator says of one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    Allowed,
    /// Denied by a statement that says so, which nothing else can outweigh.
    Forbidden,
    /// Not allowed by any statement.
    NotAllowed,
    /// It depends on these condition keys, which were not sent to the simulator.
    DependsOn(Vec<String>),
}

/// Decisions by action and resource.
pub(super) type Decisions = BTreeMap<(String, String), Decision>;

/// A condition key with its value.
pub(super) type Context = (String, String);

/// Asks whether `role` may do each of `actions` on each of `resources`. What the answer leaves out is missing in it.
pub(super) async fn simulate(
    c: &Collector<'_>,
    role: &str,
    actions: &[&str],
    resources: &[String],
    context: &[Context],
) -> Read<Decisions> {
    let mut found = Decisions::new();
    for chunk in resources.chunks(RESOURCES_A_CALL) {
        found.extend(ask(c, role, actions, chunk, context).await?);
        // An emulator answers for the first of several resources alone.
        for resource in chunk {
            let answered = |action: &&str| found.contains_key(&((*action).to_owned(), resource.clone()));
            if !actions.iter().all(answered) {
                found.extend(ask(c, role, actions, std::slice::from_ref(resource), context).await?);
            }
        }
    }
    Ok(found)
}

async fn ask(
    c: &Collector<'_>,
    role: &str,
    actions: &[&str],
    resources: &[String],
    context: &[Context],
) -> Read<Decisions> {
    let entries: Vec<ContextEntry> = context
        .iter()
        .map(|(key, value)| {
            let entry = ContextEntry::builder().context_key_name(key).context_key_values(value);
            entry.context_key_type(ContextKeyTypeEnum::String).build()
        })
        .collect();
    let mut found = Decisions::new();
    let mut marker: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let hurry =
            aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
        let request = c
            .aws
            .iam
            .simulate_principal_policy()
            .policy_source_arn(role)
            .set_action_names(Some(actions.iter().map(|a| (*a).to_owned()).collect()))
            .set_resource_arns(Some(resources.to_vec()))
            .set_context_entries((!entries.is_empty()).then(|| entries.clone()))
            .set_marker(marker.clone())
            .customize()
            .config_override(hurry);
        c.progress.more(1);
        let answer = c.aws.call(SIMULATE, role, request.send()).await;
        c.progress.done(1);
        let answer = answer?;
        for result in answer.evaluation_results.unwrap_or_default() {
            read(&result, resources, &mut found);
        }
        // The same marker twice would be a loop.
        match answer.marker.filter(|m| answer.is_truncated && !m.is_empty()) {
            Some(next) if Some(&next) != marker.as_ref() => marker = Some(next),
            _ => return Ok(found),
        }
    }
    Err(endless(c, SIMULATE))
}

/// One result speaks of one action: for each resource on its own, or, where there is no such list, of the one it names.
fn read(result: &EvaluationResult, asked: &[String], found: &mut Decisions) {
    let action = result.eval_action_name();
    let mut note = |resource: &str, decision: Decision| {
        found.insert((action.to_owned(), resource.to_owned()), decision);
    };
    for one in result.resource_specific_results() {
        let details = one.eval_decision_details().into_iter().flatten();
        note(
            one.eval_resource_name(),
            decide(one.eval_resource_decision(), one.missing_context_values(), details),
        );
    }
    let named = result
        .eval_resource_name()
        .filter(|name| asked.iter().any(|a| a == name));
    if let Some(name) = named.filter(|_| result.resource_specific_results().is_empty()) {
        let details = result.eval_decision_details().into_iter().flatten();
        note(
            name,
            decide(result.eval_decision(), result.missing_context_values(), details),
        );
    }
}

/// `details` come where the resource is of another account, by kind of policy: its own, which the simulator does not
/// know, has to allow it too, but that is no fault of the role.
fn decide<'d>(said: &Said, missing: &[String], details: impl Iterator<Item = (&'d String, &'d Said)>) -> Decision {
    let by_role: Vec<&Said> = details
        .filter(|(kind, _)| kind.to_lowercase().contains("iam"))
        .map(|(_, said)| said)
        .collect();
    let said = by_role.first().copied().unwrap_or(said);
    match said {
        Said::Allowed => Decision::Allowed,
        _ if !missing.is_empty() => Decision::DependsOn(missing.to_vec()),
        Said::ExplicitDeny => Decision::Forbidden,
        _ => Decision::NotAllowed,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::ResourceSpecificResult;

    use super::*;

    fn pair(action: &str, resource: &str) -> (String, String) {
        (action.to_owned(), resource.to_owned())
    }

    fn specific(name: &str, said: Said) -> ResourceSpecificResult {
        let result = ResourceSpecificResult::builder().eval_resource_name(name);
        result.eval_resource_decision(said).build().expect("whole")
    }

    /// The whole says what is strictest; each resource has its own decision.
    #[test]
    fn each_resource_has_its_own_decision() {
        let result = EvaluationResult::builder()
            .eval_action_name("secretsmanager:GetSecretValue")
            .eval_resource_name("arn:${Partition}:secretsmanager:...")
            .eval_decision(Said::ImplicitDeny)
            .resource_specific_results(specific("a", Said::Allowed))
            .resource_specific_results(specific("b", Said::ImplicitDeny))
            .resource_specific_results(specific("c", Said::ExplicitDeny))
            .build()
            .expect("whole");
        let mut found = Decisions::new();
        read(&result, &["a".into(), "b".into(), "c".into()], &mut found);
        let of = |resource: &str| found[&pair("secretsmanager:GetSecretValue", resource)].clone();
        assert_eq!(
            (of("a"), of("b"), of("c")),
            (Decision::Allowed, Decision::NotAllowed, Decision::Forbidden)
        );
        assert_eq!(found.len(), 3);
    }

    /// Of a template, or of a resource that nobody asked about, nothing is taken.
    #[test]
    fn one_result_for_one_resource() {
        let result = |name: &str| {
            let result = EvaluationResult::builder()
                .eval_action_name("x")
                .eval_resource_name(name);
            result.eval_decision(Said::Allowed).build().expect("whole")
        };
        let mut found = Decisions::new();
        read(&result("a"), &["a".into(), "b".into()], &mut found);
        read(&result("arn:${Partition}:..."), &["b".into()], &mut found);
        assert_eq!(found, Decisions::from([(pair("x", "a"), Decision::Allowed)]));
    }

    #[test]
    fn conditions_and_other_accounts() {
        let none = || std::iter::empty();
        let missing = ["aws:ResourceTag/team".to_owned()];
        for denied in [Said::ImplicitDeny, Said::ExplicitDeny] {
            assert_eq!(decide(&denied, &missing, none()), Decision::DependsOn(missing.to_vec()));
        }
        assert_eq!(decide(&Said::Allowed, &missing, none()), Decision::Allowed);
        let details = [
            ("IAM Policies".to_owned(), Said::Allowed),
            ("Resource Policies".to_owned(), Said::ImplicitDeny),
        ];
        let each = details.iter().map(|(k, v)| (k, v));
        assert_eq!(decide(&Said::ImplicitDeny, &[], each), Decision::Allowed);
    }
}
