//! What people, Terraform and machines do meanwhile.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::model::key::{Scope, Subject};
use holdfast_operator::lease;
use jiff::SignedDuration;
use tokio::time::{Instant, sleep};

use crate::layout::{ingress, secret_arn};
use crate::process::Alive;
use crate::sim::Sim;
use crate::world::ms;

/// What of this happens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Habits {
    /// Something is broken anew.
    pub breaks: bool,
    /// Terraform undoes what was corrected, every few minutes.
    pub terraform: bool,
    /// Tags, windows, waivers and the kill switch are used.
    pub restraints: bool,
    /// Processes are frozen, killed and stopped.
    pub processes: bool,
    /// Ledger and leases can't be used for a while.
    pub outages: bool,
}

pub struct Chaos {
    pub sim: Arc<Sim>,
    pub habits: Habits,
    pub workloads: Vec<String>,
    pub alive: Alive,
    pub until: Instant,
}

impl Chaos {
    /// Does something every now and then, until it is time to stop.
    pub async fn run(self) {
        if self.habits.terraform {
            tokio::spawn(terraform(Arc::clone(&self.sim), self.workloads[0].clone(), self.until));
        }
        loop {
            sleep(ms(2_000, 40_000)).await;
            if Instant::now() >= self.until {
                return;
            }
            let habits = self.habits;
            match fastrand::u8(..5) {
                0 | 1 if habits.breaks => self.breaks(),
                2 if habits.restraints => self.restrains(),
                3 if habits.processes => self.disturbs(),
                4 if habits.outages => self.fails(),
                _ => {}
            }
        }
    }

    fn scope(&self) -> Scope {
        let scopes = self.sim.scopes();
        scopes[fastrand::usize(..scopes.len())].clone()
    }

    fn workload(&self) -> String {
        self.workloads[fastrand::usize(..self.workloads.len())].clone()
    }

    fn breaks(&self) {
        let (scope, name) = (self.scope(), self.workload());
        break_one(&self.sim, &scope, &name, fastrand::u8(..7));
    }

    fn restrains(&self) {
        let (scope, name) = (self.scope(), self.workload());
        let sim = &self.sim;
        match fastrand::u8(..6) {
            0 => {
                let paused = [Some(true), None][fastrand::usize(..2)];
                let mut state = sim.state();
                sim.note(&mut state, &format!("the kill switch is {paused:?}"));
                state.paused = paused;
                drop(state);
                tokio::spawn(later(Arc::clone(sim), self.until, |sim| {
                    let mut state = sim.state();
                    sim.note(&mut state, "the kill switch is off");
                    state.paused = Some(false);
                }));
            }
            1 => tag(sim, self.until, scope, name, "untagged"),
            2 => tag(sim, self.until, scope, name, "audit"),
            3 | 4 => {
                migrates(sim, &scope, &name);
            }
            _ => {
                let until = sim.now() + SignedDuration::from_secs(fastrand::i64(20..200));
                sim.meddle(&scope, Subject::DbInstance(format!("{name}-db")), "a waiver", |w| {
                    if let Some(db) = w.instances.get_mut(&format!("{name}-db")) {
                        db.tags
                            .0
                            .insert("holdfast:waive".into(), format!("rds-public-access@{until}"));
                        db.tags.0.insert("holdfast:waive-reason".into(), "simulated".into());
                    }
                });
            }
        }
    }

    fn disturbs(&self) {
        let alive = self.alive.lock().expect("nobody panicked");
        let slot = fastrand::usize(..alive.len());
        let Some(process) = &alive[slot] else { return };
        match fastrand::u8(..4) {
            0 => process.kill(),
            1 => process.stopped.cancel(),
            _ => {
                let by = ms(500, 45_000);
                self.sim
                    .note(&mut self.sim.state(), &format!("{} is frozen for {by:?}", process.name));
                process.freeze(by);
            }
        }
    }

    fn fails(&self) {
        let mut state = self.sim.state();
        let until = Instant::now() + ms(2_000, 60_000);
        match fastrand::u8(..4) {
            0 => {
                state.weather.ledger_down = Some(until);
                self.sim.note(&mut state, "the ledger can't be used for a while");
            }
            1 => {
                state.weather.blind = Some(until);
                self.sim.note(&mut state, "nothing can be read for a while");
            }
            _ => {
                let weather = match fastrand::u8(..3) {
                    0 => lease::Weather {
                        down: true,
                        ..lease::Weather::default()
                    },
                    1 => lease::Weather {
                        delay: ms(1, 6_000),
                        ..lease::Weather::default()
                    },
                    _ => lease::Weather {
                        failing: 0.3 * fastrand::f64(),
                        lost: 0.6 * fastrand::f64(),
                        ..lease::Weather::default()
                    },
                };
                let handles: Vec<_> = state.handles.values().cloned().collect();
                if handles.is_empty() {
                    return;
                }
                let one = handles[fastrand::usize(..handles.len())].clone();
                self.sim.note(&mut state, &format!("leases: {weather:?}"));
                one.set_weather(weather);
                tokio::spawn(later(Arc::clone(&self.sim), self.until, move |_| {
                    one.set_weather(lease::Weather::default());
                }));
            }
        }
    }
}

/// Does something after a while, at the end of the bad weather at the latest.
async fn later(sim: Arc<Sim>, end: Instant, what: impl FnOnce(&Sim) + Send + 'static) {
    let at = Instant::now() + ms(2_000, 90_000);
    tokio::time::sleep_until(at.min(end)).await;
    what(&sim);
}

/// Opens, lowers or replaces one thing of a workload.
pub fn break_one(sim: &Sim, scope: &Scope, name: &str, what: u8) {
    let id = format!("{name}-db");
    let database = Subject::DbInstance(id.clone());
    let now = sim.now();
    match what {
        0 => sim.meddle(scope, database, &format!("{id} is made public"), |w| {
            w.instances
                .entry(id)
                .and_modify(|db| db.publicly_accessible |= db.status == "available");
        }),
        1 => sim.meddle(scope, database, &format!("{id} keeps backups for 2 days"), |w| {
            w.instances.entry(id).and_modify(|db| {
                if db.status == "available" {
                    db.backup_retention_days = 2;
                }
            });
        }),
        2 => sim.meddle(scope, database, &format!("{id} is unprotected"), |w| {
            w.instances.entry(id).and_modify(|db| db.deletion_protection = false);
        }),
        3 => {
            let group = format!("sg-{name}");
            sim.meddle(
                scope,
                Subject::SecurityGroup(group.clone()),
                &format!("{group} is opened"),
                |w| {
                    let rule = ingress(format!("sgr-{}", w.number()), "0.0.0.0/0");
                    if let Some(group) = w.groups.get_mut(&group)
                        && !group.ingress.iter().any(|r| r.source == rule.source)
                    {
                        group.ingress.push(rule);
                    }
                },
            );
        }
        4 => {
            let arn = secret_arn(scope, name);
            sim.meddle(
                scope,
                Subject::Secret(arn.clone()),
                &format!("{arn} is to be deleted"),
                |w| {
                    let at = now + SignedDuration::from_hours(7 * 24);
                    w.secrets.entry(arn).and_modify(|s| s.deleted_at = Some(at));
                },
            );
        }
        _ => deploys(sim, scope, name, what == 5),
    }
}

/// Someone gives the service a revision: an old wrong one, or a new one made of what runs.
fn deploys(sim: &Sim, scope: &Scope, name: &str, old: bool) {
    let now = sim.now();
    let mut state = sim.state();
    let Some(timeline) = state.worlds.get_mut(scope) else {
        return;
    };
    let (revision, later) = timeline.change(|w| {
        let arn = w.service_arn("main", name);
        let running = w.services.get(&arn).map(|s| s.task_definition.clone());
        let revision = if old {
            w.scope.arn("ecs", &format!("task-definition/{name}:2"))
        } else {
            let base = running.unwrap_or_default();
            let made = w.register(&base, &[], name, None);
            made.ok().and_then(|d| d.named).unwrap_or(base)
        };
        w.fates.insert(revision.clone(), crate::world::Fate::Good);
        let done = w.deploy(&arn, &revision, now);
        (revision, done.map(|d| d.later).unwrap_or_default())
    });
    sim.follow(&mut state, scope, later);
    sim.note(&mut state, &format!("{scope} someone deploys {revision}"));
    let subject = Subject::Service {
        cluster: "main".into(),
        service: name.to_owned(),
    };
    sim.emit(&mut state, scope, subject);
}

/// Takes the workload's tag away, or asks for `audit`, for a while.
fn tag(sim: &Arc<Sim>, end: Instant, scope: Scope, name: String, what: &'static str) {
    set_tags(sim, &scope, &name, what, true);
    tokio::spawn(later(Arc::clone(sim), end, move |sim| {
        set_tags(sim, &scope, &name, what, false);
    }));
}

fn set_tags(sim: &Sim, scope: &Scope, name: &str, what: &'static str, on: bool) {
    let database = Subject::DbInstance(format!("{name}-db"));
    sim.meddle(scope, database, &format!("{name}: {what}: {on}"), |w| {
        let databases = w
            .instances
            .values_mut()
            .filter(|db| db.id == format!("{name}-db"))
            .map(|r| &mut r.tags);
        let groups = w
            .groups
            .values_mut()
            .filter(|g| g.id == format!("sg-{name}"))
            .map(|r| &mut r.tags);
        let services = w.services.values_mut().filter(|s| s.name == name).map(|r| &mut r.tags);
        let secrets = w
            .secrets
            .values_mut()
            .filter(|s| s.name.starts_with(name))
            .map(|r| &mut r.tags);
        for tags in databases.chain(groups).chain(services).chain(secrets) {
            match (what, on) {
                ("untagged", true) => tags.0.remove("holdfast:workload"),
                ("untagged", false) => tags.0.insert("holdfast:workload".into(), name.to_owned()),
                (_, true) => tags.0.insert("holdfast:mode".into(), "audit".into()),
                (_, false) => tags.0.remove("holdfast:mode"),
            };
        }
    });
    let mut state = sim.state();
    let key = (scope.clone(), name.to_owned(), what);
    if on {
        state.checks.forbidden.entry(key).or_insert_with(Instant::now);
    } else {
        state.checks.forbidden.remove(&key);
        let back = (scope.clone(), name.to_owned());
        state.checks.tagged.insert(back, Instant::now());
    }
}

/// Opens the database for a migration, with an end.
pub fn migrates(sim: &Arc<Sim>, scope: &Scope, name: &str) -> Duration {
    let open_for = SignedDuration::from_secs(fastrand::i64(30..240));
    let (id, until) = (format!("{name}-db"), sim.now() + open_for);
    sim.meddle(
        scope,
        Subject::DbInstance(id.clone()),
        &format!("{id} migrates until {until}"),
        |w| {
            w.instances.entry(id).and_modify(|db| {
                db.publicly_accessible |= db.status == "available";
                db.tags.0.insert("holdfast:phase".into(), "migrating".into());
                db.tags.0.insert("holdfast:migration-until".into(), until.to_string());
            });
        },
    );
    let key = (scope.clone(), name.to_owned(), "migrating");
    let began = *sim
        .state()
        .checks
        .forbidden
        .entry(key.clone())
        .or_insert_with(Instant::now);
    let (sim, wait) = (Arc::clone(sim), open_for.unsigned_abs());
    tokio::spawn(async move {
        // A little before: the clocks of the processes are off.
        sleep(wait.saturating_sub(crate::process::SKEW)).await;
        let mut state = sim.state();
        if state.checks.forbidden.get(&key) == Some(&began) {
            state.checks.forbidden.remove(&key);
        }
    });
    open_for.unsigned_abs()
}

/// Undoes what was corrected, every few minutes.
async fn terraform(sim: Arc<Sim>, workload: String, until: Instant) {
    let scope = sim.scopes()[0].clone();
    let what = fastrand::u8(..6);
    let every = ms(60_000, 200_000);
    while Instant::now() + every < until {
        sleep(every).await;
        break_one(&sim, &scope, &workload, what);
    }
}

/// Migration windows, one after the other, each of which must be acted upon within a second of its end.
pub async fn windows(sim: Arc<Sim>, workloads: Vec<String>, until: Instant) {
    let (scope, name) = (sim.scopes()[0].clone(), workloads[0].clone());
    let id = format!("{name}-db");
    // What is wrong at first is corrected, and its cooldown passes.
    sleep(sim.config.safety.cooldown + Duration::from_mins(1)).await;
    for _ in 1..sim.config.safety.fight_threshold {
        let is_open = |sim: &Sim| sim.state().worlds[&scope].now().instances[&id].publicly_accessible;
        if Instant::now() >= until || is_open(&sim) {
            return;
        }
        let end = migrates(&sim, &scope, &name);
        if !is_open(&sim) {
            return;
        }
        sleep(end + WITHIN).await;
        let db = sim.state().worlds[&scope].now().instances[&id].clone();
        if db.publicly_accessible && db.status == "available" {
            sim.fail(
                &mut sim.state(),
                &format!("the window of {id} ended {WITHIN:?} ago, and nothing was done"),
            );
        }
        sleep(sim.config.safety.cooldown + Duration::from_mins(1)).await;
    }
}

/// A second, a look, the kill switch, two lines in the ledger, and the call.
const WITHIN: Duration = Duration::from_millis(1_800);
