//! Items about migrations of the schema: that the last one succeeded, and that it was of what runs.

use super::answer::Answer;
use super::item::Item;
use super::list::List;
use crate::facts::{MigrationState, migration_state};
use crate::model::resources::{MigrationFamily, TaskRun, revision_name};

pub(super) fn items(list: &List<'_>) -> Vec<Item> {
    let workload = list.w.name;
    let title = "The schema migration succeeded";
    let one = |answer| vec![list.item("schema", "migration-succeeded", workload, title, answer)];
    match list.w.migrations() {
        Err(e) => one(Answer::unread(&e)),
        Ok([]) if list.w.params.requires_migrations() => one(Answer::disproved(
            "a migration is required, and no task definition is tagged as one",
            format!(
                "tag it with {0}workload={workload} and {0}role=migration",
                list.w.prefix
            ),
        )),
        Ok(families) => families.iter().flat_map(|family| of_family(list, family)).collect(),
    }
}

fn of_family(list: &List<'_>, family: &MigrationFamily) -> [Item; 2] {
    let (name, about) = (&family.family, [family.revision.clone()]);
    let succeeded =
        list.finding_about("migration-failed", &about)
            .unwrap_or_else(|| match migration_state(list.w, family) {
                MigrationState::Succeeded(run) => told(Answer::proved(format!("{} ended well", run.arn)), run),
                MigrationState::Running(run, _) => told(
                    Answer::unknown(format!("{} is under way", run.arn), "wait for its end"),
                    run,
                ),
                MigrationState::Failed(run, why) => told(Answer::disproved(why, "mend it, and run it again"), run),
                MigrationState::Unknown(e) => Answer::unread(&e),
            });
    let alike = list
        .finding_about("migration-drift", &about)
        .unwrap_or_else(|| Answer::proved("its image, database secret and network are those of the service"));
    [
        list.item(
            "schema",
            "migration-succeeded",
            name,
            format!("The schema migration {name} succeeded"),
            succeeded,
        ),
        list.item(
            "schema",
            "migration-alike",
            name,
            format!("The schema migration {name} was of what runs"),
            alike,
        ),
    ]
}

fn told(answer: Answer, run: &TaskRun) -> Answer {
    answer
        .fact("taskDefinition", revision_name(&run.task_definition))
        .at(run.stopped_at.or(run.started_at))
}
