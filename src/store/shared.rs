//! The store for many threads.

use std::sync::Arc;

use super::checkpoint::{CheckpointReport, Snapshots};
use super::front::StoreFront;
use super::recovery::{self, RecoveryReport};
use super::{CommandError, StoreOptions};
use crate::error::Result;
use crate::position::Position;
use crate::state_machine::StateMachine;
use crate::storage::Storage;
use crate::sync::Mutex;
use crate::wal::not_written;
use crate::wal::pipeline::{Owner, Pipeline};

/// A state machine that survives crashes, for many threads: commands that arrive while a sync runs
/// share the next one.
///
/// Cheap to clone; all clones are one store. Dropping the last one gives the lock back, but only
/// [`close`](SharedStore::close) tells whether everything went well.
#[derive(Debug)]
pub struct SharedStore<M: StateMachine> {
    owner: Arc<Owner<StoreFront<M>, M::Event>>,
    /// Held for the whole of a checkpoint, so that there is one at a time. Taken before the locks
    /// of the pipeline.
    snapshots: Arc<Mutex<Snapshots>>,
}

impl<M: StateMachine> Clone for SharedStore<M> {
    fn clone(&self) -> Self {
        SharedStore {
            owner: Arc::clone(&self.owner),
            snapshots: Arc::clone(&self.snapshots),
        }
    }
}

impl<M: StateMachine> SharedStore<M> {
    /// As [`Store::open`](super::Store::open).
    ///
    /// # Errors
    /// As [`Store::open`](super::Store::open).
    pub fn open(
        storage: Arc<dyn Storage>,
        options: StoreOptions,
    ) -> Result<(Self, RecoveryReport)> {
        let clock = Arc::clone(&options.wal.clock);
        let queue = options.queue;
        let recovered = recovery::recover::<M>(storage, options)?;
        let (front, committed) = StoreFront::new(recovered.machine, recovered.applied, queue);
        let snapshots = Arc::new(Mutex::new(recovered.snapshots));
        let owner = Owner::start(Pipeline::new(front, committed, recovered.wal, clock));
        Ok((SharedStore { owner, snapshots }, recovered.report))
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
        let mut front = pipeline.front();
        if front.tip_is_stale() {
            drop(front);
            let committed = pipeline.durable();
            front = pipeline.front();
            front.renew_tip(&committed);
        }
        match front.submit(now_ms, plan) {
            Ok((Some(ticket), answer)) => {
                drop(front);
                Ok((Some(pipeline.wait(&ticket)?), answer))
            }
            Err(error @ CommandError::Log(_)) => Err(error),
            answer => {
                let seen = front.barrier();
                drop(front);
                if let Some(seen) = seen {
                    pipeline.wait(&seen).map_err(|error| not_written(&error))?;
                }
                answer.map(|(_, answer)| (None, answer))
            }
        }
    }

    /// Looks at the state: everything durable, nothing else. `look` runs under a lock that every
    /// batch takes: it should be short, and must not call the store.
    pub fn read<R>(&self, look: impl FnOnce(&M) -> R) -> R {
        look(self.owner.pipeline().durable().state())
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
        let begun =
            pipeline.between_batches(|wal| snapshots.begin(wal, || pipeline.durable().copy()))?;
        let Some(checkpoint) = begun else {
            return Ok(None);
        };
        let written = checkpoint.write()?;
        pipeline
            .between_batches(|wal| snapshots.finish(wal, written))
            .map(Some)
    }

    /// Refuses further commands, makes what is queued durable, answers everybody who waits, and
    /// closes the log. A checkpoint that another thread is writing is waited for, so that nobody
    /// writes in the directory afterwards.
    ///
    /// # Errors
    /// As [`Store::close`](super::Store::close); [`Error::Closed`](crate::Error::Closed) the second
    /// time.
    pub fn close(&self) -> Result<()> {
        self.owner.pipeline().refuse();
        let _checkpoint = self.snapshots.lock();
        self.owner.pipeline().close()?.close()
    }
}
