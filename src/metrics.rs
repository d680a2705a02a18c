//! What a store has done since it was opened, in numbers: a plain value to read at any moment, and with the feature
//! `metrics` counters and histograms of the [`metrics`](https://docs.rs/metrics) crate for whatever recorder is installed.
//!
//! Nothing that is stored, and no order of calls, depends on these numbers or on the clock that they are measured with.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a store, or a log without one, has done since it was opened. Times are in microseconds. With the feature `metrics` the
/// same goes to the recorder of the [`metrics`](https://docs.rs/metrics) crate.
///
/// Each number is exact; two of them read in the middle of a commit may be one batch apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreMetrics {
    /// Appends that are durable. An append of several events counts once.
    pub appends: u64,
    /// The events in them.
    pub events: u64,
    /// The bytes of their lines.
    pub bytes: u64,
    /// How many appends shared a write and a sync, batch by batch.
    pub batch_appends: Histogram,
    /// How long the write and the sync of a batch took together.
    pub commit_us: Histogram,
    /// How long its sync took.
    pub sync_us: Histogram,
    /// Batches that could not be written or synced.
    pub failed_batches: u64,
    /// Checkpoints that are finished.
    pub checkpoints: u64,
    /// How long it took to open the store.
    pub recovery_us: u64,
    /// The events that were replayed for that.
    pub recovered_events: u64,
}

/// The buckets of a histogram: 0, 1, 2 to 3, 4 to 7, and so on. The last one has everything from 2^38 on: three days.
const BUCKETS: usize = 40;

/// How often a value occurred, by powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram {
    buckets: [u64; BUCKETS],
    sum: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            buckets: [0; BUCKETS],
            sum: 0,
            max: 0,
        }
    }
}

impl Histogram {
    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// The largest one; 0 where there is none.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// Their mean, rounded down; 0 where there is none.
    #[must_use]
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(self.count()).unwrap_or(0)
    }

    /// A value that `per_mille` of 1,000 values do not exceed: 500 is the median. At most twice as large as the exact one
    /// (of what took longer than three days: the largest), and never larger than [`max`](Histogram::max).
    #[must_use]
    pub fn quantile(&self, per_mille: u64) -> u64 {
        let count = u128::from(self.count());
        let rank = (count * u128::from(per_mille)).div_ceil(1_000);
        let mut seen = 0;
        for (bucket, times) in self.buckets.iter().enumerate() {
            seen += u128::from(*times);
            if seen >= rank.max(1) && bucket < BUCKETS - 1 {
                return ((1 << bucket) - 1).min(self.max);
            }
        }
        // Of the last bucket, or of none.
        self.max
    }
}

/// A histogram that threads add to.
#[derive(Debug)]
struct SharedHistogram {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
    max: AtomicU64,
}

impl Default for SharedHistogram {
    fn default() -> Self {
        SharedHistogram {
            buckets: array::from_fn(|_| AtomicU64::new(0)),
            sum: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }
}

impl SharedHistogram {
    fn add(&self, value: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        self.buckets[bucket.min(BUCKETS - 1)].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
        self.max.fetch_max(value, Relaxed);
    }

    fn read(&self) -> Histogram {
        Histogram {
            buckets: array::from_fn(|bucket| self.buckets[bucket].load(Relaxed)),
            sum: self.sum.load(Relaxed),
            max: self.max.load(Relaxed),
        }
    }
}

/// What a batch has, or what an append adds to it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BatchSize {
    pub(crate) appends: u64,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
}

/// The numbers while they grow. All parts of a store share one.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    appends: AtomicU64,
    events: AtomicU64,
    bytes: AtomicU64,
    batch_appends: SharedHistogram,
    commit_us: SharedHistogram,
    sync_us: SharedHistogram,
    failed_batches: AtomicU64,
    checkpoints: AtomicU64,
    recovery_us: AtomicU64,
    recovered_events: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> StoreMetrics {
        StoreMetrics {
            appends: self.appends.load(Relaxed),
            events: self.events.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            batch_appends: self.batch_appends.read(),
            commit_us: self.commit_us.read(),
            sync_us: self.sync_us.read(),
            failed_batches: self.failed_batches.load(Relaxed),
            checkpoints: self.checkpoints.load(Relaxed),
            recovery_us: self.recovery_us.load(Relaxed),
            recovered_events: self.recovered_events.load(Relaxed),
        }
    }

    /// The store is open.
    pub(crate) fn recovered(&self, events: u64, took_us: u64) {
        self.recovery_us.store(took_us, Relaxed);
        self.recovered_events.store(events, Relaxed);
        exported::recovered(events, took_us);
    }

    /// A sync has returned.
    pub(crate) fn synced(&self, took_us: u64) {
        self.sync_us.add(took_us);
        exported::synced(took_us);
    }

    /// A batch is durable.
    pub(crate) fn committed(&self, size: BatchSize, took_us: u64) {
        self.appends.fetch_add(size.appends, Relaxed);
        self.events.fetch_add(size.events, Relaxed);
        self.bytes.fetch_add(size.bytes, Relaxed);
        self.batch_appends.add(size.appends);
        self.commit_us.add(took_us);
        exported::committed(size, took_us);
    }

    /// A batch could not be written or synced.
    pub(crate) fn failed(&self) {
        self.failed_batches.fetch_add(1, Relaxed);
        exported::failed();
    }

    pub(crate) fn checkpoint_finished(&self) {
        self.checkpoints.fetch_add(1, Relaxed);
        exported::checkpoint_finished();
    }
}

/// The same for the recorder of the process. All stores of a process share these names.
#[cfg(feature = "metrics")]
mod exported {
    use super::BatchSize;
    use ::metrics::{counter, gauge, histogram};

    /// By the custom of Prometheus a time is in seconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a time of 2^53 microseconds is 285 years"
    )]
    fn seconds(us: u64) -> f64 {
        us as f64 / 1e6
    }

    pub(super) fn recovered(events: u64, took_us: u64) {
        gauge!("beaver_recovery_seconds").set(seconds(took_us));
        counter!("beaver_recovered_events_total").increment(events);
    }

    pub(super) fn synced(took_us: u64) {
        histogram!("beaver_sync_seconds").record(seconds(took_us));
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a batch has fewer than 2^53 appends"
    )]
    pub(super) fn committed(size: BatchSize, took_us: u64) {
        counter!("beaver_appends_total").increment(size.appends);
        counter!("beaver_events_total").increment(size.events);
        counter!("beaver_bytes_total").increment(size.bytes);
        histogram!("beaver_batch_appends").record(size.appends as f64);
        histogram!("beaver_commit_seconds").record(seconds(took_us));
    }

    pub(super) fn failed() {
        counter!("beaver_failed_batches_total").increment(1);
    }

    pub(super) fn checkpoint_finished() {
        counter!("beaver_checkpoints_total").increment(1);
    }
}

#[cfg(not(feature = "metrics"))]
mod exported {
    use super::BatchSize;

    pub(super) fn recovered(_events: u64, _took_us: u64) {}
    pub(super) fn synced(_took_us: u64) {}
    pub(super) fn committed(_size: BatchSize, _took_us: u64) {}
    pub(super) fn failed() {}
    pub(super) fn checkpoint_finished() {}
}

#[cfg(test)]
mod tests {
    use super::SharedHistogram;

    #[test]
    fn quantiles_are_bounds_of_their_buckets() {
        let histogram = SharedHistogram::default();
        for value in [0, 1, 2, 3, 4, 5, 6, 7, 100, 1_000] {
            histogram.add(value);
        }
        let seen = histogram.read();
        assert_eq!((seen.count(), seen.sum(), seen.max()), (10, 1_128, 1_000));
        assert_eq!(seen.mean(), 112);
        let quantiles = [0, 100, 200, 400, 500, 800, 900, 1_000].map(|q| seen.quantile(q));
        assert_eq!(quantiles, [0, 0, 1, 3, 7, 7, 127, 1_000]);
    }

    #[test]
    fn the_largest_value_has_a_bucket() {
        let histogram = SharedHistogram::default();
        histogram.add(u64::MAX);
        let seen = histogram.read();
        assert_eq!((seen.count(), seen.quantile(500)), (1, u64::MAX));
    }
}
