//! Checkpoint: rotate, then snapshot, then prune, in that order.
//!
//! ```text
//! begin   rotate │ copy the state          between two batches; the boundary is durable
//! write   tmp │ sync │ rename │ sync_dir   appends to the new epoch go on meanwhile
//! finish  remove what is covered │ sync_dir
//! ```
//!
//! A crash after `begin` leaves one more segment to replay; a crash after `write` leaves files that
//! the snapshot covers. Nothing is removed before the snapshot *and its directory entry* are
//! durable, and only snapshots that this process has verified or written count as kept. Until as
//! many are there as should be kept, the segments stay: the log itself, back to its start, is the
//! fall-back.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::applied_state::AppliedState;
use crate::boundary::Boundary;
use crate::directory;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::names::{self, Listing};
use crate::position::{Epoch, Position};
use crate::snapshot;
use crate::state_machine::StateMachine;
use crate::storage::{Access, Storage, StorageLock};
use crate::wal::{PrevLink, Segment, Wal, chain, header};

/// What a checkpoint did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointReport {
    /// The last position that the snapshot covers.
    pub position: Position,
    /// The size of the snapshot in bytes.
    pub bytes: u64,
    /// The files that were removed.
    pub removed: Vec<String>,
}

/// A copy of the state at a boundary, to be written while the log goes on. While there is one, the
/// directory stays locked.
#[derive(Debug)]
pub struct Checkpoint<M> {
    storage: Arc<dyn Storage>,
    boundary: Boundary,
    state: AppliedState<M>,
    /// A store that is opened anew must not meet a checkpoint that is still being written.
    _lock: Arc<dyn StorageLock>,
}

/// A snapshot that is durable, with its name.
#[derive(Debug)]
pub struct WrittenCheckpoint {
    boundary: Boundary,
    bytes: u64,
}

impl<M: StateMachine> Checkpoint<M> {
    /// The last position that the snapshot will cover.
    #[must_use]
    pub fn position(&self) -> Position {
        self.boundary.position
    }

    /// Writes the snapshot and makes it durable.
    ///
    /// # Errors
    /// [`Error::Storage`]: older snapshots and all segments are untouched; a later checkpoint
    /// writes it anew.
    pub fn write(self) -> Result<WrittenCheckpoint> {
        let document = snapshot::encode(self.boundary, |out| self.state.encode(out));
        snapshot::write(&*self.storage, self.boundary.position.epoch, &document)?;
        Ok(WrittenCheckpoint {
            boundary: self.boundary,
            bytes: document.len() as u64,
        })
    }
}

/// What this process knows about the snapshots in the directory.
#[derive(Debug)]
pub(super) struct Snapshots {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) keep_old: usize,
    /// Verified or written by this process, and durable.
    pub(super) trusted: BTreeMap<Epoch, Boundary>,
}

impl Snapshots {
    /// Rotates, then takes `copy` of the state. `None`: everything is covered already, or nothing
    /// was ever written.
    pub(super) fn begin<M: StateMachine>(
        &self,
        wal: &mut Wal<M::Event>,
        copy: impl FnOnce() -> AppliedState<M>,
    ) -> Result<Option<Checkpoint<M>>> {
        wal.check_writable()?;
        let boundary = if wal.last_seq().0 > 0 {
            wal.rotate()?
        } else {
            // Rotating an empty segment would only make another empty one.
            match wal.boundary() {
                None => return Ok(None),
                Some(boundary) if self.is_trusted(boundary) => return Ok(None),
                Some(boundary) => boundary,
            }
        };
        Ok(Some(Checkpoint {
            storage: Arc::clone(&self.storage),
            boundary,
            state: copy(),
            _lock: wal.lock(),
        }))
    }

    fn is_trusted(&self, boundary: Boundary) -> bool {
        self.trusted.contains_key(&boundary.position.epoch)
    }

    /// Removes what the snapshot covers.
    pub(super) fn finish<E>(
        &mut self,
        wal: &mut Wal<E>,
        written: WrittenCheckpoint,
    ) -> Result<CheckpointReport> {
        wal.check_writable()?;
        let WrittenCheckpoint { boundary, bytes } = written;
        let position = boundary.position;
        let newest = self.trusted.keys().next_back();
        // Only now: `written` exists after the sync of the directory, and prune goes by this. Where a
        // newer one is trusted, prune looks whether this one is a fall-back, as it does with any: a
        // later checkpoint may have removed it already, and after an install it leads nowhere.
        if newest.is_none_or(|newest| *newest < position.epoch) {
            self.trusted.insert(position.epoch, boundary);
        }
        let removed = self.prune(wal)?;
        wal.counters.checkpoint_finished();
        tracing::info!(%position, bytes, removed = removed.len(), "checkpoint");
        Ok(CheckpointReport {
            position,
            bytes,
            removed,
        })
    }

    /// Verifies older snapshots as long as fewer are trusted than shall be kept: another process
    /// may have written them. One that cannot be read does not count.
    fn trust_older(&mut self, listing: &Listing) {
        for epoch in listing.snapshots.iter().rev() {
            let newest = self.trusted.keys().next_back();
            if self.trusted.len() > self.keep_old || newest.is_none_or(|newest| epoch >= newest) {
                continue;
            }
            if let Ok(Some(boundary)) = self.fall_back(listing, *epoch) {
                self.trusted.insert(*epoch, boundary);
            }
        }
    }

    /// What the snapshot of `epoch` covers, if it is valid and the log follows it.
    fn fall_back(&self, listing: &Listing, epoch: Epoch) -> Result<Option<Boundary>> {
        let Ok(snapshot) = snapshot::read(&*self.storage, epoch)? else {
            return Ok(None);
        };
        // The next header is enough: it was durable before its name and says where the epoch ended.
        let next = chain(&listing.segments, Some(epoch))?[0];
        let segment = Segment::open(&*self.storage, next, Access::Read)?;
        PrevLink::Covered(snapshot.boundary).check(&segment.name, &header(&segment)?)?;
        Ok(Some(snapshot.boundary))
    }

    fn prune<E>(&mut self, wal: &mut Wal<E>) -> Result<Vec<String>> {
        let listing = directory::list(&*self.storage)?;
        self.trust_older(&listing);
        let kept: Vec<Epoch> = self
            .trusted
            .keys()
            .rev()
            .take(self.keep_old + 1)
            .copied()
            .collect();
        let newest = kept.first().copied().unwrap_or_default();
        let mut removed = Vec::new();
        failpoint::hit(failpoint::CHECKPOINT_PRUNE)
            .map_err(|error| Error::storage("remove", ".", error))?;
        // Snapshots before the segments that bridge to them, oldest first: at no moment is there a
        // snapshot that looks usable as a fall-back and is not.
        for epoch in listing
            .snapshots
            .iter()
            .filter(|e| **e < newest && !kept.contains(e))
        {
            let name = names::snapshot(*epoch);
            directory::remove(&*self.storage, &name)?;
            self.trusted.remove(epoch);
            removed.push(name);
        }
        if kept.len() == self.keep_old + 1 {
            let oldest = kept.last().copied().unwrap_or_default();
            for epoch in listing.segments.iter().filter(|epoch| **epoch <= oldest) {
                let name = names::segment(*epoch);
                directory::remove(&*self.storage, &name)?;
                removed.push(name);
                wal.forget_through(*epoch);
            }
        }
        if !removed.is_empty() {
            directory::sync(&*self.storage)?;
        }
        Ok(removed)
    }
}
