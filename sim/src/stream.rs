//! Random streams: one for each purpose, derived from the seed by label, so that a new knob leaves
//! old seeds valid.
//!
//! Only integers over closed ranges are drawn, by a method written here: the values depend on
//! ChaCha8 and on nothing else.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random integers.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `seed` for the purpose `label` (at most 24 bytes).
    ///
    /// The key of the generator is the seed in little-endian followed by the label, filled up with
    /// zeros.
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
        assert!(least <= most, "an empty range: {least} to {most}");
        let Some(span) = (most - least).checked_add(1) else {
            return self.0.next_u64();
        };
        // Values above the largest multiple of the span would make small results more likely: they
        // are drawn again.
        let zone = u64::MAX - (u64::MAX % span + 1) % span;
        loop {
            let value = self.0.next_u64();
            if value <= zone {
                return least + value % span;
            }
        }
    }

    /// An index below `len`.
    ///
    /// # Panics
    /// If `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        let drawn = self.draw(0, len as u64 - 1);
        usize::try_from(drawn).expect("an index below a usize is a usize")
    }

    /// True in `pm` of 1,000 cases. Draws nothing where the answer is certain.
    pub fn chance_pm(&mut self, pm: u32) -> bool {
        match pm {
            0 => false,
            1000.. => true,
            _ => self.draw(0, 999) < u64::from(pm),
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
        self.draw(0, 1) == 1
    }

    /// One of `items`.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
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
    fn the_first_draws_of_a_seed_never_change() {
        let mut stream = Stream::new(7, "workload");
        let drawn: Vec<_> = (0..6).map(|_| stream.draw(1, 100)).collect();
        assert_eq!(drawn, [17, 63, 57, 4, 84, 16]);
    }

    #[test]
    fn both_ends_of_a_range_are_drawn() {
        let mut stream = Stream::new(0, "ends");
        let drawn: std::collections::BTreeSet<_> = (0..100).map(|_| stream.draw(3, 5)).collect();
        assert_eq!(drawn, [3, 4, 5].into());
        assert_eq!(stream.draw(9, 9), 9);
    }
}
