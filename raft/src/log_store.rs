//! openraft's log storage on a Beaver store.
//!
//! ```text
//! append ─ queue (readable) ─→ Flusher ─→ one write, one sync ─→ callbacks, in order
//! ```

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Debug;
use std::io;
use std::mem;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use beaver::store::{CommandError, RecoveryReport, SharedStore, StoreOptions};
use beaver::wal::{AppendOutcome, Ticket};
use beaver::{Error, Storage};
use openraft::alias::{EntryOf, LogIdOf, VoteOf};
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader, RaftTypeConfig};

use crate::flusher::Flusher;
use crate::observer::LogObserver;
use crate::raft_log::{RaftLog, id_of};
use crate::record::{LogRecord, SharedEntry};

/// How a log store behaves.
#[derive(Clone, Debug)]
pub struct LogStoreOptions {
    /// The store beneath it. No older snapshots of the log are kept unless it says so: by default
    /// `keep_old_snapshots` is 0.
    pub store: StoreOptions,
    /// After how many purged entries a checkpoint gives their room back. Default: 1,024.
    pub checkpoint_every: u64,
}

impl Default for LogStoreOptions {
    fn default() -> Self {
        LogStoreOptions {
            store: StoreOptions {
                keep_old_snapshots: 0,
                ..StoreOptions::default()
            },
            checkpoint_every: 1_024,
        }
    }
}

/// A Raft log that survives crashes. Cheap to clone; all clones are one log.
///
/// * What was appended can be read at once. Its callback is called when its batch is synced; appends
///   that come while a flush waits for its turn, or for the disk, share the next one.
/// * A vote is answered when it is durable, and so is a truncation.
/// * The commit index is a hint, which is durable with the next sync.
/// * A purge is a record too. A checkpoint, after some of them, gives the room back.
/// * After a flush that failed the store refuses everything until it is opened again.
pub struct LogStore<C: RaftTypeConfig>(Arc<Shared<C>>);

struct Shared<C: RaftTypeConfig> {
    store: SharedStore<RaftLog<C>>,
    flusher: Arc<dyn Flusher>,
    observer: Arc<dyn LogObserver<C>>,
    checkpoint_every: u64,
    /// Held while records are queued, so that callbacks wait in the order of their records.
    queue: Mutex<WaitingCallbacks<C>>,
    /// Held by the one that flushes, so that callbacks are called in order. Taken before `queue`.
    flushing: Mutex<()>,
}

struct WaitingCallbacks<C: RaftTypeConfig> {
    callbacks: VecDeque<(Option<Ticket>, IOFlushed<C>)>,
    /// Whether a flush is scheduled that has not begun.
    is_scheduled: bool,
    /// How many entries were purged since the last checkpoint.
    purged: u64,
    /// What went wrong.
    failed: Option<Error>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is changed in single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: RaftTypeConfig> Clone for LogStore<C> {
    fn clone(&self) -> Self {
        LogStore(Arc::clone(&self.0))
    }
}

impl<C: RaftTypeConfig> LogStore<C> {
    /// Opens the log in `storage`, a directory of its own, or makes a new one where there is none.
    ///
    /// # Errors
    /// As [`Store::open`](beaver::Store::open); [`beaver::Error::Refused`] for a log that was repaired and lost something.
    pub fn open(
        storage: Arc<dyn Storage>,
        options: LogStoreOptions,
        flusher: Arc<dyn Flusher>,
    ) -> beaver::Result<(Self, RecoveryReport)> {
        Self::open_observed(storage, options, flusher, Arc::new(()))
    }

    /// As [`open`](LogStore::open); `observer` learns what happens to the log from then on.
    ///
    /// # Errors
    /// As [`open`](LogStore::open).
    pub fn open_observed(
        storage: Arc<dyn Storage>,
        options: LogStoreOptions,
        flusher: Arc<dyn Flusher>,
        observer: Arc<dyn LogObserver<C>>,
    ) -> beaver::Result<(Self, RecoveryReport)> {
        let (store, report) = SharedStore::open_without_thread(storage, options.store)?;
        // A vote that is forgotten can be given twice, and an entry that this node has acknowledged may have been counted.
        if let Some(lost) = report.lost.first() {
            let reason = format!(
                "a repair of this Raft log could not save {} to {}: a node must not forget what it has acknowledged",
                lost.from, lost.to
            );
            return Err(beaver::Error::Refused { reason });
        }
        let shared = Shared {
            store,
            flusher,
            observer,
            checkpoint_every: options.checkpoint_every,
            queue: Mutex::new(WaitingCallbacks {
                callbacks: VecDeque::new(),
                is_scheduled: false,
                purged: 0,
                failed: None,
            }),
            flushing: Mutex::new(()),
        };
        Ok((LogStore(Arc::new(shared)), report))
    }

    /// Looks at the log: everything durable, nothing else. `look` must not call the store.
    pub fn read_durable<R>(&self, look: impl FnOnce(&RaftLog<C>) -> R) -> R {
        self.0.store.read(look)
    }

    /// Looks at the log with everything that is queued. `look` must not call the store.
    ///
    /// # Errors
    /// The store has failed or is closed.
    pub fn read<R>(&self, look: impl FnOnce(&RaftLog<C>) -> R) -> io::Result<R> {
        drop(self.0.usable()?);
        self.0.store.tip(look).map_err(io::Error::other)
    }

    /// Makes everything that is queued durable, answers every callback and closes the log. Nothing can
    /// be done with it afterwards.
    ///
    /// # Errors
    /// As [`SharedStore::close`].
    pub fn close(&self) -> beaver::Result<()> {
        let closed = self.0.store.close();
        // Nothing is left to write, but callbacks may be left to answer.
        self.0.flush();
        closed
    }

    /// Queues records, and sees to it that they are flushed soon. `waits` is what to do under the lock
    /// with the ticket.
    fn queue<R>(
        &self,
        records: &[LogRecord<C>],
        waits: impl FnOnce(&mut WaitingCallbacks<C>, Option<Ticket>) -> R,
    ) -> io::Result<R> {
        let mut queue = self.0.usable()?;
        let ticket = self.0.submit(records)?;
        Ok(waits(&mut queue, ticket))
    }

    /// Has everything that is queued flushed soon, unless that will happen anyway.
    fn schedule_flush(&self) {
        if mem::replace(&mut lock(&self.0.queue).is_scheduled, true) {
            return;
        }
        let shared = Arc::clone(&self.0);
        self.0.flusher.schedule(Box::new(move || shared.flush()));
    }

    fn schedule_checkpoint(&self) {
        let shared = Arc::clone(&self.0);
        let checkpoint = move || {
            shared.flush();
            shared.checkpoint();
        };
        self.0.flusher.schedule(Box::new(checkpoint));
    }
}

impl<C: RaftTypeConfig> Shared<C> {
    /// The queue of a store that has not failed.
    fn usable(&self) -> io::Result<MutexGuard<'_, WaitingCallbacks<C>>> {
        let queue = lock(&self.queue);
        match &queue.failed {
            Some(error) => Err(io::Error::other(error.clone())),
            None => Ok(queue),
        }
    }

    /// Queues records, in as many appends as it takes: what is too large for one is split. Answers with
    /// the ticket of the last append.
    fn submit(&self, records: &[LogRecord<C>]) -> io::Result<Option<Ticket>> {
        let planned = self
            .store
            .submit(|_| Ok::<_, Infallible>((records.to_vec(), ())));
        match planned {
            Ok((ticket, ())) => Ok(ticket),
            Err(CommandError::Log(Error::TooLarge { .. })) if records.len() > 1 => {
                let (first, second) = records.split_at(records.len() / 2);
                self.submit(first)?;
                self.submit(second)
            }
            Err(CommandError::Log(error @ Error::IllegalEvent { .. })) => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, error))
            }
            Err(CommandError::Log(error)) => Err(io::Error::other(error)),
            Err(CommandError::Rejected(never)) => match never {},
        }
    }

    /// Makes everything that is queued durable, and answers the callbacks of what is.
    fn flush(&self) {
        let _in_order = lock(&self.flushing);
        // What is queued from now on may miss this flush.
        lock(&self.queue).is_scheduled = false;
        let flushed = self.store.flush();
        let mut queue = lock(&self.queue);
        match flushed {
            Ok(()) => self
                .store
                .read(|log| self.observer.flushed(log.last().as_ref())),
            Err(error) => drop(queue.failed.get_or_insert(error)),
        }
        let failed = queue.failed.clone();
        let mut answers = Vec::new();
        while let Some((ticket, callback)) = queue.callbacks.pop_front() {
            match (ticket.as_ref().map(Ticket::outcome), &failed) {
                (Some(AppendOutcome::Pending), None) => {
                    queue.callbacks.push_front((ticket, callback));
                    break;
                }
                (Some(AppendOutcome::Failed(error)), _) => answers.push((callback, Err(error))),
                (Some(AppendOutcome::Durable(_)), _) | (None, None) => {
                    answers.push((callback, Ok(())));
                }
                (None | Some(AppendOutcome::Pending), Some(error)) => {
                    answers.push((callback, Err(error.clone())));
                }
            }
        }
        // A callback may wake a task that calls the store.
        drop(queue);
        for (callback, answer) in answers {
            callback.io_completed(answer.map_err(io::Error::other));
        }
    }

    /// Gives the room of purged entries back. An error does no harm unless it poisons the log, which
    /// the next flush finds out.
    fn checkpoint(&self) {
        if let Err(error) = self.store.checkpoint() {
            tracing::warn!(%error, "no checkpoint of the Raft log");
        }
    }
}

impl<C> RaftLogReader<C> for LogStore<C>
where
    C: RaftTypeConfig,
    EntryOf<C>: Clone,
{
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<EntryOf<C>>> {
        self.read(|log| log.entries(range).map(|entry| (**entry).clone()).collect())
    }

    async fn read_vote(&mut self) -> io::Result<Option<VoteOf<C>>> {
        self.read(|log| log.vote().cloned())
    }
}

impl<C> RaftLogStorage<C> for LogStore<C>
where
    C: RaftTypeConfig,
    EntryOf<C>: Clone,
{
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<C>> {
        self.read(|log| LogState {
            last_purged_log_id: log.purged().cloned(),
            last_log_id: log.last(),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &VoteOf<C>) -> io::Result<()> {
        let ticket = self.queue(&[LogRecord::Vote(vote.clone())], |_, ticket| ticket)?;
        self.schedule_flush();
        if let Some(ticket) = ticket {
            ticket.await.map_err(io::Error::other)?;
        }
        self.0.observer.vote_saved(vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogIdOf<C>>) -> io::Result<()> {
        let observer = Arc::clone(&self.0.observer);
        self.queue(&[LogRecord::Committed(committed.clone())], |_, _| {
            observer.committed(committed.as_ref());
        })
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogIdOf<C>>> {
        self.read(|log| log.committed().cloned())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<C>) -> io::Result<()>
    where
        I: IntoIterator<Item = EntryOf<C>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<SharedEntry<C>> = entries.into_iter().map(SharedEntry::new).collect();
        let records: Vec<_> = entries.iter().cloned().map(LogRecord::Entry).collect();
        let observer = Arc::clone(&self.0.observer);
        let mut previous = self.read(RaftLog::last)?;
        self.queue(&records, |queue, ticket| {
            for entry in &entries {
                observer.appended(previous.as_ref(), entry);
                previous = Some(id_of::<C>(entry));
            }
            queue.callbacks.push_back((ticket, callback));
        })?;
        self.schedule_flush();
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogIdOf<C>>) -> io::Result<()> {
        let after = last_log_id.as_ref().map(|id| id.index);
        let observer = Arc::clone(&self.0.observer);
        let ticket = self.queue(&[LogRecord::TruncateAfter(after)], |_, ticket| {
            observer.truncated(last_log_id.as_ref());
            ticket
        })?;
        // Its place in the log is before whatever is appended next, so for the log alone it would need no
        // sync. But a snapshot may get durable on its own disk before the next append does, and if the
        // entries that it contradicts come back after a power cut, openraft takes the store for corrupt.
        self.schedule_flush();
        if let Some(ticket) = ticket {
            ticket.await.map_err(io::Error::other)?;
        }
        Ok(())
    }

    async fn purge(&mut self, upto: LogIdOf<C>) -> io::Result<()> {
        let before = self.read(|log| log.purged().cloned())?;
        if before
            .as_ref()
            .is_some_and(|before| upto.index <= before.index)
        {
            return Ok(());
        }
        let entries = upto.index - before.map_or(0, |before| before.index);
        let shared = Arc::clone(&self.0);
        let is_due = self.queue(&[LogRecord::Purge(upto.clone())], |queue, _| {
            shared.observer.purged(&upto);
            queue.purged += entries;
            let is_due = queue.purged >= shared.checkpoint_every;
            if is_due {
                queue.purged = 0;
            }
            is_due
        })?;
        if is_due {
            self.schedule_checkpoint();
        }
        Ok(())
    }
}
