//! Marks that are read off answers, reports and refusals.

use crate::marks::Mark;
use crate::oracle::damage::Files;
use crate::scenario::{CrashKind, FaultKind};
use crate::subject::OpenReport;

use super::World;

impl World<'_> {
    /// What a recovery reported.
    pub(super) fn mark_report(&mut self, report: &OpenReport, found: &Files) {
        let seen = &mut self.seen;
        seen.mark_if(report.snapshot.is_some(), Mark::SnapshotUsed);
        seen.mark_if(report.torn_tail.is_some(), Mark::TornTailCut);
        let half = report.torn_tail.as_ref().is_some_and(|(file, offset)| {
            let cut = found
                .get(file)
                .and_then(|bytes| bytes.get(usize::try_from(*offset).ok()?..));
            cut.is_some_and(begins_with_whole_line)
        });
        seen.mark_if(half, Mark::HalfGroupCut);
        seen.mark_if(report.temporaries > 0, Mark::TemporaryRemoved);
        seen.mark_if(report.leftovers > 0, Mark::LeftoverRemoved);
        seen.mark_if(!report.strays.is_empty(), Mark::StrayReported);
        let fell_back = !report.damaged_snapshots.is_empty();
        seen.mark_if(fell_back, Mark::FellBack);
        seen.mark_if(fell_back, Mark::SnapshotRefused);
        self.cut_torn_tail |= report.torn_tail.is_some();
        let director = self.faults.director();
        let wrong = director.fired().get(&FaultKind::WrongRead).copied();
        let dropped = director.fired().contains_key(&FaultKind::CacheDrop);
        drop(director);
        let wrong = wrong.unwrap_or(0);
        self.seen
            .mark_if(wrong > self.wrong_reads, Mark::WrongReadSurvived);
        self.wrong_reads = wrong;
        self.seen.mark_if(dropped, Mark::CacheDropped);
        let cut_after_kill =
            self.killed_then_opened && self.last_crash == Some(CrashKind::PowerCut);
        self.seen.mark_if(cut_after_kill, Mark::KillThenPowerCut);
        self.killed_then_opened = self.last_crash == Some(CrashKind::Kill);
    }

    /// Which file a refusal named.
    pub(super) fn mark_refusal(&mut self, file: Option<&str>) {
        self.seen.mark(Mark::CorruptionRefused);
        if let (Some(file), Some(inspected)) = (file, self.subject.inspected()) {
            let files = self.faults.disk().live();
            let marks = inspected.marks_of_refusal(file, &files, &self.damage);
            marks.into_iter().for_each(|mark| self.seen.mark(mark));
        }
    }

    /// A recovery showed the first `shown` ops in doubt.
    pub(super) fn mark_unsynced(&mut self, shown: usize) {
        let unsynced = std::mem::take(&mut self.unsynced);
        let kept = shown.min(unsynced);
        self.seen.mark_if(kept > 0, Mark::UnsyncedKept);
        self.seen
            .mark_if(kept > 0 && kept < unsynced, Mark::UnsyncedEndLost);
        self.seen
            .mark_if(kept == 0 && unsynced > 0, Mark::UnsyncedLost);
    }
}

/// Whether what was cut begins with a line that is whole: then it went for the append that it
/// belongs to.
fn begins_with_whole_line(cut: &[u8]) -> bool {
    let end = cut.iter().position(|byte| *byte == b'\n');
    let line = end.and_then(|end| cut.get(..end)).unwrap_or_default();
    serde_json::from_slice::<serde_json::Value>(line).is_ok_and(|line| line.is_object())
}
