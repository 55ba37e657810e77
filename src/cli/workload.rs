//! One workload, read in full: for the commands that answer about a single one.

use std::sync::Arc;

use holdfast_aws::client::Aws;
use holdfast_core::config::{Config, Inspect};
use holdfast_core::model::snapshot::Snapshot;
use holdfast_core::refresh::RefreshSet;

use super::failure::Failure;
use super::selection::Selection;
use super::session::{EvaluatedScope, Session};

/// Rules that need calls for each workload.
const EXPENSIVE_RULES: &[&str] = &[
    "ecs-secret-unreadable",
    "ecs-stale-secret",
    "ecs-no-path-to-secrets",
    "ecs-exec-disabled",
    "ecs-builtin-database",
    "ecs-unsafe-rollback",
    "secret-broad-access",
    "rds-unenforced-tls",
];

/// Reads everything that `config` asks for about one workload, and about the others only what it takes to find it.
/// Returns the clients and the snapshot of each account and region that the workload is in. The session then has
/// `config`.
pub(super) async fn read_workload(
    session: &mut Session,
    workload: &str,
    config: &Config,
) -> Result<Vec<(Aws, Snapshot)>, Failure> {
    let mut narrow = config.clone();
    narrow.secrets.inspect = config.secrets.inspect.min(Inspect::Metadata);
    for rule in EXPENSIVE_RULES {
        narrow.rules.entry((*rule).to_owned()).or_default().enabled = Some(false);
    }
    session.config = Arc::new(narrow);
    let scopes = session.sweep(&Selection::one(workload)).await;
    session.config = Arc::new(config.clone());
    let mut read = vec![];
    for EvaluatedScope {
        aws,
        snapshot,
        evaluation,
    } in scopes?
    {
        if !evaluation.workloads.contains_key(workload) {
            continue;
        }
        let now = session.clock.now();
        let collector = session.collector(&aws);
        let is_complete = snapshot.instances.is_ok()
            && snapshot.clusters.is_ok()
            && snapshot.services.is_ok()
            && snapshot.security_groups.is_ok();
        let mut snapshot = if is_complete {
            let set = RefreshSet::of(&snapshot, config, workload, now);
            collector.refresh(&snapshot, &set, now).await
        } else {
            // A list that can't be read may hide resources of the workload.
            collector.sweep(now).await
        };
        session.remember(&mut snapshot).await;
        read.push((aws, snapshot));
    }
    Ok(read)
}
