//! What the plain store reads of a directory: everything twice, and it changes nothing.

use beaver_storage::Storage;

use super::bug::PlainBug;
use super::files::{corrupt, not_done, read, segment_name, snapshot_name};
use super::segment::PlainSegment;
use super::snapshot::PlainSnapshot;
use beaver_sim::beaver::engine::LogEntry;
use beaver_sim::beaver::files::{segment_epoch, snapshot_epoch};
use beaver_sim::subject::{ErrorClass, Failure, Position};

/// The names in a directory, each kind in its order.
#[derive(Debug, Default)]
pub(super) struct StoreNames {
    pub(super) segments: Vec<u64>,
    pub(super) snapshots: Vec<u64>,
    pub(super) temporaries: Vec<String>,
    pub(super) strays: Vec<String>,
}

/// A directory that is read.
#[derive(Clone, Copy)]
pub(super) struct PlainReader<'d> {
    pub(super) disk: &'d dyn Storage,
    pub(super) bug: Option<PlainBug>,
}

impl PlainReader<'_> {
    fn has(&self, bug: PlainBug) -> bool {
        self.bug == Some(bug)
    }

    pub(super) fn names(&self) -> Result<StoreNames, Failure> {
        let mut names = StoreNames::default();
        for name in self.disk.list().map_err(|error| not_done(".", &error))? {
            match (segment_epoch(&name), snapshot_epoch(&name)) {
                (Some(epoch), _) => names.segments.push(epoch),
                (_, Some(epoch)) => names.snapshots.push(epoch),
                _ if name.ends_with(".tmp") => names.temporaries.push(name),
                _ => names.strays.push(name),
            }
        }
        names.segments.sort_unstable();
        names.snapshots.sort_unstable();
        Ok(names)
    }

    /// The newest snapshot, and the segments after what it stands for.
    pub(super) fn store(
        &self,
        names: &StoreNames,
    ) -> Result<(Option<PlainSnapshot>, Vec<PlainSegment>), Failure> {
        if names.segments.is_empty() && names.snapshots.is_empty() {
            return Ok((None, Vec::new()));
        }
        let newest = names.snapshots.last();
        let snapshot = newest.map(|epoch| self.snapshot(*epoch)).transpose()?;
        if self.has(PlainBug::ReplayIgnoresSnapshot) {
            let segments = self.segments(&names.segments, None)?;
            return Ok((snapshot, segments));
        }
        let boundary = snapshot.as_ref().map(|snapshot| snapshot.boundary);
        let needed = self.needed(&names.segments, boundary.map_or(0, |at| at.epoch))?;
        Ok((snapshot, self.segments(&needed, boundary)?))
    }

    fn snapshot(&self, epoch: u64) -> Result<PlainSnapshot, Failure> {
        let name = snapshot_name(epoch);
        let decode = |bytes: &[u8]| PlainSnapshot::decode(bytes, epoch, self.bug);
        let snapshot = self.read_twice(&name, decode, |_| true)?;
        snapshot.ok_or_else(|| corrupt(&name, "byte 0: the snapshot is not whole"))
    }

    /// These segments, each whole and each sealed by the next; `sealed` is the position that the
    /// first one seals.
    fn segments(
        &self,
        epochs: &[u64],
        mut sealed: Option<Position>,
    ) -> Result<Vec<PlainSegment>, Failure> {
        let lax = [
            PlainBug::NoContinuity,
            PlainBug::SeqBarelyChecked,
            PlainBug::FirstBadRecordEnds,
            PlainBug::SnapshotMovedAway,
        ];
        let lax = self.bug.is_some_and(|bug| lax.contains(&bug));
        let mut segments = Vec::new();
        for epoch in epochs {
            let name = segment_name(*epoch);
            let read = |bytes: &[u8]| PlainSegment::read(*epoch, bytes, self.bug);
            let segment = self.read_twice(&name, read, |segment| segment.damage.is_none())?;
            let segment = segment.ok_or_else(|| corrupt(&name, "byte 0: no header"))?;
            let last = Some(epoch) == epochs.last();
            if let Some(offset) = segment.damage
                && (segment.proof || !last)
                && !self.has(PlainBug::FirstBadRecordEnds)
            {
                return Err(corrupt(&name, &format!("byte {offset}: not a whole line")));
            }
            if sealed.is_some() && segment.prev != sealed && !lax {
                let why = format!("byte 0: seals {:?}, but {sealed:?} was found", segment.prev);
                return Err(corrupt(&name, &why));
            }
            sealed = Some(segment.last());
            segments.push(segment);
        }
        Ok(segments)
    }

    /// Reads a file twice. The second reading counts, unless the first alone is whole: a read that
    /// is wrong once must cost nothing.
    fn read_twice<T>(
        &self,
        name: &str,
        decode: impl Fn(&[u8]) -> Option<T>,
        is_whole: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, Failure> {
        let read = || {
            read(self.disk, name).map_err(|failure| match self.has(PlainBug::ReadErrorIsDamage) {
                true => corrupt(name, &format!("byte 0: {}", failure.text)),
                false => failure,
            })
        };
        let (first, second) = (read()?, read()?);
        let found = decode(&second);
        if first == second || found.as_ref().is_some_and(&is_whole) {
            return Ok(found);
        }
        match decode(&first).filter(is_whole) {
            Some(found) => Ok(Some(found)),
            None => Err(Failure {
                class: ErrorClass::NotDone,
                ..corrupt(name, "two reads differ, and neither is whole")
            }),
        }
    }

    /// The epochs that must be read: all above `base`, without a gap.
    fn needed(&self, segments: &[u64], base: u64) -> Result<Vec<u64>, Failure> {
        let above = segments.iter().copied().filter(|epoch| *epoch > base);
        let needed: Vec<u64> = above.collect();
        let start = match needed.first() {
            Some(first) if self.has(PlainBug::SnapshotMovedAway) => *first,
            _ => base + 1,
        };
        // A prune that was interrupted may leave any of the segments below the snapshot.
        let contiguous = match self.bug {
            Some(PlainBug::ContiguityEverywhere) => segments,
            _ => &needed,
        };
        let gap = contiguous.windows(2).any(|pair| pair[0] + 1 != pair[1]);
        if gap || needed.first() != Some(&start) {
            let why = format!("the segments {segments:?} are not all there");
            return Err(corrupt("", &why));
        }
        Ok(needed)
    }

    /// The history after `after`, read strictly.
    pub(super) fn history(&self, after: Position) -> Result<Vec<LogEntry>, Failure> {
        let mut epochs = self.names()?.segments;
        epochs.retain(|epoch| *epoch >= after.epoch);
        let mut entries = Vec::new();
        for segment in self.segments(&epochs, None)? {
            let epoch = segment.epoch;
            for event in segment.events {
                let seq = event.seq;
                let position = Position { epoch, seq };
                match event.record {
                    Some(record) if position > after => {
                        entries.push(LogEntry { position, record });
                    }
                    None if !self.has(PlainBug::UnknownTypeIgnored) => {
                        return Err(unknown_type(position));
                    }
                    _ => {}
                }
            }
        }
        Ok(entries)
    }
}

/// The refusal of an event that this program does not know.
pub(super) fn unknown_type(position: Position) -> Failure {
    let why = format!("{position}: an event of an unknown type");
    corrupt(&segment_name(position.epoch), &why)
}
