//! The write-ahead log: segments of JSON lines, appended to, synced, rotated and read back.
//!
//! # Promise
//! When [`Wal::append`] returns `Ok`, the events are durable: they survive `kill -9`, a power cut,
//! a full disk and a torn write, and every later open shows them. When it returns an error, the
//! error says which of two things is true: the events are **not** in the log and the log goes on,
//! or ([`Error::is_indeterminate`]) the next open decides and until then the log refuses every
//! change.
//!
//! # Steps of an append, and what a crash between them leaves
//! ```text
//! encode │ write at the end │ fdatasync │ the end moves │ return
//!        1                  2           3
//! ```
//! 1. Nothing. 2. Any part of the new lines, in any order of pages: the next open finds lines of
//!    one batch that no later batch vouches for, keeps the whole appends at its start and cuts off
//!    the rest. 3. Everything.

mod batch_writer;
mod commit_queue;
mod group;
pub(crate) mod line;
mod open;
pub(crate) mod pipeline;
mod reader;
mod replay;
mod rotate;
pub(crate) mod scan;
pub(crate) mod search;
pub(crate) mod sequence;
pub(crate) mod survey;
mod tail;
mod ticket;

use std::marker::PhantomData;
use std::sync::Arc;

pub use batch_writer::{BatchWriter, PendingAppend};
pub(crate) use commit_queue::not_written;
pub use commit_queue::{Batch, CommitQueue, QueueOptions};
pub use group::Group;
pub use open::OpenReport;
pub(crate) use open::{Recovery, chain, header, oldest_without_gap};
pub use reader::LogReader;
pub(crate) use reader::decode;
pub use replay::{LostRange, Mode, ReplayError, ReplayReport, Skipped, TornTail};
pub(crate) use replay::{RawEvent, Replay, Seal, Segment};
pub use ticket::{Outcome, Ticket};

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::failpoint;
use crate::log_event::LogEvent;
use crate::position::{Epoch, Position, Seq};
use crate::storage::{Storage, StorageFile, StorageLock};
use crate::temporary::{set_len, write_all};
use line::{Envelope, MAX_SEQ};

/// How a log behaves.
#[derive(Clone, Debug)]
pub struct WalOptions {
    /// How far the active segment is filled with free space (newlines) ahead of its end, in bytes,
    /// so that an append overwrites instead of growing the file, which costs a journal commit
    /// on many file systems. 0 switches it off. Default: 256 KiB.
    pub preallocate_bytes: u64,
    /// Fills `created_ms` in a segment's header. Nothing reads it. Default: the clock of the
    /// machine.
    pub clock: Arc<dyn Clock>,
}

impl Default for WalOptions {
    fn default() -> Self {
        WalOptions {
            preallocate_bytes: 256 << 10,
            clock: Arc::new(SystemClock),
        }
    }
}

/// A write-ahead log that is open for appending. One owner; see [`BatchWriter`] for many threads.
///
/// Appending needs `&mut self` and replaying borrows `&self`, so the two cannot interleave.
#[derive(Debug)]
pub struct Wal<E = Event> {
    storage: Arc<dyn Storage>,
    options: WalOptions,
    active: Active,
    /// The oldest segment that is still there.
    first: Epoch,
    /// Whether segments were removed and the directory not synced since.
    prune_pending: bool,
    /// What poisoned the log.
    poisoned: Option<Arc<Error>>,
    /// The lines of the batch that is being written.
    lines: Vec<u8>,
    _event: PhantomData<fn() -> E>,
    /// Held until the log is dropped, and whatever else still writes in the directory.
    lock: Arc<dyn StorageLock>,
}

/// The segment that is appended to.
#[derive(Debug)]
struct Active {
    epoch: Epoch,
    name: String,
    file: Box<dyn StorageFile>,
    /// The last position before this segment.
    prev: Option<Position>,
    /// The last durable event.
    last: Seq,
    /// The offset behind the last durable line.
    end: u64,
    /// Where free space that was made ahead ends; never below `end`.
    allocated: u64,
    /// Whether the last line is a marker.
    after_marker: bool,
}

impl<E: LogEvent> Wal<E> {
    /// Appends `events` as one atomic append; they are durable when it returns. Answers with the
    /// position of the last event of the log. Appending nothing writes nothing.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::InvalidEvent`], [`Error::RotateFirst`] and
    /// [`Error::Poisoned`]: nothing was written. [`Error::Storage`]: the write failed and was
    /// undone, nothing of it is in the log. [`Error::Indeterminate`]: the next open decides; the
    /// log is poisoned.
    pub fn append(&mut self, events: &[E]) -> Result<Position> {
        self.commit(&[Group::encode(events)?])
    }

    /// Reads the durable events behind `after`, in order, and hands each to `handler` with its
    /// position.
    ///
    /// # Errors
    /// [`ReplayError::Handler`] with the handler's own error and the position it refused;
    /// [`ReplayError::Log`] if the log cannot be read, is damaged (strict) or holds an event
    /// that does not decode (in either mode).
    pub fn replay<X>(
        &self,
        after: Position,
        mode: Mode,
        handler: impl FnMut(Position, E) -> Result<(), X>,
    ) -> Result<ReplayReport, ReplayError<X>> {
        self.reader().replay(after, mode, handler)
    }
}

impl<E> Wal<E> {
    /// A reader of what is durable now. It shows nothing that is appended later.
    #[must_use]
    pub fn reader(&self) -> LogReader<E> {
        let Active { epoch, end, .. } = self.active;
        LogReader::live(Arc::clone(&self.storage), self.first, epoch, end)
    }

    /// Makes `groups` durable with one write and one sync; each is atomic for itself and they keep
    /// their order. Answers with the position of the last event of the log.
    ///
    /// # Errors
    /// As [`append`](Wal::append), for all groups together.
    pub fn commit(&mut self, groups: &[Group]) -> Result<Position> {
        self.check_writable()?;
        let last = self.encode(groups)?;
        if self.lines.is_empty() {
            return Ok(self.last_position());
        }
        let end = self.active.end + self.lines.len() as u64;
        self.make_room(end);
        let written = failpoint::hit(failpoint::APPEND_WRITE)
            .and_then(|()| write_all(&*self.active.file, &self.lines, self.active.end));
        if let Err(error) = written {
            return Err(self.undo_write(error));
        }
        let synced =
            failpoint::hit(failpoint::APPEND_SYNC).and_then(|()| self.active.file.sync_data());
        if let Err(error) = synced {
            // Some pages may be durable, and asking again would prove nothing: only a new open can
            // tell.
            return Err(self.poison_indeterminate("sync_data", error));
        }
        self.active.end = end;
        self.active.allocated = self.active.allocated.max(end);
        self.active.last = last;
        self.active.after_marker = false;
        Ok(self.last_position())
    }

    /// The position of the last durable event. Its seq is 0 while the epoch is empty.
    #[must_use]
    pub fn last_position(&self) -> Position {
        Position {
            epoch: self.active.epoch,
            seq: self.active.last,
        }
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

    /// The last position before the active epoch: what a snapshot of everything up to here would
    /// cover if the active epoch is empty. Nothing in the first epoch.
    #[must_use]
    pub fn boundary(&self) -> Option<Position> {
        self.active.prev
    }

    /// The oldest epoch that is still in the directory.
    #[must_use]
    pub fn first_epoch(&self) -> Epoch {
        self.first
    }

    /// The lock of the directory, for those who write in it beside the log.
    pub(crate) fn lock(&self) -> Arc<dyn StorageLock> {
        Arc::clone(&self.lock)
    }

    /// Encodes the lines of a batch, which gets its numbers here. Answers with its last seq.
    fn encode(&mut self, groups: &[Group]) -> Result<Seq> {
        self.lines.clear();
        let events: u64 = groups.iter().map(|group| group.len() as u64).sum();
        let last = self
            .active
            .last
            .0
            .checked_add(events)
            .filter(|last| *last <= MAX_SEQ.0);
        let last = last.ok_or(Error::RotateFirst {
            epoch: self.active.epoch,
        })?;
        let size: usize = groups.iter().map(Group::max_encoded_len).sum();
        if size > line::MAX_BATCH {
            let (size, limit) = (size as u64, line::MAX_BATCH as u64);
            return Err(Error::TooLarge {
                what: "batch",
                size,
                limit,
            });
        }
        let batch = Seq(self.active.last.0 + 1);
        let mut seq = batch;
        for group in groups {
            for (index, body) in group.bodies().enumerate() {
                let more = index + 1 < group.len();
                let envelope = Envelope { seq, batch, more };
                line::encode_event(&mut self.lines, self.active.epoch, envelope, body);
                seq = Seq(seq.0 + 1);
            }
        }
        Ok(Seq(last))
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

    /// Makes free space up to `end` and some way beyond. If that fails the append is tried without
    /// it, so no error leaves here. What is written is free space wherever it stops, and it
    /// never starts below `allocated`, so it cannot meet a line.
    fn make_room(&mut self, end: u64) {
        static FILL: [u8; 64 << 10] = [b'\n'; 64 << 10];
        if self.options.preallocate_bytes == 0 || end <= self.active.allocated {
            return;
        }
        let target = end + self.options.preallocate_bytes;
        while self.active.allocated < target {
            let left = target - self.active.allocated;
            let count = usize::try_from(left).map_or(FILL.len(), |left| left.min(FILL.len()));
            let written = write_all(&*self.active.file, &FILL[..count], self.active.allocated);
            if let Err(error) = written {
                tracing::debug!(file = self.active.name, %error, "no room ahead of the log's end");
                return;
            }
            self.active.allocated += count as u64;
        }
    }

    /// Cuts what a failed write has left. Only cutting will do: bytes written over it could lose
    /// against them in a crash.
    fn undo_write(&mut self, error: std::io::Error) -> Error {
        let undone = failpoint::hit(failpoint::APPEND_UNDO)
            .and_then(|()| set_len(&*self.active.file, self.active.end))
            .and_then(|()| self.active.file.sync_data());
        match undone {
            Ok(()) => {
                self.active.allocated = self.active.end;
                Error::storage("write_at", &self.active.name, error)
            }
            Err(undo_error) => {
                tracing::error!(file = self.active.name, %undo_error, "a failed write stays");
                self.poison_indeterminate("write_at", error)
            }
        }
    }

    /// Refuses every change from now on.
    fn poison(&mut self, operation: &'static str, error: std::io::Error) -> Arc<Error> {
        let cause = Arc::new(Error::storage(operation, &self.active.name, error));
        tracing::error!(position = %self.last_position(), %cause, "the log is poisoned");
        self.poisoned = Some(Arc::clone(&cause));
        cause
    }

    fn poison_indeterminate(&mut self, operation: &'static str, error: std::io::Error) -> Error {
        Error::Indeterminate {
            cause: self.poison(operation, error),
        }
    }
}
