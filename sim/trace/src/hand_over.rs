//! Images on their way from the one that makes them to the jobs that check them. Few of them wait there: large ones would fill
//! the memory.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::made::CrashImage;

/// No more are made while this number of them wait, or while their files have this number of bytes.
const IMAGES: usize = 32;
const BYTES: u64 = 1 << 20;

/// What waits for a job.
pub(crate) struct HandOver {
    state: Mutex<State>,
    /// There are more, or there will be none.
    more: Condvar,
    /// There is room, or nobody takes any.
    room: Condvar,
}

struct State {
    waiting: VecDeque<(usize, CrashImage)>,
    bytes: u64,
    /// How many still take some.
    jobs: usize,
    /// No more are made.
    ended: bool,
}

/// The one who gives images until this is dropped.
pub(crate) struct Giver<'h>(&'h HandOver);

/// Somebody who takes images until this is dropped.
pub(crate) struct Taker<'h>(&'h HandOver);

impl HandOver {
    /// To this number of jobs.
    pub(crate) fn to(jobs: usize) -> Self {
        HandOver {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                bytes: 0,
                jobs,
                ended: false,
            }),
            more: Condvar::new(),
            room: Condvar::new(),
        }
    }

    /// There is one.
    pub(crate) fn giver(&self) -> Giver<'_> {
        Giver(self)
    }

    /// One of the jobs.
    pub(crate) fn taker(&self) -> Taker<'_> {
        Taker(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Giver<'_> {
    /// Waits until there is room for an image, and says no if nobody takes it.
    pub(crate) fn give(&self, place: usize, image: CrashImage) -> bool {
        let mut state = self.0.state();
        if state.waiting.len() >= IMAGES || state.bytes >= BYTES {
            // Until half of them are gone: to sleep and to wake up for each takes longer than to make a small one.
            while state.jobs > 0 && !state.is_half_empty() {
                let room = self.0.room.wait(state);
                state = room.unwrap_or_else(PoisonError::into_inner);
            }
        }
        if state.jobs == 0 {
            return false;
        }
        state.bytes += image.image.bytes();
        state.waiting.push_back((place, image));
        self.0.more.notify_one();
        true
    }
}

impl Drop for Giver<'_> {
    fn drop(&mut self) {
        self.0.state().ended = true;
        self.0.more.notify_all();
    }
}

impl State {
    fn is_half_empty(&self) -> bool {
        self.waiting.len() <= IMAGES / 2 && self.bytes <= BYTES / 2
    }
}

impl Taker<'_> {
    /// The next image and its place, when there is one.
    pub(crate) fn take(&self) -> Option<(usize, CrashImage)> {
        let mut state = self.0.state();
        loop {
            if let Some((place, image)) = state.waiting.pop_front() {
                state.bytes -= image.image.bytes();
                if state.is_half_empty() {
                    self.0.room.notify_one();
                }
                return Some((place, image));
            }
            if state.ended {
                return None;
            }
            let more = self.0.more.wait(state);
            state = more.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Taker<'_> {
    fn drop(&mut self) {
        self.0.state().jobs -= 1;
        self.0.room.notify_one();
    }
}
