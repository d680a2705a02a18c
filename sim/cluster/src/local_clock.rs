//! The clock of one process: off, and too fast or too slow.

/// A clock that shows some time at some true time and runs at a rate of its own from there. It never
/// goes back. All times are nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LocalClock {
    since: u64,
    shown: u64,
    ppm: i64,
}

const MILLION: i128 = 1_000_000;

impl LocalClock {
    /// A clock that shows `shown` at the true time `now` and gains `ppm` microseconds a second.
    pub(crate) fn new(now: u64, shown: u64, ppm: i64) -> Self {
        LocalClock {
            since: now,
            shown,
            // Slower than half the rate, or as fast as twice, no clock runs.
            ppm: ppm.clamp(-500_000, 1_000_000),
        }
    }

    /// The same clock with another rate from `now` on.
    pub(crate) fn at_rate(self, now: u64, ppm: i64) -> Self {
        LocalClock::new(now, self.shows(now), ppm)
    }

    /// What it shows at the true time `now`.
    pub(crate) fn shows(self, now: u64) -> u64 {
        let passed = now.saturating_sub(self.since);
        match self.ppm {
            0 => self.shown.saturating_add(passed),
            ppm => {
                let passed = i128::from(passed) * (MILLION + i128::from(ppm)) / MILLION;
                self.shown.saturating_add(narrow(passed))
            }
        }
    }

    /// The first true time at which it shows `shown` or more.
    pub(crate) fn when(self, shown: u64) -> u64 {
        let wait = shown.saturating_sub(self.shown);
        match self.ppm {
            0 => self.since.saturating_add(wait),
            ppm => {
                let rate = MILLION + i128::from(ppm);
                let wait = (i128::from(wait) * MILLION + rate - 1) / rate;
                self.since.saturating_add(narrow(wait))
            }
        }
    }
}

fn narrow(number: i128) -> u64 {
    u64::try_from(number.max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_clock_shows_a_time_when_it_says_and_not_before(
            start in 0u64..1 << 40, offset in 0u64..1 << 40, ppm in -20_000i64..20_000, wait in 1u64..1 << 40,
        ) {
            let clock = LocalClock::new(start, offset, ppm);
            let at = clock.when(offset + wait);
            prop_assert!(clock.shows(at) >= offset + wait);
            prop_assert!(clock.shows(at - 1) < offset + wait);
        }

        #[test]
        fn a_change_of_rate_never_takes_a_clock_back(ppm in -20_000i64..20_000, next in -20_000i64..20_000) {
            let clock = LocalClock::new(5, 1_000, ppm);
            let later = clock.at_rate(1_000_000, next);
            prop_assert_eq!(clock.shows(1_000_000), later.shows(1_000_000));
            prop_assert!(later.shows(2_000_000) >= later.shows(1_000_000));
        }
    }
}
