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
/// AWS's code for a request that it does not understand, or not in this combination.
const INVALID: &str = "InvalidInput";
/// Most results in one answer. <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>
const RESULTS: i32 = 1000;
/// The simulation is evidence that one rule can do without for a sweep: a service that fails is not asked four times.
const ATTEMPTS: u32 = 2;

/// What the simulator says of one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    Allowed,
    /// Denied by a statement that says so, which nothing else can outweigh.
    Forbidden,
    /// Not allowed by any statement.
    NotAllowed {
        /// Whether the permissions boundary alone would suffice to deny it.
        by_boundary: bool,
    },
    /// Denied by a policy of the organization, of whose conditions the simulator tells nothing.
    ByOrganization,
    /// It depends on these condition keys, which were not sent to the simulator.
    DependsOn(Vec<String>),
}

/// Decisions by action and resource.
pub(super) type Decisions = BTreeMap<(String, String), Decision>;

/// A condition key with its value.
pub(super) type Context = (String, String);

/// Asks whether `role` may do each of `actions` on each of `resources`. What the answer leaves out is missing in it.
///
/// AWS refuses some actions together: "[...] and [...] require different authorization information". Then each is asked
/// about by itself.
pub(super) async fn simulate(
    c: &Collector<'_>,
    role: &str,
    actions: &[&str],
    resources: &[String],
    context: &[Context],
) -> Read<Decisions> {
    let mut found = Decisions::new();
    for chunk in resources.chunks(RESOURCES_A_CALL) {
        match ask(c, role, actions, chunk, context).await {
            Ok(together) => found.extend(together),
            Err(e) if e.code == INVALID && actions.len() > 1 => {
                for action in actions {
                    found.extend(ask(c, role, &[action], chunk, context).await?);
                }
            }
            Err(e) => return Err(e),
        }
        // An emulator answers for the first of several resources alone.
        for resource in chunk {
            let answered = |action: &&str| found.contains_key(&((*action).to_owned(), resource.clone()));
            let unanswered: Vec<&str> = actions.iter().filter(|a| !answered(a)).copied().collect();
            if !unanswered.is_empty() && chunk.len() > 1 {
                found.extend(ask(c, role, &unanswered, std::slice::from_ref(resource), context).await?);
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
            entry.context_key_type(type_of(key)).build()
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
            .max_items(RESULTS)
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

/// `Bool` conditions hold for booleans alone.
fn type_of(key: &str) -> ContextKeyTypeEnum {
    match key {
        "aws:SecureTransport" | "aws:PrincipalIsAWSService" => ContextKeyTypeEnum::Boolean,
        _ => ContextKeyTypeEnum::String,
    }
}

/// One result speaks of one action: for each resource on its own, or, where there is no such list, of the one it names.
fn read(result: &EvaluationResult, asked: &[String], found: &mut Decisions) {
    let action = result.eval_action_name();
    let organization = result.organizations_decision_detail();
    let by_organization = organization.is_some_and(|o| !o.allowed_by_organizations());
    let mut note = |resource: &str, decision: Decision| {
        found.insert((action.to_owned(), resource.to_owned()), decision);
    };
    for one in result.resource_specific_results() {
        let boundary = one.permissions_boundary_decision_detail();
        let evidence = Evidence {
            missing: one.missing_context_values(),
            details: one.eval_decision_details().into_iter().flatten().collect(),
            by_organization,
            by_boundary: boundary.is_some_and(|b| !b.allowed_by_permissions_boundary()),
        };
        note(
            one.eval_resource_name(),
            decide(one.eval_resource_decision(), &evidence),
        );
    }
    let named = result
        .eval_resource_name()
        .filter(|name| asked.iter().any(|a| a == name));
    if let Some(name) = named.filter(|_| result.resource_specific_results().is_empty()) {
        let boundary = result.permissions_boundary_decision_detail();
        let evidence = Evidence {
            missing: result.missing_context_values(),
            details: result.eval_decision_details().into_iter().flatten().collect(),
            by_organization,
            by_boundary: boundary.is_some_and(|b| !b.allowed_by_permissions_boundary()),
        };
        note(name, decide(result.eval_decision(), &evidence));
    }
}

/// What a result says besides its decision.
#[derive(Default)]
struct Evidence<'e> {
    missing: &'e [String],
    /// Where the resource is of another account, by kind of policy. That of the resource itself, which the simulator does
    /// not know, has to allow it too, but that is no fault of the role.
    details: Vec<(&'e String, &'e Said)>,
    by_organization: bool,
    by_boundary: bool,
}

/// Of the kinds of policies, an explicit denial of any outweighs every other; without one, each has to allow it.
fn decide(said: &Said, evidence: &Evidence<'_>) -> Decision {
    let denied = |(_, said): &&(&String, &Said)| **said == Said::ExplicitDeny;
    let own = |(kind, _): &&(&String, &Said)| !kind.to_lowercase().contains("resource");
    let mut ours = evidence.details.iter().filter(own).peekable();
    let said = match evidence.details.iter().find(denied) {
        Some(_) => &Said::ExplicitDeny,
        None if ours.peek().is_none() => said,
        None if ours.all(|(_, said)| **said == Said::Allowed) => &Said::Allowed,
        None => &Said::ImplicitDeny,
    };
    match said {
        Said::Allowed => Decision::Allowed,
        _ if evidence.by_organization => Decision::ByOrganization,
        _ if !evidence.missing.is_empty() => Decision::DependsOn(evidence.missing.to_vec()),
        Said::ExplicitDeny => Decision::Forbidden,
        _ => Decision::NotAllowed {
            by_boundary: evidence.by_boundary,
        },
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::{OrganizationsDecisionDetail, PermissionsBoundaryDecisionDetail, ResourceSpecificResult};

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
            (
                Decision::Allowed,
                Decision::NotAllowed { by_boundary: false },
                Decision::Forbidden
            )
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
    fn conditions() {
        let missing = ["aws:ResourceTag/team".to_owned()];
        let evidence = Evidence {
            missing: &missing,
            ..Evidence::default()
        };
        for denied in [Said::ImplicitDeny, Said::ExplicitDeny] {
            assert_eq!(decide(&denied, &evidence), Decision::DependsOn(missing.to_vec()));
        }
        assert_eq!(decide(&Said::Allowed, &evidence), Decision::Allowed);
    }

    /// What an organization denies is no proof, whatever else there is; a boundary is named.
    #[test]
    fn organizations_and_boundaries() {
        let result = |allowed: bool, bounded: bool| {
            let organization = OrganizationsDecisionDetail::builder().allowed_by_organizations(allowed);
            let boundary = PermissionsBoundaryDecisionDetail::builder().allowed_by_permissions_boundary(bounded);
            let one = ResourceSpecificResult::builder()
                .eval_resource_name("a")
                .eval_resource_decision(Said::ImplicitDeny)
                .permissions_boundary_decision_detail(boundary.build());
            let result = EvaluationResult::builder()
                .eval_action_name("x")
                .eval_decision(Said::ImplicitDeny)
                .organizations_decision_detail(organization.build())
                .resource_specific_results(one.build().expect("whole"));
            let mut found = Decisions::new();
            read(&result.build().expect("whole"), &["a".into()], &mut found);
            found[&pair("x", "a")].clone()
        };
        assert_eq!(result(false, true), Decision::ByOrganization);
        assert_eq!(result(false, false), Decision::ByOrganization);
        assert_eq!(result(true, false), Decision::NotAllowed { by_boundary: true });
        assert_eq!(result(true, true), Decision::NotAllowed { by_boundary: false });
    }

    /// One kind of policy does not outweigh the denial of another; what the resource's account says is left out.
    #[test]
    fn kinds_of_policies() {
        let of = |kinds: &[(&str, Said)]| {
            let kinds: Vec<(String, Said)> = kinds.iter().map(|(k, s)| ((*k).to_owned(), s.clone())).collect();
            let evidence = Evidence {
                details: kinds.iter().map(|(k, s)| (k, s)).collect(),
                ..Evidence::default()
            };
            decide(&Said::ImplicitDeny, &evidence)
        };
        let not_allowed = Decision::NotAllowed { by_boundary: false };
        let (iam, resource, boundary) = ("IAM Policies", "Resource Policies", "Permissions Boundary");
        assert_eq!(
            of(&[(iam, Said::Allowed), (resource, Said::ImplicitDeny)]),
            Decision::Allowed
        );
        assert_eq!(
            of(&[(iam, Said::Allowed), (resource, Said::ExplicitDeny)]),
            Decision::Forbidden
        );
        assert_eq!(of(&[(iam, Said::ImplicitDeny), (resource, Said::Allowed)]), not_allowed);
        assert_eq!(of(&[(iam, Said::Allowed), (boundary, Said::ImplicitDeny)]), not_allowed);
        assert_eq!(
            of(&[(iam, Said::Allowed), (boundary, Said::ExplicitDeny)]),
            Decision::Forbidden
        );
        assert_eq!(of(&[(resource, Said::Allowed)]), not_allowed);
    }
}
