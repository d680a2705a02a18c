//! Appending: from events to durable lines.
//!
//! ```text
//! encode │ write at the end │ fill ahead │ fdatasync │ the end moves
//! ```
//!
//! What is encoded and not durable yet is the open batch. There is one at most, and the next one
//! begins when it is synced: readers rest on that.

use std::convert::Infallible;
use std::sync::Arc;

use super::group::{Group, check_body, check_size};
use super::line::{self, Envelope, MAX_BATCH, MAX_ENVELOPE, MAX_SEQ};
use super::preallocation::Preallocator;
use super::{BATCH_BYTES, SyncPolicy, Wal};
use crate::checksum::ChecksumSeed;
use crate::clock::Stopwatch;
use crate::error::{Error, Result, is_full};
use crate::failpoint;
use crate::log_event::LogEvent;
use crate::metrics::BatchSize;
use crate::position::{Position, Seq};
use crate::storage::write_all;

/// How many bytes are collected before they are written, under [`SyncPolicy::OnRequest`].
const WRITE_BYTES: usize = 64 << 10;

/// The batch that the next sync ends.
#[derive(Debug, Default)]
pub(super) struct OpenBatch {
    /// Lines that are not written yet; after `kept`, what an append that was refused has left.
    lines: Vec<u8>,
    kept: usize,
    /// The bytes that are written, from the end of the log on.
    written: u64,
    /// The checksum of the last line that was taken in.
    crc: u32,
    events: u64,
    /// How many appends they are of.
    appends: u64,
    /// Whether an append was answered although its events are in here.
    answered: bool,
}

impl OpenBatch {
    /// Starts anew, with the memory of the old one.
    fn clear(&mut self) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        *self = OpenBatch {
            lines,
            ..OpenBatch::default()
        };
    }
}

/// Encodes events after those of the open batch.
struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    crc: &'a ChecksumSeed,
    batch: Seq,
    next: Seq,
    /// The checksum of the last line.
    last_crc: u32,
}

impl Encoder<'_> {
    fn event<X>(
        &mut self,
        more: bool,
        body: impl FnOnce(&mut Vec<u8>) -> Result<(), X>,
    ) -> Result<(), X> {
        let (seq, batch) = (self.next, self.batch);
        self.next = Seq(seq.0 + 1);
        let envelope = Envelope { seq, batch, more };
        self.last_crc = line::encode_event_with(self.out, self.crc, envelope, body)?;
        Ok(())
    }

    /// One atomic append.
    fn events<E: LogEvent>(&mut self, events: &[E]) -> Result<()> {
        let mut size = events.len().saturating_mul(MAX_ENVELOPE);
        check_size("append", size, MAX_BATCH)?;
        for (event, left) in events.iter().zip((0..events.len()).rev()) {
            self.event(left > 0, |out| {
                let start = out.len();
                event.encode(out);
                check_body(&out[start..])?;
                size += out.len() - start;
                check_size("append", size, MAX_BATCH)
            })?;
        }
        Ok(())
    }

    fn group(&mut self, group: &Group) {
        for (body, left) in group.bodies().zip((0..group.len()).rev()) {
            let Ok(()) = self.event(left > 0, |out| {
                out.extend_from_slice(body);
                Ok::<(), Infallible>(())
            });
        }
    }
}

impl<E: LogEvent> Wal<E> {
    /// Appends `events` as one atomic append. Answers with the position of the last event of the
    /// log. Appending nothing writes nothing.
    ///
    /// Under [`SyncPolicy::EveryAppend`], the default, they are durable when it returns. Under
    /// [`SyncPolicy::OnRequest`] they are **not**: see there.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::InvalidEvent`], [`Error::RotateFirst`] and
    /// [`Error::Poisoned`]: nothing was written. [`Error::Storage`]: the write failed and was
    /// undone, nothing of it is in the log. [`Error::Indeterminate`]: the next open decides; the
    /// log is poisoned.
    pub fn append(&mut self, events: &[E]) -> Result<Position> {
        self.check_writable()?;
        self.take(1, events.len(), |encoder| encoder.events(events))?;
        match self.options.sync {
            SyncPolicy::EveryAppend => self.sync(),
            SyncPolicy::OnRequest => self.answer_early(),
        }
    }
}

impl<E> Wal<E> {
    /// Makes `groups` durable with one write and one sync, whatever the [`SyncPolicy`]; each is
    /// atomic for itself and they keep their order. Answers with the position of the last event
    /// of the log.
    ///
    /// # Errors
    /// As [`append`](Wal::append), for all groups together.
    pub fn commit(&mut self, groups: &[Group]) -> Result<Position> {
        self.commit_with(groups, |preallocator| preallocator.fill())
    }

    /// As [`commit`](Wal::commit); `preallocate` is called when there should be more free space,
    /// and may leave it to another thread to fill it.
    pub(crate) fn commit_with(
        &mut self,
        groups: &[Group],
        preallocate: impl FnOnce(&Arc<Preallocator>),
    ) -> Result<Position> {
        self.check_writable()?;
        let size = groups.iter().map(Group::max_encoded_len).sum();
        check_size("batch", size, MAX_BATCH)?;
        let events = groups.iter().map(Group::len).sum();
        self.take(groups.len(), events, |encoder| {
            groups.iter().for_each(|group| encoder.group(group));
            Ok(())
        })?;
        self.sync_with(preallocate)
    }

    /// Makes everything that was appended durable. Answers with the position of the last event of
    /// the log. Nothing to do, unless the [`SyncPolicy`] is to sync on request.
    ///
    /// # Errors
    /// As [`append`](Wal::append), for everything that was appended since the last sync.
    pub fn sync(&mut self) -> Result<Position> {
        self.sync_with(|preallocator| preallocator.fill())
    }

    /// Makes free space for `bytes` now, and makes it durable, after everything that was appended:
    /// what is appended next overwrites it and waits for nothing else. Without it space is made
    /// [as the log grows](super::WalOptions::preallocate_bytes), while appends wait for the disk.
    ///
    /// A hint: on a disk that gets full it makes what it can. Rotating and closing cut what is
    /// left of it.
    ///
    /// # Errors
    /// As [`sync`](Wal::sync). [`Error::Poisoned`] too if the space cannot be synced: what a sync
    /// that failed has done to the file is unknown. Every event is durable all the same.
    pub fn preallocate(&mut self, bytes: u64) -> Result<()> {
        self.sync()?;
        self.active.preallocation.ask(self.active.end, bytes).fill();
        // Nothing but free space: were it lost in a crash, the next open would not miss it.
        let synced = self.active.file.sync_data();
        synced.map_err(|error| Error::Poisoned {
            cause: self.poison("sync_data", error),
        })
    }

    fn sync_with(&mut self, preallocate: impl FnOnce(&Arc<Preallocator>)) -> Result<Position> {
        self.check_writable()?;
        if self.open.events == 0 {
            return Ok(self.last_position());
        }
        let stopwatch = Stopwatch::start();
        let committed = self.commit_open(preallocate);
        match &committed {
            Ok(size) => self.counters.committed(*size, stopwatch.elapsed_us()),
            Err(_) => self.counters.failed(),
        }
        committed.map(|_| self.last_position())
    }

    /// Makes the open batch durable.
    fn commit_open(&mut self, preallocate: impl FnOnce(&Arc<Preallocator>)) -> Result<BatchSize> {
        self.write_open()?;
        let end = self.active.end + self.open.written;
        if let Some(preallocator) = self.active.preallocation.wanted(end) {
            preallocate(preallocator);
        }
        let stopwatch = Stopwatch::start();
        let synced =
            failpoint::hit(failpoint::APPEND_SYNC).and_then(|()| self.active.file.sync_data());
        self.counters.synced(stopwatch.elapsed_us());
        if let Err(error) = synced {
            // Some pages may be durable, and asking again would prove nothing: only a new open can
            // tell.
            return Err(self.poison_indeterminate("sync_data", error));
        }
        self.active.end = end;
        self.active.last = Seq(self.active.last.0 + self.open.events);
        self.active.crc = self.open.crc;
        self.active.after_marker = false;
        let size = BatchSize {
            appends: self.open.appends,
            events: self.open.events,
            bytes: self.open.written,
        };
        self.open.clear();
        Ok(size)
    }

    /// The position of the last event that was taken in, durable or not.
    fn taken_position(&self) -> Position {
        let taken = Seq(self.active.last.0 + self.open.events);
        self.active.epoch.at(taken)
    }

    /// Takes `count` events of some appends into the open batch, or nothing.
    fn take(
        &mut self,
        appends: usize,
        count: usize,
        encode: impl Fn(&mut Encoder<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut crc = self.encode(count as u64, &encode)?;
        let size = self.open.written + self.open.lines.len() as u64;
        if self.open.events > 0 && size > BATCH_BYTES as u64 {
            // What is there is a batch; the new events are the next one, so they are encoded anew.
            self.sync()?;
            crc = self.encode(count as u64, &encode)?;
        }
        self.open.crc = crc;
        self.open.kept = self.open.lines.len();
        self.open.events += count as u64;
        self.open.appends += appends as u64;
        Ok(())
    }

    /// Encodes `count` events after those that are kept. Answers with the checksum of the last line.
    fn encode(
        &mut self,
        count: u64,
        encode: impl Fn(&mut Encoder<'_>) -> Result<()>,
    ) -> Result<u32> {
        let Position { epoch, seq: last } = self.taken_position();
        if last.0.checked_add(count).is_none_or(|seq| seq > MAX_SEQ.0) {
            return Err(Error::RotateFirst { epoch });
        }
        self.open.lines.truncate(self.open.kept);
        let mut encoder = Encoder {
            out: &mut self.open.lines,
            crc: &self.active.event_crc,
            batch: Seq(self.active.last.0 + 1),
            next: Seq(last.0 + 1),
            last_crc: self.open.crc,
        };
        encode(&mut encoder)?;
        Ok(encoder.last_crc)
    }

    /// Answers an append whose events are not durable yet, and writes them when there are enough.
    fn answer_early(&mut self) -> Result<Position> {
        let size = self.open.written + self.open.kept as u64;
        if size >= BATCH_BYTES as u64 {
            return self.sync();
        }
        if self.open.kept >= WRITE_BYTES {
            self.write_open()?;
        }
        self.open.answered = self.open.events > 0;
        Ok(self.taken_position())
    }

    /// Writes what the open batch has in memory.
    fn write_open(&mut self) -> Result<()> {
        let start = self.active.end + self.open.written;
        let lines = &self.open.lines[..self.open.kept];
        let end = start + lines.len() as u64;
        self.active.preallocation.claim(end);
        let write = || {
            failpoint::hit(failpoint::APPEND_WRITE)?;
            write_all(&*self.active.file, lines, start)
        };
        let mut written = write();
        let full = matches!(&written, Err(error) if is_full(error.kind()));
        if full && self.active.preallocation.gives_way(start) {
            // The room may be what was made ahead of the log: where an overwrite needs new blocks
            // (Btrfs), that is taken twice. Given back it must be synced, or it is not free.
            let cut = self.active.preallocation.cut(start);
            if let Err(error) = cut.and_then(|()| self.active.file.sync_data()) {
                return Err(self.poison_indeterminate("write_at", error));
            }
            self.active.preallocation.claim(end);
            written = write();
        }
        if let Err(error) = written {
            return Err(self.undo_write(error));
        }
        self.open.written = end - self.active.end;
        self.open.lines.clear();
        self.open.kept = 0;
        Ok(())
    }

    /// Cuts what a failed write has left. Only cutting will do: bytes written over it could lose
    /// against them in a crash. What was answered already cannot be taken back: then only the next
    /// open can tell what is left of it.
    pub(super) fn undo_write(&mut self, error: std::io::Error) -> Error {
        if self.open.answered {
            return self.poison_indeterminate("write_at", error);
        }
        let cut = self.active.preallocation.cut(self.active.end);
        let undone = cut.and_then(|()| self.active.file.sync_data());
        match undone {
            Ok(()) => {
                self.open.clear();
                Error::storage("write_at", &self.active.name, error)
            }
            Err(undo_error) => {
                tracing::error!(file = self.active.name, %undo_error, "a failed write stays");
                self.poison_indeterminate("write_at", error)
            }
        }
    }

    /// Refuses every change from now on.
    pub(super) fn poison(&mut self, operation: &'static str, error: std::io::Error) -> Arc<Error> {
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
