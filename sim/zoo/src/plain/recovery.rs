//! The plain store's recovery: only when everything was read and replayed does it change anything.

use std::sync::{Arc, Mutex};

use beaver::{Access, Storage};
use beaver_storage::write_all;

use super::bug::PlainBug;
use super::files::{
    corrupt, not_done, prepare, publish, read, remove, segment_name, snapshot_name,
};
use super::line;
use super::process::{PlainProcess, WritableSegment};
use super::reader::{PlainReader, StoreNames, unknown_type};
use super::rules;
use super::segment::PlainSegment;
use super::snapshot::PlainSnapshot;
use beaver_sim::beaver::model::{Model, Standing};
use beaver_sim::subject::{Failure, Machine, OpenReport, Position};

/// Recovers what is there, or makes a new store.
pub(super) fn open(
    machine: &Machine,
    bug: Option<PlainBug>,
) -> Result<(PlainProcess, OpenReport), Failure> {
    let recovery = PlainRecovery {
        disk: &*machine.storage,
        bug,
        now_ms: machine.clock.now_ms(),
    };
    let lock = machine.storage.lock();
    let lock = lock.map_err(|error| not_done("LOCK", &error))?;
    let reader = PlainReader {
        disk: &*machine.storage,
        bug,
    };
    let names = reader.names()?;
    recovery.drop_cache(&names)?;
    if recovery.has(PlainBug::CutBeforeVerified) {
        recovery.cut_early(&names)?;
    }
    let (snapshot, mut segments) = reader.store(&names)?;
    let boundary = snapshot.as_ref().map(|snapshot| snapshot.boundary);
    let (state, applied) = recovery.replay(snapshot, &segments)?;
    let mut report = OpenReport {
        snapshot: boundary,
        strays: names.strays.clone(),
        ..OpenReport::default()
    };
    let active = match segments.pop() {
        Some(last) => recovery.make_durable(last, &mut report)?,
        None => recovery.begin(1, None)?,
    };
    recovery.clean_up(&names, boundary.map_or(0, |at| at.epoch), &mut report);
    let process = PlainProcess {
        disk: Arc::clone(&machine.storage),
        lock,
        bug,
        clock: Arc::clone(&machine.clock),
        state,
        applied,
        active,
        snapshot: boundary.map(|at| at.epoch),
        trouble: None,
        buffer: Vec::new(),
        stale: None,
        applied_now: Arc::new(Mutex::new(applied)),
    };
    Ok((process, report))
}

struct PlainRecovery<'d> {
    disk: &'d dyn Storage,
    bug: Option<PlainBug>,
    now_ms: u64,
}

impl PlainRecovery<'_> {
    fn has(&self, bug: PlainBug) -> bool {
        self.bug == Some(bug)
    }

    /// The state, and the last position that is in it.
    fn replay(
        &self,
        snapshot: Option<PlainSnapshot>,
        segments: &[PlainSegment],
    ) -> Result<(Model, Position), Failure> {
        let (boundary, mut applied, mut state) = match snapshot {
            Some(snapshot) => (snapshot.boundary, snapshot.applied, snapshot.state),
            None => Default::default(),
        };
        for segment in segments {
            let epoch = segment.epoch;
            for event in &segment.events {
                let position = Position {
                    epoch,
                    seq: event.seq,
                };
                let covered = match self.bug {
                    Some(PlainBug::FilterWithoutEpoch) => event.seq <= boundary.seq,
                    Some(PlainBug::ReplayIgnoresSnapshot) => false,
                    Some(PlainBug::NoContinuity | PlainBug::SeqBarelyChecked) => {
                        epoch < applied.epoch
                    }
                    _ => position <= applied,
                };
                if covered {
                    continue;
                }
                if let Some(record) = &event.record {
                    let replayed = rules::replay(&mut state, record, self.now_ms, self.bug);
                    replayed.map_err(|why| {
                        corrupt(&segment_name(epoch), &format!("{position}: {why}"))
                    })?;
                } else if !self.has(PlainBug::UnknownTypeIgnored) {
                    return Err(unknown_type(position));
                }
                applied = position;
            }
        }
        let in_flight = |standing| matches!(standing, Standing::InFlight { .. });
        if self.has(PlainBug::LockHeldInReplay) && state.open().any(|job| in_flight(job.standing)) {
            // A wait for a lock that the waiting thread holds never ends; here, until the budget of
            // storage calls is used up.
            while self.disk.list().is_ok() {}
        }
        Ok((state, applied))
    }

    /// Lets the newest segment be read as the disk has it, not as a failed sync has left it in the cache.
    fn drop_cache(&self, names: &StoreNames) -> Result<(), Failure> {
        let Some(epoch) = names.segments.last() else {
            return Ok(());
        };
        let name = segment_name(*epoch);
        let failed = |error: std::io::Error| not_done(&name, &error);
        let file = self.disk.open(&name, Access::Write).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        // A system that cannot is what the rewrite below is for.
        let _ = file.drop_cache();
        Ok(())
    }

    /// Cuts what is torn off the newest segment, on the word of one read.
    fn cut_early(&self, names: &StoreNames) -> Result<(), Failure> {
        let Some(epoch) = names.segments.last() else {
            return Ok(());
        };
        let name = segment_name(*epoch);
        let bytes = read(self.disk, &name)?;
        let segment = PlainSegment::read(*epoch, &bytes, self.bug);
        let end = segment.map_or(bytes.len(), |segment| segment.accepted.len());
        let failed = |error: std::io::Error| not_done(&name, &error);
        let file = self.disk.open(&name, Access::Write).map_err(failed)?;
        file.set_len(end as u64).map_err(failed)
    }

    /// Makes the active segment durable as it was read.
    fn make_durable(
        &self,
        read: PlainSegment,
        report: &mut OpenReport,
    ) -> Result<WritableSegment, Failure> {
        let name = segment_name(read.epoch);
        let failed = |error: std::io::Error| not_done(&name, &error);
        self.disk.sync_dir().map_err(failed)?;
        let end = read.accepted.len() as u64;
        if read.torn {
            report.torn_tail = Some((name.clone(), end));
            if self.has(PlainBug::RepairThrowsAway) {
                self.disk.remove(&name).map_err(failed)?;
                return self.begin(read.epoch, read.prev);
            }
        }
        let file = self.disk.open(&name, Access::Write).map_err(failed)?;
        file.set_len(end).map_err(failed)?;
        // A sync of clean pages writes nothing, so what was read is made dirty again.
        write_all(&*file, &read.accepted, 0).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        let mut active = WritableSegment::new(read.epoch, read.prev, file, end);
        if !self.has(PlainBug::SeqRestartsAtOpen) {
            active.next_seq = read.last().seq + 1;
        }
        active.after_marker = read.after_marker;
        Ok(active)
    }

    /// Makes a segment that has a header and nothing else.
    fn begin(&self, epoch: u64, prev: Option<Position>) -> Result<WritableSegment, Failure> {
        let (name, header) = (segment_name(epoch), line::header(epoch, prev));
        let file = prepare(self.disk, &name, &header)?;
        publish(self.disk, &name)?;
        Ok(WritableSegment::new(epoch, prev, file, header.len() as u64))
    }

    /// Removes what is not needed. What cannot be removed does no harm.
    fn clean_up(&self, names: &StoreNames, covered: u64, report: &mut OpenReport) {
        let snapshots = names.snapshots.iter().filter(|epoch| **epoch < covered);
        let segments = names.segments.iter().filter(|epoch| **epoch <= covered);
        let leftovers = snapshots
            .map(|epoch| snapshot_name(*epoch))
            .chain(segments.map(|epoch| segment_name(*epoch)));
        for name in leftovers {
            report.leftovers += usize::from(remove(self.disk, &name).is_ok());
        }
        for name in &names.temporaries {
            report.temporaries += usize::from(remove(self.disk, name).is_ok());
        }
        if report.leftovers + report.temporaries > 0 {
            let _ = self.disk.sync_dir();
        }
    }
}
