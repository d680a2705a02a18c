//! Watches the storage calls of a run for the ones that count.

use beaver_disk::{Moment, Op};

use super::{Coverage, Site, place};
use crate::scenario::FaultKind;

/// What watches the storage calls of one run.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    coverage: Coverage,
    every_moment: bool,
}

impl Watch {
    /// From now on, or no longer, somebody lets the process die at every moment of every call.
    pub(crate) fn set_every_moment(&mut self, every: bool) {
        self.every_moment = every;
    }

    /// What was seen so far.
    pub(crate) fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// A call is about to be made; the process `dies` at it, and these faults hit it.
    pub(crate) fn call(&mut self, op: Op, dies: Option<Moment>, faults: &[FaultKind]) {
        let everywhere = self.every_moment && dies.is_none();
        if dies.is_none() && faults.is_empty() && !everywhere {
            return;
        }
        let site = Site {
            place: place::here(),
            op,
        };
        // If the process dies before its call, the fault never comes.
        if dies != Some(Moment::Before) {
            faults
                .iter()
                .for_each(|kind| self.coverage.hit(site, *kind));
        }
        let moments = match everywhere {
            true => site.moments(),
            false => dies.as_slice(),
        };
        for moment in moments {
            self.coverage.died(site, *moment);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was seen of the one call that a test makes.
    fn seen(watch: &Watch) -> Vec<([u64; 3], usize)> {
        let seen = watch.coverage().seen().values();
        seen.map(|seen| (seen.died, seen.faults.len())).collect()
    }

    #[test]
    fn a_fault_of_a_call_that_is_never_made_does_not_count() {
        let mut watch = Watch::default();
        watch.call(Op::Create, Some(Moment::Before), &[FaultKind::CreateError]);
        assert_eq!(seen(&watch), [([1, 0, 0], 0)]);
        watch.call(Op::Create, Some(Moment::After), &[FaultKind::CreateError]);
        assert_eq!(seen(&watch), [([1, 0, 1], 1)]);
    }

    #[test]
    fn a_call_that_nothing_happens_to_is_not_looked_at() {
        let mut watch = Watch::default();
        watch.call(Op::Create, None, &[]);
        assert_eq!(seen(&watch), []);
    }

    #[test]
    fn where_the_process_dies_everywhere_each_moment_counts_that_differs() {
        let mut watch = Watch::default();
        watch.set_every_moment(true);
        watch.call(Op::ReadAt, None, &[]);
        watch.call(Op::SyncDir, None, &[]);
        assert_eq!(seen(&watch), [([1, 1, 1], 0), ([1, 0, 1], 0)]);
    }
}
