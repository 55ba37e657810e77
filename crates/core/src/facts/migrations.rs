//! How runs of schema migrations ended.

use super::workload::Workload;
use crate::model::resources::TaskRun;

/// Why a run failed, if it did.
#[must_use]
pub fn why_failed(w: &Workload<'_>, run: &TaskRun) -> Option<String> {
    if !run.has_stopped() {
        let began = run.started_at?;
        let timeout = w.migration_timeout;
        return (began + timeout < w.now).then(|| {
            format!(
                "it is {} since {began}, longer than migrations.timeout ({})",
                run.last_status,
                crate::config::format_duration(timeout)
            )
        });
    }
    let because = |told: Option<&String>| {
        told.map(|t| format!(" ({})", t.trim_end_matches('.')))
            .unwrap_or_default()
    };
    let reason = because(run.stopped_reason.as_ref());
    match run.stop_code.as_deref() {
        Some("TaskFailedToStart") => return Some(format!("it never started{reason}")),
        Some("UserInitiated") => return Some(format!("it was stopped before it ended{reason}")),
        // The task's own end; how that went, its containers tell.
        Some("EssentialContainerExited") | None => {}
        Some(code) => return Some(format!("it was killed: {code}{reason}")),
    }
    let essential = essential(w, run);
    if essential.is_empty() {
        return Some(format!("no container of it ran{reason}"));
    }
    essential.into_iter().find_map(|name| {
        let of_container = because(run.reasons.get(name));
        match run.exit_codes.get(name).copied().flatten() {
            Some(0) => None,
            Some(137) => Some(format!("its container {name} was killed (exit code 137){of_container}")),
            Some(code) => Some(format!("its container {name} exited with {code}{of_container}")),
            None => Some(format!(
                "its container {name} has no exit code: it never ran{of_container}{reason}"
            )),
        }
    })
}

/// The containers that the task ends with; all of them where its revision is not known.
fn essential<'r>(w: &'r Workload<'_>, run: &'r TaskRun) -> Vec<&'r str> {
    match w.snapshot.task_definitions.get(&run.task_definition) {
        Some(Ok(definition)) => {
            let essential = definition.containers.iter().filter(|c| c.essential);
            essential.map(|c| c.name.as_str()).collect()
        }
        _ => run.exit_codes.keys().map(String::as_str).collect(),
    }
}
