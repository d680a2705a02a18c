//! The jobs in flight: by deadline for what is due next, and by name for what is heard of.
//!
//! Of all jobs that are known few are in flight, and nearly every event but ENQUEUE is about one of
//! those. So it is found here, in memory that is touched all the time, and not in the index of all
//! names, where a search waits for main memory several times over.

use std::collections::BTreeMap;

use crate::event::JobId;

/// Two views of the same jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct JobsInFlight {
    /// The numbers by deadline and then name.
    by_deadline: BTreeMap<(u64, JobId), usize>,
    /// Number and deadline.
    by_name: BTreeMap<JobId, (usize, u64)>,
}

impl JobsInFlight {
    pub(super) fn len(&self) -> usize {
        self.by_deadline.len()
    }

    /// The earliest deadline.
    pub(super) fn first_deadline_ms(&self) -> Option<u64> {
        let ((deadline_ms, _), _) = self.by_deadline.first_key_value()?;
        Some(*deadline_ms)
    }

    /// Deadline, name and number, the job that is due next first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &JobId, usize)> {
        let jobs = self.by_deadline.iter();
        jobs.map(|((deadline_ms, id), number)| (*deadline_ms, id, *number))
    }

    /// Number and deadline of job `id`, if it is in flight.
    pub(super) fn find(&self, id: &JobId) -> Option<(usize, u64)> {
        self.by_name.get(id).copied()
    }

    /// Whether the two views agree.
    pub(super) fn is_consistent(&self) -> bool {
        let mut jobs = self.iter();
        self.by_name.len() == self.len()
            && jobs.all(|(deadline_ms, id, number)| self.find(id) == Some((number, deadline_ms)))
    }

    pub(super) fn insert(&mut self, id: &JobId, number: usize, deadline_ms: u64) {
        self.by_deadline.insert((deadline_ms, id.clone()), number);
        self.by_name.insert(id.clone(), (number, deadline_ms));
    }

    /// Takes out job `id`, which must be in flight.
    pub(super) fn remove(&mut self, id: &JobId) {
        let by_deadline = self
            .by_name
            .remove(id)
            .and_then(|(_, deadline_ms)| self.by_deadline.remove(&(deadline_ms, id.clone())));
        assert!(
            by_deadline.is_some(),
            "job {id:?} is in flight in both views"
        );
    }
}
