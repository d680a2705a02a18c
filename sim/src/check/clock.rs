//! Wall-clock time, for people. It decides where a search ends and what is said of it, never what a
//! run does.

use std::time::{Duration, Instant};

/// Runs from when it is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckClock(Instant);

impl CheckClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a check takes is up to its user; no run reads it"
    )]
    pub(super) fn start() -> Self {
        CheckClock(Instant::now())
    }

    /// The time since then.
    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
