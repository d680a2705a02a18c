//! What the checker reads of the documented files.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use beaver::Storage;
use beaver_disk::{DiskEvent, Image, SimDisk};

use super::command::Command;
use super::engine::{Engine, LogEntry};
use super::model::{Refusal, What};
use super::op::{QueueOp, refused};
use super::reader::{self, LogView, ToldRecord};
use super::state::QueueState;
use super::workload::Draw;
use super::{honesty, salvage, small, tidiness};
use crate::faults::files::{segment_epoch, segment_epochs, snapshot_epoch};
use crate::faults::{quiet_copy, rot};
use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::oracle::Finding;
use crate::oracle::damage::{Files, InjectedDamage};
use crate::oracle::history::{Decided, History};
use crate::scenario::{
    CommandKind, FaultKind, FaultRate, LogSettings, Phase, Step, Target, Workload,
};
use crate::stream::Stream;
use crate::subject::{
    AnyOp, AnyState, ErrorClass, Failure, Inspected, OpenReport, Position, Readout, Recovered,
};

/// A store of the documented files that a process has open.
pub(super) trait OpenLog {
    /// What opening it reported.
    fn report(&self) -> &OpenReport;

    /// The last applied position.
    fn applied(&self) -> Position;

    /// The last position that is durable.
    fn durable(&self) -> Position {
        self.applied()
    }
}

/// Reads what is durable as the owner of a store that it has open.
type ReadDurable<T> = fn(&T) -> Result<Vec<LogEntry>, Failure>;

/// The documented files of an engine, which a process opens as a `T`.
pub(super) struct Documented<E, T> {
    engine: Arc<E>,
    /// Makes an op of the subject.
    op: fn(QueueOp) -> AnyOp,
    /// What the owner of a log reads that syncs on request; nothing where every reader sees the
    /// same.
    read_durable: Option<ReadDurable<T>>,
    opened: PhantomData<fn() -> T>,
}

impl<E: fmt::Debug, T> fmt::Debug for Documented<E, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.engine.fmt(f)
    }
}

impl<E: Engine, T: OpenLog + 'static> Documented<E, T> {
    pub(super) fn new(engine: E, op: fn(QueueOp) -> AnyOp) -> Self {
        Documented {
            engine: Arc::new(engine),
            op,
            read_durable: None,
            opened: PhantomData,
        }
    }

    /// The same of a log whose owner alone sees what is durable.
    pub(super) fn read_by_owner(mut self, read: ReadDurable<T>) -> Self {
        self.read_durable = Some(read);
        self
    }

    pub(super) fn engine(&self) -> &E {
        &self.engine
    }

    fn opened<'s>(&self, store: &'s mut dyn Any) -> &'s mut T {
        store
            .downcast_mut()
            .expect("a subject opens its own stores")
    }

    /// What the log tells of a store that has opened.
    fn view(&self, recovered: &mut Recovered<'_>) -> Result<LogView, Finding> {
        let storage = quiet_copy(recovered.disk).storage();
        let applied = self.applied(recovered.store.as_any());
        let snapshot = recovered.report.snapshot;
        match self.engine.replay_after(&storage, Position::default()) {
            Ok(tail) => Ok(LogView {
                applied,
                after: start_of_log(recovered),
                tail,
            }),
            Err(failure) => {
                // What a snapshot covers is not read by recovery, so damage there does not keep the
                // store from opening.
                let damaged = recovered.damaged;
                if !(damaged.unreadable && failure.class == ErrorClass::NotDone) {
                    self.excuse_refusal(damaged.damage, &failure)?;
                }
                let after = snapshot.unwrap_or_default();
                let boundary = snapshot.map_or(after, |position| Position {
                    epoch: position.epoch + 1,
                    seq: 0,
                });
                let tail = self.engine.replay_after(&storage, boundary);
                let tail = tail.map_err(|failure| {
                    let expected = "everything after the snapshot to be readable";
                    Finding::new(Invariant::Availability, expected, failure.text)
                })?;
                Ok(LogView {
                    applied,
                    after,
                    tail,
                })
            }
        }
    }

    fn read_copy(&self, disk: &SimDisk) -> Result<Vec<LogEntry>, Failure> {
        let storage: Arc<dyn Storage> = quiet_copy(disk).storage();
        self.engine.replay_after(&storage, Position::default())
    }
}

/// Up to where the history can no longer be replayed, because a snapshot stands for it.
fn start_of_log(recovered: &Recovered<'_>) -> Position {
    let first = first_segment(recovered);
    let decided = recovered.history.decided().iter();
    let before = decided
        .filter_map(|decided| decided.position)
        .take_while(|position| position.epoch < first);
    before.last().unwrap_or_default()
}

/// The segment with which a replay begins. What a power cut has left of a prune may lie below a gap, where
/// a file system loses one removal and keeps a later one; only what a snapshot covers may be missing there.
fn first_segment(recovered: &Recovered<'_>) -> u64 {
    let epochs = segment_epochs(recovered.files.names());
    let covered = recovered.report.snapshot.map_or(0, |place| place.epoch);
    let after_gap = epochs.windows(2).rev().find(|pair| pair[0] + 1 != pair[1]);
    let after_gap = after_gap.filter(|pair| pair[1] <= covered + 1);
    let first = after_gap.map(|pair| pair[1]).or(epochs.first().copied());
    first.unwrap_or(0)
}

/// The decided records that are still in the segments from `first` on.
fn retained(history: &History, first: u64) -> Vec<ToldRecord<'_>> {
    let mut told = reader::told(history.decided());
    let gone = told.partition_point(|told| told.position.epoch < first);
    told.drain(..gone);
    told
}

impl<E: Engine, T: OpenLog + 'static> Inspected for Documented<E, T> {
    fn draw(
        &self,
        kind: CommandKind,
        workload: &Workload,
        state: &AnyState,
        stream: &mut Stream,
        ids: &mut u64,
    ) -> AnyOp {
        let mut draw = Draw {
            workload,
            stream,
            ids,
        };
        let model = state.get::<QueueState>().model();
        (self.op)(QueueOp::from(draw.command(kind, model)))
    }

    fn prepared(&self, end_of_log: &dyn Fn(&[Step]) -> u64) -> Vec<Step> {
        let op = |command: Command| (self.op)(QueueOp::from(command));
        small::prepared(op, end_of_log)
    }

    fn requeue(&self) -> Option<AnyOp> {
        let op = (self.op)(QueueOp::from(Command::Requeue));
        self.engine.requeues().then_some(op)
    }

    fn report(&self, store: &mut dyn Any) -> OpenReport {
        self.opened(store).report().clone()
    }

    fn applied(&self, store: &mut dyn Any) -> Position {
        self.opened(store).applied()
    }

    fn check_durable(&self, store: &mut dyn Any, history: &History) -> Result<usize, Finding> {
        let durable = self.opened(store).durable();
        let last = history.last_position().unwrap_or_default();
        let known = history.decided().last().and_then(|known| known.position);
        let known = known.unwrap_or_default();
        // In an empty segment what is durable is its beginning.
        let beyond = durable > last && durable.seq > 0;
        let splits = history.answered().any(|(op, last)| {
            let last = last.unwrap_or_default();
            let before = last.seq.saturating_sub(reader::records(op).len() as u64);
            durable.epoch == last.epoch && durable.seq > before && durable < last
        });
        if durable < known || beyond || splits {
            let expected = format!("what is durable to end with an append from {known} to {last}");
            return Err(Finding::new(
                Invariant::Positions,
                expected,
                durable.to_string(),
            ));
        }
        Ok(history.unpromised_after(durable))
    }

    fn check_history(
        &self,
        recovered: &mut Recovered<'_>,
        shown: usize,
    ) -> Result<Vec<Position>, Finding> {
        let view = self.view(recovered)?;
        let positions = reader::judge(recovered.history, &view)?;
        if positions.len() != shown {
            let expected = format!("{shown} ops in doubt in the log, as in the state");
            let found = format!("{} in the log", positions.len());
            return Err(Finding::new(Invariant::State, expected, found));
        }
        Ok(positions)
    }

    fn what_is_wrong(&self, recovered: &mut Recovered<'_>, state: &AnyState) -> Finding {
        let judged = self.view(recovered);
        let shown = match judged.and_then(|view| reader::judge(recovered.history, &view)) {
            Err(said) => return said,
            Ok(positions) => positions.len(),
        };
        // The log tells what it should, so the state is not what the log leads to.
        let mut told = recovered.history.decided_state();
        for op in &recovered.history.doubtful()[..shown] {
            op.apply(&mut told);
        }
        let (expected, found) = told.difference(state);
        let invariant = match recovered.report.snapshot {
            Some(_) => Invariant::SnapshotEquivalence,
            None => Invariant::State,
        };
        Finding::new(invariant, expected, found)
    }

    fn check_tidy(
        &self,
        names: &[&str],
        report: &OpenReport,
        log: &LogSettings,
    ) -> Result<(), Finding> {
        let keep = log.keep_old_snapshots;
        let finding = tidiness::after_recovery(names, report.snapshot, &report.strays, keep);
        finding.map_or(Ok(()), Err)
    }

    fn check_checkpointed(&self, names: &[&str], log: &LogSettings) -> Result<(), Finding> {
        tidiness::after_checkpoint(names, log.keep_old_snapshots).map_or(Ok(()), Err)
    }

    fn without_newest_snapshot(&self, files: &Image, report: &OpenReport) -> Option<Image> {
        let used = report.snapshot?;
        let older = files.names().filter_map(snapshot_epoch);
        let older = older.filter(|epoch| *epoch < used.epoch).max();
        let segments = segment_epochs(files.names());
        let mut bridge = older.map_or(1, |epoch| epoch + 1)..=used.epoch;
        if !bridge.all(|epoch| segments.contains(&epoch)) {
            return None;
        }
        let mut kept = files.to_files();
        kept.retain(|name, _| snapshot_epoch(name) != Some(used.epoch));
        Some(Image::from_files(kept))
    }

    fn accepted(&self, files: &Files) -> Files {
        tidiness::accepted(files)
    }

    fn has_read(&self, file: &str, report: &OpenReport) -> bool {
        let base = report.snapshot.map_or(0, |position| position.epoch);
        segment_epoch(file).is_some_and(|epoch| epoch > base) || snapshot_epoch(file) == Some(base)
    }

    fn newest_segment(&self, files: &Image) -> Option<u64> {
        files.names().filter_map(segment_epoch).max()
    }

    fn excuse_refusal(&self, damage: &InjectedDamage, failure: &Failure) -> Result<(), Finding> {
        honesty::excuse_refusal(damage, failure.file.as_deref(), &failure.text)
    }

    fn check_no_way_left(
        &self,
        damage: &InjectedDamage,
        found: &Files,
        failure: &Failure,
    ) -> Result<(), Finding> {
        match self.engine.falls_back() {
            true => honesty::no_way_left(damage, found, &failure.text),
            false => Ok(()),
        }
    }

    fn check_fall_back(
        &self,
        before: &[&str],
        after: &[&str],
        opened: bool,
        log: &LogSettings,
    ) -> Result<(), Finding> {
        if !self.engine.falls_back() {
            return Ok(());
        }
        let stay = match opened {
            // The one that was used, and the one to fall back to.
            true => 2,
            false => log.keep_old_snapshots as usize,
        };
        tidiness::fall_back_stays(before, after, stay).map_or(Ok(()), Err)
    }

    fn excuse_loss(
        &self,
        before: &Files,
        found: &Files,
        missing: &[Decided],
    ) -> Result<u64, Finding> {
        let told = reader::told(missing);
        let Some(first) = told.first() else {
            return Ok(0);
        };
        let append = told.iter().take_while(|told| told.op == first.op);
        let append_last = append.last().map_or(0, |told| told.position.seq);
        honesty::excuse_loss(before, found, first.position, append_last)?;
        Ok(told.len() as u64)
    }

    fn read_in_use(
        &self,
        recovered: &mut Recovered<'_>,
        poisoned: bool,
    ) -> Result<Readout, Finding> {
        let told = retained(recovered.history, first_segment(recovered));
        let damaged = !recovered.damaged.damage.is_empty();
        if let Some(read) = self.read_durable {
            // What another process sees of it says nothing: it may hold less than was answered.
            return match read(self.opened(recovered.store.as_any())) {
                Ok(entries) => {
                    reader::judge_reading(&told, &entries, false).map(|()| Readout::Right)
                }
                Err(_) if damaged => Ok(Readout::Excused),
                Err(failure) => Ok(Readout::Failed(failure)),
            };
        }
        for _ in 0..2 {
            match self.read_copy(recovered.disk) {
                // A poisoned log may show what is in doubt.
                Ok(entries) => reader::judge_reading(&told, &entries, poisoned)?,
                Err(_) if damaged || poisoned => return Ok(Readout::Excused),
                Err(failure) => return Ok(Readout::Failed(failure)),
            }
        }
        Ok(Readout::Right)
    }

    fn draw_rot(&self, copy: &SimDisk, stream: &mut Stream) -> Vec<DiskEvent> {
        let mut damage = Vec::new();
        for _ in 0..stream.draw(1, 3) {
            let kinds = [
                FaultKind::BitFlip,
                FaultKind::BitFlip,
                FaultKind::ZeroedSector,
            ];
            let rate = FaultRate {
                kind: *stream.pick(&kinds),
                per_mille: 1000,
                limit: 0,
                target: if stream.coin() {
                    Target::Active
                } else {
                    Target::Any
                },
                phase: Phase::Any,
            };
            damage.extend(rot(&rate, &copy.live(), &Files::new(), stream));
        }
        damage
    }

    fn read_leniently(
        &self,
        copy: &SimDisk,
        damage: &[DiskEvent],
        history: &History,
    ) -> Result<Option<(String, Vec<Mark>)>, Finding> {
        let first = segment_epochs(copy.live().names()).first().copied();
        let told = retained(history, first.unwrap_or(0));
        let before = tidiness::accepted(&copy.live().to_files());
        for damage in damage {
            copy.happen(damage);
        }
        // Where damage leaves nothing but free space at the end of the log, nothing tells that
        // there was more.
        let after = tidiness::accepted(&copy.live().to_files());
        let newest = before
            .iter()
            .rfind(|(name, _)| segment_epoch(name).is_some());
        let blanked = newest.is_some_and(|(name, bytes)| {
            after.get(name).is_none_or(|left| left.len() < bytes.len())
        });
        let damaged = copy.live().to_files();
        let storage: Arc<dyn Storage> = copy.storage();
        let (entries, skipped, unfinished_end) = match self.engine.replay_leniently(&storage) {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(None),
            Err(failure) => {
                let expected = "lenient replay to go on after damage";
                return Err(Finding::new(Invariant::Honesty, expected, failure.text));
            }
        };
        if copy.live().to_files() != damaged {
            let expected = "lenient replay to change no file";
            return Err(Finding::new(
                Invariant::Honesty,
                expected,
                "it changed some",
            ));
        }
        salvage::judge(&told, &entries, &skipped, unfinished_end || blanked)?;
        let mut marks = Vec::new();
        if !skipped.is_empty() {
            marks.push(Mark::LenientSkipped);
        }
        if skipped.iter().any(|s| s.to.is_some_and(|to| to > s.from)) {
            marks.push(Mark::LenientGroupSkipped);
        }
        let text = format!("{} of {} read", entries.len(), told.len());
        Ok(Some((text, marks)))
    }

    fn marks(&self, op: &AnyOp, text: &str) -> Vec<Mark> {
        if text == refused(Refusal::Duplicate) {
            return vec![Mark::DuplicateRefused];
        }
        let unacceptable = [
            Refusal::InvalidId,
            Refusal::InvalidPayload,
            Refusal::TooLarge,
        ];
        if unacceptable.iter().any(|refusal| text == refused(*refusal)) {
            return vec![Mark::UnacceptableRefused];
        }
        if text == refused(Refusal::NotInFlight) {
            return vec![Mark::LateReportRefused];
        }
        if text == refused(Refusal::WrongAttempt) {
            return vec![Mark::LateAttemptRefused];
        }
        let ticked = matches!(op.get::<QueueOp>().command, Command::Tick { .. });
        let records = reader::records(op).iter();
        let marks = records.flat_map(|record| match record.what {
            What::TimedOut { delay_ms: 0, .. } => vec![Mark::TimedOut],
            What::TimedOut { .. } => vec![Mark::TimedOut, Mark::Delayed],
            What::Retried { delay_ms: 0, .. } => vec![Mark::Retried],
            What::Retried { .. } => vec![Mark::Retried, Mark::Delayed],
            What::Buried { .. } => vec![Mark::DeadLetter],
            What::HeldOn { .. } if ticked => vec![Mark::WrongDeadline],
            What::HeldOn { .. } => vec![Mark::Heartbeat],
            What::Readied => vec![Mark::Readied],
            What::Revived => vec![Mark::Revived],
            What::Dropped => vec![Mark::Dropped],
            What::Enqueued { .. } | What::Dispatched | What::Acked { .. } => Vec::new(),
        });
        marks.collect()
    }

    fn marks_of_refusal(&self, file: &str, files: &Image, damage: &InjectedDamage) -> Vec<Mark> {
        let segment = segment_epoch(file);
        let newest = self.newest_segment(files);
        let first_line = damage.damages_first_line(file, &files.to_files());
        let reached = [
            (snapshot_epoch(file).is_some(), Mark::SnapshotRefused),
            (segment.is_some() && segment == newest, Mark::ActiveRefused),
            (segment.is_some() && segment != newest, Mark::SealedRefused),
            (segment.is_some() && first_line, Mark::HeaderRefused),
        ];
        let reached = reached.into_iter().filter(|(reached, _)| *reached);
        reached.map(|(_, mark)| mark).collect()
    }
}

#[cfg(test)]
mod tests;
