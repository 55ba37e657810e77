//! The ports of the operator, as one process reaches them: the clock, an account and region, the ledger, the leases and the
//! kill switch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::key::{Key, Scope};
use holdfast_core::model::resources::{MigrationRun, Service, TaskDefinition};
use holdfast_core::model::snapshot::{Read, Snapshot};
use holdfast_core::refresh::RefreshSet;
use holdfast_operator::attempt::{Attempt, FindingRecord, History, Outcome};
use holdfast_operator::clock::Clock;
use holdfast_operator::lease::MemoryStore;
use holdfast_operator::ports::{Cloud, Lease, LeaseError, LeaseStore, Ledger, LedgerError, PauseSwitch, Write};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::bounds::{MAX_DELIVERY_DELAY, random_ms};
use crate::fake_reads::{self, Reads};
use crate::faults::{Delivery, LedgerFault, error};
use crate::process::Process;
use crate::scenario::Sabotage;
use crate::sim::{Scheduled, Sim, State};
use crate::world::{ATTEMPT, Call};

/// The clock of a process: simulated time with a skew.
pub struct SimClock {
    pub sim: Arc<Sim>,
    pub skew: SignedDuration,
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.sim.now() + self.skew
    }
}

pub struct SimCloud {
    pub process: Arc<Process>,
    pub scope: Scope,
    pub clock: Arc<dyn Clock>,
}

impl SimCloud {
    /// Sends a request of a read API.
    async fn request(&self) {
        self.process.checkpoint().await;
        let latency = self.process.sim.state().faults.latency();
        sleep(latency).await;
    }

    fn call(write: Write<'_>) -> Call {
        match write {
            Write::Correct(action) => Call::Correct(action.clone()),
            Write::Register {
                base,
                changes,
                workload,
                attempt,
            } => Call::Register {
                base: base.to_owned(),
                changes: changes.to_vec(),
                workload: workload.to_owned(),
                attempt: attempt.to_owned(),
            },
            Write::RegisterTwin {
                base,
                workload,
                attempt,
            } => Call::RegisterTwin {
                base: base.to_owned(),
                workload: workload.to_owned(),
                attempt: attempt.to_owned(),
            },
            Write::Stop { deployment } => Call::Stop {
                deployment: deployment.to_owned(),
            },
            Write::Deregister { revision } => Call::Deregister {
                revision: revision.to_owned(),
            },
            Write::Update {
                cluster,
                service,
                revision,
            } => Call::Update {
                cluster: cluster.to_owned(),
                service: service.to_owned(),
                revision: revision.to_owned(),
            },
        }
    }
}

#[async_trait]
impl Cloud for SimCloud {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn caller(&self) -> Option<&str> {
        None
    }

    async fn sweep(&self, now: Timestamp) -> Snapshot {
        self.request().await;
        let sim = &self.process.sim;
        let snapshot = fake_reads::sweep(&Reads::new(sim, &self.scope), &self.scope, &sim.config, now);
        sim.trace(
            &mut sim.state(),
            &format!(
                "{} sweeps {} ({} errors)",
                self.process.name,
                self.scope,
                snapshot.errors.len()
            ),
        );
        self.process.checkpoint().await;
        snapshot
    }

    async fn refresh(&self, base: &Snapshot, set: &RefreshSet, now: Timestamp) -> Snapshot {
        self.request().await;
        let sim = &self.process.sim;
        let reads = Reads::new(sim, &self.scope);
        let snapshot = fake_reads::refresh(&reads, base, set, &sim.config, now);
        self.process.checkpoint().await;
        if let Some(workload) = &set.workload {
            let clock = self.clock.now();
            let mut state = sim.state();
            state.invariants.on_read(&self.process.name, workload, &snapshot, clock);
        }
        snapshot
    }

    async fn service(&self, cluster: &str, service: &str) -> Read<Option<Service>> {
        self.request().await;
        let seen = self.process.sim.read(&self.scope, "ecs", "DescribeServices");
        self.process.checkpoint().await;
        let world = seen?;
        let found = world.services.get(&world.service_arn(cluster, service));
        Ok(found.filter(|s| s.tags.workload("holdfast:").is_some()).cloned())
    }

    async fn definition(&self, revision: &str) -> Read<Option<Arc<TaskDefinition>>> {
        self.request().await;
        let seen = self.process.sim.read(&self.scope, "ecs", "DescribeTaskDefinition");
        self.process.checkpoint().await;
        Ok(seen?.definitions.get(revision).cloned())
    }

    async fn registered(&self, base: &str, attempt: &str) -> Read<Option<String>> {
        self.request().await;
        let seen = self.process.sim.read(&self.scope, "ecs", "DescribeTaskDefinition");
        self.process.checkpoint().await;
        let world = seen?;
        let family = world.definitions.get(base).map(|d| d.family.clone());
        let is_ours = |tags: &BTreeMap<String, String>| tags.get(ATTEMPT).is_some_and(|a| a == attempt);
        let mut all = world.definitions.values();
        let found = all.find(|d| Some(&d.family) == family.as_ref() && is_ours(&d.tags.0));
        Ok(found.map(|d| d.arn.clone()))
    }

    async fn write(&self, write: Write<'_>) -> Read<Option<String>> {
        self.process.crash_point().await;
        let (sim, call) = (&self.process.sim, Self::call(write));
        let (delivery, receive) = self.send(&call);
        let answer = match delivery {
            Delivery::Answered(_) => receive.await.unwrap_or(Err("Timeout")),
            Delivery::Unanswered(_) => {
                // The process may give up before the call arrives.
                let patience = MAX_DELIVERY_DELAY.mul_f64(fastrand::f64());
                let _ = timeout(patience, receive).await;
                Err("Timeout")
            }
            Delivery::Failed(code) => {
                sleep(random_ms(5, 3_000)).await;
                Err(code)
            }
        };
        self.process.checkpoint().await;
        let answer = answer.map_err(|code| error("aws", "write", code));
        let mut state = sim.state();
        state.invariants.on_answer(&self.scope, &call, &answer);
        if let Err(e) = &answer {
            sim.trace(
                &mut state,
                &format!("{} {}: error {}", self.scope, call.target(), e.code),
            );
        }
        answer
    }
}

type Answer = oneshot::Receiver<Result<Option<String>, &'static str>>;

impl SimCloud {
    /// Schedules the arrival of a call, unless it is to fail.
    fn send(&self, call: &Call) -> (Delivery, Answer) {
        let (sim, by) = (&self.process.sim, &self.process.name);
        let mut state = sim.state();
        sim.trace(&mut state, &format!("{} {by} calls {call:?}", self.scope));
        let State { invariants, worlds, .. } = &mut *state;
        let holds = invariants.on_call(by, call, &worlds[&self.scope]);
        sim.check(&mut state, holds);
        let delivery = state.faults.delivery();
        let (answer, receive) = oneshot::channel();
        if let Delivery::Answered(after) | Delivery::Unanswered(after) = delivery {
            let arrival = Scheduled::Call {
                scope: self.scope.clone(),
                by: by.clone(),
                call: call.clone(),
                answer,
            };
            sim.schedule(&mut state, after, arrival);
        }
        (delivery, receive)
    }
}

/// The ledger, whose calls may fail before or after they have their effect.
pub struct SimLedger(pub Arc<Process>);

impl SimLedger {
    async fn through<T>(&self, call: impl Future<Output = Result<T, LedgerError>>) -> Result<T, LedgerError> {
        self.0.checkpoint().await;
        let (latency, fault) = {
            let state = self.0.sim.state();
            (state.faults.latency(), state.faults.ledger_fault())
        };
        sleep(latency).await;
        let failed = || LedgerError::Unusable("simulated: the ledger can't be used".into());
        if fault == Some(LedgerFault::NotDone) {
            return Err(failed());
        }
        let result = call.await;
        self.0.checkpoint().await;
        if fault.is_some() { Err(failed()) } else { result }
    }
}

impl SimLedger {
    fn written(&self, attempt: &Attempt) {
        let (sim, by) = (&self.0.sim, &self.0.name);
        let how = attempt.outcome.map_or(attempt.step.as_str(), Outcome::as_str);
        let mut state = sim.state();
        sim.trace(
            &mut state,
            &format!("{by} writes {}: {how}: {}", attempt.id, attempt.detail),
        );
        let holds = state.invariants.on_ledger_write(by, attempt);
        sim.check(&mut state, holds);
    }
}

#[async_trait]
impl Ledger for SimLedger {
    async fn open_findings(&self, scope: &Scope) -> Result<Vec<FindingRecord>, LedgerError> {
        self.through(self.0.sim.ledger.open_findings(scope)).await
    }

    async fn record_findings(&self, records: &[FindingRecord]) -> Result<(), LedgerError> {
        self.through(self.0.sim.ledger.record_findings(records)).await
    }

    async fn put(&self, attempt: &Attempt) -> Result<(), LedgerError> {
        let put = async {
            self.0.sim.ledger.put(attempt).await?;
            self.written(attempt);
            Ok(())
        };
        self.through(put).await
    }

    async fn attempts(&self, scope: &Scope, since: Timestamp) -> Result<Vec<Attempt>, LedgerError> {
        let mut attempts = self.through(self.0.sim.ledger.attempts(scope, since)).await?;
        if self.0.sim.options.sabotage == Sabotage::Ledger {
            attempts.clear();
        }
        Ok(attempts)
    }

    async fn history(&self, workload: Option<&str>, limit: usize) -> Result<History, LedgerError> {
        self.through(self.0.sim.ledger.history(workload, limit)).await
    }

    async fn record_runs(&self, runs: &[MigrationRun]) -> Result<(), LedgerError> {
        self.through(self.0.sim.ledger.record_runs(runs)).await
    }

    async fn runs(&self, scope: &Scope, family: Option<&str>) -> Result<Vec<MigrationRun>, LedgerError> {
        self.through(self.0.sim.ledger.runs(scope, family)).await
    }
}

/// The table of leases. Each process has faults of its own on its way there.
pub struct SimLeases {
    pub process: Arc<Process>,
    pub table: MemoryStore,
    /// The leases as this process wrote them last, for [`Sabotage::Leases`].
    pub written: Mutex<BTreeMap<Scope, Lease>>,
}

impl SimLeases {
    async fn through<T>(&self, call: impl Future<Output = Result<T, LeaseError>>) -> Result<T, LeaseError> {
        self.process.checkpoint().await;
        let result = call.await;
        self.process.checkpoint().await;
        result
    }
}

#[async_trait]
impl LeaseStore for SimLeases {
    async fn announce(&self, replica: &str, beat: u64) -> Result<(), LeaseError> {
        self.through(self.table.announce(replica, beat)).await
    }
    async fn withdraw(&self, replica: &str) -> Result<(), LeaseError> {
        self.through(self.table.withdraw(replica)).await
    }
    async fn replicas(&self) -> Result<BTreeMap<String, u64>, LeaseError> {
        self.through(self.table.replicas()).await
    }
    async fn leases(&self) -> Result<BTreeMap<Scope, Lease>, LeaseError> {
        let mut found = self.through(self.table.leases()).await?;
        if self.process.sim.options.sabotage == Sabotage::Leases {
            found.extend(self.written.lock().expect("nobody panicked").clone());
        }
        Ok(found)
    }
    async fn swap(&self, seen: Option<&Lease>, next: &Lease) -> Result<bool, LeaseError> {
        let swapped = self.through(self.table.swap(seen, next)).await?;
        if swapped {
            let mut taken = self.written.lock().expect("nobody panicked");
            taken.insert(next.scope.clone(), next.clone());
        }
        Ok(swapped)
    }
    async fn read(&self, scope: &Scope) -> Result<Option<Lease>, LeaseError> {
        let found = self.through(self.table.read(scope)).await?;
        let taken = self.written.lock().expect("nobody panicked").get(scope).cloned();
        Ok(if self.process.sim.options.sabotage == Sabotage::Leases {
            taken
        } else {
            found
        })
    }
    async fn post(&self, replica: &str, key: &Key) -> Result<(), LeaseError> {
        self.through(self.table.post(replica, key)).await
    }
    async fn fetch(&self, replica: &str) -> Result<Vec<Key>, LeaseError> {
        self.through(self.table.fetch(replica)).await
    }
}

/// The kill switch.
pub struct SimSwitch(pub Arc<Process>);

#[async_trait]
impl PauseSwitch for SimSwitch {
    async fn pulled(&self) -> Option<HoldReason> {
        let sim = &self.0.sim;
        self.0.checkpoint().await;
        let latency = sim.state().faults.latency();
        sleep(latency).await;
        let paused = sim.state().paused;
        self.0.checkpoint().await;
        let reason = match paused {
            Some(false) => None,
            Some(true) => Some(HoldReason::Paused("simulated".to_owned())),
            None => Some(HoldReason::PauseUnreadable {
                parameter: "simulated".to_owned(),
                code: "no answer".to_owned(),
            }),
        };
        sim.state().invariants.on_switch_read(&self.0.name, reason.is_none());
        reason.filter(|_| sim.options.sabotage != Sabotage::Switch)
    }
}
