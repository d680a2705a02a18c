//! Elapsed time, for people. Nothing that is judged depends on it.

use std::time::Instant;

/// Runs from when it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timer(Instant);

impl Timer {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a command took is only printed; no run reads it"
    )]
    pub(crate) fn start() -> Self {
        Timer(Instant::now())
    }

    /// Milliseconds since the start.
    pub(crate) fn elapsed_ms(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
