//! The plain store's checkpoint: rotate, snapshot, prune, in that order.

use std::any::Any;
use std::sync::Arc;

use super::bug::PlainBug;
use super::files::{not_done, prepare, publish, remove, segment_name, snapshot_name};
use super::line;
use super::process::{PlainProcess, WritableSegment};
use super::snapshot::PlainSnapshot;
use crate::interposed::locked;
use beaver_sim::beaver::files::{segment_epoch, snapshot_epoch};
use beaver_sim::subject::{ErrorClass, Failure, PendingCheckpoint};

/// A checkpoint whose snapshot is durable.
struct DurableSnapshot {
    epoch: u64,
    rotates_later: bool,
}

impl PlainProcess {
    /// Copies the state at a boundary. `None`: there is nothing to cover.
    pub(super) fn begin(&mut self) -> Result<Option<PendingCheckpoint>, Failure> {
        self.check_writable()?;
        let empty = self.active.next_seq == 1;
        let boundary = match self.active.prev {
            None if empty => return Ok(None),
            Some(prev) if empty && self.snapshot == Some(prev.epoch) => return Ok(None),
            Some(prev) if empty => prev,
            _ => self.active.last(),
        };
        let mut snapshot = PlainSnapshot {
            boundary,
            applied: self.applied,
            state: self.state.clone(),
        };
        let rotates_later = !empty && self.has(PlainBug::CopyBeforeRotation);
        if !empty && !rotates_later {
            let next_seq = self.active.next_seq;
            self.rotate()?;
            self.stale = self.has(PlainBug::SeqsCrossRotation).then_some(next_seq);
        }
        if self.has(PlainBug::PrunedTooEarly) {
            self.prune(boundary.epoch)?;
        }
        let (disk, bug, older) = (Arc::clone(&self.disk), self.bug, self.snapshot);
        let applied_now = Arc::clone(&self.applied_now);
        Ok(Some(Box::new(move || {
            if let (Some(PlainBug::SnapshotMovedAway), Some(older)) = (bug, older) {
                let older = snapshot_name(older);
                let moved = disk.rename(&older, &format!("{older}.tmp"));
                moved.map_err(|error| not_done(&older, &error))?;
            }
            if bug == Some(PlainBug::PositionAfterCopy) {
                snapshot.applied = *locked(&applied_now);
            }
            let name = snapshot_name(boundary.epoch);
            prepare(&*disk, &name, &snapshot.encode(bug))?;
            publish(&*disk, &name).inspect_err(|_| {
                let _ = remove(&*disk, &name);
            })?;
            let epoch = boundary.epoch;
            let written = DurableSnapshot {
                epoch,
                rotates_later,
            };
            Ok(Box::new(written) as Box<dyn Any + Send>)
        })))
    }

    pub(super) fn finish(&mut self, written: &dyn Any) -> Result<(), Failure> {
        let written: Option<&DurableSnapshot> = written.downcast_ref();
        let written = written.expect("the run hands back what the second step returned");
        self.check_writable()?;
        self.stale = None;
        if written.rotates_later {
            self.rotate()?;
        }
        self.snapshot = Some(written.epoch);
        self.prune(written.epoch)
    }

    /// Ends the active segment and starts the next one.
    fn rotate(&mut self) -> Result<(), Failure> {
        if !self.buffer.is_empty() {
            self.append(&[])?;
        }
        let closes = self.has(PlainBug::FailedRotationCloses);
        if closes {
            self.trouble = Some("it rotates".to_owned());
        }
        let prev = self.active.last();
        if let Err(error) = self.active.file.sync_data() {
            let failure = not_done(&segment_name(prev.epoch), &error);
            return Err(self.poison(failure, ErrorClass::Poisoned));
        }
        let epoch = prev.epoch + 1;
        let (name, header) = (segment_name(epoch), line::header(epoch, Some(prev)));
        let file = prepare(&*self.disk, &name, &header)?;
        if let Err(failure) = publish(&*self.disk, &name) {
            let removed = remove(&*self.disk, &name);
            if closes {
                return Err(failure);
            }
            // The name may be durable: if it came back, the old segment could take no more records.
            return Err(match removed.and_then(|()| self.disk.sync_dir()) {
                Ok(()) => failure,
                Err(_) => self.poison(failure, ErrorClass::Poisoned),
            });
        }
        if closes {
            self.trouble = None;
        }
        self.active = WritableSegment::new(epoch, Some(prev), file, header.len() as u64);
        Ok(())
    }

    /// Removes what the snapshot of `covered` stands for.
    fn prune(&mut self, covered: u64) -> Result<(), Failure> {
        let failed = |error: std::io::Error| not_done(".", &error);
        let mut old: Vec<(bool, u64, String)> = Vec::new();
        for name in self.disk.list().map_err(failed)? {
            let segment = segment_epoch(&name).filter(|epoch| *epoch <= covered);
            let snapshot = snapshot_epoch(&name).filter(|epoch| *epoch < covered);
            if let Some(epoch) = segment.or(snapshot) {
                old.push((segment.is_some(), epoch, name));
            }
        }
        old.sort();
        for (_, _, name) in &old {
            remove(&*self.disk, name).map_err(failed)?;
        }
        if !old.is_empty() {
            self.disk.sync_dir().map_err(failed)?;
        }
        Ok(())
    }
}
