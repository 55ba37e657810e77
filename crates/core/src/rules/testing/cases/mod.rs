//! For each rule: what passes, what fails, what is unknown. Rules are grouped into areas; a case names every rule of its
//! area that speaks, so that one which speaks out of turn fails it too.

mod core;
mod databases;
mod guard;
mod migrations;
mod secrets;
mod services;

use std::collections::BTreeSet;

use super::{clean, judged_by, rules_with};
use crate::model::finding::Verdict;
use crate::model::snapshot::Snapshot;
use crate::rules::REGISTRY;

/// What is done to the clean workload.
pub(super) type Change = fn(&mut Snapshot);
/// A name, what is done, and the rules that speak.
pub(super) type Case = (&'static str, Change, &'static [&'static str]);

/// Rules that are tried together.
pub(super) struct Area {
    /// Their ids.
    pub rules: &'static [&'static str],
    /// What fails, and the rules that say so. Nothing may be unknown there.
    pub failing: &'static [Case],
    /// What passes.
    pub passing: &'static [(&'static str, Change)],
    /// What can't be told, and the rules that say so. Nothing may fail there.
    pub unknown: &'static [Case],
}

/// Every area.
pub(super) const AREAS: &[Area] = &[
    core::AREA,
    databases::AREA,
    guard::AREA,
    secrets::AREA,
    services::AREA,
    migrations::AREA,
];

fn set(rules: &[&str]) -> BTreeSet<String> {
    rules.iter().map(|r| (*r).to_owned()).collect()
}

#[test]
fn failing() {
    for area in AREAS {
        for (name, change, rules) in area.failing {
            let mut s = clean();
            change(&mut s);
            let judged = judged_by(&s, area.rules);
            let told = &judged.findings;
            assert_eq!(rules_with(&judged, Verdict::Fail), set(rules), "{name}: {told:#?}");
            assert!(rules_with(&judged, Verdict::Unknown).is_empty(), "{name}: {told:#?}");
            for f in told {
                let whole = !f.evidence.is_empty() && !f.message.is_empty() && f.remediation.is_some();
                assert!(whole, "{name}: {f:#?}");
            }
        }
    }
}

#[test]
fn passing() {
    for area in AREAS {
        for (name, change) in area.passing {
            let mut s = clean();
            change(&mut s);
            let judged = judged_by(&s, area.rules);
            assert!(judged.findings.is_empty(), "{name}: {:#?}", judged.findings);
        }
    }
}

#[test]
fn unknown() {
    for area in AREAS {
        for (name, change, rules) in area.unknown {
            let mut s = clean();
            change(&mut s);
            let judged = judged_by(&s, area.rules);
            let told = &judged.findings;
            assert_eq!(rules_with(&judged, Verdict::Unknown), set(rules), "{name}: {told:#?}");
            assert!(rules_with(&judged, Verdict::Fail).is_empty(), "{name}: {told:#?}");
        }
    }
}

/// No rule, on or off by default, finds anything in the clean workload.
#[test]
fn the_clean_workload_is_clean() {
    let judged = judged_by(&clean(), &crate::rules::ids());
    assert!(judged.findings.is_empty(), "{:#?}", judged.findings);
}

/// Each rule is in one area, has a case that passes, one that fails and one that is unknown, and documents itself.
#[test]
fn every_rule_has_cases_and_docs() {
    for rule in REGISTRY {
        let meta = rule.meta();
        let areas: Vec<&Area> = AREAS.iter().filter(|a| a.rules.contains(&meta.id)).collect();
        let [area] = areas.as_slice() else {
            panic!("{} is in {} areas", meta.id, areas.len());
        };
        // What `run` remembers of fights is known or is not there.
        let unknown = (meta.id != "correction-reverted").then_some(area.unknown);
        for table in [Some(area.failing), unknown].into_iter().flatten() {
            let tried = table.iter().any(|(_, _, rules)| rules.contains(&meta.id));
            assert!(tried, "{} lacks a case", meta.id);
        }
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
