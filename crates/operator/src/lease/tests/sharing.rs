//! Replicas that share scopes, on a paused clock.

use super::*;
use crate::lease::InUseGuard;

async fn settled(n: usize, count: usize, seed: u64) -> (MemoryStore, Vec<Replica>) {
    fastrand::seed(seed);
    let store = MemoryStore::default();
    let names = ["a", "b", "c", "d"];
    let replicas: Vec<Replica> = names[..count]
        .iter()
        .map(|name| Replica::start(&store, name, &scopes(n)))
        .collect();
    seconds(60).await;
    (store, replicas)
}

fn sizes(replicas: &[&Replica]) -> Vec<usize> {
    let mut sizes: Vec<usize> = replicas.iter().map(|r| r.held().len()).collect();
    sizes.sort_unstable();
    sizes
}

#[tokio::test(start_paused = true)]
async fn replicas_share_fairly_and_then_nothing_moves() {
    for seed in 0..20 {
        for (count, expected) in [(1, vec![7]), (2, vec![3, 4]), (3, vec![2, 2, 3]), (4, vec![1, 2, 2, 2])] {
            let (store, replicas) = settled(7, count, seed).await;
            let all: Vec<&Replica> = replicas.iter().collect();
            assert_eq!(sizes(&all), expected, "seed {seed}");
            assert!(all.iter().all(|r| r.coordinator.is_leader()));
            let before: Vec<_> = all.iter().map(|r| r.held()).collect();
            seconds(300).await;
            assert_eq!(all.iter().map(|r| r.held()).collect::<Vec<_>>(), before, "seed {seed}");
            for scope in scopes(7) {
                let lease = store.lease(&scope).unwrap();
                assert!(lease.token <= 3, "{lease:?} moved more often than it had to");
            }
            for replica in all {
                replica.kill();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_scopes_of_a_dead_replica_move_within_30_s() {
    let mut worst = Duration::ZERO;
    for seed in 0..200 {
        let count = 2 + usize::try_from(seed % 2).unwrap();
        let (_, replicas) = settled(7, count, seed).await;
        sleep(Duration::from_millis(fastrand::u64(..6_000))).await;
        let dead = &replicas[fastrand::usize(..count)];
        let before = dead.held();
        dead.kill();
        let died = Instant::now();
        let rest: Vec<&Replica> = replicas
            .iter()
            .filter(|r| !r.task.is_finished() && !std::ptr::eq(*r, dead))
            .collect();
        loop {
            let tokens: Vec<(Scope, u64)> = rest.iter().flat_map(|r| r.held()).collect();
            if tokens.len() == 7 {
                assert!(
                    tokens.iter().all(|(s, t)| before.get(s).is_none_or(|old| t > old)),
                    "tokens grow"
                );
                break;
            }
            assert!(died.elapsed() < Duration::from_secs(30), "seed {seed}");
            sleep(Duration::from_millis(100)).await;
        }
        worst = worst.max(died.elapsed());
        replicas.iter().for_each(Replica::kill);
    }
    assert!(
        worst > Duration::from_secs(12),
        "nobody is dead before its validity ends: {worst:?}"
    );
    assert!(worst < Duration::from_secs(23), "{worst:?}");
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_its_share() {
    let (store, mut replicas) = settled(7, 1, 1).await;
    let one = replicas[0].held();
    replicas.push(Replica::start(&store, "b", &scopes(7)));
    seconds(30).await;
    let all: Vec<&Replica> = replicas.iter().collect();
    assert_eq!(sizes(&all), [3, 4]);
    // What stays is not disturbed.
    assert!(replicas[0].held().iter().all(|(s, t)| one.get(s) == Some(t)));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_scopes_are_shared_and_taken_over() {
    let (store, mut replicas) = settled(1_000, 1, 2).await;
    replicas.push(Replica::start(&store, "b", &scopes(1_000)));
    seconds(120).await;
    assert_eq!(sizes(&replicas.iter().collect::<Vec<_>>()), [500, 500]);
    replicas[0].kill();
    seconds(25).await;
    assert_eq!(replicas[1].held().len(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn what_is_busy_is_not_given_away() {
    let (store, mut replicas) = settled(2, 1, 3).await;
    let in_use: Vec<InUseGuard> = scopes(2).iter().map(|s| replicas[0].coordinator.in_use(s)).collect();
    replicas.push(Replica::start(&store, "b", &scopes(2)));
    seconds(60).await;
    assert_eq!(replicas[0].held().len(), 2);
    drop(in_use);
    seconds(12).await;
    assert_eq!(sizes(&replicas.iter().collect::<Vec<_>>()), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn release_all_moves_scopes_at_once() {
    for seed in 0..50 {
        let (_, replicas) = settled(7, 3, seed).await;
        replicas[0].cancel.cancel();
        replicas[0].coordinator.release_all().await;
        assert_eq!(replicas[0].held(), BTreeMap::new());
        seconds(6).await;
        assert_eq!(
            sizes(&[&replicas[1], &replicas[2]]).iter().sum::<usize>(),
            7,
            "seed {seed}"
        );
        seconds(30).await;
        assert_eq!(sizes(&[&replicas[1], &replicas[2]]), [3, 4], "seed {seed}");
        replicas.iter().for_each(Replica::kill);
    }
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_nobody_else_wants_is_kept() {
    fastrand::seed(5);
    let store = MemoryStore::default();
    // The second has another configuration: of three scopes it knows one.
    let a = Replica::start(&store, "a", &scopes(3));
    let b = Replica::start(&store, "b", &scopes(1));
    let mut moves = 0;
    let mut told = a.coordinator.held();
    for _ in 0..600 {
        seconds(1).await;
        moves += usize::from(told.has_changed().unwrap());
        told.mark_unchanged();
    }
    assert_eq!(a.held().len() + b.held().len(), 3);
    assert!(moves < 10, "{moves} changes in ten minutes");
    a.coordinator.give_back(&scopes(3)[2..]).await;
    assert_eq!(a.coordinator.token(&scopes(3)[2]), None);
    seconds(25).await;
    assert!(a.coordinator.token(&scopes(3)[2]).is_some(), "nobody else wanted it");
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_what_is_held_and_its_end_brings_it_back() {
    let (_, replicas) = settled(7, 1, 6).await;
    let a = &replicas[0];
    let before = a.held();
    a.store.set_weather(Weather {
        down: true,
        ..Weather::default()
    });
    seconds(6).await;
    assert_eq!(a.held(), before, "what is held stays held for a while");
    let refused = a.coordinator.check(&scopes(7)[0], 1).await.unwrap_err().to_string();
    assert!(refused.contains("told to fail"), "{refused}");
    seconds(7).await;
    assert_eq!(a.held(), BTreeMap::new());
    assert!(!a.coordinator.is_leader());
    a.store.set_weather(Weather::default());
    seconds(12).await;
    let after = a.held();
    assert_eq!(after.len(), 7);
    assert!(
        after.iter().all(|(s, t)| *t > before[s]),
        "a new tenure has a new token"
    );
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_stood_still_holds_nothing_afterwards() {
    let (_, replicas) = settled(7, 2, 7).await;
    let (a, b) = (&replicas[0], &replicas[1]);
    let (scope, token) = a.held().pop_first().unwrap();
    a.freeze(Duration::from_secs(40));
    seconds(39).await;
    assert_eq!(a.coordinator.token(&scope), None);
    assert_eq!(b.held().len(), 7);
    let refused = a.coordinator.check(&scope, token).await.unwrap_err().to_string();
    assert!(refused.contains("is not held any more"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn check_says_who_holds_it_now() {
    let (store, replicas) = settled(1, 1, 8).await;
    let (a, scope) = (&replicas[0], &scopes(1)[0]);
    a.coordinator.check(scope, 1).await.unwrap();
    assert!(a.coordinator.check(scope, 2).await.is_err());
    let ours = store.lease(scope).unwrap();
    let theirs = Lease {
        owner: Some("x".into()),
        token: 2,
        heartbeat: 900,
        ..ours.clone()
    };
    assert!(store.swap(Some(&ours), &theirs).await.unwrap());
    assert_eq!(
        a.coordinator.check(scope, 1).await.unwrap_err().to_string(),
        "the lease of 000000000000/us-east-1 is now held by x (token 2, ours was 1); this replica must not act there any more"
    );
    assert_eq!(a.coordinator.token(scope), None);
}

#[tokio::test(start_paused = true)]
async fn check_renews_when_little_is_left() {
    let (_, replicas) = settled(1, 1, 9).await;
    let (a, scope) = (&replicas[0], &scopes(1)[0]);
    // Nobody renews any more, but an action goes on.
    a.kill();
    for _ in 0..30 {
        seconds(1).await;
        a.coordinator.check(scope, 1).await.unwrap();
    }
    seconds(13).await;
    assert!(a.coordinator.check(scope, 1).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn mail_reaches_the_holder() {
    let (_, replicas) = settled(2, 2, 10).await;
    let (a, b) = (&replicas[0], &replicas[1]);
    let (scope, _) = b.held().pop_first().unwrap();
    let key = Key {
        scope,
        subject: Subject::DbInstance("coder-db".into()),
    };
    assert!(a.coordinator.hand_over(&key).await.unwrap());
    seconds(2).await;
    assert_eq!(*b.got.lock().unwrap(), std::slice::from_ref(&key));
    // Its holder need not hand it over, and nobody holds what is none of the targets.
    assert!(!b.coordinator.hand_over(&key).await.unwrap());
    let unknown = Key {
        scope: scopes(9).pop().unwrap(),
        subject: Subject::Everything,
    };
    assert!(!a.coordinator.hand_over(&unknown).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn alone_everything_is_held_for_ever() {
    let coordinator = LeaseCoordinator::alone(scopes(2));
    let (known, unknown) = (&scopes(2)[1], &scopes(3)[2]);
    assert_eq!((coordinator.token(known), coordinator.token(unknown)), (Some(0), None));
    assert!(coordinator.is_leader());
    assert!(coordinator.check(known, 0).await.is_ok());
    assert!(coordinator.check(unknown, 0).await.is_err());
    coordinator.release_all().await;
    assert_eq!(coordinator.held().borrow().len(), 2);
}
