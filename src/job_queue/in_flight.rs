//! The jobs in flight: by time for what is due next, and by name for what is heard of.
//!
//! Of all jobs that are known few are in flight, and nearly every event but ENQUEUE is about one of
//! those. So it is found here, in memory that is touched all the time, and not in the index of all
//! names, where a search waits for main memory several times over.

use std::collections::BTreeMap;

use crate::event::JobId;

use super::timed_jobs::{TimedJobs, Window};

/// Views of the same jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct JobsInFlight {
    timed: TimedJobs,
    /// Number and window.
    by_name: BTreeMap<JobId, (usize, Window)>,
}

impl JobsInFlight {
    pub(super) fn timed(&self) -> &TimedJobs {
        &self.timed
    }

    /// The number of job `id`, if it is in flight.
    pub(super) fn find(&self, id: &JobId) -> Option<usize> {
        self.by_name.get(id).map(|(number, _)| *number)
    }

    pub(super) fn insert(&mut self, id: &JobId, number: usize, window: Window) {
        self.timed.insert(id, number, window);
        self.by_name.insert(id.clone(), (number, window));
    }

    /// Takes out job `id`, which must be in flight.
    pub(super) fn remove(&mut self, id: &JobId) {
        let (_, window) = self.by_name.remove(id).expect("the job is in flight");
        self.timed.remove(id, window);
    }

    /// Whether the views agree, and agree with `window`.
    pub(super) fn is_consistent(&self, window: impl Fn(usize) -> Option<Window>) -> bool {
        let mut jobs = self.timed.iter();
        self.by_name.len() == self.timed.len()
            && jobs.all(|(_, id, number)| self.find(id) == Some(number))
            && self.timed.is_consistent(window)
    }
}
