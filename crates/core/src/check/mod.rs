//! Evaluates the same rules before the resources exist: on task definitions, Terraform plans and CloudFormation templates,
//! without AWS or credentials. And evaluates what a plan does to resources that exist (`changes`).
//!
//! A file becomes a [`Snapshot`], which `evaluate` treats like any other. Two things differ:
//!
//! - What a plan does not know before it is applied is neither good nor bad. So there are two snapshots, one of the best
//!   and one of the worst `World` that the plan may lead to, and a verdict is what holds in both (`offline`).
//! - Nothing has an ARN yet. In the snapshot a resource of a plan has its Terraform address for an id and a placeholder
//!   for an ARN; in findings the ARN is `file:PATH#ADDRESS` (`DisplayName`).

mod advice;
mod allow;
mod case;
mod changes;
mod checked_file;
mod definition;
mod definition_case;
mod error;
mod lines;
mod long_form;
mod offline;
mod present;
mod scope;
mod scrubbed;
mod source;
mod template;
mod terraform;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::config::Config;
use crate::evaluate::Evaluation;
use crate::model::key::Scope;
use crate::model::snapshot::Snapshot;
use advice::{Format, Written};
pub use allow::{AllowFault, AllowedChange};
use case::{Case, World};
use changes::Changes;
pub use checked_file::{CheckedFile, Unchecked};
pub use error::{CheckError, LARGEST, Lookalike, NotJson};
use source::{Document, FileKind};

/// What is asked of a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckOptions<'a> {
    /// The workload of what carries no tag.
    pub workload: Option<&'a str>,
    /// Changes that are meant.
    pub allowed: &'a [AllowedChange],
}

/// Evaluates one file. `path` is how it is called in findings.
///
/// # Errors
/// Why the file is none that can be evaluated, and what was expected.
pub fn check(
    path: &str,
    bytes: &[u8],
    options: CheckOptions<'_>,
    config: &Config,
    now: Timestamp,
) -> Result<CheckedFile, CheckError> {
    let text = source::decode(bytes)?;
    let document = source::read(&text)?;
    let file = File {
        path,
        document: &document,
        options,
        config,
        now,
    };
    let mut checked = match document.kind {
        FileKind::Terraform => file.terraform(),
        FileKind::Template => file.template(),
        FileKind::ChangeSet => file.change_set(),
        FileKind::Definitions => file.definitions(),
    };
    checked.note_if_nothing_was_evaluated(path);
    Ok(checked)
}

/// One file, and what is asked of it.
struct File<'a> {
    path: &'a str,
    document: &'a Document,
    options: CheckOptions<'a>,
    config: &'a Config,
    now: Timestamp,
}

impl File<'_> {
    fn value(&self) -> &Value {
        &self.document.value
    }

    fn terraform(&self) -> CheckedFile {
        let plan = terraform::Terraform::new(self.value());
        let mut checked = self.worlds(&plan, Format::Terraform);
        let mut changes = changes::terraform(self.value());
        if plan.nameless() > 0 {
            changes.incomplete(
                "the file",
                format!(
                    "{} resources have no address or type, and were not read",
                    plan.nameless()
                ),
            );
        }
        self.add(&changes, &mut checked);
        checked
    }

    fn template(&self) -> CheckedFile {
        let mut counts = BTreeMap::new();
        scope::count(Some(self.value()), &mut counts);
        let scope = scope::most(&counts, None);
        let lowered = template::lower(self.value(), &scope);
        let plan = terraform::Terraform::new(&lowered.plan).in_scope(scope);
        let mut checked = self.worlds(&plan, Format::Template);
        let mut changes = Changes::default();
        for what in lowered.unread {
            changes.incomplete("the template", what);
        }
        self.add(&changes, &mut checked);
        checked.unchecked.defaults = lowered.defaults;
        checked
    }

    fn change_set(&self) -> CheckedFile {
        let mut counts = BTreeMap::new();
        scope::count(Some(self.value()), &mut counts);
        let mut checked = CheckedFile::empty(scope::most(&counts, None), self.now);
        let changes = changes::change_set(self.value());
        self.add(&changes, &mut checked);
        checked
    }

    fn definitions(&self) -> CheckedFile {
        let found = definition::recognise(self.value());
        let name = stem(self.path);
        let case = definition_case::definition_case(&found, name, self.options.workload, self.config, self.now);
        let mut checked = self.evaluate(vec![(case, None)], Format::Definitions);
        checked.held = !found.is_empty();
        checked
    }

    /// What a plan leads to, in the best and in the worst world.
    fn worlds(&self, plan: &terraform::Terraform<'_>, format: Format) -> CheckedFile {
        let tagged = plan.has_tags(&self.config.tag_prefix);
        let untagged = self.options.workload.or_else(|| (!tagged).then(|| stem(self.path)));
        let worst = plan.cases(self.config, World::Worst, untagged, self.now);
        let best: Vec<Option<Case>> = if worst.iter().any(|case| case.diverged) {
            let best = plan.cases(self.config, World::Best, untagged, self.now);
            best.into_iter().map(Some).collect()
        } else {
            worst.iter().map(|_| None).collect()
        };
        let mut checked = self.evaluate(worst.into_iter().zip(best).collect(), format);
        checked.held = plan.has_subjects(&self.config.tag_prefix);
        checked
    }

    /// Evaluates cases in the worst world, each with the same in the best one, if that is another.
    fn evaluate(&self, pairs: Vec<(Case, Option<Case>)>, format: Format) -> CheckedFile {
        let written = Written {
            format,
            path: self.path,
            document: self.document,
        };
        let mut checked: Option<CheckedFile> = None;
        for (worst, best) in pairs {
            let (evaluation, rules) = offline::verdicts(best.as_ref(), &worst, self.config, self.now);
            let found = present::present(&written, worst, evaluation, rules);
            match &mut checked {
                None => checked = Some(found),
                Some(whole) => whole.merge(found),
            }
        }
        checked.unwrap_or_else(|| CheckedFile::empty(scope::most(&BTreeMap::new(), None), self.now))
    }

    /// Adds what the rules about plans say.
    fn add(&self, changes: &Changes, checked: &mut CheckedFile) {
        let evaluator = changes::Evaluator {
            path: self.path,
            workload: self.options.workload.unwrap_or_else(|| stem(self.path)),
            scope: &checked.snapshot.scope.clone(),
            config: self.config,
            allowed: self.options.allowed,
            now: self.now,
        };
        checked.allowed = evaluator.add(&changes.all, &mut checked.evaluation);
        if self.document.kind == FileKind::ChangeSet {
            evaluator.count(&changes.all, &mut checked.evaluation);
        }
        let errors = changes.incomplete.iter().cloned().map(std::sync::Arc::new);
        checked.snapshot.errors.extend(errors);
        checked.unchecked.elsewhere.extend(changes.elsewhere.iter().cloned());
    }
}

/// The name of a file without folders and endings; of standard input, `plan`.
fn stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    match name.split('.').next().unwrap_or(name) {
        "" | "-" => "plan",
        stem => stem,
    }
}

impl CheckedFile {
    fn empty(scope: Scope, now: Timestamp) -> Self {
        Self {
            snapshot: Snapshot::empty(scope, now),
            evaluation: Evaluation::default(),
            unchecked: Unchecked::default(),
            allowed: std::collections::BTreeSet::new(),
            held: false,
        }
    }
}
