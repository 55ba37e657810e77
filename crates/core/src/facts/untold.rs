//! What nothing tells of a service, and what would tell it.

use std::sync::Arc;

use super::secrets::right_reference;
use super::service_data::Storage;
use super::workload::Workload;
use crate::config::Datastore;
use crate::model::follow_up_reads::FollowUpReads;
use crate::model::read_error::{ReadError, UNTOLD};
use crate::model::resources::{Service, TaskDefinition, revision_name};

/// The sentence that says how a person tells where a service keeps its data.
#[must_use]
pub fn what_tells(w: &Workload<'_>, service: &Service) -> String {
    // Where it is the only one, what is said of the workload is said of it.
    let key = if w.services().is_ok_and(|all| all.len() == 1) {
        format!("workloads.{}.datastore", w.name)
    } else {
        format!("workloads.{}.services.{}.datastore", w.name, service.name)
    };
    let declared = w.running(service).map(|d| w.declared(service, d).datastore);
    if matches!(declared, Ok(Datastore::Postgres)) {
        // What was said already tells no more.
        return format!(
            "`workloads.{}.database_env` in the configuration, which names its settings, tells it",
            w.name
        );
    }
    format!(
        "the tag {}datastore=postgres|volume|other|none on {}/{}, or `{key}` in the configuration, tells it",
        w.prefix, service.cluster, service.name
    )
}

/// What stands for evidence that nobody gave.
#[must_use]
pub fn untold(definition: &TaskDefinition, why: String) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "ecs".into(),
        operation: "DescribeTaskDefinition".into(),
        resource: revision_name(&definition.arn).to_owned(),
        code: UNTOLD.into(),
        message: why,
    })
}

/// The last revision before `definition` that kept its data, if one was found.
#[must_use]
pub fn earlier<'a>(w: &Workload<'a>, definition: &TaskDefinition) -> Option<&'a str> {
    let found = w.snapshot.durable_revisions.get(&definition.arn)?;
    Some(found.arn.as_str())
}

/// Asks for the last revision that kept its data, of each service of which nothing shows that it does now.
pub fn ask_for_earlier(w: &Workload<'_>, reads: &mut FollowUpReads) {
    for &service in w.services().unwrap_or_default() {
        let (Ok(definition), Ok(data)) = (w.running(service), w.data(service)) else {
            continue;
        };
        let storage = data.storage(None, "");
        let asks = match storage {
            Storage::Lost(_) => right_reference(w).is_err(),
            Storage::Unknown(_) => data.has_no_evidence(),
            Storage::Kept | Storage::NotEvaluated => false,
        };
        if asks && definition.revision > 1 {
            reads.earlier_revisions.insert(definition.arn.clone());
        }
    }
}
