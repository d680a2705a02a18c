//! The set of ready tasks, and the wakers that put tasks into it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Locks a mutex of the simulation. All of it runs on one thread, so nobody waits, and what a task that
/// panicked has left is as good as it was.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The ready tasks, in the order of their numbers.
pub(crate) type Ready = Arc<Mutex<Vec<u64>>>;

struct TaskWaker {
    task: u64,
    ready: Ready,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut ready = lock(&self.ready);
        if let Err(place) = ready.binary_search(&self.task) {
            ready.insert(place, self.task);
        }
    }
}

/// A waker that puts `task` into the set, where it is from now on.
pub(crate) fn ready_waker(task: u64, ready: Ready) -> Waker {
    let waker = Waker::from(Arc::new(TaskWaker { task, ready }));
    waker.wake_by_ref();
    waker
}
