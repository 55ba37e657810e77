//! How many scopes each replica should hold. Pure.
//!
//! With n scopes and r live replicas each is due n / r, rounded down; what remains is one more for some of them, and it
//! does not matter for whom. So nobody gives anything back unless another has less than is due or it has itself more than one
//! more, and nobody takes more than is due while another lacks: that is what keeps leases from going to and fro.

use std::collections::BTreeMap;

/// How many leases each live replica holds, those that hold none included.
pub(super) type Counts = BTreeMap<String, usize>;

/// How many of `free` leases `me` may take, of `scopes` in all.
pub(super) fn allowance(scopes: usize, counts: &Counts, free: usize, me: &str) -> usize {
    let (due, most) = share(scopes, counts);
    let mine = counts.get(me).copied().unwrap_or_default();
    let lacking = due.saturating_sub(mine).min(free);
    let others: usize = lacks(counts, due).filter(|(name, _)| *name != me).map(|(_, n)| n).sum();
    let extra = usize::from(free - lacking > others && mine + lacking < most);
    lacking + extra
}

/// How many leases `me` should give back while `free` are free already.
pub(super) fn surplus(scopes: usize, counts: &Counts, free: usize, me: &str) -> usize {
    let (due, most) = share(scopes, counts);
    let lacking: usize = lacks(counts, due).map(|(_, n)| n).sum();
    let excess: usize = counts.values().map(|n| n.saturating_sub(most)).sum();
    let wanted = lacking.max(excess);
    let mut counts: BTreeMap<&str, usize> = counts.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    let mut given = 0;
    // All replicas look at the same numbers and come to the same donors: whoever has most, of equals the last by name.
    for _ in 0..wanted.saturating_sub(free) {
        let Some((donor, held)) = counts.iter_mut().max_by_key(|(_, n)| **n) else {
            break;
        };
        if *held <= due {
            break;
        }
        *held -= 1;
        given += usize::from(*donor == me);
    }
    given
}

/// What each is due at least, and what nobody may exceed.
fn share(scopes: usize, counts: &Counts) -> (usize, usize) {
    let replicas = counts.len().max(1);
    (scopes / replicas, scopes.div_ceil(replicas))
}

fn lacks(counts: &Counts, due: usize) -> impl Iterator<Item = (&str, usize)> {
    counts
        .iter()
        .map(move |(name, n)| (name.as_str(), due.saturating_sub(*n)))
}
