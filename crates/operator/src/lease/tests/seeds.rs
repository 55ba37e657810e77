//! Thousands of schedules with outages, delays, lost answers, replicas that stand still and die: no two ever hold one scope.

use super::*;

/// Each test runs as many, in some ten seconds.
const SEEDS: u64 = 1_000;

#[tokio::test(start_paused = true)]
async fn no_two_replicas_ever_hold_a_scope() {
    schedules(0).await;
}

#[tokio::test(start_paused = true)]
async fn nor_by_other_seeds() {
    schedules(SEEDS).await;
}

/// `HOLDFAST_LEASE_SEED` replays one, `HOLDFAST_LEASE_SEEDS` runs so many.
async fn schedules(from: u64) {
    let given = |name| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    let only = given("HOLDFAST_LEASE_SEED");
    let count = given("HOLDFAST_LEASE_SEEDS").unwrap_or(SEEDS);
    let seeds = only.map_or(from..from + count, |seed| seed..seed + 1);
    let mut seen = Seen::default();
    for seed in seeds {
        schedule(seed, &mut seen).await;
    }
    if only.is_none() {
        // The schedules do what they are for.
        assert!(seen.moved > count && seen.lapsed > count / 10, "{seen:?}");
    }
}

#[derive(Debug, Default)]
struct Seen {
    moved: u64,
    lapsed: u64,
}

async fn schedule(seed: u64, seen: &mut Seen) {
    fastrand::seed(seed);
    let store = MemoryStore::default();
    let scopes = scopes(4);
    let mut replicas: Vec<Replica> = vec![];
    let mut started = 0;
    // The highest token that each scope was held under, and by whom.
    let mut tokens: BTreeMap<Scope, (u64, String)> = BTreeMap::new();
    let mut names = vec![];
    for step in 0..240 {
        let calm = step > 160;
        if replicas.len() < 2 + usize::from(fastrand::u8(..) < 4) && replicas.len() < 3 {
            names.push(format!("r{started}"));
            let options = LeaseOptions {
                // Not what this is about.
                mail: Duration::from_secs(30),
                ..LeaseOptions::default()
            };
            replicas.push(Replica::start_with(&store, &format!("r{started}"), &scopes, options));
            started += 1;
        }
        let at = fastrand::usize(..replicas.len());
        match fastrand::u8(..) {
            _ if calm => replicas.iter().for_each(|r| r.store.set_weather(Weather::default())),
            0..14 => replicas[at].store.set_weather(weather()),
            14..24 => replicas[at].store.set_weather(Weather::default()),
            24..29 => replicas[at].freeze(Duration::from_millis(fastrand::u64(..30_000))),
            29..31 if replicas.len() > 1 => {
                replicas[at].kill();
                // It may be long before anybody notices: what it holds counts still.
                seen.moved += 1;
                drop(replicas.remove(at));
                names.remove(at);
            }
            31 => {
                replicas[at]
                    .coordinator
                    .give_back(&scopes[..fastrand::usize(..4)])
                    .await;
            }
            32 => {
                if let Some((scope, token)) = replicas[at].held().pop_first() {
                    let _ = replicas[at].coordinator.check(&scope, token).await;
                }
            }
            _ => {}
        }
        sleep(Duration::from_millis(fastrand::u64(..600))).await;
        for scope in &scopes {
            let holders = replicas
                .iter()
                .zip(&names)
                .filter_map(|(r, n)| Some((r.coordinator.token(scope)?, n)));
            let holders: Vec<(u64, &String)> = holders.collect();
            assert!(
                holders.len() <= 1,
                "HOLDFAST_LEASE_SEED={seed}: step {step}: {scope} is held by {holders:?}"
            );
            if let Some((token, name)) = holders.first() {
                let (highest, holder) = tokens.entry(scope.clone()).or_insert_with(|| (*token, (*name).clone()));
                assert!(
                    *token > *highest || (*token == *highest && holder == *name),
                    "HOLDFAST_LEASE_SEED={seed}: step {step}: {scope} is held by {name} under {token}, after {highest} by {holder}"
                );
                seen.moved += u64::from(token > highest);
                (*highest, *holder) = (*token, (*name).clone());
            }
        }
        seen.lapsed += u64::from(replicas.iter().any(|r| r.held().is_empty()));
    }
    // Some 24 s without faults so far; within another minute everything is held. A replica may have been frozen for 30 s of
    // them, and what was offered to it in vain takes its time.
    let held = || replicas.iter().map(|r| r.held().len()).sum::<usize>();
    let end = Instant::now() + Duration::from_mins(1);
    while held() < scopes.len() {
        assert!(
            Instant::now() < end,
            "HOLDFAST_LEASE_SEED={seed}: {} of {} are held",
            held(),
            scopes.len()
        );
        seconds(1).await;
    }
    // Whoever did not take its share while it could not use the table is offered it again later.
    if !replicas.iter().all(|r| r.coordinator.is_leader()) {
        seconds(700).await;
        assert_eq!(held(), scopes.len(), "HOLDFAST_LEASE_SEED={seed}");
        assert!(
            replicas.iter().all(|r| r.coordinator.is_leader()),
            "HOLDFAST_LEASE_SEED={seed}"
        );
    }
    replicas.iter().for_each(Replica::kill);
}

fn weather() -> Weather {
    match fastrand::u8(..4) {
        0 => Weather {
            down: true,
            ..Weather::default()
        },
        1 => Weather {
            delay: Duration::from_millis(fastrand::u64(1..8_000)),
            ..Weather::default()
        },
        _ => Weather {
            failing: 0.3 * fastrand::f64(),
            lost: 0.6 * fastrand::f64(),
            delay: Duration::from_millis(fastrand::u64(..1_500)),
            ..Weather::default()
        },
    }
}
