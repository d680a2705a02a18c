//! Ending a segment: rotate, close, and the removal of segments that are no longer needed.

use std::sync::Arc;

use super::line::{self, Header};
use super::preallocation::Preallocation;
use super::{ActiveSegment, Wal};
use crate::boundary::Boundary;
use crate::checksum::{self, ChecksumKind, ChecksumSeed, SegmentId};
use crate::directory;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::names;
use crate::position::{Epoch, Seq};
use crate::storage::{Storage, StorageFile, write_all};
use crate::store_id::StoreId;
use crate::temporary::{self, Prepared};

/// Makes the segment of `header`, all but its name. Answers with its bytes too.
fn prepare_segment(storage: &dyn Storage, header: &Header) -> Result<(Prepared, Vec<u8>)> {
    let mut bytes = Vec::new();
    line::encode_header(&mut bytes, header);
    let prepared = temporary::prepare(storage, &names::segment(header.epoch), &bytes)?;
    Ok((prepared, bytes))
}

/// Makes the first segment of a new store. Nothing was promised yet, so after an error there is
/// nothing to undo: the next open finds nothing, a temporary file, or a segment without events.
pub(super) fn create_first(
    storage: &dyn Storage,
    store: StoreId,
    created_ms: u64,
    ahead: u64,
) -> Result<ActiveSegment> {
    let header = Header {
        epoch: Epoch(1),
        store: Some(store),
        prev: None,
        created_ms,
    };
    let (prepared, bytes) = prepare_segment(storage, &header)?;
    let file = prepared.rename(storage)?;
    directory::sync(storage)?;
    Ok(ActiveSegment::empty(&header, &bytes, file, ahead))
}

impl<E> Wal<E> {
    /// Seals the active segment and starts the next epoch, whose first event has seq 1. Answers
    /// with the end of the sealed one. Rotating an empty segment is allowed. Old segments stay: see
    /// [`prune_through`](Wal::prune_through).
    ///
    /// ```text
    /// trim │ sync old │ create tmp │ write header │ sync tmp │ rename │ sync directory │ switch
    /// ```
    ///
    /// # Errors
    /// [`Error::Storage`]: the old segment goes on as if nothing had happened. [`Error::Poisoned`]:
    /// it does not (the sync of the old segment failed, or a new segment could not be taken back);
    /// open again. What [`sync`](Wal::sync) returns, which comes first. [`Error::Refused`] in the
    /// largest epoch.
    pub fn rotate(&mut self) -> Result<Boundary> {
        let last = self.sync()?;
        let epoch = last.epoch.next();
        if epoch == last.epoch {
            let reason = "there is no epoch after the last one".to_owned();
            return Err(Error::Refused { reason });
        }
        self.trim()?;
        // A log of version 1 gets its identity here.
        let store = self.active.store.unwrap_or_else(|| self.options.store_id());
        let sealed = Boundary {
            crc: Some(self.active.crc),
            store: Some(store),
            ..Boundary::from(last)
        };
        let header = Header {
            epoch,
            store: Some(store),
            prev: Some(sealed),
            created_ms: self.options.clock.now_ms(),
        };
        let (prepared, bytes) = prepare_segment(&*self.storage, &header)?;
        // From here on a crash may show a header that seals the old segment. If anything fails now
        // and the old segment took one more event, that header could come back and deny it.
        // So it must be gone for certain first.
        let published = prepared.rename(&*self.storage).and_then(|file| {
            failpoint::hit(failpoint::ROTATE_SYNC_DIR)
                .and_then(|()| self.storage.sync_dir())
                .map_err(|error| Error::storage("sync_dir", ".", error))?;
            Ok(file)
        });
        match published {
            Ok(file) => {
                tracing::info!(%sealed, epoch = %epoch, "rotated");
                let ahead = Self::bytes_ahead(&self.options);
                self.active = ActiveSegment::empty(&header, &bytes, file, ahead);
                Ok(sealed)
            }
            Err(error) => Err(self.undo_rotate(epoch, error)),
        }
    }

    /// Makes durable what is not yet, marks the log as whole, trims it, and gives the lock of the
    /// directory back. A crash before this is harmless: it only makes the next open look harder.
    ///
    /// # Errors
    /// As [`sync`](Wal::sync), [`Error::Storage`] or [`Error::Indeterminate`] if the marker could not
    /// be written, [`Error::Storage`] or [`Error::Poisoned`] if the log could not be trimmed. Whatever
    /// it returns, what was durable before is durable, and the lock is given back.
    pub fn close(mut self) -> Result<()> {
        self.sync()?;
        if !self.active.after_marker {
            self.write_marker()?;
        }
        self.trim()
    }

    /// Removes the segments up to and including `epoch`, oldest first, and syncs the directory; the
    /// active one stays. Answers with how many it removed.
    ///
    /// Only for events that something newer and durable covers, a snapshot say. Afterwards the log
    /// is opened with [`open_after`](Wal::open_after) and the position that is covered.
    ///
    /// # Errors
    /// [`Error::Poisoned`]: nothing was removed. [`Error::Storage`]: some may be removed; calling
    /// again goes on.
    pub fn prune_through(&mut self, epoch: Epoch) -> Result<u64> {
        self.check_writable()?;
        let mut removed = 0;
        while self.first <= epoch && self.first < self.active.epoch {
            self.prune_pending = true;
            directory::remove(&*self.storage, &names::segment(self.first))?;
            self.first = self.first.next();
            removed += 1;
        }
        if self.prune_pending {
            directory::sync(&*self.storage)?;
            self.prune_pending = false;
        }
        Ok(removed)
    }

    /// Takes note that the segments up to and including `epoch` were removed.
    pub(crate) fn forget_through(&mut self, epoch: Epoch) {
        self.first = self.first.max(epoch.next()).min(self.active.epoch);
    }

    /// Refuses every change from now on: what `error` has left, only the next open can tell.
    pub(crate) fn stop(&mut self, error: Error) -> Error {
        tracing::error!(%error, "the log is poisoned");
        let cause = Arc::new(error);
        self.poisoned = Some(Arc::clone(&cause));
        Error::Indeterminate { cause }
    }

    /// Cuts free space off the active segment and syncs it.
    fn trim(&mut self) -> Result<()> {
        let cut = self.active.preallocation.cut(self.active.end);
        cut.map_err(|error| Error::storage("set_len", &self.active.name, error))?;
        // Every event is durable since its own sync, but what a failed sync has done to the file is
        // unknown.
        let synced = self.active.file.sync_data();
        synced.map_err(|error| Error::Poisoned {
            cause: self.poison("sync_data", error),
        })
    }

    /// Takes back a segment that may or may not have its name.
    fn undo_rotate(&mut self, epoch: Epoch, error: Error) -> Error {
        let undone = directory::remove(&*self.storage, &names::segment(epoch))
            .and_then(|()| directory::sync(&*self.storage));
        match undone {
            Ok(()) => error,
            Err(undo_error) => {
                tracing::error!(%epoch, %undo_error, "a failed rotate could not be undone");
                let cause = Arc::new(error);
                self.poisoned = Some(Arc::clone(&cause));
                Error::Poisoned { cause }
            }
        }
    }

    /// Appends a marker: everything through the last seq is durable. True, because every append was
    /// synced.
    fn write_marker(&mut self) -> Result<()> {
        let mut bytes = Vec::new();
        let ActiveSegment { epoch, store, .. } = self.active;
        line::encode_marker(&mut bytes, SegmentId { epoch, store }, self.active.last);
        let end = self.active.end + bytes.len() as u64;
        self.active.preallocation.claim(end);
        if let Err(error) = write_all(&*self.active.file, &bytes, self.active.end) {
            return Err(self.undo_write(error));
        }
        self.active.end = end;
        self.active.after_marker = true;
        Ok(())
    }
}

impl ActiveSegment {
    /// The segment of `header`, which has the `bytes` of that header and nothing else.
    fn empty(header: &Header, bytes: &[u8], file: Box<dyn StorageFile>, ahead: u64) -> Self {
        Self::new(
            header,
            file,
            checksum::of_line(bytes),
            bytes.len() as u64,
            ahead,
        )
    }

    /// The segment of `header`, whose lines end at `end`, `crc` being the checksum of the last one.
    /// It has no event and no marker.
    pub(super) fn new(
        header: &Header,
        file: Box<dyn StorageFile>,
        crc: u32,
        end: u64,
        ahead: u64,
    ) -> Self {
        let name = names::segment(header.epoch);
        let file = Arc::from(file);
        ActiveSegment {
            epoch: header.epoch,
            preallocation: Preallocation::new(Arc::clone(&file), &name, end, ahead),
            name,
            file,
            store: header.store,
            event_crc: ChecksumSeed::new(ChecksumKind::Event, header.segment()),
            prev: header.prev,
            last: Seq(0),
            crc,
            end,
            after_marker: false,
        }
    }
}
