//! One service after the other.

use super::workload::Workload;
use crate::judgement::Judgement;
use crate::model::resources::{Service, TaskDefinition};
use crate::model::subject::Subject;

/// What `judge` says of each service, and that something is unknown where one could not be read.
#[must_use]
pub fn each_service<'a>(
    w: &Workload<'a>,
    judge: impl FnMut(&'a Service) -> Option<Judgement<'a>>,
) -> Vec<Judgement<'a>> {
    let services = match w.services() {
        Ok(services) => services,
        Err(e) => return w.unknown(&e),
    };
    let mut out: Vec<Judgement<'a>> = services.iter().copied().filter_map(judge).collect();
    if let Some((_, error)) = w.unread_services().first() {
        out.extend(w.unknown(error));
    }
    out
}

/// What `judge` says of each service and the revision that it runs; unknown where that could not be read.
#[must_use]
pub fn each_running<'a>(
    w: &Workload<'a>,
    mut judge: impl FnMut(&'a Service, &'a TaskDefinition) -> Option<Judgement<'a>>,
) -> Vec<Judgement<'a>> {
    each_service(w, |service| match w.running(service) {
        Err(e) => Some(Judgement::unknown(Subject::Service(service), &service.tags, &e)),
        Ok(definition) => judge(service, definition),
    })
}
