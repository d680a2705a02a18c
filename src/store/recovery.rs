//! Recovery: the newest snapshot that can be used, then every event after it.
//!
//! ```text
//! lock │ list │ load a snapshot │ verify and replay │ sync directory │ cut, rewrite, sync │ clean up │ expose
//!       └──────────── changes nothing ─────────────┘
//! ```
//!
//! Whatever fails before the first change leaves the directory as it was; whatever fails after it
//! can be tried again. What one recovery shows, every later one shows.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::StoreOptions;
use super::checkpoint::Snapshots;
use super::leftovers::Leftovers;
use crate::directory::{self, Directory};
use crate::error::{Error, Result};
use crate::json::Cursor;
use crate::log_event::DecodeError;
use crate::names::{self, Listing};
use crate::position::{Epoch, Position};
use crate::snapshot::{self, DamagedSnapshot, Document};
use crate::state_machine::StateMachine;
use crate::storage::Storage;
use crate::wal::{
    LogReader, LostRange, OpenReport, RawEvent, Recovery, ReplayError, ReplayReport, TornTail, Wal,
    chain,
};

/// What opening a store found and did.
#[derive(Clone, Debug, Default)]
pub struct RecoveryReport {
    /// The position that the loaded snapshot covers; `None`: the log was replayed from its start.
    pub snapshot: Option<Position>,
    /// Newer snapshots that could not be used.
    pub damaged_snapshots: Vec<DamagedSnapshot>,
    /// How many events were replayed.
    pub replayed: u64,
    /// The bytes of a batch that was never acknowledged, now cut off.
    pub torn_tail: Option<TornTail>,
    /// Events that an earlier repair could not save.
    pub lost: Vec<LostRange>,
    /// Unfinished files that were removed.
    pub removed_temporaries: Vec<String>,
    /// What an interrupted prune had left, now removed.
    pub removed_leftovers: Vec<String>,
    /// Names that are not part of a store; untouched.
    pub strays: Vec<String>,
    /// What went wrong without doing harm.
    pub warnings: Vec<Error>,
}

/// A recovered store.
#[derive(Debug)]
pub(crate) struct Recovered<M: StateMachine> {
    pub(crate) machine: M,
    pub(crate) applied: Position,
    pub(crate) wal: Wal<M::Event>,
    pub(crate) snapshots: Snapshots,
    pub(crate) report: RecoveryReport,
}

/// A state and how far it has come.
pub(crate) struct State<M> {
    pub(crate) machine: M,
    pub(crate) applied: Position,
    /// The position that the snapshot covers.
    base: Option<Position>,
}

pub(crate) fn recover<M: StateMachine>(
    storage: Arc<dyn Storage>,
    options: StoreOptions,
) -> Result<Recovered<M>> {
    let directory = Directory::lock(Arc::clone(&storage))?;
    let mut report = RecoveryReport {
        strays: directory.listing.strays.clone(),
        ..RecoveryReport::default()
    };
    let mut state = load_snapshot::<M>(&*storage, &directory.listing, &mut report)?;
    let leftovers = Leftovers::find(
        &*storage,
        &directory.listing,
        state.base,
        options.keep_old_snapshots,
        &mut report,
    );

    let mut recovery = Recovery::inspect(directory, state.base, options.wal)?;
    if !recovery.is_new() {
        let after = state.applied;
        let replayed = recovery
            .replay(after, |raw| state.apply(raw))
            .map_err(into_error)?;
        note_replay(&mut report, replayed);
        make_trustworthy(&recovery, &leftovers, &mut report)?;
    }
    clean_up(&recovery, &leftovers, &mut report);
    let wal = recovery.into_wal()?;
    let mut trusted = BTreeMap::new();
    for position in state.base.into_iter().chain(leftovers.fall_backs) {
        trusted.insert(position.epoch, position);
    }
    let snapshots = Snapshots {
        storage,
        keep_old: options.keep_old_snapshots,
        trusted,
    };
    announce(&report, wal.last_position());
    let State {
        machine, applied, ..
    } = state;
    Ok(Recovered {
        machine,
        applied,
        wal,
        snapshots,
        report,
    })
}

/// The state in a directory, without owning or changing it: the newest usable snapshot and the
/// events after it. [`inspect::salvage_state`](crate::inspect::salvage_state) goes on after damage.
///
/// # Errors
/// As [`Store::open`](super::Store::open).
pub fn read_state<M: StateMachine>(
    storage: &Arc<dyn Storage>,
) -> Result<(M, Position, ReplayReport)> {
    let listing = directory::list(&**storage)?;
    let mut state = load_snapshot::<M>(&**storage, &listing, &mut RecoveryReport::default())?;
    let log = LogReader::after(Arc::clone(storage), &listing.segments, state.base);
    let report = log.replay(state.replay_after(), |position, event| {
        state.apply_event(position, &event)
    });
    let report = report.map_err(|error| match error {
        ReplayError::Log(error) | ReplayError::Handler { error, .. } => error,
    })?;
    Ok((state.machine, state.applied, report))
}

/// The state to which a salvage adds what it can still read, and the log after it.
pub(crate) fn salvageable<M: StateMachine>(
    storage: &Arc<dyn Storage>,
) -> Result<(State<M>, LogReader<M::Event>)> {
    let listing = directory::list(&**storage)?;
    let state = match load_snapshot(&**storage, &listing, &mut RecoveryReport::default()) {
        Err(Error::NoSnapshot { .. } | Error::BrokenChain { .. }) => {
            newest_state(&**storage, &listing)?
        }
        loaded => loaded?,
    };
    let log = LogReader::after(Arc::clone(storage), &listing.segments, state.base);
    Ok((state, log))
}

/// The last position that a state has applied, and the machine's own state, in the one spelling
/// that is written. Nothing looks at the machine's bytes on the way: the checksum says that they
/// are what it wrote, and whether they are a state of it, it judges itself.
fn canonical_state(state: &[u8]) -> Option<(Position, &[u8])> {
    let mut cursor = Cursor::new(state);
    cursor.expect("{\"applied\":{\"epoch\":").ok()?;
    let epoch = cursor.number().ok()?;
    cursor.expect(",\"seq\":").ok()?;
    let seq = cursor.number().ok()?;
    cursor.expect("},\"machine\":").ok()?;
    let machine = cursor.rest().strip_suffix(b"}")?;
    Some((Position::new(epoch, seq), machine))
}

impl<M: StateMachine> State<M> {
    fn initial() -> Self {
        State {
            machine: M::initial(),
            applied: Position::default(),
            base: None,
        }
    }

    fn restore(snapshot: &Document, epoch: Epoch) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Applied {
            epoch: u64,
            seq: u64,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Stored<'a> {
            applied: Applied,
            #[serde(borrow)]
            machine: &'a RawValue,
        }
        let invalid = |source| Error::InvalidState {
            file: names::snapshot(epoch),
            source,
        };
        let (applied, machine) = match canonical_state(snapshot.state()) {
            Some(parts) => parts,
            None => {
                let stored: Stored<'_> = serde_json::from_slice(snapshot.state())
                    .map_err(|error| invalid(DecodeError::new(error)))?;
                let applied = Position::new(stored.applied.epoch, stored.applied.seq);
                (applied, stored.machine.get().as_bytes())
            }
        };
        let machine = M::restore(machine).map_err(invalid)?;
        if applied > snapshot.position {
            let why = format!("its state has applied {applied}, which it does not cover");
            return Err(invalid(DecodeError::new(why)));
        }
        Ok(State {
            machine,
            applied,
            base: Some(snapshot.position),
        })
    }

    fn apply<X>(&mut self, raw: &RawEvent<'_>) -> Result<(), ReplayError<X>> {
        let event: M::Event = raw.decode()?;
        self.apply_event(raw.position, &event)?;
        Ok(())
    }

    /// After which position events are of interest.
    pub(crate) fn replay_after(&self) -> Position {
        self.applied.max(self.base.unwrap_or_default())
    }

    /// Applying an event again is a no-op: the state knows how far it has come.
    pub(crate) fn apply_event(&mut self, position: Position, event: &M::Event) -> Result<()> {
        if position > self.applied {
            self.machine
                .apply(event)
                .map_err(|error| Error::IllegalEvent {
                    position,
                    source: Arc::new(error),
                })?;
            self.applied = position;
        }
        Ok(())
    }
}

/// The newest snapshot that is valid and has all segments above it. Changes nothing.
fn load_snapshot<M: StateMachine>(
    storage: &dyn Storage,
    listing: &Listing,
    report: &mut RecoveryReport,
) -> Result<State<M>> {
    if listing.is_new() {
        return Ok(State::initial());
    }
    // Whatever the snapshots hold, a segment was durable after each of them.
    if let Some(newest) = listing.snapshots.last() {
        chain(
            &listing.segments,
            Some(Position {
                epoch: *newest,
                ..Position::default()
            }),
        )?;
    }
    for epoch in listing.snapshots.iter().rev() {
        let snapshot = match snapshot::read(storage, *epoch)? {
            Ok(snapshot) => snapshot,
            Err(damaged) => {
                tracing::warn!(file = damaged.file, error = %damaged.error, "snapshot passed over");
                report.damaged_snapshots.push(damaged);
                continue;
            }
        };
        if let Err(error) = chain(&listing.segments, Some(snapshot.position)) {
            return Err(no_snapshot(report, &error));
        }
        report.snapshot = Some(snapshot.position);
        return State::restore(&snapshot, *epoch);
    }
    match chain(&listing.segments, None) {
        Err(error) if !report.damaged_snapshots.is_empty() => Err(no_snapshot(report, &error)),
        Err(error) => Err(error),
        Ok(_) => Ok(State::initial()),
    }
}

/// The newest snapshot that is valid, whatever segments are there.
fn newest_state<M: StateMachine>(storage: &dyn Storage, listing: &Listing) -> Result<State<M>> {
    for epoch in listing.snapshots.iter().rev() {
        if let Ok(snapshot) = snapshot::read(storage, *epoch)? {
            return State::restore(&snapshot, *epoch);
        }
    }
    Ok(State::initial())
}

fn no_snapshot(report: &RecoveryReport, chain: &Error) -> Error {
    let mut reasons: Vec<String> = report
        .damaged_snapshots
        .iter()
        .map(|damaged| damaged.error.to_string())
        .collect();
    reasons.push(chain.to_string());
    Error::NoSnapshot {
        reason: reasons.join("; "),
    }
}

/// Makes what was read durable. On a full disk, what a verified snapshot covers may go first.
fn make_trustworthy(
    recovery: &Recovery,
    leftovers: &Leftovers,
    report: &mut RecoveryReport,
) -> Result<()> {
    recovery.sync_names()?;
    match recovery.rewrite_tail() {
        Err(error) if is_full(&error) && !leftovers.is_empty() => {
            tracing::warn!(%error, "the disk is full; leftovers go first");
            leftovers.remove(&*recovery.directory().storage, report);
            recovery.sync_names()?;
            recovery.rewrite_tail()
        }
        result => result,
    }
}

fn is_full(error: &Error) -> bool {
    error.io_kind() == Some(std::io::ErrorKind::StorageFull)
}

/// Removes what nobody needs. An error does no harm: the next open tries again.
fn clean_up(recovery: &Recovery, leftovers: &Leftovers, report: &mut RecoveryReport) {
    let mut open_report = OpenReport::default();
    recovery.remove_temporaries(&mut open_report);
    report.removed_temporaries = open_report.removed_temporaries;
    report.warnings.extend(open_report.warnings);
    leftovers.remove(&*recovery.directory().storage, report);
    if !report.removed_temporaries.is_empty() || !report.removed_leftovers.is_empty() {
        report
            .warnings
            .extend(directory::sync(&*recovery.directory().storage).err());
    }
}

fn note_replay(report: &mut RecoveryReport, replayed: ReplayReport) {
    report.replayed = replayed.applied;
    report.torn_tail = replayed.torn_tail;
    report.lost = replayed.lost;
}

fn announce(report: &RecoveryReport, position: Position) {
    if let Some(torn) = &report.torn_tail {
        tracing::warn!(
            file = torn.file,
            offset = torn.offset,
            bytes = torn.bytes,
            "torn tail cut"
        );
    }
    if let (Some(used), false) = (report.snapshot, report.damaged_snapshots.is_empty()) {
        tracing::warn!(%used, "fell back to an older snapshot");
    }
    let snapshot = report.snapshot.unwrap_or_default();
    tracing::info!(%position, %snapshot, replayed = report.replayed, "recovered");
}

/// A replay whose handler has no errors of its own.
pub(super) fn into_error(error: ReplayError<Infallible>) -> Error {
    match error {
        ReplayError::Log(error) => error,
        ReplayError::Handler { error, .. } => match error {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job_queue::JobQueue;

    const MACHINE: &str = r#"{"jobs":["}","\"}"],"pending":[],"dead":[]}"#;

    fn document(state: &str) -> Document {
        let position = Position::new(7, 9);
        let document = snapshot::encode(position, |out| out.extend_from_slice(state.as_bytes()));
        snapshot::decode("s", Epoch(7), document).unwrap()
    }

    #[test]
    fn a_state_is_read_alike_in_the_written_spelling_and_in_another() {
        let written = format!(r#"{{"applied":{{"epoch":6,"seq":3}},"machine":{MACHINE}}}"#);
        let expected = (Position::new(6, 3), MACHINE.as_bytes());
        assert_eq!(canonical_state(written.as_bytes()), Some(expected));
        let other = format!(r#"{{"machine":{MACHINE}, "applied":{{"seq":3,"epoch":6}}}}"#);
        assert_eq!(canonical_state(other.as_bytes()), None);
        for state in [written, other] {
            let state = State::<JobQueue>::restore(&document(&state), Epoch(7)).unwrap();
            assert_eq!(state.applied, Position::new(6, 3));
            assert_eq!(state.machine.counts().completed, 2);
        }
    }

    #[test]
    fn a_state_with_more_or_less_in_it_is_refused() {
        let applied = r#"{"applied":{"epoch":6,"seq":3}"#;
        for rest in [
            format!(r#","machine":{MACHINE},"x":1}}"#),
            format!(r#","machine":{MACHINE}}}}}"#),
            format!(r#","machine":{MACHINE}"#),
            "}".to_owned(),
        ] {
            let document = document(&format!("{applied}{rest}"));
            let state = State::<JobQueue>::restore(&document, Epoch(7));
            assert!(matches!(state, Err(Error::InvalidState { .. })), "{rest}");
        }
    }
}
