//! Watches the storage calls of a run for the ones that count.

use beaver::storage::sim::{Moment, Op};

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
