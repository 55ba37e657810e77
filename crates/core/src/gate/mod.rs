//! Decides whether a deployment may go ahead, for `holdfast gate`.

mod redact;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::config::Config;
use crate::evaluate::Evaluation;
use crate::facts::{IMAGE, MigrationState, NO_RUN, Workload, images_of_run, migration_state, one_workload};
use crate::finding::{Finding, Verdict};
use crate::model::image::{Image, SameImage};
use crate::model::policy::Severity;
use crate::model::resources::{MigrationFamily, TaskDefinition, TaskRun, revision_name};
use crate::model::snapshot::Snapshot;
pub use redact::redact;

/// The question that the gate answers.
#[derive(Debug, Clone)]
pub struct GateRequest<'a> {
    /// The workload to be deployed.
    pub workload: &'a str,
    /// The least severity of an open finding that shuts the gate.
    pub fail_on: Severity,
    /// The only family of migrations that counts.
    pub family: Option<&'a str>,
    /// The image that is about to be deployed, with its digest if that is known.
    pub image: Option<&'a Image>,
    /// The revision that is about to be deployed.
    pub revision: Option<&'a TaskDefinition>,
}

impl GateRequest<'_> {
    /// Whether it is told what is about to be deployed.
    fn names_what_is_deployed(&self) -> bool {
        self.image.is_some() || self.revision.is_some()
    }
}

/// The answer of the gate.
#[derive(Debug, Clone, PartialEq)]
pub enum GateVerdict {
    /// The deployment may go ahead: what was found in order.
    Open(Vec<String>),
    /// The deployment may not go ahead.
    Shut(Vec<Reason>),
    /// A migration is still running.
    Wait(Vec<TaskRun>),
    /// Evidence is missing, for these reasons.
    Unknown(Vec<String>),
}

/// Why the gate is shut.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// One line.
    pub text: String,
    /// The run of a migration whose log says more, and the containers in it that failed.
    pub log: Option<(TaskRun, Vec<String>)>,
}

/// Rules that shut the gate however low their severity is set: what they find makes the very deployment dangerous.
const ALWAYS: &[&str] = &["ecs-unsafe-rollback", FAILED];
/// The rule about the last run.
const FAILED: &str = "migration-failed";
/// The rule that compares it with what the services run now.
const DRIFT: &str = "migration-drift";

/// Decides about one account and region.
#[must_use]
pub fn decide(
    snapshot: &Snapshot,
    evaluation: &Evaluation,
    asked: &GateRequest<'_>,
    config: &Config,
    now: Timestamp,
) -> GateVerdict {
    let mut view = View {
        workload: one_workload(asked.workload, snapshot, config, now),
        evaluation,
        asked,
        present: evaluation.workloads.contains_key(asked.workload),
        shut: vec![],
        wait: vec![],
        unknown: vec![],
        well: vec![],
    };
    view.migrations();
    let runs_reported = view.shut.iter().any(|r| r.log.is_some());
    let is_running_again = !view.wait.is_empty();
    let families_reported = !view.shut.is_empty();
    let mut shut = vec![];
    for finding in evaluation.findings.iter().filter(|f| f.workload == asked.workload) {
        match finding.verdict {
            Verdict::Waived => {}
            // The gate asks the runs itself.
            Verdict::Unknown if finding.rule == FAILED && is_about_run(finding) => {}
            Verdict::Unknown if finding.rule == DRIFT && asked.names_what_is_deployed() && is_about_image(finding) => {}
            Verdict::Unknown if !evaluation.leaves_open(finding) => {}
            Verdict::Unknown => view.unknown.push(finding.message.clone()),
            // The run itself was reported already, with its log.
            Verdict::Fail if finding.rule == FAILED && (runs_reported || is_running_again) => {}
            Verdict::Fail if finding.rule == "migration-missing" && families_reported => {}
            Verdict::Fail if finding.severity >= asked.fail_on || ALWAYS.contains(&finding.rule.as_str()) => {
                shut.extend(reason(finding, asked));
            }
            Verdict::Fail => {}
        }
    }
    view.shut.extend(shut);
    view.verdict()
}

/// An unknown result of the rule about runs that is about the run, and not about a failed read.
fn is_about_run(finding: &Finding) -> bool {
    let codes = finding.evidence.iter().filter_map(|e| e.observed.as_str());
    codes.into_iter().any(|code| code == NO_RUN || code == "EndNotSeen")
}

/// An unknown result of the rule about drift that only says that the image can't be compared with what runs now.
fn is_about_image(finding: &Finding) -> bool {
    let mut codes = finding.evidence.iter().filter_map(|e| e.observed.as_str());
    codes.any(|code| code == "DigestNotKnown")
}

/// What a finding says to the gate. That the migration is of another image than what still runs is as it should be where the
/// gate was told what is about to be deployed.
fn reason(finding: &Finding, asked: &GateRequest<'_>) -> Option<Reason> {
    let mut message = finding.message.clone();
    let fields = || finding.evidence.iter().map(|e| e.field.as_str());
    if finding.rule == DRIFT && fields().any(|f| f == IMAGE) {
        if asked.names_what_is_deployed() {
            let rest: Vec<&str> = fields().filter(|f| *f != IMAGE).collect();
            if rest.is_empty() {
                return None;
            }
            message = format!(
                "the migration {} differs from the service in its {}",
                finding.resource.id,
                rest.join(", ")
            );
        } else {
            message.push_str("; to compare it with what is about to be deployed, name that: --image REF");
        }
    }
    Some(Reason {
        text: format!(
            "{} {}: {message}",
            finding.severity.as_str().to_uppercase(),
            finding.rule
        ),
        log: None,
    })
}

struct View<'a> {
    workload: Workload<'a>,
    evaluation: &'a Evaluation,
    asked: &'a GateRequest<'a>,
    /// Whether the workload has anything here.
    present: bool,
    shut: Vec<Reason>,
    wait: Vec<TaskRun>,
    unknown: Vec<String>,
    well: Vec<String>,
}

impl View<'_> {
    /// A closed gate is reported at once, since no running migration can open it. An open gate needs everything to be
    /// known.
    fn verdict(mut self) -> GateVerdict {
        let mut seen = BTreeSet::new();
        self.unknown.retain(|why| seen.insert(why.clone()));
        if !self.shut.is_empty() {
            GateVerdict::Shut(self.shut)
        } else if !self.wait.is_empty() {
            GateVerdict::Wait(self.wait)
        } else if !self.unknown.is_empty() {
            GateVerdict::Unknown(self.unknown)
        } else {
            GateVerdict::Open(self.well)
        }
    }

    fn fail(&mut self, text: String) {
        self.shut.push(Reason { text, log: None });
    }

    fn migrations(&mut self) {
        let (asked, prefix) = (self.asked, self.workload.prefix);
        let families = match self.workload.migrations() {
            Err(e) if self.present => {
                self.unknown.push(format!("the migrations are unknown: {e}"));
                return;
            }
            Err(_) => return,
            Ok(families) => families,
        };
        let asked_for = |f: &&&MigrationFamily| asked.family.is_none_or(|name| f.family == name);
        let ours: Vec<&MigrationFamily> = families.iter().filter(asked_for).copied().collect();
        if ours.is_empty() && self.present {
            let tags = format!("{prefix}role=migration and {prefix}workload={}", asked.workload);
            if let Some(name) = asked.family {
                self.fail(format!("no task definition of the family {name} is tagged {tags}"));
            } else if self.workload.params.requires_migrations() {
                self.fail(format!(
                    "{} must run migrations (`migrations: required`), and no task definition is tagged {tags}",
                    asked.workload
                ));
            }
        }
        for family in ours {
            self.family(family);
        }
    }

    fn family(&mut self, family: &MigrationFamily) {
        let name = &family.family;
        match migration_state(&self.workload, family) {
            // A ledger that can't be asked may know of one.
            MigrationState::Unknown(error)
                if error.code == NO_RUN
                    && family.unrecalled.is_none()
                    && self.workload.params.requires_migrations() =>
            {
                self.fail(format!("the migration {name} must have run, and {}", error.message));
            }
            MigrationState::Unknown(error) => self
                .unknown
                .push(format!("whether the migration {name} succeeded is unknown: {error}")),
            MigrationState::Running(run, _) => self.wait.push(run.clone()),
            MigrationState::Failed(run, why) => {
                let run_name = describe_run(run);
                if let Some(waiver) = self.waived(family) {
                    self.well
                        .push(format!("the migration {run_name} failed, which is waived: {waiver}"));
                } else {
                    let text = format!("the migration {run_name} failed: {why}");
                    let log = Some((run.clone(), failed_containers(run)));
                    self.shut.push(Reason { text, log });
                }
            }
            MigrationState::Succeeded(run) => self.succeeded(family, run),
        }
    }

    fn succeeded(&mut self, family: &MigrationFamily, run: &TaskRun) {
        let run_name = describe_run(run);
        let revision = self.asked.revision;
        if let Some(revision) = revision.filter(|r| r.family == family.family) {
            if revision.arn != run.task_definition {
                self.fail(format!(
                    "the migration {} must have run, and what ran last is {run_name}; run it",
                    revision_name(&revision.arn)
                ));
                return;
            }
        } else if self.workload.params.requires_migrations() && run.task_definition != family.revision {
            self.fail(format!(
                "the migration {} must have run, and what ran last is {run_name}; run it",
                revision_name(&family.revision)
            ));
            return;
        }
        let mut well = format!("the migration {run_name} succeeded");
        if let Some(at) = run.stopped_at {
            let _ = write!(well, " at {at}");
        }
        let own = images_of_run(&self.workload, run);
        let image: Vec<Image> = self.asked.image.cloned().into_iter().collect();
        // Its own revision says nothing about what is deployed.
        let of_service = revision.filter(|r| r.family != family.family);
        let revised: Vec<Image> = of_service.iter().flat_map(|r| images(r)).collect();
        for (wanted, what) in [
            (image, "the image".to_owned()),
            (revised, of_service.map(images_of).unwrap_or_default()),
        ] {
            if wanted.is_empty() {
                continue;
            }
            match best(&own, &wanted) {
                Some((SameImage::ByDigest, image)) => {
                    let _ = write!(well, ", with {what} {image}, by its digest");
                }
                Some((SameImage::ByTag, image)) => {
                    let _ = write!(
                        well,
                        ", with {what} {image}, as written: by which digest is not known, and a tag can be moved"
                    );
                }
                Some((SameImage::Unknown, image)) => {
                    self.unknown.push(format!(
                        "whether the migration {run_name} ran with {what} {image} is unknown: it ran with {}, and of the one \
                         only the digest is known, of the other only the tag; name the image as TAG@DIGEST",
                        names(&own)
                    ));
                    return;
                }
                _ => {
                    self.fail(format!(
                        "the migration {run_name} ran with {}, and what is about to be deployed is {what} {}; run the migration \
                         with that",
                        names(&own),
                        names(&wanted)
                    ));
                    return;
                }
            }
        }
        self.well.push(well);
    }

    /// Why the failure of a family's last run was accepted, if it was.
    fn waived(&self, family: &MigrationFamily) -> Option<&str> {
        let of = |f: &&Finding| f.rule == FAILED && f.verdict == Verdict::Waived && f.resource.arn == family.revision;
        let finding = self.evaluation.findings.iter().find(of)?;
        finding.waiver.as_ref().map(|w| w.reason.as_str())
    }
}

/// The images of a revision's containers.
fn images(revision: &TaskDefinition) -> impl Iterator<Item = Image> {
    revision.containers.iter().map(|c| Image::of(&c.image))
}

fn images_of(revision: &TaskDefinition) -> String {
    format!("an image of {},", revision_name(&revision.arn))
}

fn names(images: &[Image]) -> String {
    if images.is_empty() {
        return "an image that is not known".to_owned();
    }
    images.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The surest way in which one of `own` is one of `wanted`, if any is.
fn best<'w>(own: &[Image], wanted: &'w [Image]) -> Option<(SameImage, &'w Image)> {
    let pairs = || own.iter().flat_map(|a| wanted.iter().map(move |b| (a.is_same(b), b)));
    let by = |same| pairs().find(|(s, _)| *s == same);
    by(SameImage::ByDigest)
        .or_else(|| by(SameImage::ByTag))
        .or_else(|| by(SameImage::Unknown))
}

/// The containers whose logs say why: those that did not exit with 0, else all.
fn failed_containers(run: &TaskRun) -> Vec<String> {
    let failed = |(_, code): &(&String, &Option<i32>)| run.has_stopped() && **code != Some(0);
    let found: Vec<String> = run
        .exit_codes
        .iter()
        .filter(failed)
        .map(|(name, _)| name.clone())
        .collect();
    if found.is_empty() {
        return run.exit_codes.keys().cloned().collect();
    }
    found
}

/// A run by its revision and the id of its task: `coder-migrate:7 (task 0123abcd)`.
#[must_use]
pub fn describe_run(run: &TaskRun) -> String {
    let id = run.arn.rsplit('/').next().unwrap_or(&run.arn);
    format!("{} (task {id})", revision_name(&run.task_definition))
}

#[cfg(test)]
mod tests;
