//! How long a job waits after an attempt that failed or took too long.

/// How long a job waits after an attempt that failed or took too long: twice as long after each one,
/// up to a limit.
///
/// ```
/// use beaver::Backoff;
///
/// let backoff = Backoff::new(100, 1_000);
/// let delays = [1, 2, 3, 4, 5].map(|failures| backoff.delay_ms(failures));
/// assert_eq!(delays, [100, 200, 400, 800, 1_000]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    /// How long after the first, in milliseconds.
    pub first_ms: u64,
    /// How long at most, in milliseconds.
    pub max_ms: u64,
}

impl Backoff {
    /// The job does not wait at all.
    pub const NONE: Backoff = Backoff::new(0, 0);

    /// `first_ms` after the first attempt that failed, twice as long after each further one, at most
    /// `max_ms`.
    #[must_use]
    pub const fn new(first_ms: u64, max_ms: u64) -> Self {
        Backoff { first_ms, max_ms }
    }

    /// How long the job waits, in milliseconds, when this many attempts have failed in a row.
    #[must_use]
    pub fn delay_ms(self, failures: u32) -> u64 {
        let factor = 1_u64.checked_shl(failures.saturating_sub(1));
        let doubled = self.first_ms.saturating_mul(factor.unwrap_or(u64::MAX));
        doubled.min(self.max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_doubles_up_to_its_limit_and_never_overflows() {
        let backoff = Backoff::new(3, u64::MAX);
        assert_eq!([0, 1, 2, 9].map(|n| backoff.delay_ms(n)), [3, 3, 6, 768]);
        assert_eq!(backoff.delay_ms(64), u64::MAX);
        assert_eq!(backoff.delay_ms(u32::MAX), u64::MAX);
        assert_eq!(Backoff::new(5, 2).delay_ms(1), 2);
        assert_eq!(Backoff::new(0, 9).delay_ms(u32::MAX), 0);
        assert_eq!(Backoff::NONE.delay_ms(7), 0);
    }
}
