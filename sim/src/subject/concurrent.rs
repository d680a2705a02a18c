//! Stores with several callers, and checkpoints during which ops go on.

use std::any::Any;

use super::{Answer, Failure, Subject};

/// The second step of a checkpoint, which may run on a thread of its own: makes durable what the
/// first step has set aside.
pub type PendingCheckpoint =
    Box<dyn FnOnce() -> Result<Box<dyn Any + Send>, Failure> + Send + 'static>;

/// A store that serves several callers at once, or goes on while a checkpoint is under way.
pub trait Concurrent<S: Subject>: Send + Sync {
    /// How many of [`ops`](Subject::ops), from the front, several callers can wait for at once.
    fn shared_ops(&self) -> usize;

    /// Whether a refusal that rests on what other callers have queued waits until that is durable, and
    /// fails with it. By default it is given at once.
    fn refusals_wait(&self) -> bool {
        false
    }

    /// Several callers submit their ops, then one sync serves all. An answer for each.
    fn group(&self, store: &mut S::Store, ops: &[S::Op]) -> Vec<Result<Answer, Failure>>;

    /// Several callers submit their ops and do not wait: the store syncs them when it finds that they are
    /// due. `pass` lets a millisecond pass, and is false when that was no longer to be waited for. An answer
    /// for each. By default they are due at once.
    fn unawaited(
        &self,
        store: &mut S::Store,
        ops: &[S::Op],
        pass: &mut dyn FnMut() -> bool,
    ) -> Vec<Result<Answer, Failure>> {
        let _ = pass;
        self.group(store, ops)
    }

    /// Several callers submit their ops, and the store is closed before any of them has flushed. An
    /// answer for each. By default there is no such close.
    fn close_queued(&self, store: S::Store, ops: &[S::Op]) -> Vec<Result<Answer, Failure>> {
        drop(store);
        vec![Err(Failure::unsupported("a close while callers wait")); ops.len()]
    }

    /// The first step of a checkpoint, which other ops may follow. Nothing: there was nothing to do.
    /// By default there are no checkpoints.
    ///
    /// # Errors
    /// It failed.
    fn begin_checkpoint(&self, store: &mut S::Store) -> Result<Option<PendingCheckpoint>, Failure> {
        let _ = store;
        Err(Failure::unsupported("a checkpoint"))
    }

    /// Several callers submit their ops, and the first step of a checkpoint comes before any of them
    /// has flushed. What came of the step, and an answer for each caller. By default the step comes
    /// first, then all callers together.
    fn begin_checkpoint_queued(&self, store: &mut S::Store, ops: &[S::Op]) -> BegunWithCallers {
        (self.begin_checkpoint(store), self.group(store, ops))
    }

    /// The last step of a checkpoint, with what its second step returned.
    ///
    /// # Errors
    /// It failed.
    fn finish_checkpoint(
        &self,
        store: &mut S::Store,
        written: Box<dyn Any + Send>,
    ) -> Result<(), Failure> {
        let _ = (store, written);
        Err(Failure::unsupported("a checkpoint"))
    }
}

/// What came of the first step of a checkpoint, and of what callers had submitted before it.
pub type BegunWithCallers = (
    Result<Option<PendingCheckpoint>, Failure>,
    Vec<Result<Answer, Failure>>,
);
