//! Install: the whole state gives way to another one, which did not come from the log's events.
//!
//! ```text
//! rotate │ rotate │ tmp │ sync │ rename │ sync_dir │ remove what was before │ sync_dir │ switch
//!        1        1     1      1        2          3                        3          4
//! ```
//!
//! The steps are those of a checkpoint. What differs is that the snapshot is not what the log before
//! it amounts to, so nothing before it is a fall-back any more. What a crash leaves:
//!
//! 1. The old state: nothing names the new one. The empty epochs that were begun hold nothing, and a
//!    temporary file is removed by the next open. An error here leaves the store as it was.
//! 2. The old state or the new one: a name stands for a whole file or for none. An error here poisons
//!    the log. Were the old state to go on, its next events would come after the snapshot, which the
//!    next open may show.
//! 3. The new state: the newest snapshot is loaded, and the only epoch after it is empty. All that
//!    was before must be gone **before the first event comes after it**: were the snapshot damaged
//!    later, a fall-back to an older one would put the new events on the old state. So an error
//!    poisons the log here too, and the next open removes the rest before it shows anything.
//! 4. The new state.
//!
//! A checkpoint that was begun before may write its snapshot at any of these moments and after them.
//! It is an older one, so it is loaded only where the new one is not there or is damaged, and in the
//! second case the segments that would lead on from it are gone: nothing is shown. It goes when the
//! checkpoint is finished, or by the next open.
//!
//! The next open knows such a snapshot by the position that its state has applied: the beginning of
//! the epoch that it covers. No event has such a position, and the first state of all has none. The
//! second rotate makes that epoch an empty one, so that no event before it has the same epoch.

use std::collections::VecDeque;

use super::applied_state::AppliedState;
use super::checkpoint::{CheckpointReport, Snapshots};
use super::leftovers::below;
use crate::directory;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::names;
use crate::position::Epoch;
use crate::snapshot;
use crate::state_machine::StateMachine;
use crate::temporary::{self, Prepared};
use crate::wal::Wal;

impl Snapshots {
    /// Puts `machine` in the place of everything that `wal` has durable; nothing may be queued in
    /// front of it.
    pub(super) fn install<M: StateMachine>(
        &mut self,
        wal: &mut Wal<M::Event>,
        machine: M,
    ) -> Result<(AppliedState<M>, CheckpointReport)> {
        wal.check_writable()?;
        if wal.last_seq().0 > 0 {
            wal.rotate()?;
        }
        let boundary = wal.rotate()?;
        let state = AppliedState::installed(machine, boundary.position);
        let document = snapshot::encode(boundary, |out| state.encode(out));
        let covered = boundary.position.epoch;
        let name = names::snapshot(covered);
        let prepared = temporary::prepare(&*self.storage, &name, &document)?;
        let removed = self.publish(prepared, covered);
        let removed = removed.map_err(|error| wal.stop(error))?;
        wal.forget_through(covered);
        self.trusted = [(covered, boundary)].into();
        tracing::info!(position = %boundary.position, removed = removed.len(), "installed");
        let report = CheckpointReport {
            position: boundary.position,
            bytes: document.len() as u64,
            removed: removed.into(),
        };
        Ok((state, report))
    }

    /// Gives the snapshot of `covered` its name, then removes all that was before it.
    fn publish(&self, prepared: Prepared, covered: Epoch) -> Result<VecDeque<String>> {
        let storage = &*self.storage;
        prepared.rename(storage)?;
        failpoint::hit(failpoint::SNAPSHOT_SYNC_DIR)
            .map_err(|error| Error::storage("sync_dir", ".", error))?;
        directory::sync(storage)?;
        let listing = directory::list(storage)?;
        failpoint::hit(failpoint::CHECKPOINT_PRUNE)
            .map_err(|error| Error::storage("remove", ".", error))?;
        let before = below(&listing, covered);
        for name in &before {
            directory::remove(storage, name)?;
        }
        directory::sync(storage)?;
        Ok(before)
    }
}
