//! The write-ahead log: segments of JSON lines, appended to, synced, rotated and read back.
//!
//! # Promise
//! When [`Wal::append`] returns `Ok`, the events are durable (unless another [`SyncPolicy`] was
//! asked for): they survive `kill -9`, a power cut, a full disk and a torn write, and every later
//! open shows them. When it returns an error, the error says which of two things is true: the
//! events are **not** in the log and the log goes on, or ([`Error::is_indeterminate`]) the next
//! open decides and until then the log refuses every change.
//!
//! # Steps of an append, and what a crash between them leaves
//! ```text
//! encode │ write at the end │ fill ahead │ fdatasync │ the end moves │ return
//!        1                  2                 2           3
//! ```
//! 1. Nothing.
//! 2. Any part of the new lines, in any order of pages: the next open finds lines of one batch that
//!    no later batch vouches for, keeps the whole appends at its start and cuts off the rest.
//! 3. Everything.

mod append;
mod batch_writer;
mod chain;
mod commit_queue;
mod damage;
mod group;
pub(crate) mod line;
mod open;
pub(crate) mod pipeline;
mod preallocation;
mod reader;
mod replay;
mod replay_report;
mod rotate;
mod scan;
mod segment;
mod sequence;
mod tail;
mod ticket;

use std::marker::PhantomData;
use std::sync::Arc;

pub use batch_writer::{BatchWriter, PendingAppend};
pub(crate) use chain::{PrevLink, chain, oldest_without_gap};
pub(crate) use commit_queue::not_written;
pub use commit_queue::{Batch, CommitQueue, QueueOptions};
pub(crate) use damage::{DamageReason, SegmentDamage};
pub use group::Group;
pub use open::OpenReport;
pub(crate) use open::Recovery;
pub use reader::LogReader;
pub use replay::ReplayError;
pub(crate) use replay::{RawEvent, Replay, decoding};
pub use replay_report::{LostRange, ReplayReport, TornTail};
pub(crate) use scan::{PlacedLine, Scanner, Upcoming, glance_at_header, header, is_blank};
pub(crate) use segment::Segment;
pub(crate) use sequence::Sequence;
pub(crate) use tail::{Tail, find_tail};
pub use ticket::{AppendOutcome, Ticket};

use crate::boundary::Boundary;
use crate::checksum::ChecksumSeed;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::log_event::LogEvent;
use crate::metrics::{Counters, StoreMetrics};
use crate::position::{Epoch, Position, Seq};
use crate::storage::{Storage, StorageFile, StorageLock};
use crate::store_id::StoreId;
use append::OpenBatch;
use preallocation::Preallocation;

/// A batch takes no further append if that would make it larger than this, unless its owner says
/// otherwise: 16 MiB.
const BATCH_BYTES: usize = 16 << 20;

/// When [`Wal::append`] syncs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before it returns: what was appended is durable.
    #[default]
    EveryAppend,
    /// When it is asked to: what was appended is **not durable** when it returns, and a crash may
    /// take it; so may the end of this very process, because some of it is still in its memory.
    ///
    /// It becomes durable with the next [`sync`](Wal::sync), [`rotate`](Wal::rotate) or
    /// [`close`](Wal::close), and when the batch has reached 16 MiB. A crash before that takes an
    /// end of what was appended since, never a part from its middle, and an atomic append whole or
    /// not at all. Positions stay valid unless a crash takes them; then they are given out again.
    /// [`last_position`](Wal::last_position) and readers show what is durable, nothing else.
    ///
    /// If a write or sync fails, appends that already returned `Ok` may or may not survive; the
    /// error is [`Error::Indeterminate`] and the log refuses every change until it is opened again.
    ///
    /// [`BatchWriter`] and [`Store`](crate::Store) sync all the same before they answer; their way
    /// to share a sync is to submit now and wait later.
    OnRequest,
}

/// How a log behaves.
#[derive(Clone, Debug)]
pub struct WalOptions {
    /// When an append syncs. Default: every time, before it returns.
    pub sync: SyncPolicy,
    /// How far the active segment is filled with free space (newlines) ahead of its end, in bytes,
    /// so that an append overwrites instead of growing the file, which costs a journal commit
    /// on many file systems. 0 switches it off. Nothing is filled where syncs are made on request:
    /// there the file grows once for many appends. Default: 1 MiB.
    pub preallocate_bytes: u64,
    /// The identity of a log that is made, or that moves from format version 1 to 2. Default: drawn
    /// when it is needed. For simulations, in which nothing may be left to chance.
    pub store_id: Option<StoreId>,
    /// Whether a store must be there already: where none is, opening fails with
    /// [`Error::NoStore`] instead of making one. A service that is started again wants this,
    /// because an empty directory may be the mount point of a disk that is not mounted. Default:
    /// no.
    pub must_exist: bool,
    /// Fills `created_ms` in a segment's header, which nothing reads; says when a batch has waited
    /// for its interval; and gives the job queue its time stamps and deadlines. Default: the clock of
    /// the machine.
    pub clock: Arc<dyn Clock>,
}

impl Default for WalOptions {
    fn default() -> Self {
        WalOptions {
            sync: SyncPolicy::EveryAppend,
            preallocate_bytes: 1 << 20,
            store_id: None,
            must_exist: false,
            clock: Arc::new(SystemClock),
        }
    }
}

impl WalOptions {
    fn store_id(&self) -> StoreId {
        self.store_id.unwrap_or_else(StoreId::random)
    }
}

/// A write-ahead log that is open for appending. One owner; see [`BatchWriter`] for many threads.
///
/// Appending needs `&mut self` and replaying borrows `&self`, so the two cannot interleave.
#[derive(Debug)]
pub struct Wal<E = Event> {
    storage: Arc<dyn Storage>,
    options: WalOptions,
    active: ActiveSegment,
    /// The oldest segment that is still there.
    first: Epoch,
    /// Whether segments were removed and the directory not synced since.
    prune_pending: bool,
    /// What poisoned the log.
    poisoned: Option<Arc<Error>>,
    /// What is not durable yet.
    open: OpenBatch,
    pub(crate) counters: Arc<Counters>,
    _event: PhantomData<fn() -> E>,
    /// Held until the log is dropped, and whatever else still writes in the directory.
    lock: Arc<dyn StorageLock>,
}

/// The segment that is appended to.
#[derive(Debug)]
struct ActiveSegment {
    epoch: Epoch,
    name: String,
    file: Arc<dyn StorageFile>,
    /// Whose it is. Nothing in a segment of format version 1.
    store: Option<StoreId>,
    /// With what the checksum of every event of it begins.
    event_crc: ChecksumSeed,
    /// The end of the segment before.
    prev: Option<Boundary>,
    /// The last durable event.
    last: Seq,
    /// The checksum of its line; of the header, where there is no event.
    crc: u32,
    /// The offset after the last durable line.
    end: u64,
    /// The free space after it.
    preallocation: Preallocation,
    /// Whether the last line is a marker.
    after_marker: bool,
}

impl<E: LogEvent> Wal<E> {
    /// Reads the durable events after `after`, in order, and hands each to `handler` with its
    /// position.
    ///
    /// # Errors
    /// [`ReplayError::Handler`] with the handler's own error and the position it refused;
    /// [`ReplayError::Log`] if the log cannot be read, is damaged or holds an event that does not
    /// decode. [`inspect::salvage`](crate::inspect::salvage) reads on after damage.
    pub fn replay<X>(
        &self,
        after: Position,
        handler: impl FnMut(Position, E) -> Result<(), X>,
    ) -> Result<ReplayReport, ReplayError<X>> {
        self.reader().replay(after, handler)
    }
}

impl<E> Wal<E> {
    /// A reader of what is durable now. It shows nothing that is appended later.
    #[must_use]
    pub fn reader(&self) -> LogReader<E> {
        let ActiveSegment { epoch, end, .. } = self.active;
        LogReader::live(Arc::clone(&self.storage), self.first, epoch, end)
    }

    /// How much space is made ahead at a time.
    fn bytes_ahead(options: &WalOptions) -> u64 {
        match options.sync {
            SyncPolicy::EveryAppend => options.preallocate_bytes,
            SyncPolicy::OnRequest => 0,
        }
    }

    /// The position of the last durable event. Its seq is 0 while the epoch is empty.
    #[must_use]
    pub fn last_position(&self) -> Position {
        self.active.epoch.at(self.active.last)
    }

    /// The seq of the last durable event of the active epoch; 0 while it is empty.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.active.last
    }

    /// What stopped the log from accepting changes, if anything did.
    #[must_use]
    pub fn poisoned(&self) -> Option<&Error> {
        self.poisoned.as_deref()
    }

    /// The end of the epoch before the active one: what a snapshot of everything up to here would
    /// cover if the active epoch is empty. Nothing in the first epoch.
    #[must_use]
    pub fn boundary(&self) -> Option<Boundary> {
        self.active.prev
    }

    /// The oldest epoch that is still in the directory.
    #[must_use]
    pub fn first_epoch(&self) -> Epoch {
        self.first
    }

    /// What the log has done since it was opened, in numbers.
    #[must_use]
    pub fn metrics(&self) -> StoreMetrics {
        self.counters.read()
    }

    /// The lock of the directory, for code that writes in it beside the log.
    pub(crate) fn lock(&self) -> Arc<dyn StorageLock> {
        Arc::clone(&self.lock)
    }

    /// Refuses if the log is poisoned.
    pub(crate) fn check_writable(&self) -> Result<()> {
        match &self.poisoned {
            Some(cause) => Err(Error::Poisoned {
                cause: Arc::clone(cause),
            }),
            None => Ok(()),
        }
    }
}
