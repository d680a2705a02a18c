//! Opening a log: look at everything, change nothing; only then change files; only then expose.
//!
//! ```text
//! lock │ list │ drop cache │ verify │ sync directory │ cut │ rewrite the last batch │ sync │ clean up │ expose
//!       └────── changes nothing ────┘└──────────── make trustworthy ────────────┘
//! ```
//!
//! The process before may have been killed, so what is read here may live in the cache only, or
//! (after a failed sync) be different from what the disk holds while the cache calls it clean. So
//! the active segment is read from the disk where the system can be asked to forget its cache, and
//! the last batch is written again from the very bytes that were verified, and synced, *always*:
//! what one recovery has shown, every later one shows.
//!
//! Both are needed. Rewriting brings back what a failed sync has left in the cache alone; but ext4
//! as it is mounted by default loses what is written to a page whose blocks were new when its sync
//! failed, while every later sync succeeds, until the cache drops that page.

use std::marker::PhantomData;
use std::sync::Arc;

use super::append::OpenBatch;
use super::chain::{PrevLink, chain, oldest_without_gap};
use super::line::Header;
use super::replay::{RawEvent, Replay, ReplayError, scan_tail};
use super::replay_report::{ReplayReport, TornTail};
use super::rotate::create_first;
use super::scan::header;
use super::segment::Segment;
use super::tail::{Tail, find_tail};
use super::{ActiveSegment, Wal, WalOptions};
use crate::boundary::Boundary;
use crate::clock::Stopwatch;
use crate::directory::{self, LockedDirectory};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::log_event::LogEvent;
use crate::names::Listing;
use crate::position::{Epoch, Position};
use crate::storage::{Access, Storage, write_all};
use crate::temporary::set_len;

/// What opening a log found and did.
#[derive(Clone, Debug, Default)]
pub struct OpenReport {
    /// The bytes of a batch that was never acknowledged, now cut off.
    pub torn_tail: Option<TornTail>,
    /// Unfinished files that were removed.
    pub removed_temporaries: Vec<String>,
    /// Names that are not part of a store; untouched.
    pub strays: Vec<String>,
    /// What went wrong without doing harm: a temporary file that could not be removed, say.
    pub warnings: Vec<Error>,
}

/// A log that is being opened.
#[derive(Debug)]
pub(crate) struct Recovery {
    directory: LockedDirectory,
    options: WalOptions,
    /// The epochs that are needed, oldest first; the last one is the active one. Empty for a new
    /// store.
    epochs: Vec<Epoch>,
    /// The active segment and its header.
    active: Option<(Segment, Header)>,
    /// What a snapshot covers: what the first needed segment must seal.
    base: Option<Boundary>,
    tail: Tail,
}

impl Recovery {
    /// Opens the segments above `base` for reading and checks that their chain is complete. Changes
    /// nothing.
    pub(crate) fn inspect(
        directory: LockedDirectory,
        base: Option<Boundary>,
        options: WalOptions,
    ) -> Result<Self> {
        let (mut epochs, mut active) = (Vec::new(), None);
        if directory.listing.is_new() {
            check_may_be_made(&directory.listing, &options)?;
        }
        // Where something is covered there was a log, so a new one would use its positions again.
        if !directory.listing.is_new() || base.is_some() {
            let covered = base.map(|base| base.position.epoch);
            epochs = chain(&directory.listing.segments, covered)?;
            if let Some(last) = epochs.last() {
                let segment = Segment::open(&*directory.storage, *last, Access::Write)?;
                drop_cache(&segment)?;
                let header = header(&segment)?;
                active = Some((segment, header));
            }
        }
        Ok(Recovery {
            directory,
            options,
            epochs,
            active,
            base,
            tail: Tail::default(),
        })
    }

    /// Whether there is no store yet.
    pub(crate) fn is_new(&self) -> bool {
        self.epochs.is_empty()
    }

    /// Verifies everything above the base and hands its events to `handler`.
    pub(crate) fn replay<X>(
        &mut self,
        after: Position,
        handler: impl FnMut(&RawEvent<'_>) -> Result<(), ReplayError<X>>,
    ) -> Result<ReplayReport, ReplayError<X>> {
        let storage = &*self.directory.storage;
        let segments = self
            .epochs
            .iter()
            .map(|epoch| Segment::open(storage, *epoch, Access::Read));
        let mut replay = Replay::new(after, handler);
        self.tail = replay.strict(segments, PrevLink::after(self.base))?;
        Ok(replay.report)
    }

    /// Verifies the end of the active segment alone, without a scan of the rest where the end is
    /// whole.
    pub(crate) fn find_tail(&mut self) -> Result<Option<TornTail>> {
        let Some((active, header)) = &self.active else {
            return Ok(None);
        };
        let base = self.base;
        let link = match base.filter(|base| base.position.epoch.next() == active.epoch) {
            Some(Boundary { position, .. })
                if header.prev.map(|prev| prev.position) != Some(position) =>
            {
                return Err(Error::BrokenChain {
                    epoch: active.epoch,
                    reason: format!("{} does not follow {position}", active.name),
                });
            }
            Some(base) => PrevLink::Covered(base),
            None => PrevLink::Unknown,
        };
        link.check(&active.name, header)?;
        if let Some(tail) = find_tail(active, header.store)? {
            self.tail = tail;
            return Ok(None);
        }
        let again = Segment::open(&*self.directory.storage, active.epoch, Access::Read)?;
        let (tail, torn_tail) = scan_tail(again)?;
        self.tail = tail;
        Ok(torn_tail)
    }

    /// Lets the active segment be read, and written, as the disk has it.
    pub(crate) fn drop_cache(&self) -> Result<()> {
        let active = self.active.as_ref();
        active.map_or(Ok(()), |(segment, _)| drop_cache(segment))
    }

    /// The names in the directory as they were found.
    pub(crate) fn directory(&self) -> &LockedDirectory {
        &self.directory
    }

    /// Makes the names that were read durable. Before this nothing may be removed.
    pub(crate) fn sync_names(&self) -> Result<()> {
        directory::sync(&*self.directory.storage)
    }

    /// Makes the tail that was read durable: cut, rewrite, sync, also when there seems to be
    /// nothing to do. May be tried again after an error, because it writes everything anew, once
    /// the cache that a failed sync may have left is [dropped](Self::drop_cache).
    pub(crate) fn rewrite_tail(&self) -> Result<()> {
        let Some((active, _)) = &self.active else {
            return Ok(());
        };
        let Tail {
            end, last_batch, ..
        } = &self.tail;
        let error = |operation| move |error| Error::storage(operation, &active.name, error);
        // Also where the length seems right: it may be the cache's, and a crash would bring back
        // the lines after it. Cut, never overwritten: of an overwrite a crash may keep any pages.
        set_len(&*active.file, *end).map_err(error("set_len"))?;
        // In place, not at the end of a new file: a crash in here leaves old or new bytes, and
        // these are equal. From the buffer that was verified: a second read may show other bytes.
        failpoint::hit(failpoint::RECOVER_REWRITE)
            .and_then(|()| write_all(&*active.file, &last_batch.bytes, last_batch.start))
            .map_err(error("write_at"))?;
        failpoint::hit(failpoint::RECOVER_SYNC)
            .and_then(|()| active.file.sync_data())
            .map_err(error("sync_data"))
    }

    /// Removes unfinished files. What cannot be removed is reported: it does no harm.
    pub(crate) fn remove_temporaries(&self, report: &mut OpenReport) {
        for name in &self.directory.listing.temporaries {
            match directory::remove(&*self.directory.storage, name) {
                Ok(()) => report.removed_temporaries.push(name.clone()),
                Err(error) => report.warnings.push(error),
            }
        }
    }

    /// The log, ready for use: everything it shows is durable.
    pub(crate) fn into_wal<E>(mut self) -> Result<Wal<E>> {
        let LockedDirectory {
            storage,
            lock,
            listing,
        } = self.directory;
        let ahead = Wal::<E>::bytes_ahead(&self.options);
        let active = match self.active.take() {
            None => {
                let created_ms = self.options.clock.now_ms();
                create_first(&*storage, self.options.store_id(), created_ms, ahead)?
            }
            Some((segment, header)) => ActiveSegment {
                last: self.tail.last,
                after_marker: self.tail.after_marker,
                ..ActiveSegment::new(&header, segment.file, self.tail.crc(), self.tail.end, ahead)
            },
        };
        let first = oldest_without_gap(&listing.segments, active.epoch);
        Ok(Wal {
            storage,
            options: self.options,
            active,
            first,
            prune_pending: false,
            poisoned: None,
            open: OpenBatch::default(),
            counters: Arc::default(),
            _event: PhantomData,
            lock: Arc::from(lock),
        })
    }
}

/// Asks the system to forget what it has cached of a segment, so that reads show the disk.
///
/// The sync before it is for pages that are dirty, which no system forgets. It proves nothing, and
/// changes no byte that a reader sees. A system that cannot forget, or does not want to, leaves what
/// the module's first page says of failed syncs; nothing else rests on it.
fn drop_cache(segment: &Segment) -> Result<()> {
    let synced = segment.file.sync_data();
    synced.map_err(|error| Error::storage("sync_data", &segment.name, error))?;
    if let Err(error) = segment.file.drop_cache() {
        tracing::debug!(file = segment.name, %error, "the cache is not dropped");
    }
    Ok(())
}

/// Whether a new store may be made in a directory without one.
fn check_may_be_made(listing: &Listing, options: &WalOptions) -> Result<()> {
    let reason = match listing.altered() {
        Some(name) => format!("{name:?} looks like a file of a store under another name"),
        None if options.must_exist => "no segment and no snapshot".to_owned(),
        None => return Ok(()),
    };
    Err(Error::NoStore { reason })
}

impl<E: LogEvent> Wal<E> {
    /// Opens the log in `storage`, or makes a new one where there is none. Only the end of the
    /// active segment is read and verified, however large the log is; the rest is verified when
    /// it is replayed.
    ///
    /// # Errors
    /// [`Error::Locked`]; [`Error::NoStore`]; [`Error::BrokenChain`] if segments are missing; every error of damaged
    /// data, with nothing changed; [`Error::Storage`] if the log could not be made trustworthy,
    /// which another try may do.
    pub fn open(storage: Arc<dyn Storage>, options: WalOptions) -> Result<(Self, OpenReport)> {
        Self::open_from(storage, None, options)
    }

    /// Opens a log whose events through `covered` were removed because something newer covers
    /// them. `covered` is what [`rotate`](Wal::rotate) returned, or its position alone: then a log
    /// of another store that ends there too is not told apart.
    ///
    /// # Errors
    /// As [`open`](Wal::open).
    pub fn open_after(
        storage: Arc<dyn Storage>,
        covered: impl Into<Boundary>,
        options: WalOptions,
    ) -> Result<(Self, OpenReport)> {
        Self::open_from(storage, Some(covered.into()), options)
    }

    fn open_from(
        storage: Arc<dyn Storage>,
        base: Option<Boundary>,
        options: WalOptions,
    ) -> Result<(Self, OpenReport)> {
        let stopwatch = Stopwatch::start();
        let directory = LockedDirectory::lock_store(storage)?;
        let mut report = OpenReport {
            strays: directory.listing.strays.clone(),
            ..OpenReport::default()
        };
        let mut recovery = Recovery::inspect(directory, base, options)?;
        report.torn_tail = recovery.find_tail()?;
        if !recovery.is_new() {
            recovery.sync_names()?;
            recovery.rewrite_tail()?;
        }
        recovery.remove_temporaries(&mut report);
        if !report.removed_temporaries.is_empty() {
            report
                .warnings
                .extend(directory::sync(&*recovery.directory().storage).err());
        }
        let wal: Wal<E> = recovery.into_wal()?;
        wal.counters.recovered(0, stopwatch.elapsed_us());
        report.torn_tail.iter().for_each(TornTail::announce);
        tracing::info!(position = %wal.last_position(), "log opened");
        Ok((wal, report))
    }
}
