//! Reading a log without owning it: takes no lock, changes nothing.

use std::io::ErrorKind;
use std::marker::PhantomData;
use std::sync::Arc;

use super::chain::{PrevLink, chain, oldest_without_gap};
use super::replay::{Replay, ReplayError, decoding, scan_tail};
use super::replay_report::ReplayReport;
use super::scan::{glance_at_header, header};
use super::segment::Segment;
use super::tail::find_tail;
use crate::boundary::Boundary;
use crate::directory;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::log_event::LogEvent;
use crate::names;
use crate::position::{Epoch, Position};
use crate::storage::{Access, Storage};

/// The segments of a log, for reading.
///
/// The log may be in use by another process. Then an unfinished end may be an append in flight, the
/// last events may not be synced yet (a reader from the [owner](super::Wal::reader) knows that), and
/// a segment that the owner removes before it is read is an [`Error::BrokenChain`].
#[derive(Debug)]
pub struct LogReader<E = Event> {
    storage: Arc<dyn Storage>,
    epochs: Vec<Epoch>,
    /// What the first of them must say about what lies before it.
    link: PrevLink,
    /// How much of the active segment is durable, where that is known.
    live_end: Option<(Epoch, u64)>,
    /// Whether another process may write while this one reads.
    in_use: bool,
    _event: PhantomData<fn() -> E>,
}

impl<E> LogReader<E> {
    /// Looks which segments there are.
    ///
    /// # Errors
    /// [`Error::Storage`] if the directory cannot be read.
    pub fn open(storage: Arc<dyn Storage>) -> Result<Self> {
        let epochs = directory::list_store(&*storage)?.segments;
        let reader = Self::of(storage, epochs, PrevLink::Unknown, None);
        Ok(LogReader {
            in_use: true,
            ..reader
        })
    }

    /// Those of `segments` that lie after what a snapshot covers, all of them without one.
    pub(crate) fn after(
        storage: Arc<dyn Storage>,
        segments: &[Epoch],
        base: Option<Boundary>,
    ) -> Self {
        let covered = base.map_or(Epoch(0), |base| base.position.epoch);
        let needed = segments.iter().copied().filter(|epoch| *epoch > covered);
        Self::of(storage, needed.collect(), PrevLink::after(base), None)
    }

    /// The segments `first` to `last`, of the last one no more than its durable part.
    pub(crate) fn live(storage: Arc<dyn Storage>, first: Epoch, last: Epoch, end: u64) -> Self {
        let epochs = (first.0..=last.0).map(Epoch).collect();
        Self::of(storage, epochs, PrevLink::Unknown, Some((last, end)))
    }

    fn of(
        storage: Arc<dyn Storage>,
        epochs: Vec<Epoch>,
        link: PrevLink,
        live_end: Option<(Epoch, u64)>,
    ) -> Self {
        LogReader {
            storage,
            epochs,
            link,
            live_end,
            in_use: false,
            _event: PhantomData,
        }
    }

    /// The epochs of the segments that are there, ascending.
    #[must_use]
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// The position of the last event, found as [`Wal::open`](super::Wal::open) finds it: only the
    /// header and the end of the newest segment are read and verified, unless that end is not whole. Its seq is 0
    /// while that segment has no event; nothing where there is no segment.
    ///
    /// # Errors
    /// [`Error::Storage`] if something cannot be read, and every error of damaged data in what had
    /// to be read.
    pub fn last_position(&self) -> Result<Option<Position>> {
        let Some(epoch) = self.epochs.last().copied() else {
            return Ok(None);
        };
        let tail = self.look_again(|| {
            let segment = self.segment(epoch)?;
            let tail = match glance_at_header(&segment)? {
                Some(header) => find_tail(&segment, header.store)?,
                None => None,
            };
            match tail {
                Some(tail) => Ok(tail),
                None => Ok(scan_tail(segment)?.0),
            }
        })?;
        let seq = tail.last;
        Ok(Some(Position { epoch, seq }))
    }

    /// The directory.
    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    /// What the first segment must say about what lies before it.
    pub(crate) fn link(&self) -> PrevLink {
        self.link
    }

    /// The position before the oldest event that is still there: what the oldest segment says lies
    /// before it. The default position where nothing was removed, and where there is no segment.
    ///
    /// A prune that a power cut has interrupted may leave segments below a gap. What a snapshot covers
    /// is not missing there, so the oldest segment is then the first after the gap.
    ///
    /// # Errors
    /// [`Error::Storage`] if something cannot be read, and every error of a damaged header.
    pub fn start(&self) -> Result<Position> {
        let (Some(first), Some(newest)) = (self.epochs.first(), self.epochs.last()) else {
            return Ok(Position::default());
        };
        let mut first = *first;
        let unbroken = oldest_without_gap(&self.epochs, *newest);
        if unbroken > first {
            let snapshots = directory::list_store(&*self.storage)?.snapshots;
            // Any other gap is a loss: replay reports it.
            if snapshots.last().is_some_and(|last| last.next() >= unbroken) {
                first = unbroken;
            }
        }
        let header = self.look_again(|| Ok(header(&self.segment(first)?)?))?;
        let prev = header.prev.map(|prev| prev.position);
        Ok(prev.unwrap_or_default())
    }

    /// Opens one segment. One that was listed and is not there was removed by the owner.
    pub(crate) fn segment(&self, epoch: Epoch) -> Result<Segment> {
        let mut segment = match Segment::open(&*self.storage, epoch, Access::Read) {
            Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => {
                let reason = format!("{} was removed meanwhile", names::segment(epoch));
                return Err(Error::BrokenChain { epoch, reason });
            }
            opened => opened?,
        };
        if let Some((_, end)) = self.live_end.filter(|(live, _)| *live == epoch) {
            segment.limit = segment.limit.min(end);
        }
        Ok(segment)
    }

    /// Does `look`, and does it again where it finds damage that may be a write of the owner, half
    /// seen: what is damaged is so twice.
    fn look_again<T, X>(
        &self,
        mut look: impl FnMut() -> Result<T, ReplayError<X>>,
    ) -> Result<T, ReplayError<X>> {
        let mut before = None;
        for _ in 0..LOOKS {
            match look() {
                Err(ReplayError::Log(error)) if self.in_use && may_be_half_seen(&error) => {
                    let error = Some(error.to_string());
                    if error == before {
                        break;
                    }
                    before = error;
                }
                result => return result,
            }
        }
        look()
    }
}

/// How often a log in use is looked at that is damaged in another way each time.
const LOOKS: usize = 4;

/// Whether an error may come of reading a segment while it is written or cut.
fn may_be_half_seen(error: &Error) -> bool {
    match error {
        Error::Corrupt { .. }
        | Error::ChecksumMismatch { .. }
        | Error::SequenceGap { .. }
        | Error::UnstableRead { .. } => true,
        Error::Storage { source, .. } => source.kind() == ErrorKind::UnexpectedEof,
        _ => false,
    }
}

impl<E: LogEvent> LogReader<E> {
    /// Reads the events after `after`, in order, and hands each to `handler` with its position.
    /// Segments that end at or before `after` are not read. Everything that is still there comes
    /// after [`start`](Self::start).
    ///
    /// # Errors
    /// As [`Wal::replay`](super::Wal::replay); [`Error::BrokenChain`] if events after `after` were
    /// removed.
    pub fn replay<X>(
        &self,
        after: Position,
        handler: impl FnMut(Position, E) -> Result<(), X>,
    ) -> Result<ReplayReport, ReplayError<X>> {
        let mut replay = Replay::new(after, decoding(handler));
        self.look_again(|| {
            // All is verified again, and what was handed on is not handed on again.
            replay.go_on();
            let needed = self.needed(after)?;
            if let Some(first) = needed.first() {
                chain(needed, Some(Epoch(first.0 - 1)))?;
            }
            let is_whole = needed.len() == self.epochs.len();
            let link = if is_whole {
                self.link
            } else {
                PrevLink::Unknown
            };
            let segments = needed.iter().map(|epoch| self.segment(*epoch));
            replay.strict(segments, link).map(drop)
        })?;
        Ok(replay.report)
    }

    /// The epochs that hold something after `after`, and always the last one; an error if events
    /// after `after` lie in segments that are not there any more.
    fn needed(&self, after: Position) -> Result<&[Epoch]> {
        let over = self.epochs.partition_point(|epoch| *epoch < after.epoch);
        let needed = &self.epochs[over.min(self.epochs.len().saturating_sub(1))..];
        match needed {
            [] => Ok(needed),
            // Nothing lies before the first epoch.
            [first, ..] if first.0 == 1 && after == Position::default() => Ok(needed),
            // At the end of an epoch nothing of it is needed, and nothing of it has to be whole.
            [first, next, ..] if *first == after.epoch && *next == first.next() => {
                let is_over = self.is_sealed_at_most(*next, after)?;
                Ok(&needed[usize::from(is_over)..])
            }
            [first, ..] if *first <= after.epoch => Ok(needed),
            [first, ..]
                if *first == after.epoch.next() && self.is_sealed_at_most(*first, after)? =>
            {
                Ok(needed)
            }
            [first, ..] => {
                let first = names::segment(*first);
                let reason = format!("the events between {after} and {first} were removed");
                let epoch = after.epoch;
                Err(Error::BrokenChain { epoch, reason })
            }
        }
    }

    /// Whether what lies before `epoch` ends at or before `position`.
    fn is_sealed_at_most(&self, epoch: Epoch, position: Position) -> Result<bool> {
        let prev = header(&self.segment(epoch)?)?.prev;
        Ok(prev.is_none_or(|prev| prev.position <= position))
    }
}
