#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::{DEFAULT_PORT, Database, close_public_access, is_allowed, revoke};
use crate::finding::Evidence;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{DbInstance, IngressRule, SecurityGroup};
use crate::model::tags::Lapse;

/// `rds-migration-overdue`
pub struct RdsMigrationOverdue;

static META: Meta = Meta {
    id: "rds-migration-overdue",
    severity: Severity::High,
    enabled: true,
    summary: "a migration window has ended, or never had a valid end, and what it allowed is still open",
    docs: include_str!("doc.md"),
    controls: &[],
    parameters: &["allowed_ingress"],
    reads: &[
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSecurityGroupRules",
    ],
    writes: &["rds:ModifyDBInstance", "ec2:RevokeSecurityGroupIngress"],
    risk: Risk::Brief,
    ..Meta::DEFAULT
};

impl Rule for RdsMigrationOverdue {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        match w.databases() {
            Err(e) => w.unknown(&e),
            Ok(databases) => databases.iter().map(|d| evaluate_one(w, d)).collect(),
        }
    }
}

fn evaluate_one<'a>(w: &Workload<'a>, database: &Database<'a>) -> RuleResult<'a> {
    let subject = database.subject();
    match database.phase.lapsed {
        None => RuleResult::pass(subject),
        Some(lapse) => evaluate_lapsed(w, database, subject, lapse),
    }
}

fn evaluate_lapsed<'a>(
    w: &Workload<'a>,
    database: &Database<'a>,
    subject: ResultSubject<'a>,
    lapse: Lapse,
) -> RuleResult<'a> {
    let open: Vec<&DbInstance> = database
        .members
        .iter()
        .copied()
        .filter(|i| i.publicly_accessible)
        .collect();
    let groups = match &w.snapshot.security_groups {
        Ok(groups) => groups,
        // The flag alone is enough to fail; without it, the groups would have decided.
        Err(e) if open.is_empty() => return RuleResult::unknown(subject, database.tags, e),
        Err(_) => &crate::model::cow_map::CowMap::new(),
    };
    let port = database.port.unwrap_or(DEFAULT_PORT);
    let left: Vec<(&SecurityGroup, Vec<&IngressRule>)> = database
        .security_groups
        .iter()
        .filter_map(|id| groups.get(id))
        .map(|g| {
            let rules = g
                .ingress
                .iter()
                .filter(|r| r.reaches(port) && r.is_single_address() && is_allowed(w, g, r) == Some(false));
            (g, rules.collect())
        })
        .filter(|(_, rules): &(_, Vec<_>)| !rules.is_empty())
        .collect();
    if open.is_empty() && left.is_empty() {
        return RuleResult::pass(subject);
    }
    let mut evidence = vec![window_evidence(w, lapse)];
    let mut still = vec![];
    let mut remedies = vec![];
    for instance in open {
        evidence.push(Evidence::new(
            format!("{}.PubliclyAccessible", instance.id),
            true,
            false,
        ));
        still.push(format!("{} is still publicly accessible", instance.id));
        remedies.push(close_public_access(w, instance));
    }
    for (group, rules) in left {
        for rule in &rules {
            evidence.push(Evidence::new(
                format!("SecurityGroupRules[{}]", rule.id),
                rule.describe(),
                "absent",
            ));
            still.push(format!("{} still lets in {}", group.id, rule.source));
        }
        remedies.push(revoke(w, group, &[database], &rules));
    }
    let message = format!(
        "the migration window of {} {}, and {}",
        database.id,
        why(w, lapse),
        still.join(" and ")
    );
    let remedy = Remedy {
        summary: remedies
            .iter()
            .map(|r| r.summary.as_str())
            .collect::<Vec<_>>()
            .join("; "),
        actions: remedies.iter().flat_map(|r| r.actions.clone()).collect(),
        refused: remedies.into_iter().find_map(|r| r.refused),
    };
    let mut result = RuleResult::fail(
        subject,
        database.tags,
        Failure {
            severity: None,
            message,
            evidence,
            remedy,
        },
    );
    result.phase = "migrated";
    result
}

fn why(w: &Workload<'_>, lapse: Lapse) -> String {
    match lapse {
        Lapse::Ended { at } => format!("ended at {at}"),
        Lapse::NoEnd => format!("has no end ({}migration-until is absent)", w.prefix),
        Lapse::MalformedEnd => format!("has no valid end ({}migration-until is no RFC 3339 instant)", w.prefix),
        Lapse::TooFarAhead { at } => format!("ends too far ahead, at {at}, to count"),
    }
}

fn window_evidence(w: &Workload<'_>, lapse: Lapse) -> Evidence {
    let observed = match lapse {
        Lapse::Ended { at } | Lapse::TooFarAhead { at } => at.to_string(),
        Lapse::NoEnd => "absent".into(),
        Lapse::MalformedEnd => "malformed".into(),
    };
    let hours = w.max_window.as_secs() / 3600;
    Evidence::new(
        format!("{}migration-until", w.prefix),
        observed,
        format!("an RFC 3339 instant after {} and at most {hours} h ahead", w.now),
    )
}
