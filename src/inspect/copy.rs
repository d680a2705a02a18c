//! Writing a copy of a store into a new directory.

use std::sync::Arc;

use crate::boundary::Boundary;
use crate::checksum::{self, SegmentId};
use crate::directory::{self, LockedDirectory};
use crate::error::{Error, Result};
use crate::names;
use crate::position::{Epoch, Seq};
use crate::snapshot;
use crate::storage::{Storage, StorageFile, write_all};
use crate::store_id::StoreId;
use crate::wal::line::{self, Header, Line};

/// How many bytes are gathered before they are written.
const PIECE: usize = 1 << 20;

/// A directory that was empty and is filled with a copy, under a new identity: one that ends
/// elsewhere than the store it is made of must not be mixed with it. Locked meanwhile.
#[derive(Debug)]
pub(super) struct CopyDirectory {
    directory: LockedDirectory,
    store: StoreId,
}

/// Fills `out`, which must be empty: nothing is ever overwritten. Until everything is there and
/// durable, a mark makes the directory no store; after an error it is empty again, as far as that
/// is possible.
///
/// ```text
/// mark │ sync directory │ files, each whole before its name │ sync directory │ remove mark │ sync directory
/// ```
///
/// The files get their names one by one, and some of them are a store too: an older snapshot and
/// what follows it, say.
pub(super) fn copy_into<R>(
    out: Arc<dyn Storage>,
    store: StoreId,
    fill: impl FnOnce(&CopyDirectory) -> Result<R>,
) -> Result<R> {
    let directory = LockedDirectory::lock(out)?;
    if let Some(name) = directory.listing.all_names().next() {
        let reason = format!("the directory for the copy is not empty: there is {name}");
        return Err(Error::Refused { reason });
    }
    let target = CopyDirectory { directory, store };
    let filled = target.begin().and_then(|()| fill(&target));
    let finished = filled.and_then(|report| target.finish().map(|()| report));
    if finished.is_err() {
        target.clear();
    }
    finished
}

impl CopyDirectory {
    fn storage(&self) -> &dyn Storage {
        &*self.directory.storage
    }

    fn begin(&self) -> Result<()> {
        let created = self.storage().create(names::UNFINISHED);
        created.map_err(|error| Error::storage("create", names::UNFINISHED, error))?;
        directory::sync(self.storage())
    }

    /// Makes the names durable, then the directory a store.
    fn finish(&self) -> Result<()> {
        directory::sync(self.storage())?;
        directory::remove(self.storage(), names::UNFINISHED)?;
        directory::sync(self.storage())
    }

    /// Removes what was made, the mark last.
    fn clear(&self) {
        if let Err(error) = self.try_clear() {
            tracing::warn!(%error, "an unfinished copy is left behind");
        }
    }

    fn try_clear(&self) -> Result<()> {
        let listing = directory::list(self.storage())?;
        // The removal of the mark may have failed and taken effect all the same: it stands again, and
        // is durable, before anything goes.
        match listing.is_unfinished {
            false => self.begin()?,
            true => directory::sync(self.storage())?,
        }
        for name in listing.all_names() {
            if name != names::UNFINISHED {
                directory::remove(self.storage(), &name)?;
            }
        }
        directory::sync(self.storage())?;
        directory::remove(self.storage(), names::UNFINISHED)
    }

    /// What the copy says of a boundary of the original: 0 stands for a checksum that is not known,
    /// in the snapshot and in the segment after it alike.
    pub(super) fn adopted(&self, boundary: Boundary) -> Boundary {
        Boundary {
            crc: Some(boundary.crc.unwrap_or_default()),
            store: Some(self.store),
            ..boundary
        }
    }

    /// Starts the segment after `prev`.
    pub(super) fn segment(
        &self,
        epoch: Epoch,
        prev: Option<Boundary>,
        created_ms: u64,
    ) -> Result<CopiedSegment<'_>> {
        let header = Header {
            epoch,
            store: Some(self.store),
            prev,
            created_ms,
        };
        let storage = self.storage();
        let name = names::segment(epoch);
        let temporary = names::temporary(&name);
        let file = storage.create(&temporary);
        let file = file.map_err(|error| Error::storage("create", &temporary, error))?;
        let mut pending = Vec::new();
        line::encode_header(&mut pending, &header);
        Ok(CopiedSegment {
            storage,
            segment: header.segment(),
            name,
            temporary,
            file,
            offset: 0,
            crc: checksum::of_line(&pending),
            pending,
        })
    }

    /// Copies the state of the snapshot of `epoch`, from the bytes that were verified. `end` is where
    /// the epoch ends in the copy, if it is in there. Returns its name.
    pub(super) fn copy_snapshot(
        &self,
        from: &dyn Storage,
        epoch: Epoch,
        end: Option<Boundary>,
    ) -> Result<String> {
        // Encoded anew from what was verified, never copied by a second read.
        let snapshot = snapshot::read(from, epoch)?.map_err(|damaged| damaged.error)?;
        let boundary = end.unwrap_or_else(|| self.adopted(snapshot.boundary));
        let document = snapshot::encode(boundary, |out| {
            out.extend_from_slice(snapshot.state());
        });
        snapshot::write(self.storage(), epoch, &document)?;
        Ok(names::snapshot(epoch))
    }
}

/// A segment that is being written. It gets its name when it is whole.
#[derive(Debug)]
pub(super) struct CopiedSegment<'s> {
    storage: &'s dyn Storage,
    /// What the checksums of its lines cover.
    segment: SegmentId,
    name: String,
    temporary: String,
    file: Box<dyn StorageFile>,
    offset: u64,
    /// The checksum of the last line that the next header seals.
    crc: u32,
    pending: Vec<u8>,
}

impl CopiedSegment<'_> {
    /// Its end, at `seq`.
    pub(super) fn boundary(&self, seq: Seq, target: &CopyDirectory) -> Boundary {
        target.adopted(Boundary {
            crc: Some(self.crc),
            ..Boundary::from(self.segment.epoch.at(seq))
        })
    }

    /// Appends `line`, which stands as `bytes` in the original: the same text, with the checksum that
    /// it has here, because that covers whose it is.
    pub(super) fn copy(&mut self, line: &Line<'_>, bytes: &[u8]) -> Result<()> {
        let start = self.pending.len();
        checksum::reseal(line.kind(), self.segment, &mut self.pending, bytes);
        // A marker is not what the next header seals.
        if !matches!(line, Line::Marker(_)) {
            self.crc = checksum::of_line(&self.pending[start..]);
        }
        self.write_piece()
    }

    /// Appends the range of lost events `from` to `to`.
    pub(super) fn lose(&mut self, from: Seq, to: Seq) -> Result<()> {
        let start = self.pending.len();
        line::encode_lost(&mut self.pending, self.segment, from, to);
        self.crc = checksum::of_line(&self.pending[start..]);
        self.write_piece()
    }

    /// Writes what there is if it is enough: one call for many lines, because a copy is synced once,
    /// at its end.
    fn write_piece(&mut self) -> Result<()> {
        match self.pending.len() < PIECE {
            true => Ok(()),
            false => self.write(),
        }
    }

    fn write(&mut self) -> Result<()> {
        write_all(&*self.file, &self.pending, self.offset)
            .map_err(|error| Error::storage("write_at", &self.temporary, error))?;
        self.offset += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Content before name.
    pub(super) fn finish(mut self) -> Result<()> {
        self.write()?;
        self.file
            .sync_data()
            .map_err(|error| Error::storage("sync_data", &self.temporary, error))?;
        self.storage
            .rename(&self.temporary, &self.name)
            .map_err(|error| Error::storage("rename", &self.name, error))
    }
}
