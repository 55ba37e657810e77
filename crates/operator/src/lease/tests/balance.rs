use crate::lease::balance::{Counts, allowance, surplus};

fn counts(held: &[usize]) -> Counts {
    let name = |i| char::from(b'a' + u8::try_from(i).unwrap()).to_string();
    held.iter().enumerate().map(|(i, n)| (name(i), *n)).collect()
}

#[test]
fn whoever_lacks_takes_and_whoever_has_most_gives() {
    assert_eq!(allowance(7, &counts(&[0]), 7, "a"), 7);
    assert_eq!(surplus(7, &counts(&[7, 0]), 0, "a"), 3);
    assert_eq!(surplus(7, &counts(&[7, 0]), 3, "a"), 0);
    assert_eq!(allowance(7, &counts(&[4, 0]), 3, "b"), 3);
    // What the newcomer is due is not taken back.
    assert_eq!(allowance(7, &counts(&[4, 0]), 3, "a"), 0);
    // The odd one is anybody's.
    assert_eq!(allowance(7, &counts(&[3, 3]), 1, "a"), 1);
    assert_eq!(surplus(7, &counts(&[4, 3]), 0, "a"), 0);
    assert_eq!(surplus(1, &counts(&[1, 0]), 0, "a"), 0);
}

/// Replicas that look and act in any order come to rest, each with its share.
#[test]
fn it_comes_to_rest() {
    fastrand::seed(4);
    for _ in 0..1_000 {
        let (scopes, replicas) = (fastrand::usize(..40), fastrand::usize(1..8));
        let mut held = vec![0; replicas];
        let mut free = scopes;
        for _ in 0..fastrand::usize(..=scopes) {
            held[fastrand::usize(..replicas)] += 1;
            free -= 1;
        }
        let mut moves = 0;
        let mut still = 0;
        while still < 50 * replicas {
            let me = fastrand::usize(..replicas);
            let name = counts(&held).into_keys().nth(me).unwrap();
            let took = allowance(scopes, &counts(&held), free, &name);
            held[me] += took;
            free -= took;
            let gave = surplus(scopes, &counts(&held), free, &name);
            held[me] -= gave;
            free += gave;
            moves += took + gave;
            still = if took + gave == 0 { still + 1 } else { 0 };
        }
        assert_eq!(free, 0);
        let due = scopes / replicas;
        assert!(
            held.iter().all(|n| *n >= due && *n <= scopes.div_ceil(replicas)),
            "{held:?}"
        );
        assert!(moves <= 3 * scopes, "{moves} moves for {scopes} scopes");
    }
}
