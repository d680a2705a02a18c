//! How long a thread has been in one call into the store.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::clock::CheckClock;
use crate::guard::CallGauge;

/// The code with which the process ends where a call does not come back: that of a panic.
pub(super) const EXIT: i32 = 101;

/// How often a thread is looked at.
const TICK: Duration = Duration::from_millis(20);

/// Looks at the calls of one thread.
pub(super) struct CallWatch {
    gauge: Arc<CallGauge>,
    /// The call that it was in, and since when at least.
    in_call: Option<(u64, Duration)>,
}

impl CallWatch {
    pub(super) fn new(gauge: &Arc<CallGauge>) -> Self {
        CallWatch {
            gauge: Arc::clone(gauge),
            in_call: None,
        }
    }

    /// Whether the thread is in one call for longer than `limit`.
    pub(super) fn is_stuck(&mut self, now: Duration, limit: Duration) -> bool {
        let call = self.gauge.call();
        match (self.in_call, call) {
            (Some((known, since)), Some(call)) if known == call => {
                now.saturating_sub(since) > limit
            }
            _ => {
                self.in_call = call.map(|call| (call, now));
                false
            }
        }
    }
}

/// What comes of some work on a thread of its own; nothing if it is in one call into the store for longer
/// than `limit`. The thread then goes on for ever.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let gauge = Arc::new(CallGauge::default());
    let (timer, mut watch) = (CheckClock::start(), CallWatch::new(&gauge));
    let thread = thread::spawn(move || {
        CallGauge::show_this_thread(&gauge);
        work()
    });
    while !thread.is_finished() {
        if watch.is_stuck(timer.elapsed(), limit) {
            return None;
        }
        thread::sleep(TICK);
    }
    match thread.join() {
        Ok(done) => Some(done),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
