//! The state of a store as it stands in a snapshot: the machine's, and how far it has come.
//!
//! ```text
//! {"applied":{"epoch":6,"seq":3},"machine":…}
//! ```
//!
//! The last position that the state has applied is not always the position that its snapshot
//! covers: an epoch without events moves only the latter.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::json::{JsonReader, write_u64};
use crate::log_event::DecodeError;
use crate::names;
use crate::position::{Position, Seq};
use crate::snapshot::SnapshotDocument;
use crate::state_machine::StateMachine;

/// A state and the last position that it has applied.
#[derive(Clone, Debug)]
pub(crate) struct AppliedState<M> {
    pub(crate) machine: M,
    pub(crate) applied: Position,
}

impl<M: StateMachine> AppliedState<M> {
    pub(crate) fn initial() -> Self {
        AppliedState {
            machine: M::initial(),
            applied: Position::default(),
        }
    }

    /// A state that did not come from the events up to `position`, the end of an empty epoch: such a
    /// position says so, because no event has it.
    pub(crate) fn installed(machine: M, position: Position) -> Self {
        AppliedState {
            machine,
            applied: position,
        }
    }

    /// Whether the snapshot that covers `covered` is the one by which it was
    /// [installed](AppliedState::installed), and not a later one of the same state.
    pub(crate) fn is_installed_by(&self, covered: Position) -> bool {
        self.applied == covered && covered.seq == Seq(0)
    }

    /// Appends the state to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"applied\":{\"epoch\":");
        write_u64(out, self.applied.epoch.0);
        out.extend_from_slice(b",\"seq\":");
        write_u64(out, self.applied.seq.0);
        out.extend_from_slice(b"},\"machine\":");
        self.machine.snapshot(out);
        out.push(b'}');
    }

    /// The state in a snapshot that was read and verified.
    pub(crate) fn restore(snapshot: &SnapshotDocument) -> Result<Self> {
        let invalid = |source| Error::InvalidState {
            file: names::snapshot(snapshot.boundary.position.epoch),
            source,
        };
        let (applied, machine) = match canonical_state(snapshot.state()) {
            Some(parts) => parts,
            None => any_spelling(snapshot.state()).map_err(invalid)?,
        };
        let machine = M::restore(machine).map_err(invalid)?;
        if applied > snapshot.boundary.position {
            let why = format!("its state has applied {applied}, which it does not cover");
            return Err(invalid(DecodeError::new(why)));
        }
        Ok(AppliedState { machine, applied })
    }

    /// Applying an event again is a no-op: the state knows how far it has come.
    pub(crate) fn apply(&mut self, position: Position, event: &M::Event) -> Result<()> {
        if position > self.applied {
            let applied = self.machine.apply(event);
            applied.map_err(|error| Error::IllegalEvent {
                position,
                source: Arc::new(error),
            })?;
            self.applied = position;
        }
        Ok(())
    }
}

/// The two parts of a state in the one spelling that is written. The machine's bytes are not looked
/// at here: the checksum says that they are what the machine wrote, and it judges itself whether
/// they are a state.
fn canonical_state(state: &[u8]) -> Option<(Position, &[u8])> {
    let mut reader = JsonReader::new(state);
    reader.expect("{\"applied\":{\"epoch\":").ok()?;
    let epoch = reader.number().ok()?;
    reader.expect(",\"seq\":").ok()?;
    let seq = reader.number().ok()?;
    reader.expect("},\"machine\":").ok()?;
    let machine = reader.rest().strip_suffix(b"}")?;
    Some((Position::new(epoch, seq), machine))
}

/// The two parts of a state in any other spelling: slower, because all of it is read as JSON first.
fn any_spelling(state: &[u8]) -> Result<(Position, &[u8]), DecodeError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Applied {
        epoch: u64,
        seq: u64,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct StateDocument<'a> {
        applied: Applied,
        #[serde(borrow)]
        machine: &'a RawValue,
    }
    let document: StateDocument<'_> = serde_json::from_slice(state).map_err(DecodeError::new)?;
    let Applied { epoch, seq } = document.applied;
    Ok((Position::new(epoch, seq), document.machine.get().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job_queue::JobQueue;
    use crate::position::Epoch;
    use crate::snapshot;

    const MACHINE: &str = r#"{"jobs":["}","\"}"],"pending":[],"dead":[]}"#;

    fn document(state: &str) -> SnapshotDocument {
        let position = Position::new(7, 9);
        let document = snapshot::encode(position.into(), |out| {
            out.extend_from_slice(state.as_bytes())
        });
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
            let state = AppliedState::<JobQueue>::restore(&document(&state)).unwrap();
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
            let state = AppliedState::<JobQueue>::restore(&document);
            assert!(matches!(state, Err(Error::InvalidState { .. })), "{rest}");
        }
    }
}
