//! A map whose clones share their values until they change. A snapshot is cloned for each event, and an event changes
//! little of it.

use std::borrow::Borrow;
use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

/// An ordered map. A clone costs nothing. A change to a clone copies the keys, and of the values only the changed ones.
#[derive(Debug, PartialEq, Eq)]
pub struct CowMap<K, T>(Arc<BTreeMap<K, Arc<T>>>);

impl<K, T> Clone for CowMap<K, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, T> Default for CowMap<K, T> {
    fn default() -> Self {
        Self(Arc::new(BTreeMap::new()))
    }
}

impl<K: Ord, T> CowMap<K, T> {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One of them.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&T>
    where
        K: Borrow<Q>,
    {
        self.0.get(key).map(Arc::as_ref)
    }

    /// Whether there is one of that key.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// All keys, in order.
    pub fn keys(&self) -> btree_map::Keys<'_, K, Arc<T>> {
        self.0.keys()
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.values().map(Arc::as_ref)
    }

    /// All, in the order of their keys.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, T> {
        Iter(self.0.iter())
    }
}

impl<K: Ord + Clone, T> CowMap<K, T> {
    /// Inserts a value, and replaces the one under the same key.
    pub fn insert(&mut self, key: K, value: T) {
        Arc::make_mut(&mut self.0).insert(key, Arc::new(value));
    }

    /// Removes one value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<Arc<T>>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)?;
        Arc::make_mut(&mut self.0).remove(key)
    }

    /// Removes all values.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Keeps only the values for which `fits` is true.
    pub fn retain(&mut self, fits: impl Fn(&K, &T) -> bool) {
        if !self.iter().all(|(key, value)| fits(key, value)) {
            Arc::make_mut(&mut self.0).retain(|key, value| fits(key, value));
        }
    }

    /// Copies the value under `key` from `other`, or removes it if `other` has none.
    pub fn take(&mut self, key: &K, other: &Self) {
        match other.0.get(key) {
            Some(value) if self.0.get(key).is_some_and(|own| Arc::ptr_eq(own, value)) => {}
            Some(value) => {
                Arc::make_mut(&mut self.0).insert(key.clone(), Arc::clone(value));
            }
            None => {
                self.remove(key);
            }
        }
    }

    /// Copies all values of `other`.
    pub fn take_all(&mut self, other: &Self) {
        for key in other.keys() {
            self.take(key, other);
        }
    }
}

impl<K: Ord + Clone, T: Clone> CowMap<K, T> {
    /// One value, mutably. Clones of the map keep theirs.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut T>
    where
        K: Borrow<Q>,
    {
        Arc::make_mut(&mut self.0).get_mut(key).map(Arc::make_mut)
    }

    /// All values, mutably.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.iter_mut().map(|(_, value)| value)
    }

    /// All pairs, with mutable values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut T)> {
        let all = Arc::make_mut(&mut self.0).iter_mut();
        all.map(|(key, value)| (key, Arc::make_mut(value)))
    }
}

impl<K: Ord, T> FromIterator<(K, T)> for CowMap<K, T> {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(pairs: I) -> Self {
        Self(Arc::new(pairs.into_iter().map(|(k, v)| (k, Arc::new(v))).collect()))
    }
}

impl<K: Ord, T> From<BTreeMap<K, T>> for CowMap<K, T> {
    fn from(map: BTreeMap<K, T>) -> Self {
        map.into_iter().collect()
    }
}

impl<K: Ord, T, const N: usize> From<[(K, T); N]> for CowMap<K, T> {
    fn from(pairs: [(K, T); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<K: Ord + Clone, T> Extend<(K, T)> for CowMap<K, T> {
    fn extend<I: IntoIterator<Item = (K, T)>>(&mut self, pairs: I) {
        for (key, value) in pairs {
            self.insert(key, value);
        }
    }
}

/// See [`CowMap::iter`].
#[derive(Debug)]
pub struct Iter<'a, K, T>(btree_map::Iter<'a, K, Arc<T>>);

impl<'a, K, T> Iterator for Iter<'a, K, T> {
    type Item = (&'a K, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value.as_ref()))
    }
}

impl<'a, K: Ord, T> IntoIterator for &'a CowMap<K, T> {
    type Item = (&'a K, &'a T);
    type IntoIter = Iter<'a, K, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Ord + Borrow<Q>, Q: Ord + ?Sized, T> std::ops::Index<&Q> for CowMap<K, T> {
    type Output = T;

    /// # Panics If there is no such key. For tests.
    fn index(&self, key: &Q) -> &T {
        &self.0[key]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_shares_what_is_not_changed() {
        let a: CowMap<u8, String> = [(1, "one".to_owned()), (2, "two".to_owned())].into();
        let mut b = a.clone();
        assert!(Arc::ptr_eq(&a.0, &b.0));
        b.remove(&9);
        b.take(&1, &a);
        assert!(Arc::ptr_eq(&a.0, &b.0), "nothing was changed");
        if let Some(two) = b.get_mut(&2) {
            two.push('!');
        }
        b.insert(3, "three".into());
        assert!(Arc::ptr_eq(&a.0[&1], &b.0[&1]));
        assert_eq!((a[&2].as_str(), b[&2].as_str()), ("two", "two!"));
        assert_eq!((a.len(), b.len()), (2, 3));
    }

    #[test]
    fn takes_over_what_another_holds_and_lacks() {
        let mut a: CowMap<u8, u8> = [(1, 10), (2, 20), (3, 30)].into();
        let b: CowMap<u8, u8> = [(2, 21), (4, 40)].into();
        a.take(&2, &b);
        a.take(&3, &b);
        assert_eq!(a, [(1, 10), (2, 21)].into());
        a.take_all(&b);
        assert_eq!(a, [(1, 10), (2, 21), (4, 40)].into());
    }
}
