//! The facts that items are made from.

use super::answer::Answer;
use super::item::Item;
use crate::diagnose::Diagnosis;
use crate::facts::{Database, RdsResource, Workload};
use crate::finding::{Finding, Kind, Verdict};
use crate::model::resources::{Alarm, Backup};
use crate::model::snapshot::Read;

/// What is read for the checklist alone.
#[derive(Debug, Clone)]
pub struct Extras {
    /// Snapshots of the workload's databases, the newest first.
    pub backups: Read<Vec<Backup>>,
    /// Alarms that name a database.
    pub alarms: Read<Vec<Alarm>>,
}

/// The facts that items are made from.
pub(super) struct List<'a> {
    pub(super) w: &'a Workload<'a>,
    pub(super) findings: &'a [Finding],
    pub(super) diagnosis: &'a Diagnosis,
    pub(super) extras: &'a Extras,
}

impl<'a> List<'a> {
    pub(super) fn item(
        &self,
        section: &'static str,
        id: &'static str,
        about: &str,
        title: impl Into<String>,
        a: Answer,
    ) -> Item {
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
    pub(super) fn databases(&self) -> Read<Vec<Database<'a>>> {
        let replica = |d: &Database<'_>| matches!(d.resource, RdsResource::Instance(i) if i.replica_of.is_some());
        Ok(self.w.databases()?.iter().filter(|d| !replica(d)).cloned().collect())
    }

    pub(super) fn no_database(&self) -> Item {
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
    pub(super) fn finding_about(&self, rule: &str, about: &[String]) -> Option<Answer> {
        let about =
            |f: &&Finding| f.rule == rule && (about.contains(&f.resource.arn) || f.resource.kind == Kind::Workload);
        let of = |verdict| self.findings.iter().filter(about).find(|f| f.verdict == verdict);
        of(Verdict::Fail)
            .or_else(|| of(Verdict::Waived))
            .or_else(|| of(Verdict::Unknown))
            .map(Answer::of_finding)
    }
}
