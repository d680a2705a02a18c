//! The disks of a node: one of the log, one of the snapshots.

use std::collections::VecDeque;
use std::sync::Arc;

use beaver::wal::{AppendOutcome, WalOptions};
use beaver::{ManualClock, Position, SnapshotStore, Store, StoreId, StoreOptions};

use super::bug::PlantedBug;
use super::core::SavedState;
use super::message::SnapshotFile;
use super::record::{RaftRecord, SmallLog, UnfitRecord};
use crate::host::Host;

/// The log's own snapshot is written when this many records that purge were flushed.
const CHECKPOINT_EVERY: u64 = 4;

/// The log and the snapshots of a process.
#[derive(Debug)]
pub(super) struct RaftDisks {
    log: Store<SmallLog>,
    snapshots: SnapshotStore,
    /// Not written yet; nothing stands for the end of a write.
    queue: VecDeque<Option<RaftRecord>>,
    /// How many records are durable.
    written: u64,
    purges: u64,
    bug: Option<PlantedBug>,
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl RaftDisks {
    /// Opens the disks, and reads what they hold.
    pub(super) fn open(
        host: &dyn Host,
        bug: Option<PlantedBug>,
    ) -> Result<(Self, SavedState), String> {
        let options = StoreOptions {
            wal: WalOptions {
                preallocate_bytes: 4096,
                store_id: Some(StoreId(host.draw(1, u64::MAX))),
                clock: Arc::new(ManualClock::new(0)),
                ..WalOptions::default()
            },
            keep_old_snapshots: 0,
            ..StoreOptions::default()
        };
        let (log, _) = Store::<SmallLog>::open(host.log_disk(), options).map_err(text)?;
        let snapshots = SnapshotStore::open(host.snapshot_disk()).map_err(text)?;
        let (newest, damaged) = snapshots.load().map_err(text)?;
        // An older one could reach the log, but what the damaged one covers was promised.
        if let Some(damage) = damaged.into_iter().next() {
            return Err(text(damage.error));
        }
        let saved = SavedState {
            log: log.state().clone(),
            snapshot: newest.map(|snapshot| Arc::from(snapshot.state)),
        };
        let disks = RaftDisks {
            log,
            snapshots,
            queue: VecDeque::new(),
            written: 0,
            purges: 0,
            bug,
        };
        Ok((disks, saved))
    }

    pub(super) fn record(&mut self, record: RaftRecord) {
        self.queue.push_back(Some(record));
    }

    pub(super) fn end_write(&mut self) {
        self.queue.push_back(None);
    }

    /// Makes one write of what is queued, and syncs it. How many records are durable now, of all that
    /// were ever queued.
    pub(super) fn flush(&mut self) -> Result<u64, String> {
        let mut tickets = Vec::new();
        while let Some(Some(record)) = self.queue.pop_front() {
            let is_purge = matches!(
                record,
                RaftRecord::Purge { .. } | RaftRecord::Reset { .. } | RaftRecord::KeepAfter { .. }
            );
            self.purges += u64::from(is_purge);
            let planned = |_: &SmallLog| Ok::<_, UnfitRecord>((vec![record], ()));
            let (ticket, ()) = self.log.submit(planned).map_err(text)?;
            tickets.extend(ticket);
        }
        self.log.flush().map_err(text)?;
        for ticket in &tickets {
            match ticket.outcome() {
                AppendOutcome::Durable(_) => self.written += 1,
                AppendOutcome::Failed(error) => return Err(text(error)),
                AppendOutcome::Pending => return Err("a flushed record is pending".to_owned()),
            }
        }
        if self.purges >= CHECKPOINT_EVERY {
            self.purges = 0;
            self.log.checkpoint().map_err(text)?;
        }
        Ok(self.written)
    }

    /// Writes a snapshot; durable, and the only one, when it returns.
    pub(super) fn save_snapshot(&self, file: &SnapshotFile) -> Result<(), String> {
        let is_kept = self.bug == Some(PlantedBug::OlderSnapshotWithCompactedLog);
        // The bug: three are kept, and it is the oldest that is found first.
        let index = file.last.index;
        let number = if is_kept { u64::MAX - index } else { index };
        let position = Position::new(number, file.last.term);
        self.snapshots.write(position, &file.state).map_err(text)?;
        let keep_old = if is_kept { 2 } else { 0 };
        self.snapshots.prune(keep_old).map_err(text)?;
        Ok(())
    }
}
