//! openraft's runtime on the executor of a simulation: virtual time, tasks that die with their process,
//! chance from the seed.
//!
//! The channels are tokio's. The order in which a channel wakes those who wait for it cannot matter:
//! a wake puts a task into a set, and the seed draws the next one from there.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use openraft::rt::{self, OptionalSend};
use rand::TryRng;

use crate::runtime::{self, Elapsed, Join, Killed, Sleep, Timeout};

/// The runtime: it is the executor of the thread, and has nothing of its own.
#[derive(Debug)]
pub struct VirtualRuntime;

/// What the clock of a process shows, since a moment that only that process knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VirtualInstant(Duration);

impl Add<Duration> for VirtualInstant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        VirtualInstant(self.0.saturating_add(duration))
    }
}

impl AddAssign<Duration> for VirtualInstant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for VirtualInstant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        VirtualInstant(self.0.saturating_sub(duration))
    }
}

impl SubAssign<Duration> for VirtualInstant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for VirtualInstant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl rt::Instant for VirtualInstant {
    fn now() -> Self {
        VirtualInstant(runtime::now())
    }
}

/// Random numbers that are drawn from the run.
#[derive(Clone, Copy, Debug)]
pub struct DrawnRng;

impl TryRng for DrawnRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let drawn = runtime::draw(0, u64::from(u32::MAX));
        Ok(u32::try_from(drawn).expect("it was drawn from this range"))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(runtime::draw(0, u64::MAX))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let drawn = runtime::draw(0, u64::MAX).to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
        Ok(())
    }
}

impl rt::AsyncRuntime for VirtualRuntime {
    type JoinError = Killed;
    type JoinHandle<T: OptionalSend + 'static> = Join<T>;
    type Sleep = Sleep;
    type Instant = VirtualInstant;
    type TimeoutError = Elapsed;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = Timeout<T>;
    type ThreadLocalRng = DrawnRng;
    type Mpsc = openraft_rt_tokio::TokioMpsc;
    type Watch = openraft_rt_tokio::TokioWatch;
    type Oneshot = openraft_rt_tokio::TokioOneshot;
    type Mutex<T: OptionalSend + 'static> = openraft_rt_tokio::TokioMutex<T>;

    fn spawn<T>(future: T) -> Join<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        runtime::spawn(future)
    }

    fn sleep(duration: Duration) -> Sleep {
        runtime::sleep(duration)
    }

    fn sleep_until(deadline: VirtualInstant) -> Sleep {
        runtime::sleep_until(deadline.0)
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(
        duration: Duration,
        future: F,
    ) -> Timeout<F> {
        runtime::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(
        deadline: VirtualInstant,
        future: F,
    ) -> Timeout<F> {
        runtime::timeout_at(deadline.0, future)
    }

    fn is_panic(_: &Killed) -> bool {
        // A task that panics ends the run, so nobody asks.
        false
    }

    fn thread_rng() -> DrawnRng {
        DrawnRng
    }

    fn new(_: usize) -> Self {
        VirtualRuntime
    }

    /// Runs one future to its end, in a simulation of its own that is the same each time.
    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        runtime::block_on(0, future)
    }

    /// Runs it here: a simulation has one thread.
    fn spawn_blocking<F, T>(work: F) -> impl Future<Output = Result<T, io::Error>> + Send
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        std::future::ready(Ok(work()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_suite_of_openraft_passes() {
        rt::testing::Suite::<VirtualRuntime>::test_all();
    }
}
