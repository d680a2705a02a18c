//! The thread primitives of the library in one place, so that a test can put `shuttle`'s in their
//! stead (feature `shuttle`) and explore schedules. A lock whose holder panicked is never taken
//! again: a panic is a bug, and what the lock guards may be half changed.

#[cfg(feature = "shuttle")]
use shuttle::sync as imp;
#[cfg(not(feature = "shuttle"))]
use std::sync as imp;

pub(crate) use imp::MutexGuard;

const PANICKED: &str = "a thread panicked while it held the lock";

/// A mutual exclusion lock.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex(imp::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect(PANICKED)
    }
}

/// A condition variable.
#[derive(Debug, Default)]
pub(crate) struct Condvar(imp::Condvar);

impl Condvar {
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).expect(PANICKED)
    }

    pub(crate) fn wait_timeout_ms<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout_ms: u64,
    ) -> MutexGuard<'a, T> {
        let timeout = std::time::Duration::from_millis(timeout_ms);
        self.0.wait_timeout(guard, timeout).expect(PANICKED).0
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}
