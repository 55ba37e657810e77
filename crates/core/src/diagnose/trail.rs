//! One way, hop by hop: what each finds, and what the rules say about it.

use serde_json::Value;

use super::{Fact, Fix, Hop, Source, Status, database, network, secret, service};
use crate::config::Config;
use crate::facts::{Database, Workload};
use crate::finding::{Finding, Kind, Verdict};
use crate::model::connection::Connection;
use crate::model::resources::{Secret, SecretVariable, Service, TaskDefinition};
use crate::model::snapshot::ReadError;
use crate::model::value_from::{self, ValueFrom};
use crate::rules::settings::may_correct;

/// What a hop came to.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub status: Status,
    pub summary: String,
    pub evidence: Vec<Fact>,
    pub fix: Option<Fix>,
    pub not_checked: Vec<String>,
}

impl Found {
    fn new(status: Status, summary: impl Into<String>) -> Self {
        Self {
            status,
            summary: summary.into(),
            evidence: vec![],
            fix: None,
            not_checked: vec![],
        }
    }

    pub fn proved(summary: impl Into<String>) -> Self {
        Self::new(Status::Proved, summary)
    }

    pub fn broken(summary: impl Into<String>, fix: Fix) -> Self {
        Self {
            fix: Some(fix),
            ..Self::new(Status::Broken, summary)
        }
    }

    pub fn unknown(summary: impl Into<String>) -> Self {
        Self::new(Status::Unknown, summary)
    }

    /// It rests on something that an earlier hop could not tell.
    pub fn not_reached(why: impl Into<String>) -> Self {
        Self::new(Status::NotReached, why)
    }

    /// Adds a fact.
    pub fn fact(mut self, field: impl Into<String>, observed: impl Into<Value>) -> Self {
        self.evidence.push(Fact {
            field: field.into(),
            observed: observed.into(),
            expected: None,
        });
        self
    }

    /// Adds a fact that is not as it should be.
    pub fn differs(mut self, field: impl Into<String>, observed: impl Into<Value>, expected: impl Into<Value>) -> Self {
        self.evidence.push(Fact {
            field: field.into(),
            observed: observed.into(),
            expected: Some(expected.into()),
        });
        self
    }

    /// Adds something that was not checked.
    pub fn unchecked(mut self, what: impl Into<String>) -> Self {
        self.not_checked.push(what.into());
        self
    }
}

/// A read that failed.
pub(super) fn unread(error: &ReadError) -> Found {
    Found::unknown(error.to_string()).fact(format!("{}:{}", error.service, error.operation), error.code.clone())
}

impl Found {
    /// As a hop of this name.
    pub fn named(self, name: &'static str) -> Hop {
        Hop {
            name,
            status: self.status,
            summary: self.summary,
            evidence: self.evidence,
            fix: self.fix,
            not_checked: self.not_checked,
        }
    }
}

/// How far to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// After the first hop that is broken, none is reached.
    Broken,
    /// Each hop is looked at, as far as what it rests on is known.
    TheEnd,
}

/// A hop behind a broken one.
pub(super) fn past(broken: &str) -> Found {
    Found::not_reached(format!("the way ends at {broken}"))
}

/// One way, as far as it has been walked.
pub(super) struct Trail<'a> {
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

type Step = for<'t, 'a> fn(&'t mut Trail<'a>) -> Found;

const STEPS: &[(&str, Step)] = &[
    ("service", service::service),
    ("revision", service::revision),
    ("variable", secret::variable),
    ("secret", secret::secret),
    ("url", secret::url),
    ("database", database::database),
    ("security-group", network::security_group),
    ("route", network::route),
    ("execution-role", service::execution_role),
    ("deployment", service::deployment),
    ("logs", service::logs),
];

impl<'a> Trail<'a> {
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

    /// Walks.
    pub fn hops(&mut self, until: Until) -> Vec<Hop> {
        let mut broken: Option<&str> = None;
        let mut hops = vec![];
        for (name, step) in STEPS {
            let found = match broken {
                Some(at) => past(at),
                None => step(self),
            };
            if found.status == Status::Broken && until == Until::Broken {
                broken = Some(name);
            }
            hops.push(found.named(name));
        }
        hops
    }

    /// `cluster/service`.
    pub fn name(&self) -> String {
        super::id(self.service)
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
    pub fn source(&self) -> Option<Source> {
        match (self.secret, self.reference()?) {
            (Some(secret), ValueFrom::Secret(target)) => Some(Source::Secret {
                arn: secret.arn.clone(),
                selector: target.selector,
            }),
            (_, ValueFrom::Parameter(name)) => Some(Source::Parameter(name.to_owned())),
            _ => None,
        }
    }

    /// What one of `rules` says about one of the resources `about` (or about the workload as a whole), unless it
    /// passes: a failure first, then a waived one, then what could not be judged.
    pub fn told(&self, rules: &[&str], about: &[&str]) -> Option<Found> {
        let concerns = |f: &&Finding| {
            rules.contains(&f.rule.as_str())
                && (f.resource.kind == Kind::Workload || about.contains(&f.resource.arn.as_str()))
        };
        let of = |verdict| self.findings.iter().filter(concerns).find(|f| f.verdict == verdict);
        let finding = of(Verdict::Fail)
            .or_else(|| of(Verdict::Waived))
            .or_else(|| of(Verdict::Unknown))?;
        let mut found = match (finding.verdict, &finding.waiver) {
            (Verdict::Fail, _) => Found::broken(&finding.message, self.fix(finding)),
            (_, Some(waiver)) => Found::unknown(format!(
                "{}; waived until {}: {}",
                finding.message, waiver.until, waiver.reason
            )),
            _ => Found::unknown(&finding.message),
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
