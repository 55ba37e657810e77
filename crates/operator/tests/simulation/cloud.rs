//! One account and region, the ledger, the leases and the kill switch, as one process reaches them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use holdfast_core::model::hold::HoldReason;
use holdfast_core::model::key::{Key, Scope};
use holdfast_core::model::resources::Service;
use holdfast_core::model::snapshot::{Read, Snapshot};
use holdfast_core::refresh::RefreshSet;
use holdfast_operator::attempt::{Attempt, FindingRecord, History};
use holdfast_operator::clock::Clock;
use holdfast_operator::lease::MemoryStore;
use holdfast_operator::ports::PauseSwitch;
use holdfast_operator::ports::{Cloud, Write};
use holdfast_operator::ports::{Lease, LeaseError, LeaseStore};
use holdfast_operator::ports::{Ledger, LedgerError};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::process::Process;
use crate::run::Sabotage;
use crate::sim::{Due, LATEST};
use crate::view::{self, Reads};
use crate::weather::{Sent, error};
use crate::world::{ATTEMPT, Call, ms};

/// The clock of a process: the true one, a little off.
pub struct SimClock {
    pub sim: Arc<crate::sim::Sim>,
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
    async fn wait(&self) {
        let latency = self.process.sim.state().weather.latency();
        sleep(latency).await;
    }

    fn owned(write: Write<'_>) -> Call {
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
        self.process.goes_on().await;
        self.wait().await;
        let sim = &self.process.sim;
        let snapshot = view::sweep(&Reads::new(sim, &self.scope), &self.scope, &sim.config, now);
        sim.note(
            &mut sim.state(),
            &format!(
                "{} sweeps {} ({} errors)",
                self.process.name,
                self.scope,
                snapshot.errors.len()
            ),
        );
        self.process.goes_on().await;
        snapshot
    }

    async fn refresh(&self, base: &Snapshot, set: &RefreshSet, now: Timestamp) -> Snapshot {
        self.process.goes_on().await;
        self.wait().await;
        let sim = &self.process.sim;
        let reads = Reads::new(sim, &self.scope);
        let snapshot = view::refresh(&reads, base, set, &sim.config, now);
        self.process.goes_on().await;
        if let Some(workload) = &set.workload {
            sim.looked(&self.process.name, workload, &snapshot, self.clock.now());
        }
        snapshot
    }

    async fn service(&self, cluster: &str, service: &str) -> Read<Option<Service>> {
        self.process.goes_on().await;
        self.wait().await;
        let seen = self.process.sim.read(&self.scope, "ecs", "DescribeServices");
        self.process.goes_on().await;
        let world = seen?;
        let found = world.services.get(&world.service_arn(cluster, service));
        Ok(found.filter(|s| s.tags.workload("holdfast:").is_some()).cloned())
    }

    async fn registered(&self, base: &str, attempt: &str) -> Read<Option<String>> {
        self.process.goes_on().await;
        self.wait().await;
        let seen = self.process.sim.read(&self.scope, "ecs", "DescribeTaskDefinition");
        self.process.goes_on().await;
        let world = seen?;
        let family = world.definitions.get(base).map(|d| d.family.clone());
        let is_ours = |tags: &BTreeMap<String, String>| tags.get(ATTEMPT).is_some_and(|a| a == attempt);
        let mut all = world.definitions.values();
        let found = all.find(|d| Some(&d.family) == family.as_ref() && is_ours(&d.tags.0));
        Ok(found.map(|d| d.arn.clone()))
    }

    async fn write(&self, write: Write<'_>) -> Read<Option<String>> {
        self.process.lives().await;
        let (sim, call) = (&self.process.sim, Self::owned(write));
        let (sent, receive) = {
            let mut state = sim.state();
            sim.calls(&mut state, &self.process.name, &self.scope, &call);
            let sent = state.weather.write();
            let (answer, receive) = oneshot::channel();
            if let Sent::Answered(after) | Sent::Unanswered(after) = sent {
                let due = Due::Call {
                    scope: self.scope.clone(),
                    by: self.process.name.clone(),
                    call: call.clone(),
                    answer,
                };
                sim.plan(&mut state, after, due);
            }
            (sent, receive)
        };
        let told = match sent {
            Sent::Answered(_) => receive.await.unwrap_or(Err("Timeout")),
            Sent::Unanswered(_) => {
                // The client gives up while the call may be on its way.
                let patience = LATEST.mul_f64(fastrand::f64());
                let _ = timeout(patience, receive).await;
                Err("Timeout")
            }
            Sent::Failed(code) => {
                sleep(ms(5, 3_000)).await;
                Err(code)
            }
        };
        self.process.goes_on().await;
        let told = told.map_err(|code| error("aws", "write", code));
        sim.answered(&mut sim.state(), &self.scope, &call, &told);
        told
    }
}

/// The ledger, which may fail, before or after it did what was asked.
pub struct SimLedger(pub Arc<Process>);

impl SimLedger {
    async fn through<T>(&self, call: impl Future<Output = Result<T, LedgerError>>) -> Result<T, LedgerError> {
        self.0.goes_on().await;
        let (latency, fault) = {
            let state = self.0.sim.state();
            (state.weather.latency(), state.weather.ledger())
        };
        sleep(latency).await;
        let failed = || LedgerError::Unusable("simulated: the ledger can't be used".into());
        if fault == Some(false) {
            return Err(failed());
        }
        let done = call.await;
        self.0.goes_on().await;
        if fault.is_some() { Err(failed()) } else { done }
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
            self.0.sim.written(&self.0.name, attempt);
            Ok(())
        };
        self.through(put).await
    }

    async fn attempts(&self, scope: &Scope, since: Timestamp) -> Result<Vec<Attempt>, LedgerError> {
        let mut found = self.through(self.0.sim.ledger.attempts(scope, since)).await?;
        if self.0.sim.sabotage == Sabotage::Ledger {
            found.clear();
        }
        Ok(found)
    }

    async fn history(&self, workload: Option<&str>, limit: usize) -> Result<History, LedgerError> {
        self.through(self.0.sim.ledger.history(workload, limit)).await
    }
}

/// The table of leases, under the weather of the process's own handle; and what it wrote there last.
pub struct SimStore(pub Arc<Process>, pub MemoryStore, pub Mutex<BTreeMap<Scope, Lease>>);

impl SimStore {
    async fn through<T>(&self, call: impl Future<Output = Result<T, LeaseError>>) -> Result<T, LeaseError> {
        self.0.goes_on().await;
        let done = call.await;
        self.0.goes_on().await;
        done
    }
}

#[async_trait]
impl LeaseStore for SimStore {
    async fn announce(&self, replica: &str, beat: u64) -> Result<(), LeaseError> {
        self.through(self.1.announce(replica, beat)).await
    }
    async fn withdraw(&self, replica: &str) -> Result<(), LeaseError> {
        self.through(self.1.withdraw(replica)).await
    }
    async fn replicas(&self) -> Result<BTreeMap<String, u64>, LeaseError> {
        self.through(self.1.replicas()).await
    }
    async fn leases(&self) -> Result<BTreeMap<Scope, Lease>, LeaseError> {
        let mut found = self.through(self.1.leases()).await?;
        if self.0.sim.sabotage == Sabotage::Leases {
            found.extend(self.2.lock().expect("nobody panicked").clone());
        }
        Ok(found)
    }
    async fn swap(&self, seen: Option<&Lease>, next: &Lease) -> Result<bool, LeaseError> {
        let swapped = self.through(self.1.swap(seen, next)).await?;
        if swapped {
            let mut taken = self.2.lock().expect("nobody panicked");
            taken.insert(next.scope.clone(), next.clone());
        }
        Ok(swapped)
    }
    async fn read(&self, scope: &Scope) -> Result<Option<Lease>, LeaseError> {
        let found = self.through(self.1.read(scope)).await?;
        let taken = self.2.lock().expect("nobody panicked").get(scope).cloned();
        Ok(if self.0.sim.sabotage == Sabotage::Leases {
            taken
        } else {
            found
        })
    }
    async fn post(&self, replica: &str, key: &Key) -> Result<(), LeaseError> {
        self.through(self.1.post(replica, key)).await
    }
    async fn fetch(&self, replica: &str) -> Result<Vec<Key>, LeaseError> {
        self.through(self.1.fetch(replica)).await
    }
}

/// The kill switch.
pub struct SimSwitch(pub Arc<Process>);

#[async_trait]
impl PauseSwitch for SimSwitch {
    async fn pulled(&self) -> Option<HoldReason> {
        self.0.goes_on().await;
        let latency = self.0.sim.state().weather.latency();
        sleep(latency).await;
        let paused = self.0.sim.state().paused;
        self.0.goes_on().await;
        let told = match paused {
            Some(false) => None,
            Some(true) => Some(HoldReason::Paused("simulated".to_owned())),
            None => Some(HoldReason::PauseUnreadable {
                parameter: "simulated".to_owned(),
                code: "no answer".to_owned(),
            }),
        };
        self.0.sim.switch_read(&self.0.name, told.is_none());
        told.filter(|_| self.0.sim.sabotage != Sabotage::Switch)
    }
}
