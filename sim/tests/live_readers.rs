//! Readers of a log in use, interleaved with its owner: each call of a reader sees the files as they are before any call of the
//! owner, or in the middle of one of its writes.
//!
//! A reader gives out what was appended, in order and without a gap: everything that was acknowledged when it was made, from
//! where it begins. What was removed is a typed error. A reader from the owner sees nothing that was not synced.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use beaver::wal::{LogReader, ReplayError, WalOptions};
use beaver::{
    Access, DecodeError, Epoch, Error, LogEvent, Position, Storage, StorageFile, StoreId, Wal,
};
use beaver_disk::{Disk, Profile, SimDisk, SimOptions};
use beaver_storage::{InterposedFile, Interposer, Op, interpose};

type Files = BTreeMap<String, Vec<u8>>;

/// An event: its number in the history, from 1, and enough bytes for a few lines to fill a page.
#[derive(Clone, Debug, PartialEq)]
struct Numbered(usize);

impl LogEvent for Numbered {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            format!("{{\"n\":{},\"pad\":\"{}\"}}", self.0, "x".repeat(700)).as_bytes(),
        );
    }

    fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        let value: serde_json::Value = serde_json::from_slice(json).map_err(DecodeError::new)?;
        let number = value["n"]
            .as_u64()
            .and_then(|number| usize::try_from(number).ok());
        Ok(Numbered(number.unwrap()))
    }
}

/// What lies on the disk at one moment, and how many events are acknowledged then.
#[derive(Debug)]
struct MomentInTime {
    files: Files,
    acknowledged: usize,
}

/// Which moments a reader sees: `from` until it has made `calls` calls, then `to`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Interleaving {
    from: usize,
    calls: usize,
    to: usize,
}

/// Writes down the moments of the owner, and afterwards shows them to readers.
#[derive(Debug, Default)]
struct TimeLine {
    moments: Mutex<Vec<MomentInTime>>,
    acknowledged: Mutex<usize>,
    /// What the reader sees that is at work, and how many calls it has made.
    reading: Mutex<Option<(Interleaving, usize)>>,
    disk: Mutex<Option<SimDisk>>,
    bug: Option<ReaderBug>,
}

/// What is wrong with a reader.
#[derive(Clone, Copy, Debug, PartialEq)]
enum ReaderBug {
    /// A read of nothing is taken for the end of the log, at the second page already.
    EndsAtPage,
    /// A segment that is not there any more is passed over: the next one is read in its place.
    SkipsRemoved,
}

impl TimeLine {
    fn moments(&self) -> MutexGuard<'_, Vec<MomentInTime>> {
        self.moments.lock().unwrap()
    }

    fn write_down(&self, edit: impl FnOnce(&mut Files)) {
        let mut files = self
            .disk
            .lock()
            .unwrap()
            .as_ref()
            .unwrap()
            .live()
            .to_files();
        edit(&mut files);
        let acknowledged = *self.acknowledged.lock().unwrap();
        let mut moments = self.moments();
        let last = moments.last();
        if last.is_none_or(|last| last.files != files || last.acknowledged != acknowledged) {
            moments.push(MomentInTime {
                files,
                acknowledged,
            });
        }
    }

    /// The moment that the call sees which is made now; nothing while the owner is at work.
    fn now(&self) -> Option<usize> {
        let mut reading = self.reading.lock().unwrap();
        let (seen, made) = reading.as_mut()?;
        *made += 1;
        Some(if *made <= seen.calls {
            seen.from
        } else {
            seen.to
        })
    }

    /// Lets `piece` read like this. Answers with the number of its calls too.
    fn read<T>(&self, seen: Interleaving, piece: impl FnOnce() -> T) -> (T, usize) {
        *self.reading.lock().unwrap() = Some((seen, 0));
        let done = piece();
        let (_, made) = self.reading.lock().unwrap().take().unwrap();
        (done, made)
    }
}

#[derive(Debug)]
struct OnTimeLine(Arc<TimeLine>);

impl Interposer for OnTimeLine {
    fn before(&self, op: Op, _file: &str) -> io::Result<()> {
        if self.0.reading.lock().unwrap().is_none() && op.changes_something() {
            self.0.write_down(|_| {});
        }
        Ok(())
    }

    fn write_at(&self, file: &InterposedFile, buf: &[u8], offset: u64) -> io::Result<usize> {
        for done in [buf.len() / 2, buf.len() - 1] {
            self.0.write_down(|files| {
                let bytes = files.get_mut(&*file.name()).unwrap();
                let at = usize::try_from(offset).unwrap();
                bytes.resize(bytes.len().max(at + done), 0);
                bytes[at..at + done].copy_from_slice(&buf[..done]);
            });
        }
        file.next().write_at(buf, offset)
    }

    fn list(&self, next: &dyn Storage) -> io::Result<Vec<String>> {
        match self.0.now() {
            None => next.list(),
            Some(now) => Ok(self.0.moments()[now].files.keys().cloned().collect()),
        }
    }

    fn open(
        &self,
        next: &dyn Storage,
        name: &str,
        access: Access,
    ) -> io::Result<Box<dyn StorageFile>> {
        let Some(now) = self.0.now() else {
            return next.open(name, access);
        };
        let moments = self.0.moments();
        let mut names = moments[now].files.keys();
        let found = match self.0.bug {
            Some(ReaderBug::SkipsRemoved) => names.find(|other| &other[..] >= name),
            _ => names.find(|other| *other == name),
        };
        let name = found.ok_or(ErrorKind::NotFound)?.clone();
        let time_line = Arc::clone(&self.0);
        Ok(Box::new(SeenFile { name, time_line }))
    }
}

/// A file as the reader sees it. One that was removed stays as it was: the reader has it open.
#[derive(Debug)]
struct SeenFile {
    name: String,
    time_line: Arc<TimeLine>,
}

impl SeenFile {
    fn bytes<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        let now = self.time_line.now().expect("only readers have such files");
        let moments = self.time_line.moments();
        let mut earlier = moments[..=now].iter().rev();
        let file = earlier.find_map(|moment| moment.files.get(&self.name));
        look(file.expect("it was opened, so it was there"))
    }
}

impl StorageFile for SeenFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes(|bytes| bytes.len() as u64))
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let bug = self.time_line.bug;
        self.bytes(|bytes| {
            let start = bytes.len().min(usize::try_from(offset).unwrap());
            let mut count = buf.len().min(bytes.len() - start);
            if bug == Some(ReaderBug::EndsAtPage) && start + count > 4096 {
                buf.fill(b'\n');
                count = 4096_usize.saturating_sub(start);
                buf[..count].copy_from_slice(&bytes[start..start + count]);
                return Ok(buf.len().min(bytes.len() - start));
            }
            buf[..count].copy_from_slice(&bytes[start..start + count]);
            Ok(count)
        })
    }

    fn write_at(&self, _buf: &[u8], _offset: u64) -> io::Result<usize> {
        Err(ErrorKind::PermissionDenied.into())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }

    fn allocate(&self, _len: u64) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(ErrorKind::PermissionDenied.into())
    }
}

/// A log whose owner has done its work, with every moment of it.
struct Lived {
    time_line: Arc<TimeLine>,
    storage: Arc<dyn Storage>,
    /// Where each event was acknowledged: event 1 is the first.
    positions: Vec<Position>,
    /// Readers from the owner, each with the moment at which it was made.
    readers: Vec<(usize, LogReader<Numbered>)>,
}

/// What the owner does.
enum Deed {
    Append(usize),
    Rotate,
    /// Removes the segments up to this one.
    Prune(u64),
}

const DEEDS: [Deed; 13] = [
    Deed::Append(1),
    Deed::Append(3),
    Deed::Rotate,
    Deed::Append(2),
    Deed::Append(4),
    Deed::Append(1),
    Deed::Rotate,
    Deed::Prune(1),
    Deed::Append(1),
    Deed::Rotate,
    Deed::Append(1),
    Deed::Prune(3),
    Deed::Append(1),
];

impl Lived {
    fn new(preallocate_bytes: u64, bug: Option<ReaderBug>) -> Self {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let time_line = Arc::new(TimeLine {
            bug,
            disk: Mutex::new(Some(disk.clone())),
            ..TimeLine::default()
        });
        let storage = interpose(disk.storage(), Arc::new(OnTimeLine(Arc::clone(&time_line))));
        let mut lived = Lived {
            time_line,
            storage,
            positions: Vec::new(),
            readers: Vec::new(),
        };
        lived.live(preallocate_bytes);
        *lived.time_line.disk.lock().unwrap() = None;
        lived
    }

    fn live(&mut self, preallocate_bytes: u64) {
        let options = WalOptions {
            preallocate_bytes,
            store_id: Some(StoreId(7)),
            ..WalOptions::default()
        };
        let (mut wal, _) = Wal::<Numbered>::open(Arc::clone(&self.storage), options).unwrap();
        for deed in DEEDS {
            match deed {
                Deed::Append(count) => {
                    let first = self.positions.len() + 1;
                    let events: Vec<_> = (first..first + count).map(Numbered).collect();
                    let last = wal.append(&events).unwrap();
                    let before = last.seq.0 - count as u64;
                    let seqs = before + 1..=last.seq.0;
                    self.positions
                        .extend(seqs.map(|seq| Position::new(last.epoch.0, seq)));
                }
                Deed::Rotate => drop(wal.rotate().unwrap()),
                Deed::Prune(epoch) => drop(wal.prune_through(Epoch(epoch)).unwrap()),
            }
            *self.time_line.acknowledged.lock().unwrap() = self.positions.len();
            self.time_line.write_down(|_| {});
            let made_at = self.time_line.moments().len() - 1;
            self.readers.push((made_at, wal.reader()));
        }
    }

    /// Every interleaving of a reader that begins at `from` or later; `read` does its work and says how many calls it made.
    fn interleave(&self, from: usize, mut read: impl FnMut(Interleaving) -> usize) -> usize {
        let moments = self.time_line.moments().len();
        let mut done = 0;
        for from in from..moments {
            // Without a change first: that tells how many calls there are to change between.
            let calls = read(Interleaving {
                from,
                calls: usize::MAX,
                to: from,
            });
            for calls in 1..=calls {
                for to in from + 1..moments {
                    read(Interleaving { from, calls, to });
                    done += 1;
                }
            }
        }
        done
    }

    /// What a reader made of the log after `after`: events and the error that ended it.
    fn replay(
        reader: &LogReader<Numbered>,
        after: Position,
    ) -> (Vec<(Position, usize)>, Option<Error>) {
        let mut read = Vec::new();
        let replayed = reader.replay(after, |position, Numbered(number)| {
            read.push((position, number));
            Ok::<_, std::convert::Infallible>(())
        });
        match replayed {
            Ok(_) => (read, None),
            Err(ReplayError::Log(error)) => (read, Some(error)),
            Err(ReplayError::Handler { error, .. }) => match error {},
        }
    }

    /// What is wrong with a reading after `after`. Everything up to event number `promised` must be there, and nothing after event
    /// number `most`.
    fn wrong(
        &self,
        (read, error): &(Vec<(Position, usize)>, Option<Error>),
        after: Position,
        promised: usize,
        most: usize,
    ) -> Option<String> {
        let first = self
            .positions
            .partition_point(|position| *position <= after)
            + 1;
        for (at, (position, number)) in read.iter().enumerate() {
            if *number != first + at || self.positions[number - 1] != *position {
                return Some(format!(
                    "{number} at {position} is not what comes next after {after}"
                ));
            }
            if *number > most {
                return Some(format!("{number} at {position} was not acknowledged"));
            }
        }
        match error {
            None if first + read.len() <= promised => {
                Some(format!("{} after {after}, not all {promised}", read.len()))
            }
            None | Some(Error::BrokenChain { .. }) => None,
            Some(error) => Some(format!("{error:?}")),
        }
    }

    /// Readers that open the log by themselves. What is appended meanwhile they may see, synced or not, unless `synced_alone`.
    fn check_by_themselves(&self, synced_alone: bool) -> Result<usize, String> {
        let mut wrong = Ok(());
        let done = self.interleave(0, |seen| {
            let storage = Arc::clone(&self.storage);
            let (read, made) = self.time_line.read(seen, || {
                let reader = LogReader::<Numbered>::open(storage)?;
                let after = reader.start()?;
                let last = reader.last_position()?.unwrap_or_default();
                Ok((after, last, Self::replay(&reader, after)))
            });
            let promised = self.time_line.moments()[seen.from].acknowledged;
            let most = if synced_alone { promised } else { usize::MAX };
            let found = match read {
                Ok((_, last, _)) if self.positions[..promised].last() > Some(&last) => {
                    Some(format!("{last} is said to be the last of {promised}"))
                }
                Ok((after, _, read)) => self.wrong(&read, after, promised, most),
                Err(Error::BrokenChain { .. }) => None,
                Err(error) => Some(format!("{error:?}")),
            };
            if let (Some(found), Ok(())) = (found, &wrong) {
                wrong = Err(format!("{seen:?}: {found}"));
            }
            made
        });
        wrong.map(|()| done)
    }

    /// Readers from the owner, from several positions on.
    fn check_from_owner(&self) -> Result<usize, String> {
        let mut wrong = Ok(());
        let mut done = 0;
        for (made_at, reader) in &self.readers {
            let promised = self.time_line.moments()[*made_at].acknowledged;
            for after in [Position::default(), self.positions[(promised - 1) / 2]] {
                done += self.interleave(*made_at, |seen| {
                    let (read, made) = self.time_line.read(seen, || Self::replay(reader, after));
                    let found = self.wrong(&read, after, promised, promised);
                    if let (Some(found), Ok(())) = (found, &wrong) {
                        wrong = Err(format!("made at {made_at}, {seen:?}: {found}"));
                    }
                    made
                });
            }
        }
        wrong.map(|()| done)
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_reader_that_opens_a_log_in_use_misses_nothing_and_invents_nothing() {
    for preallocate_bytes in [0, 16384] {
        let done = Lived::new(preallocate_bytes, None).check_by_themselves(false);
        assert!(*done.as_ref().unwrap() > 1_000, "{done:?}");
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_reader_from_the_owner_sees_what_was_synced_and_nothing_else() {
    for preallocate_bytes in [0, 16384] {
        let done = Lived::new(preallocate_bytes, None).check_from_owner();
        assert!(*done.as_ref().unwrap() > 1_000, "{done:?}");
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_reader_that_does_not_know_what_was_synced_is_caught() {
    let read = Lived::new(0, None).check_by_themselves(true);
    assert!(read.unwrap_err().contains("was not acknowledged"));
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_reader_that_ends_early_is_caught() {
    let lived = Lived::new(0, Some(ReaderBug::EndsAtPage));
    assert!(lived.check_by_themselves(false).is_err());
    assert!(lived.check_from_owner().is_err());
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_reader_that_passes_over_what_was_removed_is_caught() {
    let lived = Lived::new(0, Some(ReaderBug::SkipsRemoved));
    assert!(lived.check_by_themselves(false).is_err());
    assert!(lived.check_from_owner().is_err());
}
