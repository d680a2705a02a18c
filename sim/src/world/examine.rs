//! Everything that is asked of a store that has just opened: the one judgement of a recovery, for
//! runs and explorations alike. Invariants 1 to 4, 6, 9 and 11.

use beaver_disk::SimDisk;

use crate::faults::quiet_copy;
use crate::guard::guarded;
use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::oracle::history::History;
use crate::oracle::recognise::{Recognised, Wrong, recognise};
use crate::scenario::LogSettings;
use crate::subject::{AnyState, AnySubject, Failure, OpenStore, Position, Recovered};

/// What a recovery showed that is right.
#[derive(Clone, Debug)]
pub(crate) enum Examined {
    /// Everything decided, and the first ops in doubt.
    Prefix {
        /// How many of them.
        shown: usize,
        /// Where they stand, if the log says so.
        positions: Vec<Position>,
    },
    /// Everything decided, and the first ops of a sequence that an earlier recovery did not show, of a
    /// store that has not promised that it stays gone.
    Hidden {
        /// Its number.
        sequence: usize,
        /// How many of its ops.
        shown: usize,
    },
    /// Another state, which the store has not promised to avoid.
    Other(AnyState),
}

/// Holds a store that has opened against what the client was told.
///
/// # Errors
/// What is wrong.
pub(crate) fn examine(
    subject: &AnySubject,
    recovered: &mut Recovered<'_>,
) -> Result<Examined, Wrong> {
    let state = shown_state(recovered.store).map_err(Wrong::Otherwise)?;
    let state = state.map_err(|failure| Wrong::Unreadable(unreadable(&failure)))?;
    let shown = match recognise(recovered.history, &state, subject.promises()) {
        Ok(Recognised::Prefix(shown)) => shown,
        Ok(Recognised::Hidden { sequence, shown }) => {
            return Ok(Examined::Hidden { sequence, shown });
        }
        Ok(Recognised::Other) => return Ok(Examined::Other(state)),
        Err(wrong) => return Err(sharpened(subject, recovered, &state, wrong)),
    };
    let positions = match subject.inspected() {
        Some(inspected) => {
            let checked = guarded(|| inspected.check_history(recovered, shown));
            checked.map_err(panicked).and_then(|checked| checked)
        }
        None => Ok(Vec::new()),
    };
    let positions = positions.map_err(Wrong::Otherwise)?;
    Ok(Examined::Prefix { shown, positions })
}

/// What is wrong, said by a reader of the log where the store has one.
fn sharpened(
    subject: &AnySubject,
    recovered: &mut Recovered<'_>,
    state: &AnyState,
    wrong: Wrong,
) -> Wrong {
    let damaged = !recovered.damaged.damage.is_empty();
    match (subject.inspected(), wrong) {
        // Damage may excuse a shorter history, whatever the log says of it.
        (Some(_), shorter @ Wrong::Shorter { .. }) if damaged => shorter,
        (Some(inspected), _) => {
            let said = guarded(|| inspected.what_is_wrong(recovered, state));
            Wrong::Otherwise(said.unwrap_or_else(panicked))
        }
        (None, wrong) => wrong,
    }
}

/// Takes over what a recovery decided.
pub(crate) fn decide(subject: &AnySubject, history: &mut History, examined: Examined) {
    match examined {
        Examined::Prefix { shown, positions } if subject.promises().decided => {
            history.decide(shown, &positions);
        }
        Examined::Prefix { shown, .. } => history.show(shown),
        Examined::Hidden { sequence, shown } => {
            history.bring_back(sequence);
            history.show(shown);
        }
        Examined::Other(state) => history.begin_from(state),
    }
}

/// Invariant 11: only the files that the protocol needs are left.
///
/// # Errors
/// What is wrong.
pub(crate) fn check_tidy(
    subject: &AnySubject,
    recovered: &Recovered<'_>,
    log: &LogSettings,
) -> Result<(), Finding> {
    let names: Vec<&str> = recovered.files.names().collect();
    let inspected = subject.inspected();
    inspected.map_or(Ok(()), |inspected| {
        inspected.check_tidy(&names, recovered.report, log)
    })
}

/// A copy of the machine without the snapshot that was used, if recovery must be able to do without.
pub(crate) fn without_newest_snapshot(
    subject: &AnySubject,
    recovered: &Recovered<'_>,
    profile: beaver_disk::Profile,
) -> Option<SimDisk> {
    let inspected = subject.inspected()?;
    let older = inspected.without_newest_snapshot(recovered.files, recovered.report)?;
    let copy = quiet_copy(recovered.disk);
    copy.boot(older.disk(profile));
    Some(copy)
}

/// What the store shows now.
///
/// # Errors
/// It panicked.
pub(crate) fn shown_state(store: &mut dyn OpenStore) -> Result<Result<AnyState, Failure>, Finding> {
    guarded(|| store.state()).map_err(panicked)
}

/// The state cannot be read, and no fault explains that.
pub(crate) fn unreadable(failure: &Failure) -> Finding {
    let expected = "the state to be readable: no fault was injected";
    Finding::new(Invariant::Availability, expected, failure.text.clone())
}

/// The program under test panicked.
pub(crate) fn panicked(message: String) -> Finding {
    Finding::new(Invariant::Progress, "no panic", message)
}

/// The store panicked when it was closed or dropped, which closes it by default.
pub(crate) fn panicked_at_end(message: String) -> Finding {
    let expected = "no panic when the store is closed or dropped";
    Finding::new(Invariant::Progress, expected, message)
}

/// A process that is alive drops its store.
///
/// # Errors
/// It panicked.
pub(crate) fn let_go(store: Box<dyn OpenStore>) -> Result<(), Finding> {
    guarded(|| store.let_go()).map_err(panicked_at_end)
}
