//! The store for many threads.

use std::sync::Arc;

use super::checkpoint::{CheckpointReport, Snapshots};
use super::states::{Committed, Speculative};
use super::{CommandError, RecoveryReport, Store, StoreOptions};
use crate::error::Result;
use crate::position::Position;
use crate::state_machine::StateMachine;
use crate::storage::Storage;
use crate::sync::Mutex;
use crate::wal::not_written;
use crate::wal::pipeline::{Owner, Pipeline, background_thread};

/// The handle of a pipeline whose appends are applied to a state.
type StoreOwner<M, E> = Owner<Vec<E>, Committed<M>, E>;

/// A state machine that survives crashes, for many threads: commands that arrive while a sync runs
/// share the next one.
///
/// Cheap to clone; all clones are one store. Dropping the last one gives the lock back, but only
/// [`close`](SharedStore::close) tells whether everything went well.
#[derive(Debug)]
pub struct SharedStore<M: StateMachine> {
    owner: Arc<StoreOwner<M, M::Event>>,
    /// Taken before the locks of the pipeline.
    speculative: Arc<Mutex<Speculative<M>>>,
    /// Held for the whole of a checkpoint, so that there is one at a time. Taken before the locks
    /// of the pipeline.
    snapshots: Arc<Mutex<Snapshots>>,
}

impl<M: StateMachine> Clone for SharedStore<M> {
    fn clone(&self) -> Self {
        SharedStore {
            owner: Arc::clone(&self.owner),
            speculative: Arc::clone(&self.speculative),
            snapshots: Arc::clone(&self.snapshots),
        }
    }
}

impl<M: StateMachine> SharedStore<M> {
    /// As [`Store::open`](super::Store::open).
    ///
    /// # Errors
    /// As [`Store::open`](super::Store::open), and
    /// [`Error::OutOfResources`](crate::Error::OutOfResources): there is no thread for it.
    pub fn open(
        storage: Arc<dyn Storage>,
        options: StoreOptions,
    ) -> Result<(Self, RecoveryReport)> {
        let thread = background_thread()?;
        let (store, report) = Store::open(storage, options)?;
        let pipeline = Pipeline::new(store.queue, store.committed, store.wal, store.clock);
        let shared = SharedStore {
            owner: Owner::start(pipeline, thread),
            speculative: Arc::new(Mutex::new(store.speculative)),
            snapshots: Arc::new(Mutex::new(store.snapshots)),
        };
        Ok((shared, report))
    }

    /// Carries out one command and waits until it is durable; see
    /// [`Store::commit`](super::Store::commit). `plan` runs under a lock that every command takes:
    /// it should be short, and must not call the store.
    ///
    /// An answer without events, a rejection too, may rest on what other callers have just queued.
    /// It is given when that is durable; if it does not get durable, the command fails with the
    /// same error.
    ///
    /// # Errors
    /// As [`Store::commit`](super::Store::commit), and [`Error::Closed`](crate::Error::Closed).
    pub fn commit<R, X>(
        &self,
        plan: impl FnOnce(&M) -> Result<(Vec<M::Event>, R), X>,
    ) -> Result<(Option<Position>, R), CommandError<X>> {
        let pipeline = self.owner.pipeline();
        let now_ms = pipeline.now_ms();
        let mut speculative = self.speculative.lock();
        let mut queue = pipeline.queue();
        if speculative.is_stale(&queue) {
            // The committed state comes before the queue in the order of locks.
            drop(queue);
            let committed = pipeline.durable();
            queue = pipeline.queue();
            speculative.renew(&committed, &queue);
        }
        let submitted = speculative.submit(&mut queue, now_ms, plan);
        let seen = match &submitted {
            Ok((Some(_), _)) => None,
            _ => queue.barrier(),
        };
        drop((queue, speculative));
        match submitted {
            Ok((Some(ticket), answer)) => Ok((Some(pipeline.wait(&ticket)?), answer)),
            Err(error @ CommandError::Log(_)) => Err(error),
            unlogged => {
                if let Some(seen) = seen {
                    pipeline.wait(&seen).map_err(|error| not_written(&error))?;
                }
                unlogged.map(|(_, answer)| (None, answer))
            }
        }
    }

    /// Looks at the state: everything durable, nothing else. `look` runs under a lock that every
    /// batch takes: it should be short, and must not call the store.
    pub fn read<R>(&self, look: impl FnOnce(&M) -> R) -> R {
        look(&self.owner.pipeline().durable().state().machine)
    }

    /// The position of the last event that the state has applied.
    #[must_use]
    pub fn applied(&self) -> Position {
        self.owner.pipeline().durable().applied()
    }

    /// Writes a snapshot and removes what it covers, while commands go on. `None`: there was
    /// nothing to do.
    ///
    /// # Errors
    /// As [`Store::checkpoint`](super::Store::checkpoint), and
    /// [`Error::Closed`](crate::Error::Closed).
    pub fn checkpoint(&self) -> Result<Option<CheckpointReport>> {
        let mut snapshots = self.snapshots.lock();
        let pipeline = self.owner.pipeline();
        // Between two batches, so the copy is the state at the boundary. What is queued goes into
        // the next epoch.
        let begun = pipeline
            .between_batches(|wal| snapshots.begin(wal, || pipeline.durable().state().clone()))?;
        let Some(checkpoint) = begun else {
            return Ok(None);
        };
        // No lock of the pipeline is held here: this is the long part.
        let written = checkpoint.write()?;
        pipeline
            .between_batches(|wal| snapshots.finish(wal, written))
            .map(Some)
    }

    /// Refuses further commands, makes what is queued durable, answers every caller that waits,
    /// and closes the log. A checkpoint that another thread is writing is waited for, so that
    /// nothing is written in the directory afterwards.
    ///
    /// # Errors
    /// As [`Store::close`](super::Store::close); [`Error::Closed`](crate::Error::Closed) the second
    /// time.
    pub fn close(&self) -> Result<()> {
        // Refused first, so that no command comes in while the checkpoint is waited for.
        self.owner.pipeline().refuse();
        let _checkpoint = self.snapshots.lock();
        self.owner.pipeline().close()?.close()
    }
}
