//! The state of one walk: what its hops have found so far, and the findings about it.

use super::hop::Fix;
use super::hop_result::HopResult;
use super::path::{ValueSource, id};
use crate::config::Config;
use crate::facts::{Database, Workload};
use crate::finding::{Finding, Kind, Verdict};
use crate::model::connection::Connection;
use crate::model::resources::{Secret, SecretVariable, Service, TaskDefinition};
use crate::model::value_from::{self, ValueFrom};
use crate::rules::settings::may_correct;

/// One path, as far as it has been walked.
pub(super) struct Walk<'a> {
    pub w: &'a Workload<'a>,
    pub config: &'a Config,
    findings: &'a [Finding],
    pub service: &'a Service,
    /// The container's name and its database variable, if it has one.
    pub variable: Option<&'a (String, SecretVariable)>,
    // ---- what the hops found ----
    pub definition: Option<&'a TaskDefinition>,
    pub secret: Option<&'a Secret>,
    pub connection: Option<&'a Connection>,
    pub database: Option<Database<'a>>,
}

impl<'a> Walk<'a> {
    pub fn new(
        w: &'a Workload<'a>,
        config: &'a Config,
        findings: &'a [Finding],
        service: &'a Service,
        variable: Option<&'a (String, SecretVariable)>,
    ) -> Self {
        Self {
            w,
            config,
            findings,
            service,
            variable,
            definition: None,
            secret: None,
            connection: None,
            database: None,
        }
    }

    /// `cluster/service`.
    pub fn name(&self) -> String {
        id(self.service)
    }

    /// The reference of the variable, taken apart.
    pub fn reference(&self) -> Option<ValueFrom<'a>> {
        self.variable.map(|(_, v)| value_from::parse(&v.value_from))
    }

    /// The ARN of the resource on which rules speak of the connection string: the secret; of a parameter, which is no
    /// resource of theirs, the service.
    pub fn holder(&self) -> &'a str {
        self.secret.map_or(&self.service.arn, |s| &s.arn)
    }

    /// The name of the secret or parameter.
    pub fn secret_name(&self) -> Option<String> {
        match (self.secret, self.reference()?) {
            (Some(secret), _) => Some(secret.name.clone()),
            (None, ValueFrom::Secret(target)) => Some(target.resource.to_owned()),
            (None, ValueFrom::Parameter(name)) => Some(name.to_owned()),
        }
    }

    /// Where the value is.
    pub fn source(&self) -> Option<ValueSource> {
        match (self.secret, self.reference()?) {
            (Some(secret), ValueFrom::Secret(target)) => Some(ValueSource::Secret {
                arn: secret.arn.clone(),
                selector: target.selector,
            }),
            (_, ValueFrom::Parameter(name)) => Some(ValueSource::Parameter(name.to_owned())),
            _ => None,
        }
    }

    /// What one of `rules` says about one of the resources `about` (or about the workload as a whole), unless it
    /// passes: a failure first, then a waived one, then what could not be evaluated.
    pub fn finding_about(&self, rules: &[&str], about: &[&str]) -> Option<HopResult> {
        let concerns = |f: &&Finding| {
            rules.contains(&f.rule.as_str())
                && (f.resource.kind == Kind::Workload || about.contains(&f.resource.arn.as_str()))
        };
        let of = |verdict| self.findings.iter().filter(concerns).find(|f| f.verdict == verdict);
        let finding = of(Verdict::Fail)
            .or_else(|| of(Verdict::Waived))
            .or_else(|| of(Verdict::Unknown))?;
        let mut found = match (finding.verdict, &finding.waiver) {
            (Verdict::Fail, _) => HopResult::broken(&finding.message, self.fix(finding)),
            (_, Some(waiver)) => HopResult::unknown(format!(
                "{}; waived until {}: {}",
                finding.message, waiver.until, waiver.reason
            )),
            _ => HopResult::unknown(&finding.message),
        };
        for e in &finding.evidence {
            found = found.differs(&e.field, e.observed.clone(), e.expected.clone());
        }
        Some(found)
    }

    /// The remedy of a finding.
    fn fix(&self, finding: &Finding) -> Fix {
        let mut fix = Fix {
            rule: Some(finding.rule.clone()),
            ..Fix::by_hand(format!("see `holdfast rules {}`", finding.rule), vec![])
        };
        if let Some(r) = &finding.remediation {
            let corrects = crate::rules::find(&finding.rule).is_some_and(|rule| may_correct(rule.meta(), self.config));
            fix.summary.clone_from(&r.summary);
            fix.risk = (!r.calls.is_empty()).then_some(r.risk);
            fix.calls.clone_from(&r.calls);
            fix.blocked_by = r.blocked_by.as_ref().map(ToString::to_string).or_else(|| {
                (!corrects && !r.calls.is_empty()).then(|| format!("`rules.{}.correct` is off", finding.rule))
            });
        }
        fix
    }
}
