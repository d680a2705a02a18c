//! The library, unmodified, with something between it and its disk.

use std::sync::{Mutex, MutexGuard, PoisonError};

use beaver_storage::{Access, InterposedFile, Interposer};

use beaver_sim::beaver::{Library, Queue};
use beaver_sim::subject::AnySubject;

/// The library without anything between it and its disk.
#[must_use]
pub fn library() -> AnySubject {
    AnySubject::new(Queue::new(Library))
}

/// The library with what `new` makes for each of its processes between it and its disk.
pub(super) fn library_through<I: Interposer + 'static>(
    new: impl Fn() -> I + Send + Sync + 'static,
) -> AnySubject {
    library().interposed(new)
}

/// Whether a file was there when the process began, is open for writing, and was not synced yet:
/// what is done to it now makes it trustworthy.
#[must_use]
pub fn is_recovering(file: &InterposedFile) -> bool {
    file.opened_for() == Some(Access::Write) && !file.was_synced()
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
