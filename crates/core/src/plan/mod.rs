//! Turns findings into a plan: exact calls, and a reason for each correction that is held.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::action::{Action, Call, MergeKey};
use crate::config::Config;
use crate::config::change_windows::{self, WindowState};
use crate::evaluate::Evaluation;
use crate::finding::{Finding, ResourceRef, Verdict, stable_id};
use crate::model::hold::{HoldCode, HoldReason};
use crate::model::key::Scope;
use crate::model::policy::{Mode, Risk, Severity};

/// The fewest workloads for which a percentage counts: one of two failing is 50 %, but no sign of a bad rule.
const SMALLEST_FLEET: usize = 10;

/// One correction that may be made now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedAction {
    /// Stable: depends on the scope and the action alone.
    pub id: String,
    /// Where.
    pub scope: Scope,
    /// The workload.
    pub workload: String,
    /// The rules whose findings it corrects.
    pub rules: Vec<String>,
    /// The ids of those findings.
    pub findings: Vec<String>,
    /// The worst of their severities.
    pub severity: Severity,
    /// The resource of the first of them.
    pub resource: ResourceRef,
    /// One line: before → after.
    pub change: String,
    /// What it costs.
    pub risk: Risk,
    /// The conditions that are checked just before the calls.
    pub preconditions: Vec<String>,
    /// The calls, in order.
    pub calls: Vec<Call>,
    /// The correction itself.
    pub action: Action,
}

/// One finding that will not be corrected now, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The finding's id.
    pub finding: String,
    /// Its rule.
    pub rule: String,
    /// Its severity.
    pub severity: Severity,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its workload.
    pub workload: String,
    /// Its resource.
    pub resource: ResourceRef,
    /// The correction that is held, if there is one.
    pub summary: String,
    /// Why it is held.
    pub reason: String,
    /// Which kind of reason that is.
    #[serde(default)]
    pub code: HoldCode,
}

/// The corrections that may be made now, and the reasons to hold the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// 1.
    pub schema_version: u32,
    /// When the plan was made.
    pub made_at: Timestamp,
    /// In the order in which they are carried out.
    pub actions: Vec<PlannedAction>,
    /// The corrections that are held.
    pub held: Vec<Held>,
}

/// Plans the corrections for the findings of `evaluation` in `scope`.
#[must_use]
pub fn plan(scope: &Scope, evaluation: &Evaluation, config: &Config, now: Timestamp) -> Plan {
    let mut actions: BTreeMap<MergeKey, PlannedAction> = BTreeMap::new();
    let mut held = vec![];
    let shut = outside_of_windows(config, now);
    for finding in &evaluation.findings {
        if let Some(reason) = reason_to_hold(finding, evaluation, config).or_else(|| shut.clone()) {
            held.push(hold(finding, &reason));
            continue;
        }
        for action in finding.remediation.iter().flat_map(|r| &r.actions) {
            add(&mut actions, scope, finding, action);
        }
    }
    let mut actions: Vec<PlannedAction> = actions.into_values().collect();
    actions.sort_by(|a, b| {
        (b.severity, &a.workload, &a.resource, &a.action).cmp(&(a.severity, &b.workload, &b.resource, &b.action))
    });
    Plan {
        schema_version: 1,
        made_at: now,
        actions,
        held,
    }
}

impl Plan {
    /// An empty plan.
    #[must_use]
    pub fn empty(now: Timestamp) -> Self {
        Self {
            schema_version: 1,
            made_at: now,
            actions: vec![],
            held: vec![],
        }
    }

    /// Adds the plan of another scope.
    pub fn extend(&mut self, other: Plan) {
        self.actions.extend(other.actions);
        self.held.extend(other.held);
    }
}

/// Holds the correction of a finding, with the reason.
#[must_use]
pub fn hold(finding: &Finding, reason: &HoldReason) -> Held {
    Held {
        finding: finding.id.clone(),
        rule: finding.rule.clone(),
        severity: finding.severity,
        verdict: finding.verdict,
        workload: finding.workload.clone(),
        resource: finding.resource.clone(),
        summary: finding
            .remediation
            .as_ref()
            .map(|r| r.summary.clone())
            .unwrap_or_default(),
        reason: reason.to_string(),
        code: reason.code(),
    }
}

fn reason_to_hold(finding: &Finding, evaluation: &Evaluation, config: &Config) -> Option<HoldReason> {
    match (finding.verdict, &finding.waiver) {
        (Verdict::Unknown, _) => {
            return Some(HoldReason::UnknownFinding(finding.message.clone()));
        }
        (Verdict::Waived, waiver) => return Some(HoldReason::Waived(waiver.clone())),
        (Verdict::Fail, _) => {}
    }
    let Some(remediation) = &finding.remediation else {
        return Some(HoldReason::NoRemedy);
    };
    if let Some(why) = &remediation.blocked_by {
        return Some(why.clone());
    }
    if remediation.actions.is_empty() {
        return Some(HoldReason::NoCalls);
    }
    if evaluation
        .audit_only
        .contains(&(finding.id.clone(), finding.workload.clone()))
    {
        return Some(HoldReason::AuditByTag(config.tag_prefix.clone()));
    }
    if config.rule(&finding.rule).mode == Some(Mode::Audit) {
        return Some(HoldReason::AuditByRule(finding.rule.clone()));
    }
    if !config.safety.allow_risk.contains(&remediation.risk) {
        return Some(HoldReason::RiskNotAllowed(remediation.risk));
    }
    too_many_failing(&finding.rule, evaluation, config)
}

/// The reason to hold every correction, if there is one.
fn outside_of_windows(config: &Config, now: Timestamp) -> Option<HoldReason> {
    match change_windows::state_at(&config.safety.change_windows, now) {
        WindowState::Open(_) => None,
        WindowState::Closed(Some(next)) => Some(HoldReason::OutsideOfWindows(next)),
        WindowState::Closed(None) => Some(HoldReason::NoWindow),
    }
}

fn too_many_failing(rule: &str, evaluation: &Evaluation, config: &Config) -> Option<HoldReason> {
    let (all, failing) = evaluation.failing.get(rule).copied().unwrap_or_default();
    let limit = usize::try_from(config.safety.max_failing_percent).unwrap_or(100);
    (all >= SMALLEST_FLEET && failing * 100 > limit * all).then(|| HoldReason::TooManyFailing {
        rule: rule.to_owned(),
        failing,
        all,
        limit,
    })
}

fn add(actions: &mut BTreeMap<MergeKey, PlannedAction>, scope: &Scope, finding: &Finding, action: &Action) {
    let planned = actions.entry(action.merge_key()).or_insert_with(|| PlannedAction {
        id: String::new(),
        scope: scope.clone(),
        workload: finding.workload.clone(),
        rules: vec![],
        findings: vec![],
        severity: finding.severity,
        resource: finding.resource.clone(),
        change: String::new(),
        risk: Risk::None,
        preconditions: vec![],
        calls: vec![],
        action: action.clone(),
    });
    planned.action = planned.action.merged_with(action);
    planned.severity = planned.severity.max(finding.severity);
    for (list, item) in [
        (&mut planned.rules, &finding.rule),
        (&mut planned.findings, &finding.id),
    ] {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
    planned.id = action_id(scope, &planned.action);
    planned.change = planned.action.describe();
    planned.risk = planned.action.risk();
    planned.preconditions = planned.action.preconditions();
    planned.calls = planned.action.calls();
}

/// The stable id of an action: 16 hexadecimal digits of SHA-256 over scope and action.
#[must_use]
pub fn action_id(scope: &Scope, action: &Action) -> String {
    let text = format!("{scope}\n{}", serde_json::to_string(action).unwrap_or_default());
    stable_id(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::evaluate;
    use crate::rules::testing::{clean, db, now};

    /// The plan of a public database that `config` treats as it likes.
    fn held(config: &Config) -> Held {
        let mut s = clean();
        db(&mut s).publicly_accessible = true;
        let evaluation = evaluate(&s, config, now(), None);
        let plan = plan(&s.scope, &evaluation, config, now());
        let of_rule = |h: &&Held| h.rule == "rds-public-access";
        plan.held.iter().find(of_rule).expect("held").clone()
    }

    #[test]
    fn what_is_held_has_a_code_beside_its_sentence() {
        let mut config = crate::rules::testing::workload::shop_config();
        config.safety.allow_risk.retain(|r| *r == Risk::None);
        let json = serde_json::to_value(held(&config)).expect("JSON");
        assert_eq!(
            json["reason"],
            "its risk is brief, which safety.allow_risk does not name"
        );
        assert_eq!(json["code"], "risk");
    }

    /// `apply --plan` takes one that was saved before there were codes.
    #[test]
    fn a_plan_without_codes_is_read() {
        let mut config = crate::rules::testing::workload::shop_config();
        config.safety.allow_risk.retain(|r| *r == Risk::None);
        let mut json = serde_json::to_value(held(&config)).expect("JSON");
        json.as_object_mut().expect("an object").remove("code");
        let read: Held = serde_json::from_value(json).expect("a held finding");
        assert_eq!(read.code, HoldCode::default());
    }

    #[test]
    fn a_finding_tells_what_blocks_it_and_its_code() {
        let mut s = clean();
        db(&mut s).publicly_accessible = true;
        db(&mut s).status = "modifying".into();
        let remediation = |s: &crate::model::snapshot::Snapshot| {
            let evaluation = evaluate(s, &crate::rules::testing::workload::shop_config(), now(), None);
            let mut findings = evaluation.findings.iter();
            let found = findings.find(|f| f.rule == "rds-public-access").expect("it fails");
            serde_json::to_value(&found.remediation).expect("JSON")
        };
        let blocked = remediation(&s);
        assert_eq!(
            blocked["blocked_by"],
            "waits: shop-db is modifying, and AWS changes only an available one"
        );
        assert_eq!(blocked["hold"], "database-busy");
        db(&mut s).status = "available".into();
        let free = remediation(&s);
        assert_eq!(free["blocked_by"], serde_json::Value::Null);
        assert_eq!(free.get("hold"), None);
        assert_eq!(free.get("actions"), None);
    }
}
