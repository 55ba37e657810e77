//! What the cases of every rule have in common: the workload that they change, and what is checked of them.
//!
//! A case is a change to a workload that nobody would complain about ([`workload::clean`]). It stands in the folder of the
//! rule that it is about, and states every other rule that speaks then: one that speaks out of turn fails the case too.

pub(crate) mod databases;
pub(crate) mod migrations;
pub(crate) mod plans;
mod properties;
pub(crate) mod secrets;
pub(crate) mod services;
mod unread;
pub(crate) mod workload;

use std::collections::BTreeSet;

use super::{CASES, REGISTRY, ids};
use crate::evaluate::Evaluation;
use crate::finding::{Finding, Verdict};
use crate::model::snapshot::Snapshot;
use databases::{replica, status, subnet, wreck};
pub(crate) use unread::Unread;
pub(crate) use workload::*;

/// What is done to the clean workload.
pub(crate) type Change = fn(&mut Snapshot);

/// A change, and the rules that speak then.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    name: &'static str,
    change: Change,
    fail: &'static [&'static str],
    unknown: &'static [&'static str],
    besides: Option<Unread>,
    about: Option<&'static str>,
}

impl Case {
    /// A case in which no rule speaks but the one that it is about, if that does.
    pub(crate) const fn new(name: &'static str, change: Change) -> Self {
        Self {
            name,
            change,
            fail: &[],
            unknown: &[],
            besides: None,
            about: None,
        }
    }

    /// These other rules fail, too.
    pub(crate) const fn and_fail(mut self, rules: &'static [&'static str]) -> Self {
        self.fail = rules;
        self
    }

    /// These other rules are unknown.
    pub(crate) const fn and_unknown(mut self, rules: &'static [&'static str]) -> Self {
        self.unknown = rules;
        self
    }

    /// All rules can't tell that can't without this part of the snapshot.
    pub(crate) const fn besides(mut self, part: Unread) -> Self {
        self.besides = Some(part);
        self
    }

    /// The ARN of the resource that the rule's finding names.
    pub(crate) const fn about(mut self, arn: &'static str) -> Self {
        self.about = Some(arn);
        self
    }

    fn evaluation(&self) -> Evaluation {
        after(self.change)
    }

    /// Checks which rules speak: those that are stated, and `rule` in its own way.
    fn check(&self, rule: Option<(&str, Speaks)>) {
        let evaluation = self.evaluation();
        let mut fail: BTreeSet<&str> = self.fail.iter().copied().collect();
        let mut unknown: BTreeSet<&str> = self.unknown.iter().copied().collect();
        unknown.extend(self.besides.iter().flat_map(|part| part.rules()));
        match rule {
            Some((rule, Speaks::Fail)) => assert!(fail.insert(rule), "{}: {rule} is stated twice", self.name),
            Some((rule, Speaks::Unknown)) => _ = unknown.insert(rule),
            Some((rule, Speaks::Not)) => assert!(!fail.contains(rule) && !unknown.contains(rule), "{}", self.name),
            None => {}
        }
        let (name, told) = (self.name, &evaluation.findings);
        assert_eq!(rules_with(&evaluation, Verdict::Fail), set(&fail), "{name}: {told:#?}");
        assert_eq!(
            rules_with(&evaluation, Verdict::Unknown),
            set(&unknown),
            "{name}: {told:#?}"
        );
        assert!(rules_with(&evaluation, Verdict::Waived).is_empty(), "{name}: {told:#?}");
        for f in told.iter().filter(|f| f.verdict == Verdict::Fail) {
            let whole = !f.evidence.is_empty() && !f.message.is_empty() && f.remediation.is_some();
            assert!(whole, "{name}: {f:#?}");
        }
        if let Some(arn) = self.about {
            for f in told.iter().filter(|f| rule.is_some_and(|(rule, _)| f.rule == rule)) {
                assert_eq!(f.resource.arn, arn, "{name}");
            }
        }
    }
}

/// What the rule says in whose folder a case stands.
#[derive(Clone, Copy)]
enum Speaks {
    Fail,
    Unknown,
    Not,
}

/// The cases of one rule.
pub(crate) struct Cases {
    /// What fails. Nothing may be unknown that is not stated.
    pub(crate) failing: &'static [Case],
    /// What passes, or is none of the rule's business.
    pub(crate) passing: &'static [Case],
    /// What can't be told.
    pub(crate) unknown: &'static [Case],
    /// Parts of the snapshot without which the rule can't tell anything of the clean workload.
    pub(crate) unread: &'static [Unread],
}

/// One table of a rule's cases.
#[derive(Clone, Copy)]
pub(crate) enum Table {
    /// [`Cases::failing`].
    Failing,
    /// [`Cases::passing`].
    Passing,
    /// [`Cases::unknown`] and [`Cases::unread`].
    Unknown,
}

/// Checks one table of the rule in this folder.
pub(crate) fn check(folder: &str, table: Table) {
    let all = || REGISTRY.iter().zip(CASES);
    let (rule, (_, cases)) = all().find(|(_, (name, _))| *name == folder).expect("a rule");
    let id = rule.meta().id;
    let (own, speaks) = match table {
        Table::Failing => (cases.failing, Speaks::Fail),
        Table::Passing => (cases.passing, Speaks::Not),
        Table::Unknown => (cases.unknown, Speaks::Unknown),
    };
    for case in own {
        case.check(Some((id, speaks)));
    }
    if let Table::Unknown = table {
        for part in cases.unread {
            let evaluation = after(part.change());
            assert!(rules_with(&evaluation, Verdict::Unknown).contains(id), "{part:?}");
        }
    }
}

/// Workloads about which hardly a rule says anything, and that concern many.
#[rustfmt::skip]
const COMMON: &[Case] = &[
    Case::new("as it should be", |_| {}),
    Case::new("a cluster as it should be", |s| { cluster(s); }),
    Case::new("a replica as it should be", |s| { replica(s); }),
    Case::new("a migration as it should be", migrations::migrates),
    Case::new("a database being deleted", |s| { wreck(db(s)); status(s, "deleting"); subnet(s).internet_gateway = Some("igw-1".into()); }).and_fail(&["workload-without-database"]),
    Case::new("nobody's database", |s| { wreck(db(s)); db(s).tags = tags(&[]); status(s, "failed"); subnet(s).internet_gateway = Some("igw-1".into()); }).and_fail(&["workload-untagged-part", "workload-without-database"]),
    Case::new("a database being created", |s| {
        let i = db(s);
        (i.status, i.endpoint, i.restorable_until, i.created_at, i.certificate_until) = ("creating".into(), None, None, None, None);
        i.subnets.clear();
        guard(s).ingress.clear();
    }).and_unknown(&["secret-wrong-database"]),
    Case::new("a member's own flags", |s| { cluster(s); let i = db(s); i.storage_encrypted = false; i.deletion_protection = false; i.max_allocated_storage = None; i.multi_az = false; i.iam_authentication = false; i.master_user = Some("postgres".into()); i.engine_version = "12.1".into(); }),
];

#[test]
fn common() {
    for case in COMMON {
        case.check(None);
    }
}

/// Where a part of the snapshot could not be read, just the rules that say so in their cases can't tell.
#[test]
fn what_is_not_read_is_unknown() {
    for part in Unread::ALL {
        let evaluation = after(part.change());
        let told = &evaluation.findings;
        assert_eq!(
            rules_with(&evaluation, Verdict::Unknown),
            set(&part.rules()),
            "{part:?}: {told:#?}"
        );
        assert!(rules_with(&evaluation, Verdict::Fail).is_empty(), "{part:?}: {told:#?}");
    }
}

/// Each rule stands in the folder of its name, has a case that fails, one that passes and one that is unknown, and
/// documents itself.
#[test]
fn every_rule_has_its_folder_cases_and_docs() {
    assert_eq!(REGISTRY.len(), CASES.len());
    for (rule, (folder, cases)) in REGISTRY.iter().zip(CASES) {
        let meta = rule.meta();
        assert_eq!(meta.id.replace('-', "_"), *folder);
        assert!(!cases.failing.is_empty(), "{}: no failing case", meta.id);
        assert!(!cases.passing.is_empty(), "{}: no passing case", meta.id);
        // What `run` remembers of fights is known or is not there.
        let unknown = !cases.unknown.is_empty() || !cases.unread.is_empty() || meta.id == "correction-reverted";
        assert!(unknown, "{}: no unknown case", meta.id);
        let sections: Vec<&str> = meta.docs.lines().filter_map(|l| l.strip_prefix("## ")).collect();
        let wanted = ["What it checks", "Why it matters", "What Holdfast does", "By hand"];
        assert_eq!(sections, wanted, "{}", meta.id);
        let short = !meta.summary.ends_with('.') && meta.summary.len() < 120;
        assert!(short, "{}: {}", meta.id, meta.summary);
        for cause in meta.caused_by {
            assert!(crate::rules::find(cause).is_some(), "{}: no rule {cause}", meta.id);
        }
    }
}

fn set(rules: &BTreeSet<&str>) -> BTreeSet<String> {
    rules.iter().map(|r| (*r).to_owned()).collect()
}

/// The rules with a finding of this verdict.
pub(crate) fn rules_with(evaluation: &Evaluation, verdict: Verdict) -> BTreeSet<String> {
    let with = evaluation.findings.iter().filter(|f| f.verdict == verdict);
    with.map(|f| f.rule.clone()).collect()
}

/// What all rules say after a change.
fn after(change: Change) -> Evaluation {
    let mut s = clean();
    change(&mut s);
    evaluated_by(&s, &ids())
}

/// The only finding of a rule about the workload.
pub(crate) fn the_finding(evaluation: &Evaluation, rule: &str) -> Finding {
    let mut of = evaluation
        .findings
        .iter()
        .filter(|f| f.rule == rule && f.workload == "shop");
    let one = of
        .next()
        .unwrap_or_else(|| panic!("{rule}: {:#?}", evaluation.findings))
        .clone();
    assert!(of.next().is_none(), "{rule} once: {:#?}", evaluation.findings);
    one
}

/// What a rule says after a change, among all others.
pub(crate) fn finding_after(change: Change, rule: &str) -> Finding {
    the_finding(&after(change), rule)
}

/// What a rule says after a change, alone: there is nothing else that it says.
pub(crate) fn finding_by(change: Change, rule: &str) -> Finding {
    let mut s = clean();
    change(&mut s);
    let evaluation = evaluated_by(&s, &[rule]);
    let [finding] = evaluation.findings.as_slice() else {
        panic!("{:#?}", evaluation.findings)
    };
    finding.clone()
}

/// Why the correction of a rule that acts is held; empty if it is not.
pub(crate) fn refusal(change: Change, rule: &str) -> String {
    let remediation = finding_after(change, rule).remediation.expect("a remedy");
    assert!(!remediation.actions.is_empty(), "{rule} acts");
    remediation.blocked_by.map(|r| r.to_string()).unwrap_or_default()
}

/// The same of a rule by itself, which may have no correction.
pub(crate) fn refusal_by(change: Change, rule: &str) -> String {
    let remediation = finding_by(change, rule).remediation.expect("a remedy");
    remediation.blocked_by.map(|r| r.to_string()).unwrap_or_default()
}

/// After the change, `cause` explains what `rule` says.
pub(crate) fn assert_caused(change: Change, rule: &str, cause: &str) {
    let evaluation = after(change);
    let (effect, cause) = (the_finding(&evaluation, rule), the_finding(&evaluation, cause));
    assert_eq!(effect.caused_by, Some(cause.id), "{rule}");
}
