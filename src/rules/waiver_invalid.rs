use super::{Failure, Judgement, Meta, Remedy, Rule, Workload};
use crate::model::finding::{Evidence, ResourceRef};
use crate::model::policy::Severity;
use crate::model::tags::{Tags, WaiverFault};

/// `waiver-invalid`
pub struct WaiverInvalid;

static META: Meta = Meta {
    id: "waiver-invalid",
    severity: Severity::Medium,
    summary: "a waiver is malformed, expired, for a rule that does not exist, or without a reason",
    docs: "\
## What it checks
Every `holdfast:waive` tag of the workload's resources: each entry must be `rule-id@RFC3339-instant` with the exact id of \
a rule and an instant to come, and `holdfast:waive-reason` must say why.

## Why it matters
Someone believes that a risk is accepted and watched, while the rule counts again, or never stopped counting. An expired \
waiver is a promise to come back that nobody kept.

## What Holdfast does
It reports, and judges the rule as if the waiver were not there. It changes no tag.

## By hand
Correct what the waiver was for and remove the tag, or write it anew: \
`aws rds add-tags-to-resource --resource-name ARN --tags Key=holdfast:waive,Value=rds-public-access@2027-01-31T00:00:00Z \
Key=holdfast:waive-reason,Value=TICKET` (for ECS `aws ecs tag-resource`, for security groups `aws ec2 create-tags`, for \
secrets `aws secretsmanager tag-resource`).
",
    reads: &[
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSecurityGroupRules",
        "ecs:DescribeServices",
        "secretsmanager:ListSecrets",
    ],
    ..Meta::DEFAULT
};

impl Rule for WaiverInvalid {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, w: &Workload<'_>) -> Vec<Judgement> {
        let mut out = vec![];
        let mut look = |resource: ResourceRef, tags: &Tags| out.extend(judgement(w, resource, tags));
        for i in w.instances().unwrap_or_default() {
            look(w.instance_ref(i), &i.tags);
        }
        for c in w.clusters_with_members().unwrap_or_default() {
            look(w.cluster_ref(c), &c.tags);
        }
        for s in w.services().unwrap_or_default() {
            look(w.service_ref(s), &s.tags);
        }
        for s in w.secrets().unwrap_or_default() {
            look(w.secret_ref(s), &s.tags);
        }
        for g in w.groups().unwrap_or_default() {
            look(w.group_ref(g), &g.tags);
        }
        // A resource that can't be read can't be waived either: what it hides is told by the rules about it. Only where
        // nothing but the error is known is there something to say here.
        let errors = [
            w.instances().err(),
            w.clusters_with_members().err(),
            w.services_error(),
            w.secrets().err(),
            w.groups().err(),
        ];
        if let Some(error) = errors.into_iter().flatten().next() {
            out.extend(w.unknown(&error));
        }
        out
    }
}

/// Nothing for a resource that has no waiver at all.
fn judgement(w: &Workload<'_>, resource: ResourceRef, tags: &Tags) -> Option<Judgement> {
    let given = tags.get(w.prefix, "waive")?;
    let faults = tags.waiver_faults(w.prefix, &super::ids(), w.now);
    if faults.is_empty() {
        return Some(Judgement::pass(resource));
    }
    let told: Vec<String> = faults.iter().map(|f| tell(w, f)).collect();
    let failure = Failure {
        severity: None,
        message: format!("a waiver on {} does not count: {}", resource.id, told.join("; ")),
        evidence: vec![Evidence::new(
            format!("{}waive", w.prefix),
            given,
            "rule-id@instant to come, with a reason",
        )],
        remedy: Remedy::manual(format!(
            "correct what it was for and remove {0}waive from {1}, or write it anew with an instant to come and \
             {0}waive-reason",
            w.prefix, resource.id
        )),
    };
    Some(Judgement::fail(resource, tags, failure))
}

fn tell(w: &Workload<'_>, fault: &WaiverFault) -> String {
    match fault {
        WaiverFault::NoReason => format!("{}waive-reason is missing", w.prefix),
        WaiverFault::Malformed { entry } if entry.is_empty() => "the tag is empty".to_owned(),
        WaiverFault::Malformed { entry } => format!("{entry:?} is not rule-id@RFC3339-instant"),
        WaiverFault::UnknownRule { rule } => {
            let near = nearest(rule)
                .map(|n| format!(" (did you mean {n}?)"))
                .unwrap_or_default();
            format!("there is no rule {rule:?}{near}")
        }
        WaiverFault::Expired { rule, at } => format!("{rule} was waived until {at}, which is over"),
    }
}

fn nearest(rule: &str) -> Option<&'static str> {
    super::ids()
        .into_iter()
        .map(|id| (strsim::damerau_levenshtein(id, rule), id))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, id)| id)
}
