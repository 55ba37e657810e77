//! What people and Terraform do: they change resources and tags, deploy, migrate, and pull the kill switch.

use std::sync::Arc;
use std::time::Duration;

use holdfast_core::model::key::{Scope, Subject};
use jiff::SignedDuration;
use tokio::time::{Instant, sleep};

use crate::bounds::{MAX_CLOCK_SKEW, WINDOW_REACTION, random_ms};
use crate::generate::{ingress, secret_arn};
use crate::invariants::Restraint;
use crate::sim::Sim;
use crate::world::Fate;

/// Undoes something after 2 s to 90 s, but at `end` at the latest.
pub async fn undo_later(sim: Arc<Sim>, end: Instant, undo: impl FnOnce(&Sim) + Send + 'static) {
    let at = Instant::now() + random_ms(2_000, 90_000);
    tokio::time::sleep_until(at.min(end)).await;
    undo(&sim);
}

/// A change that makes a rule fail, or should make none fail.
#[derive(Debug, Clone, Copy)]
pub enum Drift {
    PublicAccess,
    ShortRetention,
    NoDeletionProtection,
    OpenIngress,
    DeletedSecret,
    /// Someone deploys the second revision, which may have a defect.
    OldRevision,
    /// Someone deploys a new revision, made of the one that runs.
    NewRevision,
    /// CI deregisters every revision but the newest, the one that runs included.
    Deregistered,
}

impl Drift {
    pub const ALL: [Self; 8] = [
        Self::PublicAccess,
        Self::ShortRetention,
        Self::NoDeletionProtection,
        Self::OpenIngress,
        Self::DeletedSecret,
        Self::OldRevision,
        Self::NewRevision,
        Self::Deregistered,
    ];

    /// Makes this change to a workload.
    pub fn cause(self, sim: &Sim, scope: &Scope, name: &str) {
        let id = format!("{name}-db");
        let database = Subject::DbInstance(id.clone());
        match self {
            Self::PublicAccess => sim.change(scope, database, &format!("{id} becomes public"), |w| {
                if let Some(db) = w.instances.get_mut(&id) {
                    db.publicly_accessible |= db.status == "available";
                }
            }),
            Self::ShortRetention => sim.change(scope, database, &format!("{id} keeps backups for 2 days"), |w| {
                if let Some(db) = w.instances.get_mut(&id).filter(|db| db.status == "available") {
                    db.backup_retention_days = 2;
                }
            }),
            Self::NoDeletionProtection => {
                sim.change(scope, database, &format!("{id} loses its deletion protection"), |w| {
                    if let Some(db) = w.instances.get_mut(&id) {
                        db.deletion_protection = false;
                    }
                });
            }
            Self::OpenIngress => open_ingress(sim, scope, &format!("sg-{name}")),
            Self::DeletedSecret => {
                let (arn, at) = (secret_arn(scope, name), sim.now() + SignedDuration::from_hours(7 * 24));
                let subject = Subject::Secret(arn.clone());
                sim.change(scope, subject, &format!("{arn} is scheduled for deletion"), |w| {
                    if let Some(secret) = w.secrets.get_mut(&arn) {
                        secret.deleted_at = Some(at);
                    }
                });
            }
            Self::OldRevision => deploy(sim, scope, name, true),
            Self::NewRevision => deploy(sim, scope, name, false),
            Self::Deregistered => deregister(sim, scope, name),
        }
    }
}

fn open_ingress(sim: &Sim, scope: &Scope, group: &str) {
    let subject = Subject::SecurityGroup(group.to_owned());
    sim.change(scope, subject, &format!("{group} is opened to 0.0.0.0/0"), |w| {
        let rule = ingress(format!("sgr-{}", w.next_number()), "0.0.0.0/0");
        if let Some(group) = w.groups.get_mut(group)
            && !group.ingress.iter().any(|r| r.source == rule.source)
        {
            group.ingress.push(rule);
            group.ingress.sort();
        }
    });
}

/// Someone deploys the second revision, or a new one made of the one that runs.
fn deploy(sim: &Sim, scope: &Scope, name: &str, second: bool) {
    let now = sim.now();
    let mut state = sim.state();
    let Some(timeline) = state.worlds.get_mut(scope) else {
        return;
    };
    let (revision, consequences) = timeline.change(|w| {
        let arn = w.service_arn("main", name);
        let running = w.services.get(&arn).map(|s| s.task_definition.clone());
        let revision = if second {
            w.scope.arn("ecs", &format!("task-definition/{name}:2"))
        } else {
            let base = running.unwrap_or_default();
            let registered = w.register(&base, &[], name, None);
            registered.ok().and_then(|a| a.arn).unwrap_or(base)
        };
        w.fates.insert(revision.clone(), Fate::Succeeds);
        let applied = w.deploy(&arn, &revision, now);
        (revision, applied.map(|a| a.consequences).unwrap_or_default())
    });
    sim.schedule_consequences(&mut state, scope, consequences);
    sim.trace(&mut state, &format!("{scope} someone deploys {revision}"));
    let subject = Subject::Service {
        cluster: "main".into(),
        service: name.to_owned(),
    };
    sim.send_event(&mut state, scope, subject);
}

fn deregister(sim: &Sim, scope: &Scope, name: &str) {
    let subject = Subject::TaskFamily(name.to_owned());
    sim.change(
        scope,
        subject,
        &format!("CI deregisters old revisions of {name}"),
        |w| {
            let family = w.definitions.values().filter(|d| d.family == name && d.active);
            let mut active: Vec<(i32, String)> = family.map(|d| (d.revision, d.arn.clone())).collect();
            active.sort();
            active.pop();
            for (_, arn) in active {
                let _ = w.deregister(&arn);
            }
        },
    );
}

/// Reverts one kind of correction every few minutes.
pub async fn terraform(sim: Arc<Sim>, workload: String, until: Instant) {
    let scope = sim.scopes()[0].clone();
    let drift = Drift::ALL[usize::from(fastrand::u8(..6))];
    let interval = random_ms(60_000, 200_000);
    while Instant::now() + interval < until {
        sleep(interval).await;
        drift.cause(&sim, &scope, &workload);
    }
}

/// Uses one of the ways to keep Holdfast from correcting a workload.
pub fn restrain(sim: &Arc<Sim>, end: Instant, scope: Scope, name: String) {
    match fastrand::u8(..6) {
        0 => pause(sim, end),
        1 => tag(sim, end, scope, name, Restraint::Untagged),
        2 => tag(sim, end, scope, name, Restraint::Audit),
        3 | 4 => {
            migrate(sim, &scope, &name);
        }
        _ => waive(sim, &scope, &name),
    }
}

/// The kill switch is on, or can't be read, for a while.
fn pause(sim: &Arc<Sim>, end: Instant) {
    let paused = [Some(true), None][fastrand::usize(..2)];
    let mut state = sim.state();
    sim.trace(&mut state, &format!("the kill switch is {paused:?}"));
    state.paused = paused;
    drop(state);
    tokio::spawn(undo_later(Arc::clone(sim), end, |sim| {
        let mut state = sim.state();
        sim.trace(&mut state, "the kill switch is off");
        state.paused = Some(false);
    }));
}

fn waive(sim: &Sim, scope: &Scope, name: &str) {
    let until = sim.now() + SignedDuration::from_secs(fastrand::i64(20..200));
    let id = format!("{name}-db");
    sim.change(scope, Subject::DbInstance(id.clone()), "a waiver", |w| {
        if let Some(db) = w.instances.get_mut(&id) {
            let waiver = format!("rds-public-access@{until}");
            db.tags.0.insert("holdfast:waive".into(), waiver);
            db.tags.0.insert("holdfast:waive-reason".into(), "simulated".into());
        }
    });
}

/// Removes the tag of a workload, or asks for mode `audit`, for a while.
fn tag(sim: &Arc<Sim>, end: Instant, scope: Scope, name: String, restraint: Restraint) {
    set_tags(sim, &scope, &name, restraint, true);
    tokio::spawn(undo_later(Arc::clone(sim), end, move |sim| {
        set_tags(sim, &scope, &name, restraint, false);
    }));
}

fn set_tags(sim: &Sim, scope: &Scope, name: &str, restraint: Restraint, on: bool) {
    let id = format!("{name}-db");
    let database = Subject::DbInstance(id.clone());
    sim.change(scope, database, &format!("{name}: {restraint:?}: {on}"), |w| {
        let databases = w.instances.values_mut().filter(|db| db.id == id).map(|db| &mut db.tags);
        let group = format!("sg-{name}");
        let groups = w.groups.values_mut().filter(|g| g.id == group).map(|g| &mut g.tags);
        let services = w.services.values_mut().filter(|s| s.name == name).map(|s| &mut s.tags);
        let secrets = w.secrets.values_mut().filter(|s| s.name.starts_with(name));
        let secrets = secrets.map(|s| &mut s.tags);
        for tags in databases.chain(groups).chain(services).chain(secrets) {
            match (restraint, on) {
                (Restraint::Untagged, true) => tags.0.remove("holdfast:workload"),
                (Restraint::Untagged, false) => tags.0.insert("holdfast:workload".into(), name.to_owned()),
                (_, true) => tags.0.insert("holdfast:mode".into(), "audit".into()),
                (_, false) => tags.0.remove("holdfast:mode"),
            };
        }
    });
    let invariants = &mut sim.state().invariants;
    let key = (scope.clone(), name.to_owned(), restraint);
    if on {
        invariants.restraints.entry(key).or_insert_with(Instant::now);
    } else {
        invariants.restraints.remove(&key);
        let workload = (scope.clone(), name.to_owned());
        invariants.tagged_again.insert(workload, Instant::now());
    }
}

/// Makes the database public for a migration, with an end. Returns how long the window is.
fn migrate(sim: &Arc<Sim>, scope: &Scope, name: &str) -> Duration {
    let window = SignedDuration::from_secs(fastrand::i64(30..240));
    let (id, until) = (format!("{name}-db"), sim.now() + window);
    let database = Subject::DbInstance(id.clone());
    sim.change(scope, database, &format!("{id} migrates until {until}"), |w| {
        if let Some(db) = w.instances.get_mut(&id) {
            db.publicly_accessible |= db.status == "available";
            db.tags.0.insert("holdfast:phase".into(), "migrating".into());
            db.tags.0.insert("holdfast:migration-until".into(), until.to_string());
        }
    });
    let key = (scope.clone(), name.to_owned(), Restraint::Migrating);
    let began = *sim
        .state()
        .invariants
        .restraints
        .entry(key.clone())
        .or_insert_with(Instant::now);
    let (sim, window) = (Arc::clone(sim), window.unsigned_abs());
    tokio::spawn(async move {
        // For a process whose clock is ahead the window ends sooner.
        sleep(window.saturating_sub(MAX_CLOCK_SKEW)).await;
        let restraints = &mut sim.state().invariants.restraints;
        if restraints.get(&key) == Some(&began) {
            restraints.remove(&key);
        }
    });
    window
}

/// Migration windows one after another. The operator must close the database promptly after the end of each.
pub async fn migration_windows(sim: Arc<Sim>, workload: String, until: Instant) {
    let scope = sim.scopes()[0].clone();
    let id = format!("{workload}-db");
    let database = |sim: &Sim| {
        sim.state().worlds[&scope]
            .now()
            .instances
            .get(&id)
            .cloned()
            .expect("a database")
    };
    // First the initial defects are corrected, and the cooldown of that passes.
    let pause = sim.config.safety.cooldown + Duration::from_mins(1);
    sleep(pause).await;
    for _ in 1..sim.config.safety.fight_threshold {
        if Instant::now() >= until || database(&sim).publicly_accessible {
            return;
        }
        let window = migrate(&sim, &scope, &workload);
        if !database(&sim).publicly_accessible {
            return;
        }
        sleep(window + WINDOW_REACTION).await;
        let db = database(&sim);
        if db.publicly_accessible && db.status == "available" {
            let violation = format!("the window of {id} ended {WINDOW_REACTION:?} ago, and nothing was done");
            sim.check(&mut sim.state(), Err(violation));
        }
        sleep(pause).await;
    }
}
