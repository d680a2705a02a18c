//! What is in a store, and everything that is wrong with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::salvage_reader::{SalvageItem, SalvageReader, SteppedOver};
use super::{StoreProblem, problem_of, while_in_use};
use crate::directory;
use crate::error::{Error, Result};
use crate::format::{VERSION, WITHOUT_IDENTITY};
use crate::lineage;
use crate::log_event::LogEvent;
use crate::names::{self, Listing};
use crate::position::{Epoch, Position};
use crate::snapshot;
use crate::storage::{Access, Storage};
use crate::store_id::StoreId;
use crate::wal::line::Line;
use crate::wal::{LostRange, PlacedLine, PrevLink, Segment, TornTail, header};

/// What is in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Segment files.
    pub segments: u64,
    /// Snapshot files.
    pub snapshots: u64,
    /// Valid events, those that do not decode included.
    pub events: u64,
    /// Valid events by type.
    pub by_kind: BTreeMap<&'static str, u64>,
    /// Markers.
    pub markers: u64,
    /// How many segments and valid snapshots there are of each format version.
    pub versions: BTreeMap<u64, u64>,
    /// Whose store it is. Nothing where all files are of format version 1: that cannot be told.
    pub store: Option<StoreId>,
    /// The first event.
    pub first: Option<Position>,
    /// The last event.
    pub last: Option<Position>,
    /// The earliest time stamp, in milliseconds since the Unix epoch.
    pub earliest_ms: Option<u64>,
    /// The latest time stamp, in milliseconds since the Unix epoch.
    pub latest_ms: Option<u64>,
    /// Bytes of valid lines, newlines included.
    pub line_bytes: u64,
    /// Bytes of segments: lines, damage and free space.
    pub segment_bytes: u64,
    /// Bytes of snapshots.
    pub snapshot_bytes: u64,
    /// Everything that is wrong, in the order of the files. Empty: the store is whole.
    pub problems: Vec<StoreProblem>,
    /// Events that an earlier repair could not save. Not a problem: the log says so itself.
    pub lost: Vec<LostRange>,
    /// An unfinished end, torn or in flight. Not a problem: nothing of it was acknowledged.
    pub torn_tail: Option<TornTail>,
    /// Files that are not part of a store, and unfinished ones.
    pub strays: Vec<String>,
}

/// Counts what is in a store and finds everything that is wrong with it, not only the first thing.
///
/// # Errors
/// [`Error::Storage`] if something cannot be read.
pub fn stats<E: LogEvent>(storage: &Arc<dyn Storage>) -> Result<Stats> {
    let listing = directory::list(&**storage)?;
    let mut stats = Stats {
        segments: listing.segments.len() as u64,
        snapshots: listing.snapshots.len() as u64,
        strays: listing
            .strays
            .iter()
            .chain(&listing.temporaries)
            .cloned()
            .collect(),
        ..Stats::default()
    };
    if listing.is_unfinished {
        let reason = "the copy that is made here is not finished: this is no store yet";
        stats.problem(names::UNFINISHED, 0, reason);
    }
    let snapshots = count_snapshots(&**storage, &listing, &mut stats)?;
    for (epoch, reason) in lineage::contradictions(&**storage, &listing)? {
        stats.problem(&last_file(&listing, epoch), 0, reason);
    }
    let mut sealed = None;
    for (index, epoch) in listing.segments.iter().enumerate() {
        let is_active = index + 1 == listing.segments.len();
        let (counted, end) = while_in_use(|| {
            let mut counted = stats.clone();
            let segment = Segment::open(&**storage, *epoch, Access::Read)?;
            counted.check_chain(&segment, sealed, &snapshots)?;
            let end = counted.count_segment::<E>(&**storage, &segment, is_active)?;
            Ok((counted, end))
        })?;
        (stats, sealed) = (counted, Some(end));
    }
    stats.check_start(&listing, &snapshots);
    Ok(stats)
}

/// Everything that is wrong with a store. Empty: a strict reader reads it to its end.
///
/// # Errors
/// As [`stats`].
pub fn validate<E: LogEvent>(storage: &Arc<dyn Storage>) -> Result<Vec<StoreProblem>> {
    stats::<E>(storage).map(|stats| stats.problems)
}

/// The positions of the valid snapshots; notes the damaged ones.
fn count_snapshots(
    storage: &dyn Storage,
    listing: &Listing,
    stats: &mut Stats,
) -> Result<BTreeMap<Epoch, Position>> {
    let mut valid = BTreeMap::new();
    for epoch in &listing.snapshots {
        let file = names::snapshot(*epoch);
        match snapshot::read(storage, *epoch) {
            Ok(Ok(snapshot)) => {
                stats.identify(snapshot.boundary.store);
                valid.insert(*epoch, snapshot.boundary.position);
            }
            Ok(Err(damaged)) => stats.problem(&file, 0, damaged.error.to_string()),
            // Everything that is wrong is listed, so a newer format does not end the list.
            Err(error @ Error::Version { .. }) => stats.problem(&file, 0, error.to_string()),
            Err(error) => return Err(error),
        }
        stats.snapshot_bytes += length(storage, &file)?;
    }
    Ok(valid)
}

/// The last of the files that say where an epoch ends.
fn last_file(listing: &Listing, epoch: Epoch) -> String {
    match listing.segments.binary_search(&epoch.next()) {
        Ok(_) => names::segment(epoch.next()),
        Err(_) => names::snapshot(epoch),
    }
}

fn length(storage: &dyn Storage, name: &str) -> Result<u64> {
    let file = storage.open(name, Access::Read);
    let file = file.map_err(|error| Error::storage("open", name, error))?;
    file.len()
        .map_err(|error| Error::storage("len", name, error))
}

impl Stats {
    /// Which format the files have, and whose they are, in words.
    #[must_use]
    pub fn identity(&self) -> String {
        let is_old = self.versions.contains_key(&WITHOUT_IDENTITY);
        match self.store {
            Some(store) if is_old => format!("store {store}, of format versions 1 and 2"),
            Some(store) => format!("store {store}, of format version 2"),
            None => "of format version 1, which does not say whose a file is".to_owned(),
        }
    }

    fn problem(&mut self, file: &str, offset: u64, reason: impl Into<String>) {
        self.problems.push(StoreProblem::new(file, offset, reason));
    }

    /// Takes note of a file of this store; of version 1 without one.
    fn identify(&mut self, store: Option<StoreId>) {
        let version = store.map_or(WITHOUT_IDENTITY, |_| VERSION);
        *self.versions.entry(version).or_default() += 1;
        self.store = self.store.or(store);
    }

    /// Whether the segment follows the one before it, and the snapshot of the epoch before it.
    fn check_chain(
        &mut self,
        segment: &Segment,
        before: Option<Position>,
        snapshots: &BTreeMap<Epoch, Position>,
    ) -> Result<()> {
        let header = match header(segment) {
            Ok(header) => header,
            Err(error @ Error::Storage { .. }) => return Err(error),
            Err(_) => return Ok(()), // `count_segment` reports it.
        };
        self.identify(header.store);
        let seal = PrevLink::Unknown.check(&segment.name, &header);
        if let Err(Error::Corrupt { reason, .. }) = seal {
            self.problem(&segment.name, 0, reason);
            return Ok(());
        }
        let prev = header.prev.map(|prev| prev.position);
        // What the header seals must be where the segment before really ends, and where a snapshot
        // of that epoch ends: each of the two may be missing.
        let epoch_before = Epoch(segment.epoch.0 - 1);
        let expected = match before {
            Some(before) if before.epoch == epoch_before => Some(before),
            Some(before) => {
                let reason = format!("no segment between epoch {} and this one", before.epoch);
                self.problem(&segment.name, 0, reason);
                None
            }
            None => None,
        };
        for expected in expected
            .into_iter()
            .chain(snapshots.get(&epoch_before).copied())
        {
            if prev != Some(expected) {
                let found = prev.map_or_else(|| "nothing".to_owned(), |prev| prev.to_string());
                let reason = format!("the header seals {found}, but before it lies {expected}");
                self.problem(&segment.name, 0, reason);
            }
        }
        Ok(())
    }

    /// Whether the log reaches back to its start or to a snapshot, and goes on after the newest
    /// snapshot.
    fn check_start(&mut self, listing: &Listing, snapshots: &BTreeMap<Epoch, Position>) {
        let newest = listing.snapshots.last();
        let last = listing.segments.last();
        if let Some(newest) = newest.filter(|newest| last.is_none_or(|last| last <= newest)) {
            self.problem(
                &names::snapshot(*newest),
                0,
                "no segment follows this snapshot",
            );
        }
        let Some(first) = listing.segments.first().filter(|first| first.0 > 1) else {
            return;
        };
        if !snapshots.keys().any(|epoch| epoch.next() >= *first) {
            self.problem(
                &names::segment(*first),
                0,
                "no segment or valid snapshot leads to this one",
            );
        }
    }

    /// Counts one segment. Answers with its last position.
    fn count_segment<E: LogEvent>(
        &mut self,
        storage: &dyn Storage,
        segment: &Segment,
        is_active: bool,
    ) -> Result<Position> {
        self.segment_bytes += segment.limit;
        let mut reader = SalvageReader::new(storage, segment);
        let mut append_start = None;
        let mut is_damaged = false;
        loop {
            reader.lines(|offset, line, bytes| {
                self.line::<E>(segment, offset, line, bytes, &mut append_start);
            });
            let item = match reader.next() {
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(error @ Error::Version { .. }) => {
                    self.problem(&segment.name, 0, error.to_string());
                    break;
                }
                Err(error) => return Err(error),
            };
            match item {
                SalvageItem::Line(PlacedLine {
                    offset,
                    line,
                    bytes,
                }) => self.line::<E>(segment, offset, line, bytes, &mut append_start),
                SalvageItem::Damage(damaged) => {
                    // What a strict reader meets first decides; the rest is a list of problems.
                    let is_first = !std::mem::replace(&mut is_damaged, true);
                    let damaged = match is_active && is_first {
                        true => reader.judge(damaged)?,
                        false => damaged,
                    };
                    self.damage(segment, is_active, damaged, append_start.take());
                }
                SalvageItem::End(_) => {}
            }
        }
        Ok(segment.epoch.at(reader.last()))
    }

    /// Counts one valid line. `append_start` is where the append begins that is not complete yet.
    fn line<E: LogEvent>(
        &mut self,
        segment: &Segment,
        offset: u64,
        line: Line<'_>,
        bytes: &[u8],
        append_start: &mut Option<u64>,
    ) {
        self.line_bytes += bytes.len() as u64;
        match line {
            Line::Event(envelope, body) => {
                let start = append_start.take().unwrap_or(offset);
                *append_start = envelope.more.then_some(start);
                let position = segment.epoch.at(envelope.seq);
                self.events += 1;
                self.first.get_or_insert(position);
                self.last = Some(position);
                match E::describe(body) {
                    Ok((kind, now_ms)) => self.event(kind, now_ms),
                    Err(error) => {
                        let reason = format!("event {position} cannot be decoded: {error}");
                        self.problem(&segment.name, offset, reason);
                    }
                }
            }
            Line::Marker(_) => self.markers += 1,
            Line::Lost(from, to) => {
                let from = segment.epoch.at(from);
                self.lost.push(LostRange { from, to });
            }
            Line::Header(_) => {}
        }
    }

    fn event(&mut self, kind: &'static str, now_ms: Option<u64>) {
        *self.by_kind.entry(kind).or_default() += 1;
        if let Some(now_ms) = now_ms {
            self.earliest_ms = Some(self.earliest_ms.map_or(now_ms, |ms| ms.min(now_ms)));
            self.latest_ms = Some(self.latest_ms.map_or(now_ms, |ms| ms.max(now_ms)));
        }
    }

    fn damage(
        &mut self,
        segment: &Segment,
        is_active: bool,
        damaged: SteppedOver,
        append_start: Option<u64>,
    ) {
        let from = append_start.unwrap_or(damaged.damage.offset);
        match damaged.torn_tail(segment, from).filter(|_| is_active) {
            Some(torn) => self.torn_tail = Some(torn),
            None => self.problems.push(problem_of(segment, damaged)),
        }
    }
}
