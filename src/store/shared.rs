//! The store for many threads.

use std::sync::Arc;

use super::checkpoint::{CheckpointReport, Snapshots};
use super::states::{CommandQueue, Committed, Speculative};
use super::{CommandError, RecoveryReport, Store, StoreOptions};
use crate::error::{Error, Result};
use crate::metrics::StoreMetrics;
use crate::position::Position;
use crate::state_machine::StateMachine;
use crate::storage::Storage;
use crate::sync::{Mutex, MutexGuard};
use crate::wal::pipeline::{Owner, Pipeline, background_thread};
use crate::wal::{Ticket, not_written};

/// The handle of a pipeline whose appends are applied to a state.
type StoreOwner<M, E> = Owner<Vec<E>, Committed<M>, E>;

/// The pipeline itself.
type StorePipeline<M, E> = Pipeline<Vec<E>, Committed<M>, E>;

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
        Ok((
            Self::of(store, |pipeline| Owner::start(pipeline, thread)),
            report,
        ))
    }

    /// As [`open`](SharedStore::open), but no thread is started: what was
    /// [submitted](SharedStore::submit) is written when a caller [flushes](SharedStore::flush),
    /// [commits](SharedStore::commit), closes the store or drops its last clone. For callers that have
    /// an executor of their own.
    ///
    /// # Errors
    /// As [`Store::open`](super::Store::open).
    pub fn open_without_thread(
        storage: Arc<dyn Storage>,
        options: StoreOptions,
    ) -> Result<(Self, RecoveryReport)> {
        let (store, report) = Store::open(storage, options)?;
        Ok((Self::of(store, Owner::alone), report))
    }

    fn of(
        store: Store<M>,
        start: impl FnOnce(StorePipeline<M, M::Event>) -> Arc<StoreOwner<M, M::Event>>,
    ) -> Self {
        let pipeline = Pipeline::new(store.queue, store.committed, store.wal, store.clock);
        SharedStore {
            owner: start(pipeline),
            speculative: Arc::new(Mutex::new(store.speculative)),
            snapshots: Arc::new(Mutex::new(store.snapshots)),
        }
    }

    /// The state that commands are planned on, which is not stale, and the queue.
    fn planning(
        &self,
    ) -> (
        MutexGuard<'_, Speculative<M>>,
        MutexGuard<'_, CommandQueue<M>>,
    ) {
        let pipeline = self.owner.pipeline();
        let mut speculative = self.speculative.lock();
        let mut queue = pipeline.queue();
        if speculative.is_stale(&queue) {
            // The committed state comes before the queue in the order of locks.
            drop(queue);
            let committed = pipeline.durable();
            queue = pipeline.queue();
            speculative.renew(&committed, &queue);
        }
        (speculative, queue)
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
    /// As [`Store::commit`](super::Store::commit), and [`Error::Closed`].
    pub fn commit<R, X>(
        &self,
        plan: impl FnOnce(&M) -> Result<(Vec<M::Event>, R), X>,
    ) -> Result<(Option<Position>, R), CommandError<X>> {
        let pipeline = self.owner.pipeline();
        let now_ms = pipeline.now_ms();
        let (mut speculative, mut queue) = self.planning();
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

    /// Validates a command against the state and everything that is queued, and queues its events:
    /// the ticket tells, or is awaited for, what became of them. No events: `None`. It does not wait
    /// for the disk; `plan` runs under the same lock as that of [`commit`](SharedStore::commit). An
    /// answer may rest on what is not durable yet.
    ///
    /// # Errors
    /// [`CommandError::Rejected`] with what `plan` said; [`CommandError::Log`] if the events do not
    /// fit the format or the store is closed. Nothing was queued.
    pub fn submit<R, X>(
        &self,
        plan: impl FnOnce(&M) -> Result<(Vec<M::Event>, R), X>,
    ) -> Result<(Option<Ticket>, R), CommandError<X>> {
        let pipeline = self.owner.pipeline();
        let now_ms = pipeline.now_ms();
        let (mut speculative, mut queue) = self.planning();
        let submitted = speculative.submit(&mut queue, now_ms, plan);
        drop((queue, speculative));
        // Perhaps no caller waits for it in a call that can write.
        pipeline.announce();
        submitted
    }

    /// Writes and syncs everything that is queued when it is called, and applies it.
    ///
    /// # Errors
    /// As [`Store::flush`](super::Store::flush); [`Error::Poisoned`] and [`Error::Closed`] also where
    /// nothing was queued.
    pub fn flush(&self) -> Result<()> {
        self.owner.pipeline().flush()
    }

    /// Looks at the state with everything that is queued applied; see
    /// [`Store::tip`](super::Store::tip). `look` runs under a lock that every command takes: it should
    /// be short, and must not call the store.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn tip<R>(&self, look: impl FnOnce(&M) -> R) -> Result<R> {
        let (speculative, queue) = self.planning();
        if queue.is_closed() {
            return Err(Error::Closed);
        }
        drop(queue);
        Ok(look(speculative.machine()))
    }

    /// Puts `machine` in the place of the whole state; see [`Store::install`](super::Store::install).
    /// Commands wait until it is done.
    ///
    /// # Errors
    /// As [`Store::install`](super::Store::install), and [`Error::Closed`].
    pub fn install(&self, machine: M) -> Result<CheckpointReport> {
        let mut snapshots = self.snapshots.lock();
        // Held to the end, so that no command is planned on the old state and queued for the new one.
        let mut speculative = self.speculative.lock();
        let pipeline = self.owner.pipeline();
        pipeline.flush()?;
        pipeline.between_batches(|wal| {
            let (state, report) = snapshots.install(wal, machine)?;
            let mut committed = pipeline.durable();
            *committed = Committed::new(state);
            *speculative = Speculative::installed(&committed, &pipeline.queue());
            Ok(report)
        })
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

    /// What the store has done since it was opened, in numbers. It waits for nothing.
    #[must_use]
    pub fn metrics(&self) -> StoreMetrics {
        self.owner.pipeline().metrics()
    }

    /// Writes a snapshot and removes what it covers, while commands go on. `None`: there was
    /// nothing to do.
    ///
    /// # Errors
    /// As [`Store::checkpoint`](super::Store::checkpoint), and
    /// [`Error::Closed`].
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
    /// As [`Store::close`](super::Store::close); [`Error::Closed`] the second
    /// time.
    pub fn close(&self) -> Result<()> {
        // Refused first, so that no command comes in while the checkpoint is waited for.
        self.owner.pipeline().refuse();
        let _checkpoint = self.snapshots.lock();
        self.owner.pipeline().close()?.close()
    }
}
