//! The plainest event and the plainest state machine: any JSON, and all of it in order.

use beaver::{DecodeError, LogEvent, StateMachine};

/// An event that is its own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line(pub(crate) String);

impl LogEvent for Line {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
    }

    fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        let text = std::str::from_utf8(json).map_err(DecodeError::new)?;
        match text.contains("unknown") {
            true => Err(DecodeError::new("an unknown event")),
            false => Ok(Line(text.to_owned())),
        }
    }
}

/// A machine that remembers everything, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tape(pub(crate) Vec<String>);

#[derive(Debug, thiserror::Error)]
#[error("an illegal event")]
pub(crate) struct Illegal;

impl StateMachine for Tape {
    type Event = Line;
    type Error = Illegal;

    fn apply(&mut self, event: &Line) -> Result<(), Illegal> {
        if event.0.contains("illegal") {
            return Err(Illegal);
        }
        self.0.push(event.0.clone());
        Ok(())
    }

    fn snapshot(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("[{}]", self.0.join(",")).as_bytes());
    }

    fn restore(json: &[u8]) -> Result<Self, DecodeError> {
        let all: Vec<&serde_json::value::RawValue> =
            serde_json::from_slice(json).map_err(DecodeError::new)?;
        Ok(Tape(all.iter().map(|one| one.get().to_owned()).collect()))
    }

    fn initial() -> Self {
        Tape::default()
    }
}
