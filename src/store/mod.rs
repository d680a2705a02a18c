//! A state machine on a log with snapshots: recovered when it is opened, durable whenever a command
//! returns.
//!
//! # Order of things
//! * A command is **validated** against the state plus everything that is queued, then **logged**,
//!   then **applied**.
//! * A checkpoint is **rotate**, then **snapshot**, then **prune**: see [`Store::checkpoint`].
//! * Opening is **inspect**, **replay**, **make trustworthy**, **expose**: see [`Store::open`].
//!
//! [`Store`] has one owner, no thread and no hidden clock. [`SharedStore`] puts the parts of a
//! `Store` behind a lock each, so that many threads share its syncs.

mod applied_state;
mod checkpoint;
mod install;
mod leftovers;
mod recovery;
mod shared;
mod states;

use std::sync::Arc;

pub use checkpoint::{Checkpoint, CheckpointReport, WrittenCheckpoint};
pub(crate) use recovery::salvageable;
pub use recovery::{RecoveryReport, read_state};
pub use shared::SharedStore;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::metrics::StoreMetrics;
use crate::position::Position;
use crate::state_machine::StateMachine;
use crate::storage::Storage;
use crate::wal::pipeline::Follower;
use crate::wal::{AppendOutcome, CommitQueue, LogReader, QueueOptions, Ticket, Wal, WalOptions};
use checkpoint::Snapshots;
use states::{CommandQueue, Committed, Speculative};

/// How a store behaves.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The log, and the clock.
    pub wal: WalOptions,
    /// How appends of several callers share a sync.
    pub queue: QueueOptions,
    /// How many snapshots are kept beside the newest one, with the segments that lead from them to
    /// it. Default: 1.
    pub keep_old_snapshots: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            wal: WalOptions::default(),
            queue: QueueOptions::default(),
            keep_old_snapshots: 1,
        }
    }
}

/// Why a command did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommandError<R> {
    /// The state does not allow it. Nothing was written.
    #[error(transparent)]
    Rejected(R),
    /// The log could not take it; the error says whether the next open may bring it back.
    #[error(transparent)]
    Log(#[from] Error),
}

/// A state machine that survives crashes, for one owner.
#[derive(Debug)]
pub struct Store<M: StateMachine> {
    speculative: Speculative<M>,
    queue: CommandQueue<M>,
    committed: Committed<M>,
    wal: Wal<M::Event>,
    snapshots: Snapshots,
    clock: Arc<dyn Clock>,
}

impl<M: StateMachine> Store<M> {
    /// Opens the store in `storage`, or makes a new one where there is none: loads the newest valid
    /// snapshot, replays what comes after it, and makes durable what it shows.
    ///
    /// # Errors
    /// [`Error::Locked`]; [`Error::NoStore`]; every error of damaged data, with nothing changed on disk;
    /// [`Error::Storage`] or [`Error::UnstableRead`] if something could not be read or made
    /// durable, which another try may do.
    pub fn open(
        storage: Arc<dyn Storage>,
        options: StoreOptions,
    ) -> Result<(Self, RecoveryReport)> {
        let clock = Arc::clone(&options.wal.clock);
        let queue = CommitQueue::new(options.queue);
        let recovered = recovery::recover::<M>(storage, options)?;
        let committed = Committed::new(recovered.state);
        let store = Store {
            speculative: Speculative::new(&committed),
            queue,
            committed,
            wal: recovered.wal,
            snapshots: recovered.snapshots,
            clock,
        };
        Ok((store, recovered.report))
    }

    /// Carries out one command: `plan` looks at the state and answers with the events to log, and
    /// something for the caller. They are durable and applied when this returns. No events:
    /// nothing is logged, `None`.
    ///
    /// # Errors
    /// [`CommandError::Rejected`] with what `plan` said; [`CommandError::Log`] as [`Wal::append`].
    /// In both cases the state is unchanged.
    pub fn commit<R, X>(
        &mut self,
        plan: impl FnOnce(&M) -> Result<(Vec<M::Event>, R), X>,
    ) -> Result<(Option<Position>, R), CommandError<X>> {
        let (ticket, answer) = self.submit(plan)?;
        let Some(ticket) = ticket else {
            return Ok((None, answer));
        };
        self.flush()?;
        match ticket.outcome() {
            AppendOutcome::Durable(position) => Ok((Some(position), answer)),
            AppendOutcome::Failed(error) => Err(CommandError::Log(error)),
            AppendOutcome::Pending => {
                unreachable!("a flush without error has written what was queued")
            }
        }
    }

    /// Validates a command against the state and everything that is queued, and queues its events,
    /// for a later [`flush`](Store::flush). No events: `None`.
    ///
    /// # Errors
    /// [`CommandError::Rejected`] with what `plan` said; [`CommandError::Log`] if the events do not
    /// fit the format or the log is poisoned. Nothing was queued.
    pub fn submit<R, X>(
        &mut self,
        plan: impl FnOnce(&M) -> Result<(Vec<M::Event>, R), X>,
    ) -> Result<(Option<Ticket>, R), CommandError<X>> {
        // Found out before the command is planned: what is queued on a poisoned log is lost.
        self.wal.check_writable()?;
        self.speculative.renew(&self.committed, &self.queue);
        let now_ms = self.clock.now_ms();
        self.speculative.submit(&mut self.queue, now_ms, plan)
    }

    /// Makes everything that is queued durable, one write and one sync for each batch, and applies
    /// it.
    ///
    /// # Errors
    /// As [`Wal::commit`]. Every ticket of the failed batch and of those after it learns of it too.
    pub fn flush(&mut self) -> Result<()> {
        while let Some(batch) = self.queue.take() {
            let result = self.wal.commit(batch.groups());
            // The next batch may rest on this one, so a failure ends the flush: the queue has told
            // every caller after it.
            let appends = self.queue.finish(batch, result)?;
            self.committed.follow(&appends, self.wal.last_position());
        }
        Ok(())
    }

    /// Whether the queue is due to be flushed by size or by time; see [`QueueOptions`].
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.queue.is_due(self.clock.now_ms())
    }

    /// The state with everything that is queued applied, durable or not: the one on which commands are
    /// planned. What it shows is lost if the next [`flush`](Store::flush) fails.
    pub fn tip(&mut self) -> &M {
        self.speculative.renew(&self.committed, &self.queue);
        self.speculative.machine()
    }

    /// The state: everything durable, nothing else.
    #[must_use]
    pub fn state(&self) -> &M {
        &self.committed.state().machine
    }

    /// The position of the last event that the state has applied.
    #[must_use]
    pub fn applied(&self) -> Position {
        self.committed.applied()
    }

    /// The last position of the log: its epoch may be newer than that of the last applied event.
    #[must_use]
    pub fn last_position(&self) -> Position {
        self.wal.last_position()
    }

    /// What stopped the store from accepting changes, if anything did.
    #[must_use]
    pub fn poisoned(&self) -> Option<&Error> {
        self.wal.poisoned()
    }

    /// What the store has done since it was opened, in numbers.
    #[must_use]
    pub fn metrics(&self) -> StoreMetrics {
        self.wal.metrics()
    }

    /// A reader of the durable part of the log.
    #[must_use]
    pub fn reader(&self) -> LogReader<M::Event> {
        self.wal.reader()
    }

    /// Writes a snapshot and removes what it covers, in three steps that can also be taken one by
    /// one: [`begin_checkpoint`](Store::begin_checkpoint), [`Checkpoint::write`],
    /// [`finish_checkpoint`](Store::finish_checkpoint). A crash between them loses nothing. `None`:
    /// there was nothing to do.
    ///
    /// # Errors
    /// As the three steps. The log goes on unless it is poisoned.
    pub fn checkpoint(&mut self) -> Result<Option<CheckpointReport>> {
        let Some(checkpoint) = self.begin_checkpoint()? else {
            return Ok(None);
        };
        let written = checkpoint.write()?;
        self.finish_checkpoint(written).map(Some)
    }

    /// The first step of a checkpoint: rotates and copies the state. Commands may go on while the
    /// copy is written.
    ///
    /// # Errors
    /// As [`Wal::rotate`].
    pub fn begin_checkpoint(&mut self) -> Result<Option<Checkpoint<M>>> {
        self.snapshots
            .begin(&mut self.wal, || self.committed.state().clone())
    }

    /// The last step of a checkpoint: removes what the snapshot covers.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Storage`]: what could not be removed is removed by a later
    /// checkpoint.
    pub fn finish_checkpoint(&mut self, written: WrittenCheckpoint) -> Result<CheckpointReport> {
        self.snapshots.finish(&mut self.wal, written)
    }

    /// Puts `machine` in the place of the whole state, whatever it was: what is queued is made
    /// durable, the log begins a new epoch, a snapshot of `machine` is written, and everything before
    /// it is removed, older snapshots too. Durable when it returns. A crash at any moment leaves the
    /// old state or the new one; no event of the old one is ever replayed onto the new one, nor the
    /// other way round. A checkpoint that was begun before is of no use any more: to finish it
    /// removes its snapshot.
    ///
    /// # Errors
    /// As [`flush`](Store::flush) and [`Wal::rotate`], and [`Error::Storage`]: the old state goes on.
    /// [`Error::Indeterminate`]: the next open shows the old state or the new one, and until then the
    /// store shows the old one and refuses every change.
    pub fn install(&mut self, machine: M) -> Result<CheckpointReport> {
        self.flush()?;
        let (state, report) = self.snapshots.install(&mut self.wal, machine)?;
        self.committed = Committed::new(state);
        self.speculative = Speculative::installed(&self.committed, &self.queue);
        Ok(report)
    }

    /// Makes what is queued durable and closes the log. Without it nothing durable is lost: the
    /// next open only has to look harder.
    ///
    /// # Errors
    /// As [`flush`](Store::flush) and [`Wal::close`].
    pub fn close(mut self) -> Result<()> {
        self.flush()?;
        self.wal.close()
    }
}
