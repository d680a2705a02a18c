//! Random streams: one for each purpose, derived from the seed by label, so that a new knob leaves
//! old seeds valid.
//!
//! The generator is ChaCha8, and everything is drawn through `rand`: integers over closed ranges, one
//! of several items, one by weight, some of several. `rand` keeps the values of these methods within
//! a minor version (<https://rust-random.github.io/book/crate-reprod.html>), so a seed gives the same
//! run until that is raised; a saved failure draws nothing and outlives that too.

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A stream of random integers.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `seed` for the purpose `label` (at most 24 bytes).
    ///
    /// The key of the generator is the seed in little-endian followed by the label, filled up with
    /// zeros.
    ///
    /// # Panics
    /// If the label is longer.
    #[must_use]
    pub fn new(seed: u64, label: &str) -> Self {
        assert!(label.len() <= 24, "a label has at most 24 bytes: {label}");
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..8 + label.len()].copy_from_slice(label.as_bytes());
        Stream(ChaCha8Rng::from_seed(key))
    }

    /// An integer from `least` to `most`, both included, each as likely as the others.
    ///
    /// # Panics
    /// If `least` is above `most`.
    pub fn draw(&mut self, least: u64, most: u64) -> u64 {
        self.0.random_range(least..=most)
    }

    /// An index below `len`.
    ///
    /// # Panics
    /// If `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        let drawn = self.draw(0, len as u64 - 1);
        usize::try_from(drawn).expect("an index below a usize is a usize")
    }

    /// True in `per_mille` of 1,000 cases. Draws nothing where the answer is certain.
    pub fn chance_per_mille(&mut self, per_mille: u32) -> bool {
        match per_mille {
            0 => false,
            1000.. => true,
            _ => self.0.random_ratio(per_mille, 1_000),
        }
    }

    /// True always while a store has at most 250 jobs, finished ones included, then in 250 of `jobs` cases.
    ///
    /// Opening a store, writing a snapshot and looking at all of it take time for each job that was ever there. In a
    /// long run they get rarer as the store grows, so that a command costs the same at its end as at its
    /// beginning. Nothing is drawn, and nothing changes, in a run that stays small.
    pub fn still_often(&mut self, jobs: usize) -> bool {
        const SMALL: u64 = 250;
        let jobs = jobs as u64;
        jobs <= SMALL || self.draw(1, jobs) <= SMALL
    }

    /// True in one of two cases.
    pub fn coin(&mut self) -> bool {
        self.0.random_ratio(1, 2)
    }

    /// One of `items`.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        items.choose(&mut self.0).expect("there is an item to pick")
    }

    /// One of `items`, each as often as its weight says; nothing if all weights are 0.
    pub fn pick_weighted<'a, T>(
        &mut self,
        items: &'a [T],
        weight: impl Fn(&T) -> u32,
    ) -> Option<&'a T> {
        items.choose_weighted(&mut self.0, weight).ok()
    }

    /// `count` of `items`, or all of them if there are fewer, in an order of their own.
    pub fn some_of<T>(&mut self, mut items: Vec<T>, count: usize) -> Vec<T> {
        items.shuffle(&mut self.0);
        items.truncate(count);
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_labels_give_equal_streams_and_others_do_not() {
        let draws = |seed, label| {
            let mut stream = Stream::new(seed, label);
            (0..8).map(|_| stream.draw(0, 1000)).collect::<Vec<_>>()
        };
        assert_eq!(draws(7, "workload"), draws(7, "workload"));
        assert_ne!(draws(7, "workload"), draws(7, "faults"));
        assert_ne!(draws(7, "workload"), draws(8, "workload"));
    }

    #[test]
    fn the_first_draws_of_a_seed_change_only_with_the_minor_version_of_rand() {
        let mut stream = Stream::new(7, "workload");
        let drawn: Vec<_> = (0..6).map(|_| stream.draw(1, 100)).collect();
        assert_eq!(drawn, [40, 98, 75, 98, 71, 86]);
    }

    #[test]
    fn both_ends_of_a_range_are_drawn() {
        let mut stream = Stream::new(0, "ends");
        let drawn: std::collections::BTreeSet<_> = (0..100).map(|_| stream.draw(3, 5)).collect();
        assert_eq!(drawn, [3, 4, 5].into());
        assert_eq!(stream.draw(9, 9), 9);
    }
}
