//! Reading ahead.
//!
//! Judging takes as long as memory takes to arrive: a workload is some hundred and fifty small pieces of it, which are
//! seldom in a cache when there are thousands of workloads, and the rules come upon them one after the other. Read at
//! once, with nothing that waits for anything else, they come together. `cargo bench --bench judge` tells what it gains.

use std::hash::{Hash, Hasher};
use std::hint::black_box;

/// Looks at a byte of everything that it is given, which is enough to have it fetched.
#[derive(Default)]
struct Touch(u64);

impl Hasher for Touch {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= u64::from(bytes.first().copied().unwrap_or_default());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Has all that `things` consist of fetched.
pub(super) fn fetch<T: Hash>(things: impl IntoIterator<Item = T>) {
    let mut touch = Touch::default();
    for thing in things {
        thing.hash(&mut touch);
    }
    black_box(touch.finish());
}
