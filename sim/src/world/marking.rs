//! Marks that are read off answers, reports and refusals.

use crate::marks::Mark;
use crate::oracle::damage::{Files, segment_epoch, snapshot_epoch};
use crate::oracle::model::{Record, Refusal, What};
use crate::scenario::{CrashKind, FaultKind};
use crate::subject::Report;

use super::World;

impl World<'_> {
    /// What a command that was acknowledged did.
    pub(super) fn mark_records(&mut self, records: &[Record]) {
        for record in records {
            match record.what {
                What::TimedOut => self.seen.mark(Mark::TimedOut),
                What::Retried => self.seen.mark(Mark::Retried),
                What::Buried => self.seen.mark(Mark::DeadLetter),
                What::Enqueued { .. } | What::Dispatched | What::Acked => {}
            }
        }
        if !records.is_empty() {
            let full = std::mem::take(&mut self.met_full_disk);
            self.seen.mark_if(full, Mark::RetriedAfterFull);
            let torn = std::mem::take(&mut self.cut_torn_tail);
            self.seen.mark_if(torn, Mark::TornTailExtended);
        }
    }

    /// What the rules of the queue refused.
    pub(super) fn mark_refused(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Duplicate => self.seen.mark(Mark::DuplicateRefused),
            Refusal::NotInFlight => self.seen.mark(Mark::LateReportRefused),
            Refusal::Unknown => {}
        }
    }

    /// What a recovery reported.
    pub(super) fn mark_report(&mut self, report: &Report, found: &Files) {
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
        let Some(name) = file else { return };
        let newest = self
            .files()
            .keys()
            .filter_map(|name| segment_epoch(name))
            .max();
        let segment = segment_epoch(name);
        self.seen
            .mark_if(snapshot_epoch(name).is_some(), Mark::SnapshotRefused);
        self.seen
            .mark_if(segment.is_some() && segment == newest, Mark::ActiveRefused);
        self.seen
            .mark_if(segment.is_some() && segment != newest, Mark::SealedRefused);
        let first_line = self.scars.damages_first_line(name, &self.files());
        self.seen
            .mark_if(segment.is_some() && first_line, Mark::HeaderRefused);
    }
}

/// Whether what was cut begins with a line that is whole: then it went for the append that it
/// belongs to.
fn begins_with_whole_line(cut: &[u8]) -> bool {
    let end = cut.iter().position(|byte| *byte == b'\n');
    let line = end.and_then(|end| cut.get(..end)).unwrap_or_default();
    serde_json::from_slice::<serde_json::Value>(line).is_ok_and(|line| line.is_object())
}
