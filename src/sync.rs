//! The thread primitives of the library in one place, so that a test can put `shuttle`'s in their
//! stead (feature `shuttle`) and explore schedules.
//!
//! A lock whose holder panicked can be taken again, because the threads that wait must still be
//! answered.
//! Code that changes what a lock guards in more than one step notes it where the next holder looks:
//! see `wal::pipeline` and `store::states`.

use std::io;
use std::sync::PoisonError;
#[cfg(all(target_os = "linux", not(feature = "shuttle")))]
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(all(target_os = "linux", not(feature = "shuttle")))]
use rustix::thread::futex;
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

/// A number that threads wait on until it changes. A futex where there is one: the threads that are
/// woken take no lock, so waking many of them does not make them queue up again one after another.
/// Elsewhere, and where schedules are explored, a lock and a condition variable.
#[derive(Debug, Default)]
pub(crate) struct WaitWord {
    #[cfg(all(target_os = "linux", not(feature = "shuttle")))]
    value: AtomicU32,
    #[cfg(any(not(target_os = "linux"), feature = "shuttle"))]
    value: Mutex<u32>,
    #[cfg(any(not(target_os = "linux"), feature = "shuttle"))]
    changed: Condvar,
}

#[cfg(all(target_os = "linux", not(feature = "shuttle")))]
impl WaitWord {
    pub(crate) fn load(&self) -> u32 {
        self.value.load(Ordering::Acquire)
    }

    pub(crate) fn store(&self, value: u32) {
        self.value.store(value, Ordering::Release);
    }

    /// Puts `to` in the place of `from`, and says whether `from` was there.
    pub(crate) fn replace(&self, from: u32, to: u32) -> bool {
        let order = (Ordering::AcqRel, Ordering::Acquire);
        let replaced = self.value.compare_exchange(from, to, order.0, order.1);
        replaced.is_ok()
    }

    /// Sleeps while the number is `value`. May return early.
    pub(crate) fn wait_while(&self, value: u32) {
        // Whatever it returns (the number changed, a signal came), the caller looks again.
        let _ = futex::wait(&self.value, futex::Flags::PRIVATE, value, None);
    }

    pub(crate) fn wake_one(&self) {
        self.wake(1);
    }

    pub(crate) fn wake_all(&self) {
        self.wake(i32::MAX.unsigned_abs());
    }

    fn wake(&self, count: u32) {
        futex::wake(&self.value, futex::Flags::PRIVATE, count)
            .expect("waking fails only for an address that is none");
    }
}

#[cfg(any(not(target_os = "linux"), feature = "shuttle"))]
impl WaitWord {
    pub(crate) fn load(&self) -> u32 {
        *self.value.lock()
    }

    pub(crate) fn store(&self, value: u32) {
        *self.value.lock() = value;
    }

    pub(crate) fn replace(&self, from: u32, to: u32) -> bool {
        let mut value = self.value.lock();
        let found = *value == from;
        if found {
            *value = to;
        }
        found
    }

    pub(crate) fn wait_while(&self, value: u32) {
        let found = self.value.lock();
        if *found == value {
            drop(self.changed.wait(found));
        }
    }

    pub(crate) fn wake_one(&self) {
        self.changed.notify_one();
    }

    pub(crate) fn wake_all(&self) {
        self.changed.notify_all();
    }
}

/// Lets other threads run until `done`, or for about `limit_us` microseconds.
#[cfg(not(feature = "shuttle"))]
pub(crate) fn spin_wait(limit_us: u64, done: impl Fn() -> bool) {
    if done() {
        return;
    }
    let stopwatch = crate::clock::Stopwatch::start();
    while !done() && stopwatch.elapsed_us() < limit_us {
        std::thread::yield_now();
    }
}

/// Where schedules are explored the time is over at any moment.
#[cfg(feature = "shuttle")]
pub(crate) fn spin_wait(_limit_us: u64, done: impl Fn() -> bool) {
    if !done() {
        shuttle::thread::yield_now();
    }
}

/// A thread that waits for its work, and ends without it. So it can be had, or refused, before
/// there is anything that needs it.
pub(crate) struct Thread(imp::mpsc::Sender<Work>);

impl std::fmt::Debug for Thread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Thread")
    }
}

type Work = Box<dyn FnOnce() + Send>;

impl Thread {
    /// Starts a thread, which is not joined.
    ///
    /// # Errors
    /// The operating system has none to give.
    pub(crate) fn start() -> io::Result<Self> {
        let (sender, receiver) = imp::mpsc::channel::<Work>();
        let body = move || {
            if let Ok(work) = receiver.recv() {
                work();
            }
        };
        #[cfg(feature = "shuttle")]
        shuttle::thread::spawn(body);
        #[cfg(not(feature = "shuttle"))]
        std::thread::Builder::new().spawn(body)?;
        Ok(Thread(sender))
    }

    /// Has the thread do `work`.
    pub(crate) fn run(self, work: impl FnOnce() + Send + 'static) {
        let sent = self.0.send(Box::new(work));
        sent.expect("the thread waits for its work");
    }
}
