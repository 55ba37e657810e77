//! Findings in the order people read them: by workload, worst first, each consequence under its cause.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::finding::{Finding, Verdict};
use holdfast_core::model::policy::Severity;

use super::model::Report;

/// A finding, with those that it causes.
pub(super) struct Node<'a> {
    /// The finding.
    pub(super) finding: &'a Finding,
    /// Its consequences, worst first.
    pub(super) consequences: Vec<Self>,
}

/// The findings of one workload in one account and region.
pub(super) struct Group<'a> {
    /// The workload.
    pub(super) workload: &'a str,
    /// Twelve digits.
    pub(super) account: &'a str,
    /// For instance `us-east-1`.
    pub(super) region: &'a str,
    /// Root causes, worst first.
    pub(super) roots: Vec<Node<'a>>,
}

/// Groups the findings of a report. Each appears exactly once; groups and trees are sorted by the worst finding in
/// them.
pub(super) fn by_workload(report: &Report) -> Vec<Group<'_>> {
    let mut workloads: BTreeMap<(&str, &str, &str), Vec<&Finding>> = BTreeMap::new();
    for f in &report.findings {
        let key = (
            f.workload.as_str(),
            f.resource.account.as_str(),
            f.resource.region.as_str(),
        );
        workloads.entry(key).or_default().push(f);
    }
    let mut groups: Vec<Group<'_>> = workloads
        .into_iter()
        .map(|((workload, account, region), findings)| Group {
            workload,
            account,
            region,
            roots: forest(findings),
        })
        .collect();
    groups.sort_by_key(|g| (g.roots.iter().map(worst).min(), g.workload));
    groups
}

/// Sorts failures before unknown verdicts before waived ones, and within each the most severe first.
fn rank(finding: &Finding) -> (u8, Reverse<Severity>) {
    let verdict = match finding.verdict {
        Verdict::Fail => 0,
        Verdict::Unknown => 1,
        Verdict::Waived => 2,
    };
    (verdict, Reverse(finding.severity))
}

/// The rank of the worst finding in a tree: a consequence must not move down because its cause is waived.
fn worst(node: &Node<'_>) -> (u8, Reverse<Severity>) {
    let below = node.consequences.iter().map(worst);
    below
        .chain([rank(node.finding)])
        .min()
        .unwrap_or((u8::MAX, Reverse(Severity::Low)))
}

/// Trees of causes. A missing cause (the report covers another workload) or a circle of causes hides no finding: one
/// that can't be placed under another is a root.
fn forest(mut findings: Vec<&Finding>) -> Vec<Node<'_>> {
    findings.sort_by_key(|f| rank(f));
    let known: BTreeSet<&str> = findings.iter().map(|f| f.id.as_str()).collect();
    let mut under: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut order = vec![];
    for (at, finding) in findings.iter().enumerate() {
        match finding.caused_by.as_deref().filter(|cause| known.contains(cause)) {
            Some(cause) => under.entry(cause).or_default().push(at),
            None => order.push(at),
        }
    }
    // Findings in a circle come last.
    order.extend(under.values().flatten());
    let mut placed = vec![false; findings.len()];
    let mut roots = vec![];
    for at in order {
        if !placed[at] {
            roots.push(grow(at, &findings, &under, &mut placed));
        }
    }
    roots.sort_by_key(worst);
    roots
}

fn grow<'a>(at: usize, findings: &[&'a Finding], under: &BTreeMap<&str, Vec<usize>>, placed: &mut [bool]) -> Node<'a> {
    placed[at] = true;
    let finding = findings[at];
    let mut consequences = vec![];
    for &next in under.get(finding.id.as_str()).into_iter().flatten() {
        if !placed[next] {
            consequences.push(grow(next, findings, under, placed));
        }
    }
    consequences.sort_by_key(worst);
    Node { finding, consequences }
}

/// The finding that `finding` is a consequence of, if the report has it.
pub(super) fn cause_of<'a>(report: &'a Report, finding: &Finding) -> Option<&'a Finding> {
    let id = finding.caused_by.as_deref()?;
    let mut of_id = report.findings.iter().filter(|f| f.id == id).peekable();
    let first = of_id.peek().copied();
    // A resource that two workloads use has the same finding in both.
    of_id.find(|f| f.workload == finding.workload).or(first)
}

/// Splits text at its backticks: each span, and whether it is code. If a backtick has no partner, all of it is text.
pub(super) fn code_spans(text: &str) -> Vec<(bool, &str)> {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return vec![(false, text)];
    }
    let spans = parts.into_iter().enumerate().map(|(n, part)| (n % 2 == 1, part));
    spans.filter(|(_, part)| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn tree(nodes: &[Node<'_>]) -> String {
        let each = nodes.iter().map(|n| {
            let below = tree(&n.consequences);
            let below = if below.is_empty() { below } else { format!("({below})") };
            format!("{}{below}", n.finding.id)
        });
        each.collect::<Vec<_>>().join(" ")
    }

    fn tree_of(pairs: &[(&str, &str)]) -> String {
        let mut report = sample::report();
        let model = report.findings[0].clone();
        report.findings = pairs
            .iter()
            .map(|(id, cause)| Finding {
                id: (*id).to_owned(),
                caused_by: (!cause.is_empty()).then(|| (*cause).to_owned()),
                ..model.clone()
            })
            .collect();
        tree(&by_workload(&report)[0].roots)
    }

    #[test]
    fn consequences_are_under_their_cause() {
        assert_eq!(tree_of(&[("b", "a"), ("a", ""), ("c", "b"), ("d", "")]), "a(b(c)) d");
    }

    #[test]
    fn nothing_is_lost_to_a_missing_cause_or_a_circle() {
        assert_eq!(tree_of(&[("b", "gone"), ("a", "")]), "b a");
        assert_eq!(tree_of(&[("a", "b"), ("b", "a"), ("c", "c"), ("d", "")]), "d b(a) c");
    }

    #[test]
    fn the_worst_comes_first_even_below_a_milder_cause() {
        let report = sample::report();
        let groups = by_workload(&report);
        assert_eq!(groups.iter().map(|g| g.workload).collect::<Vec<_>>(), ["shop", "wiki"]);
        let rules: Vec<&str> = groups[0].roots.iter().map(|n| n.finding.rule.as_str()).collect();
        assert_eq!(
            rules,
            [
                "rds-open-ingress",
                "secret-malformed-url",
                "ecs-secret-reference-mismatch",
                "rds-public-access"
            ]
        );
        assert_eq!(
            groups[0].roots[1].consequences[0].finding.rule,
            "ecs-missing-database-secret"
        );
    }

    #[test]
    fn code_is_between_backticks() {
        assert_eq!(
            code_spans("run `x` now"),
            [(false, "run "), (true, "x"), (false, " now")]
        );
        assert_eq!(code_spans("a ` b"), [(false, "a ` b")]);
        assert_eq!(code_spans("`x`"), [(true, "x")]);
    }
}
