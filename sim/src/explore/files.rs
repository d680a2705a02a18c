//! Questions about the files of a store, which only the documented layout answers: invariants 5, 6 and 11.

use beaver_disk::{Disk, Image};

use crate::client::segment_epochs;
use crate::oracle::damage::snapshot_epoch;
use crate::oracle::history::{History, Place};
use crate::oracle::judge::Finding;
use crate::oracle::tidiness;
use crate::subject::Report;

/// Invariant 11: only the files that the protocol needs.
pub(super) fn check_tidy(files: &Image, report: &Report, keep: u32) -> Result<(), Finding> {
    let names: Vec<&str> = files.names().collect();
    match tidiness::after_recovery(&names, report.snapshot, &report.strays, keep) {
        Some(finding) => Err(finding),
        None => Ok(()),
    }
}

/// Invariant 5: what a recovery has shown, the next one leaves byte for byte.
pub(super) fn compare_bytes(found: &Disk, left: &Disk) -> Result<(), Finding> {
    let (found, left) = (found.live(), left.live());
    if found.hash128() == left.hash128() {
        return Ok(());
    }
    let found = tidiness::accepted(&found.to_files());
    let left = tidiness::accepted(&left.to_files());
    match tidiness::compare(&found, &left, false) {
        Some(finding) => Err(finding),
        None => Ok(()),
    }
}

/// Up to where the history can no longer be replayed, because a snapshot stands for it.
pub(super) fn start_of_log(files: &Image, history: &History) -> Place {
    let first = segment_epochs(files.names()).first().copied().unwrap_or(0);
    let decided = history.decided().iter();
    let before = decided
        .map(|decided| decided.place)
        .take_while(|place| place.epoch < first);
    before.last().unwrap_or_default()
}

/// The files without the snapshot that was used, if recovery must be able to do without it.
pub(super) fn without_newest_snapshot(files: &Image, report: &Report) -> Option<Image> {
    let used = report.snapshot?;
    let older = files.names().filter_map(snapshot_epoch);
    let older = older.filter(|epoch| *epoch < used.epoch).max();
    let bridge = older.map_or(1, |epoch| epoch + 1);
    if !segment_epochs(files.names()).contains(&bridge) {
        return None;
    }
    let mut kept = files.to_files();
    kept.retain(|name, _| snapshot_epoch(name) != Some(used.epoch));
    Some(Image::from_files(kept))
}
