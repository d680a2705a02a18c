//! Jobs that wait for a time: those in flight for their deadline, those with a delay for its end.
//!
//! A wait is a window of time, and it is over as soon as the clock stands outside of it: after its
//! end, as one expects, and before its beginning too. That happens when the clock was ahead when the
//! wait began and was set right since; the end then means nothing, and if it counted, a job could be
//! locked up for as long as the clock was wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::event::JobId;

/// The time of a wait, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) since_ms: u64,
    pub(super) until_ms: u64,
}

impl Window {
    /// `length_ms` from `since_ms` on. An end past 2^64 ms never comes, and the window begins that
    /// much earlier: so it is known from its end and its length.
    pub(super) fn new(since_ms: u64, length_ms: u64) -> Self {
        Window::ending(since_ms.saturating_add(length_ms), length_ms)
    }

    /// The `length_ms` before `until_ms`.
    pub(super) fn ending(until_ms: u64, length_ms: u64) -> Self {
        let since_ms = until_ms.saturating_sub(length_ms);
        Window { since_ms, until_ms }
    }

    pub(super) fn length_ms(self) -> u64 {
        self.until_ms - self.since_ms
    }
}

/// Jobs by the end and by the beginning of their windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TimedJobs {
    /// The numbers by end and then name.
    by_end: BTreeMap<(u64, JobId), usize>,
    /// Beginnings and numbers.
    by_start: BTreeSet<(u64, usize)>,
}

impl TimedJobs {
    pub(super) fn len(&self) -> usize {
        self.by_end.len()
    }

    pub(super) fn insert(&mut self, id: &JobId, number: usize, window: Window) {
        self.by_end.insert((window.until_ms, id.clone()), number);
        self.by_start.insert((window.since_ms, number));
    }

    /// Takes out job `id`, which must be there with this window.
    pub(super) fn remove(&mut self, id: &JobId, window: Window) {
        let number = self.by_end.remove(&(window.until_ms, id.clone()));
        let begun = number.is_some_and(|number| self.by_start.remove(&(window.since_ms, number)));
        assert!(begun, "job {id:?} waits from and until the times it says");
    }

    /// End, name and number, the job whose window ends next first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &JobId, usize)> {
        let jobs = self.by_end.iter();
        jobs.map(|((until_ms, id), number)| (*until_ms, id, *number))
    }

    /// The numbers of the jobs whose windows have ended at `now_ms`: by end, then by name.
    pub(super) fn ended(&self, now_ms: u64) -> impl Iterator<Item = usize> {
        // They are sorted by end, so the first that has not ended ends the search.
        let ended = self
            .iter()
            .take_while(move |(until_ms, ..)| *until_ms <= now_ms);
        ended.map(|(.., number)| number)
    }

    /// The numbers of the jobs whose windows begin after `now_ms`: by beginning, then by number.
    pub(super) fn not_begun(&self, now_ms: u64) -> impl Iterator<Item = usize> {
        let begun = Bound::Excluded((now_ms, usize::MAX));
        let not_begun = self.by_start.range((begun, Bound::Unbounded));
        not_begun.map(|(_, number)| *number)
    }

    /// The time at which a clock that shows `now_ms` now stands outside of a window next.
    pub(super) fn next_ms(&self, now_ms: u64) -> Option<u64> {
        match self.not_begun(now_ms).next() {
            Some(_) => Some(now_ms),
            None => self.iter().next().map(|(until_ms, ..)| until_ms),
        }
    }

    /// Whether both views have as many jobs, and `has` their windows.
    pub(super) fn is_consistent(&self, window: impl Fn(usize) -> Option<Window>) -> bool {
        self.by_start.len() == self.len()
            && self.iter().all(|(until_ms, _, number)| {
                window(number).is_some_and(|window| {
                    window.until_ms == until_ms
                        && self.by_start.contains(&(window.since_ms, number))
                })
            })
    }
}
