//! Whether a migration to a database is done: item by item, each proved, disproved or unknown, with its evidence and
//! the instant that this is of. Pure.
//!
//! Where a rule judges what an item asks, its finding answers; the rest rests on the same facts.

mod cleanup;
mod database;
mod service;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::Serialize;

use crate::config::Config;
use crate::diagnose::{self, Diagnosis, Fact, Hop, Status};
use crate::facts::{Database, RdsResource, Workload, one_workload};
use crate::finding::{Finding, Verdict as RuleVerdict};
use crate::judge::judge;
use crate::model::resources::{Alarm, Backup};
use crate::model::snapshot::{ReadError, Seen, Snapshot};

/// Rules that answer items, beside those of the way from the service to its database.
const RULES: &[&str] = &[
    "rds-public-access",
    "rds-public-subnet",
    "rds-open-ingress",
    "rds-migration-overdue",
    "rds-short-backup-retention",
    "rds-stale-restore-point",
    "rds-unencrypted-storage",
    "rds-deletion-unprotected",
    "rds-abandoned",
    "ecs-ephemeral-storage",
    "ecs-unsafe-rollback",
];

/// `config` with every rule that answers an item enabled.
#[must_use]
pub fn thorough(config: &Config) -> Config {
    let mut config = diagnose::thorough(config);
    for rule in RULES {
        config.rules.entry((*rule).to_owned()).or_default().enabled = Some(true);
    }
    config
}

/// What is read for the checklist alone.
#[derive(Debug, Clone)]
pub struct Extras {
    /// Snapshots of the workload's databases, the newest first.
    pub backups: Seen<Vec<Backup>>,
    /// Alarms that name a database.
    pub alarms: Seen<Vec<Alarm>>,
}

/// What is known of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds, by evidence.
    Proved,
    /// Evidence is missing.
    Unknown,
    /// It does not hold.
    Disproved,
}

impl Verdict {
    /// The word used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Unknown => "unknown",
            Self::Disproved => "disproved",
        }
    }

    /// Of several: disproved if one is, else unknown unless all are proved.
    #[must_use]
    pub fn of(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().max().unwrap_or(Self::Unknown)
    }
}

/// One item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// What it belongs to: `backup`, `database`, `service`, `roles`, `task definition`, `connection`, `persistence`,
    /// `window`, `monitoring`, `clean-up`.
    pub section: &'static str,
    /// Names it, the same in every run: `backup-exists`, ...
    pub id: &'static str,
    /// The database or service that it is about.
    pub about: String,
    /// What is claimed.
    pub title: String,
    /// Whether it holds.
    pub verdict: Verdict,
    /// One sentence: why.
    pub summary: String,
    /// What that rests on.
    pub evidence: Vec<Fact>,
    /// The instant of the evidence: of the backup, of the log line, of the deployment; else when it was read.
    pub at: Timestamp,
    /// What to do about it, unless it is proved.
    pub todo: Option<String>,
}

/// The checklist of one workload in one account and region.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checklist {
    /// The workload.
    pub workload: String,
    /// Twelve digits.
    pub account: String,
    /// For instance `us-east-1`.
    pub region: String,
    /// When reading began: no fact is older.
    pub observed_at: Timestamp,
    /// Disproved if one item is, else unknown unless all are proved.
    pub verdict: Verdict,
    /// The items, in order.
    pub items: Vec<Item>,
}

/// Goes through the checklist.
#[must_use]
pub fn checklist(snapshot: &Snapshot, extras: &Extras, config: &Config, now: Timestamp, workload: &str) -> Checklist {
    let config = thorough(config);
    let w = one_workload(workload, snapshot, &config, now);
    let only = std::iter::once(workload.to_owned()).collect();
    let findings = judge(snapshot, &config, now, Some(&only)).findings;
    let diagnosis = diagnose::through(snapshot, &config, now, workload);
    let list = List {
        w: &w,
        findings: &findings,
        diagnosis: &diagnosis,
        extras,
    };
    let mut items = vec![];
    match list.databases() {
        Ok(databases) => {
            for database in &databases {
                items.extend(database::backup(&list, database));
            }
            for database in &databases {
                items.extend(database::specified(&list, database));
            }
            items.extend(service::items(&list));
            for database in &databases {
                items.extend(database::window(&list, database));
            }
            for database in &databases {
                items.extend(cleanup::monitoring(&list, database));
            }
            items.extend(cleanup::items(&list, &databases));
            if databases.is_empty() {
                items.insert(0, list.no_database());
            }
        }
        Err(e) => {
            items.push(list.item(
                "database",
                "database-known",
                workload,
                "The database is known",
                Answer::unread(&e),
            ));
            items.extend(service::items(&list));
        }
    }
    Checklist {
        workload: workload.to_owned(),
        account: snapshot.scope.account.clone(),
        region: snapshot.scope.region.clone(),
        observed_at: snapshot.started_at,
        verdict: Verdict::of(items.iter().map(|i| i.verdict)),
        items,
    }
}

impl Item {
    /// Its facts in one line: `field: value; field: value`.
    #[must_use]
    pub fn facts(&self) -> String {
        let told = self.evidence.iter().map(|f| match f.observed.as_str() {
            Some(text) => format!("{}: {text}", f.field),
            None => format!("{}: {}", f.field, f.observed),
        });
        told.collect::<Vec<_>>().join("; ")
    }
}

/// What an item comes to.
struct Answer {
    verdict: Verdict,
    summary: String,
    evidence: Vec<Fact>,
    at: Option<Timestamp>,
    todo: Option<String>,
}

impl Answer {
    fn proved(summary: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Proved,
            summary: summary.into(),
            evidence: vec![],
            at: None,
            todo: None,
        }
    }

    fn disproved(summary: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Disproved,
            todo: Some(todo.into()),
            ..Self::proved(summary)
        }
    }

    fn unknown(summary: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Unknown,
            todo: Some(todo.into()),
            ..Self::proved(summary)
        }
    }

    /// A read that failed: its message names the cure.
    fn unread(error: &ReadError) -> Self {
        Self::unknown(
            format!("{}:{} on {} failed", error.service, error.operation, error.resource),
            error.message.clone(),
        )
    }

    fn fact(mut self, field: impl Into<String>, observed: impl Into<serde_json::Value>) -> Self {
        self.evidence.push(Fact {
            field: field.into(),
            observed: observed.into(),
            expected: None,
        });
        self
    }

    fn at(mut self, at: Option<Timestamp>) -> Self {
        self.at = at;
        self
    }

    /// What a hop of the way found.
    fn of_hop(hop: &Hop) -> Self {
        let todo = match &hop.fix {
            Some(fix) => fix.summary.clone(),
            None => hop
                .not_checked
                .first()
                .cloned()
                .unwrap_or_else(|| format!("see `holdfast diagnose`: {}", hop.name)),
        };
        let mut answer = match hop.status {
            Status::Proved => Self::proved(&hop.summary),
            Status::Broken => Self::disproved(&hop.summary, todo),
            Status::Unknown | Status::NotReached => Self::unknown(&hop.summary, todo),
        };
        answer.evidence.clone_from(&hop.evidence);
        answer
    }

    /// What a rule found.
    fn of_finding(finding: &Finding) -> Self {
        let todo = finding.remediation.as_ref().map(|r| r.summary.clone());
        let mut answer = match (finding.verdict, &finding.waiver) {
            (RuleVerdict::Fail, _) => Self::disproved(
                &finding.message,
                todo.unwrap_or_else(|| format!("see `holdfast rules {}`", finding.rule)),
            ),
            (_, Some(waiver)) => Self::unknown(
                format!("{}; waived until {}: {}", finding.message, waiver.until, waiver.reason),
                todo.unwrap_or_default(),
            ),
            _ => Self::unknown(&finding.message, "make the evidence readable, then run this again"),
        };
        for e in &finding.evidence {
            answer.evidence.push(Fact {
                field: e.field.clone(),
                observed: e.observed.clone(),
                expected: Some(e.expected.clone()),
            });
        }
        answer
    }
}

/// What all items are made from.
struct List<'a> {
    w: &'a Workload<'a>,
    findings: &'a [Finding],
    diagnosis: &'a Diagnosis,
    extras: &'a Extras,
}

impl<'a> List<'a> {
    fn item(&self, section: &'static str, id: &'static str, about: &str, title: impl Into<String>, a: Answer) -> Item {
        Item {
            section,
            id,
            about: about.to_owned(),
            title: title.into(),
            verdict: a.verdict,
            summary: a.summary,
            evidence: a.evidence,
            at: a.at.unwrap_or(self.w.snapshot.started_at),
            todo: a.todo.filter(|t| !t.is_empty()),
        }
    }

    /// The databases that data was migrated to: replicas hold nothing of their own.
    fn databases(&self) -> Seen<Vec<Database<'a>>> {
        let replica = |d: &Database<'_>| matches!(d.resource, RdsResource::Instance(i) if i.replica_of.is_some());
        Ok(self.w.databases()?.iter().filter(|d| !replica(d)).cloned().collect())
    }

    fn no_database(&self) -> Item {
        let tag = format!("{}workload={}", self.w.prefix, self.w.name);
        let answer = Answer::disproved(
            format!("no database carries {tag}"),
            format!("tag the database with {tag}"),
        );
        self.item(
            "database",
            "database-known",
            self.w.name,
            "The database is known",
            answer,
        )
    }

    /// What `rule` says about one of `about`, unless it passes.
    fn told(&self, rule: &str, about: &[String]) -> Option<Answer> {
        let about = |f: &&Finding| {
            f.rule == rule && (about.contains(&f.resource.arn) || f.resource.kind == crate::finding::Kind::Workload)
        };
        let of = |verdict| self.findings.iter().filter(about).find(|f| f.verdict == verdict);
        of(RuleVerdict::Fail)
            .or_else(|| of(RuleVerdict::Waived))
            .or_else(|| of(RuleVerdict::Unknown))
            .map(Answer::of_finding)
    }
}
