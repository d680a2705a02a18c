//! The library, used wrongly by the program around it: settings that do not reach it, and steps before or
//! after its own.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use beaver::{ChecksumKind, Epoch, Storage};
use beaver_storage::{InterposedFile, Interposer, interpose, read_all};

use beaver_sim::beaver::engine::{
    BegunQueued, Engine, LogEntry, Opening, Process, Reply, Salvaged,
};
use beaver_sim::beaver::files::{segment_epoch, snapshot_epoch};
use beaver_sim::beaver::{Command, Library, Queue, QueueState};
use beaver_sim::subject::{AnySubject, ErrorClass, Failure, Machine, PendingCheckpoint, Position};

/// How the library is used wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LibraryMisuse {
    /// A flush syncs the first of its batches and no other one.
    FirstBatchSynced,
    /// No old snapshot is kept, whatever the settings say.
    NoFallBackKept,
    /// Where the newest snapshot is damaged no older one is tried.
    NoFallBackUsed,
    /// Lenient reading writes down what it has saved.
    LenientWrites,
    /// What no caller waits for is synced after ten intervals.
    FlushTooLate,
    /// What is in flight stays there when the store opens, whatever the settings say.
    RequeueForgotten,
}

impl LibraryMisuse {
    /// The library, used like this.
    #[must_use]
    pub fn mutant(self) -> AnySubject {
        AnySubject::new(Queue::new(Misused(self)))
    }
}

#[derive(Clone, Copy, Debug)]
struct Misused(LibraryMisuse);

impl Engine for Misused {
    fn open(&self, machine: &Machine) -> Opening {
        let mut machine = machine.clone();
        let syncs = Arc::new(SyncsOfFlush::default());
        match self.0 {
            LibraryMisuse::FirstBatchSynced => {
                machine.storage = interpose(machine.storage, syncs.clone());
            }
            LibraryMisuse::NoFallBackKept => machine.log.keep_old_snapshots = 0,
            LibraryMisuse::NoFallBackUsed => refuse_damaged(&*machine.storage)?,
            LibraryMisuse::FlushTooLate => {
                machine.log.flush_interval_ms = machine.log.interval_ms() * 10;
            }
            LibraryMisuse::RequeueForgotten => machine.log.requeue_in_flight = false,
            LibraryMisuse::LenientWrites => {}
        }
        let (process, report) = Library.open(&machine)?;
        Ok((Box::new(MisusedProcess { process, syncs }), report))
    }

    fn replay_after(
        &self,
        storage: &Arc<dyn Storage>,
        after: Position,
    ) -> Result<Vec<LogEntry>, Failure> {
        Library.replay_after(storage, after)
    }

    fn replay_leniently(&self, storage: &Arc<dyn Storage>) -> Result<Option<Salvaged>, Failure> {
        let read = Library.replay_leniently(storage);
        if self.0 == LibraryMisuse::LenientWrites {
            let _ = storage.create("salvaged.jsonl");
        }
        read
    }
}

/// Refuses a directory whose newest snapshot is not whole.
fn refuse_damaged(storage: &dyn Storage) -> Result<(), Failure> {
    let names = storage.list().unwrap_or_default();
    let newest = names.iter().filter_map(|name| snapshot_epoch(name)).max();
    let Some(epoch) = newest else { return Ok(()) };
    let name = format!("snapshot-{epoch:010}.json");
    // What cannot be read, the library says itself.
    let Ok(Some(bytes)) = read_all(storage, &name) else {
        return Ok(());
    };
    let line = bytes.strip_suffix(b"\n").unwrap_or_default();
    let digits = line.len().saturating_sub(10)..line.len().saturating_sub(2);
    let written = std::str::from_utf8(&line[digits]).ok();
    let written = written.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let whole = beaver::calculate_checksum(ChecksumKind::Snapshot, Epoch(epoch), line);
    if whole.ok().is_some_and(|crc| Some(crc) == written) {
        return Ok(());
    }
    let text = format!("{name}: corrupt at byte 0: the newest snapshot is damaged");
    Err(Failure {
        file: Some(name),
        ..Failure::new(ErrorClass::Corrupt, text)
    })
}

/// Counts the syncs of a flush, and leaves out all but the first.
#[derive(Debug, Default)]
struct SyncsOfFlush {
    /// One more than there were; 0 outside a flush.
    count: AtomicUsize,
}

impl Interposer for SyncsOfFlush {
    fn sync_data(&self, file: &InterposedFile) -> io::Result<()> {
        let count = self.count.load(Ordering::Relaxed);
        if count > 0 && segment_epoch(&file.name()).is_some() {
            self.count.store(count + 1, Ordering::Relaxed);
            if count > 1 {
                return Ok(());
            }
        }
        file.next().sync_data()
    }
}

struct MisusedProcess {
    process: Box<dyn Process>,
    syncs: Arc<SyncsOfFlush>,
}

impl Process for MisusedProcess {
    fn command(&mut self, command: &Command) -> Reply {
        self.process.command(command)
    }

    fn group(&mut self, commands: &[Command]) -> Vec<Reply> {
        self.syncs.count.store(1, Ordering::Relaxed);
        let replies = self.process.group(commands);
        self.syncs.count.store(0, Ordering::Relaxed);
        replies
    }

    fn unawaited(&mut self, commands: &[Command], pass: &mut dyn FnMut() -> bool) -> Vec<Reply> {
        self.process.unawaited(commands, pass)
    }

    fn begin_checkpoint(&mut self) -> Result<Option<PendingCheckpoint>, Failure> {
        self.process.begin_checkpoint()
    }

    fn begin_checkpoint_queued(&mut self, commands: &[Command]) -> BegunQueued {
        self.process.begin_checkpoint_queued(commands)
    }

    fn finish_checkpoint(&mut self, written: Box<dyn Any + Send>) -> Result<(), Failure> {
        self.process.finish_checkpoint(written)
    }

    fn checkpoint(&mut self) -> Result<(), Failure> {
        self.process.checkpoint()
    }

    fn state(&self) -> QueueState {
        self.process.state()
    }

    fn applied(&self) -> Position {
        self.process.applied()
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.process.close()
    }

    fn close_queued(self: Box<Self>, commands: &[Command]) -> Vec<Reply> {
        self.process.close_queued(commands)
    }
}
