//! The plain store's recovery: read everything twice, change nothing; only then make it
//! trustworthy.

use std::sync::{Arc, Mutex};

use beaver::{Access, Storage};
use serde::{Deserialize, Serialize};

use super::bug::Bug;
use super::files::{
    corrupt, not_done, prepare, publish, read, remove, segment_name, snapshot_name, write,
};
use super::line;
use super::process::{Active, PlainProcess};
use super::queue::Queue;
use super::segment::{self, Segment};
use beaver_sim::oracle::damage::{segment_epoch, snapshot_epoch};
use beaver_sim::oracle::history::Place;
use beaver_sim::oracle::judge::Entry;
use beaver_sim::subject::{Failure, Grave, Report};

/// What a snapshot holds.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) applied: (u64, u64),
    pub(super) queue: Queue,
}

/// The names in a directory.
struct Listing {
    segments: Vec<u64>,
    snapshots: Vec<u64>,
    temporaries: Vec<String>,
    strays: Vec<String>,
}

/// A segment that was read.
struct ReadSegment {
    epoch: u64,
    bytes: Vec<u8>,
    segment: Segment,
}

/// The place up to which a snapshot stands for the log, and what it holds.
type Base = Option<((u64, u64), Stored)>;

fn list(disk: &dyn Storage) -> Result<Listing, Failure> {
    let names = disk.list().map_err(|error| not_done(".", &error))?;
    let mut listing = Listing {
        segments: names
            .iter()
            .filter_map(|name| segment_epoch(name))
            .collect(),
        snapshots: names
            .iter()
            .filter_map(|name| snapshot_epoch(name))
            .collect(),
        temporaries: Vec::new(),
        strays: Vec::new(),
    };
    listing.segments.sort_unstable();
    listing.snapshots.sort_unstable();
    for name in names {
        if name.ends_with(".tmp") {
            listing.temporaries.push(name);
        } else if segment_epoch(&name).is_none() && snapshot_epoch(&name).is_none() {
            listing.strays.push(name);
        }
    }
    Ok(listing)
}

/// Reads a file twice; `judge` says what it means, if it is whole. Of two readings the whole one
/// counts.
fn read_twice<T>(
    disk: &dyn Storage,
    name: &str,
    judge: impl Fn(&[u8]) -> (T, bool),
) -> Result<(Vec<u8>, T), Failure> {
    let (first, second) = (read(disk, name)?, read(disk, name)?);
    let (meaning, whole) = judge(&second);
    if whole || first == second {
        return Ok((second, meaning));
    }
    let (meaning, whole) = judge(&first);
    if whole {
        return Ok((first, meaning));
    }
    let mut failure = corrupt(name, "two reads differ, and neither is whole");
    failure.grave = Grave::NotDone;
    Err(failure)
}

fn load_snapshot(
    disk: &dyn Storage,
    epoch: u64,
    bug: Option<Bug>,
) -> Result<((u64, u64), Stored), Failure> {
    let name = snapshot_name(epoch);
    let parse = |bytes: &[u8]| {
        let found = parse_snapshot(bytes, epoch, bug);
        let whole = found.is_some();
        (found, whole)
    };
    let (_, found) = read_twice(disk, &name, parse)?;
    found.ok_or_else(|| corrupt(&name, "byte 0: the snapshot is not whole"))
}

fn parse_snapshot(bytes: &[u8], epoch: u64, bug: Option<Bug>) -> Option<((u64, u64), Stored)> {
    let document = bytes.strip_suffix(b"\n")?;
    let kind = beaver::ChecksumKind::Snapshot;
    let checked = beaver::verify_checksum(kind, beaver::Epoch(epoch), document).is_ok();
    if !checked && bug != Some(Bug::SnapshotNotChecked) {
        return None;
    }
    let value: serde_json::Value = serde_json::from_slice(document).ok()?;
    if value["epoch"].as_u64()? != epoch {
        return None;
    }
    let stored = serde_json::from_value(value["state"].clone()).ok()?;
    Some(((epoch, value["last_seq"].as_u64()?), stored))
}

/// The document of a snapshot.
pub(super) fn snapshot_bytes(boundary: (u64, u64), stored: &Stored) -> Vec<u8> {
    let state = serde_json::to_string(stored).expect("a queue has no keys that JSON cannot have");
    let (epoch, last_seq) = boundary;
    let body = format!(
        "{{\"snapshot\":\"beaver\",\"version\":1,\"epoch\":{epoch},\"last_seq\":{last_seq},\"state\":{state}"
    );
    line::snapshot(epoch, &body)
}

/// The segments above `base`, each whole and each sealed by the next.
fn read_segments(
    disk: &dyn Storage,
    epochs: &[u64],
    base: Option<(u64, u64)>,
    bug: Option<Bug>,
) -> Result<Vec<ReadSegment>, Failure> {
    let mut read: Vec<ReadSegment> = Vec::new();
    let mut sealed = base;
    for (index, epoch) in epochs.iter().enumerate() {
        let name = segment_name(*epoch);
        let parse = |bytes: &[u8]| {
            let found = segment::read(*epoch, bytes, bug);
            let whole = found.as_ref().is_some_and(|found| found.damage.is_none());
            (found, whole)
        };
        let (bytes, segment) = read_twice(disk, &name, parse)?;
        let segment = segment.ok_or_else(|| corrupt(&name, "byte 0: no header"))?;
        let last = index + 1 == epochs.len();
        if let Some(offset) = segment.damage
            && (segment.proof || !last)
            && bug != Some(Bug::FirstBadRecordEnds)
        {
            return Err(corrupt(&name, &format!("byte {offset}: not a whole line")));
        }
        let lax = matches!(
            bug,
            Some(
                Bug::NoContinuity
                    | Bug::SeqBarelyChecked
                    | Bug::FirstBadRecordEnds
                    | Bug::SnapshotMovedAway
            )
        );
        if sealed.is_some() && segment.prev != sealed && !lax {
            let why = format!("byte 0: seals {:?}, but {sealed:?} was found", segment.prev);
            return Err(corrupt(&name, &why));
        }
        sealed = Some((*epoch, segment.last_seq()));
        read.push(ReadSegment {
            epoch: *epoch,
            bytes,
            segment,
        });
    }
    Ok(read)
}

/// The epochs that must be read: all above `base`, without a gap.
fn chain(segments: &[u64], base: u64, bug: Option<Bug>) -> Result<Vec<u64>, Failure> {
    let needed: Vec<u64> = segments
        .iter()
        .copied()
        .filter(|epoch| *epoch > base)
        .collect();
    let start = match bug {
        Some(Bug::SnapshotMovedAway) => needed.first().copied().unwrap_or(1),
        _ => base + 1,
    };
    let looked_at = match bug {
        Some(Bug::ContiguityEverywhere) => segments,
        _ => &needed,
    };
    let gap = looked_at.windows(2).any(|pair| pair[0] + 1 != pair[1]);
    if gap || needed.first() != Some(&start) {
        return Err(corrupt(
            "",
            &format!("the segments {segments:?} are not all there"),
        ));
    }
    Ok(needed)
}

/// The history that a directory tells behind `after`, read strictly.
pub(super) fn history(
    disk: &dyn Storage,
    after: Place,
    bug: Option<Bug>,
) -> Result<Vec<Entry>, Failure> {
    let listing = list(disk)?;
    let epochs: Vec<u64> = listing
        .segments
        .iter()
        .copied()
        .filter(|epoch| *epoch >= after.epoch)
        .collect();
    let mut entries = Vec::new();
    for read in read_segments(disk, &epochs, None, bug)? {
        for event in read.segment.events {
            let place = Place {
                epoch: read.epoch,
                seq: event.seq,
            };
            match event.record {
                Some(record) if place > after => entries.push(Entry { place, record }),
                None if bug != Some(Bug::UnknownTypeIgnored) => {
                    return Err(corrupt(
                        &segment_name(read.epoch),
                        "an event of an unknown type",
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(entries)
}

/// A store that is being opened.
pub(super) struct Opening {
    pub(super) disk: Arc<dyn Storage>,
    pub(super) bug: Option<Bug>,
    pub(super) now_ms: u64,
}

impl Opening {
    /// Recovers what is there, or makes a new store.
    pub(super) fn open(self) -> Result<(PlainProcess, Report), Failure> {
        let lock = self.disk.lock().map_err(|error| not_done("LOCK", &error))?;
        let listing = list(&*self.disk)?;
        let mut report = Report {
            strays: listing.strays.clone(),
            ..Report::default()
        };
        let mut base: Base = None;
        let mut read = Vec::new();
        if !listing.segments.is_empty() || !listing.snapshots.is_empty() {
            if let Some(newest) = listing.snapshots.last() {
                base = Some(load_snapshot(&*self.disk, *newest, self.bug)?);
            }
            let covered = base.as_ref().map(|(boundary, _)| *boundary);
            let epochs = match self.bug {
                Some(Bug::ReplayIgnoresSnapshot) => listing.segments.clone(),
                _ => chain(
                    &listing.segments,
                    covered.map_or(0, |(epoch, _)| epoch),
                    self.bug,
                )?,
            };
            let sealed = covered.filter(|_| self.bug != Some(Bug::ReplayIgnoresSnapshot));
            read = read_segments(&*self.disk, &epochs, sealed, self.bug)?;
        }
        let boundary = base.as_ref().map(|(boundary, _)| *boundary);
        let (queue, applied) = self.replay(base, &read)?;
        report.snapshot = boundary.map(|(epoch, seq)| Place { epoch, seq });
        let active = match read.pop() {
            Some(last) => self.trust(last, &mut report)?,
            None => self.create()?,
        };
        self.clean_up(&listing, boundary, &mut report);
        let process = PlainProcess {
            disk: self.disk,
            lock,
            bug: self.bug,
            clock: None,
            queue,
            applied,
            active,
            snapshot: boundary.map(|(epoch, _)| epoch),
            trouble: None,
            buffer: Vec::new(),
            stale: None,
            glimpse: Arc::new(Mutex::new(applied)),
        };
        Ok((process, report))
    }

    fn replay(&self, base: Base, read: &[ReadSegment]) -> Result<(Queue, Place), Failure> {
        let (mut queue, mut applied) = (Queue::default(), Place::default());
        let mut last_seq = 0;
        if let Some((boundary, stored)) = base {
            queue = Queue::from_snapshot(stored.queue, self.bug);
            let (epoch, seq) = stored.applied;
            applied = Place { epoch, seq };
            last_seq = boundary.1;
        }
        for segment in read {
            for event in &segment.segment.events {
                let place = Place {
                    epoch: segment.epoch,
                    seq: event.seq,
                };
                let covered = match self.bug {
                    Some(Bug::FilterWithoutEpoch) => event.seq <= last_seq,
                    Some(Bug::ReplayIgnoresSnapshot) => false,
                    Some(Bug::NoContinuity | Bug::SeqBarelyChecked) => {
                        segment.epoch < applied.epoch
                    }
                    _ => place <= applied,
                };
                if covered {
                    continue;
                }
                let name = segment_name(segment.epoch);
                match &event.record {
                    Some(record) => {
                        let replayed = queue.replay(record, self.now_ms, self.bug);
                        replayed.map_err(|why| corrupt(&name, &format!("{place}: {why}")))?;
                    }
                    None if self.bug == Some(Bug::UnknownTypeIgnored) => {}
                    None => {
                        let why = format!("{place}: an event of an unknown type");
                        return Err(corrupt(&name, &why));
                    }
                }
                applied = place;
            }
        }
        if self.bug == Some(Bug::LockHeldInReplay) && queue.has_in_flight() {
            // Whoever waits for a lock that he holds himself waits for ever; here, until the
            // simulator counts no more.
            while self.disk.list().is_ok() {}
        }
        Ok((queue, applied))
    }

    /// Makes the active segment durable as it was read.
    fn trust(&self, read: ReadSegment, report: &mut Report) -> Result<Active, Failure> {
        let name = segment_name(read.epoch);
        let failed = |error: std::io::Error| not_done(&name, &error);
        let ReadSegment {
            epoch,
            bytes,
            segment,
        } = read;
        self.disk.sync_dir().map_err(failed)?;
        let torn = bytes[segment.end.min(bytes.len())..]
            .iter()
            .any(|byte| !matches!(byte, b'\n' | 0));
        if torn {
            report.torn_tail = Some((name.clone(), segment.end as u64));
            if self.bug == Some(Bug::RepairThrowsAway) {
                self.disk.remove(&name).map_err(failed)?;
                return self.begin(epoch, segment.prev);
            }
        }
        let file = self.disk.open(&name, Access::Write).map_err(failed)?;
        let accepted = segment.repaired.as_deref().unwrap_or(&bytes[..segment.end]);
        file.set_len(segment.end as u64).map_err(failed)?;
        write(&*file, accepted, 0).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        let last_seq = segment.last_seq();
        Ok(Active {
            epoch,
            file,
            prev: segment.prev,
            next_seq: if self.bug == Some(Bug::SeqRestartsAtOpen) {
                1
            } else {
                last_seq + 1
            },
            end: segment.end as u64,
            after_marker: segment.after_marker,
        })
    }

    /// Makes the first segment of a new store.
    fn create(&self) -> Result<Active, Failure> {
        self.begin(1, None)
    }

    fn begin(&self, epoch: u64, prev: Option<(u64, u64)>) -> Result<Active, Failure> {
        let (name, header) = (segment_name(epoch), line::header(epoch, prev));
        let file = prepare(&*self.disk, &name, &header)?;
        publish(&*self.disk, &name)?;
        Ok(Active::new(epoch, prev, file, header.len() as u64))
    }

    /// Removes what nobody needs. What cannot be removed does no harm.
    fn clean_up(&self, listing: &Listing, boundary: Option<(u64, u64)>, report: &mut Report) {
        let covered = boundary.map_or(0, |(epoch, _)| epoch);
        let segments = listing.segments.iter().filter(|epoch| **epoch <= covered);
        let snapshots = listing.snapshots.iter().filter(|epoch| **epoch < covered);
        let leftovers = snapshots
            .map(|epoch| snapshot_name(*epoch))
            .chain(segments.map(|epoch| segment_name(*epoch)));
        for name in leftovers {
            report.leftovers += usize::from(remove(&*self.disk, &name).is_ok());
        }
        for name in &listing.temporaries {
            report.temporaries += usize::from(remove(&*self.disk, name).is_ok());
        }
        if report.leftovers + report.temporaries > 0 {
            let _ = self.disk.sync_dir();
        }
    }
}
