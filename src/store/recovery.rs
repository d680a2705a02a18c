//! Recovery: the newest snapshot that can be used, then every event after it.
//!
//! ```text
//! lock │ list │ load snapshot │ drop cache │ verify, replay │ sync names │ cut, rewrite, sync │ clean │ expose
//!       └────────────────── changes nothing ────────────────┘
//! ```
//!
//! A failure before the first change leaves the directory as it was; one after it can be tried
//! again. What one recovery shows, every later one shows.

use std::convert::Infallible;
use std::sync::Arc;

use super::StoreOptions;
use super::applied_state::AppliedState;
use super::checkpoint::Snapshots;
use super::leftovers::Leftovers;
use crate::boundary::Boundary;
use crate::clock::Stopwatch;
use crate::directory::{self, LockedDirectory};
use crate::error::{Error, Result};
use crate::lineage;
use crate::names::Listing;
use crate::position::Position;
use crate::snapshot::{self, DamagedSnapshot};
use crate::state_machine::StateMachine;
use crate::storage::Storage;
use crate::wal::{
    LogReader, LostRange, OpenReport, Recovery, ReplayError, ReplayReport, TornTail, Wal, chain,
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
pub(super) struct Recovered<M: StateMachine> {
    pub(super) state: AppliedState<M>,
    pub(super) wal: Wal<M::Event>,
    pub(super) snapshots: Snapshots,
    pub(super) report: RecoveryReport,
}

/// Where replay begins.
struct Loaded<M> {
    state: AppliedState<M>,
    /// What the snapshot covers; `None`: there is no snapshot.
    base: Option<Boundary>,
    /// Newer snapshots that could not be used.
    damaged: Vec<DamagedSnapshot>,
}

impl<M: StateMachine> Loaded<M> {
    /// No snapshot that can be used.
    fn none(damaged: Vec<DamagedSnapshot>) -> Self {
        Loaded {
            state: AppliedState::initial(),
            base: None,
            damaged,
        }
    }
}

pub(super) fn recover<M: StateMachine>(
    storage: Arc<dyn Storage>,
    options: StoreOptions,
) -> Result<Recovered<M>> {
    let stopwatch = Stopwatch::start();
    let keep_old = options.keep_old_snapshots;
    let directory = LockedDirectory::lock_store(Arc::clone(&storage))?;
    let Loaded {
        mut state,
        base,
        damaged,
    } = load_snapshot::<M>(&*storage, &directory.listing)?;
    let mut report = RecoveryReport {
        snapshot: base.map(|base| base.position),
        damaged_snapshots: damaged,
        strays: directory.listing.strays.clone(),
        ..RecoveryReport::default()
    };
    if let Some(base) = base {
        match lineage::check(&*storage, &directory.listing, base.position.epoch) {
            // What cannot be read is not shown, and read before it ever is.
            Err(error @ Error::Storage { .. }) => report.warnings.push(error),
            checked => checked?,
        }
    }
    let found = match base {
        Some(base) if state.is_installed_by(base.position) => {
            let installed = base.position.epoch;
            Ok(Leftovers::before_install(&directory.listing, installed))
        }
        _ => Leftovers::find(&*storage, &directory.listing, base, keep_old),
    };
    let mut leftovers = found.unwrap_or_else(|error| {
        tracing::warn!(%error, "an older snapshot is not a fall-back; nothing is removed");
        report.warnings.push(error);
        Leftovers::default()
    });

    // Nothing on disk has changed so far, and nothing does before everything is replayed.
    let mut recovery = Recovery::inspect(directory, base, options.wal)?;
    if !recovery.is_new() {
        let replayed = recovery.replay(state.applied, |raw| {
            state.apply(raw.position, &raw.decode()?)?;
            Ok::<(), ReplayError<Infallible>>(())
        })?;
        report.replayed = replayed.applied;
        report.torn_tail = replayed.torn_tail;
        report.lost = replayed.lost;
        make_trustworthy(&recovery, &mut leftovers, &mut report)?;
    }
    clean_up(&recovery, &mut leftovers, &mut report)?;
    let wal = recovery.into_wal()?;
    wal.counters
        .recovered(report.replayed, stopwatch.elapsed_us());
    let trusted = base.into_iter().chain(leftovers.fall_backs);
    let snapshots = Snapshots {
        storage,
        keep_old,
        trusted: trusted
            .map(|covered| (covered.position.epoch, covered))
            .collect(),
    };
    report.removed_leftovers = leftovers.removed;
    announce(&report, wal.last_position());
    Ok(Recovered {
        state,
        wal,
        snapshots,
        report,
    })
}

/// The state in a directory, without owning or changing it: the newest usable snapshot and the
/// events after it. [`inspect::salvage_state`](crate::inspect::salvage_state) goes on after damage.
///
/// # Errors
/// As [`Store::open`](super::Store::open), without [`Error::Locked`] and without those of a change.
pub fn read_state<M: StateMachine>(
    storage: &Arc<dyn Storage>,
) -> Result<(M, Position, ReplayReport)> {
    let listing = directory::list_store(&**storage)?;
    let Loaded {
        mut state, base, ..
    } = load_snapshot::<M>(&**storage, &listing)?;
    let log = LogReader::after(Arc::clone(storage), &listing.segments, base);
    let after = state.applied.max(covered_position(base));
    let report = log.replay(after, |position, event| state.apply(position, &event));
    let report = report.map_err(|error| match error {
        ReplayError::Log(error) | ReplayError::Handler { error, .. } => error,
    })?;
    Ok((state.machine, state.applied, report))
}

/// What a salvage begins with: a state, the last position that it covers, and the log after it.
pub(crate) fn salvageable<M: StateMachine>(
    storage: &Arc<dyn Storage>,
) -> Result<(AppliedState<M>, Position, LogReader<M::Event>)> {
    let listing = directory::list_store(&**storage)?;
    let Loaded { state, base, .. } = match load_snapshot(&**storage, &listing) {
        Err(Error::NoSnapshot { .. } | Error::BrokenChain { .. }) => {
            newest_snapshot(&**storage, &listing)?
        }
        loaded => loaded?,
    };
    let after = state.applied.max(covered_position(base));
    let log = LogReader::after(Arc::clone(storage), &listing.segments, base);
    Ok((state, after, log))
}

/// The newest snapshot that is valid and has all segments above it. Changes nothing.
fn load_snapshot<M: StateMachine>(storage: &dyn Storage, listing: &Listing) -> Result<Loaded<M>> {
    if listing.is_new() {
        return Ok(Loaded::none(Vec::new()));
    }
    // A segment was durable after each snapshot, whatever the snapshot holds: so a missing one is
    // found before a damaged snapshot can hide it.
    if let Some(newest) = listing.snapshots.last() {
        chain(&listing.segments, Some(*newest))?;
    }
    let loaded = newest_snapshot::<M>(storage, listing)?;
    let covered = loaded.base.map(|base| base.position.epoch);
    match chain(&listing.segments, covered) {
        Ok(_) => Ok(loaded),
        Err(error) if loaded.base.is_none() && loaded.damaged.is_empty() => Err(error),
        Err(error) => {
            let damaged = loaded.damaged.iter().map(|damaged| &damaged.error);
            let reasons: Vec<String> = damaged.chain([&error]).map(Error::to_string).collect();
            Err(Error::NoSnapshot {
                reason: reasons.join("; "),
            })
        }
    }
}

/// The last position that is covered; before everything without a snapshot.
fn covered_position(base: Option<Boundary>) -> Position {
    base.map_or(Position::default(), |base| base.position)
}

/// The newest snapshot that is valid, whatever segments are there.
fn newest_snapshot<M: StateMachine>(storage: &dyn Storage, listing: &Listing) -> Result<Loaded<M>> {
    let mut damaged = Vec::new();
    for epoch in listing.snapshots.iter().rev() {
        match snapshot::read(storage, *epoch)? {
            Ok(snapshot) => {
                return Ok(Loaded {
                    state: AppliedState::restore(&snapshot)?,
                    base: Some(snapshot.boundary),
                    damaged,
                });
            }
            Err(this) => {
                tracing::warn!(file = this.file, error = %this.error, "snapshot passed over");
                damaged.push(this);
            }
        }
    }
    Ok(Loaded::none(damaged))
}

/// Makes what was read durable. On a full disk, what a verified snapshot covers may go first.
fn make_trustworthy(
    recovery: &Recovery,
    leftovers: &mut Leftovers,
    report: &mut RecoveryReport,
) -> Result<()> {
    recovery.sync_names()?;
    match recovery.rewrite_tail() {
        Err(error) if error.is_full() && !leftovers.is_empty() => {
            tracing::warn!(%error, "the disk is full; leftovers go first");
            // The snapshot that covers them is durable, its name too, so they may go before the
            // tail is.
            let removed = leftovers.remove(&*recovery.directory().storage);
            report.warnings.extend(removed.err());
            recovery.sync_names()?;
            recovery.drop_cache()?;
            recovery.rewrite_tail()
        }
        result => result,
    }
}

/// Removes what no recovery needs. An error does no harm, because the next open tries again, unless
/// something must go before anything is shown.
fn clean_up(
    recovery: &Recovery,
    leftovers: &mut Leftovers,
    report: &mut RecoveryReport,
) -> Result<()> {
    let mut open_report = OpenReport::default();
    recovery.remove_temporaries(&mut open_report);
    report.removed_temporaries = open_report.removed_temporaries;
    report.warnings.extend(open_report.warnings);
    let storage = &*recovery.directory().storage;
    let mut removed = leftovers.remove(storage);
    if !report.removed_temporaries.is_empty() || !leftovers.removed.is_empty() {
        removed = removed.and(directory::sync(storage));
    }
    match removed {
        Err(error) if leftovers.must_go => Err(error),
        removed => {
            report.warnings.extend(removed.err());
            Ok(())
        }
    }
}

fn announce(report: &RecoveryReport, position: Position) {
    report.torn_tail.iter().for_each(TornTail::announce);
    if let (Some(used), false) = (report.snapshot, report.damaged_snapshots.is_empty()) {
        tracing::warn!(%used, "fell back to an older snapshot");
    }
    let snapshot = report.snapshot.unwrap_or_default();
    tracing::info!(%position, %snapshot, replayed = report.replayed, "recovered");
}
