//! What must hold for any log, whatever is in its files.

use std::sync::Arc;

use beaver::inspect::{self, SalvageReport};
use beaver::wal::{LogReader, LostRange, ReplayReport};
use beaver::{DecodeError, Error, LogEvent, Position, Storage, StoreId, Wal, WalOptions};
use beaver_disk::SimDisk;

use super::empty;

/// An event that may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnyEvent(Vec<u8>);

impl LogEvent for AnyEvent {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        Ok(AnyEvent(json.to_vec()))
    }
}

type Events = Vec<(Position, AnyEvent)>;

/// Reads all events that are still there. What lies before an error is thrown away with it.
pub(crate) fn read(storage: &Arc<dyn Storage>) -> Result<(Events, ReplayReport), String> {
    let reader = LogReader::open(Arc::clone(storage)).map_err(|error| error.to_string())?;
    let start = reader.start().map_err(|error| error.to_string())?;
    let mut events = Vec::new();
    let report = reader.replay(start, |position, event: AnyEvent| {
        events.push((position, event));
        Ok::<(), Error>(())
    });
    let report = report.map_err(|error| error.to_string())?;
    assert!(events.is_sorted_by(|a, b| a.0 < b.0), "positions go up");
    assert_eq!(report.applied, events.len() as u64);
    Ok((events, report))
}

/// Reads what can be read after damage, too, of what comes after `after`.
fn salvage(storage: &Arc<dyn Storage>, after: Position) -> Result<(Events, SalvageReport), String> {
    let reader = LogReader::open(Arc::clone(storage)).map_err(|error| error.to_string())?;
    let mut events = Vec::new();
    let report = inspect::salvage(&reader, after, |position, event: AnyEvent| {
        events.push((position, event));
        Ok::<(), Error>(())
    });
    let report = report.map_err(|error| error.to_string())?;
    assert!(events.is_sorted_by(|a, b| a.0 < b.0), "positions go up");
    assert_eq!(report.replay.applied, events.len() as u64);
    Ok((events, report))
}

/// A strict and a lenient reader, the inspection tools and repair agree about `disk`.
pub(crate) fn check_reading(disk: &SimDisk) {
    let storage = disk.storage();
    let before = disk.live();
    let strict = read(&storage);
    let start = LogReader::<AnyEvent>::open(Arc::clone(&storage)).and_then(|log| log.start());
    let start = start.unwrap_or_default();
    let lenient = salvage(&storage, start);
    check_removed(&storage, start, &lenient);
    // A newer version is refused by all of them, other damage by none.
    let stats = inspect::stats::<AnyEvent>(&storage);
    let dump = inspect::dump(&storage, &mut |_| Ok(()));
    for error in [stats.as_ref().err(), dump.as_ref().err()] {
        assert!(
            matches!(error, None | Some(Error::Version { .. })),
            "{error:?}"
        );
    }
    if let (Err(error), Ok((_, report))) = (&strict, &lenient) {
        assert!(!report.skipped.is_empty(), "nothing is said about: {error}");
    }
    if let Ok((events, report)) = &strict {
        let (salvaged, lenient) = lenient
            .as_ref()
            .expect("lenient refuses no more than strict");
        assert_eq!(events, salvaged);
        assert_eq!(report, &lenient.replay);
        assert_eq!(lenient.skipped, [], "nothing is skipped in a whole log");
        let stats = stats.expect("it is whole");
        assert_eq!(report.torn_tail, stats.torn_tail);
    }
    // Repair saves what lies below a gap, too.
    check_repair(&storage, &salvage(&storage, Position::default()));
    if let Ok((events, _)) = &strict {
        check_truncate(&storage, events);
    }
    assert_eq!(disk.live(), before, "readers change nothing");
}

/// Both readers say so when they are asked for what was removed, and the lenient one shows the rest.
fn check_removed(
    storage: &Arc<dyn Storage>,
    start: Position,
    from_start: &Result<(Events, SalvageReport), String>,
) {
    let (Ok((seen, report)), true) = (from_start, start > Position::default()) else {
        return;
    };
    let (mut events, all) = salvage(storage, Position::default()).expect("it was read before");
    // Events below a gap are removed ones that came back: they are shown where they are asked for.
    events.retain(|(position, _)| *position > start);
    assert_eq!(&events, seen);
    assert!(all.skipped.len() > report.skipped.len(), "{all:?}");
    let all_of = |skipped| all.skipped.contains(skipped);
    assert!(report.skipped.iter().all(all_of), "{all:?}");
    let reader = LogReader::<AnyEvent>::open(Arc::clone(storage)).expect("it was opened before");
    let strict = reader.replay(Position::default(), |_, _| Ok::<(), Error>(()));
    assert!(strict.is_err(), "events before {start} were removed");
}

/// What repair saves a strict reader accepts, and it is what a lenient reader sees.
fn check_repair(storage: &Arc<dyn Storage>, lenient: &Result<(Events, SalvageReport), String>) {
    let copy = empty();
    if inspect::repair(storage, &copy, StoreId(1)).is_err() {
        return;
    }
    let (saved, report) = read(&copy).expect("a repaired log is whole");
    assert_eq!(report.torn_tail, None);
    let mut problems = inspect::validate::<AnyEvent>(&copy).expect("a repaired log is whole");
    // A file that is missing cannot be made up; what is there is whole.
    problems.retain(|problem| problem.offset > 0);
    assert_eq!(problems, []);
    let (seen, _) = lenient.as_ref().expect("what can be repaired can be read");
    let lost = |position: &Position| {
        let of_epoch = |range: &&LostRange| range.from.epoch == position.epoch;
        let ranges = report.lost.iter().filter(of_epoch);
        let mut seqs = ranges.map(|range| range.from.seq..=range.to);
        let sealed = || {
            saved
                .iter()
                .all(|(saved, _)| saved.epoch != position.epoch || saved < position)
        };
        seqs.any(|seqs| seqs.contains(&position.seq)) || sealed()
    };
    let mut missing = seen.iter().filter(|event| !saved.contains(event));
    let unsaid = missing.find(|(position, _)| !lost(position));
    assert_eq!(
        unsaid, None,
        "repair saves what a lenient reader sees, or says that it is lost"
    );
    let extra = saved.iter().find(|event| !seen.contains(event));
    assert_eq!(extra, None, "and no more");
}

/// A copy that ends at a position holds the events up to it.
fn check_truncate(storage: &Arc<dyn Storage>, events: &Events) {
    let Some(position) = events.get(events.len() / 2).map(|event| event.0) else {
        return;
    };
    let copy = empty();
    if inspect::truncate(storage, position, &copy, StoreId(1)).is_ok() {
        let (kept, _) = read(&copy).expect("a truncated log is whole");
        assert_eq!(kept, events[..=events.len() / 2]);
        inspect::compare(storage, &copy).expect("both can be read");
    }
}

/// Opening takes a log as a strict reader sees it, or leaves it alone.
pub(crate) fn check_opening(disk: &SimDisk) {
    let storage = disk.storage();
    let before = disk.live();
    let strict = read(&storage);
    let (wal, _) = match Wal::<AnyEvent>::open(Arc::clone(&storage), WalOptions::default()) {
        Ok(opened) => opened,
        Err(error) => {
            // A reader takes a log whose start was pruned, `open` does not.
            let pruned = matches!(error, Error::BrokenChain { .. });
            // And it takes a directory without a log for an empty one, which `open` does not where a name looks like ours.
            let is_empty = matches!(&strict, Ok((events, _)) if events.is_empty());
            let none = matches!(error, Error::NoStore { .. }) && is_empty;
            assert!(
                strict.is_err() || pruned || none,
                "a whole log is refused: {error}"
            );
            assert_eq!(disk.live(), before, "{error}");
            return;
        }
    };
    let last = wal.last_position();
    drop(wal);
    let (mut wal, again) = Wal::<AnyEvent>::open(Arc::clone(&storage), WalOptions::default())
        .expect("what was opened once is opened again");
    assert_eq!((wal.last_position(), again.torn_tail), (last, None));
    let appended = wal.append(&[AnyEvent(b"0".to_vec())]);
    wal.close().expect("nothing fails on this disk");
    if let Ok((mut events, _)) = strict {
        if let Ok(position) = appended {
            events.push((position, AnyEvent(b"0".to_vec())));
        }
        let (now, _) = read(&storage).expect("it is whole");
        assert_eq!(now, events);
    }
}
