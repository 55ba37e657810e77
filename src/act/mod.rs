//! Carries out one planned correction: reads and plans again, acts only if the same action comes out, then reads and
//! judges until the finding is gone. It decides nothing.

mod database;
mod ingress;
mod rollout;
mod secret;
mod service;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::clock::Clock;
use crate::collect::{Collector, Focus};
use crate::judge::{Judged, judge};
pub use crate::ledger::Ended;
use crate::model::finding::Verdict;
use crate::model::remediation::Action;
use crate::model::snapshot::{ReadError, Seen, Snapshot};
use crate::plan::{PlannedAction, plan};

/// What became of a correction.
#[derive(Debug)]
pub struct Done {
    /// How it ended.
    pub ended: Ended,
    /// One sentence.
    pub detail: String,
    /// What was read last, with the verdicts on it.
    pub seen: Option<(Snapshot, Focus, Judged)>,
}

/// How long to wait for AWS.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a change to show.
    pub settle: Duration,
    /// Between two looks, at first; it doubles up to ten times that.
    pub look_every: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        // RDS applies a flag within minutes; a Fargate rollout with health checks takes up to ten.
        Self {
            settle: Duration::from_mins(15),
            look_every: Duration::from_millis(500),
        }
    }
}

/// Carries out corrections in one scope.
pub struct Actor<'a> {
    /// Reads and writes.
    pub collector: Collector<'a>,
    /// The instant to judge at.
    pub clock: &'a dyn Clock,
    /// How long to wait.
    pub patience: Patience,
}

/// What the calls of an action came to.
enum Called {
    /// AWS accepted them.
    Accepted,
    /// They failed, and nothing changed.
    Failed(Arc<ReadError>),
    /// They took effect and were taken back: why.
    Reverted(String),
    /// They took effect but did not settle in time: why.
    Unsettled(String),
}

impl Actor<'_> {
    /// Carries out `planned`, of which `base` is the snapshot that it was planned on.
    pub async fn carry_out(&self, base: &Snapshot, planned: &PlannedAction) -> Done {
        let (snapshot, focus, judged) = self.look(base, planned).await;
        let fresh = plan(&planned.scope, &judged, self.collector.config, self.clock.now());
        if !fresh.actions.iter().any(|a| a.action == planned.action) {
            let detail = Self::why_not(planned, &fresh, &judged);
            return Done {
                ended: Ended::Refused,
                detail,
                seen: Some((snapshot, focus, judged)),
            };
        }
        tracing::info!(
            action = planned.id,
            workload = planned.workload,
            change = planned.change,
            "correcting"
        );
        let called = match &planned.action {
            Action::ClosePublicAccess { instance } => accepted(database::close(&self.collector, instance).await),
            Action::RaiseRetention { database, to, .. } => {
                accepted(database::retain(&self.collector, database, *to).await)
            }
            Action::Configure { database, setting } => {
                accepted(database::configure(&self.collector, database, setting).await)
            }
            Action::ForceTls { of_cluster, group } => {
                accepted(database::force_tls(&self.collector, *of_cluster, group).await)
            }
            Action::AllowIngress { group, source, port } => {
                accepted(ingress::allow(&self.collector, group, source, *port).await)
            }
            Action::RestoreSecret { secret } => accepted(secret::restore(&self.collector, secret).await),
            Action::SetUpService {
                cluster,
                service,
                setting,
            } => accepted(service::set_up(&self.collector, cluster, service, *setting).await),
            Action::Deregister { revision } => accepted(service::deregister(&self.collector, revision).await),
            Action::RevokeIngress { group, rule } => accepted(ingress::revoke(&self.collector, group, rule).await),
            Action::RollOut { .. } | Action::RollBack { .. } => Box::pin(rollout::run(self, planned)).await,
        };
        match called {
            Called::Accepted => Box::pin(self.verify(base, planned)).await,
            Called::Failed(e) => Done {
                ended: Ended::Failed,
                detail: e.message.clone(),
                seen: None,
            },
            Called::Reverted(why) => Done {
                ended: Ended::Reverted,
                detail: why,
                seen: None,
            },
            Called::Unsettled(why) => Done {
                ended: Ended::Applied,
                detail: why,
                seen: None,
            },
        }
    }

    async fn look(&self, base: &Snapshot, planned: &PlannedAction) -> (Snapshot, Focus, Judged) {
        let now = self.clock.now();
        let focus = Focus::of(base, self.collector.config, &planned.workload, now);
        // Whether a group or a parameter group is shared must be known as of now, not as of the last sweep.
        let all = matches!(
            planned.action,
            Action::RevokeIngress { .. } | Action::AllowIngress { .. } | Action::ForceTls { .. }
        );
        let snapshot = Box::pin(self.collector.look_again(base, &focus, all, now)).await;
        let only = std::iter::once(planned.workload.clone()).collect();
        let judged = judge(&snapshot, self.collector.config, self.clock.now(), Some(&only));
        (snapshot, focus, judged)
    }

    fn why_not(planned: &PlannedAction, fresh: &crate::plan::Plan, judged: &Judged) -> String {
        let still = |id: &String| judged.findings.iter().any(|f| f.id == *id);
        if let Some(held) = fresh.held.iter().find(|h| planned.findings.contains(&h.finding)) {
            return format!("not done: {}", held.reason);
        }
        if !planned.findings.iter().any(still) {
            return "not done: it is no longer needed".into();
        }
        "not done: what it was planned on has changed since; plan again".into()
    }

    /// Looks until a fresh judgement no longer asks for the action.
    async fn verify(&self, base: &Snapshot, planned: &PlannedAction) -> Done {
        let deadline = Instant::now() + self.patience.settle;
        let mut pause = self.patience.look_every;
        loop {
            let (snapshot, focus, judged) = self.look(base, planned).await;
            let concerned = || judged.findings.iter().filter(|f| planned.findings.contains(&f.id));
            let unknown = judged
                .findings
                .iter()
                .any(|f| f.verdict == Verdict::Unknown && planned.rules.contains(&f.rule));
            let asked = concerned().any(|f| {
                f.remediation
                    .iter()
                    .flat_map(|r| &r.actions)
                    .any(|a| *a == planned.action)
            });
            if !asked && !unknown {
                return Done {
                    ended: Ended::Verified,
                    detail: "read again and judged: corrected".into(),
                    seen: Some((snapshot, focus, judged)),
                };
            }
            if Instant::now() + pause > deadline {
                let why = if unknown {
                    "it can't be read"
                } else {
                    "a fresh read still shows what it should correct"
                };
                let detail = format!(
                    "AWS accepted the change, but after {} s {why}",
                    self.patience.settle.as_secs()
                );
                return Done {
                    ended: Ended::Applied,
                    detail,
                    seen: Some((snapshot, focus, judged)),
                };
            }
            sleep(pause).await;
            pause = (pause * 2).min(self.patience.look_every * 10);
        }
    }
}

fn accepted(result: Seen<()>) -> Called {
    match result {
        Ok(()) => Called::Accepted,
        Err(e) => Called::Failed(e),
    }
}
