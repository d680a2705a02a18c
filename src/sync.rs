//! The thread primitives of the library in one place, so that a test can put `shuttle`'s in their
//! stead (feature `shuttle`) and explore schedules.
//!
//! A lock whose holder panicked can be taken again, because those who wait must still be answered.
//! Whoever changes what a lock guards in more than one step leaves word where the next one looks:
//! see `wal::pipeline` and `store::front`.

use std::sync::PoisonError;

#[cfg(feature = "shuttle")]
use shuttle::sync as imp;
#[cfg(not(feature = "shuttle"))]
use std::sync as imp;

pub(crate) use imp::MutexGuard;

/// A mutual exclusion lock.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A condition variable.
#[derive(Debug, Default)]
pub(crate) struct Condvar(imp::Condvar);

impl Condvar {
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a while. `mutex` is the one that `guard` belongs to.
    #[cfg(not(feature = "shuttle"))]
    pub(crate) fn wait_timeout_ms<'a, T>(
        &self,
        _mutex: &'a Mutex<T>,
        guard: MutexGuard<'a, T>,
        timeout_ms: u64,
    ) -> MutexGuard<'a, T> {
        let timeout = std::time::Duration::from_millis(timeout_ms);
        let woken = self.0.wait_timeout(guard, timeout);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Where schedules are explored the time is over at any moment.
    #[cfg(feature = "shuttle")]
    pub(crate) fn wait_timeout_ms<'a, T>(
        &self,
        mutex: &'a Mutex<T>,
        guard: MutexGuard<'a, T>,
        _timeout_ms: u64,
    ) -> MutexGuard<'a, T> {
        drop(guard);
        shuttle::thread::yield_now();
        mutex.lock()
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Starts a thread that nobody joins.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) {
    #[cfg(feature = "shuttle")]
    shuttle::thread::spawn(work);
    #[cfg(not(feature = "shuttle"))]
    std::thread::spawn(work);
}
