//! Verbs.

use std::ops::RangeInclusive;
use std::sync::Arc;

use beaver::inspect::{self, SalvageReport};
use beaver::store::{CheckpointReport, CommandError};
use beaver::wal::{LogReader, OpenReport, ReplayError, ReplayReport};
use beaver::{
    Error, ManualClock, Position, RecoveryReport, Result, Store, StoreId, StoreOptions, Wal,
    WalOptions,
};

use super::{Line, Memory, Tape};

/// Whose the stores are that the tests make: fixed, so that bytes can be compared.
pub(crate) const STORE: StoreId = StoreId(0x6f1d_0c5b_e2a9_4417);

/// Whose the copies are that the tests make.
pub(crate) const COPY: StoreId = StoreId(0xc0);

pub(crate) const WAL1: &str = "wal-0000000001.jsonl";
pub(crate) const WAL2: &str = "wal-0000000002.jsonl";

pub(crate) fn wal(epoch: u64) -> String {
    format!("wal-{epoch:010}.jsonl")
}

pub(crate) fn snapshot(epoch: u64) -> String {
    format!("snapshot-{epoch:010}.json")
}

pub(crate) fn at(epoch: u64, seq: u64) -> Position {
    Position::new(epoch, seq)
}

/// No free space, so that the bytes are the lines.
pub(crate) fn plain() -> WalOptions {
    WalOptions {
        preallocate_bytes: 0,
        store_id: Some(STORE),
        clock: Arc::new(ManualClock::new(0)),
        ..WalOptions::default()
    }
}

pub(crate) fn preallocating(preallocate_bytes: u64) -> WalOptions {
    WalOptions {
        preallocate_bytes,
        ..plain()
    }
}

pub(crate) fn try_open(disk: &Memory) -> Result<(Wal<Line>, OpenReport)> {
    Wal::open(disk.storage(), plain())
}

pub(crate) fn open(disk: &Memory) -> Wal<Line> {
    try_open(disk).unwrap().0
}

/// The error of an open that changes nothing.
pub(crate) fn open_error(disk: &Memory) -> Error {
    let before = disk.files();
    let error = try_open(disk).unwrap_err();
    assert_eq!(disk.files(), before, "a refusal changes nothing: {error}");
    error
}

pub(crate) fn line(text: impl ToString) -> Line {
    Line(text.to_string())
}

/// Appends numbers, each by itself.
pub(crate) fn append(wal: &mut Wal<Line>, numbers: RangeInclusive<u64>) {
    for number in numbers {
        wal.append(&[line(number)]).unwrap();
    }
}

/// Appends numbers, all or none.
pub(crate) fn append_group(wal: &mut Wal<Line>, numbers: RangeInclusive<u64>) {
    let events: Vec<Line> = numbers.map(line).collect();
    wal.append(&events).unwrap();
}

/// A disk with a log of these appends, one by one, and killed.
pub(crate) fn log_of(numbers: RangeInclusive<u64>) -> Memory {
    let disk = Memory::new();
    append(&mut open(&disk), numbers);
    disk
}

/// What a strict reader of the directory sees.
pub(crate) type Seen = (Vec<(Position, String)>, ReplayReport);

/// What a lenient one sees.
pub(crate) type Salvaged = (Vec<(Position, String)>, SalvageReport);

pub(crate) fn try_read(disk: &Memory, after: Position) -> Result<Seen> {
    let reader = LogReader::<Line>::open(disk.storage())?;
    let mut seen = Vec::new();
    let report = reader.replay(after, |position, Line(text)| {
        seen.push((position, text));
        Ok::<(), ()>(())
    });
    report.map(|report| (seen, report)).map_err(log_error)
}

pub(crate) fn try_salvage(disk: &Memory, after: Position) -> Result<Salvaged> {
    let reader = LogReader::<Line>::open(disk.storage())?;
    let mut seen = Vec::new();
    let report = inspect::salvage(&reader, after, |position, Line(text)| {
        seen.push((position, text));
        Ok::<(), ()>(())
    });
    report.map(|report| (seen, report)).map_err(log_error)
}

pub(crate) fn log_error(error: ReplayError<()>) -> Error {
    match error {
        ReplayError::Log(error) => error,
        ReplayError::Handler { .. } => unreachable!("the handler has no errors"),
    }
}

/// All events that are still in a log, read strictly, as `epoch:seq=content`.
pub(crate) fn read(disk: &Memory) -> Vec<String> {
    let reader = LogReader::<Line>::open(disk.storage()).unwrap();
    let (seen, _) = try_read(disk, reader.start().unwrap()).unwrap();
    show(&seen)
}

pub(crate) fn read_leniently(disk: &Memory) -> (Vec<String>, SalvageReport) {
    let (seen, report) = try_salvage(disk, Position::default()).unwrap();
    (show(&seen), report)
}

fn show(seen: &[(Position, String)]) -> Vec<String> {
    let show = |(position, text): &(Position, String)| format!("{position}={text}");
    seen.iter().map(show).collect()
}

/// The events that a log shows, as they were appended by number to epoch 1.
pub(crate) fn numbered(numbers: RangeInclusive<u64>) -> Vec<String> {
    numbers
        .map(|number| format!("1:{number}={number}"))
        .collect()
}

pub(crate) fn store_options() -> StoreOptions {
    StoreOptions {
        wal: plain(),
        ..StoreOptions::default()
    }
}

pub(crate) fn keeping(keep_old_snapshots: usize) -> StoreOptions {
    StoreOptions {
        keep_old_snapshots,
        ..store_options()
    }
}

pub(crate) fn try_recover(disk: &Memory) -> Result<(Store<Tape>, RecoveryReport)> {
    Store::open(disk.storage(), store_options())
}

pub(crate) fn recover(disk: &Memory) -> (Store<Tape>, RecoveryReport) {
    try_recover(disk).unwrap()
}

/// The error of a recovery that changes nothing.
pub(crate) fn recover_error(disk: &Memory) -> Error {
    let before = disk.files();
    let error = try_recover(disk).unwrap_err();
    assert_eq!(disk.files(), before, "a refusal changes nothing: {error}");
    error
}

/// What a store that is opened on a copy of the disk shows.
pub(crate) fn tape(disk: &Memory) -> Vec<String> {
    recover(&disk.copy()).0.state().0.clone()
}

/// Commits one event.
pub(crate) fn try_commit(store: &mut Store<Tape>, text: impl ToString) -> Result<Position> {
    let events = vec![line(text)];
    match store.commit(|_| Ok::<_, std::convert::Infallible>((events, ()))) {
        Ok((position, ())) => Ok(position.unwrap()),
        Err(CommandError::Log(error)) => Err(error),
        Err(CommandError::Rejected(never)) => match never {},
    }
}

pub(crate) fn commit(store: &mut Store<Tape>, numbers: RangeInclusive<u64>) {
    for number in numbers {
        try_commit(store, number).unwrap();
    }
}

pub(crate) fn checkpoint(store: &mut Store<Tape>) -> CheckpointReport {
    store.checkpoint().unwrap().unwrap()
}

/// A disk with a store that has taken `checkpoints` checkpoints, each after two events, and two events more.
pub(crate) fn store_with(checkpoints: u64, options: StoreOptions) -> Memory {
    let disk = Memory::new();
    let (mut store, _) = Store::<Tape>::open(disk.storage(), options).unwrap();
    for round in 0..checkpoints {
        commit(&mut store, round * 2 + 1..=round * 2 + 2);
        checkpoint(&mut store);
    }
    commit(&mut store, checkpoints * 2 + 1..=checkpoints * 2 + 2);
    disk
}

/// The numbers that a tape holds.
pub(crate) fn numbers(range: RangeInclusive<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// Flips one bit of a file.
pub(crate) fn flip(disk: &Memory, name: &str, bit: usize) {
    disk.edit(name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
}

/// Cuts a file.
pub(crate) fn cut(disk: &Memory, name: &str, len: usize) {
    disk.edit(name, |bytes| bytes.truncate(len));
}

/// Adds bytes to a file.
pub(crate) fn glue(disk: &Memory, name: &str, more: impl AsRef<[u8]>) {
    disk.edit(name, |bytes| bytes.extend_from_slice(more.as_ref()));
}
