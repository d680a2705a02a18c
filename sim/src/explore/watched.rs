//! Where a search is, for somebody who looks on from another thread: what a store hangs in is said by no
//! result.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::scenario::Script;

use super::trail::{TrailStep, Wrong};

/// The way from the beginning of a workload to where the search is.
#[derive(Debug, Default)]
pub(crate) struct WatchedPath(Mutex<Path>);

#[derive(Debug, Default)]
struct Path {
    workload: Script,
    last_call: u64,
    /// The first step first.
    trail: Vec<TrailStep>,
}

impl WatchedPath {
    fn lock(&self) -> MutexGuard<'_, Path> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A workload begins.
    pub(super) fn begin(&self, workload: &Script) {
        *self.lock() = Path {
            workload: workload.clone(),
            ..Path::default()
        };
    }

    /// Its process dies after this call of the last step.
    pub(super) fn die_after(&self, last_call: u64) {
        self.lock().last_call = last_call;
    }

    /// The way goes on.
    pub(super) fn push(&self, step: TrailStep) {
        self.lock().trail.push(step);
    }

    /// The search goes back by a step.
    pub(super) fn pop(&self) {
        self.lock().trail.pop();
    }

    /// The script that leads there.
    pub(crate) fn script(&self) -> Script {
        let path = self.lock();
        let mut wrong = Wrong::new(Finding::new(Invariant::Progress, "", ""));
        wrong.last_call = path.last_call;
        wrong.trail = path.trail.iter().rev().cloned().collect();
        wrong.after(&path.workload).script
    }
}
