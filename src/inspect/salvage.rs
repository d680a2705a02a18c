//! Reading on after damage: what can still be read of a log, and what is missing.
//!
//! The result is not the acknowledged history, so nothing that opens a store uses this.

use std::convert::Infallible;
use std::sync::Arc;

use super::salvage_reader::{SalvageItem, SalvageReader, SteppedOver, Then};
use crate::boundary::Boundary;
use crate::error::{Error, Result};
use crate::log_event::LogEvent;
use crate::names;
use crate::position::{Epoch, Position, Seq};
use crate::state_machine::StateMachine;
use crate::storage::Storage;
use crate::store;
use crate::wal::line::Line;
use crate::wal::{
    LogReader, PlacedLine, PrevLink, RawEvent, Replay, ReplayError, ReplayReport, Segment,
    decoding, header,
};

/// Something that a salvage left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The segment.
    pub file: String,
    /// Byte offset of the first byte left out; 0 of an event that the state refused.
    pub offset: u64,
    /// The first seq that is missing because of it.
    pub from: Seq,
    /// The last seq that is missing because of it; below `from` if no event is missing (a line
    /// stood there twice, say), and `None` if nothing that survived tells.
    pub to: Option<Seq>,
    /// What is wrong there.
    pub reason: String,
}

/// What a salvage read and what it left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SalvageReport {
    /// What was handed on.
    pub replay: ReplayReport,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

/// Reads the events of `log` after `after`, as [`LogReader::replay`] does, but leaves out what is
/// damaged, reports it and goes on. An atomic append with a damaged event is left out whole.
///
/// # Errors
/// [`ReplayError::Handler`] with the handler's own error; [`ReplayError::Log`] if something cannot
/// be read, is of a newer format or is an event that does not decode: neither is damage.
pub fn salvage<E: LogEvent, X>(
    log: &LogReader<E>,
    after: Position,
    handler: impl FnMut(Position, E) -> Result<(), X>,
) -> Result<SalvageReport, ReplayError<X>> {
    let mut salvage = Salvage {
        replay: Replay::new(after, decoding(handler)),
        skipped: Vec::new(),
    };
    // What lies before was not asked for: there may be what an interrupted prune has left, below a gap.
    let epochs = log.epochs();
    let epochs = &epochs[epochs.partition_point(|epoch| *epoch < after.epoch)..];
    if let Some(first) = epochs.first() {
        let first = log.segment(*first)?;
        let removed = removed_before(&first, after)?;
        let wrong = match removed {
            Some(removed) => Some(removed),
            None => wrong_start(&first, log.link())?,
        };
        salvage.skipped.extend(wrong);
    }
    let mut before: Option<(Segment, Seq)> = None;
    for (index, epoch) in epochs.iter().enumerate() {
        let segment = log.segment(*epoch)?;
        let sealed = before.as_ref().map(|(segment, last)| (segment, *last));
        salvage.skipped.extend(missing_between(sealed, &segment)?);
        let last = salvage.segment(log.storage(), &segment, index + 1 == epochs.len())?;
        before = Some((segment, last));
    }
    Ok(SalvageReport {
        replay: salvage.replay.report,
        skipped: salvage.skipped,
    })
}

/// The newest state that can be read, and all events after it that can be read and are legal; the
/// rest is reported. It takes no lock and changes nothing.
///
/// # Errors
/// [`Error::Storage`] if something cannot be read, and [`Error::Version`] for a newer format.
pub fn salvage_state<M: StateMachine>(
    storage: &Arc<dyn Storage>,
) -> Result<(M, Position, SalvageReport)> {
    let (mut state, after, log) = store::salvageable::<M>(storage)?;
    let mut illegal = Vec::new();
    let report = salvage(&log, after, |position, event| {
        if let Err(error) = state.apply(position, &event) {
            illegal.push((position, error));
        }
        Ok::<(), Infallible>(())
    });
    let mut report = report?;
    for (position, error) in illegal {
        report.replay.applied -= 1;
        report.skipped.push(Skipped {
            file: names::segment(position.epoch),
            offset: 0,
            from: position.seq,
            to: Some(position.seq),
            reason: error.to_string(),
        });
    }
    Ok((state.machine, state.applied, report))
}

struct Salvage<F> {
    replay: Replay<F>,
    skipped: Vec<Skipped>,
}

impl<X, F: FnMut(&RawEvent<'_>) -> Result<(), ReplayError<X>>> Salvage<F> {
    /// Reads one segment and steps over what is damaged. Answers with the last seq that is
    /// accounted for.
    fn segment(
        &mut self,
        storage: &dyn Storage,
        segment: &Segment,
        is_active: bool,
    ) -> Result<Seq, ReplayError<X>> {
        let mut reader = SalvageReader::new(storage, segment);
        self.replay.append.clear();
        // After damage inside a batch, what follows up to the end of an append may be the rest of a
        // damaged append.
        let mut doubtful = false;
        while let Some(item) = reader.next()? {
            match item {
                SalvageItem::Line(PlacedLine {
                    line: Line::Event(envelope, _),
                    ..
                }) if doubtful && envelope.batch != envelope.seq => {
                    doubtful = envelope.more;
                    if let Some(skipped) = self.skipped.last_mut() {
                        skipped.to = Some(envelope.seq);
                    }
                }
                SalvageItem::Line(PlacedLine { offset, line, .. }) => {
                    doubtful = false;
                    self.replay.line(segment, offset, line)?;
                }
                SalvageItem::Damage(damaged) => {
                    let damaged = match is_active {
                        true => reader.judge(damaged)?,
                        false => damaged,
                    };
                    let append_start = self.replay.append.start();
                    self.skip(segment, is_active, damaged, append_start);
                    doubtful = damaged.takes_events() || append_start.is_some();
                    self.replay.append.clear();
                }
                SalvageItem::End(_) => {}
            }
        }
        Ok(reader.last())
    }

    /// Reports what is missing because of damage: from the start of the append that it has broken.
    fn skip(
        &mut self,
        segment: &Segment,
        is_active: bool,
        damaged: SteppedOver,
        append_start: Option<(u64, Seq)>,
    ) {
        let damage = damaged.damage;
        let (offset, from) = append_start.unwrap_or((damage.offset, damage.expected));
        if let Some(torn) = damaged.torn_tail(segment, offset).filter(|_| is_active) {
            self.replay.report.torn_tail = Some(torn);
            return;
        }
        let to = match damaged.then {
            Then::GoesOn { next, .. } => Some(Seq(next.0 - 1)),
            Then::Nothing { .. } => None,
        };
        let (file, reason) = (segment.name.clone(), damage.reason.to_string());
        self.skipped.push(Skipped {
            file,
            offset,
            from,
            to,
            reason,
        });
    }
}

/// The events after `after` that lie before the oldest segment.
fn removed_before(first: &Segment, after: Position) -> Result<Option<Skipped>> {
    let next = after.epoch.next().max(Epoch(1));
    let start = match header(first) {
        Ok(header) => header.prev.map(|prev| prev.position),
        Err(error @ Error::Storage { .. }) => return Err(error),
        // Where it began is not known; all of the epochs between is gone in any case.
        Err(_) => (first.epoch > next).then(|| Position::new(first.epoch.0 - 1, 0)),
    };
    let is_gone = first.epoch > after.epoch && start.is_some_and(|start| start > after);
    Ok(is_gone.then(|| Skipped {
        file: names::segment(after.epoch.max(Epoch(1))),
        offset: 0,
        from: Seq(after.seq.0 + 1),
        to: None,
        reason: format!("removed: the oldest segment is {}", first.name),
    }))
}

/// How the first segment contradicts the snapshot before it.
fn wrong_start(first: &Segment, link: PrevLink) -> Result<Option<Skipped>> {
    let header = match header(first) {
        Ok(header) => header,
        Err(error @ Error::Storage { .. }) => return Err(error),
        // Reported when the segment itself is read.
        Err(_) => return Ok(None),
    };
    let PrevLink::Covered(_) = link else {
        return Ok(None);
    };
    let wrong = link.check(&first.name, &header).err();
    Ok(wrong.map(|error| Skipped {
        file: first.name.clone(),
        offset: 0,
        from: Seq(1),
        to: Some(Seq(0)),
        reason: error.to_string(),
    }))
}

/// What is missing or wrong between the segment before, whose events up to the seq were seen, and
/// the next segment that is there.
fn missing_between(before: Option<(&Segment, Seq)>, next: &Segment) -> Result<Option<Skipped>> {
    let none_missing = |reason: String| Skipped {
        file: next.name.clone(),
        offset: 0,
        from: Seq(1),
        to: Some(Seq(0)),
        reason,
    };
    let next_header = match header(next) {
        Ok(header) => header,
        Err(error @ Error::Storage { .. }) => return Err(error),
        // Reported when the segment itself is read.
        Err(_) => return Ok(None),
    };
    let Some((sealed, last)) = before.filter(|(sealed, _)| sealed.epoch.next() == next.epoch)
    else {
        let link = PrevLink::Unknown.check(&next.name, &next_header);
        let wrong = link.err().map(|error| none_missing(error.to_string()));
        return Ok(before.map(|(sealed, _)| gap(sealed, next)).or(wrong));
    };
    let store = header(sealed).ok().and_then(|header| header.store);
    let seen = Boundary {
        store,
        ..Boundary::from(sealed.epoch.at(last))
    };
    let checked = PrevLink::Segment(seen).check(&next.name, &next_header);
    let sealed_at = next_header.prev.map(|prev| prev.position);
    Ok(match (checked, sealed_at) {
        (Ok(()), _) => None,
        (Err(Error::Corrupt { .. }), Some(Position { epoch, seq }))
            if epoch == sealed.epoch && seq > last =>
        {
            Some(Skipped {
                file: sealed.name.clone(),
                offset: sealed.limit,
                from: Seq(last.0 + 1),
                to: Some(seq),
                reason: "the next segment says that there were more events".to_owned(),
            })
        }
        (Err(error), _) => Some(none_missing(error.to_string())),
    })
}

/// The segments between two that are there.
fn gap(sealed: &Segment, next: &Segment) -> Skipped {
    Skipped {
        file: names::segment(sealed.epoch.next()),
        offset: 0,
        from: Seq(1),
        to: None,
        reason: format!("no segment between {} and {}", sealed.name, next.name),
    }
}
