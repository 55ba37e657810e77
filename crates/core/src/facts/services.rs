//! Evaluates each service of a workload.

use super::workload::Workload;
use crate::model::resources::{Service, TaskDefinition};
use crate::model::subject::ResultSubject;
use crate::rule_result::RuleResult;

/// Applies `evaluate` to each service, and adds an unknown result if one could not be read.
#[must_use]
pub fn each_service<'a>(
    w: &Workload<'a>,
    evaluate: impl FnMut(&'a Service) -> Option<RuleResult<'a>>,
) -> Vec<RuleResult<'a>> {
    let services = match w.services() {
        Ok(services) => services,
        Err(e) => return w.unknown(&e),
    };
    let mut out: Vec<RuleResult<'a>> = services.iter().copied().filter_map(evaluate).collect();
    if let Some((_, error)) = w.unread_services().first() {
        out.extend(w.unknown(error));
    }
    out
}

/// Applies `evaluate` to each service and the revision that it runs; the result is unknown if the revision could not be
/// read.
#[must_use]
pub fn each_running<'a>(
    w: &Workload<'a>,
    mut evaluate: impl FnMut(&'a Service, &'a TaskDefinition) -> Option<RuleResult<'a>>,
) -> Vec<RuleResult<'a>> {
    each_service(w, |service| match w.running(service) {
        Err(e) => Some(RuleResult::unknown(ResultSubject::Service(service), &service.tags, &e)),
        Ok(definition) => evaluate(service, definition),
    })
}
