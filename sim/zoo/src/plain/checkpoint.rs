//! The plain store's checkpoint: rotate, snapshot, prune, in that order.

use std::any::Any;
use std::sync::{Arc, Mutex};

use beaver::Storage;

use super::bug::Bug;
use super::files::{corrupt, not_done, prepare, publish, remove, segment_name, snapshot_name};
use super::line;
use super::process::{Active, PlainProcess};
use super::recovery::{Stored, snapshot_bytes};
use crate::recovering::locked;
use beaver_sim::oracle::damage::{segment_epoch, snapshot_epoch};
use beaver_sim::oracle::history::Place;
use beaver_sim::subject::{Begun, Failure, Grave};

/// A checkpoint that has begun: the state at a boundary.
pub(super) struct PlainCheckpoint {
    disk: Arc<dyn Storage>,
    bug: Option<Bug>,
    boundary: (u64, u64),
    stored: Stored,
    /// The last applied place, as it is now.
    glimpse: Arc<Mutex<Place>>,
    /// The snapshot before.
    older: Option<u64>,
    /// Whether the rotation is still to come.
    rotates_later: bool,
}

/// A checkpoint whose snapshot is durable.
#[derive(Debug)]
struct Written {
    epoch: u64,
    rotates_later: bool,
}

impl PlainProcess {
    pub(super) fn begin(&mut self) -> Result<Option<PlainCheckpoint>, Failure> {
        self.check_writable()?;
        let empty = self.active.next_seq == 1;
        let boundary = match self.active.prev {
            None if empty => return Ok(None),
            Some((epoch, _)) if empty && self.snapshot == Some(epoch) => return Ok(None),
            Some(prev) if empty => prev,
            _ => (self.active.epoch, self.active.next_seq - 1),
        };
        let stored = Stored {
            applied: (self.applied.epoch, self.applied.seq),
            queue: self.queue.for_snapshot(self.bug),
        };
        let rotates_later = self.has(Bug::CopyBeforeRotation);
        if !empty && !rotates_later {
            let next_seq = self.active.next_seq;
            self.rotate()?;
            self.stale = self.has(Bug::SeqsCrossRotation).then_some(next_seq);
        }
        if self.has(Bug::PrunedTooEarly) {
            self.prune(boundary.0)?;
        }
        Ok(Some(PlainCheckpoint {
            disk: Arc::clone(&self.disk),
            bug: self.bug,
            boundary,
            stored,
            glimpse: Arc::clone(&self.glimpse),
            older: self.snapshot,
            rotates_later: rotates_later && !empty,
        }))
    }

    pub(super) fn finish(&mut self, written: &dyn Any) -> Result<usize, Failure> {
        let written: &Written = written.downcast_ref().expect("the world hands it back");
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
        self.flush()?;
        if self.has(Bug::FailedRotationCloses) {
            self.trouble = Some("it rotates".to_owned());
        }
        let name = segment_name(self.active.epoch);
        if let Err(error) = self.active.file.sync_data() {
            return Err(self.poison(not_done(&name, &error), Grave::Poisoned));
        }
        let prev = Some((self.active.epoch, self.active.next_seq - 1));
        let epoch = self.active.epoch + 1;
        let (name, header) = (segment_name(epoch), line::header(epoch, prev));
        let file = prepare(&*self.disk, &name, &header)?;
        if let Err(failure) = publish(&*self.disk, &name) {
            if self.has(Bug::FailedRotationCloses) {
                let _ = remove(&*self.disk, &name);
                return Err(failure);
            }
            let undone = remove(&*self.disk, &name).and_then(|()| self.disk.sync_dir());
            return Err(match undone {
                Ok(()) => failure,
                Err(_) => self.poison(failure, Grave::Poisoned),
            });
        }
        if self.has(Bug::FailedRotationCloses) {
            self.trouble = None;
        }
        self.active = Active::new(epoch, prev, file, header.len() as u64);
        Ok(())
    }

    /// Writes what is in the buffer.
    fn flush(&mut self) -> Result<(), Failure> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.append(&[])
    }

    /// Removes what the snapshot of `covered` stands for.
    fn prune(&mut self, covered: u64) -> Result<usize, Failure> {
        let failed = |error: std::io::Error| not_done(".", &error);
        let names = self.disk.list().map_err(failed)?;
        let mut old: Vec<(bool, u64, String)> = Vec::new();
        for name in names {
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
        Ok(old.len())
    }

    /// The last applied place.
    pub(super) fn last_applied(&self) -> Place {
        self.applied
    }
}

impl Begun for PlainCheckpoint {
    fn write(self: Box<Self>) -> Result<Box<dyn Any + Send>, Failure> {
        let disk = &*self.disk;
        let name = snapshot_name(self.boundary.0);
        if let (Some(Bug::SnapshotMovedAway), Some(older)) = (self.bug, self.older) {
            let older = snapshot_name(older);
            let moved = disk.rename(&older, &format!("{older}.tmp"));
            moved.map_err(|error| not_done(&older, &error))?;
        }
        if self.boundary.0 == 0 {
            return Err(corrupt(&name, "nothing to cover"));
        }
        let mut stored = self.stored;
        if self.bug == Some(Bug::PositionAfterCopy) {
            let now = *locked(&self.glimpse);
            stored.applied = (now.epoch, now.seq);
        }
        prepare(disk, &name, &snapshot_bytes(self.boundary, &stored))?;
        if let Err(failure) = publish(disk, &name) {
            let _ = remove(disk, &name);
            return Err(failure);
        }
        Ok(Box::new(Written {
            epoch: self.boundary.0,
            rotates_later: self.rotates_later,
        }))
    }
}
