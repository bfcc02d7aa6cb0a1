//! A map in a sorted vector, for few keys or keys that mostly come in ascending order. The maps of the standard library end
//! the process if memory is short.

use crate::grow::Grow;
use nix::errno::Errno;

pub(crate) struct Sorted<K, V>(Vec<(K, V)>);

impl<K: Ord + Copy, V> Sorted<K, V> {
    pub(crate) const fn new() -> Sorted<K, V> {
        Sorted(Vec::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let i = self.place(key).ok()?;
        self.0.get_mut(i).map(|(_, value)| value)
    }

    /// The value under `key`. If there is none, adds `value()`.
    pub(crate) fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> Result<&mut V, Errno> {
        let i = match self.place(key) {
            Ok(i) => i,
            Err(i) => {
                self.0.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                self.0.try_push((key, value()))?;
                if let Some(behind) = self.0.get_mut(i..).filter(|behind| !behind.is_empty()) {
                    behind.rotate_right(1);
                }
                i
            }
        };
        self.0.get_mut(i).map(|(_, value)| value).ok_or(Errno::ENOMEM)
    }

    /// All entries, from `key` on to the end and then from the beginning.
    pub(crate) fn iter_from(&self, key: K) -> impl Iterator<Item = (K, &V)> {
        let turn = self.place(key).unwrap_or_else(|i| i);
        self.0.iter().skip(turn).chain(self.0.iter().take(turn)).map(|(key, value)| (*key, value))
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let i = self.place(key).ok()?;
        self.0.get_mut(i..).filter(|behind| !behind.is_empty())?.rotate_left(1);
        self.0.pop().map(|(_, value)| value)
    }

    /// Keeps the entries for which `f` returns true.
    pub(crate) fn retain(&mut self, mut f: impl FnMut(K, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| f(*key, value));
    }

    /// Where `key` is, or belongs.
    fn place(&self, key: K) -> Result<usize, usize> {
        self.0.binary_search_by(|(k, _)| k.cmp(&key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn any_operations_have_the_results_of_a_map(ops in prop::collection::vec((0..3u8, 0..20u32), 0..100)) {
            let (mut sorted, mut model) = (Sorted::new(), BTreeMap::new());
            for (i, (op, key)) in ops.into_iter().enumerate() {
                match op {
                    0 => {
                        let value = *model.entry(key).or_insert(i);
                        prop_assert_eq!(sorted.get_or_insert_with(key, || i).map(|v| *v), Ok(value));
                    }
                    1 => prop_assert_eq!(sorted.remove(key), model.remove(&key)),
                    _ => {
                        sorted.retain(|k, v| (k + *v as u32) % 3 != 0);
                        model.retain(|k, v| (k + *v as u32) % 3 != 0);
                    }
                }
                prop_assert_eq!(sorted.get_mut(key), model.get_mut(&key));
                prop_assert_eq!(sorted.len(), model.len());
                let turned = model.range(key..).chain(model.range(..key));
                prop_assert!(sorted.iter_from(key).eq(turned.map(|(k, v)| (*k, v))));
                prop_assert!(sorted.0.iter().map(|(k, v)| (k, v)).eq(model.iter()));
            }
        }
    }
}
